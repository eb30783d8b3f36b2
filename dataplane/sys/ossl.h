/* ossl - the door to OpenSSL's TLS: a server's handshake over memory. It knows nothing of
 * connections and of time. One worker's. */
#ifndef SGD_SYS_OSSL_H
#define SGD_SYS_OSSL_H

#include "base/err.h"
#include "dataplane/tls/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgd_octx;
struct sgd_ossl;

/* Where a handshake's bytes go. False: no room, the handshake fails. */
struct sgd_ossl_sink {
    bool (*write)(void *arg, const uint8_t *bytes, size_t len);
    void *arg;
};

/* A server's handshake. `octx` must outlive it. SG_ENOMEM. */
SG_MUST_USE enum sg_err sgd_ossl_open(struct sgd_octx *octx, const struct sgd_ossl_sink *sink,
                                      struct sgd_ossl **out);
/* Accepts NULL. */
void sgd_ossl_close(struct sgd_ossl *ossl);

enum sgd_ossl_step { SGD_OSSL_MORE, SGD_OSSL_DONE, SGD_OSSL_FAILED };
/* Takes what belongs to the handshake off the front of the bytes and answers to the sink: also
 * the alert, when it failed. After DONE the bytes not taken are the first application records. */
SG_MUST_USE enum sgd_ossl_step sgd_ossl_feed(struct sgd_ossl *ossl, const uint8_t *bytes,
                                             size_t len, size_t *taken);
/* After DONE. SG_EPROTO: something was agreed on that may not be. */
SG_MUST_USE enum sg_err sgd_ossl_keys(struct sgd_ossl *ossl, struct sgd_tls_keys *out);
/* After DONE: nobody waits for what it wrote last, as for TLS 1.2's Finished. */
bool sgd_ossl_ends_with_ticket(const struct sgd_ossl *ossl);
bool sgd_ossl_resumed(const struct sgd_ossl *ossl);

#endif
