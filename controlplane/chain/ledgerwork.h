/* ledgerwork - one transaction of the ledger: what it touches, what it tells, and the walks over
 * the journal and what is held back. Begun and ended by one call of the ledger. */
#ifndef SGC_CHAIN_LEDGERWORK_H
#define SGC_CHAIN_LEDGERWORK_H

#include "controlplane/chain/factset.h"
#include "controlplane/chain/outbox.h"

struct sgc_work {
    struct sg_mdb_txn *txn;
    const struct sgc_ledgerdb *db;
    struct sgc_factset set;
    struct sgc_outbox outbox;
    uint32_t chain;
    bool based;             /* the chain has a base: */
    struct sgc_chainrow at; /* read at the beginning, written at the end */
};

SG_MUST_USE enum sg_err sgc_work_begin(struct sgc_work *work, const struct sgc_ledgerdb *db,
                                       uint32_t chain);
/* Also after a _begin() that failed: commits when `err` is SG_OK, undoes all otherwise. Returns
 * `err`, or what the commit says; *told: the outbox has more than before. */
SG_MUST_USE enum sg_err sgc_work_end(struct sgc_work *work, enum sg_err err, bool *told);

SG_MUST_USE enum sg_err sgc_work_apply(struct sgc_work *work, const struct sgc_block *block);
enum sgc_store {
    SGC_STORE_JOURNAL, /* with what was before block `block` */
    SGC_STORE_SAFE,    /* head is safe */
    SGC_STORE_PLAIN
};
/* Writes and tells what the set has changed. */
SG_MUST_USE enum sg_err sgc_work_store(struct sgc_work *work, enum sgc_store how, uint64_t block);
/* The contracts were read up to `to`. */
SG_MUST_USE enum sg_err sgc_work_read_to(struct sgc_work *work,
                                         const struct sg_caip_asset *contracts, uint32_t count,
                                         uint64_t to);
SG_MUST_USE enum sg_err sgc_work_new_head(struct sgc_work *work, const struct sgc_block *block);
SG_MUST_USE enum sg_err sgc_work_drop_blocks_below(struct sgc_work *work, uint64_t number);
/* Everything above `number` as it was: facts (to be stored yet), blocks, the head, progress. */
SG_MUST_USE enum sg_err sgc_work_undo(struct sgc_work *work, uint64_t number);
/* The journal up to `number` goes; facts are safe as they were at its end (to be stored yet). */
SG_MUST_USE enum sg_err sgc_work_safe(struct sgc_work *work, uint64_t number);
/* What was held back of a contract goes out; of one that is new to the stream, all there is. */
SG_MUST_USE enum sg_err sgc_work_publish(struct sgc_work *work, uint64_t source, bool is_new);
/* Writes and tells how much of a group is followed. */
SG_MUST_USE enum sg_err sgc_work_follow(struct sgc_work *work,
                                        const struct sgc_following *following);
/* Nothing of what a contract's history tells is followed any more. */
SG_MUST_USE enum sg_err sgc_work_unfollow(struct sgc_work *work, uint64_t source);
/* Of one contract; 0: of the chain. */
SG_MUST_USE enum sg_err sgc_work_forget(struct sgc_work *work, uint64_t source);

#endif
