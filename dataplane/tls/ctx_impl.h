/* ctx_impl - the part of a TLS context that the handshake needs; nobody else includes it. */
#ifndef SGD_TLS_CTX_IMPL_H
#define SGD_TLS_CTX_IMPL_H

#include "dataplane/tls/ctx.h"

#include <stdbool.h>

struct sgd_octx;

/* The context that a handshake begins with; as long as `ctx`. */
struct sgd_octx *sgd_tls_ctx_first(struct sgd_tls_ctx *ctx);
/* May the kernel seal what is sent? */
bool sgd_tls_ctx_ktls(const struct sgd_tls_ctx *ctx);

#endif
