/* admin - how the node is watched and told what to do: HTTP/1.1 on a Unix socket (everything, for
 * root, the node's user and its group) and on a loopback address (metrics and health only). Belongs
 * to the control thread, which waits on sgc_admin_fd() and then calls sgc_admin_turn(); nothing
 * here waits for a peer. One request a connection.
 *
 *   GET  /metrics   Prometheus text 0.0.4      POST /v1/reload
 *   GET  /healthz   the process lives          POST /v1/purge?scope=&text=&tenant=&soft=1
 *   GET  /readyz    it takes requests          POST /v1/drain
 *   GET  /v1/status /v1/origins /v1/explain?id= /v1/feed /v1/feed/said?ticket= /v1/chains
 *   POST /v1/chains/rebuild?chain=
 *   POST /v1/feed/say?tenant=&kind=cti|index|epoch|rule&cti=&number=&until_s= */
#ifndef SGC_ADMIN_H
#define SGC_ADMIN_H

#include "base/err.h"
#include "base/out.h"
#include "controlplane/node/control.h"
#include "dataplane/node/node.h"

struct sgc_admin;

/* Listens on config->admin of the node's configuration. `control` may be closed
 * earlier: sgc_admin_leave(). `report` gets a line on failure. */
SG_MUST_USE enum sg_err sgc_admin_open(struct sgd_node *node, struct sgc_control *control,
                                       struct sg_out *report, struct sgc_admin **out);
/* Accepts NULL. Removes the socket unless another process has put its own there. */
void sgc_admin_close(struct sgc_admin *admin);
/* The node's control plane is about to be closed. */
void sgc_admin_leave(struct sgc_admin *admin);
/* Leaves the loopback address to the process that takes over. */
void sgc_admin_yield(struct sgc_admin *admin);
/* Readable when sgc_admin_turn() has something to do. */
int sgc_admin_fd(const struct sgc_admin *admin);
/* Accepts, reads, answers, without waiting; drops who was silent for too long. */
void sgc_admin_turn(struct sgc_admin *admin);

#endif
