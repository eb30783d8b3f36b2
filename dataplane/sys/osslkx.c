#include "dataplane/sys/osslkx.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/sys/osslshare.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define KEY_BYTES 32

struct sgd_okx {
    EVP_PKEY_CTX *draw;
    EVP_PKEY *theirs; /* its public key is set anew each time */
    EVP_CIPHER *cbc;
    EVP_CIPHER_CTX *encrypt;
};

enum sg_err sgd_okx_open(struct sgd_okx **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_okx *okx = sg_boot_alloc(sizeof(*okx));
    if (okx == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ETLS;
    okx->draw = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    okx->cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    okx->encrypt = EVP_CIPHER_CTX_new();
    if (okx->draw == NULL || EVP_PKEY_keygen_init(okx->draw) != 1 ||
        EVP_PKEY_keygen(okx->draw, &okx->theirs) != 1 || okx->cbc == NULL || okx->encrypt == NULL)
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
    EVP_PKEY_CTX_free(okx->draw);
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

/* A peer's key of small order gives a secret of zeros, which OpenSSL refuses. */
bool sgd_okx_agree(struct sgd_okx *okx, const uint8_t peer[32], uint8_t share[32],
                   uint8_t secret[32])
{
    size_t len = KEY_BYTES;
    EVP_PKEY *mine = NULL;
    bool ok = EVP_PKEY_set1_encoded_public_key(okx->theirs, peer, KEY_BYTES) == 1 &&
              EVP_PKEY_keygen(okx->draw, &mine) == 1 &&
              EVP_PKEY_get_raw_public_key(mine, share, &len) == 1 && len == KEY_BYTES &&
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

bool sgd_okx_sign(const struct sgd_cert *cert, const uint8_t hash[32],
                  uint8_t out[SGD_OKX_SIGNATURE_MAX], size_t *len)
{
    SG_ASSERT(cert->kind == SGD_CERT_ECDSA || cert->kind == SGD_CERT_RSA);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, cert->key, NULL);
    *len = SGD_OKX_SIGNATURE_MAX;
    bool ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
              (cert->kind == SGD_CERT_ECDSA || set_pss(ctx)) &&
              EVP_PKEY_sign(ctx, out, len, hash, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
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
