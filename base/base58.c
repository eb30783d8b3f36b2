#include "base/base58.h"

#define BYTES_MAX 128

static const char letters[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* v = v * 58 + digit, big-endian. False: it overflowed. */
static bool shift_in(uint8_t *v, size_t len, unsigned digit)
{
    unsigned carry = digit;
    for (size_t i = len; i-- > 0;) {
        carry += v[i] * 58u;
        v[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

bool sg_base58_read(struct sg_str text, uint8_t *out, size_t len)
{
    SG_ASSERT(out != NULL && len <= BYTES_MAX);
    uint8_t bytes[BYTES_MAX] = {0};
    size_t ones = 0, zeros = 0;
    while (ones < text.len && text.ptr[ones] == letters[0])
        ones++;
    if (ones > len) /* each stands for a byte of zeros */
        return false;
    for (size_t i = ones; i < text.len; i++) {
        const char *at = text.ptr[i] == 0 ? NULL : strchr(letters, text.ptr[i]);
        if (at == NULL || !shift_in(bytes, len, (unsigned)(at - letters)))
            return false;
    }
    while (zeros < len && bytes[zeros] == 0)
        zeros++;
    if (zeros != ones)
        return false;
    memcpy(out, bytes, len);
    return true;
}

void sg_base58_put(struct sg_out *out, const uint8_t *bytes, size_t len)
{
    SG_ASSERT(bytes != NULL && len <= BYTES_MAX);
    uint8_t digits[BYTES_MAX * 138 / 100 + 1]; /* log 256 / log 58, rounded up */
    size_t count = 0, zeros = 0;
    while (zeros < len && bytes[zeros] == 0)
        zeros++;
    for (size_t i = zeros; i < len; i++) {
        unsigned carry = bytes[i];
        for (size_t d = 0; d < count || carry != 0; d++) {
            SG_ASSERT(d < sizeof(digits));
            carry += d < count ? digits[d] << 8 : 0;
            digits[d] = (uint8_t)(carry % 58);
            carry /= 58;
            count = SG_MAX(count, d + 1);
        }
    }
    for (size_t i = 0; i < zeros; i++)
        sg_out_char(out, letters[0]);
    while (count > 0)
        sg_out_char(out, letters[digits[--count]]);
}
