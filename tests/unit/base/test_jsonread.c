#include "tests/sgt.h"

#include "base/jsonread.h"

static bool reads(const char *text, uint32_t depth_max, struct sg_jsonread *out)
{
    return sg_jsonread_check(sg_str_from(text), depth_max, out);
}

static void only_json_is_taken(void **fixture)
{
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e+9",
        "\"\"",
        "null",
        " true ",
        "[]",
        "{}",
        "[1]",
        "[[],{}]",
        "{\"a\":[1,2]}",
        "\"\\u00e9\"",
        "\"\xc3\xa9\"",
        "[0.0]",
        "1E9",
        "{\"\":{}}",
        "\"\xf0\x9f\x98\x80\"",
    };
    static const char *const bad[] = {
        "",
        " ",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "-",
        "tru",
        "nulll",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "[1",
        "1]",
        "[1}",
        "{]",
        "1 1",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xc3\"",
        "'a'",
        "[1]//",
        ("\xef\xbb\xbf"
         "1"),
    };
    struct sg_jsonread value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(reads(good[i], 8, &value));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (reads(bad[i], 8, &value))
            fail_msg("taken: %s", bad[i]);
    assert_false(sg_jsonread_check((struct sg_str){"\"a\0b\"", 5}, 8, &value));
    (void)fixture;
}

static void nesting_has_a_limit(void **fixture)
{
    struct sg_jsonread value;
    assert_true(reads("[[[1]]]", 3, &value));
    assert_false(reads("[[[[1]]]]", 3, &value));
    assert_false(reads("{\"a\":{\"a\":{\"a\":{}}}}", 3, &value));
    assert_true(reads("1", 0, &value));
    assert_false(reads("[]", 0, &value));
    (void)fixture;
}

static void members_and_items_are_found_where_they_stand(void **fixture)
{
    struct sg_jsonread whole, value, item;
    uint64_t number;
    struct sg_str text;
    assert_true(reads("{ \"a\\\"b\" : [ 1 , {\"x\":\"]}\\\\\"} , \"\\\"]\" ] ,\"n\":7, \"n\":8}", 8,
                      &whole));
    assert_true(sg_jsonread_member(whole, "n", &value));
    assert_true(sg_jsonread_u64(value, &number));
    assert_int_equal(number, 7); /* of two, the first */
    assert_false(sg_jsonread_member(whole, "x", &value));
    assert_false(sg_jsonread_item(whole, 0, &value));
    assert_true(sg_jsonread_member(whole, "a\\\"b", &value)); /* keys as they are written */
    assert_true(sg_jsonread_item(value, 2, &item));
    assert_false(sg_jsonread_plain(item, &text)); /* it has an escape */
    assert_false(sg_jsonread_item(value, 3, &item));
    assert_true(sg_jsonread_item(value, 1, &item));
    assert_true(sg_jsonread_member(item, "x", &value));
    assert_int_equal(sg_jsonread_kind(value), SG_JSONREAD_STRING);
    (void)fixture;
}

static void escapes_are_undone(void **fixture)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\"a\\n\\t\\/\\\\\\\"\"", "a\n\t/\\\""},
        {"\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83dx\\ude00\"", "\xef\xbf\xbdx\xef\xbf\xbd"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
    };
    char memory[64];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sg_jsonread value;
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        assert_true(reads(rows[i].in, 1, &value));
        assert_true(sg_jsonread_text(value, &out));
        assert_true(sg_str_eq(sg_out_view(&out), sg_str_from(rows[i].out)));
    }
    (void)fixture;
}

static void numbers_are_whole_or_left_alone(void **fixture)
{
    struct sg_jsonread value;
    uint64_t number;
    int64_t negative;
    assert_true(reads("18446744073709551615", 1, &value));
    assert_true(sg_jsonread_u64(value, &number) && number == UINT64_MAX);
    assert_false(sg_jsonread_i64(value, &negative));
    assert_true(reads("-9223372036854775808", 1, &value));
    assert_true(sg_jsonread_i64(value, &negative) && negative == INT64_MIN);
    assert_false(sg_jsonread_u64(value, &number));
    assert_true(reads("1.0", 1, &value));
    assert_false(sg_jsonread_u64(value, &number));
    assert_true(reads("\"1\"", 1, &value));
    assert_false(sg_jsonread_u64(value, &number));
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_json_is_taken),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(members_and_items_are_found_where_they_stand),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(numbers_are_whole_or_left_alone),
    };
    return sgt_main("jsonread", tests, sizeof(tests) / sizeof(tests[0]));
}
