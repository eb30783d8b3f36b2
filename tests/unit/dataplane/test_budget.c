#include "tests/sgt.h"

#include "dataplane/gate/budget.h"

#include <arpa/inet.h>

#define NOW_S 6000 /* a minute's beginning */

static struct in6_addr address(const char *text)
{
    struct in6_addr out;
    assert_int_equal(inet_pton(AF_INET6, text, &out), 1);
    return out;
}

static uint32_t taken(struct sgd_budget *budget, const char *who, uint32_t tries, uint64_t now_s)
{
    struct in6_addr from = address(who);
    uint32_t count = 0;
    for (uint32_t i = 0; i < tries; i++)
        count += sgd_budget_address(budget, &from, 5, now_s);
    return count;
}

static void an_address_has_its_budget_each_minute_and_no_more(void **fixture)
{
    (void)fixture;
    struct sgd_budget *budget = NULL;
    assert_int_equal(sgd_budget_open(&budget), SG_OK);
    assert_int_equal(taken(budget, "::ffff:192.0.2.1", 20, NOW_S), 5);
    assert_int_equal(taken(budget, "::ffff:192.0.2.1", 20, NOW_S + 59), 0);
    assert_int_equal(taken(budget, "::ffff:192.0.2.2", 20, NOW_S + 59), 5);
    assert_int_equal(taken(budget, "::ffff:192.0.2.1", 20, NOW_S + 60), 5);
    assert_int_equal(sgd_budget_wait_s(NOW_S + 59), 1);
    assert_int_equal(sgd_budget_wait_s(NOW_S), 60);
    sgd_budget_close(budget);
}

static void a_household_of_ipv6_has_one_budget(void **fixture)
{
    (void)fixture;
    struct sgd_budget *budget = NULL;
    assert_int_equal(sgd_budget_open(&budget), SG_OK);
    assert_int_equal(taken(budget, "2001:db8:0:1::1", 3, NOW_S), 3);
    assert_int_equal(taken(budget, "2001:db8:0:1:ffff::2", 20, NOW_S), 2);
    assert_int_equal(taken(budget, "2001:db8:0:2::1", 20, NOW_S), 5);
    sgd_budget_close(budget);
}

static void a_name_without_a_limit_is_not_counted(void **fixture)
{
    (void)fixture;
    struct sgd_budget *budget = NULL;
    assert_int_equal(sgd_budget_open(&budget), SG_OK);
    for (int i = 0; i < 100; i++)
        assert_true(sgd_budget_name(budget, 1, 0, NOW_S));
    assert_true(sgd_budget_name(budget, 1, 1, NOW_S));
    assert_false(sgd_budget_name(budget, 1, 1, NOW_S));
    sgd_budget_close(budget);
}

static void a_name_of_an_addresss_bytes_is_not_the_address(void **fixture)
{
    (void)fixture;
    struct sgd_budget *budget = NULL;
    assert_int_equal(sgd_budget_open(&budget), SG_OK);
    assert_int_equal(taken(budget, "::", 5, NOW_S), 5);
    assert_true(sgd_budget_name(budget, 0, 1, NOW_S));
    sgd_budget_close(budget);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_address_has_its_budget_each_minute_and_no_more),
    cmocka_unit_test(a_household_of_ipv6_has_one_budget),
    cmocka_unit_test(a_name_of_an_addresss_bytes_is_not_the_address),
    cmocka_unit_test(a_name_without_a_limit_is_not_counted),
};
SGT_MAIN("budget", tests)
