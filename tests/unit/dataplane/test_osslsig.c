#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/sys/osslsig.h"
#include "tests/sgt_hex.h"
#include "tests/sgt_sign.h"
#include "tests/unit/dataplane/grant_world.h"

#include <stdio.h>

static struct sg_str message_of(const char *hex)
{
    static uint8_t bytes[64];
    return (struct sg_str){(const char *)bytes, sgt_hex(hex, bytes, sizeof(bytes))};
}

static const struct {
    const char *key, *message, *signature;
} rfc_8032[] = {
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void rfc_8032s_vectors_hold_and_no_bit_of_them_can_be_another(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(rfc_8032); i++) {
        uint8_t key[32], signature[64];
        struct sg_str message = message_of(rfc_8032[i].message);
        sgt_hex(rfc_8032[i].key, key, sizeof(key));
        sgt_hex(rfc_8032[i].signature, signature, sizeof(signature));
        assert_true(sgd_osig_ed25519(key, message, signature));
        for (size_t bit = 0; bit < 512; bit++) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(sgd_osig_ed25519(key, message, signature));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < 256; bit++) {
            key[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(sgd_osig_ed25519(key, message, signature));
            key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    (void)fixture;
}

/* S plus the group's order says the same. OpenSSL refuses it itself. */
static void an_s_that_is_not_reduced_is_refused(void **fixture)
{
    uint8_t key[32], signature[64], order[32];
    unsigned carry = 0;
    sgt_hex(rfc_8032[0].key, key, sizeof(key));
    sgt_hex(rfc_8032[0].signature, signature, sizeof(signature));
    sgt_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order, 32);
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)signature[32 + i] + order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_false(sgd_osig_ed25519(key, SG_STR(""), signature));
    (void)fixture;
}

static bool openssl_takes(const uint8_t key[32], struct sg_str message, const uint8_t signature[64])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good =
        EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestVerify(ctx, signature, 64, (const uint8_t *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}

/* The neutral element as key and as R, and S of 0, are a signature of every message, and so are
 * some with other points of small order: for one message in eight at worst. OpenSSL takes them; for
 * us they would be grants of Solana's account 11111111111111111111111111111111, which is 32 zeros
 * and holds what people burnt. Each point in each of its spellings is refused. */
static void points_of_small_order_sign_nothing(void **fixture)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    unsigned taken_elsewhere = 0;
    for (size_t k = 0; k < SG_COUNT(points); k++)
        for (size_t r = 0; r < SG_COUNT(points); r++)
            for (char m = 'a'; m < 'a' + 8; m++) {
                uint8_t key[32], signature[64] = {0};
                struct sg_str message = {&m, 1};
                sgt_hex(points[k], key, sizeof(key));
                sgt_hex(points[r], signature, 32);
                taken_elsewhere += openssl_takes(key, message, signature);
                assert_false(sgd_osig_ed25519(key, message, signature));
            }
    assert_true(taken_elsewhere > 8); /* or this test would not ask what it means to ask */
    (void)fixture;
}

/* A key that is the neutral element, under an R that is no small point: R = S B of any message. */
static void a_key_of_small_order_alone_is_refused(void **fixture)
{
    uint8_t key[32] = {1}, signature[64] = {[32] = 1};
    sgt_hex("5866666666666666666666666666666666666666666666666666666666666666", signature, 32);
    assert_true(openssl_takes(key, SG_STR("any message"), signature));
    assert_false(sgd_osig_ed25519(key, SG_STR("any message"), signature));
    memset(key, 0xff, sizeof(key)); /* 2^255 - 18: the same y, not reduced */
    key[0] = 0xee;
    key[31] = 0x7f;
    assert_true(openssl_takes(key, SG_STR("any message"), signature));
    assert_false(sgd_osig_ed25519(key, SG_STR("any message"), signature));
    (void)fixture;
}

/* Whoever has a key can sign with r = 0: R is the neutral element, S is h times the secret. */
static void an_r_of_small_order_alone_is_refused(void **fixture)
{
    const struct sg_str message = SG_STR("a message");
    uint8_t secret[32], key[32], hash[64], signature[64] = {1};
    EVP_PKEY *pkey = sgt_ed25519(1, key);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    BN_CTX *bn = BN_CTX_new();
    BIGNUM *a = BN_new(), *h = BN_new(), *order = NULL;
    assert_int_equal(
        BN_hex2bn(&order, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed"), 64);
    sgt_sign_secret(1, secret);
    assert_int_equal(EVP_Digest(secret, 32, hash, NULL, EVP_sha512(), NULL), 1);
    hash[0] &= 248; /* RFC 8032 section 5.1.5 */
    hash[31] = (uint8_t)((hash[31] & 127) | 64);
    BN_lebin2bn(hash, 32, a);
    EVP_DigestInit_ex(md, EVP_sha512(), NULL);
    EVP_DigestUpdate(md, signature, 32);
    EVP_DigestUpdate(md, key, 32);
    EVP_DigestUpdate(md, message.ptr, message.len);
    EVP_DigestFinal_ex(md, hash, NULL);
    BN_lebin2bn(hash, 64, h);
    assert_int_equal(BN_mod_mul(h, h, a, order, bn), 1);
    assert_int_equal(BN_bn2lebinpad(h, signature + 32, 32), 32);
    assert_true(openssl_takes(key, message, signature));
    assert_false(sgd_osig_ed25519(key, message, signature));
    BN_free(a);
    BN_free(h);
    BN_free(order);
    BN_CTX_free(bn);
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    (void)fixture;
}

/* RFC 6979, A.2.5. */
static void rfc_6979s_vectors_hold(void **fixture)
{
    static const struct {
        const char *message, *signature;
    } rows[] = {
        {"sample", "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                   "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
        {"test", "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                 "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
    };
    uint8_t point[64], rs[64];
    sgt_hex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
            point, sizeof(point));
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_str message = sg_str_from(rows[i].message);
        sgt_hex(rows[i].signature, rs, sizeof(rs));
        assert_true(sgd_osig_p256(point, message, rs));
        for (size_t bit = 0; bit < 512; bit++) {
            rs[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(sgd_osig_p256(point, message, rs));
            rs[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    memset(rs, 0, sizeof(rs));
    assert_false(sgd_osig_p256(point, SG_STR("test"), rs));
    memset(rs, 0xff, sizeof(rs));
    assert_false(sgd_osig_p256(point, SG_STR("test"), rs));
    point[63] ^= 1; /* no point of the curve */
    sgt_hex(rows[1].signature, rs, sizeof(rs));
    assert_false(sgd_osig_p256(point, SG_STR("test"), rs));
    (void)fixture;
}

/* r and s with zeros in front: their DER is shorter. */
static void short_numbers_verify(void **fixture)
{
    uint8_t point[64], rs[64];
    EVP_PKEY *key = sgt_p256(point);
    unsigned seen = 0;
    for (unsigned i = 0; i < 4096 && seen < 2; i++) {
        char text[16];
        struct sg_str message = {text, (size_t)snprintf(text, sizeof(text), "%u", i)};
        sgt_p256_sign(key, message, rs);
        if (rs[0] != 0 && rs[32] != 0)
            continue;
        seen++;
        assert_true(sgd_osig_p256(point, message, rs));
    }
    assert_int_equal(seen, 2);
    EVP_PKEY_free(key);
    (void)fixture;
}

static enum sg_err load_text(const char *text, struct sgd_osig_public *out)
{
    char dir[SGT_DIR_BYTES], file[SGT_DIR_BYTES + 16];
    sgt_dir_make(dir);
    snprintf(file, sizeof(file), "%s/key", dir);
    FILE *pem = fopen(file, "we");
    assert_non_null(pem);
    fputs(text, pem);
    fclose(pem);
    enum sg_err err = sgd_osig_load(file, out);
    sgt_dir_remove(dir);
    return err;
}

static void public_keys_of_three_kinds_are_read_and_no_others(void **fixture)
{
    struct sgd_osig_public key;
    uint8_t point[64];
    /* openssl pkey -pubout of RFC 8032's first key */
    assert_int_equal(load_text("-----BEGIN PUBLIC KEY-----\n"
                               "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                               "-----END PUBLIC KEY-----\n",
                               &key),
                     SG_OK);
    assert_int_equal(key.kind, SGD_OSIG_ED25519);
    sgt_hex(rfc_8032[0].key, point, 32);
    assert_memory_equal(key.bytes, point, 32);
    assert_int_equal(load_text("", &key), SG_ECORRUPT);
    assert_int_equal(
        load_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", &key),
        SG_ECORRUPT);
    /* X25519 */
    assert_int_equal(load_text("-----BEGIN PUBLIC KEY-----\n"
                               "MCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                               "-----END PUBLIC KEY-----\n",
                               &key),
                     SG_ENOTSUP);
    assert_int_equal(sgd_osig_load("/nonexistent/key", &key), SG_ENOENT);
    (void)fixture;
}

static void a_key_that_cannot_be_had_leaves_nothing(void **fixture)
{
    char dir[SGT_DIR_BYTES], file[SGT_DIR_BYTES + 16];
    struct sgd_verify_key *key = NULL;
    EVP_PKEY *secp = grant_secp_public(1);
    sgt_dir_make(dir);
    snprintf(file, sizeof(file), "%s/key", dir);
    FILE *pem = fopen(file, "we");
    assert_true(pem != NULL && PEM_write_PUBKEY(pem, secp) == 1);
    fclose(pem);
    sg_alloc_fail_nth(0);
    assert_int_equal(sgd_verify_key_load(file, &key), SG_ENOMEM);
    sg_alloc_fail_nth(UINT32_MAX);
    assert_null(key);
    assert_int_equal(sgd_verify_key_load(file, &key), SG_OK);
    sgd_verify_key_close(key);
    sgd_verify_key_close(NULL);
    EVP_PKEY_free(secp);
    sgt_dir_remove(dir);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rfc_8032s_vectors_hold_and_no_bit_of_them_can_be_another),
    cmocka_unit_test(an_s_that_is_not_reduced_is_refused),
    cmocka_unit_test(points_of_small_order_sign_nothing),
    cmocka_unit_test(a_key_of_small_order_alone_is_refused),
    cmocka_unit_test(an_r_of_small_order_alone_is_refused),
    cmocka_unit_test(rfc_6979s_vectors_hold),
    cmocka_unit_test(short_numbers_verify),
    cmocka_unit_test(public_keys_of_three_kinds_are_read_and_no_others),
    cmocka_unit_test(a_key_that_cannot_be_had_leaves_nothing),
};
SGT_MAIN("osslsig", tests)
