/* card - what the content index keeps of an object: all of it but the body's bytes, and where those
 * lie on the volume. A parser of bytes from a disk: it trusts nothing. Pure functions. */
#ifndef SGE_CONTENT_CARD_H
#define SGE_CONTENT_CARD_H

#include "edgecache/content/content.h"

#define SGE_CARD_SLICES_MAX 32768u
#define SGE_PLACE_NONE      UINT32_MAX /* the slice is not on the volume */

/* Borrowed from the card's bytes, which may lie anyhow aligned. */
struct sge_card {
    struct sge_key key;
    struct sge_meta meta;
    struct sg_str head;
    uint64_t body_id; /* 0: no body */
    uint32_t slice_bytes;
    uint32_t slices;
    const uint8_t *places; /* of each slice: a number of 4 KiB pages, 32 bits, or SGE_PLACE_NONE;
                            * sge_card_place() */
};

/* How many bytes sge_card_write() needs. */
size_t sge_card_bytes(const struct sge_card *card);
/* `places` is an array of uint32_t here. Returns the bytes written. */
size_t sge_card_write(const struct sge_card *card, const uint32_t *places, uint8_t *out);
/* SG_ECORRUPT, SG_EVERSION. *out is untouched then. */
SG_MUST_USE enum sg_err sge_card_parse(const void *bytes, size_t len, struct sge_card *out);
uint32_t sge_card_place(const struct sge_card *card, uint32_t slice);
bool sge_card_complete(const struct sge_card *card);
/* Bytes that all its records take on the volume. */
uint64_t sge_card_disk_bytes(const struct sge_card *card);
/* Payload bytes of that slice. */
uint32_t sge_card_slice_bytes(const struct sge_card *card, uint32_t slice);

#endif
