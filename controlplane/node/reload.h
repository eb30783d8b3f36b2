/* reload - a new configuration for both planes: first the node takes it or refuses it as a whole,
 * then the control plane does. Whoever is asked to reload, by a signal or a command, calls this.
 * The control thread; blocks for files, and binds. */
#ifndef SGC_NODE_RELOAD_H
#define SGC_NODE_RELOAD_H

#include "base/err.h"
#include "base/out.h"
#include "controlplane/node/control.h"
#include "dataplane/node/node.h"

enum sgc_reload {
    SGC_RELOAD_REFUSED, /* nothing changed */
    SGC_RELOAD_PART,    /* in force, but the control plane goes on as it was */
    SGC_RELOAD_DONE
};

struct sgc_reloaded {
    enum sgc_reload how;
    enum sg_err err; /* SG_OK: done */
};

/* `report` gets a line a mistake, and one for each key that counts only from the next start. Logs
 * what became of it. `control` may be NULL. */
SG_MUST_USE struct sgc_reloaded sgc_reload(struct sgd_node *node, struct sgc_control *control,
                                           struct sg_out *report);

/* How many were asked for until now, by whomever, and what became of the last one. */
uint32_t sgc_reloads(const struct sgc_control *control, enum sgc_reload *last);

#endif
