/* check - what is judged of a genuine token on every request: time, site, method, place, and what
 * the state says of it. Each answers SGD_GATE_allowed or the refusal. */
#ifndef SGD_GATE_CHECK_H
#define SGD_GATE_CHECK_H

#include "dataplane/gate/geo.h"
#include "dataplane/gate/token.h"

/* `skew_s`: how far the minter's clock may be ahead of ours; expiry is exact. */
enum sgd_gate_verdict sgd_check_time(const struct sgd_claims *claims, uint64_t now_s,
                                     uint32_t skew_s);
/* aud, and iss where there is one. */
enum sgd_gate_verdict sgd_check_tenant(const struct sgd_claims *claims, struct sg_str tenant);
/* "example.org" of "example.org:8443", "[::1]" of "[::1]:80". */
struct sg_str sgd_authority_host(struct sg_str authority);
/* Those of `matches` that are of the host hold; its port does not count. */
bool sgd_check_host(const struct sgd_match *matches, uint8_t count, struct sg_str authority);
/* `authority` in lower case; its port does not count. `path` decoded. */
enum sgd_gate_verdict sgd_check_uri(const struct sgd_claims *claims, struct sg_str authority,
                                    struct sg_str path);
enum sgd_gate_verdict sgd_check_method(const struct sgd_claims *claims, enum sgd_method method);
/* catnip and catgeoiso3166. `address` NULL: not known, which meets nothing. */
enum sgd_gate_verdict sgd_check_place(const struct sgd_claims *claims,
                                      const struct in6_addr *address,
                                      const struct sgd_place *place);
/* Revocations, rule version and facts, in the reader's version of the state. *fact: the one that
 * decided, or the first. *chains: those that the facts are of. */
enum sgd_gate_verdict sgd_check_state(const struct sgd_claims *claims,
                                      struct sge_state_reader *reader, uint32_t tenant,
                                      struct sgd_token_fact *fact, struct sgd_chains *chains);
/* Adds `chain`, once; 0 is none. SGD_CHAINS_MAX is not passed where each fact brings one. */
void sgd_chains_add(struct sgd_chains *chains, uint32_t chain);

#endif
