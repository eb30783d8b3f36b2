/* vollog - where on the volume the next record goes: a log over all segments, round and round. The
 * segment after the one that is written is always kept clean: what lies in it leaves the index, but
 * for what was used since it was written, which is copied to the log's head. The volume's thread
 * only. */
#ifndef SGE_CONTENT_VOLLOG_H
#define SGE_CONTENT_VOLLOG_H

#include "edgecache/content/content.h"
#include "edgecache/content/voldisk.h"
#include "edgecache/content/volindex.h"

struct sge_vollog;
/* Borrows disk and index. Goes on where the index says. */
SG_MUST_USE enum sg_err sge_vollog_open(struct sge_content *content, struct sge_voldisk *disk,
                                        struct sge_volindex *index, struct sge_vollog **out);
void sge_vollog_close(struct sge_vollog *log);
/* Room for a record of `bytes`: its first page. May clean a segment first, and blocks then. */
SG_MUST_USE enum sg_err sge_vollog_place(struct sge_vollog *log, uint32_t bytes, uint32_t *page);
/* A little of the cleaning ahead; *more: there is more to do. */
SG_MUST_USE enum sg_err sge_vollog_work(struct sge_vollog *log, bool *more);
/* For the commit. */
struct sge_volhead sge_vollog_head(const struct sge_vollog *log);
uint64_t sge_vollog_body_id(struct sge_vollog *log);
/* The object was asked for: it is worth another round. */
void sge_vollog_used(struct sge_vollog *log, const uint64_t hash[2]);
/* Objects that lost their place, and those that were given another. */
uint64_t sge_vollog_dropped(const struct sge_vollog *log);
uint64_t sge_vollog_readmitted(const struct sge_vollog *log);

#endif
