/* What was told at head and is so in what is finalized too becomes safe. A change that was
 * superseded by a later one of the same thing need not be so any more: the later one must. */
#include "controlplane/chain/solask.h"
#include "controlplane/chain/solfollow_impl.h"

#include "base/assert.h"

/* The pending that are looked at together, by the accounts where they were seen. */
struct look {
    const struct sgc_solpending *pending[SGC_SOL_ACCOUNTS_MAX];
    uint8_t keys[SGC_SOL_ACCOUNTS_MAX][SGC_SOL_KEY_BYTES];
    bool so[SGC_SOL_ACCOUNTS_MAX];
    uint32_t count;
};

static void nft_look(void *ctx, const struct sgc_sol_account *account)
{
    struct look *look = ctx;
    const struct sgc_solpending *pending = look->pending[account->index];
    struct sgc_sol_holding holding;
    bool held = sgc_sol_read_holding(account, &holding) && holding.amount == 1 &&
                memcmp(holding.mint, pending->key, SGC_SOL_KEY_BYTES) == 0;
    look->so[account->index] =
        held && memcmp(holding.owner, pending->owner, SGC_SOL_KEY_BYTES) == 0;
}

struct owner {
    uint8_t key[SGC_SOL_KEY_BYTES];
};

static enum sg_err owner_take(void *ctx, const uint8_t account[SGC_SOL_KEY_BYTES],
                              const struct sgc_sol_holding *holding)
{
    struct owner *owner = ctx;
    (void)account;
    if (holding->amount == 1)
        memcpy(owner->key, holding->owner, sizeof(owner->key));
    return SG_OK;
}

/* It is not where it was seen, or it was seen to be nobody's: where is it? */
static enum sg_err nft_find(struct sgc_solfollow *follow, const struct sgc_solpending *pending,
                            uint64_t slot, bool *so)
{
    struct owner owner = {.key = {0}};
    enum sg_err err =
        sgc_solsee_holdings(follow, pending->key, SGC_SOL_FINALIZED, slot, owner_take, &owner);
    *so = err == SG_OK && memcmp(owner.key, pending->owner, sizeof(owner.key)) == 0;
    return err;
}

static enum sg_err nfts_check(struct sgc_solfollow *follow, struct look *look, uint64_t slot,
                              bool *so)
{
    if (look->count == 0)
        return SG_OK;
    enum sg_err err = sgc_solask_multiple(follow->options.servers,
                                          (const uint8_t(*)[SGC_SOL_KEY_BYTES])look->keys,
                                          look->count, SGC_SOL_FINALIZED, slot, nft_look, look);
    for (uint32_t i = 0; err == SG_OK && *so && i < look->count; i++)
        if (!look->so[i])
            err = nft_find(follow, look->pending[i], slot, so);
    look->count = 0;
    return err;
}

struct sum {
    const uint8_t *owner;
    uint64_t amount;
};

static enum sg_err sum_take(void *ctx, const uint8_t account[SGC_SOL_KEY_BYTES],
                            const struct sgc_sol_holding *holding)
{
    struct sum *sum = ctx;
    (void)account;
    if (memcmp(holding->owner, sum->owner, SGC_SOL_KEY_BYTES) == 0 &&
        __builtin_add_overflow(sum->amount, holding->amount, &sum->amount))
        sum->amount = UINT64_MAX;
    return SG_OK;
}

static enum sg_err holder_check(struct sgc_solfollow *follow, const struct sgc_solpending *pending,
                                uint64_t slot, bool *so)
{
    struct sum sum = {.owner = pending->key};
    enum sg_err err = sgc_solsee_holdings(follow, follow->keys[pending->want], SGC_SOL_FINALIZED,
                                          slot, sum_take, &sum);
    *so = err == SG_OK && sum.amount == pending->amount;
    return err;
}

static bool same_thing(const struct sgc_solpending *a, const struct sgc_solpending *b)
{
    return a->is_nft == b->is_nft && (a->is_nft || a->want == b->want) &&
           memcmp(a->key, b->key, SGC_SOL_KEY_BYTES) == 0;
}

/* By a change up to `last`, the highest block that may become safe now. */
static bool is_superseded(const struct sgc_solfollow *follow, uint32_t i, uint64_t last)
{
    for (uint32_t j = i + 1; j < follow->pending_count && follow->pending[j].block <= last; j++)
        if (same_thing(&follow->pending[i], &follow->pending[j]))
            return true;
    return false;
}

/* Whether everything up to `last` is so, of `count` pending. */
static enum sg_err check(struct sgc_solfollow *follow, uint32_t count, uint64_t last, uint64_t slot,
                         bool *so)
{
    struct look look = {.count = 0};
    enum sg_err err = SG_OK;
    *so = true;
    for (uint32_t i = 0; err == SG_OK && *so && i < count; i++) {
        const struct sgc_solpending *pending = &follow->pending[i];
        if (is_superseded(follow, i, last) || pending->is_void)
            continue;
        if (!pending->is_nft) {
            err = holder_check(follow, pending, slot, so);
            continue;
        }
        look.pending[look.count] = pending;
        memcpy(look.keys[look.count++], pending->account, SGC_SOL_KEY_BYTES);
        if (look.count == SGC_SOL_ACCOUNTS_MAX)
            err = nfts_check(follow, &look, slot, so);
    }
    if (err == SG_OK && *so)
        err = nfts_check(follow, &look, slot, so);
    return err;
}

static void pending_drop(struct sgc_solfollow *follow, uint32_t count)
{
    follow->pending_count -= count;
    memmove(follow->pending, follow->pending + count,
            follow->pending_count * sizeof(follow->pending[0]));
}

enum sg_err sgc_solsafe_turn(struct sgc_solfollow *follow)
{
    uint64_t slot, last = 0;
    uint32_t count = 0;
    bool so = true;
    enum sg_err err = sgc_solask_slot(follow->options.servers, SGC_SOL_FINALIZED, &slot);
    if (err != SG_OK)
        return err;
    while (count < follow->pending_count && follow->pending[count].block <= slot)
        last = follow->pending[count++].block;
    if (count > 0)
        err = check(follow, count, last, slot, &so);
    if (err != SG_OK || !so)
        return err;
    struct sgc_ledger_at at;
    err = sgc_ledger_at(follow->options.ledger, &follow->options.chain, &at);
    if (err == SG_OK && last > at.safe)
        err = sgc_ledger_safe(follow->options.ledger, &follow->options.chain, last);
    if (err != SG_OK)
        return err;
    pending_drop(follow, count);
    follow->stats.safe = slot;
    return SG_OK;
}
