/* SHA384_*() for the reason that base/sys/crypto.c gives for SHA256_*(). */
#define OPENSSL_SUPPRESS_DEPRECATED 1

#include "dataplane/sys/osslhmac.h"

#include "base/assert.h"
#include "base/sys/crypto.h"

#include <openssl/sha.h>
#include <string.h>

static void hmac256(struct sgd_span key, const struct sgd_span *spans, size_t count, uint8_t *out)
{
    struct sg_hmac_key prepared;
    struct sg_sha256 hash;
    sg_hmac_key_init(&prepared, key.bytes, key.len);
    sg_hmac_begin(&prepared, &hash);
    for (size_t i = 0; i < count; i++)
        sg_sha256_add(&hash, spans[i].bytes, spans[i].len);
    sg_hmac_final(&prepared, &hash, out);
    sg_wipe(&prepared, sizeof(prepared));
}

static void hmac384(struct sgd_span key, const struct sgd_span *spans, size_t count, uint8_t *out)
{
    uint8_t block[SHA512_CBLOCK] = {0}, inner[SHA384_DIGEST_LENGTH];
    SHA512_CTX hash;
    memcpy(block, key.bytes, key.len);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36;
    SHA384_Init(&hash);
    SHA384_Update(&hash, block, sizeof(block));
    for (size_t i = 0; i < count; i++)
        SHA384_Update(&hash, spans[i].bytes, spans[i].len);
    SHA384_Final(inner, &hash);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36 ^ 0x5c;
    SHA384_Init(&hash);
    SHA384_Update(&hash, block, sizeof(block));
    SHA384_Update(&hash, inner, sizeof(inner));
    SHA384_Final(out, &hash);
    sg_wipe(block, sizeof(block));
    sg_wipe(&hash, sizeof(hash));
}

void sgd_hmac(uint8_t hash_len, struct sgd_span key, const struct sgd_span *spans, size_t count,
              uint8_t *out)
{
    SG_ASSERT(hash_len == 32 || hash_len == 48);
    SG_ASSERT(key.len <= 64);
    if (hash_len == 32)
        hmac256(key, spans, count, out);
    else
        hmac384(key, spans, count, out);
}
