#include "tests/sgt.h"

#include "base/sys/crypto.h"
#include "dataplane/tls/x25519.h"

#include <openssl/evp.h>
#include <string.h>

#define ROUNDS 2000

static struct sgd_x25519_table table;

static void same_as_openssls(const uint8_t secret[SGD_X25519_BYTES])
{
    uint8_t ours[SGD_X25519_BYTES], theirs[SGD_X25519_BYTES];
    size_t len = sizeof(theirs);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, SGD_X25519_BYTES);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, theirs, &len), 1);
    EVP_PKEY_free(key);
    sgd_x25519_share(&table, secret, ours);
    assert_memory_equal(ours, theirs, sizeof(ours));
}

static void any_secret_gives_what_openssl_makes_of_it(void **fixture)
{
    uint8_t secret[SGD_X25519_BYTES];
    for (int i = 0; i < ROUNDS; i++) {
        sg_random(secret, sizeof(secret));
        same_as_openssls(secret);
    }
    (void)fixture;
}

/* Every digit of every place, carried on and not: where a wrong row or sign of the table shows. */
static void every_entry_of_the_table_is_right(void **fixture)
{
    uint8_t secret[SGD_X25519_BYTES];
    for (size_t at = 0; at < sizeof(secret); at++)
        for (unsigned value = 0; value < 256; value += at == 0 ? 1 : 17) {
            memset(secret, 0, sizeof(secret));
            secret[at] = (uint8_t)value;
            same_as_openssls(secret);
        }
    (void)fixture;
}

static void secrets_of_one_byte_repeated_carry_all_the_way(void **fixture)
{
    uint8_t secret[SGD_X25519_BYTES];
    for (unsigned value = 0; value < 256; value++) {
        memset(secret, (int)value, sizeof(secret));
        same_as_openssls(secret);
    }
    (void)fixture;
}

/* RFC 7748 section 6.1 */
static void it_gives_the_shares_of_the_rfc(void **fixture)
{
    static const uint8_t alice[SGD_X25519_BYTES] =
        "\x77\x07\x6d\x0a\x73\x18\xa5\x7d\x3c\x16\xc1\x72\x51\xb2\x66\x45"
        "\xdf\x4c\x2f\x87\xeb\xc0\x99\x2a\xb1\x77\xfb\xa5\x1d\xb9\x2c\x2a",
                         share[SGD_X25519_BYTES] =
                             "\x85\x20\xf0\x09\x89\x30\xa7\x54\x74\x8b\x7d\xdc\xb4\x3e\xf7\x5a"
                             "\x0d\xbf\x3a\x0d\x26\x38\x1a\xf4\xeb\xa4\xa9\x8e\xaa\x9b\x4e\x6a";
    uint8_t out[SGD_X25519_BYTES];
    sgd_x25519_share(&table, alice, out);
    assert_memory_equal(out, share, sizeof(out));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(any_secret_gives_what_openssl_makes_of_it),
    cmocka_unit_test(every_entry_of_the_table_is_right),
    cmocka_unit_test(secrets_of_one_byte_repeated_carry_all_the_way),
    cmocka_unit_test(it_gives_the_shares_of_the_rfc),
};

int main(void)
{
    sgd_x25519_table_init(&table);
    return sgt_main("x25519", tests, sizeof(tests) / sizeof(tests[0]));
}
