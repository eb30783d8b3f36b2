#include "base/out.h"

#include <stdio.h>

void sg_out_u64(struct sg_out *out, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    sg_out_bytes(out, digits + at, sizeof(digits) - at);
}

void sg_out_hex(struct sg_out *out, const void *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    if (out->full || len > (out->cap - out->len) / 2) {
        out->full = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        out->ptr[out->len++] = hex[b[i] >> 4];
        out->ptr[out->len++] = hex[b[i] & 15];
    }
}

void sg_out_fmt(struct sg_out *out, const char *fmt, ...)
{
    va_list args;
    if (out->full)
        return;
    va_start(args, fmt);
    int n = vsnprintf(out->ptr + out->len, out->cap - out->len, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= out->cap - out->len) {
        out->full = true; /* vsnprintf needs room for its NUL too */
        return;
    }
    out->len += (size_t)n;
}
