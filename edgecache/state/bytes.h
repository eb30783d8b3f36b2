/* bytes - numbers in keys, big-endian so that keys sort as the numbers do. */
#ifndef SGE_STATE_BYTES_H
#define SGE_STATE_BYTES_H

#include "base/str.h"

static inline void sge_be32_put(uint8_t *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, sizeof(v));
}

static inline void sge_be64_put(uint8_t *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, sizeof(v));
}

static inline uint32_t sge_be32_get(const void *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t sge_be64_get(const void *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap64(v);
}

static inline struct sg_str sge_bytes(const void *bytes, size_t len)
{
    return (struct sg_str){bytes, len};
}

#endif
