/* pools - all origins of one configuration: made at load, freed on the first fetch thread when the
 * last reference is gone, so that a worker may drop it without a free or a lock. */
#ifndef SGD_ORIGIN_POOLS_H
#define SGD_ORIGIN_POOLS_H

#include "dataplane/origin/pool.h"

struct sgd_health;

struct sgd_pools {
    _Atomic uint32_t refs;
    struct sgd_fetchers *fetchers;
    char *node; /* our id in CDN-Loop and Via */
    uint32_t count;
    struct sgd_pool *pools;
    struct sgd_health *health;    /* active checks: the first fetch thread's */
    struct sg_list alive;         /* in that thread's list */
    struct sgd_pools *next_fresh; /* in the fetchers' stack of new ones */
    struct sgd_pools *next_dead;  /* in the fetchers' stack of those to free */
};

/* Which fetch thread runs a worker's fetches from that origin; always the same one. */
uint32_t sgd_pools_thread(const struct sgd_pools *pools, uint32_t origin, uint16_t worker);
/* The part of the origin's connections that the worker's fetches use. */
struct sgd_lane *sgd_pools_lane(const struct sgd_pools *pools, uint32_t origin, uint16_t worker);
/* Nobody has a reference any more. On the first fetch thread, or after all ended. */
void sgd_pools_free(struct sgd_pools *pools);

#endif
