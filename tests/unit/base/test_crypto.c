#include "tests/sgt.h"

#include "base/assert.h"
#include "base/sys/crypto.h"
#include "tests/sgt_hex.h"

#include <string.h>

static void sha256_gives_what_fips_180_says(void **fixture)
{
    static const struct {
        const char *text, *hash;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        uint8_t want[32], got[32];
        sgt_hex(rows[i].hash, want, 32);
        sg_sha256(rows[i].text, strlen(rows[i].text), got);
        assert_memory_equal(got, want, 32);
        struct sg_sha256 hash;
        sg_sha256_init(&hash);
        for (const char *c = rows[i].text; *c != 0; c++)
            sg_sha256_add(&hash, c, 1);
        sg_sha256_final(&hash, got);
        assert_memory_equal(got, want, 32);
    }
    (void)fixture;
}

static void hmac_gives_what_rfc_4231_says(void **fixture)
{
    uint8_t key[131], data[160], want[32], got[32];
    struct sg_hmac_key prepared;
    memset(key, 0x0b, 20);
    sg_hmac_key_init(&prepared, key, 20);
    sgt_hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", want, 32);
    for (int again = 0; again < 2; again++) { /* a prepared key is used many times */
        sg_hmac(&prepared, "Hi There", 8, got);
        assert_memory_equal(got, want, 32);
    }
    sg_hmac_key_init(&prepared, "Jefe", 4);
    sg_hmac(&prepared, "what do ya want for nothing?", 28, got);
    sgt_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", want, 32);
    assert_memory_equal(got, want, 32);
    memset(key, 0xaa, sizeof(key)); /* longer than a block: it is hashed first */
    sg_hmac_key_init(&prepared, key, sizeof(key));
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    sg_hmac(&prepared, text, strlen(text), got);
    sgt_hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", want, 32);
    assert_memory_equal(got, want, 32);
    memset(key, 0xaa, 20);
    memset(data, 0xdd, 50);
    sg_hmac_key_init(&prepared, key, 20);
    sg_hmac(&prepared, data, 50, got);
    sgt_hex("773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", want, 32);
    assert_memory_equal(got, want, 32);
    (void)fixture;
}

static void hkdf_gives_what_rfc_5869_says(void **fixture)
{
    uint8_t ikm[80], salt[80], info[80], want[82], got[82];
    memset(ikm, 0x0b, 22);
    for (size_t i = 0; i < 13; i++)
        salt[i] = (uint8_t)i;
    for (size_t i = 0; i < 10; i++)
        info[i] = (uint8_t)(0xf0 + i);
    sg_hkdf(salt, 13, ikm, 22, info, 10, got, 42);
    sgt_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            want, sizeof(want));
    assert_memory_equal(got, want, 42);
    for (size_t i = 0; i < 80; i++) {
        ikm[i] = (uint8_t)i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    sg_hkdf(salt, 80, ikm, 80, info, 80, got, 82);
    sgt_hex("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41"
            "c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            want, sizeof(want));
    assert_memory_equal(got, want, 82);
    memset(ikm, 0x0b, 22);
    sg_hkdf(NULL, 0, ikm, 22, NULL, 0, got, 42);
    sgt_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            want, sizeof(want));
    assert_memory_equal(got, want, 42);
    (void)fixture;
}

/* One call pads by itself where it can, pieces are OpenSSL's alone: the same for each length. */
static void whole_and_in_pieces_are_the_same_hash_and_mac(void **fixture)
{
    uint8_t bytes[300], whole[SG_SHA256_BYTES], pieces[SG_SHA256_BYTES];
    struct sg_hmac_key key;
    struct sg_sha256 hash;
    sg_random(bytes, sizeof(bytes));
    sg_hmac_key_init(&key, bytes, 32);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        sg_sha256(bytes, len, whole);
        sg_sha256_init(&hash);
        sg_sha256_add(&hash, bytes, len / 3);
        sg_sha256_add(&hash, bytes + len / 3, len - len / 3);
        sg_sha256_final(&hash, pieces);
        assert_memory_equal(whole, pieces, sizeof(whole));
        sg_hmac(&key, bytes, len, whole);
        sg_hmac_begin(&key, &hash);
        sg_sha256_add(&hash, bytes, len / 3);
        sg_sha256_add(&hash, bytes + len / 3, len - len / 3);
        sg_hmac_final(&key, &hash, pieces);
        assert_memory_equal(whole, pieces, sizeof(whole));
    }
    (void)fixture;
}

static void secrets_compare_by_every_byte(void **fixture)
{
    uint8_t a[32], b[32];
    sg_random(a, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(sg_equal_secret(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(b); i++) {
        b[i] ^= 1;
        assert_false(sg_equal_secret(a, b, sizeof(a)));
        b[i] ^= 1;
    }
    sg_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sha256_gives_what_fips_180_says),
    cmocka_unit_test(hmac_gives_what_rfc_4231_says),
    cmocka_unit_test(hkdf_gives_what_rfc_5869_says),
    cmocka_unit_test(whole_and_in_pieces_are_the_same_hash_and_mac),
    cmocka_unit_test(secrets_compare_by_every_byte),
};
SGT_MAIN("crypto", tests)
