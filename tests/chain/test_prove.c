/* A follower that believes one server, and has it prove what it says: a real anvil, and a shim of
 * our own in front of it that lies about who got a token, and how many. */
#include "tests/sgt.h"

#include "tests/chain/follow_rig.h"
#include "tests/chain/liar.h"

static struct sgt_anvil chain;
static struct sgt_liar liar;
static char liar_url[64];

/* Where films keep owners, and seats balances. */
static void open_proving(struct follow_rig *f, uint64_t slot, uint64_t balances_slot)
{
    follow_init(f, &chain);
    sgt_anvil_mine(&chain, 16); /* the contracts are below what is safe */
    f->servers[0].url = liar_url;
    f->options.servers.check_headers = true;
    f->contracts[0].has_proof_slot = true;
    f->contracts[0].proof_slot = sg_u256_of(slot);
    f->contracts[1].has_proof_slot = true;
    f->contracts[1].proof_slot = sg_u256_of(balances_slot);
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
    open_proving(&f, 2, 0);
    mint(&f, 1);
    sgt_anvil_send(&chain, NULL, f.films, "moveTwice(address,address,uint256)", "aau",
                   chain.accounts[2], chain.accounts[3], (uint64_t)1);
    sgt_anvil_send(&chain, NULL, f.films, "burn(uint256)", "u", (uint64_t)1);
    follow_sync(&f);
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.counts.proven, 3); /* the last of a block counts */
    assert_int_equal(status.counts.disproven, 0);
    follow_fini(&f);
    (void)fixture;
}

static void a_lie_of_our_shim_about_an_owner_closes_the_chain_until_it_is_told_right(void **fixture)
{
    struct follow_rig f;
    open_proving(&f, 2, 0);
    sgt_liar_becomes(&liar, "owner");
    mint(&f, 2);
    struct sgc_follow_status status = wait_closed(&f);
    assert_true(status.counts.disproven > 0);
    assert_non_null(strstr(status.why, "other owners than the state"));
    assert_true(status.head < status.latest); /* the block is not in the ledger */
    sgt_liar_becomes(&liar, "honest");
    sgc_follow_wake(f.follow); /* or it looks again in five seconds */
    follow_sync(&f);
    follow_fini(&f);
    (void)fixture;
}

static void a_slot_where_no_owners_are_closes_the_chain(void **fixture)
{
    struct follow_rig f;
    open_proving(&f, 3, 0);
    mint(&f, 3);
    assert_true(wait_closed(&f).counts.disproven > 0);
    follow_fini(&f);
    (void)fixture;
}

static void seat(struct follow_rig *f, uint64_t from, uint64_t to, uint64_t id, uint64_t amount)
{
    if (from == 0)
        sgt_anvil_send(&chain, NULL, f->seats, "mint(address,uint256,uint256)", "auu",
                       chain.accounts[to], id, amount);
    else
        sgt_anvil_send(&chain, NULL, f->seats, "move(address,address,uint256,uint256)", "aauu",
                       chain.accounts[from], chain.accounts[to], id, amount);
}

static void balances_are_proven_block_by_block(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    open_proving(&f, 2, 0);
    seat(&f, 0, 1, 5, 100);
    seat(&f, 0, 2, 5, 7);
    seat(&f, 1, 2, 5, 30); /* two balances */
    seat(&f, 1, 1, 5, 30); /* to oneself: none */
    seat(&f, 2, 3, 5, 37); /* down to nothing */
    follow_sync(&f);
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.counts.proven, 6);
    assert_int_equal(status.counts.disproven, 0);
    follow_fini(&f);
    (void)fixture;
}

static void several_moves_of_a_block_are_proven_as_their_sum(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    open_proving(&f, 2, 0);
    seat(&f, 0, 4, 6, 10);
    follow_sync(&f);
    json_decref(sgt_anvil_rpc(&chain, "evm_setAutomine", json_pack("[b]", 0)));
    for (uint64_t i = 1; i <= 3; i++)
        seat(&f, 4, 5, 6, i);
    sgt_anvil_mine(&chain, 1);
    json_decref(sgt_anvil_rpc(&chain, "evm_setAutomine", json_pack("[b]", 1)));
    follow_sync(&f);
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.counts.proven, 3);
    follow_fini(&f);
    (void)fixture;
}

static void
a_lie_of_our_shim_about_an_amount_closes_the_chain_until_it_is_told_right(void **fixture)
{
    struct follow_rig f;
    open_proving(&f, 2, 0);
    sgt_liar_becomes(&liar, "amount");
    seat(&f, 0, 1, 7, 3);
    assert_true(wait_closed(&f).counts.disproven > 0);
    sgt_liar_becomes(&liar, "honest");
    sgc_follow_wake(f.follow); /* or it looks again in five seconds */
    follow_sync(&f);
    follow_fini(&f);
    (void)fixture;
}

static void a_slot_where_no_balances_are_closes_the_chain(void **fixture)
{
    struct follow_rig f;
    open_proving(&f, 2, 1);
    seat(&f, 0, 1, 8, 3);
    assert_true(wait_closed(&f).counts.disproven > 0);
    follow_fini(&f);
    (void)fixture;
}

/* ---- how many of an ERC-721 ---- */

static struct sg_u256 number(const char *text)
{
    struct sg_u256 value;
    assert_true(sg_u256_read(sg_str_from(text), &value));
    return value;
}

/* Films alone, with what `owners` (NULL: nothing) and `balances` name proven. */
static void open_counting(struct follow_rig *f, const char *owners, const char *balances)
{
    sgt_anvil_mine(&chain, 16);
    f->servers[0].url = liar_url;
    f->options.servers.check_headers = true;
    f->contracts[0].has_proof_slot = owners != NULL;
    if (owners != NULL)
        f->contracts[0].proof_slot = number(owners);
    f->contracts[0].has_balances_slot = true;
    f->contracts[0].balances_slot = number(balances);
    sgt_liar_becomes(&liar, "honest");
    follow_open(f);
    follow_sync(f);
}

static void automine(bool on)
{
    json_decref(sgt_anvil_rpc(&chain, "evm_setAutomine", json_pack("[b]", on)));
}

static void move(struct follow_rig *f, uint64_t to, uint64_t id)
{
    sgt_anvil_send(&chain, NULL, f->films, "move(address,uint256)", "au", chain.accounts[to], id);
}

static void expect_proven(struct follow_rig *f, uint64_t proven)
{
    struct sgc_follow_status status;
    follow_sync(f);
    sgc_follow_status(f->follow, &status);
    assert_int_equal(status.counts.proven, proven);
    assert_int_equal(status.counts.disproven, 0);
    assert_int_equal(status.counts.cut, 0);
}

static void what_a_block_adds_and_takes_is_proven_of_all_whom_it_names(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    open_counting(&f, NULL, "3");
    mint(&f, 1);    /* of one */
    move(&f, 2, 1); /* of two */
    move(&f, 2, 1); /* to oneself: of one, nothing more or less */
    sgt_anvil_send(&chain, NULL, f.films, "burn(uint256)", "u", (uint64_t)1);
    expect_proven(&f, 5);
    automine(false);
    for (uint64_t id = 10; id < 14; id++)
        mint(&f, id);
    move(&f, 3, 10);
    sgt_anvil_mine(&chain, 1);
    automine(true);
    expect_proven(&f, 7);
    follow_fini(&f);
    (void)fixture;
}

/* What is told of owners is right: by them it would not be noticed. */
static void a_transfer_that_our_shim_leaves_out_closes_the_chain_until_it_is_told(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    open_counting(&f, "2", "3");
    sgt_liar_becomes(&liar, "omit");
    automine(false);
    mint(&f, 20);
    mint(&f, 21);
    sgt_anvil_mine(&chain, 1);
    automine(true);
    struct sgc_follow_status status = wait_closed(&f);
    assert_true(status.counts.disproven > 0);
    assert_true(status.head < status.latest);
    sgt_liar_becomes(&liar, "honest");
    sgc_follow_wake(f.follow);
    follow_sync(&f);
    follow_fini(&f);
    (void)fixture;
}

static void a_slot_where_no_counts_are_closes_the_chain(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    open_counting(&f, NULL, "4");
    mint(&f, 30);
    assert_true(wait_closed(&f).counts.disproven > 0);
    follow_fini(&f);
    (void)fixture;
}

static void an_upgradeable_contract_is_proven_in_its_namespace(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    sgt_anvil_deploy(&chain, f.films, "Upgradeable721", "");
    f.contracts_count = 0;
    follow_contract(&f, SG_CAIP_ERC721, f.films);
    open_counting(&f, "0x80bb2b638cc20bc4d0a60d66940f3ab4a00c1d7b313497ca82fb0b4ab0079302",
                  "0x80bb2b638cc20bc4d0a60d66940f3ab4a00c1d7b313497ca82fb0b4ab0079303");
    mint(&f, 1);
    move(&f, 2, 1);
    expect_proven(&f, 5); /* two owners, three counts */
    follow_fini(&f);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_are_proven_block_by_block),
        cmocka_unit_test(a_lie_of_our_shim_about_an_owner_closes_the_chain_until_it_is_told_right),
        cmocka_unit_test(a_slot_where_no_owners_are_closes_the_chain),
        cmocka_unit_test(balances_are_proven_block_by_block),
        cmocka_unit_test(several_moves_of_a_block_are_proven_as_their_sum),
        cmocka_unit_test(a_lie_of_our_shim_about_an_amount_closes_the_chain_until_it_is_told_right),
        cmocka_unit_test(a_slot_where_no_balances_are_closes_the_chain),
        cmocka_unit_test(what_a_block_adds_and_takes_is_proven_of_all_whom_it_names),
        cmocka_unit_test(a_transfer_that_our_shim_leaves_out_closes_the_chain_until_it_is_told),
        cmocka_unit_test(a_slot_where_no_counts_are_closes_the_chain),
        cmocka_unit_test(an_upgradeable_contract_is_proven_in_its_namespace),
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
