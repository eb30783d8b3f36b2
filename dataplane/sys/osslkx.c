#include "dataplane/sys/osslkx.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslshare.h"
#include "dataplane/tls/x25519.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define KEY_BYTES SGD_X25519_BYTES

struct sgd_okx {
    EVP_PKEY_CTX *make; /* a key of its two halves */
    EVP_PKEY *theirs;   /* its public key is set anew each time */
    EVP_PKEY_CTX *sign; /* with the key that signed last, or NULL */
    EVP_CIPHER *cbc;
    EVP_CIPHER_CTX *encrypt;
    struct sgd_x25519_table table;
};

enum sg_err sgd_okx_open(struct sgd_okx **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_okx *okx = sg_boot_alloc(sizeof(*okx));
    if (okx == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ETLS;
    sgd_x25519_table_init(&okx->table);
    okx->make = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    okx->theirs = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    okx->cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    okx->encrypt = EVP_CIPHER_CTX_new();
    if (okx->make == NULL || EVP_PKEY_fromdata_init(okx->make) != 1 || okx->theirs == NULL ||
        okx->cbc == NULL || okx->encrypt == NULL)
        goto out;
    *out = SG_TAKE(okx);
    err = SG_OK;
out:
    ERR_clear_error();
    sgd_okx_close(okx);
    return err;
}

void sgd_okx_close(struct sgd_okx *okx)
{
    if (okx == NULL)
        return;
    EVP_PKEY_free(okx->theirs);
    EVP_PKEY_CTX_free(okx->make);
    EVP_PKEY_CTX_free(okx->sign);
    EVP_CIPHER_free(okx->cbc);
    EVP_CIPHER_CTX_free(okx->encrypt);
    sg_boot_free(okx);
}

static bool derive(EVP_PKEY *mine, EVP_PKEY *theirs, uint8_t secret[KEY_BYTES])
{
    size_t len = KEY_BYTES;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1 &&
              EVP_PKEY_derive(ctx, secret, &len) == 1 && len == KEY_BYTES;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* Draws both halves of a key. Given both, OpenSSL does not make the public one again. */
static EVP_PKEY *draw(struct sgd_okx *okx, uint8_t share[KEY_BYTES])
{
    uint8_t secret[KEY_BYTES];
    EVP_PKEY *key = NULL;
    OSSL_PARAM halves[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, secret, sizeof(secret)),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, share, KEY_BYTES),
        OSSL_PARAM_construct_end(),
    };
    if (RAND_priv_bytes(secret, sizeof(secret)) != 1)
        return NULL;
    sgd_x25519_share(&okx->table, secret, share);
    if (EVP_PKEY_fromdata(okx->make, &key, EVP_PKEY_KEYPAIR, halves) != 1)
        key = NULL;
    sg_wipe(secret, sizeof(secret));
    return key;
}

/* A peer's key of small order gives a secret of zeros, which OpenSSL refuses. */
bool sgd_okx_agree(struct sgd_okx *okx, const uint8_t peer[32], uint8_t share[32],
                   uint8_t secret[32])
{
    EVP_PKEY *mine = draw(okx, share);
    bool ok = mine != NULL && EVP_PKEY_set1_encoded_public_key(okx->theirs, peer, KEY_BYTES) == 1 &&
              derive(mine, okx->theirs, secret);
    EVP_PKEY_free(mine);
    if (!ok)
        ERR_clear_error();
    return ok;
}

static bool set_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* The one that signed last, if it was with this key: it refers to its key, so no other can have
 * come to lie there. */
static EVP_PKEY_CTX *signer(struct sgd_okx *okx, const struct sgd_cert *cert)
{
    if (okx->sign != NULL && EVP_PKEY_CTX_get0_pkey(okx->sign) == cert->key)
        return okx->sign;
    EVP_PKEY_CTX_free(okx->sign);
    okx->sign = EVP_PKEY_CTX_new_from_pkey(NULL, cert->key, NULL);
    if (okx->sign != NULL && (EVP_PKEY_sign_init(okx->sign) != 1 ||
                              (cert->kind == SGD_CERT_RSA && !set_pss(okx->sign)))) {
        EVP_PKEY_CTX_free(okx->sign);
        okx->sign = NULL;
    }
    return okx->sign;
}

bool sgd_okx_sign(struct sgd_okx *okx, const struct sgd_cert *cert, const uint8_t hash[32],
                  uint8_t out[SGD_OKX_SIGNATURE_MAX], size_t *len)
{
    SG_ASSERT(cert->kind == SGD_CERT_ECDSA || cert->kind == SGD_CERT_RSA);
    EVP_PKEY_CTX *ctx = signer(okx, cert);
    *len = SGD_OKX_SIGNATURE_MAX;
    bool ok = ctx != NULL && EVP_PKEY_sign(ctx, out, len, hash, 32) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}

size_t sgd_okx_encrypt_cbc(struct sgd_okx *okx, const uint8_t key[32], const uint8_t iv[16],
                           const uint8_t *bytes, size_t len, uint8_t *out)
{
    int n = 0, last = 0;
    bool ok = EVP_EncryptInit_ex2(okx->encrypt, okx->cbc, key, iv, NULL) == 1 &&
              EVP_EncryptUpdate(okx->encrypt, out, &n, bytes, (int)len) == 1 &&
              EVP_EncryptFinal_ex(okx->encrypt, out + n, &last) == 1;
    if (!ok)
        ERR_clear_error();
    return ok ? (size_t)(n + last) : 0;
}
