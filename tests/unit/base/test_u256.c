#include "tests/sgt.h"

#include "base/assert.h"
#include "base/u256.h"

#define MAX "115792089237316195423570985008687907853269984665640564039457584007913129639935"

static struct sg_u256 of(const char *text)
{
    struct sg_u256 v;
    assert_true(sg_u256_read(sg_str_from(text), &v));
    return v;
}

static void assert_reads(const struct sg_u256 *v, const char *text)
{
    char memory[80];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_u256_put(&out, v);
    assert_true(!out.full);
    assert_string_equal((memory[out.len] = 0, memory), text);
}

static void decimal_and_hexadecimal_are_two_spellings_of_one_number(void **fixture)
{
    static const struct {
        const char *text, *decimal;
    } rows[] = {
        {"0", "0"},
        {"0x0", "0"},
        {"007", "7"},
        {"0xFf", "255"},
        {"18446744073709551616", "18446744073709551616"},
        {"0x10000000000000000", "18446744073709551616"},
        {MAX, MAX},
        {"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", MAX},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_u256 v = of(rows[i].text);
        assert_reads(&v, rows[i].decimal);
    }
    struct sg_u256 v = sg_u256_of(0x1234567890abcdef), hex = of("0x1234567890abcdef");
    assert_int_equal(sg_u256_cmp(&v, &hex), 0);
    (void)fixture;
}

static void what_is_no_number_or_too_large_is_refused(void **fixture)
{
    static const char *const bad[] = {
        "",
        "0x",
        "0X1",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1e3",
        "0xg",
        "1_000",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "1157920892373161954235709850086879078532699846656405640394575840079131296399350",
        "0x10000000000000000000000000000000000000000000000000000000000000000"};
    struct sg_u256 v = sg_u256_of(99), before = v;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_u256_read(sg_str_from(bad[i]), &v));
    assert_memory_equal(&v, &before, sizeof(v));
    (void)fixture;
}

static void sums_and_differences_carry_over_every_byte(void **fixture)
{
    struct sg_u256 one = sg_u256_of(1), two_64 = of("0x10000000000000000"), v;
    struct sg_u256 below = sg_u256_of(UINT64_MAX), largest = of(MAX);
    assert_true(sg_u256_add(&below, &one, &v));
    assert_memory_equal(&v, &two_64, sizeof(v));
    assert_true(sg_u256_sub(&v, &one, &v));
    assert_memory_equal(&v, &below, sizeof(v));
    assert_true(sg_u256_sub(&largest, &largest, &v) && sg_u256_is_zero(&v));
    (void)fixture;
}

static void what_overflows_is_told_and_changes_nothing(void **fixture)
{
    struct sg_u256 one = sg_u256_of(1), zero = sg_u256_of(0), largest = of(MAX), v = one;
    assert_false(sg_u256_add(&largest, &one, &v));
    assert_false(sg_u256_sub(&zero, &one, &v));
    assert_memory_equal(&v, &one, sizeof(v));
    (void)fixture;
}

static void they_are_ordered_as_numbers(void **fixture)
{
    static const char *const rising[] = {"0", "1", "255", "256", "0x10000000000000000", MAX};
    for (size_t i = 1; i < SG_COUNT(rising); i++) {
        struct sg_u256 a = of(rising[i - 1]), b = of(rising[i]);
        assert_true(sg_u256_cmp(&a, &b) < 0 && sg_u256_cmp(&b, &a) > 0);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(decimal_and_hexadecimal_are_two_spellings_of_one_number),
    cmocka_unit_test(what_is_no_number_or_too_large_is_refused),
    cmocka_unit_test(sums_and_differences_carry_over_every_byte),
    cmocka_unit_test(what_overflows_is_told_and_changes_nothing),
    cmocka_unit_test(they_are_ordered_as_numbers),
};
SGT_MAIN("u256", tests)
