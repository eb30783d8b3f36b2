/* record - one slice as it lies on the volume: the payload first, so that it can be read straight
 * into an aligned cell, zeroes, and its seal in the last 64 bytes of the last 4 KiB page:
 *
 *   | payload ............... | zeroes | seal |     a multiple of 4096 bytes
 *
 * Nothing read is trusted before its seal says that these are the bytes of that slice of that body
 * under that key. Pure functions. */
#ifndef SGE_CONTENT_RECORD_H
#define SGE_CONTENT_RECORD_H

#include "base/err.h"

#include <stdint.h>

#define SGE_PAGE_BYTES 4096u
#define SGE_SEAL_BYTES 64u
/* Behind the whole pages of payload there are at most this many bytes. */
#define SGE_REST_BYTES_MAX (2 * SGE_PAGE_BYTES)

/* What a record is of. */
struct sge_record {
    uint64_t volume; /* the volume's own id: not an earlier one in the same place */
    uint64_t key_hash[2];
    uint64_t body_id;
    uint32_t slice;
    uint32_t length; /* of the payload, at least 1 */
};

/* Bytes that a record with `length` bytes of payload takes. */
static inline uint32_t sge_record_bytes(uint32_t length)
{
    return (length + SGE_SEAL_BYTES + SGE_PAGE_BYTES - 1) & ~(SGE_PAGE_BYTES - 1);
}
/* The part of the payload that is whole pages: where the rest begins. */
static inline uint32_t sge_record_pages_bytes(uint32_t length)
{
    return length & ~(SGE_PAGE_BYTES - 1);
}
/* Writes what follows the whole pages (payload's end, zeroes, seal) to `rest`; returns how many
 * bytes that are. */
uint32_t sge_record_seal(const struct sge_record *record, const uint8_t *payload,
                         uint8_t rest[SGE_REST_BYTES_MAX]);
/* Checks that `pages` (the whole pages) and `rest` are what *record says, and nothing else.
 * SG_ECORRUPT: no whole record ends here, or its payload is not what it was. SG_ESTALE: it is
 * another one's. */
SG_MUST_USE enum sg_err sge_record_check(const struct sge_record *record, const uint8_t *pages,
                                         const uint8_t *rest, uint32_t rest_bytes);
/* Reads what a seal in `page` (its last page) says of itself. SG_ECORRUPT: it is none. */
SG_MUST_USE enum sg_err sge_record_parse(const uint8_t page[SGE_PAGE_BYTES],
                                         struct sge_record *out);

#endif
