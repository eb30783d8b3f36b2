/* core - what the parts of delivery share within one worker. Private to this folder. */
#ifndef SGD_DELIVERY_CORE_H
#define SGD_DELIVERY_CORE_H

#include "base/list.h"
#include "base/pool.h"
#include "dataplane/delivery/answer.h"
#include "dataplane/delivery/delivery.h"
#include "dataplane/delivery/want.h"

#define SGD_FILL_BUCKETS 4096
#define SGD_WAIT_BUCKETS 256

struct sgd_delivery {
    struct sgd_worker *worker;
    struct sg_pool exchanges, wants, fills, uploads, signins;
    struct sg_list fills_by_key[SGD_FILL_BUCKETS]; /* those a further want may join */
    struct sg_list waiting[SGD_WAIT_BUCKETS];      /* exchanges, by the body they wait for */
    struct sg_list outbox;                         /* wants that mail had no room for */
    struct sg_list stuck;                          /* fills that go on next turn */
    struct sg_list alive;                          /* every fill */
    struct sg_list patient; /* exchanges that wait for a want, oldest first */
    struct sgd_prefetch *prefetch;
    uint64_t request_serial;
    uint64_t fill_serial;
    uint64_t refs_told_ns;    /* when the log last had a playlist that path tokens leave behind */
    uint64_t gauges_ns;       /* when the store's gauges were last set */
    uint64_t salt;            /* for Vary markers: never repeats in a process */
    struct sgd_answer answer; /* scratch */
};

/* Mail dispatch inside delivery. */
void sgd_exchange_got(struct sgd_delivery *d, struct sgd_want *want);
/* want->hints are there for a viewer who waits; the want is still the owner's. */
void sgd_exchange_hinted(struct sgd_delivery *d, const struct sgd_want *want);
void sgd_exchange_body_moved(struct sgd_delivery *d, const void *body);
/* The origin took some of the request's body: there is room for more. */
void sgd_exchange_body_wanted(struct sgd_exchange *x);
size_t sgd_exchange_bytes(void); /* of one, for the pool */
void sgd_exchange_timeouts(struct sgd_delivery *d, uint64_t now_ns);

#endif
