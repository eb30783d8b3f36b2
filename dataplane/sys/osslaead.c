#include "dataplane/sys/osslaead.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <openssl/evp.h>

static const char *const names[] = {
    [SGD_TLS_AES_128_GCM] = "AES-128-GCM",
    [SGD_TLS_AES_256_GCM] = "AES-256-GCM",
    [SGD_TLS_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
};

struct sgd_oaead {
    EVP_CIPHER *ciphers[SG_COUNT(names)];
};

/* An EVP_CIPHER_CTX by another name: no memory of our own. */
static EVP_CIPHER_CTX *evp(struct sgd_oaead_key *key)
{
    return (EVP_CIPHER_CTX *)key;
}

enum sg_err sgd_oaead_open(struct sgd_oaead **out)
{
    SG_ASSERT(out != NULL);
    enum sg_err err = SG_ENOTSUP;
    struct sgd_oaead *oaead = sg_boot_alloc(sizeof(*oaead));
    if (oaead == NULL)
        return SG_ENOMEM;
    for (size_t i = 0; i < SG_COUNT(names); i++) {
        oaead->ciphers[i] = EVP_CIPHER_fetch(NULL, names[i], NULL);
        if (oaead->ciphers[i] == NULL)
            goto out;
    }
    *out = SG_TAKE(oaead);
    err = SG_OK;
out:
    sgd_oaead_close(oaead);
    return err;
}

void sgd_oaead_close(struct sgd_oaead *oaead)
{
    if (oaead == NULL)
        return;
    for (size_t i = 0; i < SG_COUNT(names); i++)
        EVP_CIPHER_free(oaead->ciphers[i]);
    sg_boot_free(oaead);
}

enum sg_err sgd_oaead_key_open(struct sgd_oaead *oaead, struct sgd_oaead_key **out)
{
    SG_ASSERT(oaead != NULL && out != NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return SG_ENOMEM;
    *out = (struct sgd_oaead_key *)ctx;
    return SG_OK;
}

void sgd_oaead_key_close(struct sgd_oaead_key *key)
{
    EVP_CIPHER_CTX_free(evp(key));
}

enum sg_err sgd_oaead_key_set(struct sgd_oaead *oaead, enum sgd_tls_aead aead, bool seals,
                              const uint8_t *bytes, struct sgd_oaead_key *key)
{
    SG_ASSERT(aead < SG_COUNT(names));
    const EVP_CIPHER *cipher = oaead->ciphers[aead];
    if (EVP_CIPHER_CTX_get0_cipher(evp(key)) == cipher)
        cipher = NULL; /* the same as before: only the key changes */
    return EVP_CipherInit_ex2(evp(key), cipher, bytes, NULL, seals, NULL) == 1 ? SG_OK : SG_ENOMEM;
}

void sgd_oaead_seal(struct sgd_oaead_key *key, const uint8_t nonce[12], struct sgd_span aad,
                    const struct sgd_span *spans, size_t count, uint8_t *out)
{
    int len = 0;
    bool ok = EVP_EncryptInit_ex2(evp(key), NULL, NULL, nonce, NULL) == 1 &&
              EVP_EncryptUpdate(evp(key), NULL, &len, aad.bytes, (int)aad.len) == 1;
    for (size_t i = 0; i < count; i++) {
        ok = ok && EVP_EncryptUpdate(evp(key), out, &len, spans[i].bytes, (int)spans[i].len) == 1;
        out += spans[i].len;
    }
    ok = ok && EVP_EncryptFinal_ex(evp(key), out, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(evp(key), EVP_CTRL_AEAD_GET_TAG, 16, out) == 1;
    SG_ASSERT(ok); /* with a key set nothing of this can fail, and half a record must not go out */
}

bool sgd_oaead_unseal(struct sgd_oaead_key *key, const uint8_t nonce[12], struct sgd_span aad,
                      uint8_t *bytes, size_t len)
{
    int n = 0;
    return EVP_DecryptInit_ex2(evp(key), NULL, NULL, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(evp(key), NULL, &n, aad.bytes, (int)aad.len) == 1 &&
           EVP_CIPHER_CTX_ctrl(evp(key), EVP_CTRL_AEAD_SET_TAG, 16, bytes + len) == 1 &&
           EVP_DecryptUpdate(evp(key), bytes, &n, bytes, (int)len) == 1 &&
           EVP_DecryptFinal_ex(evp(key), bytes + len, &n) == 1;
}
