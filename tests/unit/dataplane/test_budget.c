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
    static const struct sgd_budget_most most = {.address = 5, .network = 12, .block = 20};
    struct in6_addr from = address(who);
    uint32_t count = 0;
    for (uint32_t i = 0; i < tries; i++)
        count += sgd_budget_address(budget, SGD_BUDGET_REQUESTS, &from, &most, now_s);
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

static void who_has_many_addresses_has_the_budget_of_a_network_and_of_a_block(void **fixture)
{
    (void)fixture;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct sgd_budget *budget = NULL;
        uint32_t all = 0;
        assert_int_equal(sgd_budget_open(&budget), SG_OK);
        for (uint32_t network = 0; network < 4; network++) {
            uint32_t here = 0;
            for (uint32_t i = 0; i < 8; i++) {
                char text[64];
                snprintf(text, sizeof(text), is_v6 ? "2001:db8:%x:%x::1" : "::ffff:192.0.%u.%u",
                         network, i);
                here += taken(budget, text, 2, NOW_S);
            }
            assert_true(here <= 12);
            all += here;
        }
        assert_int_equal(all, 20);
        assert_int_equal(taken(budget, "2001:db9::1", 9, NOW_S), 5); /* others have theirs */
        assert_int_equal(taken(budget, "::ffff:192.1.0.1", 9, NOW_S), 5);
        sgd_budget_close(budget);
    }
}

static void a_noisy_neighbour_takes_no_more_from_those_around_it_than_its_own(void **fixture)
{
    (void)fixture;
    struct sgd_budget *budget = NULL;
    assert_int_equal(sgd_budget_open(&budget), SG_OK);
    assert_int_equal(taken(budget, "::ffff:192.0.2.1", 1000, NOW_S), 5);
    assert_int_equal(taken(budget, "::ffff:192.0.2.2", 9, NOW_S), 5);
    assert_int_equal(taken(budget, "::ffff:192.0.3.1", 9, NOW_S), 5);
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
    cmocka_unit_test(who_has_many_addresses_has_the_budget_of_a_network_and_of_a_block),
    cmocka_unit_test(a_noisy_neighbour_takes_no_more_from_those_around_it_than_its_own),
    cmocka_unit_test(a_name_of_an_addresss_bytes_is_not_the_address),
    cmocka_unit_test(a_name_without_a_limit_is_not_counted),
};
SGT_MAIN("budget", tests)
