#include "base/u256.h"

#define BYTES      32
#define DIGITS_MAX 78 /* of 2^256 - 1 in decimal */

struct sg_u256 sg_u256_of(uint64_t v)
{
    struct sg_u256 out = {{0}};
    v = __builtin_bswap64(v);
    memcpy(out.bytes + BYTES - sizeof(v), &v, sizeof(v));
    return out;
}

bool sg_u256_is_zero(const struct sg_u256 *v)
{
    static const struct sg_u256 zero;
    return memcmp(v, &zero, sizeof(zero)) == 0;
}

int sg_u256_cmp(const struct sg_u256 *a, const struct sg_u256 *b)
{
    return memcmp(a->bytes, b->bytes, BYTES);
}

bool sg_u256_add(const struct sg_u256 *a, const struct sg_u256 *b, struct sg_u256 *out)
{
    struct sg_u256 sum;
    unsigned carry = 0;
    for (int i = BYTES - 1; i >= 0; i--) {
        carry += (unsigned)a->bytes[i] + b->bytes[i];
        sum.bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    if (carry != 0)
        return false;
    *out = sum;
    return true;
}

bool sg_u256_sub(const struct sg_u256 *a, const struct sg_u256 *b, struct sg_u256 *out)
{
    struct sg_u256 rest;
    unsigned borrow = 0;
    for (int i = BYTES - 1; i >= 0; i--) {
        unsigned byte = 256u + a->bytes[i] - b->bytes[i] - borrow;
        rest.bytes[i] = (uint8_t)byte;
        borrow = byte < 256;
    }
    if (borrow != 0)
        return false;
    *out = rest;
    return true;
}

/* v = v * base + digit. False: it overflowed. */
static bool shift_in(struct sg_u256 *v, unsigned base, unsigned digit)
{
    unsigned carry = digit;
    for (int i = BYTES - 1; i >= 0; i--) {
        carry += v->bytes[i] * base;
        v->bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

/* The value of a digit in either case; 16: none. */
static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

bool sg_u256_read(struct sg_str text, struct sg_u256 *out)
{
    SG_ASSERT(out != NULL);
    struct sg_u256 v = {{0}};
    unsigned base = 10;
    if (sg_str_starts(text, SG_STR("0x"))) {
        text = sg_str_skip(text, 2);
        base = 16;
    }
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = digit_of(text.ptr[i]);
        if (digit >= base || !shift_in(&v, base, digit))
            return false;
    }
    *out = v;
    return true;
}

/* v = v / 10; returns the rest. */
static unsigned divide_10(struct sg_u256 *v)
{
    unsigned rest = 0;
    for (int i = 0; i < BYTES; i++) {
        rest = rest << 8 | v->bytes[i];
        v->bytes[i] = (uint8_t)(rest / 10);
        rest %= 10;
    }
    return rest;
}

void sg_u256_put(struct sg_out *out, const struct sg_u256 *v)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    struct sg_u256 left = *v;
    do {
        SG_ASSERT(at > 0);
        digits[--at] = (char)('0' + divide_10(&left));
    } while (!sg_u256_is_zero(&left));
    sg_out_bytes(out, digits + at, sizeof(digits) - at);
}
