/* cbor - CBOR (RFC 8949) read in place and written, the part that tokens need: integers, byte and
 * text strings, arrays, maps, tags, false, true, null; no floats. Strict: what two readers could
 * take for two things is refused. Bounded: SG_CBOR_* below. No allocation, any thread. */
#ifndef SG_BASE_CBOR_H
#define SG_BASE_CBOR_H

#include "base/out.h"

#define SG_CBOR_BYTES_MAX 4096
#define SG_CBOR_DEPTH_MAX 8  /* arrays, maps and tags around an item, itself included */
#define SG_CBOR_PAIRS_MAX 64 /* of one map */

enum sg_cbor_type {
    SG_CBOR_UINT,
    SG_CBOR_NINT, /* -1 - value */
    SG_CBOR_BYTES,
    SG_CBOR_TEXT,
    SG_CBOR_ARRAY, /* value items follow */
    SG_CBOR_MAP,   /* value pairs follow */
    SG_CBOR_TAG,   /* one item follows */
    SG_CBOR_FALSE,
    SG_CBOR_TRUE,
    SG_CBOR_NULL,
};

struct sg_cbor_item {
    enum sg_cbor_type type;
    uint64_t value;
    struct sg_str bytes; /* of BYTES and TEXT: borrowed */
};

/* What is left to read. */
struct sg_cbor {
    const uint8_t *at, *end;
};

static inline struct sg_cbor sg_cbor_init(struct sg_str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    return (struct sg_cbor){at, at + bytes.len};
}

/* True for exactly one item, well-formed to its last byte and nothing after it: lengths definite,
 * integers and lengths in their shortest form, no key twice in a map, texts UTF-8, all bounds kept.
 * Maps need not be sorted. Ask this first: the reader below then meets no surprise but types. */
bool sg_cbor_check(struct sg_str bytes);
/* The same of the next item alone, over which it goes: for who reads a container piece by piece,
 * `around` containers deep, and sees to its keys itself. */
bool sg_cbor_check_next(struct sg_cbor *cbor, unsigned around);
bool sg_cbor_is_utf8(struct sg_str text);

/* The next item's head; of a container, its items follow. False at the end and where bytes are not
 * as above (duplicates and depth apart), *out then being of no use; never reads past the end. */
bool sg_cbor_next_any(struct sg_cbor *cbor, struct sg_cbor_item *out);
static inline bool sg_cbor_next(struct sg_cbor *cbor, struct sg_cbor_item *out)
{
    if (cbor->at == cbor->end || *cbor->at >= 24) /* all but the small numbers */
        return sg_cbor_next_any(cbor, out);
    *out = (struct sg_cbor_item){.type = SG_CBOR_UINT, .value = *cbor->at++};
    return true;
}
/* Over one whole item, whatever is in it. */
bool sg_cbor_skip(struct sg_cbor *cbor);
/* The next item when it is of `type`. */
static inline bool sg_cbor_want(struct sg_cbor *cbor, enum sg_cbor_type type,
                                struct sg_cbor_item *out)
{
    return sg_cbor_next(cbor, out) && out->type == type;
}
/* The number of a UINT or NINT that fits. */
bool sg_cbor_int(const struct sg_cbor_item *item, int64_t *out);

/* Writing: shortest forms; the caller counts items and pairs. */
void sg_cbor_put_uint(struct sg_out *out, uint64_t v);
void sg_cbor_put_int(struct sg_out *out, int64_t v);
void sg_cbor_put_bytes(struct sg_out *out, const void *bytes, size_t len);
/* For bytes that the caller writes, or hashes, itself. */
void sg_cbor_put_bytes_head(struct sg_out *out, size_t len);
void sg_cbor_put_text(struct sg_out *out, struct sg_str text);
void sg_cbor_put_array(struct sg_out *out, uint64_t items);
void sg_cbor_put_map(struct sg_out *out, uint64_t pairs);
void sg_cbor_put_tag(struct sg_out *out, uint64_t tag);

#endif
