#include "tests/sgt.h"

#include "edgecache/content/crc32c.h"
#include "edgecache/content/record.h"

#include <string.h>

#define PAYLOAD_MAX (70u << 10)

static uint8_t payload[PAYLOAD_MAX];
static uint8_t rest[SGE_REST_BYTES_MAX];
static const uint32_t lengths[] = {1,    63,   4031, 4032, 4033,  4095,
                                   4096, 4097, 8128, 8129, 65536, 70000};

static struct sge_record record_of(uint32_t length)
{
    for (uint32_t i = 0; i < PAYLOAD_MAX; i++)
        payload[i] = (uint8_t)(i * 2654435761u >> 7);
    return (struct sge_record){
        .volume = 1, .key_hash = {2, 3}, .body_id = 4, .slice = 5, .length = length};
}

static void crc32c_is_the_one_of_the_rfc(void **fixture)
{
    uint8_t zeroes[32] = {0}; /* RFC 3720 appendix B.4 */
    assert_int_equal(sge_crc32c(0, zeroes, 32), 0x8a9136aa);
    assert_int_equal(sge_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(sge_crc32c(sge_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    (void)fixture;
}

static void what_was_sealed_is_accepted_and_is_whole_pages(void **fixture)
{
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct sge_record record = record_of(lengths[i]), found;
        uint32_t bytes = sge_record_seal(&record, payload, rest);
        uint32_t pages = sge_record_pages_bytes(record.length);
        assert_int_equal(pages + bytes, sge_record_bytes(record.length));
        assert_int_equal((pages + bytes) % SGE_PAGE_BYTES, 0);
        assert_true(bytes <= SGE_REST_BYTES_MAX);
        assert_int_equal(sge_record_check(&record, payload, rest, bytes), SG_OK);
        assert_int_equal(sge_record_parse(rest + bytes - SGE_PAGE_BYTES, &found), SG_OK);
        assert_memory_equal(&found, &record, sizeof(record));
    }
    (void)fixture;
}

static void every_flipped_bit_and_every_torn_page_is_seen(void **fixture)
{
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct sge_record record = record_of(lengths[i]);
        uint32_t bytes = sge_record_seal(&record, payload, rest);
        uint32_t pages = sge_record_pages_bytes(record.length);
        for (uint32_t at = 0; at < record.length; at += 509) {
            uint8_t *where = at < pages ? &payload[at] : &rest[at - pages];
            *where ^= 0x10;
            assert_int_equal(sge_record_check(&record, payload, rest, bytes), SG_ECORRUPT);
            *where ^= 0x10;
        }
        for (uint32_t at = bytes - SGE_SEAL_BYTES; at < bytes - 4; at++) {
            rest[at] ^= 1;
            assert_int_equal(sge_record_check(&record, payload, rest, bytes), SG_ECORRUPT);
            rest[at] ^= 1;
        }
        for (uint32_t page = 0; page < pages; page += SGE_PAGE_BYTES) { /* torn: never written */
            memset(payload + page, 0, SGE_PAGE_BYTES);
            assert_int_equal(sge_record_check(&record, payload, rest, bytes), SG_ECORRUPT);
            record = record_of(lengths[i]);
        }
        memset(rest, 0, bytes);
        assert_int_equal(sge_record_check(&record, payload, rest, bytes), SG_ECORRUPT);
    }
    (void)fixture;
}

static void a_record_of_something_else_is_refused(void **fixture)
{
    struct sge_record record = record_of(5000), other;
    uint32_t bytes = sge_record_seal(&record, payload, rest);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        other = record;                                                                            \
        other.change;                                                                              \
        assert_int_equal(sge_record_check(&other, payload, rest, bytes), SG_ESTALE);               \
    } while (0)
    REFUSED(volume++);
    REFUSED(key_hash[0]++);
    REFUSED(key_hash[1]++);
    REFUSED(body_id++);
    REFUSED(slice++);
    REFUSED(length++);
    assert_int_equal(sge_record_check(&record, payload, rest, bytes), SG_OK);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(crc32c_is_the_one_of_the_rfc),
    cmocka_unit_test(what_was_sealed_is_accepted_and_is_whole_pages),
    cmocka_unit_test(every_flipped_bit_and_every_torn_page_is_seen),
    cmocka_unit_test(a_record_of_something_else_is_refused),
};
SGT_MAIN("record", tests)
