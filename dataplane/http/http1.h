/* http1 - HTTP/1.1 over a connection of any engine: one request at a time, answers in order (RFC
 * 9112). Reads heads (head1) and bodies (chunked), opens exchanges (exchange.h) and writes what
 * they answer (answer1). Of one worker.
 *
 * Bounds: the next head is not read before the answer under way is done, so a pipeline costs its
 * sender's memory, not ours. A connection between requests holds 128 bytes; the rest is taken with
 * a head's first byte and given back with its answer's last. */
#ifndef SGD_HTTP_HTTP1_H
#define SGD_HTTP_HTTP1_H

#include "base/config.h"
#include "dataplane/engine/engine.h"

struct sgd_http1s; /* one worker's connections, and their memory */

/* For as many connections as `limits` allows a node, with heads of its header_bytes; a later
 * configuration's larger ones are held to that. Memory is touched when used. */
SG_MUST_USE enum sg_err sgd_http1s_open(struct sgd_worker *worker,
                                        const struct sg_conf_limits *limits,
                                        struct sgd_http1s **out);
/* After the engine was closed. Accepts NULL. */
void sgd_http1s_close(struct sgd_http1s *http1s);

/* Makes HTTP/1.1 the protocol of `conn` (struct sgd_handshake_next takes it). False: no room; the
 * caller refuses the connection. */
SG_MUST_USE bool sgd_http1_start(struct sgd_worker *worker, struct sgd_conn *conn);

#endif
