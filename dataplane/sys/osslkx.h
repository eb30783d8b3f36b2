/* osslkx - the door to what a TLS 1.3 handshake of our own needs of OpenSSL: the agreement,
 * signatures, AES-CBC for tickets. One worker's; what can be prepared is prepared once. */
#ifndef SGD_SYS_OSSLKX_H
#define SGD_SYS_OSSLKX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_OKX_SIGNATURE_MAX 1024u /* RSA of 8192 bits */

struct sgd_okx;
struct sgd_cert;

SG_MUST_USE enum sg_err sgd_okx_open(struct sgd_okx **out);
/* Accepts NULL. */
void sgd_okx_close(struct sgd_okx *okx);

/* Draws a key, and agrees on a secret with the peer's. False: the peer's is none, or no memory. */
SG_MUST_USE bool sgd_okx_agree(struct sgd_okx *okx, const uint8_t peer[32], uint8_t share[32],
                               uint8_t secret[32]);
/* Signs a SHA-256 hash: ECDSA (P-256), or RSA-PSS. *len is what was written to `out`. */
SG_MUST_USE bool sgd_okx_sign(struct sgd_okx *okx, const struct sgd_cert *cert,
                              const uint8_t hash[32], uint8_t out[SGD_OKX_SIGNATURE_MAX],
                              size_t *len);
/* AES-256-CBC with PKCS#7 padding: `out` has room for 16 bytes more. Returns what was written; 0:
 * failed. */
size_t sgd_okx_encrypt_cbc(struct sgd_okx *okx, const uint8_t key[32], const uint8_t iv[16],
                           const uint8_t *bytes, size_t len, uint8_t *out);

#endif
