/* The SHA256_*() calls are marked as old in OpenSSL 3, in favour of EVP; but an EVP digest is an
 * allocation and a fetch, where these are the same assembly on plain memory: a MAC of 300 bytes
 * costs a third. They are in 3.0 and 3.5 both. */
#define OPENSSL_SUPPRESS_DEPRECATED 1

#include "base/sys/crypto.h"

#include "base/assert.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#define BLOCK_BYTES 64

_Static_assert(sizeof(struct sg_sha256) == sizeof(SHA256_CTX), "an opaque of another size");
_Static_assert(_Alignof(struct sg_sha256) >= _Alignof(SHA256_CTX), "an opaque aligned otherwise");

static SHA256_CTX *ctx_of(struct sg_sha256 *hash)
{
    return (SHA256_CTX *)(void *)hash;
}

void sg_sha256_init(struct sg_sha256 *hash)
{
    SHA256_Init(ctx_of(hash));
}

void sg_sha256_add(struct sg_sha256 *hash, const void *bytes, size_t len)
{
    SHA256_Update(ctx_of(hash), bytes, len);
}

void sg_sha256_final(struct sg_sha256 *hash, uint8_t out[SG_SHA256_BYTES])
{
    SHA256_Final(out, ctx_of(hash));
}

static void digest_put(const SHA256_CTX *ctx, uint8_t out[SG_SHA256_BYTES])
{
    for (size_t i = 0; i < 8; i++) {
        uint32_t word = __builtin_bswap32(ctx->h[i]);
        memcpy(out + 4 * i, &word, sizeof(word));
    }
}

/* The last bytes and their padding (FIPS 180-4, 5.1.1) as one block: SHA256_Final() would go byte
 * by byte and wipe what is no secret. `before`: a multiple of a block, hashed already. */
static void finish(SHA256_CTX *ctx, uint64_t before, const uint8_t *bytes, size_t len,
                   uint8_t out[SG_SHA256_BYTES])
{
    uint8_t block[BLOCK_BYTES] = {0};
    uint64_t bits = __builtin_bswap64((before + len) * 8);
    size_t rest = len % BLOCK_BYTES;
    if (rest >= BLOCK_BYTES - sizeof(bits)) { /* padding has a block of its own */
        SHA256_Update(ctx, bytes, len);
        SHA256_Final(out, ctx);
        return;
    }
    if (len > rest)
        SHA256_Update(ctx, bytes, len - rest); /* whole blocks: nothing is buffered */
    if (rest > 0)
        memcpy(block, bytes + len - rest, rest);
    block[rest] = 0x80;
    memcpy(block + BLOCK_BYTES - sizeof(bits), &bits, sizeof(bits));
    SHA256_Transform(ctx, block);
    digest_put(ctx, out);
}

void sg_sha256(const void *bytes, size_t len, uint8_t out[SG_SHA256_BYTES])
{
    struct sg_sha256 hash;
    sg_sha256_init(&hash);
    finish(ctx_of(&hash), 0, bytes, len, out);
}

void sg_hmac_key_init(struct sg_hmac_key *key, const void *bytes, size_t len)
{
    uint8_t block[BLOCK_BYTES] = {0};
    if (len > sizeof(block))
        sg_sha256(bytes, len, block);
    else if (len != 0)
        memcpy(block, bytes, len);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36;
    sg_sha256_init(&key->inner);
    sg_sha256_add(&key->inner, block, sizeof(block));
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36 ^ 0x5c;
    sg_sha256_init(&key->outer);
    sg_sha256_add(&key->outer, block, sizeof(block));
    sg_wipe(block, sizeof(block));
}

void sg_hmac_begin(const struct sg_hmac_key *key, struct sg_sha256 *hash)
{
    *hash = key->inner;
}

void sg_hmac_final(const struct sg_hmac_key *key, struct sg_sha256 *hash,
                   uint8_t out[SG_SHA256_BYTES])
{
    uint8_t inner[SG_SHA256_BYTES];
    sg_sha256_final(hash, inner);
    *hash = key->outer;
    finish(ctx_of(hash), BLOCK_BYTES, inner, sizeof(inner), out);
}

void sg_hmac(const struct sg_hmac_key *key, const void *bytes, size_t len,
             uint8_t out[SG_SHA256_BYTES])
{
    uint8_t inner[SG_SHA256_BYTES];
    struct sg_sha256 hash = key->inner;
    finish(ctx_of(&hash), BLOCK_BYTES, bytes, len, inner);
    hash = key->outer;
    finish(ctx_of(&hash), BLOCK_BYTES, inner, sizeof(inner), out);
}

void sg_hkdf(const void *salt, size_t salt_len, const void *secret, size_t secret_len,
             const void *info, size_t info_len, uint8_t *out, size_t len)
{
    SG_ASSERT(len <= 255 * SG_SHA256_BYTES);
    struct sg_hmac_key key;
    struct sg_sha256 hash;
    uint8_t block[SG_SHA256_BYTES];
    sg_hmac_key_init(&key, salt, salt_len);
    sg_hmac(&key, secret, secret_len, block);
    sg_hmac_key_init(&key, block, sizeof(block));
    for (uint8_t count = 1; len > 0; count++) {
        size_t part = SG_MIN(len, sizeof(block));
        sg_hmac_begin(&key, &hash);
        if (count > 1)
            sg_sha256_add(&hash, block, sizeof(block));
        sg_sha256_add(&hash, info, info_len);
        sg_sha256_add(&hash, &count, 1);
        sg_hmac_final(&key, &hash, block);
        memcpy(out, block, part);
        out += part;
        len -= part;
    }
    sg_wipe(&key, sizeof(key));
    sg_wipe(block, sizeof(block));
}

static bool gcm_begin(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce,
                      struct sg_str aad, int seals)
{
    int n;
    return EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seals) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)aad.ptr, (int)aad.len) == 1;
}

bool sg_gcm_seal(const uint8_t key[32], const uint8_t nonce[SG_GCM_NONCE_BYTES], struct sg_str aad,
                 struct sg_str plain, uint8_t *out, uint8_t tag[SG_GCM_TAG_BYTES])
{
    SG_ASSERT(plain.len <= INT32_MAX && aad.len <= INT32_MAX);
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && gcm_begin(ctx, key, nonce, aad, 1) &&
              EVP_CipherUpdate(ctx, out, &n, (const uint8_t *)plain.ptr, (int)plain.len) == 1 &&
              EVP_CipherFinal_ex(ctx, out + plain.len, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SG_GCM_TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool sg_gcm_open(const uint8_t key[32], const uint8_t nonce[SG_GCM_NONCE_BYTES], struct sg_str aad,
                 struct sg_str sealed, uint8_t *out, uint8_t tag[SG_GCM_TAG_BYTES])
{
    SG_ASSERT(sealed.len <= INT32_MAX && aad.len <= INT32_MAX);
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && gcm_begin(ctx, key, nonce, aad, 0) &&
              EVP_CipherUpdate(ctx, out, &n, (const uint8_t *)sealed.ptr, (int)sealed.len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SG_GCM_TAG_BYTES, tag) == 1 &&
              EVP_CipherFinal_ex(ctx, out + sealed.len, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        sg_wipe(out, sealed.len);
    return ok;
}

void sg_random(void *bytes, size_t len)
{
    SG_ASSERT(len <= INT32_MAX);
    int ok = RAND_bytes(bytes, (int)len);
    SG_ASSERT(ok == 1); /* a node without randomness must not go on */
}

bool sg_equal_secret(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    uint64_t differs = 0, one, other;
    for (; len >= sizeof(one); len -= sizeof(one), x += sizeof(one), y += sizeof(one)) {
        memcpy(&one, x, sizeof(one));
        memcpy(&other, y, sizeof(other));
        differs |= one ^ other;
        __asm__ volatile("" : "+r"(differs)); /* nothing may be made of it before the end */
    }
    for (size_t i = 0; i < len; i++)
        differs |= (uint64_t)(x[i] ^ y[i]);
    return differs == 0;
}

void sg_wipe(void *bytes, size_t len)
{
    explicit_bzero(bytes, len); /* as OPENSSL_cleanse(), by whole vectors */
}
