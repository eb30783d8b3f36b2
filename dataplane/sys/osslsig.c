#include "dataplane/sys/osslsig.h"

#include "base/assert.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- P-256 ---- */

/* The curve's parameters, to which a key is but a point: built once, for the process. */
static EVP_PKEY *p256_template;

static void p256_make(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_group_name(ctx, SN_X9_62_prime256v1) == 1 &&
        EVP_PKEY_paramgen(ctx, &p256_template) != 1)
        p256_template = NULL;
    EVP_PKEY_CTX_free(ctx);
}

static EVP_PKEY *p256_key(const uint8_t point[64])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t whole[65] = {0x04};
    pthread_once(&once, p256_make);
    EVP_PKEY *key = p256_template == NULL ? NULL : EVP_PKEY_dup(p256_template);
    memcpy(whole + 1, point, sizeof(whole) - 1);
    if (key == NULL || EVP_PKEY_set1_encoded_public_key(key, whole, sizeof(whole)) != 1) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* r and s as the SEQUENCE of two INTEGERs that OpenSSL takes: at most 2 + 2 * (2 + 33) bytes. */
static size_t der_of(const uint8_t rs[64], uint8_t out[72])
{
    uint8_t *at = out + 2;
    for (int half = 0; half < 2; half++) {
        const uint8_t *v = rs + 32 * half;
        size_t skip = 0;
        while (skip < 31 && v[skip] == 0)
            skip++;
        const bool sign = (v[skip] & 0x80) != 0;
        *at++ = 0x02;
        *at++ = (uint8_t)(32 - skip + sign);
        if (sign)
            *at++ = 0;
        memcpy(at, v + skip, 32 - skip);
        at += 32 - skip;
    }
    out[0] = 0x30;
    out[1] = (uint8_t)(at - out - 2);
    return (size_t)(at - out);
}

static bool verify(EVP_PKEY *key, const char *digest, struct sg_str message,
                   const uint8_t *signature, size_t len)
{
    EVP_MD_CTX *ctx = key == NULL ? NULL : EVP_MD_CTX_new();
    bool good =
        ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestVerify(ctx, signature, len, (const uint8_t *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    if (!good)
        ERR_clear_error(); /* or this thread's next TLS error would be found to be this one */
    return good;
}

bool sgd_osig_p256(const uint8_t point[64], struct sg_str message, const uint8_t rs[64])
{
    uint8_t der[72];
    size_t len = der_of(rs, der);
    return verify(p256_key(point), "SHA256", message, der, len);
}

/* ---- Ed25519 ---- */

/* The y of the eight points of small order (two of them each +-x), and of those the spellings that
 * are not reduced; the sign bit is not looked at. */
static const uint8_t small_orders[][32] = {
    {0},    /* order 4 */
    {0x01}, /* 1: the neutral element */
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

/* y of the field's 2^255 - 19 numbers: not above it. */
static bool y_is_reduced(const uint8_t point[32])
{
    bool all = (point[31] & 0x7f) == 0x7f && point[0] >= 0xed;
    for (size_t i = 1; i < 31; i++)
        all = all && point[i] == 0xff;
    return !all;
}

static bool is_of_small_order(const uint8_t point[32])
{
    uint8_t y[32];
    memcpy(y, point, sizeof(y));
    y[31] &= 0x7f;
    for (size_t i = 0; i < SG_COUNT(small_orders); i++)
        if (memcmp(y, small_orders[i], sizeof(y)) == 0)
            return true;
    return false;
}

bool sgd_osig_ed25519(const uint8_t key[32], struct sg_str message, const uint8_t signature[64])
{
    if (!y_is_reduced(key) || is_of_small_order(key) || is_of_small_order(signature))
        return false;
    return verify(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32), NULL, message,
                  signature, 64);
}

/* ---- public keys ---- */

static enum sg_err public_of(EVP_PKEY *key, struct sgd_osig_public *out)
{
    struct sgd_osig_public read = {.kind = SGD_OSIG_ED25519};
    uint8_t whole[65];
    char curve[32];
    size_t len = 32;
    if (EVP_PKEY_is_a(key, "ED25519")) {
        if (EVP_PKEY_get_raw_public_key(key, read.bytes, &len) != 1)
            return SG_ECORRUPT;
        *out = read;
        return SG_OK;
    }
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) != 1)
        return SG_ENOTSUP;
    if (strcmp(curve, SN_X9_62_prime256v1) == 0)
        read.kind = SGD_OSIG_P256;
    else if (strcmp(curve, SN_secp256k1) == 0)
        read.kind = SGD_OSIG_SECP256K1;
    else
        return SG_ENOTSUP;
    EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, whole, sizeof(whole), &len) !=
            1 ||
        len != sizeof(whole))
        return SG_ECORRUPT;
    memcpy(read.bytes, whole + 1, sizeof(read.bytes));
    *out = read;
    return SG_OK;
}

enum sg_err sgd_osig_load(const char *file, struct sgd_osig_public *out)
{
    SG_ASSERT(file != NULL);
    SG_ASSERT(out != NULL);
    FILE *pem = fopen(file, "re");
    if (pem == NULL)
        return sg_err_from_errno(errno);
    EVP_PKEY *key = PEM_read_PUBKEY(pem, NULL, NULL, NULL);
    enum sg_err err = key == NULL ? SG_ECORRUPT : public_of(key, out);
    fclose(pem);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return err;
}
