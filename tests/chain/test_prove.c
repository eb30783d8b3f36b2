/* A follower that believes one server, and has it prove what it says: a real anvil, and a shim of
 * our own in front of it that lies about who got a token. */
#include "tests/sgt.h"

#include "tests/chain/follow_rig.h"
#include "tests/chain/liar.h"

static struct sgt_anvil chain;
static struct sgt_liar liar;
static char liar_url[64];

static void open_proving(struct follow_rig *f, uint64_t slot)
{
    follow_init(f, &chain);
    sgt_anvil_mine(&chain, 16); /* the contracts are below what is safe */
    f->servers[0].url = liar_url;
    f->options.servers.check_headers = true;
    f->contracts[0].has_proof_slot = true;
    f->contracts[0].proof_slot = sg_u256_of(slot);
    sgt_liar_becomes(&liar, "honest");
    follow_open(f);
    follow_sync(f);
}

static struct sgc_follow_status wait_closed(struct follow_rig *f)
{
    struct sgc_follow_status status = {0};
    for (uint32_t i = 0; i < 5000 && status.state != SGC_FOLLOW_CLOSED; i++) {
        follow_nap();
        sgc_follow_status(f->follow, &status);
    }
    assert_int_equal(status.state, SGC_FOLLOW_CLOSED);
    return status;
}

static void mint(struct follow_rig *f, uint64_t id)
{
    sgt_anvil_send(&chain, NULL, f->films, "mint(address,uint256)", "au", chain.accounts[1], id);
}

static void owners_are_proven_block_by_block(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    open_proving(&f, 2);
    mint(&f, 1);
    sgt_anvil_send(&chain, NULL, f.films, "moveTwice(address,address,uint256)", "aau",
                   chain.accounts[2], chain.accounts[3], (uint64_t)1);
    sgt_anvil_send(&chain, NULL, f.films, "burn(uint256)", "u", (uint64_t)1);
    follow_sync(&f);
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.counts.proven, 3); /* the last of a block counts */
    assert_int_equal(status.counts.disproven, 0);
    follow_fini(&f);
}

static void a_lie_of_our_shim_about_an_owner_closes_the_chain_until_it_is_told_right(void **fixture)
{
    struct follow_rig f;
    open_proving(&f, 2);
    sgt_liar_becomes(&liar, "owner");
    mint(&f, 2);
    struct sgc_follow_status status = wait_closed(&f);
    assert_true(status.counts.disproven > 0);
    assert_non_null(strstr(status.why, "another owner than the state"));
    assert_true(status.head < status.latest); /* the block is not in the ledger */
    sgt_liar_becomes(&liar, "honest");
    follow_sync(&f);
    follow_fini(&f);
}

static void a_slot_where_no_owners_are_closes_the_chain(void **fixture)
{
    struct follow_rig f;
    open_proving(&f, 3);
    mint(&f, 3);
    assert_true(wait_closed(&f).counts.disproven > 0);
    follow_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_are_proven_block_by_block),
        cmocka_unit_test(a_lie_of_our_shim_about_an_owner_closes_the_chain_until_it_is_told_right),
        cmocka_unit_test(a_slot_where_no_owners_are_closes_the_chain),
    };
    if (!sgt_anvil_start(&chain, NULL))
        return SGT_SKIP;
    if (!sgt_liar_start(&liar, chain.url, NULL, NULL))
        return 1;
    snprintf(liar_url, sizeof(liar_url), "http://127.0.0.1:%u/now", liar.port);
    int failed = sgt_main("prove", tests, sizeof(tests) / sizeof(tests[0]));
    sgt_liar_stop(&liar);
    sgt_anvil_stop(&chain);
    return failed;
}
