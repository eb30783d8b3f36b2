#include "base/b64url.h"

#include <string.h>

#define BAD 0x80

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define B BAD
static const uint8_t values[256] = {
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 0x00 */
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 0x10 */
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  62, B,  B,  /* 0x20 */
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, B,  B,  B,  B,  B,  B,  /* 0x30 */
    B,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, /* 0x40 */
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, B,  B,  B,  B,  63, /* 0x50 */
    B,  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* 0x60 */
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, B,  B,  B,  B,  B,  /* 0x70 */
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  /* 0x80 and on */
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B, B, B, B, B, B, B,
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B, B, B, B, B, B, B,
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B, B, B, B, B, B, B,
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B, B, B, B, B, B, B,
    B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B,  B, B, B, B,
};
#undef B

static uint8_t value_of(char c)
{
    return values[(uint8_t)c];
}

void sg_b64url_put(struct sg_out *out, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    if (out->full || sg_b64url_chars(len) > out->cap - out->len) {
        out->full = true;
        return;
    }
    char *to = out->ptr + out->len;
    out->len += sg_b64url_chars(len);
    for (; len >= 3; len -= 3, b += 3) {
        uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = letters[v >> 6 & 63];
        *to++ = letters[v & 63];
    }
    if (len == 0)
        return;
    uint32_t v = (uint32_t)b[0] << 16 | (len == 2 ? (uint32_t)b[1] << 8 : 0);
    *to++ = letters[v >> 18];
    *to++ = letters[v >> 12 & 63];
    if (len == 2)
        *to++ = letters[v >> 6 & 63];
}

/* Four characters' 24 bits; of use where *bad stays without BAD. */
static inline uint32_t four_read(const char *c, uint8_t *bad)
{
    uint32_t v0 = value_of(c[0]), v1 = value_of(c[1]), v2 = value_of(c[2]), v3 = value_of(c[3]);
    *bad |= (uint8_t)(v0 | v1 | v2 | v3);
    return v0 << 18 | v1 << 12 | v2 << 6 | v3;
}

bool sg_b64url_read(struct sg_str text, uint8_t *out, size_t cap, size_t *len)
{
    size_t tail = text.len % 4, whole = text.len - tail;
    size_t bytes = whole / 4 * 3 + (tail == 0 ? 0 : tail - 1);
    const char *c = text.ptr;
    uint8_t bad = 0;
    if (tail == 1 || bytes > cap)
        return false;
    /* Eight characters are one word, stored whole: six bytes, and two that are written again. */
    for (; whole >= 8 && cap >= sizeof(uint64_t); whole -= 8, cap -= 6, c += 8, out += 6) {
        uint64_t v = (uint64_t)four_read(c, &bad) << 24 | four_read(c + 4, &bad);
        v = __builtin_bswap64(v << 16);
        memcpy(out, &v, sizeof(v));
    }
    for (; whole > 0; whole -= 4, c += 4, out += 3) {
        uint32_t v = four_read(c, &bad);
        out[0] = (uint8_t)(v >> 16);
        out[1] = (uint8_t)(v >> 8);
        out[2] = (uint8_t)v;
    }
    if (tail != 0) {
        uint8_t v0 = value_of(c[0]), v1 = value_of(c[1]), v2 = tail == 3 ? value_of(c[2]) : 0;
        bad |= v0 | v1 | v2;
        if ((tail == 2 ? v1 & 15 : v2 & 3) != 0)
            return false;
        out[0] = (uint8_t)(v0 << 2 | v1 >> 4);
        if (tail == 3)
            out[1] = (uint8_t)(v1 << 4 | v2 >> 2);
    }
    if ((bad & BAD) != 0)
        return false;
    *len = bytes;
    return true;
}

bool sg_b64url_is(struct sg_str text)
{
    uint8_t bad = text.len == 0 ? BAD : 0;
    for (size_t i = 0; i < text.len; i++)
        bad |= value_of(text.ptr[i]);
    return (bad & BAD) == 0;
}

/* One alphabet in letters of the other. False: letters of neither, or of the other only. */
static bool translate(const char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '-' || from[i] == '_')
            return false;
        to[i] = from[i] == '+' ? '-' : from[i] == '/' ? '_' : from[i];
    }
    return true;
}

bool sg_b64_read(struct sg_str text, uint8_t *out, size_t cap, size_t *len)
{
    char memory[1024];
    size_t done = 0, pad = 0;
    if (text.len % 4 != 0)
        return false;
    while (pad < 2 && pad < text.len && text.ptr[text.len - 1 - pad] == '=')
        pad++;
    text.len -= pad;
    while (text.len > 0) {
        size_t n = text.len < sizeof(memory) ? text.len : sizeof(memory), got;
        if (!translate(text.ptr, n, memory) ||
            !sg_b64url_read((struct sg_str){memory, n}, out + done, cap - done, &got))
            return false;
        done += got;
        text = (struct sg_str){text.ptr + n, text.len - n};
    }
    *len = done;
    return true;
}
