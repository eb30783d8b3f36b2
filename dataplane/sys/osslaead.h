/* osslaead - the door to OpenSSL's AEADs (EVP): what runs everywhere. One worker's. */
#ifndef SGD_SYS_OSSLAEAD_H
#define SGD_SYS_OSSLAEAD_H

#include "base/err.h"
#include "dataplane/tls/keys.h"
#include "dataplane/tls/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgd_oaead;     /* the algorithms */
struct sgd_oaead_key; /* a key made ready, to be used again for another */

SG_MUST_USE enum sg_err sgd_oaead_open(struct sgd_oaead **out);
/* Accepts NULL. */
void sgd_oaead_close(struct sgd_oaead *oaead);
SG_MUST_USE enum sg_err sgd_oaead_key_open(struct sgd_oaead *oaead, struct sgd_oaead_key **out);
/* Accepts NULL. */
void sgd_oaead_key_close(struct sgd_oaead_key *key);
/* `seals`: for sealing, else for unsealing. SG_ENOMEM: OpenSSL could not. */
SG_MUST_USE enum sg_err sgd_oaead_key_set(struct sgd_oaead *oaead, enum sgd_tls_aead aead,
                                          bool seals, const uint8_t *bytes,
                                          struct sgd_oaead_key *key);
/* As sgd_imb_seal() and sgd_imb_unseal(). */
void sgd_oaead_seal(struct sgd_oaead_key *key, const uint8_t nonce[12], struct sgd_span aad,
                    const struct sgd_span *spans, size_t count, uint8_t *out);
SG_MUST_USE bool sgd_oaead_unseal(struct sgd_oaead_key *key, const uint8_t nonce[12],
                                  struct sgd_span aad, uint8_t *bytes, size_t len);

#endif
