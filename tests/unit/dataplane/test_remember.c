#include "tests/sgt.h"

#include "base/alloc.h"
#include "dataplane/gate/remember.h"

#include <string.h>

#define NOW_S 1000

static struct sgd_remember *open_set(uint32_t names)
{
    struct sgd_remember *set = NULL;
    assert_int_equal(sgd_remember_open(names, &set), SG_OK);
    return set;
}

static const uint8_t *name(uint32_t number)
{
    static uint8_t bytes[SGD_REMEMBER_BYTES];
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, &number, sizeof(number));
    return bytes;
}

static void a_name_is_taken_once_until_its_time_is_over(void **fixture)
{
    (void)fixture;
    struct sgd_remember *set = open_set(64);
    assert_int_equal(sgd_remember_once(set, name(1), NOW_S + 60, NOW_S), SG_OK);
    assert_int_equal(sgd_remember_once(set, name(1), NOW_S + 60, NOW_S), SG_EEXIST);
    assert_int_equal(sgd_remember_once(set, name(2), NOW_S + 60, NOW_S), SG_OK);
    assert_int_equal(sgd_remember_once(set, name(1), NOW_S + 90, NOW_S + 59), SG_EEXIST);
    assert_int_equal(sgd_remember_once(set, name(1), NOW_S + 120, NOW_S + 60), SG_OK);
    sgd_remember_close(set);
}

static void a_full_set_forgets_nothing_that_must_not_be_forgotten(void **fixture)
{
    (void)fixture;
    struct sgd_remember *set = open_set(64);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < 1000; i++)
        kept += sgd_remember_once(set, name(i), NOW_S + 60, NOW_S) == SG_OK;
    assert_int_equal(kept, 64); /* four rows of sixteen, all of them used */
    uint32_t again = 0;
    for (uint32_t i = 0; i < 1000; i++)
        again += sgd_remember_once(set, name(i), NOW_S + 60, NOW_S) == SG_EEXIST;
    assert_int_equal(again, 64);
    assert_int_equal(sgd_remember_once(set, name(5000), NOW_S + 99, NOW_S + 60), SG_OK);
    sgd_remember_close(set);
}

static void what_is_only_kept_gives_way_to_the_newer(void **fixture)
{
    (void)fixture;
    struct sgd_remember *set = open_set(16);
    for (uint32_t i = 0; i < 17; i++)
        sgd_remember_keep(set, name(i), NOW_S + 60 + i, NOW_S);
    assert_false(sgd_remember_has(set, name(0), NOW_S)); /* it would have been the first to go */
    for (uint32_t i = 1; i < 17; i++)
        assert_true(sgd_remember_has(set, name(i), NOW_S));
    sgd_remember_keep(set, name(3), NOW_S + 500, NOW_S);
    assert_true(sgd_remember_has(set, name(3), NOW_S + 499));
    assert_false(sgd_remember_has(set, name(4), NOW_S + 499));
    sgd_remember_close(set);
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    (void)fixture;
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_remember *set = NULL;
        assert_true(nth < 8);
        sg_alloc_fail_nth(nth);
        err = sgd_remember_open(64, &set);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? set != NULL : set == NULL && err == SG_ENOMEM);
        sgd_remember_close(set);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_name_is_taken_once_until_its_time_is_over),
    cmocka_unit_test(a_full_set_forgets_nothing_that_must_not_be_forgotten),
    cmocka_unit_test(what_is_only_kept_gives_way_to_the_newer),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("remember", tests)
