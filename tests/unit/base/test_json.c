#include "tests/sgt.h"

#include "base/json.h"

static char text[1024];

static const char *written(struct sg_out *out)
{
    assert_false(out->full);
    text[out->len] = '\0';
    return text;
}

static void commas_stand_between_values_of_a_level_and_nowhere_else(void **fixture)
{
    struct sg_out out = sg_out_init(text, sizeof(text) - 1);
    struct sg_json json = sg_json_init(&out);
    sg_json_object(&json, NULL);
    sg_json_u64(&json, "a", 18446744073709551615u);
    sg_json_array(&json, "b");
    sg_json_i64(&json, NULL, -9);
    sg_json_object(&json, NULL);
    sg_json_object_end(&json);
    sg_json_bool(&json, NULL, true);
    sg_json_array_end(&json);
    sg_json_text(&json, "c", NULL);
    sg_json_hex(&json, "d", "\x01\xff", 2);
    sg_json_time(&json, "e", 1e18);
    sg_json_object_end(&json);
    assert_string_equal(written(&out), "{\"a\":18446744073709551615,\"b\":[-9,{},true],\"c\":null,"
                                       "\"d\":\"01ff\",\"e\":\"2001-09-09T01:46:40.000Z\"}");
    (void)fixture;
}

static void whatever_a_peer_sent_becomes_a_well_formed_string(void **fixture)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\""},
        {"\xc3\xa9\xf0\x9f\x8e\xac", "\"\xc3\xa9\xf0\x9f\x8e\xac\""},
        {"\xff.\xc3", "\"\xef\xbf\xbd.\xef\xbf\xbd\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_out out = sg_out_init(text, sizeof(text) - 1);
        struct sg_json json = sg_json_init(&out);
        sg_json_text(&json, NULL, rows[i].in);
        assert_string_equal(written(&out), rows[i].out);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(commas_stand_between_values_of_a_level_and_nowhere_else),
    cmocka_unit_test(whatever_a_peer_sent_becomes_a_well_formed_string),
};
SGT_MAIN("json", tests)
