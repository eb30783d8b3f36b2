/* outbox - what one transaction of the ledger has to tell the ownership stream: changes of
 * contracts that joined gather into entries of up to SGC_OUTBOX_CHANGES_MAX, those of others are
 * held back until they join. Allocates one buffer. */
#ifndef SGC_CHAIN_OUTBOX_H
#define SGC_CHAIN_OUTBOX_H

#include "controlplane/chain/ledger.h"
#include "controlplane/chain/ledgerdb.h"

struct sgc_outbox {
    struct sg_mdb_txn *txn;        /* borrowed */
    const struct sgc_ledgerdb *db; /* borrowed */
    uint8_t *entry;                /* the one that fills */
    size_t bytes;
    uint32_t changes;
    bool wrote;
};
SG_MUST_USE enum sg_err sgc_outbox_init(struct sgc_outbox *outbox, struct sg_mdb_txn *txn,
                                        const struct sgc_ledgerdb *db);
void sgc_outbox_fini(struct sgc_outbox *outbox);
/* To the stream, or to what is held back; of a contract that never joined nothing is noted. */
SG_MUST_USE enum sg_err sgc_outbox_tell(struct sgc_outbox *outbox, const struct sge_fact_id *id,
                                        const struct sgc_factrow *row, bool bump);
/* To the stream in any case. */
SG_MUST_USE enum sg_err sgc_outbox_add(struct sgc_outbox *outbox, const struct sge_fact_id *id,
                                       const struct sgc_factrow *row, bool bump);
/* Writes what is left, before the commit. */
SG_MUST_USE enum sg_err sgc_outbox_flush(struct sgc_outbox *outbox);
/* The oldest entry's changes: sgc_ledger_outbox(). SG_ENOENT: none. */
SG_MUST_USE enum sg_err sgc_outbox_oldest(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                          uint64_t *id, struct sge_change *out, uint32_t *count);
SG_MUST_USE enum sg_err sgc_outbox_drop(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                        uint64_t upto);

#endif
