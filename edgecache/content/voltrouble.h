/* voltrouble - what goes wrong with the disk tier: counted by kind, and told with what failed,
 * where and why, at most once in ten seconds a kind. Any thread. */
#ifndef SGE_CONTENT_VOLTROUBLE_H
#define SGE_CONTENT_VOLTROUBLE_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdint.h>

enum sge_trouble {
    SGE_TROUBLE_READ,   /* the disk did not give what was asked for */
    SGE_TROUBLE_WRITE,  /* it did not take it */
    SGE_TROUBLE_RECORD, /* it gave something else: torn, rotten, overwritten */
    SGE_TROUBLE_INDEX,  /* the content index: unreadable, full, not to be committed */
    SGE_TROUBLES,
};

struct sge_troubles {
    _Atomic uint64_t count[SGE_TROUBLES];
    _Atomic uint64_t told[SGE_TROUBLES];    /* of count */
    _Atomic uint64_t told_ns[SGE_TROUBLES]; /* monotonic; 0: never */
};

/* `offset_bytes` on the volume, or SGE_TROUBLE_NOWHERE. */
#define SGE_TROUBLE_NOWHERE UINT64_MAX
void sge_trouble(struct sge_troubles *troubles, enum sge_trouble kind, uint64_t offset_bytes,
                 enum sg_err err);
uint64_t sge_trouble_count(const struct sge_troubles *troubles, enum sge_trouble kind);

#endif
