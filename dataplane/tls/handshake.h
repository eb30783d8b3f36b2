/* handshake - the protocol of a TLS connection until its keys are made: OpenSSL, fed from memory,
 * one flight after the other. Once the last of its bytes was pulled it hands the keys to the engine
 * (sgd_conn_tls_install), frees all of OpenSSL's memory and lets the next protocol start. Plain
 * HTTP gets a 400 in plain text. Of one worker. */
#ifndef SGD_TLS_HANDSHAKE_H
#define SGD_TLS_HANDSHAKE_H

#include "base/err.h"
#include "dataplane/engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

struct sgd_tls_ctx;
struct sgd_handshakes; /* one worker's: those under way, and their buffers */

/* `under_way_max` handshakes at a time, more are refused (SGD_CLOSE_no_memory). */
SG_MUST_USE enum sg_err sgd_handshakes_open(struct sgd_worker *worker, uint32_t under_way_max,
                                            struct sgd_handshakes **out);
/* Every connection must have been closed before. Accepts NULL. */
void sgd_handshakes_close(struct sgd_handshakes *handshakes);
uint32_t sgd_handshakes_under_way(const struct sgd_handshakes *handshakes);

/* What starts the protocol that was agreed on, by setting the connection's proto. False: it could
 * not; the connection is then aborted. */
struct sgd_handshake_next {
    bool (*http1)(struct sgd_worker *worker, struct sgd_conn *conn);
};

/* Sets the handshake as the proto of `conn`; takes a reference on `ctx`. False: the connection must
 * be refused. `timeout_ns` is counted from `now_ns`. `next` must be static. */
SG_MUST_USE bool sgd_handshake_start(struct sgd_handshakes *handshakes, struct sgd_conn *conn,
                                     struct sgd_tls_ctx *ctx, const struct sgd_handshake_next *next,
                                     uint64_t now_ns, uint64_t timeout_ns);

#endif
