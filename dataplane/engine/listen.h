/* listen - the listening sockets of a node: for every configured address one a worker, which the
 * kernel fills evenly (SO_REUSEPORT). Sockets that the process was started with (LISTEN_FDS, as
 * systemd and a StreamGate that upgrades itself hand over) are recognised by the address that they
 * are bound to and used first, all of them: a connection that waits in one is not lost. A set never
 * changes; a reload makes the next one, which has the sockets of the addresses that stay. Control
 * thread. */
#ifndef SGD_LISTEN_H
#define SGD_LISTEN_H

#include "base/config.h"
#include "base/err.h"
#include "base/out.h"
#include "dataplane/engine/engine.h"

#include <netinet/in.h>

#define SGD_LISTEN_PASSED_MAX 1024 /* sockets handed over */

struct sgd_listen;

/* "1.2.3.4:443" or "[2001:db8::1]:443": SG_OK, or SG_EINVAL. IPv4 becomes ::ffff:1.2.3.4. */
SG_MUST_USE enum sg_err sgd_listen_parse(const char *text, struct sockaddr_in6 *out);
/* Makes or inherits the sockets of every listener. On failure `report` has a line that names the
 * listener. The caller owns *out. */
SG_MUST_USE enum sg_err sgd_listen_open(const struct sg_config *config, uint32_t workers,
                                        struct sg_out *report, struct sgd_listen **out);
/* The set of another configuration, which shares the sockets of addresses that `now` has too. New
 * ones are bound, and listen; on failure they are closed, nothing has changed, and `report` has a
 * line that names the listener. The caller owns *out, and ends one of the two by
 * sgd_listen_close_but(). */
SG_MUST_USE enum sg_err sgd_listen_next(const struct sgd_listen *now,
                                        const struct sg_config *config, struct sg_out *report,
                                        struct sgd_listen **out);
/* Closes the sockets: their engines must have stopped accepting. Accepts NULL. */
void sgd_listen_close(struct sgd_listen *set);
/* The same, but for the sockets that `kept` has too; NULL: none. */
void sgd_listen_close_but(struct sgd_listen *set, const struct sgd_listen *kept);
/* Before root is dropped: makes them the user's, whom the kernel would otherwise refuse more of the
 * same port. */
SG_MUST_USE enum sg_err sgd_listen_give(const struct sgd_listen *set, uid_t uid, gid_t gid);
/* Those of one worker, valid as long as the set: at least one a listener. */
const struct sgd_listener *sgd_listen_worker(const struct sgd_listen *set, uint32_t worker,
                                             size_t *count);
/* In a forked child that is about to exec the next StreamGate: leaves every socket open for it, as
 * descriptors 3 and up, and sets LISTEN_FDS and LISTEN_PID. */
SG_MUST_USE enum sg_err sgd_listen_pass(const struct sgd_listen *set);

#endif
