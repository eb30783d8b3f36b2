/* volread - the half of the volume that reads: a thread with a mailbox of its own, that answers
 * what shards ask and waits for nothing but the disk's reads: not for what is written, cleaned or
 * committed meanwhile. It sees the content index as of its last commit; what was changed since is
 * known to the key's owner, who does not ask (tier). */
#ifndef SGE_CONTENT_VOLREAD_H
#define SGE_CONTENT_VOLREAD_H

#include "edgecache/content/volume.h"

struct sge_volread;
/* Borrows the volume, whose disk and index are open; starts the thread. Its mailbox is the one
 * after the volume's. */
SG_MUST_USE enum sg_err sge_volread_open(struct sge_volume *volume, struct sge_volread **out);
/* After the shards' threads ended: answers what they still asked. Accepts NULL. */
void sge_volread_close(struct sge_volread *read);
uint64_t sge_volread_count(const struct sge_volread *read);

/* ---- the volume's thread ---- */

/* Waits until every read under way began after the last commit: what that took from the index, and
 * the place on the disk where it lay, is nobody's any more. */
void sge_volread_pass(const struct sge_volread *read);
/* Nothing is looked up or read from now on. True once nothing is under way either. */
bool sge_volread_let_go(struct sge_volread *read);

#endif
