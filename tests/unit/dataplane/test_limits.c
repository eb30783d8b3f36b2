#include "tests/sgt.h"

#include "base/alloc.h"
#include "dataplane/engine/limits.h"

#include <arpa/inet.h>
#include <pthread.h>

static struct in6_addr address_of(const char *text)
{
    struct in6_addr address;
    assert_int_equal(inet_pton(AF_INET6, text, &address), 1);
    return address;
}

static void a_node_takes_its_number_and_no_more(void **fixture)
{
    struct sgd_limits *limits = NULL;
    struct sgd_limits_ticket tickets[4] = {0};
    assert_int_equal(sgd_limits_open(&limits), SG_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sgd_limits_enter(limits, 3, &tickets[i]), SGD_CLOSE_none);
    assert_int_equal(sgd_limits_enter(limits, 3, &tickets[3]), SGD_CLOSE_connections_full);
    sgd_limits_leave(limits, &tickets[3]); /* holds nothing: harmless */
    assert_int_equal(sgd_limits_count(limits), 3);
    sgd_limits_leave(limits, &tickets[0]);
    assert_int_equal(sgd_limits_enter(limits, 3, &tickets[3]), SGD_CLOSE_none);
    for (int i = 0; i < 4; i++)
        sgd_limits_leave(limits, &tickets[i]);
    assert_int_equal(sgd_limits_count(limits), 0);
    sgd_limits_close(limits);
    (void)fixture;
}

static void a_token_has_its_own_number_of_requests(void **fixture)
{
    struct sgd_limits *limits = NULL;
    struct sgd_limits_ticket tickets[3] = {0}, other = {0};
    assert_int_equal(sgd_limits_open(&limits), SG_OK);
    assert_true(sgd_limits_enter_token(limits, SG_STR("one"), 2, &tickets[0]));
    assert_true(sgd_limits_enter_token(limits, SG_STR("one"), 2, &tickets[1]));
    assert_false(sgd_limits_enter_token(limits, SG_STR("one"), 2, &tickets[2]));
    assert_true(sgd_limits_enter_token(limits, SG_STR("other"), 2, &other));
    sgd_limits_leave(limits, &tickets[0]);
    assert_true(sgd_limits_enter_token(limits, SG_STR("one"), 2, &tickets[2]));
    for (int i = 0; i < 3; i++)
        sgd_limits_leave(limits, &tickets[i]);
    sgd_limits_leave(limits, &other);
    sgd_limits_close(limits);
    (void)fixture;
}

static void an_ipv6_network_of_64_bits_counts_as_one(void **fixture)
{
    struct sgd_limits *limits = NULL;
    struct sgd_limits_ticket a = {0}, b = {0}, other = {0}, v4 = {0}, v4_next = {0};
    struct in6_addr host = address_of("2001:db8:1:2::1"),
                    neighbour = address_of("2001:db8:1:2:f::9"),
                    next = address_of("2001:db8:1:3::1"), four = address_of("::ffff:10.0.0.1"),
                    four_next = address_of("::ffff:10.0.0.2");
    assert_int_equal(sgd_limits_open(&limits), SG_OK);
    assert_int_equal(sgd_limits_enter_address(limits, &host, 1, &a), SGD_CLOSE_none);
    assert_int_equal(sgd_limits_enter_address(limits, &neighbour, 1, &b), SGD_CLOSE_address_full);
    assert_int_equal(b.row[0], 0);
    assert_int_equal(sgd_limits_enter_address(limits, &next, 1, &other), SGD_CLOSE_none);
    assert_int_equal(sgd_limits_enter_address(limits, &four, 1, &v4), SGD_CLOSE_none);
    assert_int_equal(sgd_limits_enter_address(limits, &four_next, 1, &v4_next), SGD_CLOSE_none);
    sgd_limits_leave(limits, &a);
    assert_int_equal(sgd_limits_enter_address(limits, &neighbour, 1, &b), SGD_CLOSE_none);
    sgd_limits_leave(limits, &b);
    sgd_limits_leave(limits, &other);
    sgd_limits_leave(limits, &v4);
    sgd_limits_leave(limits, &v4_next);
    sgd_limits_close(limits);
    (void)fixture;
}

static void *come_and_go(void *arg)
{
    struct sgd_limits *limits = arg;
    struct in6_addr address = address_of("::ffff:192.0.2.7");
    uintptr_t entered = 0;
    for (int i = 0; i < 20000; i++) {
        struct sgd_limits_ticket ticket = {0};
        if (sgd_limits_enter(limits, 2, &ticket) != SGD_CLOSE_none)
            continue;
        if (sgd_limits_enter_address(limits, &address, 2, &ticket) == SGD_CLOSE_none)
            entered++;
        assert_true(sgd_limits_count(limits) <= 3); /* the third may be on its way out again */
        sgd_limits_leave(limits, &ticket);
    }
    return (void *)entered;
}

static void workers_share_the_count_without_losing_any(void **fixture)
{
    struct sgd_limits *limits = NULL;
    pthread_t threads[3];
    struct sgd_limits_ticket ticket = {0};
    struct in6_addr address = address_of("::ffff:192.0.2.7");
    assert_int_equal(sgd_limits_open(&limits), SG_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, limits), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sgd_limits_count(limits), 0);
    assert_int_equal(sgd_limits_enter_address(limits, &address, 1, &ticket), SGD_CLOSE_none);
    sgd_limits_leave(limits, &ticket);
    sgd_limits_close(limits);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct sgd_limits *limits = NULL;
    sg_alloc_fail_nth(0);
    assert_int_equal(sgd_limits_open(&limits), SG_ENOMEM);
    assert_null(limits);
    sgd_limits_close(NULL);
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_node_takes_its_number_and_no_more),
    cmocka_unit_test(a_token_has_its_own_number_of_requests),
    cmocka_unit_test(an_ipv6_network_of_64_bits_counts_as_one),
    cmocka_unit_test(workers_share_the_count_without_losing_any),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("limits", tests)
