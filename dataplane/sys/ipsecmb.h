/* ipsecmb - the door to intel-ipsec-mb: AEADs on the processor's vector units. One manager is one
 * worker's. Where the library was not there at build time all of it but _open() is unreachable. */
#ifndef SGD_SYS_IPSECMB_H
#define SGD_SYS_IPSECMB_H

#include "base/err.h"
#include "dataplane/tls/keys.h"
#include "dataplane/tls/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An expanded key: the rounds' keys and the hash key's powers. Aligned to a cache line; 1.3 of the
 * library fills 1024 bytes of it, 2.0 fills 1264. */
#define SGD_IMB_EXPANDED_BYTES 1280

struct sgd_imb;

/* SG_ENOTSUP: not built in, or the library refuses this processor. */
SG_MUST_USE enum sg_err sgd_imb_open(struct sgd_imb **out);
/* Accepts NULL. */
void sgd_imb_close(struct sgd_imb *imb);
void sgd_imb_expand(struct sgd_imb *imb, enum sgd_tls_aead aead, const uint8_t *key,
                    void *expanded);
/* Encrypts the spans, in order, to `out`, and puts the 16 bytes of the tag behind. A span may lie
 * exactly where its ciphertext goes, or elsewhere, but not overlap it otherwise. */
void sgd_imb_seal(struct sgd_imb *imb, enum sgd_tls_aead aead, const void *expanded,
                  const uint8_t nonce[12], struct sgd_span aad, const struct sgd_span *spans,
                  size_t count, uint8_t *out);
/* Decrypts `len` bytes in place and compares the tag behind them. False: forged; the bytes are then
 * of no use. */
SG_MUST_USE bool sgd_imb_unseal(struct sgd_imb *imb, enum sgd_tls_aead aead, const void *expanded,
                                const uint8_t nonce[12], struct sgd_span aad, uint8_t *bytes,
                                size_t len);

#endif
