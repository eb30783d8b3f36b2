/* A quorum's word about a real anvil. */
#include "tests/sgt.h"

#include "controlplane/chain/agreed.h"
#include "tests/chain/anvil.h"

#include <string.h>

static struct sgt_anvil chain;
static struct sgc_servers *servers;

struct seen {
    uint32_t count;
    struct sgc_eth_log last;
};

static bool see(void *ctx, const struct sgc_eth_log *log)
{
    struct seen *seen = ctx;
    seen->count++;
    seen->last = *log;
    return true;
}

static void the_head_is_what_the_chain_says(void **fixture)
{
    struct sgc_eth_block head, safe, same, before;
    sgt_anvil_mine(&chain, 3);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &head), SG_OK);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_SAFE, &safe), SG_OK);
    assert_true(safe.number < head.number);
    struct sgc_eth_at at = {.kind = SGC_ETH_HASH};
    memcpy(at.hash, head.hash, 32);
    assert_int_equal(sgc_agreed_block(servers, &at, &same), SG_OK);
    assert_memory_equal(&same, &head, sizeof(head));
    at = (struct sgc_eth_at){.kind = SGC_ETH_NUMBER, .number = head.number - 1};
    assert_int_equal(sgc_agreed_block(servers, &at, &before), SG_OK);
    assert_memory_equal(before.hash, head.parent, 32);
    at.number = head.number + 100;
    assert_int_equal(sgc_agreed_block(servers, &at, &before), SG_ENOENT);
    (void)fixture;
}

static void a_transfer_is_seen_as_a_log_and_a_call(void **fixture)
{
    uint8_t films[20], data[36] = {0x63, 0x52, 0x21, 0x1e, [35] = 7}, owner[64];
    struct sgc_eth_block head;
    struct seen seen = {0};
    size_t len;
    bool reverted;
    sgt_anvil_deploy(&chain, films, "Film721", "");
    sgt_anvil_send(&chain, NULL, films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)7);
    assert_int_equal(sgc_agreed_head(servers, SGC_ETH_LATEST, &head), SG_OK);
    struct sgc_eth_filter filter = {
        .addresses = &films, .addresses_count = 1, .from = 0, .to = head.number};
    assert_int_equal(sgc_agreed_logs(servers, &filter, see, &seen), SG_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.topics_count, 4);
    assert_memory_equal(seen.last.topics[2] + 12, chain.accounts[1], 20);
    assert_memory_equal(seen.last.block_hash, head.hash, 32);
    assert_true(sgc_eth_bloom_has(&head, films, 20));

    struct sgc_eth_call call = {.has_to = true, .data = data, .data_len = 36};
    memcpy(call.to, films, 20);
    call.at.kind = SGC_ETH_HASH;
    memcpy(call.at.hash, head.hash, 32);
    assert_int_equal(sgc_agreed_call(servers, &call, owner, sizeof(owner), &len, &reverted), SG_OK);
    assert_false(reverted);
    assert_int_equal(len, 32);
    assert_memory_equal(owner + 12, chain.accounts[1], 20);
    data[35] = 8; /* nobody's */
    assert_int_equal(sgc_agreed_call(servers, &call, owner, sizeof(owner), &len, &reverted), SG_OK);
    assert_true(reverted);
    (void)fixture;
}

static void the_chain_id_is_told(void **fixture)
{
    uint64_t id;
    assert_int_equal(sgc_agreed_chain_id(servers, &id), SG_OK);
    assert_int_equal(id, 31337);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_what_the_chain_says),
        cmocka_unit_test(a_transfer_is_seen_as_a_log_and_a_call),
        cmocka_unit_test(the_chain_id_is_told),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    /* The same anvil twice: two connections, one truth. */
    const struct sgc_rpc_options options[] = {{.url = chain.url}, {.url = chain.url}};
    if (sgc_servers_open(
            &(struct sgc_servers_options){
                .servers = options, .count = 2, .agree = 2, .check_headers = true},
            &servers) != SG_OK)
        return 1;
    int failed = sgt_main("agreed", tests, sizeof(tests) / sizeof(tests[0]));
    sgc_servers_close(servers);
    sgt_anvil_stop(&chain);
    return failed;
}
