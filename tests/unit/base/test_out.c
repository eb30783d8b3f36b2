#include "tests/sgt.h"

#include "base/out.h"

static void what_does_not_fit_is_dropped_whole_and_remembered(void **fixture)
{
    char memory[8];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&out, "abcd");
    sg_out_u64(&out, 12345);
    assert_true(out.full);
    assert_int_equal(out.len, 4);
    sg_out_lit(&out, "e");
    assert_int_equal(out.len, 4);
    (void)fixture;
}

static void numbers_are_written_as_they_read(void **fixture)
{
    char memory[64];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_u64(&out, 0);
    sg_out_char(&out, ' ');
    sg_out_u64(&out, UINT64_MAX);
    sg_out_hex(&out, "\x0f\xa0", 2);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("0 184467440737095516150fa0")));
    (void)fixture;
}

static void only_plain_numbers_are_numbers(void **fixture)
{
    static const char *const bad[] = {"", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616"};
    uint64_t v = 7;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_str_to_u64(sg_str_from(bad[i]), &v));
    assert_int_equal(v, 7);
    assert_true(sg_str_to_u64(SG_STR("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_does_not_fit_is_dropped_whole_and_remembered),
    cmocka_unit_test(numbers_are_written_as_they_read),
    cmocka_unit_test(only_plain_numbers_are_numbers),
};
SGT_MAIN("out", tests)
