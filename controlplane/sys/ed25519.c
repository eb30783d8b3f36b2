#include "controlplane/sys/ed25519.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/pkey.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sgc_ed25519 {
    EVP_PKEY *key;
};

static enum sg_err key_read(const char *file, EVP_PKEY **out)
{
    struct stat st;
    EVP_PKEY *key = NULL;
    if (stat(file, &st) != 0)
        return sg_err_from_errno(errno);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return SG_EPERM;
    enum sg_err err = sg_pkey_read(file, &key);
    ERR_clear_error();
    if (err == SG_OK && !EVP_PKEY_is_a(key, "ED25519"))
        err = SG_ENOTSUP;
    if (err == SG_OK)
        *out = SG_TAKE(key);
    EVP_PKEY_free(key);
    return err;
}

enum sg_err sgc_ed25519_load(const char *file, struct sgc_ed25519 **out)
{
    SG_ASSERT(file != NULL);
    SG_ASSERT(out != NULL);
    struct sgc_ed25519 *key = sg_boot_alloc(sizeof(*key));
    enum sg_err err = key == NULL ? SG_ENOMEM : key_read(file, &key->key);
    if (err == SG_OK)
        *out = SG_TAKE(key);
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

/* ---- points ---- */

/* p = 2^255 - 19 and d = -121665/121666 of RFC 8032 section 5.1. */
static const char field_hex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

/* -x^2 + y^2 = 1 + d x^2 y^2: x^2 = u/v with u = y^2 - 1 and v = d y^2 + 1, which is never 0; u/v
 * is a square where u v is. -1 for no memory. */
static int has_x(const uint8_t y_bytes[32], BN_CTX *ctx)
{
    BIGNUM *p = BN_CTX_get(ctx), *d = BN_CTX_get(ctx), *y = BN_CTX_get(ctx);
    BIGNUM *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx);
    bool made = v != NULL && BN_hex2bn(&p, field_hex) > 0 && BN_hex2bn(&d, d_hex) > 0 &&
                BN_lebin2bn(y_bytes, 32, y) != NULL && BN_mod_sqr(y, y, p, ctx) == 1 &&
                BN_mod_sub(u, y, BN_value_one(), p, ctx) == 1 && BN_mod_mul(v, d, y, p, ctx) == 1 &&
                BN_mod_add(v, v, BN_value_one(), p, ctx) == 1 && BN_mod_mul(u, u, v, p, ctx) == 1;
    int symbol = made ? BN_kronecker(u, p, ctx) : -2;
    return symbol < -1 ? -1 : symbol >= 0;
}

enum sg_err sgc_ed25519_is_point(const uint8_t bytes[32], bool *out)
{
    uint8_t y[32];
    memcpy(y, bytes, sizeof(y));
    y[31] &= 0x7f; /* the sign of x */
    BN_CTX *ctx = BN_CTX_new();
    if (ctx == NULL)
        return SG_ENOMEM;
    BN_CTX_start(ctx);
    int found = has_x(y, ctx);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    ERR_clear_error();
    if (found < 0)
        return SG_ENOMEM;
    *out = found == 1;
    return SG_OK;
}
