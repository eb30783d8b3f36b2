/* load - from a configuration file to a snapshot that workers can serve by. Control thread. */
#ifndef SGD_NODE_LOAD_H
#define SGD_NODE_LOAD_H

#include "base/out.h"
#include "dataplane/worker/snapshot.h"

struct sgd_fetchers; /* dataplane/origin/fetch.h */

/* Takes over `config`, which was read from `file`. `fetchers` NULL: the origins' pools are not made
 * (a check only). `before`: the snapshot until now, or NULL: ticket keys and the origins' health
 * carry over. */
SG_MUST_USE enum sg_err sgd_load_snapshot(const char *file, struct sg_config *config,
                                          struct sgd_fetchers *fetchers,
                                          const struct sgd_snapshot *before, struct sg_out *report,
                                          struct sgd_snapshot **out);
/* Writes `run_dir`/names.SERIAL.json: what the indices in the request log mean, for readers in
 * other processes. The last few serials' stay. */
SG_MUST_USE enum sg_err sgd_load_write_names(const struct sgd_snapshot *snapshot);

#endif
