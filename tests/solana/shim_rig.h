/* shim_rig - a Solana server of our own over accounts that real programs made (shim.mjs), steered
 * by a test, and a follower of it. */
#ifndef SGT_SOLANA_SHIM_RIG_H
#define SGT_SOLANA_SHIM_RIG_H

#include "tests/sgt.h"

#include "controlplane/chain/solask.h"
#include "controlplane/chain/solfollow.h"
#include "tests/sgt_dir.h"
#include "tests/sgt_shim.h"

#include <stdarg.h>
#include <string.h>

#define KEY_CHARS 64

static const char chain_name[] = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";

/* ---- the shim ---- */

static struct sgt_shim shim;

static inline bool shim_start(void)
{
    char script[4096];
    snprintf(script, sizeof(script), "%s/shim.mjs", getenv("SG_SOLANA_HERE"));
    return sgt_shim_start(&shim, script);
}

/* The result, as text where it is a text. */
static inline void steer(char out[KEY_CHARS], const char *method, const char *params)
{
    sgt_shim_ask(&shim, out, KEY_CHARS, method, params);
}

static inline SG_PRINTF(2, 3) void steer_fmt(const char *method, const char *fmt, ...)
{
    char params[1024], nothing[KEY_CHARS];
    va_list args;
    va_start(args, fmt);
    vsnprintf(params, sizeof(params), fmt, args);
    va_end(args);
    steer(nothing, method, params);
}

static inline void wallet(char out[KEY_CHARS])
{
    steer(out, "test_wallet", "[]");
}

static inline void mint(char out[KEY_CHARS], const char *owner, uint64_t amount, const char *more)
{
    char params[512];
    snprintf(params, sizeof(params), "[{\"owner\":\"%s\",\"amount\":%llu%s}]", owner,
             (unsigned long long)amount, more);
    steer(out, "test_mint", params);
}

static inline void transfer(const char *of, const char *from, const char *to, uint64_t amount)
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
    struct sgc_solwant wants[64];
    uint32_t wants_count;
    uint64_t now_ns;
};

static inline struct sg_str text_of(const char *text)
{
    return sg_str_from(text);
}

static inline void want(struct world *world, enum sgc_solwant_kind kind, const char *key)
{
    struct sgc_solwant *to = &world->wants[world->wants_count++];
    to->kind = kind;
    assert_true(sg_base58_read(text_of(key), to->key, sizeof(to->key)));
}

static inline void follow_open(struct world *world)
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

static inline void world_open(struct world *world)
{
    const struct sgc_rpc_options server = {.url = shim.url};
    const struct sgc_servers_options options = {.servers = &server, .count = 1, .agree = 1};
    sgt_dir_make(world->dir);
    assert_int_equal(sgc_servers_open(&options, &world->servers), SG_OK);
    assert_int_equal(sgc_ledger_open(world->dir, &world->ledger), SG_OK);
    follow_open(world);
}

/* Alice holds a film, finally, and it is what is wanted. */
static inline void world_open_with_film(struct world *world, char alice[KEY_CHARS],
                                        char film[KEY_CHARS])
{
    wallet(alice);
    mint(film, alice, 1, "");
    steer_fmt("test_finalize", "[]");
    want(world, SGC_SOLWANT_NFT, film);
    world_open(world);
}

static inline void world_close(struct world *world)
{
    sgc_solfollow_close(world->follow);
    sgc_ledger_close(world->ledger);
    sgc_servers_close(world->servers);
    sgt_dir_remove(world->dir);
}

static inline void turn(struct world *world)
{
    steer_fmt("test_advance", "[1]");
    world->now_ns += 1000000000;
    assert_int_equal(sgc_solfollow_turn(world->follow, world->now_ns), SG_OK);
}

/* The control plane's process, anew. */
static inline void restart(struct world *world)
{
    sgc_solfollow_close(world->follow);
    sgc_ledger_close(world->ledger);
    assert_int_equal(sgc_ledger_open(world->dir, &world->ledger), SG_OK);
    follow_open(world);
}

static inline struct sg_caip_asset asset_of(const char *of, enum sg_caip_standard standard)
{
    struct sg_caip_asset asset = {.standard = standard};
    assert_true(sg_caip_chain_read(text_of(chain_name), &asset.chain));
    asset.contract.len = 32;
    assert_true(sg_base58_read(text_of(of), asset.contract.bytes, 32));
    return asset;
}

static inline void account_of(const char *who, uint8_t out[32])
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
static inline void owner_is(struct world *world, const char *of, const char *head, const char *safe)
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

static inline void balance_is(struct world *world, const char *of, const char *who, uint64_t head,
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
static inline uint32_t outbox(struct world *world, uint32_t *bumps)
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

/* ---- running ---- */

static inline int shim_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
    char command[8192];
    snprintf(command, sizeof(command), "'%s' '%s' '%s' >&2", getenv("SG_SOLANA_PREPARE"),
             getenv("SG_SOLANA_HERE"), getenv("SG_SOLANA_PACKAGES"));
    if (system(command) != 0 || !shim_start()) {
        puts("1..0 # SKIP no npm, or no litesvm");
        return 0;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = sgt_main(name, tests, count);
    sgt_shim_stop(&shim);
    return failed;
}

#endif
