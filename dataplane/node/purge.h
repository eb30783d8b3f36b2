/* purge - what an operator wants gone, as purges in the state: durable before it is acknowledged.
 * Control thread; blocks on the disk. */
#ifndef SGD_NODE_PURGE_H
#define SGD_NODE_PURGE_H

#include "base/out.h"
#include "dataplane/worker/worker.h"

struct sgd_purge_ask {
    enum sge_purge_scope scope;
    /* A URL or a URL's prefix ("https://host/path"), a tag, or nothing (tenant). */
    struct sg_str text;
    /* For tags and tenants; may be left out where there is only one. */
    struct sg_str tenant;
    bool soft; /* stale, not gone: served on while it is fetched anew */
};

/* On SG_OK every worker refuses what was named from the next request on, and after any crash; *seq
 * is the purge's number. SG_EINVAL, SG_ENOENT: `report` says what is wrong with the ask. */
SG_MUST_USE enum sg_err sgd_purge(struct sge_state *state, const struct sgd_snapshot *snapshot,
                                  const struct sgd_purge_ask *ask, struct sg_out *report,
                                  uint64_t *seq);

#endif
