#include "tests/sgt.h"

#include "dataplane/gate/grantbody.h"

static char bytes[4096];
static struct sgd_list_proofs proofs;

static struct sg_str wrap(const char *json)
{
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    return sgd_grantbody_wrap(sg_str_from(json), &out, &proofs) ? sg_out_view(&out) : SG_STR_NONE;
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

#define PARTS "{\"header\":\"AQI\",\"claims\":\"AwQ\",\"signature\":\"BQY\""
#define HASH  "0x00112233445566778899aAbBcCdDeEfF00112233445566778899aabbccddeeff"

static void proofs_of_lists_come_beside_the_grant(void **fixture)
{
    (void)fixture;
    assert_non_null(wrap(PARTS "}").ptr);
    assert_int_equal(proofs.count, 0);
    assert_non_null(wrap(PARTS ",\"list_proofs\":[]}").ptr);
    assert_int_equal(proofs.count, 0);
    struct sg_str cose = wrap(PARTS ", \"list_proofs\": [[\"" HASH "\",\"" HASH "\"], []]}");
    assert_int_equal(cose.len, 14); /* nothing of it was signed */
    assert_int_equal(proofs.count, 2);
    assert_int_equal(proofs.proofs[0].len, 64);
    assert_memory_equal(proofs.proofs[0].ptr + 32, "\x00\x11\x22\x33", 4);
    assert_int_equal(proofs.proofs[1].len, 0); /* a list of one */
    static const char *const bad[] = {
        "\"list_proofs\":null",
        "\"list_proofs\":\"" HASH "\"",
        "\"list_proofs\":[\"" HASH "\"]",
        "\"list_proofs\":[[\"" HASH "0\"]]",
        "\"list_proofs\":[[\"0x0g112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"]"
        "]",
        "\"list_proofs\":[[1]]",
        "\"list_proofs\":[[[\"" HASH "\"]]]",
        "\"list_proofs\":[[],[],[],[],[]]",
        "\"list_proofs\":[],\"list_proofs\":[]",
    };
    for (size_t i = 0; i < SG_COUNT(bad); i++) {
        char text[512];
        snprintf(text, sizeof(text), PARTS ",%s}", bad[i]);
        assert_null(wrap(text).ptr);
    }
}

static void a_proof_of_more_hashes_than_any_list_has_is_refused(void **fixture)
{
    static char text[8192];
    (void)fixture;
    for (uint32_t hashes = SGD_LIST_HASHES_MAX; hashes <= SGD_LIST_HASHES_MAX + 1; hashes++) {
        struct sg_out out = sg_out_init(text, sizeof(text) - 1);
        sg_out_lit(&out, PARTS ",\"list_proofs\":[[");
        for (uint32_t i = 0; i < hashes; i++)
            sg_out_fmt(&out, "%s\"%s\"", i == 0 ? "" : ",", HASH);
        sg_out_lit(&out, "]]}");
        text[out.len] = '\0';
        assert_int_equal(wrap(text).ptr != NULL, hashes == SGD_LIST_HASHES_MAX);
    }
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
    cmocka_unit_test(proofs_of_lists_come_beside_the_grant),
    cmocka_unit_test(a_proof_of_more_hashes_than_any_list_has_is_refused),
    cmocka_unit_test(anything_else_is_refused),
};
SGT_MAIN("grantbody", tests)
