#include "tests/sgt.h"

#include "base/sys/crypto.h"
#include "dataplane/sys/osslkdf.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

struct call {
    int mode;
    const char *digest;
    const uint8_t *key, *salt, *data;
    size_t hash_len;
    const char *label;
};

static int kdf(const char *properties, const struct call *call, uint8_t *out, size_t out_len)
{
    OSSL_PARAM params[8], *p = params;
    int mode = call->mode;
    size_t len = call->hash_len;
    EVP_KDF *algorithm = EVP_KDF_fetch(NULL, "TLS13-KDF", properties);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(algorithm);
    assert_non_null(ctx);
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)call->digest, 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (void *)"tls13 ", 6);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (void *)call->label,
                                             strlen(call->label));
    if (call->key != NULL)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)call->key, len);
    if (call->salt != NULL)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)call->salt, len);
    if (call->data != NULL)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, (void *)call->data, len);
    *p = OSSL_PARAM_construct_end();
    int rc = EVP_KDF_derive(ctx, out, out_len, params);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(algorithm);
    return rc;
}

static void same_as_openssls(const struct call *call, size_t out_len)
{
    uint8_t ours[64] = {0}, theirs[64] = {0};
    assert_int_equal(kdf("provider=streamgate", call, ours, out_len), 1);
    assert_int_equal(kdf("provider=default", call, theirs, out_len), 1);
    assert_memory_equal(ours, theirs, sizeof(ours));
}

static void it_derives_what_openssls_own_derives(void **fixture)
{
    uint8_t key[48], salt[48], data[48];
    for (int i = 0; i < 50; i++) {
        size_t hash_len = i % 2 ? 48 : 32;
        const char *digest = i % 2 ? "SHA384" : "SHA256";
        sg_random(key, sizeof(key));
        sg_random(salt, sizeof(salt));
        sg_random(data, sizeof(data));
        struct call expand = {EVP_KDF_HKDF_MODE_EXPAND_ONLY, digest, key, NULL, data, hash_len,
                              i % 3 ? "c hs traffic" : "key"};
        same_as_openssls(&expand, i % 3 ? hash_len : 16);
        expand.data = NULL;
        same_as_openssls(&expand, 12);
        struct call extract = {
            EVP_KDF_HKDF_MODE_EXTRACT_ONLY, digest, key, salt, NULL, hash_len, "derived"};
        same_as_openssls(&extract, hash_len);
        extract.key = NULL;
        same_as_openssls(&extract, hash_len);
        extract.salt = NULL;
        same_as_openssls(&extract, hash_len);
    }
    (void)fixture;
}

static void the_traffic_secrets_are_kept_and_no_others(void **fixture)
{
    struct sgd_okdf_secrets secrets = {.server_len = 0};
    uint8_t key[32] = {1}, data[32] = {2}, out[32];
    struct call call = {
        EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", key, NULL, data, 32, "s ap traffic"};
    assert_int_equal(kdf("provider=streamgate", &call, out, 32), 1);
    sgd_okdf_keep(&secrets);
    call.label = "s hs traffic";
    assert_int_equal(kdf("provider=streamgate", &call, out, 32), 1);
    assert_int_equal(secrets.server_len, 0);
    call.label = "s ap traffic";
    assert_int_equal(kdf("provider=streamgate", &call, out, 32), 1);
    assert_int_equal(secrets.server_len, 32);
    assert_memory_equal(secrets.server, out, 32);
    assert_int_equal(secrets.client_len, 0);
    sgd_okdf_keep(NULL);
    (void)fixture;
}

/* RFC 8448 section 3: from the shared secret to the server's traffic secret. */
static void the_schedule_is_that_of_rfc_8448(void **fixture)
{
    static const uint8_t shared[32] = {0x8b, 0xd4, 0x05, 0x4f, 0xb5, 0x5b, 0x9d, 0x63,
                                       0xfd, 0xfb, 0xac, 0xf9, 0xf0, 0x4b, 0x9f, 0x0d,
                                       0x35, 0xe6, 0xd6, 0x3f, 0x53, 0x75, 0x63, 0xef,
                                       0xd4, 0x62, 0x72, 0x90, 0x0f, 0x89, 0x49, 0x2d};
    static const uint8_t early_want[32] = {0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b,
                                           0x09, 0xe6, 0xcd, 0x98, 0x93, 0x68, 0x0c, 0xe2,
                                           0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f, 0x26, 0x60,
                                           0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a};
    static const uint8_t handshake_want[32] = {0x1d, 0xc8, 0x26, 0xe9, 0x36, 0x06, 0xaa, 0x6f,
                                               0xdc, 0x0a, 0xad, 0xc1, 0x2f, 0x74, 0x1b, 0x01,
                                               0x04, 0x6a, 0xa6, 0xb9, 0x9f, 0x69, 0x1e, 0xd2,
                                               0x21, 0xa9, 0xf0, 0xca, 0x04, 0x3f, 0xbe, 0xac};
    static const uint8_t master_want[32] = {0x18, 0xdf, 0x06, 0x84, 0x3d, 0x13, 0xa0, 0x8b,
                                            0xf2, 0xa4, 0x49, 0x84, 0x4c, 0x5f, 0x8a, 0x47,
                                            0x80, 0x01, 0xbc, 0x4d, 0x4c, 0x62, 0x79, 0x84,
                                            0xd5, 0xa4, 0x1d, 0xa8, 0xd0, 0x40, 0x29, 0x19};
    uint8_t early[32], handshake[32], master[32];
    struct call call = {
        EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", NULL, NULL, NULL, 32, "derived"};
    assert_int_equal(kdf("provider=streamgate", &call, early, 32), 1);
    assert_memory_equal(early, early_want, 32);
    call.key = shared;
    call.salt = early;
    assert_int_equal(kdf("provider=streamgate", &call, handshake, 32), 1);
    assert_memory_equal(handshake, handshake_want, 32);
    call.key = NULL;
    call.salt = handshake;
    assert_int_equal(kdf("provider=streamgate", &call, master, 32), 1);
    assert_memory_equal(master, master_want, 32);
    (void)fixture;
}

static void what_it_is_not_made_for_it_refuses(void **fixture)
{
    uint8_t key[48] = {1}, out[96];
    struct call call = {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", key, NULL, NULL, 32, "key"};
    assert_true(kdf("provider=streamgate", &call, out, 33) <= 0); /* more than a block */
    call.digest = "SHA1";
    assert_true(kdf("provider=streamgate", &call, out, 20) <= 0);
    call.digest = "SHA256";
    call.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
    assert_true(kdf("provider=streamgate", &call, out, 32) <= 0);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_derives_what_openssls_own_derives),
    cmocka_unit_test(the_traffic_secrets_are_kept_and_no_others),
    cmocka_unit_test(the_schedule_is_that_of_rfc_8448),
    cmocka_unit_test(what_it_is_not_made_for_it_refuses),
};

int main(void)
{
    if (sgd_okdf_load() != SG_OK)
        return 1;
    return sgt_main("tls_kdf", tests, sizeof(tests) / sizeof(tests[0]));
}
