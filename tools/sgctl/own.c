#include "tools/sgctl/own.h"

#include "base/clock.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/factmake.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define AT_ONCE 64

const char sgt_own_usage[] =
    "sgctl own set FACT OWNER [--block N] [--head-only]\n"
    "    OWNER (an account, or nobody) owns FACT, at head and at safe; --head-only: a transfer "
    "that is\n"
    "    not safe yet, so tokens are refused and none is minted.\n"
    "sgctl own set ASSET ACCOUNT --amount N [--block N] [--head-only]\n"
    "    ACCOUNT has N of ASSET, an ERC-1155 id or an SPL mint.\n"
    "sgctl own transfer FACT FROM TO [--block N] [--head-only]\n"
    "    FACT is TO's, only if FROM owns it at head now.\n"
    "sgctl own show FACT | show ASSET --of ACCOUNT\n"
    "    The fact, where it came from, and when this node heard of it; of an ASSET with balances,\n"
    "    ACCOUNT's.\n"
    "sgctl own list ACCOUNT\n"
    "    What the account has at head.\n"
    "sgctl own digest\n"
    "    The stream's mark, and a Merkle root over all facts: two nodes with the same mark have "
    "the\n"
    "    same; --json has the 256 ranges, which tell where they differ.\n"
    "sgctl own feed [--every SECONDS]\n"
    "    Says that all facts are known up to now; every so many seconds until it is ended. Each "
    "set\n"
    "    and transfer says so too. Tokens with facts are refused when nobody said it for longer "
    "than\n"
    "    the tenant's stale_limit_s.\n"
    "FACT is an asset, such as eip155:1/erc721:0xCONTRACT/42 or solana:GENESIS/nft:MINT, or a "
    "key of\n"
    "16 hex digits after 0x. OWNER and ACCOUNT are accounts of its chain, such as "
    "eip155:1:0xADDRESS.\n"
    "What a stream feeds can't be set by hand.\n";

static const struct option options[] = {
    {"block", required_argument, NULL, 'b'}, {"head-only", no_argument, NULL, 'h'},
    {"every", required_argument, NULL, 'e'}, {"amount", required_argument, NULL, 'a'},
    {"of", required_argument, NULL, 'o'},    {NULL, 0, NULL, 0}};
static const struct sgt_verb verbs[] = {
    {"set", "FACT OWNER, or ASSET ACCOUNT --amount N", 2, 2, "bha"},
    {"transfer", "FACT FROM TO", 3, 3, "bh"},
    {"show", "FACT, or ASSET --of ACCOUNT", 1, 1, "o"},
    {"list", "ACCOUNT", 1, 1, ""},
    {"digest", "", 0, 0, ""},
    {"feed", "", 0, 0, "e"},
};
static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};

static uint64_t now_ns(void)
{
    return sg_clock_wall_ns();
}

/* ---- showing ---- */

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {
        [SGE_FACT_OWNER] = "owner",
        [SGE_FACT_BALANCE] = "balance",
        [SGE_FACT_DELEGATION] = "delegation",
        [SGE_FACT_USER] = "user",
        [SGE_FACT_ROOT] = "root",
        [SGE_FACT_FOLLOWED] = "followed",
    };
    return kind < SG_COUNT(names) && names[kind] != NULL ? names[kind] : "unknown";
}

static json_t *u256_json(const uint8_t bytes[32])
{
    char memory[80];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_u256 v;
    memcpy(v.bytes, bytes, sizeof(v.bytes));
    sg_u256_put(&out, &v);
    return json_stringn(out.ptr, out.len);
}

/* As the kind has values: numbers, or hashes. */
static json_t *value_json(uint8_t kind, const uint8_t value[32])
{
    return kind == SGE_FACT_BALANCE || kind == SGE_FACT_DELEGATION ? u256_json(value)
                                                                   : sgt_hex_json(value, 32);
}

static json_t *change_json(const struct sge_change *change, uint64_t generation)
{
    uint64_t key = __builtin_bswap64(change->id.key);
    json_t *told = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:b, s:o}", "kind", kind_name(change->kind), "key",
        sgt_hex_json(&key, sizeof(key)), "generation", (json_int_t)generation, "block",
        (json_int_t)change->block, "log", (json_int_t)change->log, "head",
        value_json(change->kind, change->head), "at_safe", value_json(change->kind, change->safe),
        "safe", memcmp(change->head, change->safe, 32) == 0, "token", u256_json(change->token));
    if (change->until_s != 0)
        json_object_set_new(told, "until", sgt_time_json(change->until_s));
    return told;
}

static json_t *fact_json(const struct sgt_fact *fact, const struct sge_fact *known)
{
    uint64_t key = __builtin_bswap64(fact->key);
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:b, s:o}", "fact", fact->name, "key",
                     sgt_hex_json(&key, sizeof(key)), "generation", (json_int_t)known->generation,
                     "block", (json_int_t)known->block, "log", (json_int_t)known->log, "owner_head",
                     sgt_hex_json(known->owner_head, 32), "owner_safe",
                     sgt_hex_json(known->owner_safe, 32), "safe",
                     memcmp(known->owner_head, known->owner_safe, 32) == 0, "changed",
                     sgt_time_json(known->changed_ns / SG_NS_PER_SEC));
}

/* SG_ENOENT is left to the caller to tell. */
static enum sg_err fact_get(struct sge_state *state, const struct sgt_fact *fact,
                            struct sge_fact *out)
{
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return SG_EIO;
    enum sg_err err = sge_state_fact(reader, fact->key, out);
    sgt_reader_close(reader);
    return err;
}

static int unknown(const char *name, enum sg_err err)
{
    return err == SG_ENOENT ? sgt_refuse("nothing is known of %s", name)
                            : sgt_refuse("%s: %s", name, sg_err_text(err));
}

static int show_fact(struct sge_state *state, const struct sgt_fact *fact, bool json)
{
    struct sge_fact known;
    enum sg_err err = fact_get(state, fact, &known);
    if (err != SG_OK)
        return unknown(fact->name, err);
    sgt_print(fact_json(fact, &known), json);
    return SGT_DONE;
}

static int show(struct sge_state *state, const char *name, bool json)
{
    struct sgt_fact fact;
    return sgt_fact_read(name, &fact) ? show_fact(state, &fact, json) : SGT_USAGE;
}

static enum sg_err balance_get(struct sge_state *state, const struct sg_caip_asset *asset,
                               const uint8_t account[32], struct sge_change *out,
                               uint64_t *generation)
{
    struct sge_fact_id id;
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return SG_EIO;
    sge_fact_balance(asset, account, &id);
    enum sg_err err = sge_state_fact_get(reader, &id, out, generation);
    sgt_reader_close(reader);
    return err;
}

/* An asset with balances, and the account that has one. False, and says so. */
static bool balance_read(const char *name, const char *of, struct sg_caip_asset *asset,
                         uint8_t account[32])
{
    if (!sgt_asset_read(name, asset))
        return false;
    if (!sgt_is_balance(asset)) {
        sgt_refuse("%s has an owner, and no balances: leave --amount or --of out", name);
        return false;
    }
    return sgt_owner_of_chain(of, &asset->chain, account);
}

static int show_balance(struct sge_state *state, const char *name, const char *of, bool json)
{
    struct sg_caip_asset asset;
    struct sge_change change;
    uint8_t account[32];
    uint64_t generation;
    if (!balance_read(name, of, &asset, account))
        return SGT_USAGE;
    enum sg_err err = balance_get(state, &asset, account, &change, &generation);
    if (err != SG_OK)
        return err == SG_ENOENT ? sgt_refuse("nothing is known of %s's %s", of, name)
                                : unknown(name, err);
    sgt_print(change_json(&change, generation), json);
    return SGT_DONE;
}

static int list(struct sge_state *state, const char *account, bool json)
{
    static struct sge_holding some[AT_ONCE];
    uint8_t holder[32];
    uint64_t after = 0;
    if (!sgt_owner_of_chain(account, NULL, holder))
        return SGT_USAGE;
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return SGT_REFUSED;
    json_t *holdings = json_array();
    for (uint32_t n; (n = sge_state_holdings(reader, holder, 0, &after, some, AT_ONCE)) > 0;)
        for (uint32_t i = 0; i < n; i++)
            json_array_append_new(holdings, change_json(&some[i].change, some[i].generation));
    sgt_reader_close(reader);
    sgt_print(json_pack("{s:s, s:o}", "account", account, "holdings", holdings), json);
    return SGT_DONE;
}

static int digest(struct sge_state *state, bool json)
{
    static struct sge_digest all;
    struct sge_state_reader *reader = sgt_reader_open(state);
    if (reader == NULL)
        return SGT_REFUSED;
    enum sg_err err = sge_state_digest(reader, &all);
    json_int_t facts = (json_int_t)sge_state_facts_count(reader);
    sgt_reader_close(reader);
    if (err != SG_OK)
        return sgt_refuse("the state: %s", sg_err_text(err));
    json_t *told = json_pack("{s:o, s:I, s:I, s:o}", "stream",
                             sgt_hex_json(all.mark.stream, sizeof(all.mark.stream)), "entry",
                             (json_int_t)all.mark.seq, "facts", facts, "root",
                             sgt_hex_json(all.root, sizeof(all.root)));
    json_t *ranges = json_array();
    for (size_t i = 0; i < SG_COUNT(all.ranges); i++)
        json_array_append_new(ranges, sgt_hex_json(all.ranges[i], sizeof(all.ranges[i])));
    if (json)
        json_object_set(told, "ranges", ranges);
    json_decref(ranges);
    sgt_print(told, json);
    return SGT_DONE;
}

/* ---- setting ---- */

static int told(struct sge_state *state, const char *name, enum sg_err err)
{
    if (err == SG_OK)
        err = sge_state_heartbeat(state, now_ns());
    if (err == SG_EPERM)
        return sgt_refuse("%s: the ownership stream feeds this state: only a chain changes it",
                          name);
    if (err == SG_EEXIST)
        return sgt_refuse("%s: the state has this key under another name", name);
    return err == SG_OK ? SGT_DONE : sgt_refuse("%s: %s", name, sg_err_text(err));
}

/* What has a whole name is found by its owner too; else the key is all that is known. */
static enum sg_err owner_put(struct sge_state *state, const struct sgt_fact *fact,
                             const uint8_t head[32], const uint8_t safe[32], uint64_t block)
{
    struct sge_change change;
    uint64_t generation;
    if (!fact->named)
        return sge_state_fact_set(state, fact->key, head, safe, block, &generation);
    sgt_owner_make(&fact->asset, head, safe, &change);
    change.block = block;
    change.chain = 0; /* said by hand: no chain's head makes it older */
    return sge_state_change(state, &change, &generation);
}

/* How the change was said: at which block, and whether it is safe already. */
struct how {
    uint64_t block;
    bool head_only;
};

static int set_fact(struct sge_state *state, const struct sgt_fact *fact, const uint8_t owner[32],
                    const struct how *how, bool json)
{
    struct sge_fact before = {0};
    enum sg_err err = fact_get(state, fact, &before);
    if (err == SG_OK || err == SG_ENOENT)
        err = owner_put(state, fact, owner, how->head_only ? before.owner_safe : owner,
                        how->block != 0 ? how->block : before.block);
    int status = told(state, fact->name, err);
    return status == SGT_DONE ? show_fact(state, fact, json) : status;
}

static int set(struct sge_state *state, char **argv, const struct how *how, bool json)
{
    struct sgt_fact fact;
    uint8_t owner[32];
    if (!sgt_fact_read(argv[0], &fact) || !sgt_owner_read(argv[1], &fact, owner))
        return SGT_USAGE;
    return set_fact(state, &fact, owner, how, json);
}

static int set_balance(struct sge_state *state, char **argv, const char *amount,
                       const struct how *how, bool json)
{
    struct sg_caip_asset asset;
    struct sg_u256 head, safe = {{0}};
    struct sge_change before, change;
    uint8_t account[32];
    uint64_t generation;
    if (!balance_read(argv[0], argv[1], &asset, account))
        return SGT_USAGE;
    if (!sg_u256_read(sg_str_from(amount), &head))
        return sgt_refuse("--amount %.100s: expected a number, such as 3", amount), SGT_USAGE;
    enum sg_err err = balance_get(state, &asset, account, &before, &generation);
    if (!how->head_only)
        safe = head;
    else if (err == SG_OK)
        memcpy(safe.bytes, before.safe, sizeof(safe.bytes));
    sgt_balance_make(&asset, account, &head, &safe, &change);
    change.block = how->block;
    change.chain = 0;
    if (err == SG_OK || err == SG_ENOENT)
        err = sge_state_change(state, &change, &generation);
    int status = told(state, argv[0], err);
    return status == SGT_DONE ? show_balance(state, argv[0], argv[1], json) : status;
}

/* Two at the same time are told apart by the state's one writer only after the fact: by hand, that
 * is soon enough. */
static int transfer(struct sge_state *state, char **argv, const struct how *how, bool json)
{
    struct sgt_fact fact;
    struct sge_fact known;
    uint8_t from[32], to[32];
    if (!sgt_fact_read(argv[0], &fact) || !sgt_owner_read(argv[1], &fact, from) ||
        !sgt_owner_read(argv[2], &fact, to))
        return SGT_USAGE;
    enum sg_err err = fact_get(state, &fact, &known);
    if (err != SG_OK)
        return unknown(argv[0], err);
    if (memcmp(from, known.owner_head, sizeof(from)) != 0)
        return sgt_refuse("%s is not %s's to give", argv[0], argv[1]);
    return set_fact(state, &fact, to, how, json);
}

static int feed(struct sge_state *state, uint64_t every_s)
{
    do {
        enum sg_err err = sge_state_heartbeat(state, now_ns());
        if (err != SG_OK)
            return sgt_refuse("%s", sg_err_text(err));
    } while (every_s > 0 && nanosleep(&(struct timespec){.tv_sec = (time_t)every_s}, NULL) == 0);
    return SGT_DONE;
}

static int run(struct sge_state *state, const struct sgt_args *args, const struct how *how,
               uint64_t every_s, bool json)
{
    const char *amount = args->of[SGT_OPT('a')], *of = args->of[SGT_OPT('o')];
    if (sgt_args_is(args, "set"))
        return amount != NULL ? set_balance(state, args->words, amount, how, json)
                              : set(state, args->words, how, json);
    if (sgt_args_is(args, "transfer"))
        return transfer(state, args->words, how, json);
    if (sgt_args_is(args, "show"))
        return of != NULL ? show_balance(state, args->words[0], of, json)
                          : show(state, args->words[0], json);
    if (sgt_args_is(args, "list"))
        return list(state, args->words[0], json);
    return sgt_args_is(args, "digest") ? digest(state, json) : feed(state, every_s);
}

int sgt_own_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    struct sgt_args args;
    struct how how = {.block = 0};
    uint64_t every_s = 0;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    const char *block = args.of[SGT_OPT('b')], *every = args.of[SGT_OPT('e')];
    how.head_only = args.of[SGT_OPT('h')] != NULL;
    if ((block != NULL && !sgt_number_read(block, INT64_MAX, &how.block)) ||
        (every != NULL && !sgt_number_read(every, 86400, &every_s)))
        return SGT_USAGE;
    struct sge_state *state = sgt_state_open(config);
    if (state == NULL)
        return SGT_REFUSED;
    status = run(state, &args, &how, every_s, json);
    sge_state_close(state);
    return status;
}
