/* What the other chain tests stand on: a real anvil, OpenZeppelin's contracts, a wallet. */
#include "tests/sgt.h"

#include "tests/chain/anvil.h"

#include <string.h>

static struct sgt_anvil chain;

static void an_erc721_is_minted_moved_and_burnt(void **fixture)
{
    uint8_t films[20], owner[64];
    sgt_anvil_deploy(&chain, films, "Film721", "");
    sgt_anvil_send(&chain, NULL, films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)7);
    assert_int_equal(
        sgt_anvil_call(&chain, owner, sizeof(owner), films, "ownerOf(uint256)", "u", (uint64_t)7),
        32);
    assert_memory_equal(owner + 12, chain.accounts[1], 20);
    sgt_anvil_send(&chain, NULL, films, "moveTwice(address,address,uint256)", "aau",
                   chain.accounts[2], chain.accounts[3], (uint64_t)7);
    sgt_anvil_call(&chain, owner, sizeof(owner), films, "ownerOf(uint256)", "u", (uint64_t)7);
    assert_memory_equal(owner + 12, chain.accounts[3], 20);
    sgt_anvil_send(&chain, NULL, films, "burn(uint256)", "u", (uint64_t)7);
    (void)fixture;
}

static void an_erc1155_is_minted_by_the_batch(void **fixture)
{
    uint8_t seats[20], balance[32];
    const uint64_t ids[] = {1, 2}, amounts[] = {10, 20};
    sgt_anvil_deploy(&chain, seats, "Film1155", "");
    sgt_anvil_send(&chain, NULL, seats, "mintBatch(address,uint256[],uint256[])", "aUU",
                   chain.accounts[1], 2, ids, 2, amounts);
    sgt_anvil_call(&chain, balance, sizeof(balance), seats, "balanceOf(address,uint256)", "au",
                   chain.accounts[1], (uint64_t)2);
    assert_int_equal(balance[31], 20);
    (void)fixture;
}

static void a_wallet_stands_where_its_factory_said(void **fixture)
{
    uint8_t factory[20], said[32], owner[32];
    static const uint8_t salt[32] = {1};
    sgt_anvil_deploy(&chain, factory, "WalletFactory", "");
    sgt_anvil_call(&chain, said, sizeof(said), factory, "addressOf(address,bytes32)", "aw",
                   chain.accounts[4], salt);
    sgt_anvil_send(&chain, NULL, factory, "create(address,bytes32)", "aw", chain.accounts[4], salt);
    sgt_anvil_call(&chain, owner, sizeof(owner), said + 12, "owner()", "");
    assert_memory_equal(owner + 12, chain.accounts[4], 20);
    (void)fixture;
}

static void a_reorg_takes_a_mint_back(void **fixture)
{
    uint8_t films[20], balance[32];
    sgt_anvil_deploy(&chain, films, "Film721", "");
    sgt_anvil_send(&chain, NULL, films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)1);
    sgt_anvil_reorg(&chain, 1);
    sgt_anvil_call(&chain, balance, sizeof(balance), films, "balanceOf(address)", "a",
                   chain.accounts[1]);
    assert_int_equal(balance[31], 0);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_erc721_is_minted_moved_and_burnt),
        cmocka_unit_test(an_erc1155_is_minted_by_the_batch),
        cmocka_unit_test(a_wallet_stands_where_its_factory_said),
        cmocka_unit_test(a_reorg_takes_a_mint_back),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    int failed = sgt_main("anvil", tests, sizeof(tests) / sizeof(tests[0]));
    sgt_anvil_stop(&chain);
    return failed;
}
