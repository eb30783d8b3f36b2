/* pools - all origins of one configuration: made at load, freed on the first fetch thread when the
 * last reference is gone, so that a worker may drop it without a free or a lock. */
#ifndef SGD_ORIGIN_POOLS_H
#define SGD_ORIGIN_POOLS_H

#include "dataplane/origin/pool.h"

struct sgd_pools {
    _Atomic uint32_t refs;
    struct sgd_fetchers *fetchers;
    char *node; /* our id in CDN-Loop and Via */
    uint32_t count;
    struct sgd_pool *pools;
    struct sgd_pools *next; /* in the fetchers' stack of those to free */
};

/* Which fetch thread runs a worker's fetches from that origin. */
uint32_t sgd_pools_thread(const struct sgd_pools *pools, uint32_t origin, uint16_t worker);
/* Nobody has a reference any more. */
void sgd_pools_free(struct sgd_pools *pools);

#endif
