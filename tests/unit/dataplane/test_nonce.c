#include "tests/sgt.h"

#include "dataplane/gate/nonce.h"

#include <string.h>

static struct sg_hmac_key key_of(uint8_t seed)
{
    uint8_t tenant[32];
    struct sg_hmac_key key;
    memset(tenant, seed, sizeof(tenant));
    sgd_nonce_key(tenant, &key);
    return key;
}

static void a_nonce_tells_when_it_was_issued_to_whoever_has_the_key(void **fixture)
{
    (void)fixture;
    struct sg_hmac_key here = key_of(7), there = key_of(7); /* another edge of the region */
    uint8_t nonce[SGD_NONCE_BYTES];
    uint64_t issued_s = 0;
    sgd_nonce_make(&here, 1764000000, nonce);
    assert_true(sgd_nonce_read(&there, nonce, &issued_s));
    assert_int_equal(issued_s, 1764000000);
}

static void two_nonces_of_one_second_differ(void **fixture)
{
    (void)fixture;
    struct sg_hmac_key key = key_of(7);
    uint8_t a[SGD_NONCE_BYTES], b[SGD_NONCE_BYTES];
    sgd_nonce_make(&key, 1764000000, a);
    sgd_nonce_make(&key, 1764000000, b);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void a_nonce_with_any_bit_changed_is_not_ours(void **fixture)
{
    (void)fixture;
    struct sg_hmac_key key = key_of(7);
    uint8_t nonce[SGD_NONCE_BYTES];
    uint64_t issued_s = 5;
    sgd_nonce_make(&key, 1764000000, nonce);
    for (size_t bit = 0; bit < sizeof(nonce) * 8; bit++) {
        nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(sgd_nonce_read(&key, nonce, &issued_s));
        nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(issued_s, 5);
}

static void another_tenants_nonce_is_not_ours(void **fixture)
{
    (void)fixture;
    struct sg_hmac_key ours = key_of(7), theirs = key_of(8);
    uint8_t nonce[SGD_NONCE_BYTES];
    uint64_t issued_s;
    sgd_nonce_make(&theirs, 1764000000, nonce);
    assert_false(sgd_nonce_read(&ours, nonce, &issued_s));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_nonce_tells_when_it_was_issued_to_whoever_has_the_key),
    cmocka_unit_test(two_nonces_of_one_second_differ),
    cmocka_unit_test(a_nonce_with_any_bit_changed_is_not_ours),
    cmocka_unit_test(another_tenants_nonce_is_not_ours),
};
SGT_MAIN("nonce", tests)
