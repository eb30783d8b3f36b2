/* follow - follows one EVM chain, on a thread of its own: the head, block by block, with its
 * reorgs; what is safe; and the history of contracts that are not followed yet, beside it. All it
 * learns goes to the ledger. What several servers agree upon counts, nothing else; and where
 * something can't be right (another chain, a reorg below safe, a disk that fails) it says so and
 * the chain's head is no longer heard of, which closes what rests on it. docs/chains.md */
#ifndef SGC_CHAIN_FOLLOW_H
#define SGC_CHAIN_FOLLOW_H

#include "controlplane/chain/evm.h"
#include "controlplane/chain/ledger.h"
#include "controlplane/chain/servers.h"

#define SGC_FOLLOW_CONTRACTS_MAX 1024

enum sgc_finality { SGC_FINALITY_SAFE, SGC_FINALITY_FINALIZED, SGC_FINALITY_DEPTH };

struct sgc_follow_options {
    struct sg_caip_chain chain; /* eip155 */
    struct sgc_servers_options servers;
    const struct sgc_evm_contract *contracts; /* copied */
    uint32_t contracts_count;
    enum sgc_finality finality;
    uint32_t depth; /* of _DEPTH: blocks above what is safe */
    uint32_t poll_ms;
    uint32_t range_blocks_max; /* of one question about history */
    uint32_t late_s;           /* struct sge_chain */
    uint32_t retry_ms; /* a contract that was refused is read anew after this, then after twice as
                          long, up to 64 times; 0: a minute */
    const char *lock_file;     /* copied; held while we follow: another process that does is waited
                                  for. NULL: there is none */
    struct sgc_ledger *ledger; /* borrowed */
    /* On the follower's thread, each time the servers agreed on a head that the ledger has now. */
    void (*heard)(void *ctx, const struct sge_chain *chain);
    void *ctx;
};

struct sgc_follow;
SG_MUST_USE enum sg_err sgc_follow_open(const struct sgc_follow_options *options,
                                        struct sgc_follow **out);
/* Ends what is under way first. Accepts NULL. */
void sgc_follow_close(struct sgc_follow *follow);
/* Look now: somebody else says that there is a new block. Any thread. */
void sgc_follow_wake(struct sgc_follow *follow);
/* Forgets all that is known of the chain and reads it anew: after a reorg below safe. Any thread;
 * it happens on the follower's. */
void sgc_follow_rebuild(struct sgc_follow *follow);

#define SGC_FOLLOW_STATES(X)                                                                       \
    X(STARTING, "starting") /* no server was heard yet */                                          \
    X(READING, "reading")   /* what was followed before is behind: the head is not told */         \
    X(FOLLOWING, "following")                                                                      \
    X(WAITING, "waiting") /* for a quorum */                                                       \
    X(CLOSED, "closed")   /* something can't be right */
enum sgc_follow_state {
#define SGC_FOLLOW_STATE_ENUM(name, text) SGC_FOLLOW_##name,
    SGC_FOLLOW_STATES(SGC_FOLLOW_STATE_ENUM)
#undef SGC_FOLLOW_STATE_ENUM
};
const char *sgc_follow_state_text(enum sgc_follow_state state);

struct sgc_follow_counts {
    uint64_t turns, turns_failed;
    uint64_t blocks, logs, events; /* of the head */
    uint64_t history_logs, history_ranges, history_refused;
    uint64_t proven,
        disproven;    /* owners and balances, of contracts with a proof slot; blocks refused */
    uint64_t cut;     /* blocks with more balances than are proven */
    uint64_t skipped; /* logs that say nothing of ownership */
    uint64_t reorgs;
    uint32_t reorg_depth, reorg_depth_max; /* of the last; of all */
};
struct sgc_follow_status {
    enum sgc_follow_state state;
    char why[160];       /* of WAITING and CLOSED */
    char chain[64];      /* CAIP-2 */
    uint64_t head, safe; /* of the ledger */
    uint64_t latest;     /* of the servers */
    uint64_t head_s;
    uint64_t heard_ns;    /* Unix time; 0: never */
    uint64_t odd, undone; /* sgc_ledger_at */
    uint32_t contracts, joined, refused;
    uint64_t history_to; /* of the contract that is furthest behind; where joined < contracts */
    struct sgc_follow_counts counts;
    struct {
        uint32_t mints, holders, pending; /* pending: told and not safe yet */
        uint64_t lookups;                 /* of mints that moved */
    } solana;
    struct sgc_servers_stats servers;
};
void sgc_follow_status(struct sgc_follow *follow, struct sgc_follow_status *out);

#endif
