/* followin - what the follower's parts share: follow.c (thread, state), followhead.c (the head and
 * its reorgs), history.c (what was before). All on the follower's thread. */
#ifndef SGC_CHAIN_FOLLOWIN_H
#define SGC_CHAIN_FOLLOWIN_H

#include "controlplane/chain/agreed.h"
#include "controlplane/chain/follow.h"

#include <pthread.h>
#include <stdatomic.h>

struct sgc_followed {
    struct sgc_evm_contract contract;
    bool known;   /* what follows is what the ledger says */
    bool begun;   /* it knows the contract */
    bool told;    /* the stream has facts of it */
    bool refused; /* a log of it could not be read: it is not followed, until it is tried again */
    uint32_t refusals; /* in a row */
    uint64_t retry_ns; /* when, monotonic */
    uint64_t to;       /* up to which block it was read; SGC_LEDGER_JOINED */
};

struct sgc_follow {
    struct sgc_follow_options options;
    char *lock_file;
    int lock_fd; /* -1: not ours yet */
    struct sgc_servers *servers;
    struct sgc_evm evm;
    struct sgc_followed *contracts;
    uint32_t contracts_count;
    bool begun;
    bool right_chain; /* the servers are this chain's */
    struct sgc_ledger_at at;
    struct sgc_eth_block latest, safe; /* of the servers, at the last turn that went well */
    uint64_t heard_ns;
    uint64_t turn_until_ns;       /* when the head is to be looked at again, monotonic */
    uint32_t range, range_steady; /* blocks of a question; how many went well since it shrank */
    struct sgc_follow_counts counts;
    char why[160];

    pthread_t thread;
    bool running;
    atomic_bool stop, rebuild;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t wake;
    bool woken;
    struct sgc_follow_status status;
};

/* The reason of what is returned next. */
SG_PRINTF(3, 4)
enum sg_err sgc_follow_fault(struct sgc_follow *follow, enum sg_err err, const char *fmt, ...);

/* Asks the ledger how far contracts are of which that is not known: before any block is added, or
 * what happened there to those who joined would be missed. */
SG_MUST_USE enum sg_err sgc_history_know(struct sgc_follow *follow);
/* Follows the head as far as the servers agree, and what is safe. */
SG_MUST_USE enum sg_err sgc_followhead_turn(struct sgc_follow *follow);
/* Reads a piece of history; *more: there is more to read. */
SG_MUST_USE enum sg_err sgc_history_turn(struct sgc_follow *follow, bool *more);

/* The logs that `filter` (its addresses are filled in here) finds of `those` contracts, as events
 * of blocks in their order. A contract whose log can't be read is refused: SG_ESTALE, ask anew. */
struct sgc_gather {
    struct sgc_events events;
    struct sgc_block *blocks; /* their `events` are set by _finish() */
    uint32_t blocks_count, blocks_cap;
    uint64_t logs;
};
SG_MUST_USE enum sg_err sgc_follow_gather(struct sgc_follow *follow, struct sgc_eth_filter *filter,
                                          struct sgc_followed *const *those, uint32_t count,
                                          struct sgc_gather *out);
void sgc_gather_fini(struct sgc_gather *gather);

#endif
