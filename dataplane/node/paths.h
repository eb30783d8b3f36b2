/* paths - which of several ways each part of the node goes here: for status, the log at start, a
 * metric. Any thread; the texts are static. */
#ifndef SGD_NODE_PATHS_H
#define SGD_NODE_PATHS_H

#include "base/config.h"
#include "dataplane/node/node.h"

struct sgd_trust;

/* What the RAM tier's memory is made of. */
struct sgd_node_path sgd_path_arena(const struct sge_content *content,
                                    const struct sg_config *config);
/* How the disk tier is written and read, or why it is not. */
struct sgd_node_path sgd_path_disk(const struct sge_content *content, bool wanted);
/* Whether a worker that asks the state may have to wait for the disk. */
struct sgd_node_path sgd_path_state(const struct sge_state *state);
/* Whether secrets may be written to a swap device. */
struct sgd_node_path sgd_path_secrets(void);
/* `trust`: NULL, or by whose key configurations must be signed. */
struct sgd_node_path sgd_path_config(const struct sgd_trust *trust);
/* `probed`: what sgd_ktls_probe() said. */
struct sgd_node_path sgd_path_ktls(enum sg_err probed);
/* `used`: the library that seals records. */
struct sgd_node_path sgd_path_crypto(const char *used);

#endif
