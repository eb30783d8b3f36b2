/* beat - what the control side says to all edges every few seconds: up to which number the stream
 * was whole at what time, and how far each chain is followed; and what an edge answers when it has
 * applied an entry. Strict, bounded. */
#ifndef SGC_FEED_BEAT_H
#define SGC_FEED_BEAT_H

#include "base/err.h"
#include "base/out.h"
#include "edgecache/state/facts.h"

#define SGC_BEAT_BYTES_MAX 16384

struct sgc_beat {
    struct sge_mark mark; /* who has applied this much ... */
    uint64_t at_ns;       /* ... knows all that was known at this Unix time */
    uint32_t chains_count;
    struct sge_chain chains[SGE_CHAINS_MAX];
};
SG_MUST_USE bool sgc_beat_write(const struct sgc_beat *beat, struct sg_out *out);
/* SG_EVERSION: written by another version of us. SG_ECORRUPT: none. */
SG_MUST_USE enum sg_err sgc_beat_read(struct sg_str bytes, struct sgc_beat *out);

struct sgc_applied {
    char edge[80];        /* the node's name */
    struct sge_mark mark; /* what it has applied */
    uint64_t appended_ns; /* Unix: when that entry came into the stream */
    uint64_t
        applied_ns; /* Unix: when it was in the edge's state; 0: it only says that it is there */
};
#define SGC_APPLIED_BYTES_MAX 160
SG_MUST_USE bool sgc_applied_write(const struct sgc_applied *applied, struct sg_out *out);
SG_MUST_USE enum sg_err sgc_applied_read(struct sg_str bytes, struct sgc_applied *out);

#endif
