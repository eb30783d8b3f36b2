#include "tests/unit/dataplane/engine_contract.h"

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

static const struct CMUnitTest tests[] = {
    ENGINE_CONTRACT,
    CONTRACT(open_undoes_itself_at_every_failing_allocation),
};

int main(void)
{
    bench_engine = &sgd_engine_uring;
    return sgt_main("engine_uring", tests, SG_COUNT(tests));
}
