#include "tests/sgt.h"

#include "controlplane/chain/rlp.h"
#include "tests/sgt_hex.h"

#include <string.h>

static uint8_t bytes[1024];

static size_t unhex(const char *hex)
{
    return sgt_hex(hex, bytes, sizeof(bytes));
}

/* From the yellow paper's appendix and the shared test suite (RLPTests/rlptest.json). */
static void strings_of_the_shared_suite_are_written_and_read(void **fixture)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "80"},
        {"\x01", "01"},
        {"\x7f", "7f"},
        {"\x80", "8180"},
        {"dog", "83646f67"},
        {"Lorem ipsum dolor sit amet, consectetur adipisicing eli",
         "b74c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164697"
         "0"
         "69736963696e6720656c69"},
        {"Lorem ipsum dolor sit amet, consectetur adipisicing elit",
         "b8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e73656374657475722061646"
         "97069736963696e6720656c6974"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[128];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        struct sgc_rlp_item item;
        size_t len = unhex(rows[i].hex), text_len = strlen(rows[i].text);
        sgc_rlp_put_bytes(&out, rows[i].text, text_len);
        assert_int_equal(out.len, len);
        assert_memory_equal(memory, bytes, len);
        assert_true(sgc_rlp_read(bytes, len, &item));
        assert_false(item.is_list);
        assert_int_equal(item.len, text_len);
        assert_memory_equal(item.ptr, rows[i].text, text_len);
    }
    (void)fixture;
}

static uint32_t items_of(const char *hex)
{
    struct sgc_rlp_item whole, item;
    uint32_t count = 0;
    assert_true(sgc_rlp_read(bytes, unhex(hex), &whole));
    assert_true(whole.is_list);
    struct sgc_rlp walk = sgc_rlp_items(&whole);
    while (sgc_rlp_next(&walk, &item))
        count++;
    assert_false(walk.malformed);
    return count;
}

static void lists_of_the_shared_suite_are_walked(void **fixture)
{
    assert_int_equal(items_of("c0"), 0);
    assert_int_equal(items_of("cc83646f6783676f6483636174"), 3); /* dog, god, cat */
    assert_int_equal(items_of("c7c0c1c0c3c0c1c0"), 3);           /* [ [], [[]], [ [], [[]] ] ] */
    assert_int_equal(items_of("c6827a77c10401"), 3);             /* multilist */
    assert_int_equal(items_of("f83c836161618362626283636363836464648365656583666666836767678368686"
                              "8836969698"
                              "36a6a6a836b6b6b836c6c6c836d6d6d836e6e6e836f6f6f"),
                     15);
    (void)fixture;
}

/* RLPTests/invalidRLPTest.json, and every cut. */
static void another_form_of_a_thing_is_refused(void **fixture)
{
    static const char *const bad[] = {
        "8100", /* a small byte by itself */
        "817f",
        "b800", /* a long form for a short string */
        ("b837"
         "4c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164"
         "697069736963696e6720656c69"),
        "b90000", /* a length with a leading zero */
        "b900ff",
        "bf0f000000000000021111",
        "ff0f000000000000021111",
        "f800",
        "f90000",
        "f9000180",
        "a0000102",   /* cut short */
        "c301020304", /* something after it */
        "83646f",
        "c883646f6783676f",
        "bfffffffffffffffff",
        "ffffffffffffffffff",
        "",
    };
    struct sgc_rlp_item item, inner;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sgc_rlp_read(bytes, unhex(bad[i]), &item))
            fail_msg("taken: %s", bad[i]);
    }
    assert_true(
        sgc_rlp_read(bytes, unhex("c28100"), &item)); /* what is inside counts when walked */
    struct sgc_rlp walk = sgc_rlp_items(&item);
    assert_false(sgc_rlp_next(&walk, &inner));
    assert_true(walk.malformed);
    (void)fixture;
}

static void numbers_have_no_leading_zeros(void **fixture)
{
    char memory[16];
    uint64_t v;
    struct sgc_rlp_item item;
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sgc_rlp_put_number(&out, (const uint8_t[]){0, 0, 4, 0}, 4);
    assert_memory_equal(memory, "\x82\x04\0", 3);
    assert_true(sgc_rlp_read((uint8_t *)memory, 3, &item));
    assert_true(sgc_rlp_u64(&item, &v) && v == 1024);
    assert_true(sgc_rlp_read((const uint8_t *)"\x82\0\x04", 3, &item));
    assert_false(sgc_rlp_u64(&item, &v));
    assert_true(sgc_rlp_read((const uint8_t *)"\x80", 1, &item));
    assert_true(sgc_rlp_u64(&item, &v) && v == 0);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_of_the_shared_suite_are_written_and_read),
        cmocka_unit_test(lists_of_the_shared_suite_are_walked),
        cmocka_unit_test(another_form_of_a_thing_is_refused),
        cmocka_unit_test(numbers_have_no_leading_zeros),
    };
    return sgt_main("rlp", tests, sizeof(tests) / sizeof(tests[0]));
}
