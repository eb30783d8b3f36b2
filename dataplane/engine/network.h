/* network - "10.0.0.0/8" and "2001:db8::/32": is an address in it? IPv4 addresses are taken and
 * compared as ::ffff:a.b.c.d. Pure. */
#ifndef SGD_NETWORK_H
#define SGD_NETWORK_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct sgd_network {
    struct in6_addr base;
    uint8_t bits; /* of the mapped address: an IPv4 /8 is 104 */
};

/* Without a length it is that one address. SG_EINVAL: it is no network, or has bits set behind its
 * length. */
SG_MUST_USE enum sg_err sgd_network_parse(const char *text, struct sgd_network *out);
bool sgd_network_has(const struct sgd_network *network, const struct in6_addr *address);
/* Is it in any of those texts? What does not parse holds nobody. */
bool sgd_network_any(const char *const *texts, uint32_t count, const struct in6_addr *address);

#endif
