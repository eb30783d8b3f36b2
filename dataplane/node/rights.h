/* rights - what the process may do: its limits, raised while that is allowed, and its user, changed
 * once the listeners are bound. Control thread, before any other thread is started: threads inherit
 * what is set here. */
#ifndef SGD_NODE_RIGHTS_H
#define SGD_NODE_RIGHTS_H

#include "base/config.h"
#include "dataplane/engine/listen.h"

/* Descriptors for every connection, locked memory for the rings and the arena. What can't be raised
 * is said in the log. */
void sgd_rights_raise_limits(const struct sg_config *config, uint32_t workers);
/* Does the memory cgroup that we are in, of version 1 or 2, let us have the RAM tier? SG_ENOMEM,
 * and says so: the kernel would kill us without a word. What can't be read limits nothing. */
SG_MUST_USE enum sg_err sgd_rights_check_memory(const struct sg_config *config,
                                                struct sg_out *report);
/* Makes `dir` (and what is above it) when absent, owned by the node's user. */
SG_MUST_USE enum sg_err sgd_rights_make_dir(const struct sg_config *config, const char *dir);
/* Gives the node's user a file that was opened before we became him: the program that an upgrade
 * starts is he from the beginning. */
SG_MUST_USE enum sg_err sgd_rights_give(const struct sg_config *config, int fd);
/* Becomes node.user where one is set and we are root, and gives him the listening sockets; keeps
 * nothing but CAP_NET_BIND_SERVICE, for listeners that a reload adds, and for the program that an
 * upgrade starts. Nothing gives new privileges after it. */
SG_MUST_USE enum sg_err sgd_rights_drop(const struct sg_config *config,
                                        const struct sgd_listen *listen);

#endif
