/* vollog - where on the volume the next record goes: a log over all segments, round and round. The
 * segment after the one that is written is always kept clean: what lies in it leaves the index, but
 * for what was used since it was written, which is copied to the log's head. The volume's thread
 * only. */
#ifndef SGE_CONTENT_VOLLOG_H
#define SGE_CONTENT_VOLLOG_H

#include "edgecache/content/content.h"
#include "edgecache/content/voldisk.h"
#include "edgecache/content/volindex.h"
#include "edgecache/content/voltrouble.h"

/* Names of objects that were asked for: those are worth another round. Any thread marks. */
#define SGE_VOLUSED_SLOTS (1u << 16)
struct sge_volused {
    _Atomic bool slots[SGE_VOLUSED_SLOTS];
};
static inline void sge_volused_mark(struct sge_volused *used, const uint64_t hash[2])
{
    atomic_store_explicit(&used->slots[hash[0] % SGE_VOLUSED_SLOTS], true, memory_order_relaxed);
}

struct sge_vollog;
struct sge_vollog_on {
    struct sge_content *content;
    struct sge_voldisk *disk;
    struct sge_volindex *index;
    struct sge_volused *used;
    struct sge_troubles *troubles;
};
/* Borrows what it stands on. Goes on where the index says. */
SG_MUST_USE enum sg_err sge_vollog_open(const struct sge_vollog_on *on, struct sge_vollog **out);
void sge_vollog_close(struct sge_vollog *log);
/* Room for a record of `bytes` in this segment: its first page. False: it is full. */
SG_MUST_USE bool sge_vollog_place(struct sge_vollog *log, uint32_t bytes, uint32_t *page);
/* Cleans what is left to clean of the next segment. Blocks. */
SG_MUST_USE enum sg_err sge_vollog_clean(struct sge_vollog *log);
/* To the next segment. It is clean, that was committed, and nobody reads what lay there. */
void sge_vollog_advance(struct sge_vollog *log);
/* A little of the cleaning ahead; *more: there is more to do. */
SG_MUST_USE enum sg_err sge_vollog_work(struct sge_vollog *log, bool *more);
/* How often it went on to another segment. */
uint64_t sge_vollog_advances(const struct sge_vollog *log);
/* For the commit. */
struct sge_volhead sge_vollog_head(const struct sge_vollog *log);
uint64_t sge_vollog_body_id(struct sge_vollog *log);
/* Objects that lost their place, and those that were given another. */
uint64_t sge_vollog_dropped(const struct sge_vollog *log);
uint64_t sge_vollog_readmitted(const struct sge_vollog *log);

#endif
