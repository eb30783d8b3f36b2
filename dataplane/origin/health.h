/* health - active checks: asks each URL of each origin that has a health path, every interval, and
 * tells the pool. One for each sgd_pools; it runs on the first fetch thread, by that thread's
 * libcurl loop. Its requests name themselves by User-Agent: StreamGate-health. */
#ifndef SGD_ORIGIN_HEALTH_H
#define SGD_ORIGIN_HEALTH_H

#include "dataplane/origin/pools.h"

struct sgd_health;

/* *out is NULL where no origin has a health path. `pools` outlives it. */
SG_MUST_USE enum sg_err sgd_health_open(struct sgd_pools *pools, const struct sg_config *config,
                                        struct sgd_health **out);
/* Stopped, or never turned. Accepts NULL. */
void sgd_health_close(struct sgd_health *health);
/* Starts and times out what is due; returns when to come again. Accepts NULL. */
uint64_t sgd_health_turn(struct sgd_health *health, struct sgd_curl *curl, uint64_t now_ns);
/* Ends what is under way. Accepts NULL. */
void sgd_health_stop(struct sgd_health *health);

#endif
