/* geo - where an address is: the country and ASN databases of one configuration, and a worker's
 * small cache of what they said (a look-up costs about a microsecond, a cached one a compare). */
#ifndef SGD_GATE_GEO_H
#define SGD_GATE_GEO_H

#include "base/str.h"
#include "dataplane/sys/mmdb.h"

#include <stdbool.h>

struct sgd_geo {
    struct sgd_mmdb *country, *asn; /* NULL: none configured, or not readable */
    uint64_t serial;                /* which configuration's: never 0 */
};

struct sgd_place {
    char country[2]; /* "\0\0": unknown */
    uint32_t asn;    /* 0: unknown */
};

#define SGD_GEO_CACHE_SLOTS 1024
struct sgd_geo_cache {
    struct sgd_geo_slot {
        struct in6_addr address;
        uint64_t serial;
        struct sgd_place place;
    } slots[SGD_GEO_CACHE_SLOTS];
};

struct sgd_place sgd_geo_find(const struct sgd_geo *geo, struct sgd_geo_cache *cache,
                              const struct in6_addr *address);

/* A set of countries, from ISO 3166 alpha-2 codes. */
struct sgd_countries {
    uint64_t bits[(26 * 26 + 63) / 64];
};
/* False: not two letters. */
bool sgd_countries_add(struct sgd_countries *set, struct sg_str code);
/* An unknown country is in no set. */
bool sgd_countries_has(const struct sgd_countries *set, const char code[2]);

#endif
