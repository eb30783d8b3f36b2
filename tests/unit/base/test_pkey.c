#include "tests/sgt.h"

#include "base/assert.h"
#include "base/sys/pkey.h"
#include "tests/sgt_softhsm.h" /* for a shell */

#include <openssl/evp.h>

static char dir[SGT_DIR_BYTES];

static const char *path_of(const char *name)
{
    static char path[SGT_DIR_BYTES + 16];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static EVP_PKEY *key_of(const char *name)
{
    EVP_PKEY *key = NULL;
    assert_int_equal(sg_pkey_read(path_of(name), &key), SG_OK);
    return key;
}

static void signs(EVP_PKEY *key, const EVP_MD *hash)
{
    uint8_t signature[1024];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, hash, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, (const uint8_t *)"x", 1), 1);
    EVP_MD_CTX_free(ctx);
    ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, signature, len, (const uint8_t *)"x", 1), 1);
    EVP_MD_CTX_free(ctx);
}

static void keys_of_every_kind_sign_from_the_guarded_heap(void **fixture)
{
    static const char *const names[] = {"rsa", "ec", "ed"};
    for (size_t i = 0; i < SG_COUNT(names); i++) {
        EVP_PKEY *key = key_of(names[i]);
        signs(key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256());
        EVP_PKEY_free(key);
    }
    (void)fixture;
}

/* Each read takes some 100 KiB of the 64 MiB for a while: without reuse that is soon over. */
static void what_a_key_took_is_used_again(void **fixture)
{
    EVP_PKEY *kept = key_of("rsa");
    for (int i = 0; i < 1500; i++)
        EVP_PKEY_free(key_of("ec"));
    signs(kept, EVP_sha256());
    EVP_PKEY_free(kept);
    (void)fixture;
}

static void what_is_no_key_is_told(void **fixture)
{
    EVP_PKEY *key = NULL;
    assert_int_equal(sg_pkey_read(path_of("none"), &key), SG_ECORRUPT);
    assert_int_equal(sg_pkey_read(path_of("locked"), &key), SG_ECORRUPT);
    assert_int_equal(sg_pkey_read(path_of("absent"), &key), SG_ENOENT);
    assert_int_equal(sg_pkey_read(path_of("sealed"), &key), SG_ESEALED);
    assert_null(key);
    (void)fixture;
}

static int begin(void **fixture)
{
    sgt_dir_make(dir);
    sgt_softhsm_run("cd %s && openssl genrsa -out rsa 2048 && echo none >none &&"
                    " openssl genpkey -algorithm ed25519 -out ed &&"
                    " openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out ec &&"
                    " openssl pkcs8 -topk8 -in ec -passout pass:x -out locked &&"
                    " printf streamgate-sealed-1:AAAA >sealed",
                    dir);
    (void)fixture;
    return sg_pkey_guard() ? 0 : -1;
}

static int end(void **fixture)
{
    sgt_dir_remove(dir);
    (void)fixture;
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keys_of_every_kind_sign_from_the_guarded_heap),
    cmocka_unit_test(what_a_key_took_is_used_again),
    cmocka_unit_test(what_is_no_key_is_told),
};

int main(void)
{
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, end);
}
