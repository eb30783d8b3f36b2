#include "controlplane/sys/ed25519.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static enum sg_err file_make(const char *path, mode_t mode, FILE **out)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    return *out != NULL ? SG_OK : sg_err_from_errno(errno);
}

static enum sg_err pair_write(EVP_PKEY *key, FILE *private_pem, FILE *public_pem)
{
    bool written = PEM_write_PrivateKey(private_pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                   PEM_write_PUBKEY(public_pem, key) == 1 && fflush(private_pem) == 0 &&
                   fflush(public_pem) == 0 && fsync(fileno(private_pem)) == 0;
    ERR_clear_error();
    return written ? SG_OK : SG_EIO;
}

enum sg_err sgc_ed25519_make(const char *private_file, const char *public_file)
{
    SG_ASSERT(private_file != NULL);
    SG_ASSERT(public_file != NULL);
    FILE *private_pem = NULL, *public_pem = NULL;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    enum sg_err err = key == NULL ? SG_ENOMEM : file_make(private_file, 0600, &private_pem);
    if (err == SG_OK)
        err = file_make(public_file, 0644, &public_pem);
    if (err == SG_OK)
        err = pair_write(key, private_pem, public_pem);
    if (err != SG_OK && private_pem != NULL)
        unlink(private_file);
    if (err != SG_OK && public_pem != NULL)
        unlink(public_file);
    if (private_pem != NULL)
        fclose(private_pem);
    if (public_pem != NULL)
        fclose(public_pem);
    EVP_PKEY_free(key);
    return err;
}
