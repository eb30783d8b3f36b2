/* Following Solana over a shim: real programs made the accounts, the server is ours. */
#include "tests/sgt.h"

#include "controlplane/chain/solask.h"
#include "controlplane/chain/solhear.h"
#include "tests/sgt_dir.h"

#include <curl/curl.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#define KEY_CHARS 64

static const char chain_name[] = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";

/* ---- the shim ---- */

static struct {
    pid_t pid;
    int in;
    char url[64];
} shim;

static bool shim_start(void)
{
    int in[2], out[2];
    char port[16] = "";
    if (pipe(in) != 0 || pipe(out) != 0)
        abort();
    shim.pid = fork();
    if (shim.pid == 0) {
        char script[4096];
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        snprintf(script, sizeof(script), "%s/shim.mjs", getenv("SG_SOLANA_HERE"));
        execlp("node", "node", script, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    shim.in = in[1];
    ssize_t n = read(out[0], port, sizeof(port) - 1);
    snprintf(shim.url, sizeof(shim.url), "http://127.0.0.1:%d", atoi(port));
    return n > 0;
}

static size_t body_take(char *bytes, size_t size, size_t count, void *ctx)
{
    FILE *file = ctx;
    return fwrite(bytes, size, count, file);
}

/* The result, as text where it is a text. */
static void steer(char out[KEY_CHARS], const char *method, const char *params)
{
    char *text = NULL, body[2048];
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    CURL *curl = curl_easy_init();
    snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
             method, params);
    curl_easy_setopt(curl, CURLOPT_URL, shim.url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_cleanup(curl);
    fclose(file);
    json_t *said = json_loads(text, 0, NULL);
    if (json_object_get(said, "error") != NULL)
        fail_msg("%s %s: %s", method, params, text);
    const char *result = json_string_value(json_object_get(said, "result"));
    snprintf(out, KEY_CHARS, "%s", result != NULL ? result : "");
    json_decref(said);
    free(text);
}

static void steer_fmt(const char *method, const char *fmt, ...)
{
    char params[1024], nothing[KEY_CHARS];
    va_list args;
    va_start(args, fmt);
    vsnprintf(params, sizeof(params), fmt, args);
    va_end(args);
    steer(nothing, method, params);
}

static void wallet(char out[KEY_CHARS])
{
    steer(out, "test_wallet", "[]");
}

static void mint(char out[KEY_CHARS], const char *owner, uint64_t amount, const char *more)
{
    char params[512];
    snprintf(params, sizeof(params), "[{\"owner\":\"%s\",\"amount\":%llu%s}]", owner,
             (unsigned long long)amount, more);
    steer(out, "test_mint", params);
}

static void transfer(const char *of, const char *from, const char *to, uint64_t amount)
{
    steer_fmt("test_transfer", "[{\"mint\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"amount\":%llu}]",
              of, from, to, (unsigned long long)amount);
}

/* ---- the world ---- */

struct world {
    char dir[SGT_DIR_BYTES];
    struct sgc_curl *curl;
    struct sgc_servers *servers;
    struct sgc_ledger *ledger;
    struct sgc_solfollow *follow;
    struct sgc_solwant wants[8];
    uint32_t wants_count;
    uint64_t now_ns;
};

static struct sg_str text_of(const char *text)
{
    return sg_str_from(text);
}

static void want(struct world *world, enum sgc_solwant_kind kind, const char *key)
{
    struct sgc_solwant *to = &world->wants[world->wants_count++];
    to->kind = kind;
    assert_true(sg_base58_read(text_of(key), to->key, sizeof(to->key)));
}

static void follow_open(struct world *world)
{
    struct sgc_solfollow_options options = {.servers = world->servers,
                                            .ledger = world->ledger,
                                            .dir = world->dir,
                                            .wants = world->wants,
                                            .wants_count = world->wants_count,
                                            .discover_ms = 1};
    assert_true(sg_caip_chain_read(text_of(chain_name), &options.chain));
    assert_int_equal(sgc_solfollow_open(&options, &world->follow), SG_OK);
}

static void world_open(struct world *world)
{
    const struct sgc_rpc_options server = {.url = shim.url};
    const struct sgc_servers_options options = {.servers = &server, .count = 1, .agree = 1};
    sgt_dir_make(world->dir);
    assert_int_equal(sgc_servers_open(&options, &world->servers), SG_OK);
    assert_int_equal(sgc_ledger_open(world->dir, &world->ledger), SG_OK);
    follow_open(world);
}

static void world_close(struct world *world)
{
    sgc_solfollow_close(world->follow);
    sgc_ledger_close(world->ledger);
    sgc_servers_close(world->servers);
    sgt_dir_remove(world->dir);
}

static void turn(struct world *world)
{
    steer_fmt("test_advance", "[1]");
    world->now_ns += 1000000000;
    assert_int_equal(sgc_solfollow_turn(world->follow, world->now_ns), SG_OK);
}

/* The control plane's process, anew. */
static void restart(struct world *world)
{
    sgc_solfollow_close(world->follow);
    sgc_ledger_close(world->ledger);
    assert_int_equal(sgc_ledger_open(world->dir, &world->ledger), SG_OK);
    follow_open(world);
}

static struct sg_caip_asset asset_of(const char *of, enum sg_caip_standard standard)
{
    struct sg_caip_asset asset = {.standard = standard};
    assert_true(sg_caip_chain_read(text_of(chain_name), &asset.chain));
    asset.contract.len = 32;
    assert_true(sg_base58_read(text_of(of), asset.contract.bytes, 32));
    return asset;
}

static void account_of(const char *who, uint8_t out[32])
{
    char text[160];
    struct sg_caip_account account;
    memset(out, 0, 32);
    if (who == NULL)
        return;
    snprintf(text, sizeof(text), "%s:%s", chain_name, who);
    assert_true(sg_caip_account_read(text_of(text), &account));
    sg_caip_account_id(&account, out);
}

/* NULL: nobody. */
static void owner_is(struct world *world, const char *of, const char *head, const char *safe)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_NFT);
    struct sge_fact_id id;
    struct sge_change fact;
    uint8_t account[32];
    sge_fact_owner(&asset, &id);
    assert_int_equal(sgc_ledger_fact(world->ledger, &id, &fact), SG_OK);
    account_of(head, account);
    assert_memory_equal(fact.head, account, 32);
    account_of(safe, account);
    assert_memory_equal(fact.safe, account, 32);
}

static void balance_is(struct world *world, const char *of, const char *who, uint64_t head,
                       uint64_t safe)
{
    struct sg_caip_asset asset = asset_of(of, SG_CAIP_TOKEN);
    struct sge_fact_id id;
    struct sge_change fact;
    struct sg_u256 number;
    uint8_t account[32];
    account_of(who, account);
    sge_fact_balance(&asset, account, &id);
    assert_int_equal(sgc_ledger_fact(world->ledger, &id, &fact), SG_OK);
    number = sg_u256_of(head);
    assert_memory_equal(fact.head, number.bytes, 32);
    number = sg_u256_of(safe);
    assert_memory_equal(fact.safe, number.bytes, 32);
}

/* Changes that the stream would get, and how many of them bump. */
static uint32_t outbox(struct world *world, uint32_t *bumps)
{
    static struct sge_change changes[SGC_OUTBOX_CHANGES_MAX];
    uint32_t all = 0, count;
    uint64_t id;
    *bumps = 0;
    while ((count = sgc_ledger_outbox(world->ledger, &id, changes, SGC_OUTBOX_CHANGES_MAX)) != 0) {
        for (uint32_t i = 0; i < count; i++)
            *bumps += changes[i].bump;
        all += count;
        assert_int_equal(sgc_ledger_sent(world->ledger, id), SG_OK);
    }
    return all;
}

/* ---- tests ---- */

static void an_owner_counts_at_head_at_once_and_is_safe_once_final(void **fixture)
{
    struct world world = {.now_ns = 1};
    char alice[KEY_CHARS], bob[KEY_CHARS], film[KEY_CHARS];
    wallet(alice);
    wallet(bob);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
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
    wallet(alice);
    wallet(bob);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
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
    wallet(alice);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
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
    wallet(alice);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
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
    wallet(alice);
    wallet(bob);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
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
    wallet(alice);
    wallet(bob);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(&world, SGC_SOLWANT_NFT, film);
    world_open(&world);
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
    cmocka_unit_test(an_owner_counts_at_head_at_once_and_is_safe_once_final),
    cmocka_unit_test(a_fork_that_was_dropped_gives_the_owner_back_under_a_new_generation),
    cmocka_unit_test(moving_to_an_account_of_ones_own_revokes_nobody),
    cmocka_unit_test(a_mint_of_more_than_one_is_nobodys),
    cmocka_unit_test(balances_of_both_token_programs_are_followed),
    cmocka_unit_test(a_collection_has_what_its_authority_verified),
    cmocka_unit_test(a_creator_has_what_he_signed),
    cmocka_unit_test(what_happened_while_nobody_looked_is_found_and_the_rest_not_revoked),
    cmocka_unit_test(servers_of_another_chain_are_refused),
    cmocka_unit_test(a_thread_of_its_own_turns_tells_heads_and_lets_go_of_its_lock),
    cmocka_unit_test(a_notice_of_the_shim_wakes_the_follower_long_before_its_poll),
    cmocka_unit_test(without_the_shims_websocket_the_follower_polls),
    cmocka_unit_test(a_mint_that_joins_a_collection_is_found_when_the_shim_mentions_it),
};

int main(void)
{
    char command[8192];
    snprintf(command, sizeof(command), "'%s' '%s' '%s' >&2", getenv("SG_SOLANA_PREPARE"),
             getenv("SG_SOLANA_HERE"), getenv("SG_SOLANA_PACKAGES"));
    if (system(command) != 0 || !shim_start()) {
        puts("1..0 # SKIP no npm, or no litesvm");
        return 0;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = sgt_main("solana_follow_shim", tests, sizeof(tests) / sizeof(tests[0]));
    close(shim.in);
    waitpid(shim.pid, NULL, 0);
    return failed;
}
