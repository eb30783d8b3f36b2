#include "controlplane/sys/ed25519.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

struct sgc_ed25519 {
    EVP_PKEY *key;
};

/* Asks nobody for a passphrase. */
static int no_passphrase(char *out, int max, int writing, void *user)
{
    (void)out;
    (void)max;
    (void)writing;
    (void)user;
    return -1;
}

static enum sg_err key_read(FILE *pem, EVP_PKEY **out)
{
    struct stat st;
    if (fstat(fileno(pem), &st) != 0)
        return sg_err_from_errno(errno);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return SG_EPERM;
    EVP_PKEY *key = PEM_read_PrivateKey(pem, NULL, no_passphrase, NULL);
    ERR_clear_error();
    if (key == NULL)
        return SG_ECORRUPT;
    if (!EVP_PKEY_is_a(key, "ED25519")) {
        EVP_PKEY_free(key);
        return SG_ENOTSUP;
    }
    *out = key;
    return SG_OK;
}

enum sg_err sgc_ed25519_load(const char *file, struct sgc_ed25519 **out)
{
    SG_ASSERT(file != NULL);
    SG_ASSERT(out != NULL);
    FILE *pem = fopen(file, "re");
    if (pem == NULL)
        return sg_err_from_errno(errno);
    struct sgc_ed25519 *key = sg_boot_alloc(sizeof(*key));
    enum sg_err err = key == NULL ? SG_ENOMEM : key_read(pem, &key->key);
    if (err == SG_OK)
        *out = SG_TAKE(key);
    fclose(pem);
    sgc_ed25519_close(key);
    return err;
}

void sgc_ed25519_close(struct sgc_ed25519 *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->key);
    sg_boot_free(key);
}

enum sg_err sgc_ed25519_sign(const struct sgc_ed25519 *key, struct sg_str message, uint8_t out[64])
{
    size_t len = 64;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool signed_it = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->key) == 1 &&
                     EVP_DigestSign(ctx, out, &len, (const uint8_t *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return signed_it ? SG_OK : SG_ENOMEM;
}
