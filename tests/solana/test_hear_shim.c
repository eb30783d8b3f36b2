/* A follower of Solana on its own thread, and what wakes it, over a shim: the server is ours. */
#include "tests/solana/shim_rig.h"

#include "controlplane/chain/soltrack.h"

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

/* `ws_url` NULL: it polls. */
static struct sgc_soltrack *track_open(struct world *world, struct hearing *hearing,
                                       uint32_t poll_ms, const char *ws_url)
{
    const struct sgc_rpc_options server = {.url = shim.url}, ws_server = {.url = ws_url};
    struct sgc_soltrack *track = NULL;
    struct sgc_soltrack_options options = {.servers = {.servers = &server, .count = 1, .agree = 1},
                                           .ws_servers = &ws_server,
                                           .ws_servers_count = ws_url != NULL,
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

static struct sgc_soltrack *hear_open(struct world *world, struct hearing *hearing)
{
    char url[64];
    snprintf(url, sizeof(url), "ws%s", shim.url + strlen("http"));
    return track_open(world, hearing, 600000, url);
}

static struct sgc_solhear_stats stats_of(struct sgc_soltrack *track)
{
    struct sgc_solhear_stats stats;
    assert_true(sgc_soltrack_hearing(track, &stats));
    return stats;
}

/* Until as many subscriptions were taken, on as many connections made ever. */
static struct sgc_solhear_stats await_up(struct sgc_soltrack *track, uint64_t connects,
                                         uint32_t taken)
{
    for (int i = 0;; i++) {
        struct sgc_solhear_stats stats = stats_of(track);
        if (stats.subs.is_up && stats.subs.connects >= connects && stats.subs.heard == taken)
            return stats;
        if (i == 4000)
            fail_msg("%u of %u taken, %u connections", stats.subs.heard, stats.subs.asked,
                     stats.connections);
        usleep(5000);
        if (i % 80 == 79) /* as time goes by, there are slots */
            steer_fmt("test_advance", "[1]");
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
    struct sgc_soltrack *track = hear_open(&world, &hearing);
    await_up(track, 1, 2);
    await_owner(&world, film, alice);
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    steer_fmt("test_unplug", "[]"); /* another connection, by itself */
    struct sgc_solhear_stats before = await_up(track, 2, 2);
    transfer(film, bob, alice, 1);
    await_owner(&world, film, alice);
    assert_true(stats_of(track).subs.notices > before.subs.notices);
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
    struct sgc_soltrack *track = track_open(&world, &hearing, 20, "ws://127.0.0.1:1");
    await_owner(&world, film, alice);
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    assert_false(stats_of(track).subs.is_up);
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

static void a_mint_that_joins_a_collection_is_found_when_the_shim_mentions_it(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], bob[KEY_CHARS], saga[KEY_CHARS], film[KEY_CHARS];
    wallet(alice);
    wallet(bob);
    mint(saga, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    world_open(&world);
    struct sgc_soltrack *track = hear_open(&world, &hearing);
    await_up(track, 1, 1);
    for (int i = 0; hearing.count == 0; i++) { /* what there was is known */
        assert_true(i < 4000);
        usleep(5000);
    }
    mint(film, alice, 1, "");
    steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", film, saga);
    steer_fmt("test_finalize", "[]");
    await_owner(&world, film, alice);
    await_up(track, 2, 2); /* the collection, and where the film is */
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    steer_fmt("test_burn", "[{\"mint\":\"%s\",\"from\":\"%s\"}]", film, bob);
    await_owner(&world, film, NULL);
    await_up(track, 2, 1); /* it is nowhere */
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

#define FILMS 104 /* more than one connection takes */

static void every_film_of_a_large_collection_is_heard_wherever_it_goes(void **fixture)
{
    static char films[FILMS][KEY_CHARS];
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], bob[KEY_CHARS], saga[KEY_CHARS];
    wallet(alice);
    wallet(bob);
    mint(saga, alice, 1, "");
    for (size_t i = 0; i < FILMS; i++) {
        mint(films[i], alice, 1, "");
        steer_fmt("test_metadata", "[{\"mint\":\"%s\",\"collection\":\"%s\"}]", films[i], saga);
    }
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_COLLECTION, saga);
    steer_fmt("test_advance", "[1]");
    world_open(&world);
    struct sgc_soltrack *track = hear_open(&world, &hearing);
    struct sgc_solhear_stats stats = await_up(track, 3, FILMS + 1);
    assert_int_equal(stats.connections, 3);
    assert_int_equal(stats.polled, 0);
    for (size_t i = 0; i < FILMS; i += FILMS / 4) { /* and back: where it is now is heard, too */
        transfer(films[i], alice, bob, 1);
        await_owner(&world, films[i], bob);
        await_up(track, 3, FILMS + 1);
        transfer(films[i], bob, alice, 1);
        await_owner(&world, films[i], alice);
    }
    steer_fmt("test_unplug", "[]");
    await_up(track, 6, FILMS + 1);
    transfer(films[FILMS - 1], alice, bob, 1);
    await_owner(&world, films[FILMS - 1], bob);
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

static void as_many_mints_as_rules_may_name_are_heard(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], bob[KEY_CHARS], other[KEY_CHARS], film[KEY_CHARS];
    wallet(alice);
    wallet(bob);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    for (size_t i = 0; i + 1 < SG_COUNT(world.wants); i++) {
        wallet(other); /* an address with no mint */
        want(&world, SGC_SOLWANT_NFT, other);
    }
    want(&world, SGC_SOLWANT_NFT, film);
    steer_fmt("test_advance", "[1]");
    world_open(&world);
    struct sgc_soltrack *track = hear_open(&world, &hearing);
    struct sgc_solhear_stats stats = await_up(track, 2, 2 * world.wants_count);
    assert_int_equal(stats.connections, 2);
    await_owner(&world, film, alice);
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

/* What a server does not take is polled, and the others are heard. */
static void a_subscription_that_the_shim_refuses_leaves_the_others(void **fixture)
{
    struct world world = {.now_ns = 1};
    struct hearing hearing = {.head = 0};
    char alice[KEY_CHARS], bob[KEY_CHARS], film[KEY_CHARS];
    wallet(bob);
    world_open_with_film(&world, alice, film);
    steer_fmt("test_advance", "[1]");
    want(&world, SGC_SOLWANT_CREATOR, bob);
    steer_fmt("test_refuse", "[\"logsSubscribe\"]");
    struct sgc_soltrack *track = hear_open(&world, &hearing);
    await_owner(&world, film, alice);
    for (int i = 0; stats_of(track).subs.heard < 2; i++) {
        assert_true(i < 4000);
        usleep(5000);
    }
    transfer(film, alice, bob, 1);
    await_owner(&world, film, bob);
    struct sgc_solhear_stats stats = stats_of(track);
    assert_int_equal(stats.subs.asked, 3);
    assert_false(stats.subs.is_up);
    steer_fmt("test_refuse", "[null]");
    sgc_soltrack_close(track);
    world_close(&world);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_thread_of_its_own_turns_tells_heads_and_lets_go_of_its_lock),
    cmocka_unit_test(a_notice_of_the_shim_wakes_the_follower_long_before_its_poll),
    cmocka_unit_test(without_the_shims_websocket_the_follower_polls),
    cmocka_unit_test(a_mint_that_joins_a_collection_is_found_when_the_shim_mentions_it),
    cmocka_unit_test(every_film_of_a_large_collection_is_heard_wherever_it_goes),
    cmocka_unit_test(as_many_mints_as_rules_may_name_are_heard),
    cmocka_unit_test(a_subscription_that_the_shim_refuses_leaves_the_others),
};

int main(void)
{
    return shim_main("solana_hear_shim", tests, sizeof(tests) / sizeof(tests[0]));
}
