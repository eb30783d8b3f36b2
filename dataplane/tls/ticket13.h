/* ticket13 - a TLS 1.3 ticket as OpenSSL writes one (its own session structure in DER, AES-256-CBC,
 * HMAC-SHA-256): OpenSSL resumes what our own server (server13.h) began, on this node or on any
 * that has the key file. */
#ifndef SGD_TLS_TICKET13_H
#define SGD_TLS_TICKET13_H

#include "dataplane/tls/keys.h"

#include <stddef.h>
#include <stdint.h>

#define SGD_TICKET13_BYTES_MAX 256u

struct sgd_okx;
struct sgd_octx;

struct sgd_ticket13 {
    enum sgd_tls_aead aead; /* with SHA-256 */
    uint8_t psk[32];
    uint32_t age_add;  /* both drawn at random */
    const uint8_t *iv; /* 16 bytes */
    uint64_t now_s;    /* Unix time */
};

/* Returns the ticket's length (0: it could not be made) and for how many seconds it is good. */
size_t sgd_ticket13_seal(const struct sgd_ticket13 *ticket, struct sgd_okx *okx,
                         const struct sgd_octx *octx, uint8_t out[SGD_TICKET13_BYTES_MAX],
                         uint32_t *lifetime_s);

#endif
