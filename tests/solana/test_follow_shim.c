/* Following Solana over a shim: real programs made the accounts, the server is ours. */
#include "tests/solana/shim_rig.h"

static void an_owner_counts_at_head_at_once_and_is_safe_once_final(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], film[KEY_CHARS];
    wallet(bob);
    world_open_with_film(&world, alice, film);
    turn(&world);
    owner_is(&world, film, alice, NULL);
    steer_fmt("test_finalize", "[]");
    turn(&world);
    owner_is(&world, film, alice, alice);
    transfer(film, alice, bob, 1);
    turn(&world);
    owner_is(&world, film, bob, alice); /* denied at head, not yet allowed at safe */
    steer_fmt("test_finalize", "[]");
    turn(&world);
    owner_is(&world, film, bob, bob);
    steer_fmt("test_burn", "[{\"mint\":\"%s\",\"from\":\"%s\"}]", film, bob);
    turn(&world);
    owner_is(&world, film, NULL, bob);
    world_close(&world);
    (void)fixture;
}

static void a_fork_that_was_dropped_gives_the_owner_back_under_a_new_generation(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], film[KEY_CHARS];
    uint32_t bumps;
    wallet(bob);
    world_open_with_film(&world, alice, film);
    turn(&world);
    steer_fmt("test_advance", "[1]");
    steer_fmt("test_finalize", "[]");
    turn(&world);
    owner_is(&world, film, alice, alice);
    outbox(&world, &bumps);
    transfer(film, alice, bob, 1);
    turn(&world);
    owner_is(&world, film, bob, alice);
    assert_true(outbox(&world, &bumps) > 0 && bumps == 1);
    steer_fmt("test_fork", "[]");
    turn(&world);
    owner_is(&world, film, alice, alice);
    assert_true(outbox(&world, &bumps) > 0 && bumps == 1);
    world_close(&world);
    (void)fixture;
}

static void moving_to_an_account_of_ones_own_revokes_nobody(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], film[KEY_CHARS];
    uint32_t bumps;
    world_open_with_film(&world, alice, film);
    turn(&world);
    steer_fmt("test_move", "[{\"mint\":\"%s\",\"owner\":\"%s\"}]", film, alice);
    steer_fmt("test_finalize", "[]");
    outbox(&world, &bumps);
    turn(&world);
    outbox(&world, &bumps);
    assert_int_equal(bumps, 0);
    owner_is(&world, film, alice, alice);
    world_close(&world);
    (void)fixture;
}

static bool is_known(struct world *world, const char *of)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_NFT);
    struct sge_fact_id id;
    struct sge_change fact;
    sge_fact_owner(&asset, &id);
    return sgc_ledger_fact(world->ledger, &id, &fact) == SG_OK;
}

static void a_mint_of_more_than_one_is_nobodys(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], two[KEY_CHARS], parts[KEY_CHARS];
    struct sgc_solfollow_stats stats;
    wallet(alice);
    mint(two, alice, 2, "");
    mint(parts, alice, 1, ",\"decimals\":2");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, two);
    want(&world, SGC_SOLWANT_NFT, parts);
    world_open(&world);
    turn(&world);
    assert_false(is_known(&world, two));
    assert_false(is_known(&world, parts));
    sgc_solfollow_stats(world.follow, &stats);
    assert_int_equal(stats.not_one, 2);
    world_close(&world);
    (void)fixture;
}

static void balances_of_both_token_programs_are_followed(void **fixture)
{
    static const char *const programs[] = {",\"program\":\"token\"", ",\"program\":\"token-2022\"",
                                           ",\"program\":\"token-2022\",\"extended\":true"};
    for (size_t i = 0; i < 3; i++) {
        struct world world = {.now_ns = 1};
        char alice[KEY_CHARS], bob[KEY_CHARS], coin[KEY_CHARS];
        uint32_t bumps;
        wallet(alice);
        wallet(bob);
        mint(coin, alice, 1000, programs[i]);
        steer_fmt("test_finalize", "[]");
        want(&world, SGC_SOLWANT_TOKEN, coin);
        world_open(&world);
        turn(&world);
        balance_is(&world, coin, alice, 1000, 0);
        steer_fmt("test_finalize", "[]");
        turn(&world);
        balance_is(&world, coin, alice, 1000, 1000);
        outbox(&world, &bumps);
        transfer(coin, alice, bob, 300);
        turn(&world);
        balance_is(&world, coin, alice, 700, 1000);
        balance_is(&world, coin, bob, 300, 0);
        outbox(&world, &bumps);
        assert_int_equal(bumps, 1); /* alice's fell; bob's rise revokes nobody */
        steer_fmt("test_finalize", "[]");
        turn(&world);
        balance_is(&world, coin, alice, 700, 700);
        balance_is(&world, coin, bob, 300, 300);
        world_close(&world);
    }
    (void)fixture;
}

static bool is_in(struct world *world, const char *of, uint64_t group)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_NFT);
    struct sge_fact_id id;
    struct sge_change fact;
    sge_fact_owner(&asset, &id);
    if (sgc_ledger_fact(world->ledger, &id, &fact) != SG_OK)
        return false;
    for (uint8_t i = 0; i < fact.groups_count; i++)
        if (fact.groups[i] == group)
            return true;
    return false;
}

static void a_collection_has_what_its_authority_verified(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], saga[KEY_CHARS], films[4][KEY_CHARS];
    struct sg_caip_chain chain;
    struct sg_caip_asset collection;
    wallet(alice);
    wallet(bob);
    mint(saga, bob, 1, "");
    assert_true(sg_caip_chain_read(text_of(chain_name), &chain));
    for (int i = 0; i < 4; i++) /* 0 to 2 creators, with a token standard and without */
        mint(films[i], alice, 1, "");
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", films[0], saga);
    steer_fmt("test_metadata",
              "[{\"mint\":\"%s\",\"collection\":\"%s\",\"standard\":false,"
              "\"creators\":[{\"address\":\"%s\",\"verified\":true}]}]",
              films[1], saga, bob);
    steer_fmt("test_metadata",
              "[{\"mint\":\"%s\",\"collection\":\"%s\",\"creators\":[{\"address\":\"%s\","
              "\"verified\":true},{\"address\":\"%s\",\"verified\":false}]}]",
              films[2], saga, bob, alice);
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\",\"verified\":false}]",
              films[3], saga);
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    world_open(&world);
    turn(&world);
    collection = asset_of(saga, SG_CAIP_NFT);
    uint64_t group = sge_group_collection(&chain, collection.contract.bytes);
    for (int i = 0; i < 3; i++) {
        owner_is(&world, films[i], alice, NULL);
        assert_true(is_in(&world, films[i], group));
    }
    assert_false(is_in(&world, films[3], group)); /* anybody may claim to be of it */
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\",\"verified\":false}]",
              films[0], saga);
    steer_fmt("test_finalize", "[]");
    turn(&world);
    turn(&world);
    assert_false(is_in(&world, films[0], group)); /* it was, and is no more */
    assert_true(is_in(&world, films[1], group));
    world_close(&world);
    (void)fixture;
}

static void a_creator_has_what_he_signed(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], films[2][KEY_CHARS];
    struct sg_caip_chain chain;
    struct sg_caip_asset creator;
    wallet(alice);
    wallet(bob);
    assert_true(sg_caip_chain_read(text_of(chain_name), &chain));
    for (int i = 0; i < 2; i++) {
        mint(films[i], alice, 1, "");
        steer_fmt("test_metadata",
                  "[{\"mint\":\"%s\",\"creators\":[{\"address\":\"%s\",\"verified\":false},"
                  "{\"address\":\"%s\",\"verified\":%s}]}]",
                  films[i], alice, bob, i == 0 ? "true" : "false");
    }
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_CREATOR, bob);
    world_open(&world);
    turn(&world);
    creator = asset_of(bob, SG_CAIP_NFT);
    uint64_t group = sge_group_creator(&chain, creator.contract.bytes);
    assert_true(is_in(&world, films[0], group));
    assert_false(is_in(&world, films[1], group));
    world_close(&world);
    (void)fixture;
}

static void what_happened_while_nobody_looked_is_found_and_the_rest_not_revoked(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], kept[KEY_CHARS], sold[KEY_CHARS], coin[KEY_CHARS];
    uint32_t bumps;
    wallet(alice);
    wallet(bob);
    mint(kept, alice, 1, "");
    mint(sold, alice, 1, "");
    mint(coin, alice, 50, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, kept);
    want(&world, SGC_SOLWANT_NFT, sold);
    want(&world, SGC_SOLWANT_TOKEN, coin);
    world_open(&world);
    turn(&world);
    steer_fmt("test_advance", "[1]");
    steer_fmt("test_finalize", "[]");
    turn(&world);
    outbox(&world, &bumps);
    transfer(sold, alice, bob, 1);
    transfer(coin, alice, bob, 50);
    restart(&world);
    turn(&world);
    outbox(&world, &bumps);
    assert_int_equal(bumps, 2); /* the sold one and alice's coins */
    owner_is(&world, kept, alice, alice);
    owner_is(&world, sold, bob, alice);
    balance_is(&world, coin, alice, 0, 50);
    balance_is(&world, coin, bob, 50, 0);
    world_close(&world);
    (void)fixture;
}

static void servers_of_another_chain_are_refused(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS];
    struct sgc_solfollow *other;
    struct sgc_solfollow_options options = {.wants_count = 1, .wants = world.wants};
    wallet(alice);
    want(&world, SGC_SOLWANT_NFT, alice);
    world_open(&world);
    options.servers = world.servers;
    options.ledger = world.ledger;
    options.dir = world.dir;
    assert_true(
        sg_caip_chain_read(SG_STR("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"), &options.chain));
    assert_int_equal(sgc_solfollow_open(&options, &other), SG_OK);
    assert_int_equal(sgc_solfollow_turn(other, 1), SG_EINVAL);
    sgc_solfollow_close(other);
    world_close(&world);
    (void)fixture;
}

/* ---- how much of it is known ---- */

static enum sge_followed followed(struct world *world, uint64_t group)
{
    struct sge_fact_id id;
    struct sge_change fact;
    sge_fact_followed(group, &id);
    if (sgc_ledger_fact(world->ledger, &id, &fact) != SG_OK)
        return SGE_FOLLOWED_NOT;
    return (enum sge_followed)fact.head[31];
}

static enum sge_followed followed_mint(struct world *world, const char *of,
                                       enum sg_caip_standard standard)
{
    struct sg_caip_asset asset = asset_of(of, standard);
    return followed(world, sge_group_contract(&asset));
}

static enum sge_followed followed_collection(struct world *world, const char *of)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_NFT);
    return followed(world, sge_group_collection(&asset.chain, asset.contract.bytes));
}

static void what_was_seen_and_told_as_a_whole_is_followed_wholly(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], saga[KEY_CHARS], film[KEY_CHARS], coin[KEY_CHARS];
    wallet(alice);
    wallet(bob);
    mint(saga, bob, 1, "");
    mint(film, alice, 1, "");
    mint(coin, alice, 1000, "");
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", film, saga);
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    want(&world, SGC_SOLWANT_NFT, film);
    want(&world, SGC_SOLWANT_TOKEN, coin);
    world_open(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_NOT);
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_WHOLE);
    assert_int_equal(followed_mint(&world, film, SG_CAIP_NFT), SGE_FOLLOWED_WHOLE);
    assert_int_equal(followed_mint(&world, coin, SG_CAIP_TOKEN), SGE_FOLLOWED_WHOLE);
    transfer(film, alice, bob, 1);
    transfer(coin, alice, bob, 7);
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_WHOLE);
    restart(&world); /* what was said stays said: the head says how old it is */
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_WHOLE);
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_WHOLE);
    assert_int_equal(followed_mint(&world, coin, SG_CAIP_TOKEN), SGE_FOLLOWED_WHOLE);
    world_close(&world);
    (void)fixture;
}

static bool has_group(struct world *world, const char *of, uint64_t group)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_NFT);
    struct sge_fact_id id;
    struct sge_change fact;
    bool found = false;
    sge_fact_owner(&asset, &id);
    assert_int_equal(sgc_ledger_fact(world->ledger, &id, &fact), SG_OK);
    for (uint8_t i = 0; i < fact.groups_count; i++)
        found |= fact.groups[i] == group;
    return found;
}

/* A rule is taken out: its collection is watched no longer, though the mint that names it is, and
 * a film of it that another rule names belongs to what is known of it now. */
static void a_collection_that_no_rule_names_any_more_is_left_by_itself(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], saga[KEY_CHARS], film[KEY_CHARS];
    uint32_t bumps;
    wallet(alice);
    wallet(bob);
    mint(saga, bob, 1, "");
    mint(film, alice, 1, "");
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", film, saga);
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    want(&world, SGC_SOLWANT_NFT, saga);
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
    turn(&world);
    struct sg_caip_asset of_saga = asset_of(saga, SG_CAIP_NFT);
    uint64_t collection = sge_group_collection(&of_saga.chain, of_saga.contract.bytes);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_WHOLE);
    assert_true(has_group(&world, film, collection));
    steer_fmt("test_finalize", "[]"); /* what is not safe is seen anew after a restart */
    turn(&world);
    owner_is(&world, film, alice, alice);
    outbox(&world, &bumps);

    world.wants[0] = world.wants[--world.wants_count];
    restart(&world);
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_NOT);
    assert_int_equal(followed_mint(&world, saga, SG_CAIP_NFT), SGE_FOLLOWED_WHOLE);
    assert_int_equal(followed_mint(&world, film, SG_CAIP_NFT), SGE_FOLLOWED_WHOLE);
    assert_false(has_group(&world, film, collection));
    outbox(&world, &bumps);
    assert_int_equal(bumps, 2); /* that it is left, and the film, which was of it */
    steer_fmt("test_finalize", "[]");
    turn(&world);
    outbox(&world, &bumps);
    restart(&world);
    turn(&world);
    assert_int_equal(outbox(&world, &bumps), 0); /* nothing is news */
    world_close(&world);
    (void)fixture;
}

/* One that several hold parts of is nobody's by the rules, but somebody has it. */
static void a_collection_with_something_that_several_may_hold_is_followed_in_part(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], saga[KEY_CHARS], film[KEY_CHARS], two[KEY_CHARS];
    wallet(alice);
    mint(saga, alice, 1, "");
    mint(film, alice, 1, "");
    mint(two, alice, 2, "");
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", film, saga);
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", two, saga);
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_PART);
    assert_int_equal(followed_mint(&world, film, SG_CAIP_NFT), SGE_FOLLOWED_WHOLE);
    steer_fmt("test_burn", "[{\"mint\":\"%s\",\"from\":\"%s\",\"amount\":2}]", two, alice);
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_PART); /* not final yet */
    steer_fmt("test_finalize", "[]");
    turn(&world);
    assert_int_equal(followed_collection(&world, saga), SGE_FOLLOWED_WHOLE);
    world_close(&world);
    (void)fixture;
}

static void a_token_whose_balances_may_be_hidden_is_followed_in_part(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], open[KEY_CHARS], hidden[KEY_CHARS];
    wallet(alice);
    mint(open, alice, 5, ",\"program\":\"token-2022\",\"extended\":true");
    mint(hidden, alice, 5, ",\"program\":\"token-2022\",\"extended\":true,\"hidden\":true");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_TOKEN, open);
    want(&world, SGC_SOLWANT_TOKEN, hidden);
    world_open(&world);
    turn(&world);
    balance_is(&world, hidden, alice, 5, 0);
    assert_int_equal(followed_mint(&world, open, SG_CAIP_TOKEN), SGE_FOLLOWED_WHOLE);
    assert_int_equal(followed_mint(&world, hidden, SG_CAIP_TOKEN), SGE_FOLLOWED_PART);
    world_close(&world);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_owner_counts_at_head_at_once_and_is_safe_once_final),
    cmocka_unit_test(a_fork_that_was_dropped_gives_the_owner_back_under_a_new_generation),
    cmocka_unit_test(moving_to_an_account_of_ones_own_revokes_nobody),
    cmocka_unit_test(a_mint_of_more_than_one_is_nobodys),
    cmocka_unit_test(balances_of_both_token_programs_are_followed),
    cmocka_unit_test(a_collection_has_what_its_authority_verified),
    cmocka_unit_test(a_creator_has_what_he_signed),
    cmocka_unit_test(what_happened_while_nobody_looked_is_found_and_the_rest_not_revoked),
    cmocka_unit_test(servers_of_another_chain_are_refused),
    cmocka_unit_test(what_was_seen_and_told_as_a_whole_is_followed_wholly),
    cmocka_unit_test(a_collection_that_no_rule_names_any_more_is_left_by_itself),
    cmocka_unit_test(a_collection_with_something_that_several_may_hold_is_followed_in_part),
    cmocka_unit_test(a_token_whose_balances_may_be_hidden_is_followed_in_part),
};

int main(void)
{
    return shim_main("solana_follow_shim", tests, sizeof(tests) / sizeof(tests[0]));
}
