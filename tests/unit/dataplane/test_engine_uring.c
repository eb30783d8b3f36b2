#include "tests/unit/dataplane/engine_contract.h"
#include "tests/unit/dataplane/engine_protos.h"

#include "base/alloc.h"

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct sgd_listener listener = {bench->listen_fd, 0};
    struct sgd_region region = {bench->region, BENCH_REGION_BYTES, -1};
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_engine *engine = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sgd_engine_uring.open(&bench->worker, &region, 1, &listener, 1, &engine);
        assert_true(err == SG_OK ? engine != NULL : engine == NULL && err == SG_ENOMEM);
        sgd_engine_uring.close(engine);
    }
    sg_alloc_fail_nth(UINT32_MAX);
}

#define UPLOADERS 60

/* A paused connection keeps what one receive brought, up to 32 buffers of the 1024: together they
 * would hold them all. */
static void hoarders_of_received_bytes_go_before_others_starve(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client uploaders[UPLOADERS], other;
    static uint8_t out[1 << 20];
    static struct echo *echoes[UPLOADERS];
    for (int i = 0; i < UPLOADERS; i++) {
        use_echo(bench);
        client_open(bench, &uploaders[i], 64);
        assert_true(bench_until(bench, echo_is_open, NULL));
        echoes[i] = echo_last;
        echo_last->paused = true; /* takes nothing */
        uploaders[i].out = out;
        uploaders[i].out_len = sizeof(out);
    }
    for (int i = 0; i < UPLOADERS; i++)
        client_pump(&uploaders[i]);
    bench_for_ms(bench, 50);
    use_echo(bench);
    client_open(bench, &other, 64);
    other.out = (const uint8_t *)"hello";
    other.out_len = other.in_want = 5;
    assert_true(bench_until(bench, client_has_all, &other));
    client_close(&other);
    echo_free(bench);
    for (int i = 0; i < UPLOADERS; i++) {
        client_close(&uploaders[i]);
        if (echoes[i]->closes == 0)
            sgd_conn_abort(echoes[i]->conn, SGD_CLOSE_internal);
        echo_last = echoes[i];
        echo_free(bench);
    }
}

static const struct CMUnitTest tests[] = {
    ENGINE_CONTRACT,
    CONTRACT(hoarders_of_received_bytes_go_before_others_starve),
    CONTRACT(open_undoes_itself_at_every_failing_allocation),
};

int main(void)
{
    bench_engine = &sgd_engine_uring;
    return sgt_main("engine_uring", tests, SG_COUNT(tests));
}
