#include "tests/sgt.h"

#include "base/assert.h"
#include "base/base58.h"
#include "tests/sgt_hex.h"

static char memory[256];

/* What is in *out, as a C string. */
static const char *text_of(struct sg_out *out)
{
    assert_true(!out->full && out->len < sizeof(memory));
    memory[out->len] = 0;
    return memory;
}

static void base58_vectors_hold_both_ways(void **fixture)
{
    static const struct {
        const char *hex, *text;
    } rows[] = {
        {"", ""},
        {"00", "1"},
        {"61", "2g"},
        {"48656c6c6f20576f726c6421", "2NEpo7TZRRrLZSi2U"},
        {"0000287fb4cd", "11233QC4"},
        {"54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e",
         "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"},
        {"06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9",
         "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "11111111111111111111111111111111"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        uint8_t bytes[64], read[64];
        size_t len = sgt_hex(rows[i].hex, bytes, sizeof(bytes));
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sg_base58_put(&out, bytes, len);
        assert_string_equal(text_of(&out), rows[i].text);
        assert_true(sg_base58_read(sg_str_from(rows[i].text), read, len));
        assert_memory_equal(read, bytes, len);
        assert_false(sg_base58_read(sg_str_from(rows[i].text), read, len + 1));
        assert_true(len == 0 || !sg_base58_read(sg_str_from(rows[i].text), read, len - 1));
    }
    (void)fixture;
}

static void base58_holds_for_the_longest_bytes_too(void **fixture)
{
    uint8_t bytes[128], read[128];
    for (int fill = 0; fill < 256; fill += 51) {
        memset(bytes, fill, sizeof(bytes));
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sg_base58_put(&out, bytes, sizeof(bytes));
        assert_true(sg_base58_read(sg_out_view(&out), read, sizeof(read)));
        assert_memory_equal(read, bytes, sizeof(read));
    }
    (void)fixture;
}

static void every_letter_and_no_other_byte_is_of_the_alphabet(void **fixture)
{
    static const char letters[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    for (unsigned c = 0; c < 256; c++) {
        const char letter = (char)c, *at = c == 0 ? NULL : strchr(letters, letter);
        uint8_t byte;
        assert_int_equal(sg_base58_is((struct sg_str){&letter, 1}), at != NULL);
        assert_int_equal(sg_base58_read((struct sg_str){&letter, 1}, &byte, 1), at != NULL);
        if (at != NULL)
            assert_int_equal(byte, at - letters);
    }
    assert_true(sg_base58_is(SG_STR_NONE));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(base58_vectors_hold_both_ways),
    cmocka_unit_test(base58_holds_for_the_longest_bytes_too),
    cmocka_unit_test(every_letter_and_no_other_byte_is_of_the_alphabet),
};
SGT_MAIN("base58", tests)
