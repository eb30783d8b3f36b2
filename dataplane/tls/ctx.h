/* ctx - what a TLS listener serves with: certificates by SNI (ECDSA and RSA side by side for the
 * same names), staples, ticket keys, versions. Made from the configuration by a control thread,
 * counted, shared by all workers; a reload makes a new one. What a worker reads is immutable or
 * swapped whole, so no worker ever waits. */
#ifndef SGD_TLS_CTX_H
#define SGD_TLS_CTX_H

#include "base/config.h"
#include "base/err.h"
#include "base/out.h"

#include <stdint.h>

struct sgd_tls_ctx;

/* Reads every file that `conf` names. On failure each mistake is a line "FILE: what is wrong" in
 * `report`, and SG_ECONFIG (SG_ENOMEM, SG_ETLS: not the files' fault). `before` is the listener's
 * context until now or NULL: ticket keys made at start are carried over from it, so that a reload
 * costs no viewer a full handshake. Copies what it needs of `conf`. Blocks. */
SG_MUST_USE enum sg_err sgd_tls_ctx_open(const struct sg_conf_tls *conf, struct sgd_tls_ctx *before,
                                         struct sg_out *report, struct sgd_tls_ctx **out);
void sgd_tls_ctx_ref(struct sgd_tls_ctx *ctx);
/* The last one frees it; any thread. Accepts NULL. */
void sgd_tls_ctx_unref(struct sgd_tls_ctx *ctx);

/* To be called by one control thread every few seconds: rotates ticket keys when due, reads ticket
 * key and OCSP files again when they changed. What can't be read leaves the old in use, is told
 * once in the log. Blocks on files. */
void sgd_tls_ctx_tick(struct sgd_tls_ctx *ctx, uint64_t wall_ns);

/* For status and metrics. */
struct sgd_tls_cert_info {
    const char *path;    /* as configured; as long as the ctx */
    const char *subject; /* common name, else the first DNS name */
    const char *kind;    /* "ecdsa", "rsa", "ed25519" */
    int64_t not_after_s; /* Unix time */
    bool stapled;        /* an OCSP response is sent with it */
};
uint32_t sgd_tls_ctx_certs(const struct sgd_tls_ctx *ctx);
void sgd_tls_ctx_cert(const struct sgd_tls_ctx *ctx, uint32_t index, struct sgd_tls_cert_info *out);

#endif
