#include "tests/sgt.h"

#include "base/assert.h"
#include "base/b64url.h"

static void rfc_4648_vectors_hold_both_ways(void **fixture)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char memory[16];
        uint8_t bytes[16];
        size_t len = 99;
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        struct sg_str text = sg_str_from(rows[i].text);
        sg_b64url_put(&out, rows[i].bytes, strlen(rows[i].bytes));
        assert_true(!out.full && sg_str_eq(sg_out_view(&out), text));
        assert_int_equal(out.len, sg_b64url_chars(strlen(rows[i].bytes)));
        assert_true(sg_b64url_read(text, bytes, sizeof(bytes), &len));
        assert_int_equal(len, strlen(rows[i].bytes));
        assert_memory_equal(bytes, rows[i].bytes, len);
    }
    (void)fixture;
}

static void a_second_spelling_of_the_same_bytes_is_refused(void **fixture)
{
    static const char *const bad[] = {"Zg==",  "Zh",     "Zm9=", "Zm9",  "Z",       "Zm9vY",
                                      "Zm 9v", "Zm9v\n", "Zm9+", "Zm9/", "Zm\x80v", "Zg=="};
    for (size_t i = 0; i < SG_COUNT(bad); i++) {
        uint8_t bytes[16];
        size_t len = 99;
        assert_false(sg_b64url_read(sg_str_from(bad[i]), bytes, sizeof(bytes), &len));
        assert_int_equal(len, 99);
    }
    (void)fixture;
}

static void nothing_is_written_past_the_capacity(void **fixture)
{
    char memory[4] = {0, 0, 0, 7};
    uint8_t bytes[4] = {0, 0, 0, 7};
    size_t len;
    struct sg_out out = sg_out_init(memory, 3);
    sg_b64url_put(&out, "foo", 3);
    assert_true(out.full && out.len == 0);
    assert_false(sg_b64url_read(SG_STR("Zm9vYg"), bytes, 3, &len));
    assert_true(sg_b64url_read(SG_STR("Zm9v"), bytes, 3, &len));
    assert_true(memory[3] == 7 && bytes[3] == 7);
    assert_true(sg_b64url_is(SG_STR("Zm9v-_")));
    assert_false(sg_b64url_is(SG_STR("")));
    assert_false(sg_b64url_is(SG_STR("a.b")));
    (void)fixture;
}

static void padded_base64_is_read_in_its_one_spelling(void **fixture)
{
    static const char *const bad[] = {
        "Zg", "Zg=", "Zh==", "Zm9v=", "-__-", "Zm9v\n", "Zg==Zg==", "===="};
    char text[3000];
    uint8_t bytes[2250];
    size_t len = 99;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_b64_read(sg_str_from(bad[i]), bytes, sizeof(bytes), &len));
    assert_true(sg_b64_read(SG_STR("+//+Zg=="), bytes, sizeof(bytes), &len));
    assert_int_equal(len, 4);
    assert_memory_equal(bytes,
                        "\xfb\xff\xfe"
                        "f",
                        4);
    memset(text, 'A', sizeof(text)); /* more than is translated at once */
    assert_true(sg_b64_read((struct sg_str){text, sizeof(text)}, bytes, sizeof(bytes), &len));
    assert_int_equal(len, 2250);
    assert_false(sg_b64_read((struct sg_str){text, sizeof(text)}, bytes, 2249, &len));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rfc_4648_vectors_hold_both_ways),
    cmocka_unit_test(a_second_spelling_of_the_same_bytes_is_refused),
    cmocka_unit_test(nothing_is_written_past_the_capacity),
    cmocka_unit_test(padded_base64_is_read_in_its_one_spelling),
};
SGT_MAIN("b64url", tests)
