/* purges - the purge log of the state as a table in memory, and the question every hit asks: has a
 * purge touched this object? One a process; refreshed when sge_state_version() moved, before the
 * answer: so a purge that was acknowledged is seen by the very next request. Bounded: when it
 * is full the oldest entries become one purge of their whole tenant (more is fetched again, nothing
 * purged is ever served). */
#ifndef SGE_PURGES_H
#define SGE_PURGES_H

#include "edgecache/content/content.h"
#include "edgecache/state/purgetable.h"
#include "edgecache/state/state.h"

struct sge_purges;
/* `state` must outlive it. Reads the whole log; blocks. */
SG_MUST_USE enum sg_err sge_purges_open(struct sge_state *state, uint32_t workers,
                                        struct sge_purges **out);
void sge_purges_close(struct sge_purges *purges);

/* On worker `worker`'s thread. The usual cost: two loads and a compare. SOFT comes once for an
 * object, which is stale_forced from then on; HARD until it was withdrawn, and for everything while
 * the state can't be read. */
enum sge_purged sge_purges_check(struct sge_purges *purges, uint16_t worker,
                                 struct sge_object *object);
/* The birth_purge_seq for a fetch that begins now. */
uint64_t sge_purges_seq(struct sge_purges *purges, uint16_t worker);

#endif
