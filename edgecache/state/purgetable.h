/* purgetable - purges as a table in memory: which of them is newer than an object and touches it?
 * Bounded: beyond SGE_PURGES_HELD the oldest becomes a purge of its whole tenant, and beyond
 * SGE_PURGED_TENANTS_MAX tenants a purge of one more counts for all of them. So what is forgotten
 * only ever means that more is fetched again. One thread's. */
#ifndef SGE_PURGETABLE_H
#define SGE_PURGETABLE_H

#include "base/err.h"
#include "edgecache/content/content.h"
#include "edgecache/state/state.h"

#define SGE_PURGES_HELD        65536u
#define SGE_PURGED_TENANTS_MAX 4096u

enum sge_purged { SGE_PURGED_NOT, SGE_PURGED_SOFT, SGE_PURGED_HARD };

struct sge_purgetable;
SG_MUST_USE enum sg_err sge_purgetable_open(struct sge_purgetable **out);
void sge_purgetable_close(struct sge_purgetable *table);
/* In the order of their sequence numbers. */
void sge_purgetable_add(struct sge_purgetable *table, const struct sge_purge *purge);
/* The newest sequence number added; 0: none. */
uint64_t sge_purgetable_newest(const struct sge_purgetable *table);
/* Whether one after `since` touches what `meta` describes. */
enum sge_purged sge_purgetable_check(struct sge_purgetable *table, const struct sge_meta *meta,
                                     uint64_t since);

#endif
