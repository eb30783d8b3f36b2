/* delivery - one worker's answers: exchanges (exchange.h) under way, and, for the keys that its
 * shard owns, the fills that bring objects in. Everything here runs on the worker's thread. */
#ifndef SGD_DELIVERY_H
#define SGD_DELIVERY_H

#include "dataplane/worker/worker.h"

/* Room for `exchanges_max` requests at once. At start; takes memory that is touched when used. */
SG_MUST_USE enum sg_err sgd_delivery_open(struct sgd_worker *worker, uint32_t exchanges_max,
                                          struct sgd_delivery **out);
/* No exchange may be open, no other worker may run, and no fetch: fetchers write into fills, and
 * workers into each other's wants. Accepts NULL. */
void sgd_delivery_close(struct sgd_delivery *delivery);
/* Every message to the worker that is a store's (SGE_MSG_*), a fetch's (SGD_FETCH_*) or a want's
 * (SGD_MSG_WANT, SGD_MSG_GOT, SGD_MSG_HINTS). */
void sgd_delivery_message(struct sgd_delivery *delivery, const struct sg_msg *msg);
/* Once a loop turn, after mail. Returns when it wants to be called next (SG_NEVER: whenever). */
uint64_t sgd_delivery_turn(struct sgd_delivery *delivery, uint64_t now_ns);
/* Exchanges, wants and fills under way: a draining worker waits for 0. */
uint32_t sgd_delivery_busy(const struct sgd_delivery *delivery);
/* Abandons every fetch that runs; harmless when repeated. They end in later turns. */
void sgd_delivery_abort(struct sgd_delivery *delivery);

enum sgd_delivery_msg {
    SGD_MSG_WANT = 0x300, /* ptr[0] want: to the key's owner */
    SGD_MSG_GOT,          /* ptr[0] want: back to the worker it came from */
    SGD_MSG_HINTS,        /* ptr[0] want, which stays the owner's: its hints may be read */
};

#endif
