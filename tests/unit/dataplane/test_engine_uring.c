#include "tests/unit/dataplane/engine_contract.h"
#include "tests/unit/dataplane/engine_protos.h"

#include "base/alloc.h"
#include "dataplane/engine/uring/uring_engine.h"

#include <sys/resource.h>
#include <unistd.h>

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct sgd_listener listener = {.fd = bench->listen_fd};
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

/* ---- viewers that stopped reading ---- */

#define PAUSED 120 /* more than there are buffers for large records */

static struct sgd_conn *endless_last;

static size_t endless_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                           enum sgd_pull_more *more, uint64_t now_ns)
{
    static uint8_t bytes[1 << 20];
    out[0] = (struct sg_slice){bytes, (uint32_t)SG_MIN(budget, sizeof(bytes)), NULL};
    *more = SGD_PULL_MORE;
    (void)self, (void)max, (void)now_ns;
    return 1;
}

static size_t endless_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    (void)self, (void)bytes, (void)now_ns;
    return len;
}

static void endless_ignore(void *self, uint64_t now_ns)
{
    (void)self, (void)now_ns;
}

static void endless_closed(void *self, enum sgd_close why)
{
    (void)self, (void)why;
}

static const struct sgd_proto endless_proto = {
    .name = "endless",
    .input = endless_input,
    .pull = endless_pull,
    .input_end = endless_ignore,
    .wake = endless_ignore,
    .closed = endless_closed,
};

static void *endless_open(struct bench *bench, struct sgd_conn *conn)
{
    endless_last = conn;
    sgd_conn_want_send(conn);
    (void)bench;
    return &endless_last;
}

static bool small_memory_is_back(void *arg)
{
    const struct bench *bench = arg;
    return sg_pool_in_use(&bench->worker.engine->small) < PAUSED / 8;
}

static void viewers_that_pause_leave_others_their_buffers(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    static struct sgd_tls_keys keys = {.version = 0x0304, .secret_len = 32};
    struct client reader;
    int fds[PAUSED];
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &keys.tx);
    sgd_tls_direction_derive(SGD_TLS_AES_128_GCM, 32, &keys.rx);
    bench->tls_keys = &keys;
    bench->proto = &endless_proto;
    bench->proto_self = endless_open;
    bench->rcvbuf = 8192;
    for (int i = 0; i < PAUSED; i++)
        fds[i] = bench_connect(bench);
    bench_for_ms(bench, 200);
    assert_int_equal(bench->accepted, PAUSED);
    assert_true(bench_until(bench, small_memory_is_back, bench));
    assert_true(sg_pool_in_use(&bench->worker.engine->batches) < PAUSED);
    bench->rcvbuf = 0;
    client_open(bench, &reader, 64 << 20);
    reader.in_want = 4 << 20;
    assert_true(bench_until(bench, client_has_all, &reader));
    client_close(&reader);
    for (int i = 0; i < PAUSED; i++)
        close(fds[i]);
    assert_true(bench_until(bench, bench_has_no_conns, bench));
}

/* ---- those that only send ---- */

#define UPLOADERS 60

/* A paused connection keeps what one receive brought, up to 32 buffers of the 2048: together they
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

/* ---- out of descriptors ---- */

static bool another_was_accepted(void *arg)
{
    return ((struct bench *)arg)->accepted == 2;
}

static void without_descriptors_accepting_pauses_and_the_rest_goes_on(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client, late;
    int fillers[256], count = 0;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){200, before.rlim_max}; /* io_uring remembers it when accepting begins */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    use_echo(bench);
    client_open(bench, &client, 64);
    assert_true(bench_until(bench, echo_is_open, NULL));
    struct echo *first = echo_last;
    int spare = dup(STDERR_FILENO);
    while (count < 256 && (fillers[count] = dup(STDERR_FILENO)) >= 0)
        count++;
    close(spare);
    client_open(bench, &late, 64); /* has the last one; waits in the listener's queue */
    client.out = (const uint8_t *)"still here";
    client.out_len = client.in_want = 10;
    assert_true(bench_until(bench, client_has_all, &client));
    assert_int_equal(bench->accepted, 1);
    while (count > 0)
        close(fillers[--count]);
    assert_true(bench_until(bench, another_was_accepted, bench));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_close(&late);
    echo_free(bench);
    client_close(&client);
    echo_last = first;
    echo_free(bench);
}

static const struct CMUnitTest tests[] = {
    ENGINE_CONTRACT,
    CONTRACT(without_descriptors_accepting_pauses_and_the_rest_goes_on),
    CONTRACT(viewers_that_pause_leave_others_their_buffers),
    CONTRACT(hoarders_of_received_bytes_go_before_others_starve),
    CONTRACT(open_undoes_itself_at_every_failing_allocation),
};

int main(void)
{
    bench_engine = &sgd_engine_uring;
    return sgt_main("engine_uring", tests, SG_COUNT(tests));
}
