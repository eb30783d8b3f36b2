#include "base/base58.h"

#define BYTES_MAX 128

static const char letters[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* One more than the letter's value; 0: no such letter. */
static const uint8_t places[256] = {
    ['1'] = 1,  ['2'] = 2,  ['3'] = 3,  ['4'] = 4,  ['5'] = 5,  ['6'] = 6,  ['7'] = 7,  ['8'] = 8,
    ['9'] = 9,  ['A'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15, ['G'] = 16,
    ['H'] = 17, ['J'] = 18, ['K'] = 19, ['L'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24,
    ['R'] = 25, ['S'] = 26, ['T'] = 27, ['U'] = 28, ['V'] = 29, ['W'] = 30, ['X'] = 31, ['Y'] = 32,
    ['Z'] = 33, ['a'] = 34, ['b'] = 35, ['c'] = 36, ['d'] = 37, ['e'] = 38, ['f'] = 39, ['g'] = 40,
    ['h'] = 41, ['i'] = 42, ['j'] = 43, ['k'] = 44, ['m'] = 45, ['n'] = 46, ['o'] = 47, ['p'] = 48,
    ['q'] = 49, ['r'] = 50, ['s'] = 51, ['t'] = 52, ['u'] = 53, ['v'] = 54, ['w'] = 55, ['x'] = 56,
    ['y'] = 57, ['z'] = 58,
};

/* Numbers are in words, the lowest first, and five letters are one digit to the base of 58^5, the
 * highest power that a word holds. */
#define WORDS_MAX     (BYTES_MAX / 4)
#define DIGIT_LETTERS 5
#define DIGIT_BASE    656356768u

/* v = v * factor + digit. False: it overflowed. */
static bool shift_in(uint32_t *v, size_t count, uint32_t factor, uint32_t digit)
{
    uint64_t carry = digit;
    for (size_t i = 0; i < count; i++) {
        carry += (uint64_t)v[i] * factor;
        v[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return carry == 0;
}

/* v = v / 58^5; what is left over. */
static uint32_t shift_out(uint32_t *v, size_t count)
{
    uint64_t rest = 0;
    for (size_t i = count; i-- > 0;) {
        rest = rest << 32 | v[i];
        v[i] = (uint32_t)(rest / DIGIT_BASE);
        rest %= DIGIT_BASE;
    }
    return (uint32_t)rest;
}

/* The byte at `i` of `len`, big-endian. */
static uint8_t byte_of(const uint32_t *v, size_t len, size_t i)
{
    const size_t low = len - 1 - i;
    return (uint8_t)(v[low / 4] >> 8 * (low % 4));
}

/* Letters from `text`, five at a time, into words. */
static bool words_read(struct sg_str text, uint32_t *v, size_t count)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t factor = 1, digit = 0;
        for (size_t n = 0; n < DIGIT_LETTERS && i < text.len; n++, i++) {
            const uint8_t place = places[(uint8_t)text.ptr[i]];
            if (place == 0)
                return false;
            factor *= 58;
            digit = digit * 58 + place - 1u;
        }
        if (!shift_in(v, count, factor, digit))
            return false;
    }
    return true;
}

bool sg_base58_is(struct sg_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (places[(uint8_t)text.ptr[i]] == 0)
            return false;
    return true;
}

bool sg_base58_read(struct sg_str text, uint8_t *out, size_t len)
{
    SG_ASSERT(out != NULL && len <= BYTES_MAX);
    uint32_t v[WORDS_MAX + 1] = {0};
    const size_t count = (len + 3) / 4;
    size_t ones = 0, zeros = 0;
    while (ones < text.len && text.ptr[ones] == letters[0])
        ones++;
    if (ones > len || !words_read(sg_str_skip(text, ones), v, count))
        return false; /* each of those stands for a byte of zeros */
    if (len % 4 != 0 && v[count - 1] >> 8 * (len % 4) != 0)
        return false;
    while (zeros < len && byte_of(v, len, zeros) == 0)
        zeros++;
    if (zeros != ones)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = byte_of(v, len, i);
    return true;
}

void sg_base58_put(struct sg_out *out, const uint8_t *bytes, size_t len)
{
    SG_ASSERT(bytes != NULL && len <= BYTES_MAX);
    char text[BYTES_MAX * 138 / 100 + DIGIT_LETTERS + 1]; /* log 256 / log 58, rounded up */
    uint32_t v[WORDS_MAX] = {0};
    size_t at = sizeof(text), zeros = 0, count = (len + 3) / 4;
    for (size_t i = 0; i < len; i++)
        v[(len - 1 - i) / 4] |= (uint32_t)bytes[i] << 8 * ((len - 1 - i) % 4);
    while (zeros < len && bytes[zeros] == 0)
        zeros++;
    for (; count > 0; count -= v[count - 1] == 0) {
        uint32_t digit = shift_out(v, count);
        for (size_t n = 0; n < DIGIT_LETTERS; n++, digit /= 58) {
            SG_ASSERT(at > 0);
            text[--at] = letters[digit % 58];
        }
    }
    while (at < sizeof(text) && text[at] == letters[0])
        at++;
    for (size_t i = 0; i < zeros; i++)
        sg_out_char(out, letters[0]);
    sg_out_bytes(out, text + at, sizeof(text) - at);
}
