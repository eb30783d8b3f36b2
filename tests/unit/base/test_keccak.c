#include "tests/sgt.h"

#include "base/assert.h"
#include "base/keccak.h"
#include "tests/sgt_hex.h"

#include <string.h>

static void assert_hash(const uint8_t got[32], const char *hex)
{
    uint8_t want[32];
    assert_int_equal(sgt_hex(hex, want, sizeof(want)), 32);
    assert_memory_equal(got, want, sizeof(want));
}

static void it_gives_what_was_published(void **fixture)
{
    static const struct {
        const char *text, *hash;
    } rows[] = {
        {"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
        {"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"},
        {"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"},
        {"The quick brown fox jumps over the lazy dog",
         "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"},
        {"Transfer(address,address,uint256)",
         "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        uint8_t got[32];
        sg_keccak256(rows[i].text, strlen(rows[i].text), got);
        assert_hash(got, rows[i].hash);
    }
    (void)fixture;
}

/* As many times "a": one byte less than a block, a block (its padding fills another), one more, and
 * so on. By two other implementations; the million is the original submission's. */
static void it_pads_at_every_edge_of_a_block(void **fixture)
{
    static const struct {
        size_t len;
        const char *hash;
    } rows[] = {
        {1, "3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb"},
        {135, "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446"},
        {136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e"},
        {137, "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39"},
        {271, "132f47effd6c8b1b299efa53fe68aece77ec8ae4eb2e294f668eec94f76001e1"},
        {272, "cf7fcd4f705ee749930d19ca84561a9bf62516bd90a471545fa2f49fdc7e63c8"},
        {273, "5a7b8187d2778e614097fac3097573de1fee4d972304d3360796a857029bb176"},
        {1000, "b6a4ac1f51884d71f30fa397a5e155de3099e11fc0edef5d08b646e621e19de9"},
        {1000000, "fadae6b49f129bbb812be8407b7b2894f34aecf6dbd1f9b0f0c7e9853098fc96"},
    };
    static char text[1000000];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        uint8_t got[32];
        sg_keccak256(text, rows[i].len, got);
        assert_hash(got, rows[i].hash);
    }
    (void)fixture;
}

static void pieces_hash_as_the_whole_wherever_they_are_cut(void **fixture)
{
    uint8_t bytes[3 * SG_KECCAK256_RATE + 5], want[32], got[32];
    struct sg_keccak256 hash;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    sg_keccak256(bytes, sizeof(bytes), want);
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        sg_keccak256_init(&hash);
        sg_keccak256_add(&hash, bytes, cut);
        sg_keccak256_add(&hash, bytes + cut, sizeof(bytes) - cut);
        sg_keccak256_final(&hash, got);
        assert_memory_equal(got, want, sizeof(want));
    }
    for (size_t step = 1; step < sizeof(bytes); step++) {
        sg_keccak256_init(&hash);
        for (size_t at = 0; at < sizeof(bytes); at += step)
            sg_keccak256_add(&hash, bytes + at,
                             sizeof(bytes) - at < step ? sizeof(bytes) - at : step);
        sg_keccak256_final(&hash, got);
        assert_memory_equal(got, want, sizeof(want));
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_gives_what_was_published),
    cmocka_unit_test(it_pads_at_every_edge_of_a_block),
    cmocka_unit_test(pieces_hash_as_the_whole_wherever_they_are_cut),
};
SGT_MAIN("keccak", tests)
