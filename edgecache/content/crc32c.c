#include "edgecache/content/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* Bit by bit: for machines without the instruction, and for the odd bytes at an end. */
static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int i = 0; i < 8; i++)
        crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
    return crc;
}

static uint32_t crc_plain(uint32_t crc, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        crc = crc_byte(crc, bytes[i]);
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const uint8_t *bytes,
                                                           size_t len)
{
    uint64_t c = crc;
    for (; len >= 8; bytes += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    for (; len > 0; bytes++, len--)
        c = __builtin_ia32_crc32qi((uint32_t)c, *bytes);
    return (uint32_t)c;
}

static int crc_is_fast(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#else
#define crc_fast      crc_plain
#define crc_is_fast() 0
#endif

uint32_t sge_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return ~(crc_is_fast() ? crc_fast : crc_plain)(~crc, bytes, len);
}
