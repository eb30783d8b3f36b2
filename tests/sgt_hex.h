/* sgt_hex - bytes written as hex in tests; blanks are skipped. */
#ifndef SGT_HEX_H
#define SGT_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Writes the bytes to `out` and returns how many; aborts on what is not hex or does not fit. */
static inline size_t sgt_hex(const char *text, uint8_t *out, size_t cap)
{
    size_t len = 0;
    unsigned high = 16;
    for (; *text != 0; text++) {
        char c = *text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (c == ' ')
            continue;
        if (digit == 16)
            abort();
        if (high == 16) {
            high = digit;
            continue;
        }
        if (len == cap)
            abort();
        out[len++] = (uint8_t)(high << 4 | digit);
        high = 16;
    }
    if (high != 16)
        abort();
    return len;
}

#endif
