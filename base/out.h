/* out - a bounded writer of bytes: what does not fit is dropped whole and remembered, so that a
 * caller writes on and asks once at the end. Uses the caller's memory. */
#ifndef SG_BASE_OUT_H
#define SG_BASE_OUT_H

#include "base/assert.h"
#include "base/str.h"

#include <stdarg.h>

struct sg_out {
    char *ptr;
    size_t len; /* written so far */
    size_t cap;
    bool full; /* something did not fit; what is there is then of no use */
};

static inline struct sg_out sg_out_init(void *memory, size_t cap)
{
    return (struct sg_out){memory, 0, cap, false};
}

static inline void sg_out_bytes(struct sg_out *out, const void *bytes, size_t len)
{
    if (out->full || len > out->cap - out->len) {
        out->full = true;
        return;
    }
    if (len != 0)
        memcpy(out->ptr + out->len, bytes, len);
    out->len += len;
}

static inline void sg_out_str(struct sg_out *out, struct sg_str s)
{
    sg_out_bytes(out, s.ptr, s.len);
}

#define sg_out_lit(out, lit) sg_out_bytes((out), "" lit, sizeof(lit) - 1)

static inline void sg_out_char(struct sg_out *out, char c)
{
    sg_out_bytes(out, &c, 1);
}

/* Decimal, no padding. */
void sg_out_u64(struct sg_out *out, uint64_t v);
/* Lower-case hex of bytes. */
void sg_out_hex(struct sg_out *out, const void *bytes, size_t len);
/* For cold paths: goes through vsnprintf. */
SG_PRINTF(2, 3) void sg_out_fmt(struct sg_out *out, const char *fmt, ...);

static inline struct sg_str sg_out_view(const struct sg_out *out)
{
    return (struct sg_str){out->ptr, out->len};
}

#endif
