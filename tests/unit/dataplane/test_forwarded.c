#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/http/forwarded.h"

#include <arpa/inet.h>
#include <stdio.h>

static const char *const trusted[] = {"10.0.0.0/8", "2001:db8:f::/48"};

/* What `lines` (ended by NULL) tell: "address port", or "". */
static const char *told_by(const char *const *lines)
{
    static char text[INET6_ADDRSTRLEN + 8];
    struct sgd_field fields[8];
    struct sgd_request req = {.fields = fields};
    struct sockaddr_in6 from;
    char address[INET6_ADDRSTRLEN];
    for (; *lines != NULL; lines++)
        fields[req.fields_count++] = (struct sgd_field){SG_STR("forwarded"), sg_str_from(*lines)};
    if (!sgd_forwarded_for(&req, trusted, SG_COUNT(trusted), &from))
        return "";
    inet_ntop(AF_INET6, &from.sin6_addr, address, sizeof(address));
    snprintf(text, sizeof(text), "%s %u", address, ntohs(from.sin6_port));
    return text;
}

static void the_last_address_that_is_no_proxy_s_is_the_viewer_s(void **fixture)
{
    static const struct {
        const char *lines[3];
        const char *told;
    } rows[] = {
        {{"for=192.0.2.1"}, "::ffff:192.0.2.1 0"},
        {{"For=\"192.0.2.1:4711\";proto=https;by=10.0.0.1"}, "::ffff:192.0.2.1 4711"},
        {{"proto=http; for=\"[2001:db8:cafe::17]:4711\""}, "2001:db8:cafe::17 4711"},
        {{"for=\"[2001:db8:cafe::17]\""}, "2001:db8:cafe::17 0"},
        {{"for=\"192.0.2.1:_port\""}, "::ffff:192.0.2.1 0"},
        {{"for=203.0.113.9, for=192.0.2.1"}, "::ffff:192.0.2.1 0"}, /* the first may be a lie */
        {{"for=203.0.113.9,for=192.0.2.1 , for=10.1.2.3"}, "::ffff:192.0.2.1 0"},
        {{"for=203.0.113.9", "for=192.0.2.1"}, "::ffff:192.0.2.1 0"},
        {{"for=10.0.0.7, for=\"[2001:db8:f::1]\""}, "::ffff:10.0.0.7 0"},
        {{"for=192.0.2.1, for=_hidden, for=10.0.0.7"}, ":: 0"},
        {{", for=192.0.2.1"}, "::ffff:192.0.2.1 0"},
        {{";;for=192.0.2.1;"}, "::ffff:192.0.2.1 0"},
    };
    (void)fixture;
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        assert_string_equal(told_by(rows[i].lines), rows[i].told);
}

static void what_is_hidden_or_malformed_is_nobody_s(void **fixture)
{
    static const char *const lines[] = {"",
                                        "proto=https",
                                        "for=unknown",
                                        "for=_hidden",
                                        "for=",
                                        "for",
                                        "for=192.0.2.1 for=1.2.3.4",
                                        "for=192.0.2.1;for=192.0.2.2",
                                        "for=\"192.0.2.1",
                                        "for=[2001:db8::1]",
                                        "for=300.1.1.1",
                                        "for=\"192.0.2.1:99999\"",
                                        "for=\"[2001:db8::1\"",
                                        "for=\"\\192.0.2.1\"",
                                        "for=\"192.0.2.1:\"",
                                        "for = 192.0.2.1",
                                        "for=192.0.2.1, x",
                                        "=192.0.2.1",
                                        "for=\"::ffff:192.0.2.1\"",
                                        "for=\"2001:db8::1\""};
    (void)fixture;
    for (size_t i = 0; i < SG_COUNT(lines); i++) {
        const char *const one[] = {lines[i], NULL};
        if (strcmp(told_by(one), ":: 0") != 0)
            fail_msg("\"%s\" tells %s", lines[i], told_by(one));
    }
    const char *const none[] = {NULL};
    assert_string_equal(told_by(none), "");
}

static void of_a_chain_without_end_the_last_part_counts(void **fixture)
{
    static char line[40 * 16];
    (void)fixture;
    for (int i = 0; i < 40; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), "%sfor=10.0.0.%d",
                 i == 0 ? "" : ",", i);
    const char *const one[] = {line, NULL};
    assert_string_equal(told_by(one), "::ffff:10.0.0.24 0");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_last_address_that_is_no_proxy_s_is_the_viewer_s),
    cmocka_unit_test(what_is_hidden_or_malformed_is_nobody_s),
    cmocka_unit_test(of_a_chain_without_end_the_last_part_counts),
};
SGT_MAIN("forwarded", tests)
