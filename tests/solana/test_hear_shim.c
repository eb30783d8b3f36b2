/* A follower of Solana on its own thread, and what wakes it, over a shim: the server is ours. */
#include "tests/solana/shim_rig.h"

#include "controlplane/chain/solhear.h"

struct hearing {
    _Atomic uint64_t head;
    _Atomic uint32_t count;
};

static void hear(void *ctx, const struct sge_chain *chain)
{
    struct hearing *hearing = ctx;
    hearing->head = chain->head;
    hearing->count++;
}

static void a_thread_of_its_own_turns_tells_heads_and_lets_go_of_its_lock(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    struct sgc_follow_status status = {.head = 0};
    char alice[KEY_CHARS], film[KEY_CHARS], lock[SGT_DIR_BYTES + 16];
    const struct sgc_rpc_options server = {.url = shim.url};
    world_open_with_film(&world, alice, film);
    steer_fmt("test_advance", "[1]");
    snprintf(lock, sizeof(lock), "%s/lock", world.dir);
    struct sgc_soltrack_options options = {.servers = {.servers = &server, .count = 1, .agree = 1},
                                           .wants = world.wants,
                                           .wants_count = 1,
                                           .poll_ms = 5,
                                           .dir = world.dir,
                                           .lock_file = lock,
                                           .ledger = world.ledger,
                                           .heard = hear,
                                           .ctx = &hearing};
    assert_true(sg_caip_chain_read(text_of(chain_name), &options.chain));
    for (int run = 0; run < 2; run++) { /* the lock is free again */
        struct sgc_soltrack *track = NULL;
        uint32_t before = hearing.count;
        assert_int_equal(sgc_soltrack_open(&options, &track), SG_OK);
        for (int i = 0; i < 2000 && hearing.count < before + 3; i++)
            usleep(5000);
        sgc_soltrack_status(track, &status);
        assert_int_equal(status.state, SGC_FOLLOW_FOLLOWING);
        assert_true(status.head > 0 && status.joined == 1);
        assert_true(hearing.head >= status.head);
        sgc_soltrack_close(track);
    }
    owner_is(&world, film, alice, NULL);
    world_close(&world);
    (void)fixture;
}

/* ---- what the shim tells by WebSocket ---- */

static struct sgc_soltrack *track_open(struct world *world, struct hearing *hearing,
                                       uint32_t poll_ms)
{
    const struct sgc_rpc_options server = {.url = shim.url};
    struct sgc_soltrack *track = NULL;
    struct sgc_soltrack_options options = {.servers = {.servers = &server, .count = 1, .agree = 1},
                                           .wants = world->wants,
                                           .wants_count = world->wants_count,
                                           .poll_ms = poll_ms,
                                           .dir = world->dir,
                                           .ledger = world->ledger,
                                           .heard = hear,
                                           .ctx = hearing};
    assert_true(sg_caip_chain_read(text_of(chain_name), &options.chain));
    assert_int_equal(sgc_soltrack_open(&options, &track), SG_OK);
    return track;
}

static struct sgc_subs *hear_open(struct world *world, struct sgc_soltrack *track)
{
    char url[64];
    struct sgc_subs *subs = NULL;
    snprintf(url, sizeof(url), "ws%s", shim.url + strlen("http"));
    const struct sgc_rpc_options server = {.url = url};
    assert_int_equal(sgc_solhear_open(&server, 1, world->wants, world->wants_count, track, &subs),
                     SG_OK);
    return subs;
}

static struct sgc_subs_stats await_up(const struct sgc_subs *subs, uint64_t connects)
{
    struct sgc_subs_stats stats;
    for (int i = 0;; i++) {
        sgc_subs_stats(subs, &stats);
        if (stats.is_up && stats.connects >= connects)
            return stats;
        assert_true(i < 4000);
        usleep(5000);
    }
}

static void await_owner(struct world *world, const char *of, const char *who)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_NFT);
    struct sge_fact_id id;
    struct sge_change fact = {.kind = 0};
    uint8_t account[32];
    sge_fact_owner(&asset, &id);
    account_of(who, account);
    for (int i = 0; sgc_ledger_fact(world->ledger, &id, &fact) != SG_OK ||
                    memcmp(fact.head, account, sizeof(account)) != 0;
         i++) {
        assert_true(i < 4000); /* 20 s: the next poll is in ten minutes */
        usleep(5000);
    }
}

static void a_notice_of_the_shim_wakes_the_follower_long_before_its_poll(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], bob[KEY_CHARS], film[KEY_CHARS];
    wallet(bob);
    world_open_with_film(&world, alice, film);
    steer_fmt("test_advance", "[1]");
    struct sgc_soltrack *track = track_open(&world, &hearing, 600000);
    struct sgc_subs *subs = hear_open(&world, track);
    await_up(subs, 1);
    await_owner(&world, film, alice);
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    steer_fmt("test_unplug", "[]"); /* another connection, by itself */
    struct sgc_subs_stats before = await_up(subs, 2);
    transfer(film, bob, alice, 1);
    await_owner(&world, film, alice);
    assert_true(await_up(subs, 2).notices > before.notices);
    sgc_subs_close(subs);
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

static void without_the_shims_websocket_the_follower_polls(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], bob[KEY_CHARS], film[KEY_CHARS];
    wallet(bob);
    world_open_with_film(&world, alice, film);
    steer_fmt("test_advance", "[1]");
    struct sgc_soltrack *track = track_open(&world, &hearing, 20);
    struct sgc_subs *subs = NULL;
    const struct sgc_rpc_options nobody = {.url = "ws://127.0.0.1:1"};
    assert_int_equal(sgc_solhear_open(&nobody, 1, world.wants, world.wants_count, track, &subs),
                     SG_OK);
    await_owner(&world, film, alice);
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    struct sgc_subs_stats stats;
    sgc_subs_stats(subs, &stats);
    assert_false(stats.is_up);
    sgc_subs_close(subs);
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

static void a_mint_that_joins_a_collection_is_found_when_the_shim_mentions_it(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], saga[KEY_CHARS], film[KEY_CHARS];
    wallet(alice);
    mint(saga, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    world_open(&world);
    struct sgc_soltrack *track = track_open(&world, &hearing, 600000);
    struct sgc_subs *subs = hear_open(&world, track);
    await_up(subs, 1);
    for (int i = 0; hearing.count == 0; i++) { /* what there was is known */
        assert_true(i < 4000);
        usleep(5000);
    }
    mint(film, alice, 1, "");
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", film, saga);
    steer_fmt("test_finalize", "[]");
    await_owner(&world, film, alice);
    sgc_subs_close(subs);
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_thread_of_its_own_turns_tells_heads_and_lets_go_of_its_lock),
    cmocka_unit_test(a_notice_of_the_shim_wakes_the_follower_long_before_its_poll),
    cmocka_unit_test(without_the_shims_websocket_the_follower_polls),
    cmocka_unit_test(a_mint_that_joins_a_collection_is_found_when_the_shim_mentions_it),
};

int main(void)
{
    return shim_main("solana_hear_shim", tests, sizeof(tests) / sizeof(tests[0]));
}
