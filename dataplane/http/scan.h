/* scan - finding what may not stand in a head's line, sixteen bytes at a time where the processor
 * can. */
#ifndef SGD_HTTP_SCAN_H
#define SGD_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* No visible byte, blank or obs-text (RFC 9110 section 5.5): a control character, CR and LF among
 * them. */
static inline bool sgd_scan_is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* The index of the first control character from `at` on, or len. */
static inline size_t sgd_scan_control(const char *bytes, size_t at, size_t len)
{
#ifdef __SSE2__
    const __m128i low = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
    for (; len - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(bytes + at));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, low), v);
        control = _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), control);
        control = _mm_or_si128(control, _mm_cmpeq_epi8(v, del));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(control);
        if (mask != 0)
            return at + (size_t)__builtin_ctz(mask);
    }
#endif
    while (at < len && !sgd_scan_is_control((uint8_t)bytes[at]))
        at++;
    return at;
}

#endif
