/* factset - the facts that one transaction of the ledger touches, in memory: each is read once,
 * changed by events in their order, and written once by the ledger. Owner: the call that made it.
 * Allocates. */
#ifndef SGC_CHAIN_FACTSET_H
#define SGC_CHAIN_FACTSET_H

#include "controlplane/chain/ledger.h"
#include "controlplane/chain/ledgerdb.h"

struct sgc_factset_entry {
    struct sge_fact_id id;
    bool changed; /* to be written and told */
    bool bump;
    bool undone; /* it is what it was before a block that is being taken back */
    struct sgc_factrow row;
};
struct sgc_factset {
    struct sg_mdb_txn *txn;        /* borrowed: where facts are read */
    const struct sgc_ledgerdb *db; /* borrowed */
    struct sgc_factset_entry *entries;
    uint32_t count, cap;
    uint32_t *slots; /* 1 + place in entries; 0: free. Twice `cap` of them */
    uint64_t odd;    /* moves of more than was there */
};
void sgc_factset_init(struct sgc_factset *set, struct sg_mdb_txn *txn,
                      const struct sgc_ledgerdb *db);
void sgc_factset_fini(struct sgc_factset *set);
/* The fact's entry; *out is good until the next call. Where it was never heard of, `fresh` (NULL:
 * SG_ENOENT then) says what it is, and its values are zero. */
SG_MUST_USE enum sg_err sgc_factset_find(struct sgc_factset *set, const struct sge_fact_id *id,
                                         const struct sgc_factrow *fresh,
                                         struct sgc_factset_entry **out);
/* What happened at head. */
SG_MUST_USE enum sg_err sgc_factset_apply(struct sgc_factset *set, uint64_t block,
                                          const struct sgc_event *event);
/* In the order of their keys, which is how LMDB likes to be written; _find() is over then. */
void sgc_factset_sort(struct sgc_factset *set);

#endif
