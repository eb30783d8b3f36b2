#include "dataplane/gate/geo.h"

#include "base/assert.h"

struct sgd_place sgd_geo_find(const struct sgd_geo *geo, struct sgd_geo_cache *cache,
                              const struct in6_addr *address)
{
    SG_ASSERT(geo->serial != 0);
    uint64_t half[2];
    memcpy(half, address, sizeof(half));
    uint64_t mixed = (half[0] ^ half[1]) * 0x9e3779b97f4a7c15u;
    struct sgd_geo_slot *slot = &cache->slots[(mixed >> 32) % SGD_GEO_CACHE_SLOTS];
    if (slot->serial == geo->serial && memcmp(&slot->address, address, sizeof(*address)) == 0)
        return slot->place;
    struct sgd_place place = {.asn = 0};
    /* Whatever goes wrong leaves it unknown, which opens nothing. */
    if (geo->country != NULL && sgd_mmdb_country(geo->country, address, place.country) != SG_OK)
        memset(place.country, 0, sizeof(place.country));
    if (geo->asn != NULL && sgd_mmdb_asn(geo->asn, address, &place.asn) != SG_OK)
        place.asn = 0;
    *slot = (struct sgd_geo_slot){*address, geo->serial, place};
    return place;
}

/* 0 .. 675, or 676 for what is no code. */
static unsigned country_index(const char code[2])
{
    unsigned first = (unsigned)(code[0] & ~0x20) - 'A', second = (unsigned)(code[1] & ~0x20) - 'A';
    return first < 26 && second < 26 ? first * 26 + second : 26 * 26;
}

bool sgd_countries_add(struct sgd_countries *set, struct sg_str code)
{
    unsigned index = code.len == 2 ? country_index(code.ptr) : 26 * 26;
    if (index == 26 * 26)
        return false;
    set->bits[index / 64] |= 1ull << index % 64;
    return true;
}

bool sgd_countries_has(const struct sgd_countries *set, const char code[2])
{
    unsigned index = country_index(code);
    return index < 26 * 26 && (set->bits[index / 64] >> index % 64 & 1) != 0;
}
