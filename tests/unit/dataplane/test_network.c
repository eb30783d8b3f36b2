#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/engine/network.h"

#include <arpa/inet.h>

static bool has(const char *network_text, const char *address_text)
{
    struct sgd_network network;
    struct in6_addr address;
    assert_int_equal(sgd_network_parse(network_text, &network), SG_OK);
    assert_int_equal(inet_pton(AF_INET6, address_text, &address), 1);
    return sgd_network_has(&network, &address);
}

static void addresses_are_in_their_networks_only(void **fixture)
{
    assert_true(has("10.0.0.0/8", "::ffff:10.255.1.2"));
    assert_false(has("10.0.0.0/8", "::ffff:11.0.0.1"));
    assert_true(has("192.0.2.128/25", "::ffff:192.0.2.200"));
    assert_false(has("192.0.2.128/25", "::ffff:192.0.2.127"));
    assert_true(has("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(has("192.0.2.1", "::ffff:192.0.2.2"));
    assert_true(has("0.0.0.0/0", "::ffff:8.8.8.8"));
    assert_false(has("0.0.0.0/0", "2001:db8::1")); /* all of IPv4, none of IPv6 */
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_true(has("::1/128", "::1"));
    (void)fixture;
}

static void what_is_no_network_is_refused(void **fixture)
{
    static const char *const wrong[] = {"",
                                        "10.0.0.0/33",
                                        "10.0.0.0/",
                                        "10.0.0/8",
                                        "10.0.0.1/8",
                                        "::/129",
                                        "2001:db8::1/64",
                                        "host/8",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/8x",
                                        "1:2:3:4:5:6:7:8:9/64"};
    struct sgd_network network;
    struct in6_addr address = IN6ADDR_LOOPBACK_INIT;
    for (size_t i = 0; i < SG_COUNT(wrong); i++)
        assert_int_equal(sgd_network_parse(wrong[i], &network), SG_EINVAL);
    assert_false(sgd_network_any(wrong, SG_COUNT(wrong), &address));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(addresses_are_in_their_networks_only),
    cmocka_unit_test(what_is_no_network_is_refused),
};
SGT_MAIN("network", tests)
