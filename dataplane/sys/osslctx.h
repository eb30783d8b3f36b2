/* osslctx - the door to OpenSSL's contexts: what all handshakes with one set of certificates share.
 * Opened by control threads; immutable afterwards, any thread. */
#ifndef SGD_SYS_OSSLCTX_H
#define SGD_SYS_OSSLCTX_H

#include "base/err.h"
#include "dataplane/sys/osslcert.h"
#include "dataplane/tls/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgd_octx;

/* 80 bytes in a file, in this order, as other servers have it too. */
struct sgd_ticket_key {
    uint8_t name[16];
    uint8_t hmac[32];
    uint8_t aes[32];
};

enum sgd_ticket {
    SGD_TICKET_UNKNOWN, /* no such key: a full handshake */
    SGD_TICKET_CURRENT,
    SGD_TICKET_OLD, /* good, but a new ticket is due */
};

/* What a context asks its owner; called on any worker, inside a handshake. */
struct sgd_octx_hooks {
    /* The context for the name a client asked for (NULL: none); borrowed. */
    struct sgd_octx *(*choose)(void *arg, const char *sni);
    /* The key called `name`, or with NULL the one that new tickets are made with. */
    enum sgd_ticket (*ticket_key)(void *arg, const uint8_t *name, struct sgd_ticket_key *out);
    /* The OCSP response to send with `cert`: its length (0: none); borrowed for the call. */
    size_t (*staple)(void *arg, const struct sgd_cert *cert, const uint8_t **out);
};

struct sgd_octx_conf {
    bool tls13_only;
    uint32_t ticket_lifetime_s;
    struct sgd_octx_hooks hooks;
    void *arg;
};

/* `certs` by kind, NULL where there is none; borrowed, must outlive *out. SG_ETLS: OpenSSL refused
 * them. Control threads. */
SG_MUST_USE enum sg_err sgd_octx_open(const struct sgd_octx_conf *conf,
                                      struct sgd_cert *const certs[SGD_CERT_KINDS],
                                      struct sgd_octx **out);
/* Accepts NULL. */
void sgd_octx_close(struct sgd_octx *octx);

/* What a server of our own (dataplane/tls/server13.h) answers with. */
struct sgd_octx_credential {
    struct sgd_octx *octx;
    const struct sgd_cert *cert;
    uint16_t scheme;       /* TLS 1.3's name for how it signs */
    struct sgd_span chain; /* the entries of a Certificate message, without extensions */
    size_t leaf_len;       /* of the first; two bytes say that it has no extensions */
};
/* What OpenSSL would choose for the name (NULL: none) and the signatures that the client takes; any
 * thread. False: that is for OpenSSL to do, such as an Ed25519 or P-384 certificate. */
bool sgd_octx_credential(struct sgd_octx *octx, const char *sni, bool ecdsa_p256, bool rsa_pss,
                         struct sgd_octx_credential *out);
/* The OCSP response to send with it: its length (0: none); borrowed for the handshake's step. */
size_t sgd_octx_staple(const struct sgd_octx_credential *credential, const uint8_t **out);
/* The key that new tickets are made with; returns for how many seconds they are good. */
uint32_t sgd_octx_ticket_key(const struct sgd_octx *octx, struct sgd_ticket_key *out);

#endif
