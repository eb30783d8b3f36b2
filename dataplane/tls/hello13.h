/* hello13 - reads a ClientHello: is it one that our own TLS 1.3 server (server13.h) answers? Those
 * are the plain ones: TLS 1.3, an X25519 key share, a suite with SHA-256, no resumption, nothing
 * malformed, nothing twice. Every other is OpenSSL's to answer or to refuse. Pure; no allocation.
 */
#ifndef SGD_TLS_HELLO13_H
#define SGD_TLS_HELLO13_H

#include "dataplane/tls/keys.h"
#include "dataplane/tls/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_HELLO13_SHARE_BYTES 32u
#define SGD_HELLO13_PLAIN_MIN   512u /* bytes a record; who takes less only is OpenSSL's */

struct sgd_hello13 {
    struct sgd_span session_id; /* to be echoed; lies in the message */
    const uint8_t *share;       /* X25519; lies in the message */
    enum sgd_tls_aead aead;     /* what is agreed on */
    bool ecdsa_p256, rsa_pss;   /* signatures that the client takes, both with SHA-256 */
    bool staple;                /* it asked for an OCSP response */
    bool tickets;               /* it can use them: with a new key exchange */
    uint16_t size_limit;        /* of records that it takes, their type included; 0: none */
    bool alpn;                  /* it offered protocols, http/1.1 among them */
    char name[256];             /* of the server; "": none */
};

/* `message` is the whole handshake message with its header. Writes *out only when true; what that
 * points to is the message's. */
bool sgd_hello13_read(const uint8_t *message, size_t len, struct sgd_hello13 *out);

#endif
