/* viewers - the addresses that used each token lately (claim -70003), counted for the whole node:
 * an address's connections are spread over all workers. Any worker, no locks: one atomic write a
 * second for each token and address that is in use, none for tokens without that claim.
 *
 * Tokens are known by their id and addresses by hashes under a secret key. A token has one set of
 * slots; when all sets that it may have are taken by others it is not bounded. */
#ifndef SGD_GATE_VIEWERS_H
#define SGD_GATE_VIEWERS_H

#include "base/err.h"
#include "base/str.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define SGD_VIEWER_S 60 /* an address counts for so long after its last request */

struct sgd_viewers;

/* One a process. The caller owns *out. Its memory is touched as it is used. */
SG_MUST_USE enum sg_err sgd_viewers_open(struct sgd_viewers **out);
/* Accepts NULL. */
void sgd_viewers_close(struct sgd_viewers *viewers);
/* Counts `address` (an IPv4 address or an IPv6 /64; NULL counts as one) for the token `id`.
 * False: `limit` (1 .. SGD_TOKEN_VIEWERS_MAX) others are there. */
bool sgd_viewers_enter(struct sgd_viewers *viewers, struct sg_str id, uint32_t limit,
                       const struct in6_addr *address, uint64_t now_s);

#endif
