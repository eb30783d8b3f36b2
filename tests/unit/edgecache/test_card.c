#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/content/card.h"

#include <string.h>

static uint8_t bytes[1 << 16];

static struct sge_card card_of_three(void)
{
    struct sge_card card = {.key = {.bytes = SG_STR("site\n/a?b"), .hash = {1, 2}, .owner_hash = 3},
                            .meta = {.status = 206,
                                     .flags = 7,
                                     .tenant = 9,
                                     .birth_purge_seq = 10,
                                     .response_ns = 11,
                                     .initial_age_ns = 12,
                                     .lifetime_ns = 13,
                                     .stale_while_ns = 14,
                                     .stale_error_ns = 15,
                                     .body_bytes = 2 * 65536 + 1,
                                     .tags = {21, 22},
                                     .tags_count = 2,
                                     .prefixes = {31},
                                     .prefixes_count = 1},
                            .head = SG_STR("etag: \"x\"\r\n"),
                            .body_id = 16,
                            .slice_bytes = 65536,
                            .slices = 3};
    return card;
}

static size_t write_three(void)
{
    static const uint32_t places[3] = {100, 200, 300};
    struct sge_card card = card_of_three();
    size_t len = sge_card_write(&card, places, bytes);
    assert_int_equal(len, sge_card_bytes(&card));
    return len;
}

static void a_card_says_again_what_was_written(void **fixture)
{
    struct sge_card want = card_of_three(), got;
    size_t len = write_three();
    assert_int_equal(sge_card_parse(bytes, len, &got), SG_OK);
    assert_memory_equal(&got.meta, &want.meta, sizeof(got.meta));
    assert_true(sg_str_eq(got.key.bytes, want.key.bytes) && sg_str_eq(got.head, want.head));
    assert_true(got.key.hash[0] == 1 && got.key.hash[1] == 2 && got.key.owner_hash == 3);
    assert_true(got.body_id == 16 && got.slice_bytes == 65536 && got.slices == 3);
    assert_int_equal(sge_card_place(&got, 2), 300);
    assert_int_equal(sge_card_slice_bytes(&got, 1), 65536);
    assert_int_equal(sge_card_slice_bytes(&got, 2), 1);
    (void)fixture;
}

static void a_changed_or_cut_card_is_refused(void **fixture)
{
    struct sge_card got;
    size_t len = write_three();
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0x20;
        assert_int_equal(sge_card_parse(bytes, len, &got), SG_ECORRUPT);
        bytes[i] ^= 0x20;
        uint8_t *exact = malloc(i == 0 ? 1 : i); /* its own block: the sanitizer sees its end */
        memcpy(exact, bytes, i);
        assert_int_equal(sge_card_parse(exact, i, &got), SG_ECORRUPT);
        free(exact);
    }
    (void)fixture;
}

static void an_object_without_a_body_has_a_card_too(void **fixture)
{
    struct sge_card card = card_of_three(), got;
    card.slices = 0;
    card.body_id = 0;
    card.meta.body_bytes = SGE_LENGTH_UNKNOWN;
    size_t len = sge_card_write(&card, NULL, bytes);
    assert_int_equal(sge_card_parse(bytes, len, &got), SG_OK);
    assert_int_equal(got.slices, 0);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_card_says_again_what_was_written),
    cmocka_unit_test(a_changed_or_cut_card_is_refused),
    cmocka_unit_test(an_object_without_a_body_has_a_card_too),
};
SGT_MAIN("card", tests)
