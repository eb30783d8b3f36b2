/* remember - what the sign-in of one node must not forget for a while: names of grants that were
 * minted from, proofs that were used, grants whose signature held. Bounded sets of 16-byte names,
 * each with the second at which it may be forgotten. Any thread: a lock is inside, so never on a
 * delivery worker. */
#ifndef SGD_GATE_REMEMBER_H
#define SGD_GATE_REMEMBER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SGD_REMEMBER_BYTES 16

struct sgd_remember;

/* Room for `names`, rounded up to a power of two. */
SG_MUST_USE enum sg_err sgd_remember_open(uint32_t names, struct sgd_remember **out);
/* Accepts NULL. */
void sgd_remember_close(struct sgd_remember *set);

/* SG_OK: it was not there, and is until `until_s`. SG_EEXIST: it is. SG_EFULL: what is there may
 * not be forgotten yet; it was not added. */
SG_MUST_USE enum sg_err sgd_remember_once(struct sgd_remember *set,
                                          const uint8_t name[SGD_REMEMBER_BYTES], uint64_t until_s,
                                          uint64_t now_s);
/* Adds it, or prolongs it; where there is no room, what would be forgotten first gives way. */
void sgd_remember_keep(struct sgd_remember *set, const uint8_t name[SGD_REMEMBER_BYTES],
                       uint64_t until_s, uint64_t now_s);
bool sgd_remember_has(struct sgd_remember *set, const uint8_t name[SGD_REMEMBER_BYTES],
                      uint64_t now_s);

#endif
