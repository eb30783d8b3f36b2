/* nonce - the name (cti) that a grant is given before anybody signs it: when it was issued, a few
 * random bytes, and a MAC under a key that follows from the tenant's. Nothing is kept of it, and
 * every edge with the tenant's key can tell that one of them issued it, and when. Pure but for the
 * random bytes; any thread. */
#ifndef SGD_GATE_NONCE_H
#define SGD_GATE_NONCE_H

#include "base/sys/crypto.h"

#define SGD_NONCE_BYTES 16

/* From K_tenant (keys.h): HKDF-SHA-256, info "streamgate/nonce". */
void sgd_nonce_key(const uint8_t tenant_key[32], struct sg_hmac_key *out);
/* Seconds of 4 bytes, 4 random ones, 8 of the MAC over both. */
void sgd_nonce_make(const struct sg_hmac_key *key, uint64_t now_s, uint8_t out[SGD_NONCE_BYTES]);
/* False: an edge of ours did not issue it. */
bool sgd_nonce_read(const struct sg_hmac_key *key, const uint8_t nonce[SGD_NONCE_BYTES],
                    uint64_t *issued_s);

#endif
