/* paths - which of several ways the store goes here: for status, the log at start, a metric. Any
 * thread; the texts are static. */
#ifndef SGD_NODE_PATHS_H
#define SGD_NODE_PATHS_H

#include "base/config.h"
#include "dataplane/node/node.h"

/* What the RAM tier's memory is made of. */
struct sgd_node_path sgd_path_arena(const struct sge_content *content,
                                    const struct sg_config *config);
/* How the disk tier is written and read, or why it is not. */
struct sgd_node_path sgd_path_disk(const struct sge_content *content, bool wanted);

#endif
