/* osslctx - the door to OpenSSL's contexts: what all handshakes with one set of certificates share.
 * Opened by control threads; immutable afterwards, any thread. */
#ifndef SGD_SYS_OSSLCTX_H
#define SGD_SYS_OSSLCTX_H

#include "base/err.h"
#include "dataplane/sys/osslcert.h"

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

#endif
