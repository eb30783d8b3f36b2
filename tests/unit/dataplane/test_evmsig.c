#include "tests/sgt.h"

#include "base/assert.h"
#include "base/keccak.h"
#include "dataplane/gate/evmsig.h"
#include "dataplane/sys/secp256k1.h"
#include "tests/sgt_hex.h"
#include "tests/sgt_sign.h"

#include <stdio.h>
#include <string.h>

/* The order of the group, n. */
#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
/* x of the generator, whose y is even. */
#define G_X "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static struct sg_str hex(const char *text)
{
    static uint8_t bytes[256];
    return (struct sg_str){(const char *)bytes, sgt_hex(text, bytes, sizeof(bytes))};
}

static bool signer_is(const uint8_t digest[32], const char *signature, const char *address)
{
    uint8_t want[20], got[20];
    sgt_hex(address, want, sizeof(want));
    return sgd_evm_signer(digest, hex(signature), got) && memcmp(got, want, sizeof(want)) == 0;
}

/* EIP-712's Mail to Bob, signed by the key keccak("cow"). */
static void eip_712s_mail_is_cows(void **fixture)
{
    uint8_t digest[32];
    sgt_hex("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2", digest, 32);
    assert_true(signer_is(digest,
                          "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
                          "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562 1c",
                          "cd2a3d9f938e13cd947ec05abc7fe734df8dd826"));
    (void)fixture;
}

/* As the documentation of a library has it. */
static void eip_191_hashes_length_and_text(void **fixture)
{
    uint8_t digest[32], want[32];
    sgd_evm_text_hash(SG_STR("Some data"), digest);
    sgt_hex("1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655", want, 32);
    assert_memory_equal(digest, want, 32);
    assert_true(signer_is(digest,
                          "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
                          "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a029 1c",
                          "2c7536e3605d9c16a7a3d7b1898e529396a65c23"));
    (void)fixture;
}

static void eip_2098s_examples_are_the_same_in_both_forms(void **fixture)
{
    static const struct {
        const char *text, *r, *s, *v, *compact;
    } rows[] = {
        {"Hello World", "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90",
         "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064", "1b",
         "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064"},
        {"It's a small(er) world",
         "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76",
         "139c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793", "1c",
         "939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793"},
    };
    const char *address = "2e988a386a799f506693793c6a5af6b54dfaabfb"; /* of 0x1234...1234 */
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        uint8_t digest[32];
        char text[256];
        sgd_evm_text_hash(sg_str_from(rows[i].text), digest);
        snprintf(text, sizeof(text), "%s%s%s", rows[i].r, rows[i].s, rows[i].v);
        assert_true(signer_is(digest, text, address));
        snprintf(text, sizeof(text), "%s%s", rows[i].r, rows[i].compact);
        assert_true(signer_is(digest, text, address));
        snprintf(text, sizeof(text), "%s%s0%d", rows[i].r, rows[i].s, rows[i].v[1] == 'c');
        assert_true(signer_is(digest, text, address)); /* v of 0 or 1 */
        snprintf(text, sizeof(text), "%s%s0%d", rows[i].r, rows[i].s, rows[i].v[1] != 'c');
        assert_false(signer_is(digest, text, address)); /* the other point */
    }
    (void)fixture;
}

static void v_is_one_of_four(void **fixture)
{
    uint8_t digest[32] = {1}, rsv[65], want[20], got[20];
    sgt_secp_sign(1, digest, rsv);
    sgt_secp_address(1, want);
    const uint8_t right = rsv[64];
    for (unsigned v = 0; v < 256; v++) {
        rsv[64] = (uint8_t)v;
        bool taken = sgd_evm_signer(digest, (struct sg_str){(const char *)rsv, 65}, got);
        assert_int_equal(taken, v <= 1 || v == 27 || v == 28);
        if (taken)
            assert_int_equal(memcmp(got, want, 20) == 0, v == right || v + 27 == right);
    }
    for (size_t len = 0; len < 64; len++)
        assert_false(sgd_evm_signer(digest, (struct sg_str){(const char *)rsv, len}, got));
    (void)fixture;
}

static void numbers_out_of_range_recover_nobody(void **fixture)
{
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char one[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const char half[] = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";
    static const char above[] = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1";
    static const char minus_one[] =
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
    static const char n_and_one[] =
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142";
    static const char all[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    static const struct {
        const char *r, *s;
        bool good;
    } rows[] = {
        {G_X, one, true},
        {G_X, half, true},
        {G_X, above, false}, /* a twin of half */
        {G_X, minus_one, false},
        {zero, one, false},
        {G_X, zero, false},
        {G_X, ORDER, false},
        {ORDER, one, false},
        {n_and_one, one, false},
        {all, one, false},
        {G_X, all, false},
        {"0000000000000000000000000000000000000000000000000000000000000005", one, false},
    }; /* the last: no point has that x */
    uint8_t digest[32] = {9}, rs[64], point[64];
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        sgt_hex(rows[i].r, rs, 32);
        sgt_hex(rows[i].s, rs + 32, 32);
        for (int odd = 0; odd < 2; odd++)
            if (sgd_secp_recover(digest, rs, odd != 0, point) != rows[i].good)
                fail_msg("row %zu", i);
    }
    (void)fixture;
}

/* r is G's x and s the digest: sR - zG is the point at infinity, which is nobody's key. */
static void a_key_at_infinity_is_nobodys(void **fixture)
{
    uint8_t digest[32] = {[31] = 77}, rs[64] = {0}, point[64];
    sgt_hex(G_X, rs, 32);
    rs[63] = 77;
    assert_false(sgd_secp_recover(digest, rs, false, point));
    assert_true(sgd_secp_recover(digest, rs, true, point)); /* -G: twice that */
    rs[63] = 78;
    assert_true(sgd_secp_recover(digest, rs, false, point));
    (void)fixture;
}

static void a_known_key_verifies_with_low_s_only(void **fixture)
{
    uint8_t digest[32] = {3}, rsv[65], point[64];
    sgt_secp_sign(1, digest, rsv);
    sgt_secp_public(1, point);
    assert_true(sgd_secp_verify(digest, rsv, point));
    digest[0] ^= 1;
    assert_false(sgd_secp_verify(digest, rsv, point));
    digest[0] ^= 1;
    point[63] ^= 1; /* no point of the curve */
    assert_false(sgd_secp_verify(digest, rsv, point));
    point[63] ^= 1;
    uint8_t order[32];
    unsigned borrow = 0;
    sgt_hex(ORDER, order, 32);
    for (int i = 31; i >= 0; i--) { /* n - s, which is as good elsewhere */
        int v = order[i] - rsv[32 + i] - (int)borrow;
        borrow = v < 0;
        rsv[32 + i] = (uint8_t)v;
    }
    assert_false(sgd_secp_verify(digest, rsv, point));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(eip_712s_mail_is_cows),
    cmocka_unit_test(eip_191_hashes_length_and_text),
    cmocka_unit_test(eip_2098s_examples_are_the_same_in_both_forms),
    cmocka_unit_test(v_is_one_of_four),
    cmocka_unit_test(numbers_out_of_range_recover_nobody),
    cmocka_unit_test(a_key_at_infinity_is_nobodys),
    cmocka_unit_test(a_known_key_verifies_with_low_s_only),
};
SGT_MAIN("evmsig", tests)
