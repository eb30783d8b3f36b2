/* factrow - a fact as it lies in the state, in copies of it and under its digest: a fixed part,
 * then the 32-byte values without their leading zeros, each once (what equals the head's value is
 * not written again). One row a fact: equal facts are equal bytes, but for when we heard of them.
 *   0 kind, groups, lengths of head, safe, holder, token (ALSO_HEAD: the same as head), flags, 0
 *   8 chain u32, log u32; 16 generation; 24 check; 32 block; 40 changed_ns
 *  48 [until_s], head, safe, holder, token, groups */
#ifndef SGE_STATE_FACTROW_H
#define SGE_STATE_FACTROW_H

#include "edgecache/state/facts.h"

#define SGE_FACTROW_FIXED   48
#define SGE_FACTROW_MAX     (SGE_FACTROW_FIXED + 8 + 4 * 32 + 8 * SGE_FACT_GROUPS_MAX)
#define SGE_FACTROW_CHANGED 40 /* offset of changed_ns: each node's own */

struct sge_factrow {
    struct sge_change change; /* without id.key, which is the row's key, and without bump */
    uint64_t generation, changed_ns;
};

/* Returns its length. */
size_t sge_factrow_put(const struct sge_factrow *row, uint8_t out[SGE_FACTROW_MAX]);
/* False: not such a row. */
bool sge_factrow_read(struct sg_str bytes, struct sge_factrow *out);
/* What every request asks, without the rest. False: not such a row, as far as was looked. */
bool sge_factrow_brief(struct sg_str bytes, struct sge_fact *out);

#endif
