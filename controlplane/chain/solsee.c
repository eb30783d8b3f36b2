/* Observing: what mints there are, and who holds them at one commitment. */
#include "controlplane/chain/solask.h"
#include "controlplane/chain/solfollow_impl.h"

#include "base/assert.h"

#define LOOKUPS_MAX 64u /* a turn: what moved and is not found again is nobody's until the next */

/* ---- token accounts of one mint ---- */

struct holdings {
    const uint8_t *mint;
    sgc_solsee_fn *each;
    void *ctx;
    enum sg_err err;
};

static void holdings_take(void *ctx, const struct sgc_sol_account *account)
{
    struct holdings *holdings = ctx;
    struct sgc_sol_holding holding;
    if (holdings->err == SG_OK && sgc_sol_read_holding(account, &holding) && holding.amount > 0 &&
        memcmp(holding.mint, holdings->mint, SGC_SOL_KEY_BYTES) == 0)
        holdings->err = holdings->each(holdings->ctx, account->key, &holding);
}

enum sg_err sgc_solsee_holdings(struct sgc_solfollow *follow, const uint8_t mint[SGC_SOL_KEY_BYTES],
                                enum sgc_sol_commitment commitment, uint64_t slot_min,
                                sgc_solsee_fn *each, void *ctx)
{
    static const enum sgc_sol_program programs[] = {SGC_SOL_TOKEN, SGC_SOL_TOKEN_2022};
    struct holdings holdings = {mint, each, ctx, SG_OK};
    enum sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < SG_COUNT(programs); i++)
        err = sgc_solask_program(follow->options.servers, programs[i], SGC_SOL_HOLDING_MINT_AT,
                                 mint, commitment, slot_min, holdings_take, &holdings);
    return err != SG_OK ? err : holdings.err;
}

/* ---- mints of one ---- */

/* Of up to SGC_SOL_ACCOUNTS_MAX mints: those that are asked about together. */
struct chunk {
    struct sgc_solnft *nfts[SGC_SOL_ACCOUNTS_MAX];
    uint8_t keys[SGC_SOL_ACCOUNTS_MAX][SGC_SOL_KEY_BYTES];
    uint32_t count;
};

static void chunk_add(struct chunk *chunk, struct sgc_solnft *nft, const uint8_t *key)
{
    chunk->nfts[chunk->count] = nft;
    memcpy(chunk->keys[chunk->count++], key, SGC_SOL_KEY_BYTES);
}

static void nft_holding_take(void *ctx, const struct sgc_sol_account *account)
{
    const struct chunk *chunk = ctx;
    struct sgc_solnft *nft = chunk->nfts[account->index];
    struct sgc_sol_holding holding;
    nft->now_held = sgc_sol_read_holding(account, &holding) && holding.amount == 1 &&
                    memcmp(holding.mint, nft->mint, SGC_SOL_KEY_BYTES) == 0;
    nft->looked = true;
    memcpy(nft->now_account, nft->account, sizeof(nft->now_account));
    if (nft->now_held)
        memcpy(nft->now_owner, holding.owner, sizeof(nft->now_owner));
}

static enum sg_err known_accounts_ask(struct sgc_solfollow *follow,
                                      enum sgc_sol_commitment commitment, uint64_t slot_min)
{
    struct sgc_solwatch *watch = &follow->watch;
    struct chunk chunk = {.count = 0};
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i <= watch->nfts_count; i++) {
        bool last = i == watch->nfts_count;
        if (!last && watch->nfts[i].has_account)
            chunk_add(&chunk, &watch->nfts[i], watch->nfts[i].account);
        if (chunk.count == 0 || (!last && chunk.count < SGC_SOL_ACCOUNTS_MAX))
            continue;
        err = sgc_solask_multiple(follow->options.servers,
                                  (const uint8_t(*)[SGC_SOL_KEY_BYTES])chunk.keys, chunk.count,
                                  commitment, slot_min, nft_holding_take, &chunk);
        chunk.count = 0;
    }
    return err;
}

/* More than one holder: then it is nobody's. */
static enum sg_err nft_found(void *ctx, const uint8_t account[SGC_SOL_KEY_BYTES],
                             const struct sgc_sol_holding *holding)
{
    struct sgc_solnft *nft = ctx;
    if (nft->now_held)
        nft->is_nft = false;
    nft->now_held = holding->amount == 1;
    memcpy(nft->now_account, account, sizeof(nft->now_account));
    memcpy(nft->now_owner, holding->owner, sizeof(nft->now_owner));
    return SG_OK;
}

/* Where those are that are not where they were: some a turn, each in its turn. */
static enum sg_err moved_ask(struct sgc_solfollow *follow, enum sgc_sol_commitment commitment,
                             uint64_t slot_min)
{
    struct sgc_solwatch *watch = &follow->watch;
    enum sg_err err = SG_OK;
    uint32_t lookups = 0, found = 0, left = 0;
    for (uint32_t i = 0; err == SG_OK && lookups < LOOKUPS_MAX && i < watch->nfts_count; i++) {
        struct sgc_solnft *nft = &watch->nfts[follow->lookup_at++ % watch->nfts_count];
        if (!nft->is_nft)
            nft->looked = true; /* it is nobody's, wherever it is */
        if (nft->now_held || !nft->is_nft)
            continue;
        lookups++;
        err = sgc_solsee_holdings(follow, nft->mint, commitment, slot_min, nft_found, nft);
        nft->looked = err == SG_OK;
        found += nft->now_held;
    }
    for (uint32_t i = 0; i < watch->nfts_count; i++)
        left += watch->nfts[i].is_nft && !watch->nfts[i].looked;
    follow->stats.lookups += lookups;
    follow->found = found;
    follow->stats.is_behind = left > 0 && found > 0;
    return err;
}

/* ---- balances ---- */

struct balances {
    struct sgc_solfollow *follow;
    uint32_t want;
};

static enum sg_err balance_take(void *ctx, const uint8_t account[SGC_SOL_KEY_BYTES],
                                const struct sgc_sol_holding *holding)
{
    const struct balances *balances = ctx;
    struct sgc_solholder *holder;
    enum sg_err err = sgc_solwatch_holder(&balances->follow->watch, holding->owner, balances->want,
                                          balances->follow->keys[balances->want], &holder);
    (void)account;
    if (err == SG_OK &&
        __builtin_add_overflow(holder->now_amount, holding->amount, &holder->now_amount))
        holder->now_amount = UINT64_MAX;
    return err;
}

enum sg_err sgc_solsee_all(struct sgc_solfollow *follow, enum sgc_sol_commitment commitment,
                           uint64_t slot_min)
{
    struct sgc_solwatch *watch = &follow->watch;
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < watch->nfts_count; i++)
        watch->nfts[i].looked = watch->nfts[i].now_held = false;
    for (uint32_t i = 0; i < watch->holders_count; i++)
        watch->holders[i].now_amount = 0;
    for (uint32_t i = 0; err == SG_OK && i < follow->options.wants_count; i++) {
        struct balances balances = {follow, i};
        if (follow->wants[i].kind == SGC_SOLWANT_TOKEN)
            err = sgc_solsee_holdings(follow, follow->wants[i].key, commitment, slot_min,
                                      balance_take, &balances);
    }
    if (err == SG_OK)
        err = known_accounts_ask(follow, commitment, slot_min);
    return err == SG_OK ? moved_ask(follow, commitment, slot_min) : err;
}

/* ---- discovery ---- */

struct discovery {
    struct sgc_solfollow *follow;
    uint32_t want;
    enum sg_err err;
};

static void groups_take(struct sgc_solfollow *follow, struct sgc_solnft *nft,
                        const struct sgc_sol_metadata *metadata)
{
    uint64_t groups[1 + SGC_SOL_CREATORS_MAX];
    uint8_t count = 0;
    if (metadata->in_collection)
        groups[count++] = sge_group_collection(&follow->options.chain, metadata->collection);
    for (uint8_t i = 0; i < metadata->creators_count; i++)
        groups[count++] = sge_group_creator(&follow->options.chain, metadata->creators[i]);
    if (count == nft->groups_count &&
        (count == 0 || memcmp(groups, nft->groups, count * sizeof(groups[0])) == 0))
        return;
    nft->groups_count = count;
    memcpy(nft->groups, groups, count * sizeof(groups[0]));
    nft->regroup = true;
}

static bool metadata_is_of(const struct sgc_sol_metadata *metadata, const struct sgc_solwant *want)
{
    if (want->kind == SGC_SOLWANT_COLLECTION)
        return metadata->in_collection &&
               memcmp(metadata->collection, want->key, SGC_SOL_KEY_BYTES) == 0;
    for (uint8_t i = 0; i < metadata->creators_count; i++)
        if (memcmp(metadata->creators[i], want->key, SGC_SOL_KEY_BYTES) == 0)
            return true;
    return false;
}

static void metadata_take(void *ctx, const struct sgc_sol_account *account)
{
    struct discovery *discovery = ctx;
    struct sgc_solfollow *follow = discovery->follow;
    struct sgc_sol_metadata metadata;
    struct sgc_solnft *nft;
    if (discovery->err != SG_OK || !sgc_sol_read_metadata(account, &metadata) ||
        !metadata_is_of(&metadata, &follow->wants[discovery->want]))
        return;
    discovery->err = sgc_solwatch_nft(&follow->watch, metadata.mint, discovery->want,
                                      follow->keys[discovery->want], &nft);
    if (discovery->err != SG_OK)
        return;
    nft->is_seen = true;
    groups_take(follow, nft, &metadata);
}

static enum sg_err want_discover(struct sgc_solfollow *follow, uint32_t want, uint64_t slot_min)
{
    struct discovery discovery = {follow, want, SG_OK};
    const struct sgc_solwant *what = &follow->wants[want];
    bool collection = what->kind == SGC_SOLWANT_COLLECTION;
    uint32_t places = collection ? SGC_SOL_COLLECTION_PLACES : SGC_SOL_CREATORS_MAX;
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < places; i++)
        err = sgc_solask_program(follow->options.servers, SGC_SOL_METADATA,
                                 collection ? sgc_sol_collection_at(i) : sgc_sol_creator_at(i),
                                 what->key, SGC_SOL_FINALIZED, slot_min, metadata_take, &discovery);
    return err != SG_OK ? err : discovery.err;
}

static void mint_take(void *ctx, const struct sgc_sol_account *account)
{
    const struct chunk *chunk = ctx;
    struct sgc_solnft *nft = chunk->nfts[account->index];
    struct sgc_sol_mint mint;
    bool is_mint = sgc_sol_read_mint(account, &mint);
    nft->is_nft = is_mint && sgc_sol_is_nft(&mint);
    nft->is_none = !account->exists || (is_mint && mint.supply == 0);
}

static enum sg_err mints_ask(struct sgc_solfollow *follow, uint64_t slot_min)
{
    struct sgc_solwatch *watch = &follow->watch;
    struct chunk chunk = {.count = 0};
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < watch->nfts_count; i++) {
        chunk_add(&chunk, &watch->nfts[i], watch->nfts[i].mint);
        if (chunk.count < SGC_SOL_ACCOUNTS_MAX && i + 1 < watch->nfts_count)
            continue;
        err = sgc_solask_multiple(follow->options.servers,
                                  (const uint8_t(*)[SGC_SOL_KEY_BYTES])chunk.keys, chunk.count,
                                  SGC_SOL_FINALIZED, slot_min, mint_take, &chunk);
        chunk.count = 0;
    }
    return err;
}

struct tokens {
    struct sgc_solfollow *follow;
    uint32_t wants[SGC_SOL_ACCOUNTS_MAX];
    uint8_t keys[SGC_SOL_ACCOUNTS_MAX][SGC_SOL_KEY_BYTES];
    uint32_t count;
};

static void token_take(void *ctx, const struct sgc_sol_account *account)
{
    const struct tokens *tokens = ctx;
    struct sgc_sol_mint mint;
    tokens->follow->is_hidden[tokens->wants[account->index]] =
        account->exists && (!sgc_sol_read_mint(account, &mint) || mint.is_hidden);
}

/* Of which tokens all balances can be seen. */
static enum sg_err tokens_ask(struct sgc_solfollow *follow, uint64_t slot_min)
{
    struct tokens tokens = {.follow = follow};
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i <= follow->options.wants_count; i++) {
        bool last = i == follow->options.wants_count;
        if (!last && follow->wants[i].kind == SGC_SOLWANT_TOKEN) {
            memcpy(tokens.keys[tokens.count], follow->keys[i], SGC_SOL_KEY_BYTES);
            tokens.wants[tokens.count++] = i;
        }
        if (tokens.count == 0 || (!last && tokens.count < SGC_SOL_ACCOUNTS_MAX))
            continue;
        err = sgc_solask_multiple(follow->options.servers,
                                  (const uint8_t(*)[SGC_SOL_KEY_BYTES])tokens.keys, tokens.count,
                                  SGC_SOL_FINALIZED, slot_min, token_take, &tokens);
        tokens.count = 0;
    }
    return err;
}

/* What no metadata speaks for any more belongs to nothing. */
static void groups_drop(struct sgc_solfollow *follow)
{
    struct sgc_solwatch *watch = &follow->watch;
    follow->stats.not_one = 0;
    for (uint32_t i = 0; i < watch->nfts_count; i++) {
        struct sgc_solnft *nft = &watch->nfts[i];
        if (!nft->is_seen && nft->groups_count > 0) {
            nft->groups_count = 0;
            nft->regroup = true;
        }
        follow->stats.not_one += !nft->is_nft;
    }
}

enum sg_err sgc_solsee_discover(struct sgc_solfollow *follow, uint64_t slot_min)
{
    struct sgc_solwatch *watch = &follow->watch;
    struct sgc_solnft *nft;
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < watch->nfts_count; i++)
        watch->nfts[i].is_seen = false;
    for (uint32_t i = 0; err == SG_OK && i < follow->options.wants_count; i++) {
        enum sgc_solwant_kind kind = follow->wants[i].kind;
        if (kind == SGC_SOLWANT_NFT)
            err = sgc_solwatch_nft(watch, follow->keys[i], i, follow->keys[i], &nft);
        else if (kind != SGC_SOLWANT_TOKEN)
            err = want_discover(follow, i, slot_min);
    }
    if (err == SG_OK)
        err = mints_ask(follow, slot_min);
    if (err == SG_OK)
        err = tokens_ask(follow, slot_min);
    if (err == SG_OK)
        groups_drop(follow);
    return err;
}
