/* sgt_sign - what wallets, browsers and back ends hold: private keys that sign. Keys are made of a
 * number, so that a test's bytes are the same each time (P-256's signatures apart). */
#ifndef SGT_SIGN_H
#define SGT_SIGN_H

#include "base/assert.h"
#include "base/keccak.h"
#include "base/str.h"
#include "base/sys/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

static inline void sgt_sign_secret(uint8_t number, uint8_t out[32])
{
    sg_sha256(&number, 1, out);
}

/* ---- Ed25519 ---- */

static inline EVP_PKEY *sgt_ed25519(uint8_t number, uint8_t public[32])
{
    uint8_t secret[32];
    size_t len = 32;
    sgt_sign_secret(number, secret);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
    SG_ASSERT(key != NULL && EVP_PKEY_get_raw_public_key(key, public, &len) == 1);
    return key;
}

static inline void sgt_ed25519_sign(EVP_PKEY *key, struct sg_str message, uint8_t out[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 64;
    SG_ASSERT(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1);
    SG_ASSERT(EVP_DigestSign(ctx, out, &len, (const uint8_t *)message.ptr, message.len) == 1);
    EVP_MD_CTX_free(ctx);
}

/* ---- P-256 ---- */

static inline EVP_PKEY *sgt_p256(uint8_t point[64])
{
    uint8_t whole[65];
    size_t len = 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    SG_ASSERT(key != NULL);
    SG_ASSERT(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, whole, sizeof(whole),
                                              &len) == 1);
    SG_ASSERT(len == sizeof(whole));
    memcpy(point, whole + 1, 64);
    return key;
}

static inline void sgt_p256_sign(EVP_PKEY *key, struct sg_str message, uint8_t rs[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[80];
    const uint8_t *at = der;
    size_t len = sizeof(der);
    SG_ASSERT(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1);
    SG_ASSERT(EVP_DigestSign(ctx, der, &len, (const uint8_t *)message.ptr, message.len) == 1);
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
    SG_ASSERT(BN_bn2binpad(ECDSA_SIG_get0_r(signature), rs, 32) == 32);
    SG_ASSERT(BN_bn2binpad(ECDSA_SIG_get0_s(signature), rs + 32, 32) == 32);
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(ctx);
}

/* ---- secp256k1 ---- */

static inline secp256k1_context *sgt_secp(void)
{
    static secp256k1_context *ctx;
    if (ctx == NULL)
        ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    return ctx;
}

static inline void sgt_secp_public(uint8_t number, uint8_t point[64])
{
    uint8_t secret[32], whole[65];
    size_t len = sizeof(whole);
    secp256k1_pubkey key;
    sgt_sign_secret(number, secret);
    SG_ASSERT(secp256k1_ec_pubkey_create(sgt_secp(), &key, secret) == 1);
    secp256k1_ec_pubkey_serialize(sgt_secp(), whole, &len, &key, SECP256K1_EC_UNCOMPRESSED);
    memcpy(point, whole + 1, 64);
}

static inline void sgt_secp_address(uint8_t number, uint8_t out[20])
{
    uint8_t point[64], hash[32];
    sgt_secp_public(number, point);
    sg_keccak256(point, sizeof(point), hash);
    memcpy(out, hash + 12, 20);
}

/* r, s, and 27 or 28. */
static inline void sgt_secp_sign(uint8_t number, const uint8_t digest[32], uint8_t out[65])
{
    uint8_t secret[32];
    int odd = 0;
    secp256k1_ecdsa_recoverable_signature signature;
    sgt_sign_secret(number, secret);
    SG_ASSERT(
        secp256k1_ecdsa_sign_recoverable(sgt_secp(), &signature, digest, secret, NULL, NULL) == 1);
    secp256k1_ecdsa_recoverable_signature_serialize_compact(sgt_secp(), out, &odd, &signature);
    out[64] = (uint8_t)(27 + odd);
}

#endif
