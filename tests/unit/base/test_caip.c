#include "tests/sgt.h"

#include "base/assert.h"
#include "base/caip.h"
#include "base/sys/crypto.h"

#define MAINNET "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
#define MINT    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
#define KITTY   "0x06012c8cf97bead5deae237070f9587f8e7a266d"
#define MAX     "115792089237316195423570985008687907853269984665640564039457584007913129639935"

static char memory[256];

/* What is in *out, as a C string. */
static const char *text_of(struct sg_out *out)
{
    assert_true(!out->full && out->len < sizeof(memory));
    memory[out->len] = 0;
    return memory;
}

static void eip_55_vectors_hold_both_ways(void **fixture)
{
    static const char *const vectors[] = {
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"};
    for (size_t i = 0; i < SG_COUNT(vectors); i++) {
        char text[64] = "eip155:1:";
        struct sg_caip_account account;
        strcat(text, vectors[i]);
        assert_true(sg_caip_account_read(sg_str_from(text), &account));
        assert_int_equal(account.address.len, 20);
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sg_caip_eip55_put(&out, account.address.bytes);
        assert_string_equal(text_of(&out), vectors[i]);
    }
    (void)fixture;
}

static void what_is_read_has_one_normal_form(void **fixture)
{
    static const struct {
        const char *text, *normal; /* NULL: the same */
    } accounts[] = {
        {"eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
         "eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"},
        {"eip155:18446744073709551615:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", NULL},
        {MAINNET ":" MINT, NULL},
        {MAINNET ":11111111111111111111111111111111", NULL},
    };
    static const char *const assets[] = {"eip155:1/erc721:" KITTY,
                                         "eip155:137/erc721:" KITTY "/0",
                                         "eip155:1/erc721:" KITTY "/" MAX,
                                         "eip155:1/erc1155:" KITTY "/771769",
                                         "eip155:1/erc1155:" KITTY,
                                         MAINNET "/nft:" MINT,
                                         MAINNET "/token:" MINT};
    for (size_t i = 0; i < SG_COUNT(accounts); i++) {
        struct sg_caip_account account;
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        assert_true(sg_caip_account_read(sg_str_from(accounts[i].text), &account));
        sg_caip_account_put(&out, &account);
        assert_string_equal(text_of(&out), accounts[i].normal ?: accounts[i].text);
    }
    for (size_t i = 0; i < SG_COUNT(assets); i++) {
        struct sg_caip_asset asset;
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        assert_true(sg_caip_asset_read(sg_str_from(assets[i]), &asset));
        sg_caip_asset_put(&out, &asset);
        assert_string_equal(text_of(&out), assets[i]);
    }
    (void)fixture;
}

static void other_spellings_of_a_chain_are_refused(void **fixture)
{
    static const char *const bad[] = {"",
                                      "eip155",
                                      "eip155:",
                                      "eip155:0",
                                      "eip155:01",
                                      "eip155:1 ",
                                      "eip155:-1",
                                      "eip155:0x1",
                                      "EIP155:1",
                                      "eip155:18446744073709551616",
                                      "eip155:1:",
                                      "cosmos:cosmoshub-3",
                                      "solana:",
                                      "solana:mainnet",
                                      "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd",
                                      "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp1",
                                      "solana:0eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
                                      "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd!"};
    struct sg_caip_chain chain;
    memset(&chain, 7, sizeof(chain));
    struct sg_caip_chain before = chain;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_caip_chain_read(sg_str_from(bad[i]), &chain));
    assert_memory_equal(&chain, &before, sizeof(chain));
    (void)fixture;
}

static void other_spellings_of_an_account_are_refused(void **fixture)
{
    static const char *const bad[] = {
        "eip155:1",
        "eip155:1:",
        "eip155:1:0x",
        "eip155:1:5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "eip155:1:0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
        "eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0",
        "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", /* one letter's case is wrong */
        "eip155:1:0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", /* no checksum at all */
        "eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
        "eip155:1:" MINT,
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:" KITTY,
        MAINNET ":1111111111111111111111111111111",
        MAINNET ":111111111111111111111111111111111",
        MAINNET ":1" MINT,
        MAINNET ":" MINT " ",
        MAINNET ":zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    };
    struct sg_caip_account account;
    memset(&account, 7, sizeof(account));
    struct sg_caip_account before = account;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_caip_account_read(sg_str_from(bad[i]), &account));
    assert_memory_equal(&account, &before, sizeof(account));
    (void)fixture;
}

static void other_spellings_of_an_asset_are_refused(void **fixture)
{
    static const char *const bad[] = {
        "eip155:1",
        "eip155:1/",
        "eip155:1/erc721",
        "eip155:1/erc20:" KITTY,
        "eip155:1/ERC721:" KITTY,
        "eip155:1/erc721:" KITTY "/",
        "eip155:1/erc721:" KITTY "/01",
        "eip155:1/erc721:" KITTY "/0x1",
        "eip155:1/erc721:" KITTY "/1/2",
        "eip155:1/erc721:" KITTY
        "/115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "eip155:1/nft:" MINT,
        MAINNET "/erc721:" KITTY,
        MAINNET "/nft:" MINT "/1",
    };
    struct sg_caip_asset asset;
    memset(&asset, 7, sizeof(asset));
    struct sg_caip_asset before = asset;
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_caip_asset_read(sg_str_from(bad[i]), &asset));
    assert_memory_equal(&asset, &before, sizeof(asset));
    (void)fixture;
}

static void an_account_id_is_the_hash_of_the_normal_form(void **fixture)
{
    static const char normal[] = "eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
    struct sg_caip_account account;
    uint8_t id[32], expected[32];
    assert_true(sg_caip_account_read(SG_STR("eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
                                     &account));
    sg_caip_account_id(&account, id);
    sg_sha256(normal, strlen(normal), expected);
    assert_memory_equal(id, expected, sizeof(id));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(eip_55_vectors_hold_both_ways),
    cmocka_unit_test(what_is_read_has_one_normal_form),
    cmocka_unit_test(other_spellings_of_a_chain_are_refused),
    cmocka_unit_test(other_spellings_of_an_account_are_refused),
    cmocka_unit_test(other_spellings_of_an_asset_are_refused),
    cmocka_unit_test(an_account_id_is_the_hash_of_the_normal_form),
};
SGT_MAIN("caip", tests)
