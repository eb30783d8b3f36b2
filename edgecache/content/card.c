#include "edgecache/content/card.h"

#include "edgecache/content/crc32c.h"
#include "edgecache/content/record.h"

#include <string.h>

#define CARD_MAGIC   0x53474543u
#define CARD_VERSION 1

/* As it lies in the index; little-endian. Behind it: tags, prefixes, places, key, head. */
struct card_head {
    uint32_t magic;
    uint32_t crc; /* of all that follows it */
    uint16_t version, status, flags;
    uint8_t tags, prefixes;
    uint32_t tenant, slice_bytes, slices, key_bytes, head_bytes, zero;
    uint64_t key_hash[2], owner_hash;
    uint64_t birth_purge_seq, response_ns, initial_age_ns, lifetime_ns, stale_while_ns,
        stale_error_ns, body_bytes, body_id;
};
_Static_assert(sizeof(struct card_head) == 128, "the format on disk");
#define CRC_FROM 8u

static size_t card_tail_bytes(size_t marks, size_t slices, size_t key_bytes, size_t head_bytes)
{
    return marks * sizeof(uint64_t) + slices * sizeof(uint32_t) + key_bytes + head_bytes;
}

size_t sge_card_bytes(const struct sge_card *card)
{
    return sizeof(struct card_head) +
           card_tail_bytes((size_t)card->meta.tags_count + card->meta.prefixes_count, card->slices,
                           card->key.bytes.len, card->head.len);
}

static uint8_t *card_append(uint8_t *at, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

static struct card_head card_head_of(const struct sge_card *card)
{
    const struct sge_meta *meta = &card->meta;
    return (struct card_head){.magic = CARD_MAGIC,
                              .version = CARD_VERSION,
                              .status = meta->status,
                              .flags = meta->flags,
                              .tags = meta->tags_count,
                              .prefixes = meta->prefixes_count,
                              .tenant = meta->tenant,
                              .slice_bytes = card->slice_bytes,
                              .slices = card->slices,
                              .key_bytes = (uint32_t)card->key.bytes.len,
                              .head_bytes = (uint32_t)card->head.len,
                              .key_hash = {card->key.hash[0], card->key.hash[1]},
                              .owner_hash = card->key.owner_hash,
                              .birth_purge_seq = meta->birth_purge_seq,
                              .response_ns = meta->response_ns,
                              .initial_age_ns = meta->initial_age_ns,
                              .lifetime_ns = meta->lifetime_ns,
                              .stale_while_ns = meta->stale_while_ns,
                              .stale_error_ns = meta->stale_error_ns,
                              .body_bytes = meta->body_bytes,
                              .body_id = card->body_id};
}

size_t sge_card_write(const struct sge_card *card, const uint32_t *places, uint8_t *out)
{
    struct card_head head = card_head_of(card);
    uint8_t *at = out + sizeof(head);
    at = card_append(at, card->meta.tags, card->meta.tags_count * sizeof(uint64_t));
    at = card_append(at, card->meta.prefixes, card->meta.prefixes_count * sizeof(uint64_t));
    at = card_append(at, places, card->slices * sizeof(uint32_t));
    at = card_append(at, card->key.bytes.ptr, card->key.bytes.len);
    at = card_append(at, card->head.ptr, card->head.len);
    size_t len = (size_t)(at - out);
    memcpy(out, &head, sizeof(head));
    head.crc = sge_crc32c(0, out + CRC_FROM, len - CRC_FROM);
    memcpy(out, &head, sizeof(head));
    return len;
}

/* The numbers fit each other and our limits. */
static bool card_head_ok(const struct card_head *head, size_t len)
{
    if (head->tags > SGE_TAGS_MAX || head->prefixes > SGE_PREFIXES_MAX || head->key_bytes == 0 ||
        head->key_bytes > SGE_KEY_BYTES_MAX || head->head_bytes > SGE_HEAD_BYTES_MAX ||
        head->slices > SGE_CARD_SLICES_MAX)
        return false;
    if (len != sizeof(*head) + card_tail_bytes((size_t)head->tags + head->prefixes, head->slices,
                                               head->key_bytes, head->head_bytes))
        return false;
    if (head->slices == 0)
        return true;
    return head->slice_bytes > 0 && head->body_bytes > 0 && head->body_bytes != UINT64_MAX &&
           (head->body_bytes - 1) / head->slice_bytes + 1 == head->slices;
}

static void card_read(const struct card_head *head, const uint8_t *at, struct sge_card *out)
{
    *out = (struct sge_card){
        .key = {.hash = {head->key_hash[0], head->key_hash[1]}, .owner_hash = head->owner_hash},
        .meta = {.status = head->status,
                 .flags = head->flags,
                 .tenant = head->tenant,
                 .birth_purge_seq = head->birth_purge_seq,
                 .response_ns = head->response_ns,
                 .initial_age_ns = head->initial_age_ns,
                 .lifetime_ns = head->lifetime_ns,
                 .stale_while_ns = head->stale_while_ns,
                 .stale_error_ns = head->stale_error_ns,
                 .body_bytes = head->body_bytes,
                 .tags_count = head->tags,
                 .prefixes_count = head->prefixes},
        .body_id = head->body_id,
        .slice_bytes = head->slice_bytes,
        .slices = head->slices};
    memcpy(out->meta.tags, at, head->tags * sizeof(uint64_t));
    at += head->tags * sizeof(uint64_t);
    memcpy(out->meta.prefixes, at, head->prefixes * sizeof(uint64_t));
    at += head->prefixes * sizeof(uint64_t);
    out->places = at;
    at += head->slices * sizeof(uint32_t);
    out->key.bytes = (struct sg_str){(const char *)at, head->key_bytes};
    out->head = (struct sg_str){(const char *)at + head->key_bytes, head->head_bytes};
}

enum sg_err sge_card_parse(const void *bytes, size_t len, struct sge_card *out)
{
    struct card_head head;
    if (len < sizeof(head))
        return SG_ECORRUPT;
    memcpy(&head, bytes, sizeof(head));
    if (head.magic != CARD_MAGIC ||
        head.crc != sge_crc32c(0, (const uint8_t *)bytes + CRC_FROM, len - CRC_FROM))
        return SG_ECORRUPT;
    if (head.version != CARD_VERSION)
        return SG_EVERSION;
    if (!card_head_ok(&head, len))
        return SG_ECORRUPT;
    card_read(&head, (const uint8_t *)bytes + sizeof(head), out);
    return SG_OK;
}

uint32_t sge_card_place(const struct sge_card *card, uint32_t slice)
{
    uint32_t place;
    SG_ASSERT(slice < card->slices);
    memcpy(&place, card->places + slice * sizeof(place), sizeof(place));
    return place;
}

uint32_t sge_card_slice_bytes(const struct sge_card *card, uint32_t slice)
{
    SG_ASSERT(slice < card->slices);
    uint64_t left = card->meta.body_bytes - (uint64_t)slice * card->slice_bytes;
    return (uint32_t)SG_MIN(left, (uint64_t)card->slice_bytes);
}

bool sge_card_complete(const struct sge_card *card)
{
    for (uint32_t i = 0; i < card->slices; i++)
        if (sge_card_place(card, i) == SGE_PLACE_NONE)
            return false;
    return true;
}

uint64_t sge_card_disk_bytes(const struct sge_card *card)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < card->slices; i++)
        if (sge_card_place(card, i) != SGE_PLACE_NONE)
            bytes += sge_record_bytes(sge_card_slice_bytes(card, i));
    return bytes;
}
