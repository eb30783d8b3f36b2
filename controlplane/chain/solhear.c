#include "controlplane/chain/solhear.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

#include <stdatomic.h>

#define NAMED_MAX (2u * SGC_SOLWANTS_MAX) /* subscriptions that follow from the rules alone */

/* What follows from the rules. */
struct named {
    uint32_t count;
    struct sgc_sub subs[NAMED_MAX];
    char texts[NAMED_MAX][SGC_SUB_PARAMS_MAX];
};

/* One subscription's place, for the account of a mint. */
struct ear {
    bool is_used;
    uint8_t account[SGC_SOL_KEY_BYTES];
};

struct sgc_solhear {
    struct sgc_solhear_options options;
    struct sgc_rpc_options servers[SGC_SUBS_SERVERS_MAX]; /* with words in `texts` */
    char *texts;
    struct sgc_subs *connections[SGC_SOLHEAR_CONNECTIONS_MAX];
    uint32_t named_count; /* of the connections: those for what rules name */
    _Atomic uint32_t count;
    struct ear ears[SGC_SOLHEAR_CONNECTIONS_MAX * SGC_SUBS_MAX]; /* of the other connections */
    uint32_t free_from;                                          /* no ear before it is free */
    _Atomic uint32_t polled;
    bool is_group[SGC_SOLWANTS_MAX]; /* of the wants: its mints are named nowhere else */
};

static void on_notice(void *ctx, uint32_t sub, struct sg_jsonread result)
{
    const struct sgc_solhear *hear = ctx;
    struct sgc_sol_notice notice;
    (void)sub;
    if (sgc_sol_read_notice(result, &notice))
        hear->options.wake(hear->options.ctx, notice.slot, notice.is_mention);
}

static enum sg_err connect(struct sgc_solhear *hear, const struct sgc_sub *subs, uint32_t count)
{
    uint32_t at = atomic_load(&hear->count);
    const struct sgc_subs_options options = {.servers = hear->servers,
                                             .servers_count = hear->options.servers_count,
                                             .first_server = at,
                                             .subs = subs,
                                             .subs_count = count,
                                             .notice = on_notice,
                                             .ctx = hear};
    SG_ASSERT(at < SGC_SOLHEAR_CONNECTIONS_MAX);
    enum sg_err err = sgc_subs_open(&options, &hear->connections[at]);
    if (err == SG_OK)
        atomic_store(&hear->count, at + 1);
    return err;
}

/* ---- what rules name ---- */

static struct sg_out named_begin(struct named *named)
{
    SG_ASSERT(named->count < NAMED_MAX);
    return sg_out_init(named->texts[named->count], SGC_SUB_PARAMS_MAX);
}

static void named_end(struct named *named, const char *method, const struct sg_out *params)
{
    SG_ASSERT(!params->full);
    named->subs[named->count++] = (struct sgc_sub){method, sg_out_view(params)};
}

/* An instruction to move a token need not name its mint, so its accounts are what can be heard. */
static void name_holdings(struct named *named, const uint8_t mint[SGC_SOL_KEY_BYTES])
{
    static const enum sgc_sol_program programs[] = {SGC_SOL_TOKEN, SGC_SOL_TOKEN_2022};
    for (size_t i = 0; i < SG_COUNT(programs); i++) {
        struct sg_out params = named_begin(named);
        sgc_sol_put_holdings_sub(&params, programs[i], mint);
        named_end(named, "programSubscribe", &params);
    }
}

static void name_mentions(struct named *named, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    struct sg_out params = named_begin(named);
    sgc_sol_put_mentions_sub(&params, key);
    named_end(named, "logsSubscribe", &params);
}

static bool is_one(const struct sgc_solwant *want)
{
    return want->kind == SGC_SOLWANT_NFT || want->kind == SGC_SOLWANT_TOKEN;
}

static enum sg_err named_open(struct sgc_solhear *hear)
{
    enum sg_err err = SG_OK;
    struct named *named = sg_boot_alloc(sizeof(*named));
    if (named == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < hear->options.wants_count; i++) {
        const struct sgc_solwant *want = &hear->options.wants[i];
        hear->is_group[i] = !is_one(want);
        if (is_one(want))
            name_holdings(named, want->key);
        else
            name_mentions(named, want->key);
    }
    for (uint32_t at = 0; at < named->count && err == SG_OK; at += SGC_SUBS_MAX)
        err = connect(hear, named->subs + at, SG_MIN(named->count - at, SGC_SUBS_MAX));
    hear->named_count = atomic_load(&hear->count);
    sg_boot_free(named);
    return err;
}

/* ---- what collections and creators have ---- */

static uint32_t ears_count(const struct sgc_solhear *hear)
{
    return (atomic_load(&hear->count) - hear->named_count) * SGC_SUBS_MAX;
}

static void ear_put(struct sgc_solhear *hear, uint32_t at, const uint8_t *account)
{
    char memory[SGC_SUB_PARAMS_MAX];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct sgc_sub sub = {.method = NULL};
    struct ear *ear = &hear->ears[at];
    ear->is_used = account != NULL;
    if (account != NULL) {
        memcpy(ear->account, account, sizeof(ear->account));
        sgc_sol_put_account_sub(&params, account);
        SG_ASSERT(!params.full);
        sub = (struct sgc_sub){"accountSubscribe", sg_out_view(&params)};
    }
    sgc_subs_put(hear->connections[hear->named_count + at / SGC_SUBS_MAX], at % SGC_SUBS_MAX, &sub);
}

/* One that is free, on a new connection where it must be. False: there is no more room. */
static bool ear_find(struct sgc_solhear *hear, uint32_t *out)
{
    static const struct sgc_sub none[SGC_SUBS_MAX];
    uint32_t count = ears_count(hear);
    while (hear->free_from < count && hear->ears[hear->free_from].is_used)
        hear->free_from++;
    if (hear->free_from == count && (atomic_load(&hear->count) == SGC_SOLHEAR_CONNECTIONS_MAX ||
                                     connect(hear, none, SGC_SUBS_MAX) != SG_OK))
        return false;
    *out = hear->free_from++;
    return true;
}

static void nft_hear(struct sgc_solhear *hear, struct sgc_solnft *nft)
{
    uint32_t at = nft->ear - 1;
    if (nft->ear != 0 && !nft->has_account) {
        ear_put(hear, at, NULL);
        hear->free_from = SG_MIN(hear->free_from, at);
        nft->ear = 0;
    } else if (nft->ear != 0 &&
               memcmp(hear->ears[at].account, nft->account, SGC_SOL_KEY_BYTES) != 0) {
        ear_put(hear, at, nft->account);
    } else if (nft->ear == 0 && nft->has_account && ear_find(hear, &at)) {
        ear_put(hear, at, nft->account);
        nft->ear = at + 1;
    }
}

static void forget_all(struct sgc_solhear *hear)
{
    for (uint32_t i = 0; i < ears_count(hear); i++)
        if (hear->ears[i].is_used)
            ear_put(hear, i, NULL);
    hear->free_from = 0;
}

void sgc_solhear_accounts(struct sgc_solhear *hear, struct sgc_solwatch *watch, bool is_new)
{
    SG_ASSERT(hear != NULL && watch != NULL);
    uint32_t polled = 0, before = atomic_load(&hear->polled);
    if (is_new)
        forget_all(hear);
    for (uint32_t i = 0; i < watch->nfts_count; i++) {
        struct sgc_solnft *nft = &watch->nfts[i];
        if (!hear->is_group[nft->want])
            continue;
        nft_hear(hear, nft);
        polled += nft->has_account && nft->ear == 0;
    }
    if (polled != 0 && before == 0)
        sg_warn("solana: more accounts than %u connections hear of: the rest is polled",
                SGC_SOLHEAR_CONNECTIONS_MAX);
    atomic_store(&hear->polled, polled);
}

/* ---- open ---- */

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Moves *at behind it. */
static const char *text_copy(char **at, const char *text)
{
    size_t bytes = text_bytes(text);
    char *copy = *at;
    if (bytes == 0)
        return NULL;
    memcpy(copy, text, bytes);
    *at += bytes;
    return copy;
}

/* Connections are made later, too. */
static enum sg_err servers_copy(struct sgc_solhear *hear, const struct sgc_rpc_options *servers)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < hear->options.servers_count; i++)
        bytes += text_bytes(servers[i].url) + text_bytes(servers[i].fields_file) +
                 text_bytes(servers[i].ca_file);
    char *at = hear->texts = sg_boot_alloc(bytes);
    if (at == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < hear->options.servers_count; i++) {
        hear->servers[i] = servers[i];
        hear->servers[i].url = text_copy(&at, servers[i].url);
        hear->servers[i].fields_file = text_copy(&at, servers[i].fields_file);
        hear->servers[i].ca_file = text_copy(&at, servers[i].ca_file);
    }
    return SG_OK;
}

enum sg_err sgc_solhear_open(const struct sgc_solhear_options *options, struct sgc_solhear **out)
{
    SG_ASSERT(options->wake != NULL && options->wants_count <= SGC_SOLWANTS_MAX);
    SG_ASSERT(options->servers_count > 0 && options->servers_count <= SGC_SUBS_SERVERS_MAX);
    struct sgc_solhear *hear = sg_boot_alloc(sizeof(*hear));
    if (hear == NULL)
        return SG_ENOMEM;
    hear->options = *options;
    enum sg_err err = servers_copy(hear, options->servers);
    if (err == SG_OK)
        err = named_open(hear);
    hear->options.wants = NULL;
    hear->options.servers = NULL;
    if (err == SG_OK)
        *out = SG_TAKE(hear);
    sgc_solhear_close(hear);
    return err;
}

void sgc_solhear_close(struct sgc_solhear *hear)
{
    if (hear == NULL)
        return;
    for (uint32_t i = 0; i < atomic_load(&hear->count); i++)
        sgc_subs_close(hear->connections[i]);
    sg_boot_free(hear->texts);
    sg_boot_free(hear);
}

void sgc_solhear_stats(struct sgc_solhear *hear, struct sgc_solhear_stats *out)
{
    SG_ASSERT(hear != NULL && out != NULL);
    *out = (struct sgc_solhear_stats){.connections = atomic_load(&hear->count),
                                      .polled = atomic_load(&hear->polled),
                                      .subs.is_up = true};
    for (uint32_t i = 0; i < out->connections; i++) {
        struct sgc_subs_stats one;
        sgc_subs_stats(hear->connections[i], &one);
        out->subs.is_up &= one.is_up;
        out->subs.asked += one.asked;
        out->subs.heard += one.heard;
        out->subs.connects += one.connects;
        out->subs.failures += one.failures;
        out->subs.notices += one.notices;
    }
}
