#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/gate/viewers.h"

#include <arpa/inet.h>
#include <pthread.h>

static const struct sg_str one = {"one", 3}, other = {"other", 5};

static struct in6_addr numbered(uint32_t n)
{
    struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    n = htonl(n);
    memcpy(address.s6_addr + 12, &n, sizeof(n));
    return address;
}

static int set_up(void **fixture)
{
    return sgd_viewers_open((struct sgd_viewers **)fixture) != SG_OK;
}

static int tear_down(void **fixture)
{
    sgd_viewers_close(*fixture);
    return 0;
}

static void each_token_has_its_own_number(void **fixture)
{
    struct sgd_viewers *v = *fixture;
    for (uint32_t n = 0; n < 20; n++) {
        struct in6_addr address = numbered(n);
        assert_int_equal(sgd_viewers_enter(v, one, 3, &address, 1000), n < 3);
        assert_int_equal(sgd_viewers_enter(v, other, 16, &address, 1000), n < 16);
    }
    assert_false(sgd_viewers_enter(v, one, 3, NULL, 1000));
    assert_true(sgd_viewers_enter(v, one, 4, NULL, 1000));
}

static void a_place_is_free_a_minute_after_its_last_request(void **fixture)
{
    struct sgd_viewers *v = *fixture;
    struct in6_addr a = numbered(1), b = numbered(2);
    assert_true(sgd_viewers_enter(v, one, 1, &a, 1000));
    assert_true(sgd_viewers_enter(v, one, 1, &a, 1030));
    assert_false(sgd_viewers_enter(v, one, 1, &b, 1089));
    assert_true(sgd_viewers_enter(v, one, 1, &b, 1090));
    assert_false(sgd_viewers_enter(v, one, 1, &a, 1091));
}

static void more_tokens_than_there_is_room_for_are_not_refused(void **fixture)
{
    struct sgd_viewers *v = *fixture;
    struct in6_addr a = numbered(1);
    for (uint32_t n = 0; n < 100000; n++) {
        struct sg_str id = {(const char *)&n, sizeof(n)};
        assert_true(sgd_viewers_enter(v, id, 1, &a, 1000));
    }
}

static void *enter_many(void *arg)
{
    uintptr_t got = 0;
    for (uint32_t n = 0; n < 1000; n++) {
        struct in6_addr address = numbered(n);
        got += sgd_viewers_enter(arg, one, 8, &address, 1000);
    }
    return (void *)got;
}

static void all_workers_count_together(void **fixture)
{
    pthread_t threads[4];
    void *got;
    for (size_t i = 0; i < SG_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_many, *fixture), 0);
    for (size_t i = 0; i < SG_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &got), 0);
        assert_true((uintptr_t)got <= 8);
    }
}

static void open_undoes_itself_when_memory_is_out(void **fixture)
{
    struct sgd_viewers *v = NULL;
    sg_alloc_fail_nth(0);
    assert_int_equal(sgd_viewers_open(&v), SG_ENOMEM);
    sg_alloc_fail_nth(UINT32_MAX);
    assert_null(v);
    (void)fixture;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    T(each_token_has_its_own_number),
    T(a_place_is_free_a_minute_after_its_last_request),
    T(more_tokens_than_there_is_room_for_are_not_refused),
    T(all_workers_count_together),
    cmocka_unit_test(open_undoes_itself_when_memory_is_out),
};
SGT_MAIN("viewers", tests)
