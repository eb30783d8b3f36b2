/* Proofs and headers of a real anvil, and what becomes of them when a bit of them changes. */
#include "tests/sgt.h"

#include "base/keccak.h"
#include "controlplane/chain/proof.h"
#include "controlplane/chain/trie.h"
#include "tests/chain/anvil.h"

#include <string.h>

static struct sgt_anvil chain;
static struct sgc_servers *servers;
static uint8_t films[20], seats[20];
static struct sgc_eth_block head;
static const uint8_t owners_slot[32] = {[31] = 2}; /* OpenZeppelin 5: ERC721._owners */
static const uint8_t balances_slot[32] = {0};      /* ERC1155._balances */

static char *asked(const char *method, json_t *params)
{
    json_t *answer = sgt_anvil_rpc(&chain, method, params);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    return text;
}

static void an_owner_is_proven_against_the_blocks_state_root(void **fixture)
{
    uint8_t owner[20];
    for (uint64_t id = 1; id <= 40; id++) {
        const struct sg_u256 number = sg_u256_of(id);
        assert_int_equal(sgc_proof_owner(servers, &head, films, owners_slot, &number, owner),
                         SG_OK);
        assert_memory_equal(owner, chain.accounts[id % 5 + 1], 20);
    }
    (void)fixture;
}

static void that_nobody_owns_is_proven_too(void **fixture)
{
    static const uint8_t nobody[20];
    uint8_t owner[20];
    for (uint64_t id = 41; id < 80; id++) {
        const struct sg_u256 number = sg_u256_of(id);
        assert_int_equal(sgc_proof_owner(servers, &head, films, owners_slot, &number, owner),
                         SG_OK);
        assert_memory_equal(owner, nobody, 20);
    }
    /* and of a contract that is not there */
    const struct sg_u256 one = sg_u256_of(1);
    assert_int_equal(sgc_proof_owner(servers, &head, nobody, owners_slot, &one, owner), SG_OK);
    assert_memory_equal(owner, nobody, 20);
    (void)fixture;
}

static void a_balance_is_proven(void **fixture)
{
    struct sg_u256 balance;
    const struct sg_u256 id = sg_u256_of(9), want = sg_u256_of(1234567);
    assert_int_equal(
        sgc_proof_balance(servers, &head, seats, balances_slot, &id, chain.accounts[3], &balance),
        SG_OK);
    assert_int_equal(sg_u256_cmp(&balance, &want), 0);
    assert_int_equal(
        sgc_proof_balance(servers, &head, seats, balances_slot, &id, chain.accounts[4], &balance),
        SG_OK);
    assert_true(sg_u256_is_zero(&balance));
    (void)fixture;
}

static void a_proof_against_another_state_is_refused(void **fixture)
{
    struct sgc_eth_block other = head;
    const struct sg_u256 id = sg_u256_of(1);
    uint8_t owner[20];
    other.state_root[31] ^= 1;
    assert_int_equal(sgc_proof_owner(servers, &other, films, owners_slot, &id, owner), SG_EAGAIN);
    struct sgc_servers_stats stats;
    sgc_servers_stats(servers, &stats);
    assert_int_equal(stats.servers[0].ends[SGC_RPC_unproven], 1);
    sgc_servers_praise(servers, 0); /* it was we who lied */
    (void)fixture;
}

/* Every hex digit of the proof's nodes, one after the other. */
static void a_proof_with_one_digit_changed_is_refused(void **fixture)
{
    uint8_t slot[1][32];
    const struct sg_u256 id = sg_u256_of(7);
    sgc_proof_mapping_slot(&id, owners_slot, slot[0]);
    char *text = asked("eth_getProof", json_pack("[s, [s], s]", sgt_hex0x(films, 20),
                                                 sgt_hex0x(slot[0], 32), "latest"));
    struct sg_jsonread whole, nodes;
    struct sgc_proof_account account;
    struct sg_u256 value;
    assert_true(sg_jsonread_check(sg_str_from(text), 8, &whole));
    assert_true(sgc_proof_read(whole, head.state_root, films, slot, 1, &account, &value));
    assert_memory_equal(value.bytes + 12, chain.accounts[7 % 5 + 1], 20);
    uint32_t changed = 0;
    for (const char *member = "accountProof"; member != NULL;
         member = strcmp(member, "accountProof") == 0 ? "storageProof" : NULL) {
        assert_true(sg_jsonread_member(whole, member, &nodes));
        for (char *at = text + (nodes.ptr - text); at < nodes.ptr + nodes.len; at++) {
            bool is_node = strncmp(at, "\"0xf", 4) == 0;
            char *end = is_node ? strchr(at + 1, '"') : at;
            for (char *digit = at + 3; is_node && digit < end; digit++, changed++) {
                char was = *digit;
                *digit = was == '0' ? '1' : '0';
                assert_false(
                    sgc_proof_read(whole, head.state_root, films, slot, 1, &account, &value));
                *digit = was;
            }
            at = end;
        }
    }
    assert_true(changed > 2000);
    free(text);
    (void)fixture;
}

static void a_header_hashes_to_its_hash(void **fixture)
{
    for (int number = 0; number < 6; number++) {
        char *text =
            asked("eth_getBlockByNumber", json_pack("[o, b]", json_sprintf("0x%x", number), 0));
        struct sg_jsonread block;
        struct sgc_eth_block read;
        uint8_t hash[32];
        assert_true(sg_jsonread_check(sg_str_from(text), 8, &block));
        assert_true(sgc_eth_read_block(block, &read));
        assert_true(sgc_proof_header_hash(block, hash));
        assert_memory_equal(hash, read.hash, 32);
        char *root = strstr(text, "stateRoot");
        root[20] = root[20] == 'a' ? 'b' : 'a';
        assert_true(sgc_proof_header_hash(block, hash));
        assert_memory_not_equal(hash, read.hash, 32);
        free(text);
    }
    (void)fixture;
}

/* Ethereum's first block, from before all forks. */
static void the_first_block_of_ethereum_hashes_to_its_hash(void **fixture)
{
    static const char text[] =
        "{\"parentHash\":\"0x0000000000000000000000000000000000000000000000000000000000000000\","
        "\"sha3Uncles\":\"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347\","
        "\"miner\":\"0x0000000000000000000000000000000000000000\","
        "\"stateRoot\":\"0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544\","
        "\"transactionsRoot\":"
        "\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\","
        "\"receiptsRoot\":\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\","
        "\"logsBloom\":\"0x%0512d\",\"difficulty\":\"0x400000000\",\"number\":\"0x0\","
        "\"gasLimit\":\"0x1388\",\"gasUsed\":\"0x0\",\"timestamp\":\"0x0\","
        "\"extraData\":\"0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa\","
        "\"mixHash\":\"0x0000000000000000000000000000000000000000000000000000000000000000\","
        "\"nonce\":\"0x0000000000000042\"}";
    static const uint8_t want[32] = {0xd4, 0xe5, 0x67, 0x40, 0xf8, 0x76, 0xae, 0xf8,
                                     0xc0, 0x10, 0xb8, 0x6a, 0x40, 0xd5, 0xf5, 0x67,
                                     0x45, 0xa1, 0x18, 0xd0, 0x90, 0x6a, 0x34, 0xe6,
                                     0x9a, 0xec, 0x8c, 0x0d, 0xb1, 0xcb, 0x8f, 0xa3};
    char memory[4096];
    struct sg_jsonread block;
    uint8_t hash[32];
    snprintf(memory, sizeof(memory), text, 0);
    assert_true(sg_jsonread_check(sg_str_from(memory), 2, &block));
    assert_true(sgc_proof_header_hash(block, hash));
    assert_memory_equal(hash, want, 32);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_owner_is_proven_against_the_blocks_state_root),
        cmocka_unit_test(that_nobody_owns_is_proven_too),
        cmocka_unit_test(a_balance_is_proven),
        cmocka_unit_test(a_proof_against_another_state_is_refused),
        cmocka_unit_test(a_proof_with_one_digit_changed_is_refused),
        cmocka_unit_test(a_header_hashes_to_its_hash),
        cmocka_unit_test(the_first_block_of_ethereum_hashes_to_its_hash),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    sgt_anvil_deploy(&chain, films, "Film721", "");
    sgt_anvil_deploy(&chain, seats, "Film1155", "");
    for (uint64_t id = 1; id <= 40; id++)
        sgt_anvil_send(&chain, NULL, films, "mint(address,uint256)", "au",
                       chain.accounts[id % 5 + 1], id);
    sgt_anvil_send(&chain, NULL, seats, "mint(address,uint256,uint256)", "auu", chain.accounts[3],
                   (uint64_t)9, (uint64_t)1234567);
    const struct sgc_rpc_options options = {.url = chain.url};
    if (sgc_servers_open(
            &(struct sgc_servers_options){
                .servers = &options, .count = 1, .agree = 1, .check_headers = true},
            &servers) != SG_OK ||
        sgc_agreed_head(servers, SGC_ETH_LATEST, &head) != SG_OK)
        return 1;
    int failed = sgt_main("proof", tests, sizeof(tests) / sizeof(tests[0]));
    sgc_servers_close(servers);
    sgt_anvil_stop(&chain);
    return failed;
}
