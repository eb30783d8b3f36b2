/* purgelog - the purges within the state's environment: numbered, appended, and bounded. Only
 * state.c uses it, inside its own transactions. */
#ifndef SGE_PURGELOG_H
#define SGE_PURGELOG_H

#include "base/sys/mdb.h"
#include "edgecache/state/state.h"

struct sge_purgelog {
    uint32_t log;   /* db: sequence number -> purge */
    uint32_t folds; /* db: tenant -> sequence number of its one folded entry */
    uint32_t marks; /* db: "newest", "unfolded" -> sequence number */
};

SG_MUST_USE enum sg_err sge_purgelog_init(struct sg_mdb *mdb, struct sge_purgelog *log);
/* Appends *purge under the next number, and folds the oldest entry when more than `keep` are there:
 * it becomes, at its own number, a purge of its whole tenant, in place of the tenant's folded entry
 * before. So the log holds `keep` entries and one a tenant. */
SG_MUST_USE enum sg_err sge_purgelog_append(struct sg_mdb_txn *txn, const struct sge_purgelog *log,
                                            const struct sge_purge *purge, uint32_t keep,
                                            uint64_t *seq);
uint64_t sge_purgelog_newest(struct sg_mdb_txn *txn, const struct sge_purgelog *log);
/* Up to `max` after `seq` by `cursor` (of log->log). */
uint32_t sge_purgelog_after(struct sg_mdb_cursor *cursor, uint64_t seq, struct sge_purge *out,
                            uint32_t max);

#endif
