#include "edgecache/content/record.h"

#include "base/assert.h"
#include "edgecache/content/crc32c.h"

#include <stddef.h>
#include <string.h>

#define SEAL_MAGIC   0x53474552u
#define SEAL_VERSION 1

/* As it lies on disk; little-endian. */
struct seal {
    uint32_t magic;
    uint16_t version, zero;
    uint64_t volume;
    uint64_t key_hash[2];
    uint64_t body_id;
    uint32_t slice, length;
    uint32_t payload_crc;
    uint32_t zeroes;
    uint32_t crc; /* of all before */
    uint32_t end;
};
_Static_assert(sizeof(struct seal) == SGE_SEAL_BYTES, "the format on disk");

uint32_t sge_record_seal(const struct sge_record *record, const uint8_t *payload,
                         uint8_t rest[SGE_REST_BYTES_MAX])
{
    SG_ASSERT(record->length > 0);
    uint32_t pages = sge_record_pages_bytes(record->length);
    uint32_t bytes = sge_record_bytes(record->length) - pages;
    struct seal seal = {
        .magic = SEAL_MAGIC,
        .version = SEAL_VERSION,
        .volume = record->volume,
        .key_hash = {record->key_hash[0], record->key_hash[1]},
        .body_id = record->body_id,
        .slice = record->slice,
        .length = record->length,
        .payload_crc = sge_crc32c(0, payload, record->length),
    };
    seal.crc = sge_crc32c(0, &seal, offsetof(struct seal, crc));
    memcpy(rest, payload + pages, record->length - pages);
    memset(rest + (record->length - pages), 0, bytes - (record->length - pages));
    memcpy(rest + bytes - sizeof(seal), &seal, sizeof(seal));
    return bytes;
}

/* payload_crc apart, what *page says. */
static enum sg_err seal_parse(const uint8_t *page, struct sge_record *out, uint32_t *payload_crc)
{
    struct seal seal;
    memcpy(&seal, page + SGE_PAGE_BYTES - sizeof(seal), sizeof(seal));
    if (seal.magic != SEAL_MAGIC || seal.version != SEAL_VERSION || seal.length == 0 ||
        seal.crc != sge_crc32c(0, &seal, offsetof(struct seal, crc)))
        return SG_ECORRUPT;
    *out = (struct sge_record){.volume = seal.volume,
                               .key_hash = {seal.key_hash[0], seal.key_hash[1]},
                               .body_id = seal.body_id,
                               .slice = seal.slice,
                               .length = seal.length};
    *payload_crc = seal.payload_crc;
    return SG_OK;
}

enum sg_err sge_record_parse(const uint8_t page[SGE_PAGE_BYTES], struct sge_record *out)
{
    uint32_t payload_crc;
    return seal_parse(page, out, &payload_crc);
}

enum sg_err sge_record_check(const struct sge_record *record, const uint8_t *pages,
                             const uint8_t *rest, uint32_t rest_bytes)
{
    struct sge_record found;
    uint32_t payload_crc, pages_bytes = sge_record_pages_bytes(record->length);
    SG_ASSERT(rest_bytes == sge_record_bytes(record->length) - pages_bytes);
    enum sg_err err = seal_parse(rest + rest_bytes - SGE_PAGE_BYTES, &found, &payload_crc);
    if (err != SG_OK)
        return err;
    if (found.volume != record->volume || found.key_hash[0] != record->key_hash[0] ||
        found.key_hash[1] != record->key_hash[1] || found.body_id != record->body_id ||
        found.slice != record->slice || found.length != record->length)
        return SG_ESTALE;
    uint32_t crc = sge_crc32c(0, pages, pages_bytes);
    crc = sge_crc32c(crc, rest, record->length - pages_bytes);
    return crc == payload_crc ? SG_OK : SG_ECORRUPT;
}
