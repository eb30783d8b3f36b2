/* limits - how many connections a node and one address may have, and how many requests one token.
 * Shared by all workers: kernel hashing spreads one address over all of them, so a share a worker
 * would be wrong by as much as the number of workers. Two shared writes a connection, and two a
 * request only where limits.requests_per_token is set.
 *
 * Addresses (IPv4, or an IPv6 /64) are counted without being stored: each is hashed under a secret
 * key to one counter in each of two rows, and the lower one counts. It is never too low; it is too
 * high only for who shares both counters with others. */
#ifndef SGD_LIMITS_H
#define SGD_LIMITS_H

#include "base/err.h"
#include "base/str.h"
#include "dataplane/close.h"

#include <netinet/in.h>
#include <stdint.h>

struct sgd_limits;

/* What a connection holds, to be given back. All zero: nothing. */
struct sgd_limits_ticket {
    uint32_t node;   /* 1: counted */
    uint32_t row[2]; /* number of the counter in each row, and 1; 0: none */
};

/* One a process. The caller owns *out. */
SG_MUST_USE enum sg_err sgd_limits_open(struct sgd_limits **out);
/* After the last ticket was given back. Accepts NULL. */
void sgd_limits_close(struct sgd_limits *limits);

/* Any worker. SGD_CLOSE_none: counted in *ticket; SGD_CLOSE_connections_full: not. */
SG_MUST_USE enum sgd_close sgd_limits_enter(struct sgd_limits *limits, uint32_t connections_max,
                                            struct sgd_limits_ticket *ticket);
/* The same for an address, once a ticket: SGD_CLOSE_address_full. */
SG_MUST_USE enum sgd_close sgd_limits_enter_address(struct sgd_limits *limits,
                                                    const struct in6_addr *address,
                                                    uint32_t connections_max,
                                                    struct sgd_limits_ticket *ticket);
/* A request of the token that `id` tells from others, once a ticket. False: it has that many. */
bool sgd_limits_enter_token(struct sgd_limits *limits, struct sg_str id, uint32_t requests_max,
                            struct sgd_limits_ticket *ticket);
/* Gives back what *ticket holds, and clears it. */
void sgd_limits_leave(struct sgd_limits *limits, struct sgd_limits_ticket *ticket);
/* Connections counted now. */
uint32_t sgd_limits_count(const struct sgd_limits *limits);

#endif
