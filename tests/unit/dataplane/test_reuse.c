#include "tests/sgt.h"

#include "base/clock.h"
#include "dataplane/delivery/reuse.h"

#define S   SG_NS_PER_SEC
#define NOW (1000000 * S)

/* Stored `age_s` ago, fresh for a minute. */
static struct sge_meta stored(uint64_t age_s)
{
    return (struct sge_meta){.response_ns = NOW - age_s * S, .lifetime_ns = 60 * S};
}

static enum sgd_reuse check(struct sge_meta meta, struct sgd_cc cc)
{
    return sgd_reuse_check(&meta, false, &cc, NOW);
}

static void fresh_until_its_lifetime_is_over(void **fixture)
{
    struct sgd_cc none = {0};
    assert_int_equal(check(stored(0), none), SGD_REUSE_FRESH);
    assert_int_equal(check(stored(59), none), SGD_REUSE_FRESH);
    assert_int_equal(check(stored(60), none), SGD_REUSE_VALIDATE);
    struct sge_meta aged = stored(30);
    aged.initial_age_ns = 31 * S; /* what it had on arrival counts too */
    assert_int_equal(check(aged, none), SGD_REUSE_VALIDATE);
    (void)fixture;
}

static void of_what_came_before_the_clock_was_set_back_no_age_is_known(void **fixture)
{
    struct sgd_cc none = {0};
    struct sge_meta meta = stored(0);
    meta.response_ns = NOW + S; /* a clock read a moment later */
    assert_int_equal(check(meta, none), SGD_REUSE_FRESH);
    meta.response_ns = NOW + 3 * S;
    assert_int_equal(check(meta, none), SGD_REUSE_VALIDATE);
    meta.stale_error_ns = S;
    assert_true(sgd_reuse_on_error(&meta, &none, NOW));
    (void)fixture;
}

static void the_viewer_may_ask_for_younger_or_take_older(void **fixture)
{
    assert_int_equal(check(stored(10), (struct sgd_cc){.flags = SGD_CC_NO_CACHE}),
                     SGD_REUSE_VALIDATE);
    assert_int_equal(
        check(stored(10), (struct sgd_cc){.flags = SGD_CC_MAX_AGE, .max_age_ns = 5 * S}),
        SGD_REUSE_VALIDATE);
    assert_int_equal(
        check(stored(10), (struct sgd_cc){.flags = SGD_CC_MAX_AGE, .max_age_ns = 10 * S}),
        SGD_REUSE_FRESH);
    assert_int_equal(
        check(stored(10), (struct sgd_cc){.flags = SGD_CC_MIN_FRESH, .min_fresh_ns = 51 * S}),
        SGD_REUSE_VALIDATE);
    assert_int_equal(
        check(stored(70), (struct sgd_cc){.flags = SGD_CC_MAX_STALE, .max_stale_ns = 10 * S}),
        SGD_REUSE_STALE);
    assert_int_equal(
        check(stored(71), (struct sgd_cc){.flags = SGD_CC_MAX_STALE, .max_stale_ns = 10 * S}),
        SGD_REUSE_VALIDATE);
    assert_int_equal(check(stored(9999), (struct sgd_cc){.flags = SGD_CC_MAX_STALE_ANY}),
                     SGD_REUSE_STALE);
    (void)fixture;
}

static void stale_while_revalidate_ends_and_yields_to_must_revalidate(void **fixture)
{
    struct sgd_cc none = {0};
    struct sge_meta meta = stored(65);
    meta.stale_while_ns = 10 * S;
    assert_int_equal(check(meta, none), SGD_REUSE_WHILE_REVALIDATE);
    meta.response_ns -= 5 * S;
    assert_int_equal(check(meta, none), SGD_REUSE_VALIDATE);
    meta = stored(65);
    meta.stale_while_ns = 10 * S;
    meta.flags = SGD_STORE_MUST_REVALIDATE;
    assert_int_equal(check(meta, none), SGD_REUSE_VALIDATE);
    assert_int_equal(check(meta, (struct sgd_cc){.flags = SGD_CC_MAX_STALE_ANY}),
                     SGD_REUSE_VALIDATE);
    (void)fixture;
}

static void a_soft_purge_makes_it_stale_whatever_its_age(void **fixture)
{
    struct sge_meta meta = stored(1);
    struct sgd_cc any = {.flags = SGD_CC_MAX_STALE_ANY};
    assert_int_equal(sgd_reuse_check(&meta, true, &any, NOW), SGD_REUSE_VALIDATE);
    meta.stale_while_ns = 1;
    assert_int_equal(sgd_reuse_check(&meta, true, NULL, NOW), SGD_REUSE_WHILE_REVALIDATE);
    (void)fixture;
}

static void after_an_error_stale_serves_only_as_long_as_allowed(void **fixture)
{
    struct sge_meta meta = stored(70);
    assert_false(sgd_reuse_on_error(&meta, NULL, NOW));
    meta.stale_error_ns = 11 * S;
    assert_true(sgd_reuse_on_error(&meta, NULL, NOW));
    meta.stale_error_ns = 10 * S;
    assert_false(sgd_reuse_on_error(&meta, NULL, NOW));
    struct sgd_cc asked = {.flags = SGD_CC_SIE, .sie_ns = 20 * S};
    assert_true(sgd_reuse_on_error(&meta, &asked, NOW));
    meta.flags = SGD_STORE_MUST_REVALIDATE;
    assert_false(sgd_reuse_on_error(&meta, &asked, NOW));
    (void)fixture;
}

static void no_cache_is_never_reused_unasked(void **fixture)
{
    struct sge_meta meta = stored(0);
    meta.flags = SGD_STORE_NO_CACHE;
    assert_int_equal(sgd_reuse_check(&meta, false, NULL, NOW), SGD_REUSE_VALIDATE);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fresh_until_its_lifetime_is_over),
    cmocka_unit_test(of_what_came_before_the_clock_was_set_back_no_age_is_known),
    cmocka_unit_test(the_viewer_may_ask_for_younger_or_take_older),
    cmocka_unit_test(stale_while_revalidate_ends_and_yields_to_must_revalidate),
    cmocka_unit_test(a_soft_purge_makes_it_stale_whatever_its_age),
    cmocka_unit_test(after_an_error_stale_serves_only_as_long_as_allowed),
    cmocka_unit_test(no_cache_is_never_reused_unasked),
};
SGT_MAIN("reuse", tests)
