/* metrics - all that the node counts, as Prometheus text 0.0.4. */
#ifndef SGC_ADMIN_METRICS_H
#define SGC_ADMIN_METRICS_H

#include "dataplane/node/node.h"

void sgc_metrics_write(const struct sgd_node_view *view, struct sg_out *out);

#endif
