/* aead - seals and unseals with whichever library is faster here, and keeps the expanded keys of
 * the directions used last (1 KiB each, 160 ns to make anew): an idle connection costs none. One
 * worker's; allocates only in _open(). */
#ifndef SGD_TLS_AEAD_H
#define SGD_TLS_AEAD_H

#include "base/config.h"
#include "base/err.h"
#include "dataplane/tls/keys.h"
#include "dataplane/tls/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_AEAD_TAG_LEN 16u

struct sgd_aead;

/* One use of a key. `dir` is also the name under which its expanded key is kept: after its key
 * changed, or before its memory is used for something else, call sgd_aead_forget(). */
struct sgd_aead_use {
    enum sgd_tls_aead aead;
    bool seals; /* a direction always seals or never */
    const struct sgd_tls_direction *dir;
    uint32_t *slot; /* remembers where; begins as 0 */
    uint8_t nonce[12];
    struct sgd_span aad;
};

SG_MUST_USE enum sg_err sgd_aead_open(enum sg_conf_record_crypto wanted, uint32_t keys_max,
                                      struct sgd_aead **out);
/* Accepts NULL. */
void sgd_aead_close(struct sgd_aead *aead);
/* "ipsec-mb" or "openssl". */
const char *sgd_aead_name(const struct sgd_aead *aead, enum sgd_tls_aead which);

/* Ciphertext of the spans, then the tag, to `out`. */
void sgd_aead_seal(struct sgd_aead *aead, const struct sgd_aead_use *use,
                   const struct sgd_span *spans, size_t count, uint8_t *out);
/* In place; the tag stands behind `len` bytes. False: forged. */
SG_MUST_USE bool sgd_aead_unseal(struct sgd_aead *aead, const struct sgd_aead_use *use,
                                 uint8_t *bytes, size_t len);
void sgd_aead_forget(struct sgd_aead *aead, const struct sgd_tls_direction *dir, uint32_t slot);

#endif
