#include "tests/sgt.h"

#include "tests/unit/dataplane/origin/liar.h"
#include "tests/unit/dataplane/origin/rig.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct sgt_liar_step step_hello[] = {
    {SGT_LIAR_SEND, OK_HEAD "Content-Length: 5\r\nX-Who:  liar \r\n\r\nhello", 0},
    {SGT_LIAR_AGAIN, NULL, 0},
};
static const struct sgt_liar_step step_large[] = {
    {SGT_LIAR_SEND, OK_HEAD "Content-Length: 5000000\r\n\r\n", 0},
    {SGT_LIAR_FILL, NULL, 5000000},
    {SGT_LIAR_AGAIN, NULL, 0},
};
static const struct sgt_liar_step step_none[] = {{SGT_LIAR_END, NULL, 0}};

static const struct sgt_liar_script scripts[] = {
    {"/hello", step_hello},
    {"/large", step_large},
    {NULL, step_none},
};

struct world {
    struct sgt_liar *liar;
    struct sgt_rig rig;
};
static struct world world;

static int set_up(void **fixture)
{
    world.liar = sgt_liar_open(0, scripts);
    sgt_rig_open(&world.rig, 1, 256);
    sgt_rig_url(&world.rig, "http", sgt_liar_port(world.liar));
    sgt_rig_pools(&world.rig);
    *fixture = &world;
    return 0;
}

static int tear_down(void **fixture)
{
    struct world *w = *fixture;
    sgt_rig_close(&w->rig);
    sgt_liar_close(w->liar);
    return 0;
}

static void a_small_answer_comes_with_head_body_and_done(void **fixture)
{
    struct world *w = *fixture;
    struct sgt_get *get = sgt_get_run(&w->rig, "GET", "/hello");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(get->fetch.status, 200);
    assert_true(get->fetch.length_known && get->fetch.length == 5);
    assert_true(sgt_get_has_line(get, "x-who: liar"));
    assert_int_equal(get->got, 5);
    assert_memory_equal(get->body, "hello", 5);
    sgt_get_free(get);
}

static void a_large_answer_comes_whole_through_windows_of_any_size(void **fixture)
{
    static const uint32_t sizes[] = {65536, 262144, 1000, 16384, 16383};
    struct world *w = *fixture;
    for (size_t s = 0; s < SG_COUNT(sizes); s++) {
        struct sgt_get *get = sgt_get_make(&w->rig, "GET", "/large");
        get->window_bytes = sizes[s];
        sgt_get_start(get);
        assert_true(sgt_rig_run(&w->rig, get, 10000));
        assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
        assert_int_equal(get->fetch.received_bytes, 5000000);
        assert_int_equal(get->got, 5000000);
        for (size_t i = 0; i < get->got; i++)
            if (get->body[i] != sgt_liar_pattern(i))
                fail_msg("byte %zu is wrong with windows of %u", i, sizes[s]);
        sgt_get_free(get);
    }
}

static void a_connection_is_used_again(void **fixture)
{
    struct world *w = *fixture;
    for (int i = 0; i < 5; i++)
        sgt_get_free(sgt_get_run(&w->rig, "GET", "/hello"));
    assert_int_equal(sgt_liar_requests(w->liar), 5);
    assert_int_equal(sgt_liar_connections(w->liar), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_small_answer_comes_with_head_body_and_done, set_up,
                                    tear_down),
    cmocka_unit_test_setup_teardown(a_large_answer_comes_whole_through_windows_of_any_size, set_up,
                                    tear_down),
    cmocka_unit_test_setup_teardown(a_connection_is_used_again, set_up, tear_down),
};
SGT_MAIN("fetch", tests)
