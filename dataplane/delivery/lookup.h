/* lookup - from a request to what the RAM tier has for it: the primary key, a Vary marker's detour,
 * purges, freshness. Any worker. */
#ifndef SGD_LOOKUP_H
#define SGD_LOOKUP_H

#include "dataplane/delivery/reuse.h"
#include "dataplane/worker/worker.h"

struct sgd_lookup_ask {
    const struct sgd_request *req;
    const struct sgd_cc *cc; /* NULL: the viewer's wishes do not count here */
    struct sge_key primary;
    char *variant_memory; /* SGE_KEY_BYTES_MAX: where a variant's key is written */
};

struct sgd_lookup {
    struct sge_object *object; /* a reference is the caller's; NULL: nothing that could be used */
    enum sgd_reuse reuse;      /* of object */
    bool pass;                 /* known not to be for sharing: go on alone */
    bool vary;                 /* key is a variant's */
    struct sge_key key;        /* where it is, or would be */
};

void sgd_lookup(struct sgd_worker *worker, const struct sgd_lookup_ask *ask,
                struct sgd_lookup *out);

#endif
