/* crypto - the hashes and MACs that all rooms use, over OpenSSL's libcrypto: SHA-256, HMAC-SHA-256
 * with a key prepared once, HKDF-SHA-256, AES-256-GCM of a few bytes, random bytes, comparison in
 * constant time. But for AES-GCM nothing here allocates or fails; any thread. Ciphers and TLS are
 * not here: dataplane/tls. */
#ifndef SG_BASE_SYS_CRYPTO_H
#define SG_BASE_SYS_CRYPTO_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SG_SHA256_BYTES 32

/* A hash under way; copyable. */
struct sg_sha256 {
    uint32_t opaque[28];
};

void sg_sha256(const void *bytes, size_t len, uint8_t out[SG_SHA256_BYTES]);
void sg_sha256_init(struct sg_sha256 *hash);
void sg_sha256_add(struct sg_sha256 *hash, const void *bytes, size_t len);
/* *hash must be begun anew afterwards. */
void sg_sha256_final(struct sg_sha256 *hash, uint8_t out[SG_SHA256_BYTES]);

/* The two blocks that every MAC under a key begins with, hashed already. As secret as the key. */
struct sg_hmac_key {
    struct sg_sha256 inner, outer;
};

void sg_hmac_key_init(struct sg_hmac_key *key, const void *bytes, size_t len);
void sg_hmac(const struct sg_hmac_key *key, const void *bytes, size_t len,
             uint8_t out[SG_SHA256_BYTES]);
/* The same in pieces: *hash is what _begin() filled, to be fed with sg_sha256_add(). */
void sg_hmac_begin(const struct sg_hmac_key *key, struct sg_sha256 *hash);
void sg_hmac_final(const struct sg_hmac_key *key, struct sg_sha256 *hash,
                   uint8_t out[SG_SHA256_BYTES]);

/* RFC 5869. `len` up to 255 * 32. An empty salt is allowed. */
void sg_hkdf(const void *salt, size_t salt_len, const void *secret, size_t secret_len,
             const void *info, size_t info_len, uint8_t *out, size_t len);

/* AES-256-GCM in one go; `aad` is bound, not written. `out` has the length of what goes in. False:
 * no memory; of opening also: not what was sealed, and `out` is wiped. */
#define SG_GCM_NONCE_BYTES 12
#define SG_GCM_TAG_BYTES   16
bool sg_gcm_seal(const uint8_t key[32], const uint8_t nonce[SG_GCM_NONCE_BYTES], struct sg_str aad,
                 struct sg_str plain, uint8_t *out, uint8_t tag[SG_GCM_TAG_BYTES]);
bool sg_gcm_open(const uint8_t key[32], const uint8_t nonce[SG_GCM_NONCE_BYTES], struct sg_str aad,
                 struct sg_str sealed, uint8_t *out, uint8_t tag[SG_GCM_TAG_BYTES]);

/* From the system's generator; aborts where it can't give any. */
void sg_random(void *bytes, size_t len);
/* Takes as long for equal as for different bytes. */
bool sg_equal_secret(const void *a, const void *b, size_t len);
/* Overwrites, and is not optimised away. */
void sg_wipe(void *bytes, size_t len);

#endif
