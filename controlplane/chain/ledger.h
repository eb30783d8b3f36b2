/* ledger - what this region knows of the chains, between those who read blocks and the ownership
 * stream: the present owner, balance and so on of everything followed, at head and at safe, a
 * journal by block hash that undoes a reorg, and an outbox of entries for the stream. One LMDB
 * environment; a block goes in whole (facts, journal, outbox, progress) or not at all. One writer
 * thread a chain at most, any thread otherwise; calls block.
 * It alone decides what bumps a generation: every change of an owner at head, also one that is
 * taken back within the block; every fall of a balance; every such change that a reorg undoes. */
#ifndef SGC_CHAIN_LEDGER_H
#define SGC_CHAIN_LEDGER_H

#include "base/caip.h"
#include "base/err.h"
#include "edgecache/state/facts.h"

struct sgc_ledger;
/* `dir`: its own folder, made when absent. */
SG_MUST_USE enum sg_err sgc_ledger_open(const char *dir, struct sgc_ledger **out);
void sgc_ledger_close(struct sgc_ledger *ledger);

enum sgc_event_kind {
    SGC_EVENT_OWNER,      /* asset: to `to` (nobody: zero length, a burn) */
    SGC_EVENT_MOVE,       /* `amount` of asset from `from` to `to`; either may be nobody */
    SGC_EVENT_BALANCE,    /* `to` has `amount` of asset now: where a chain tells balances */
    SGC_EVENT_DELEGATION, /* from `from` to `to`, for `asset` (whole: has_asset false): amount 1, 0
                           */
    SGC_EVENT_USER,       /* asset's user is `to` until `until_s` */
    SGC_EVENT_GROUPS,     /* asset belongs to `groups` from now on (collection, creators) */
};
struct sgc_event {
    enum sgc_event_kind kind;
    bool has_asset;
    struct sg_caip_asset asset;
    struct sg_caip_address from, to;
    struct sg_u256 amount;
    uint64_t until_s;
    uint32_t tx, log; /* their place in the block; events come in that order */
    uint8_t groups_count;
    uint64_t groups[SGE_FACT_GROUPS_MAX];
};
/* Blocks that nobody asked about may be left out; `parent` is then the hash of the last one given.
 */
struct sgc_block {
    const struct sg_caip_chain *chain;
    uint64_t number; /* or slot */
    uint64_t time_s;
    uint8_t hash[32], parent[32];
    const struct sgc_event *events;
    uint32_t events_count;
};
/* On top of the chain's head. SG_ESTALE: `parent` is not the head's hash: find the common block and
 * undo to it. SG_EALREADY: it is the head. */
SG_MUST_USE enum sg_err sgc_ledger_add(struct sgc_ledger *ledger, const struct sgc_block *block);
/* Many blocks far below safe at once, without a journal: history. In order; the last one's hash is
 * the head afterwards. */
SG_MUST_USE enum sg_err sgc_ledger_add_safe(struct sgc_ledger *ledger,
                                            const struct sgc_block *blocks, uint32_t count);
/* Takes back everything above block `number` in reverse, log by log. SG_ERANGE: below safe: what
 * was called safe was not; nothing is undone, and the chain must be followed anew. */
SG_MUST_USE enum sg_err sgc_ledger_undo(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number);
/* Everything up to `number` is safe; the journal below it goes. */
SG_MUST_USE enum sg_err sgc_ledger_safe(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number);

struct sgc_ledger_at {
    uint64_t head, safe, first; /* first: the oldest block whose journal is kept */
    uint8_t head_hash[32];
    uint64_t facts, undone; /* undone: blocks, ever */
};
/* SG_ENOENT: the chain was never followed. */
SG_MUST_USE enum sg_err sgc_ledger_at(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                                      struct sgc_ledger_at *out);
/* The hash of a block in the journal. SG_ENOENT: not kept. */
SG_MUST_USE enum sg_err sgc_ledger_hash(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number,
                                        uint8_t out[32]);
/* From which block on a contract was read, whole: SG_ENOENT for one that was not. */
SG_MUST_USE enum sg_err sgc_ledger_followed(struct sgc_ledger *ledger,
                                            const struct sg_caip_asset *contract, uint64_t *to);
SG_MUST_USE enum sg_err sgc_ledger_follow(struct sgc_ledger *ledger,
                                          const struct sg_caip_asset *contract, uint64_t to);
/* A fact as it stands; for sgctl own and for tests. */
SG_MUST_USE enum sg_err sgc_ledger_fact(struct sgc_ledger *ledger, const struct sge_fact_id *id,
                                        struct sge_change *out);

/* ---- the outbox: what the stream does not have yet ---- */
/* Up to `max` changes of the oldest entry, which becomes one entry of the stream; *id is its number
 * here, which never comes again: the stream's id to append it by. Returns how many; 0: none. */
uint32_t sgc_ledger_outbox(struct sgc_ledger *ledger, uint64_t *id, struct sge_change *out,
                           uint32_t max);
/* The stream has it. */
SG_MUST_USE enum sg_err sgc_ledger_sent(struct sgc_ledger *ledger, uint64_t id);
/* Readable when the outbox is not empty. */
int sgc_ledger_fd(const struct sgc_ledger *ledger);
#define SGC_OUTBOX_CHANGES_MAX 1024

#endif
