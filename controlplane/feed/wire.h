/* wire - numbers and bytes of the feed's messages, little-endian, one after another; a reader that
 * ran out says so once, at the end. */
#ifndef SGC_FEED_WIRE_H
#define SGC_FEED_WIRE_H

#include "base/out.h"

struct sgc_wire {
    struct sg_str rest;
    bool bad; /* something was missing, or not as it may be; what was read is then of no use */
};

static inline void sgc_wire_bytes(struct sgc_wire *in, void *to, size_t len)
{
    if (in->bad || in->rest.len < len) {
        in->bad = true;
        memset(to, 0, len);
        return;
    }
    memcpy(to, in->rest.ptr, len);
    in->rest.ptr += len;
    in->rest.len -= len;
}

/* An unsigned number of `bytes` bytes, 1 to 8. */
static inline uint64_t sgc_wire_number(struct sgc_wire *in, size_t bytes)
{
    uint8_t raw[8];
    uint64_t v = 0;
    sgc_wire_bytes(in, raw, bytes);
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | raw[i];
    return v;
}

/* One that is at most `max`. */
static inline uint32_t sgc_wire_below(struct sgc_wire *in, size_t bytes, uint32_t max)
{
    uint64_t v = sgc_wire_number(in, bytes);
    if (v <= max)
        return (uint32_t)v;
    in->bad = true;
    return 0;
}

static inline void sgc_wire_put(struct sg_out *out, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        sg_out_char(out, (char)(v >> (8 * i)));
}

#endif
