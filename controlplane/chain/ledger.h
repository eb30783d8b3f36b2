/* ledger - what this region knows of the chains, between those who read blocks and the ownership
 * stream: the present owner, balance and so on of everything followed, at head and at safe, a
 * journal by block hash that undoes a reorg, and an outbox of entries for the stream. One LMDB
 * environment; what a call brings goes in whole (facts, journal, outbox, progress) or not at all,
 * and is on disk when it returns SG_OK. One writer thread a chain, any thread otherwise; calls
 * block.
 * It alone decides what bumps a generation: every change of an owner at head, also one that is
 * taken back within the block; every fall of a balance; every such change that a reorg undoes.
 *
 * A contract is read from its first block up to safe (sgc_ledger_add_safe), through the journal up
 * to the head (sgc_ledger_add_more), and then joins: what its history says is held back until then,
 * since half a history names owners who have sold long ago. From then on its events come with the
 * chain's blocks (sgc_ledger_add). */
#ifndef SGC_CHAIN_LEDGER_H
#define SGC_CHAIN_LEDGER_H

#include "base/caip.h"
#include "base/err.h"
#include "edgecache/state/facts.h"

struct sgc_ledger;
/* `dir`: its own folder, made when absent. */
SG_MUST_USE enum sg_err sgc_ledger_open(const char *dir, struct sgc_ledger **out);
/* Accepts NULL. */
void sgc_ledger_close(struct sgc_ledger *ledger);
/* Random, from when it was made: one made anew is another. */
void sgc_ledger_name(struct sgc_ledger *ledger, uint8_t out[16]);

enum sgc_event_kind {
    SGC_EVENT_OWNER,      /* asset: to `to` (nobody: zero length, a burn) */
    SGC_EVENT_MOVE,       /* `amount` of asset from `from` to `to`; either may be nobody */
    SGC_EVENT_BALANCE,    /* `to` has `amount` of asset now: where a chain tells balances */
    SGC_EVENT_DELEGATION, /* from `from` to `to`, for `asset` (whole: has_asset false): amount 1, 0
                           */
    SGC_EVENT_USER,       /* asset's user is `to` until `until_s` */
    SGC_EVENT_GROUPS,     /* asset belongs to `groups` besides its contract's from now on */
};
struct sgc_event {
    enum sgc_event_kind kind;
    bool has_asset;
    struct sg_caip_asset asset;
    uint64_t source; /* sge_group_contract() of the contract whose history it is part of */
    struct sg_caip_address from, to;
    struct sg_u256 amount;
    uint64_t until_s;
    uint32_t tx, log; /* their place in the block; events come in that order */
    uint8_t groups_count;
    uint64_t groups[SGE_FACT_GROUPS_MAX - 1];
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

/* ---- a contract's history ---- */
#define SGC_LEDGER_JOINED UINT64_MAX
struct sgc_ledger_progress {
    uint64_t to; /* up to which block it was read, whole; SGC_LEDGER_JOINED: with the head */
    bool told;   /* it joined before: what the stream has of it is from then */
};
/* SG_ENOENT: nothing was read of it. */
SG_MUST_USE enum sg_err sgc_ledger_followed(struct sgc_ledger *ledger,
                                            const struct sg_caip_asset *contract,
                                            struct sgc_ledger_progress *out);
/* What happened to `contracts` after the block up to which they were read, up to block `to`: at or
 * below safe, in order, without a journal. SG_EALREADY: one of them was read that far. */
struct sgc_span {
    const struct sg_caip_chain *chain;
    const struct sg_caip_asset *contracts;
    uint32_t contracts_count;
    uint64_t to;
    const struct sgc_block *blocks; /* those with events; hashes do not count */
    uint32_t blocks_count;
};
SG_MUST_USE enum sg_err sgc_ledger_add_safe(struct sgc_ledger *ledger, const struct sgc_span *span);
/* The chain goes on from this block, which is safe: its head, and safe, are here now. SG_ESTALE:
 * it is there or further already, or the journal has blocks that are not safe. */
SG_MUST_USE enum sg_err sgc_ledger_base(struct sgc_ledger *ledger, const struct sgc_block *block);
/* What happened to `contracts` in a block that the journal has: the next after those up to which
 * they were read. SG_ESTALE: the journal has another, or none; SG_EALREADY as above. */
SG_MUST_USE enum sg_err sgc_ledger_add_more(struct sgc_ledger *ledger,
                                            const struct sgc_block *block,
                                            const struct sg_caip_asset *contracts,
                                            uint32_t contracts_count);
/* It was read up to the chain's head (SG_ESTALE: not so): what was held back goes out. */
SG_MUST_USE enum sg_err sgc_ledger_join(struct sgc_ledger *ledger,
                                        const struct sg_caip_asset *contract);
/* How much the stream has of a group from now on: of a contract, a collection, a creator, or the
 * delegations of a chain. `source`: the contract whose history tells it; leaving or forgetting that
 * takes it back, reading more of it does not: what is known stays so, and how old it is the chain's
 * head says. Said again it costs a look. */
struct sgc_following {
    uint64_t source, group;
    enum sge_followed how;
};
SG_MUST_USE enum sg_err sgc_ledger_follow(struct sgc_ledger *ledger,
                                          const struct sg_caip_chain *chain,
                                          const struct sgc_following *following);
/* Its events no longer come with the chain's blocks; what is known of it stays, and the stream is
 * told that it is followed no longer. `source`: its sge_group_contract(), since who leaves may be
 * named nowhere else any more. */
SG_MUST_USE enum sg_err sgc_ledger_leave(struct sgc_ledger *ledger,
                                         const struct sg_caip_chain *chain, uint64_t source);
/* Its events no longer come with the chain's blocks, but from the head on as history, until it
 * joins again. To the stream it is followed as it was. */
SG_MUST_USE enum sg_err sgc_ledger_reread(struct sgc_ledger *ledger,
                                          const struct sg_caip_asset *contract);
/* _leave() of every contract that joined, of all chains but these. */
SG_MUST_USE enum sg_err sgc_ledger_leave_chains(struct sgc_ledger *ledger,
                                                const struct sg_caip_chain *kept, uint32_t count);
/* All that is known of it was wrong, perhaps: nobody holds anything of it any more, until it is
 * read anew from its first block. */
SG_MUST_USE enum sg_err sgc_ledger_forget(struct sgc_ledger *ledger,
                                          const struct sg_caip_asset *contract);
/* Every contract that is known of a chain, joined or not, as sge_group_contract(). Returns how
 * many. */
uint32_t sgc_ledger_sources(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                            uint64_t *out, uint32_t max);

/* ---- the head ---- */
/* On top of the chain's head: what happened to all that joined. SG_ESTALE: `parent` is not the
 * head's hash: find the common block and undo to it. SG_EALREADY: it is the head. SG_ENOENT: the
 * chain has no base. */
SG_MUST_USE enum sg_err sgc_ledger_add(struct sgc_ledger *ledger, const struct sgc_block *block);
/* Takes back everything above block `number`: each fact is again what it was before the first log
 * of those blocks. SG_ERANGE: below safe: what was called safe was not; nothing is undone, and the
 * chain must be followed anew. */
SG_MUST_USE enum sg_err sgc_ledger_undo(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number);
/* Everything up to `number` is safe; the journal below it goes. */
SG_MUST_USE enum sg_err sgc_ledger_safe(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number);
/* Forgets the chain with all its contracts: it has no base then. */
SG_MUST_USE enum sg_err sgc_ledger_forget_chain(struct sgc_ledger *ledger,
                                                const struct sg_caip_chain *chain);

struct sgc_ledger_at {
    uint64_t head, safe, first; /* first: the oldest block that the journal knows */
    uint64_t head_s;            /* the head's own time */
    uint8_t head_hash[32];
    uint64_t facts;  /* of all chains */
    uint64_t undone; /* blocks, ever */
    uint64_t odd;    /* moves of more than was there, or than fits: counted as all there is */
};
/* SG_ENOENT: the chain has no base. */
SG_MUST_USE enum sg_err sgc_ledger_at(struct sgc_ledger *ledger, const struct sg_caip_chain *chain,
                                      struct sgc_ledger_at *out);
/* The hash of a block in the journal. SG_ENOENT: not kept. */
SG_MUST_USE enum sg_err sgc_ledger_hash(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number,
                                        uint8_t out[32]);
/* The first block of the journal above `number`. SG_ENOENT: there is none. */
SG_MUST_USE enum sg_err sgc_ledger_next(struct sgc_ledger *ledger,
                                        const struct sg_caip_chain *chain, uint64_t number,
                                        struct sgc_block *out);
/* A fact as it stands, never with a bump; for sgctl own and for tests. SG_ENOENT: not known. */
SG_MUST_USE enum sg_err sgc_ledger_fact(struct sgc_ledger *ledger, const struct sge_fact_id *id,
                                        struct sge_change *out);

/* ---- the outbox: what the stream does not have yet ---- */
/* The changes of the oldest entry, which becomes one entry of the stream; *id is its number here,
 * which never comes again: the stream's id to append it by. `max`: SGC_OUTBOX_CHANGES_MAX or more.
 * Returns how many; 0: none. One thread. */
uint32_t sgc_ledger_outbox(struct sgc_ledger *ledger, uint64_t *id, struct sge_change *out,
                           uint32_t max);
/* The stream has it, and what came before. */
SG_MUST_USE enum sg_err sgc_ledger_sent(struct sgc_ledger *ledger, uint64_t id);
/* Readable when the outbox is not empty. */
int sgc_ledger_fd(const struct sgc_ledger *ledger);
#define SGC_OUTBOX_CHANGES_MAX 1024

#endif
