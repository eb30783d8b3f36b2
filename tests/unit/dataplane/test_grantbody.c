#include "tests/sgt.h"

#include "dataplane/gate/grantbody.h"

static char bytes[4096];

static struct sg_str wrap(const char *json)
{
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    return sgd_grantbody_wrap(sg_str_from(json), &out) ? sg_out_view(&out) : SG_STR_NONE;
}

static void the_parts_are_wrapped_unchanged(void **fixture)
{
    (void)fixture;
    /* tags 61(18([h'0102', {}, h'0304', h'0506'])) */
    static const uint8_t wanted[] = {0xd8, 0x3d, 0xd2, 0x84, 0x42, 1, 2,
                                     0xa0, 0x42, 3,    4,    0x42, 5, 6};
    struct sg_str cose = wrap("{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\"}");
    assert_int_equal(cose.len, sizeof(wanted));
    assert_memory_equal(cose.ptr, wanted, sizeof(wanted));
    cose = wrap("\n { \"signature\" : \"BQY\" ,\t\"header\":\"AQI\", \"claims\":\"AwQ\" } \r\n");
    assert_int_equal(cose.len, sizeof(wanted));
    assert_memory_equal(cose.ptr, wanted, sizeof(wanted));
}

static void a_transaction_follows_its_signature(void **fixture)
{
    (void)fixture;
    struct sg_str cose =
        wrap("{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\",\"tx\":\"Bwg\"}");
    assert_int_equal(cose.len, 16);
    assert_memory_equal(cose.ptr + 11, "\x44\5\6\7\10", 5);
}

static void anything_else_is_refused(void **fixture)
{
    (void)fixture;
    const char *bad[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"header\":\"AQI\"}",
        "{\"header\":\"AQI\",\"claims\":\"AwQ\"}",
        "{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\"",
        "{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\"}}",
        "{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\",}",
        "{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\",\"more\":\"AQI\"}",
        "{\"header\":\"AQI\",\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\"}",
        "{\"header\":\"AQI=\",\"claims\":\"AwQ\",\"signature\":\"BQY\"}",
        "{\"header\":\"AQ\\u0049\",\"claims\":\"AwQ\",\"signature\":\"BQY\"}",
        "{\"header\":1,\"claims\":\"AwQ\",\"signature\":\"BQY\"}",
        "{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"",
    };
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_null(wrap(bad[i]).ptr);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_parts_are_wrapped_unchanged),
    cmocka_unit_test(a_transaction_follows_its_signature),
    cmocka_unit_test(anything_else_is_refused),
};
SGT_MAIN("grantbody", tests)
