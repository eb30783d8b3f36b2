#include "base/siphash.h"

#include <string.h>

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotl(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v)); /* little-endian machines only: meson.build checks */
    return v;
}

static void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotl(s->b, 13) ^ s->a;
    s->a = rotl(s->a, 32);
    s->c += s->d;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotl(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotl(s->b, 17) ^ s->c;
    s->c = rotl(s->c, 32);
}

static uint64_t sip_finish(struct sip *s, uint64_t mark)
{
    s->c ^= mark;
    for (int i = 0; i < 4; i++)
        sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

static void sip_absorb(struct sip *s, const uint8_t key[16], const uint8_t *p, size_t len)
{
    uint64_t k0 = load64(key), k1 = load64(key + 8), last = (uint64_t)len << 56;
    *s = (struct sip){k0 ^ 0x736f6d6570736575, k1 ^ s->b ^ 0x646f72616e646f6d,
                      k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
    size_t whole = len & ~(size_t)7;
    for (size_t i = 0; i <= whole; i += 8) {
        uint64_t m = last;
        if (i < whole)
            m = load64(p + i);
        else
            for (size_t j = 0; j < len - whole; j++)
                m |= (uint64_t)p[whole + j] << 8 * j;
        s->d ^= m;
        sip_round(s);
        sip_round(s);
        s->a ^= m;
    }
}

uint64_t sg_siphash64(const uint8_t key[16], const void *bytes, size_t len)
{
    struct sip s = {.b = 0};
    sip_absorb(&s, key, bytes, len);
    return sip_finish(&s, 0xff);
}

void sg_siphash128(const uint8_t key[16], const void *bytes, size_t len, uint64_t out[2])
{
    struct sip s = {.b = 0xee}; /* what the 128-bit variant mixes into v1 */
    sip_absorb(&s, key, bytes, len);
    out[0] = sip_finish(&s, 0xee);
    s.b ^= 0xdd;
    out[1] = sip_finish(&s, 0);
}
