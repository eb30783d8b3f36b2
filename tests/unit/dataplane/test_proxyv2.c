#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/engine/proxyv2.h"

#include <arpa/inet.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const uint8_t tcp4[] =
    SIGNATURE "\x21\x11\0\x0c\x01\x02\x03\x04\x0a\x0b\x0c\x0d\x30\x39\x01\xbb"
              "GET /";
#define TCP4_BYTES 28

static void every_cut_asks_for_more_until_it_is_whole(void **fixture)
{
    struct sgd_proxyv2 header;
    size_t len = 0;
    char text[INET6_ADDRSTRLEN];
    for (size_t cut = 0; cut < TCP4_BYTES; cut++)
        assert_int_equal(sgd_proxyv2_parse(tcp4, cut, &header, &len), SG_EAGAIN);
    assert_int_equal(sgd_proxyv2_parse(tcp4, sizeof(tcp4) - 1, &header, &len), SG_OK);
    assert_int_equal(len, TCP4_BYTES);
    assert_false(header.local);
    inet_ntop(AF_INET6, &header.remote.sin6_addr, text, sizeof(text));
    assert_string_equal(text, "::ffff:1.2.3.4");
    inet_ntop(AF_INET6, &header.local_address.sin6_addr, text, sizeof(text));
    assert_string_equal(text, "::ffff:10.11.12.13");
    assert_int_equal(ntohs(header.remote.sin6_port), 12345);
    assert_int_equal(ntohs(header.local_address.sin6_port), 443);
    (void)fixture;
}

static void ipv6_with_tlvs_behind_it(void **fixture)
{
    uint8_t bytes[16 + 36 + 7] = SIGNATURE "\x21\x21";
    struct sgd_proxyv2 header;
    size_t len;
    bytes[15] = 36 + 7;
    bytes[16] = 0x20;
    bytes[17] = 0x01;
    bytes[31] = 9;
    bytes[48] = 0x12;
    bytes[49] = 0x34;
    assert_int_equal(sgd_proxyv2_parse(bytes, sizeof(bytes), &header, &len), SG_OK);
    assert_int_equal(len, sizeof(bytes));
    assert_int_equal(header.remote.sin6_addr.s6_addr[0], 0x20);
    assert_int_equal(header.remote.sin6_addr.s6_addr[15], 9);
    assert_int_equal(ntohs(header.remote.sin6_port), 0x1234);
    (void)fixture;
}

static void local_and_unspecified_keep_the_sockets_addresses(void **fixture)
{
    uint8_t bytes[16] = SIGNATURE "\x20\x00";
    struct sgd_proxyv2 header;
    size_t len;
    assert_int_equal(sgd_proxyv2_parse(bytes, 16, &header, &len), SG_OK);
    assert_true(header.local);
    bytes[12] = 0x21;
    assert_int_equal(sgd_proxyv2_parse(bytes, 16, &header, &len), SG_OK);
    assert_true(header.local);
    (void)fixture;
}

static void what_is_no_version_2_header_is_refused(void **fixture)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 'P'},   {11, 0},    {12, 0x11}, {12, 0x22}, {13, 0x12},
                 {13, 0x31}, {13, 0x22}, {14, 0x10}, {15, 11}};
    uint8_t bytes[TCP4_BYTES];
    struct sgd_proxyv2 header;
    size_t len = 77;
    for (size_t i = 0; i < SG_COUNT(wrong); i++) {
        memcpy(bytes, tcp4, sizeof(bytes));
        bytes[wrong[i].at] = wrong[i].value;
        assert_int_equal(sgd_proxyv2_parse(bytes, sizeof(bytes), &header, &len), SG_EPROTO);
    }
    const char *v1 = "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n";
    assert_int_equal(sgd_proxyv2_parse((const uint8_t *)v1, strlen(v1), &header, &len), SG_EPROTO);
    assert_int_equal(len, 77);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_cut_asks_for_more_until_it_is_whole),
    cmocka_unit_test(ipv6_with_tlvs_behind_it),
    cmocka_unit_test(local_and_unspecified_keep_the_sockets_addresses),
    cmocka_unit_test(what_is_no_version_2_header_is_refused),
};
SGT_MAIN("proxyv2", tests)
