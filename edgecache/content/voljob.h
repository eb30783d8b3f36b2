/* voljob - one slice on its way from or to the disk, and a fixed number of them: each of the
 * volume's two threads has its own. */
#ifndef SGE_CONTENT_VOLJOB_H
#define SGE_CONTENT_VOLJOB_H

#include "base/slice.h"
#include "edgecache/content/record.h"

#include <sys/uio.h>

#define SGE_VOLJOBS 32u /* under way at once, a thread */

struct sge_voljob {
    struct sge_voljob *next;
    void *user;            /* whose it is */
    struct sg_slice slice; /* a write's source, held */
    struct sge_record record;
    struct iovec iov[2];
    uint8_t *rest; /* SGE_REST_BYTES_MAX, aligned */
    uint32_t page; /* where on the volume */
    uint32_t bytes;
};

struct sge_voljobs {
    struct sge_voljob all[SGE_VOLJOBS], *unused;
    uint32_t under_way;
    uint8_t *rests;
};

SG_MUST_USE enum sg_err sge_voljobs_init(struct sge_voljobs *jobs);
void sge_voljobs_fini(struct sge_voljobs *jobs);
/* There is one: the caller looked at under_way. */
struct sge_voljob *sge_voljobs_take(struct sge_voljobs *jobs);
void sge_voljobs_give(struct sge_voljobs *jobs, struct sge_voljob *job);
/* For its record at `page`: whole pages straight from or to `memory`, the rest by way of the job's
 * own two pages. Returns how many parts there are. */
uint32_t sge_voljob_aim(struct sge_voljob *job, uint32_t page, uint8_t *memory);

#endif
