/* budget - how many sign-ins an address, those around it, and a tenant may ask for in a minute.
 * Counted like connections (dataplane/engine/limits.h): nothing is stored of who asks, each is
 * hashed under a secret key to one counter in each of two rows, and the lower one counts; a counter
 * begins anew each minute. Shared by all workers: two shared writes a sign-in, none for a segment.
 */
#ifndef SGD_GATE_BUDGET_H
#define SGD_GATE_BUDGET_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define SGD_BUDGET_S 60

struct sgd_budget;
SG_MUST_USE enum sg_err sgd_budget_open(struct sgd_budget **out);
/* Accepts NULL. */
void sgd_budget_close(struct sgd_budget *budget);

/* How much one address may ask for (IPv6: a /64), and all of its network (/24; /48) and of its
 * block
 * (/16; /32) together: whoever has more addresses than others has no more of what is everybody's.
 * 0: no limit. */
struct sgd_budget_most {
    uint32_t address, network, block;
};
enum sgd_budget_of {
    SGD_BUDGET_REQUESTS,
    SGD_BUDGET_RENEWALS,
    SGD_BUDGET_CHAIN, /* questions to chains */
};
/* One more of it, unless one of the three had its most in this minute. What is refused to an
 * address is not counted for its network, nor for its block. Any thread. */
SG_MUST_USE bool sgd_budget_address(struct sgd_budget *budget, enum sgd_budget_of of,
                                    const struct in6_addr *address,
                                    const struct sgd_budget_most *most, uint64_t now_s);
/* The same of a name; `most` 0: no limit. */
SG_MUST_USE bool sgd_budget_name(struct sgd_budget *budget, uint64_t name, uint32_t most,
                                 uint64_t now_s);
/* Until every counter begins anew. */
static inline uint32_t sgd_budget_wait_s(uint64_t now_s)
{
    return SGD_BUDGET_S - (uint32_t)(now_s % SGD_BUDGET_S);
}

#endif
