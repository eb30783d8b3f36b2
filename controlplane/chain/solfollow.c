#include "controlplane/chain/solfollow_impl.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys/crypto.h"
#include "controlplane/chain/solask.h"

#include <stdio.h>

#define DISCOVER_MS 60000u
#define PATH_BYTES  4096

/* ---- opening ---- */

struct sg_caip_asset sgc_solfollow_asset(const struct sgc_solfollow *follow, uint32_t want,
                                         const uint8_t mint[SGC_SOL_KEY_BYTES])
{
    bool token = follow->wants[want].kind == SGC_SOLWANT_TOKEN;
    struct sg_caip_asset asset = {.chain = follow->options.chain,
                                  .standard = token ? SG_CAIP_TOKEN : SG_CAIP_NFT};
    asset.contract.len = SGC_SOL_KEY_BYTES;
    memcpy(asset.contract.bytes, mint, SGC_SOL_KEY_BYTES);
    return asset;
}

static enum sg_err wants_take(struct sgc_solfollow *follow,
                              const struct sgc_solfollow_options *options)
{
    uint32_t count = options->wants_count;
    follow->wants = sg_boot_alloc_array(count, sizeof(*follow->wants));
    follow->keys = sg_boot_alloc_array(count, sizeof(*follow->keys));
    follow->sources = sg_boot_alloc_array(count, sizeof(*follow->sources));
    follow->is_hidden = sg_boot_alloc_array(count, sizeof(*follow->is_hidden));
    follow->pending = sg_boot_alloc_array(SGC_SOLPENDING_MAX, sizeof(*follow->pending));
    if (follow->wants == NULL || follow->keys == NULL || follow->sources == NULL ||
        follow->is_hidden == NULL || follow->pending == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        follow->wants[i] = options->wants[i];
        memcpy(follow->keys[i], options->wants[i].key, SGC_SOL_KEY_BYTES);
        struct sg_caip_asset asset = sgc_solfollow_asset(follow, i, follow->keys[i]);
        follow->sources[i] = sge_group_contract(&asset);
    }
    return SG_OK;
}

enum sg_err sgc_solfollow_open(const struct sgc_solfollow_options *options,
                               struct sgc_solfollow **out)
{
    char file[PATH_BYTES];
    SG_ASSERT(options->chain.ns == SG_CAIP_SOLANA);
    SG_ASSERT(options->wants_count > 0 && options->wants_count <= SGC_SOLWANTS_MAX);
    if (snprintf(file, sizeof(file), "%s/solana-%s.names", options->dir, options->chain.solana) >=
        (int)sizeof(file))
        return SG_EINVAL;
    struct sgc_solfollow *follow = sg_boot_alloc(sizeof(*follow));
    if (follow == NULL)
        return SG_ENOMEM;
    follow->options = *options;
    follow->watch.fd = -1;
    enum sg_err err = wants_take(follow, options);
    if (err == SG_OK)
        err = sgc_solwatch_open(file, (const uint8_t(*)[SGC_SOL_KEY_BYTES])follow->keys,
                                options->wants_count, &follow->remembers, &follow->watch);
    if (err == SG_OK)
        *out = SG_TAKE(follow);
    sgc_solfollow_close(follow);
    return err;
}

void sgc_solfollow_close(struct sgc_solfollow *follow)
{
    if (follow == NULL)
        return;
    sgc_solwatch_close(&follow->watch);
    sg_boot_free(follow->wants);
    sg_boot_free(follow->keys);
    sg_boot_free(follow->sources);
    sg_boot_free(follow->is_hidden);
    sg_boot_free(follow->events);
    sg_boot_free(follow->pending);
    sg_boot_free(follow);
}

/* ---- what changed, as events ---- */

static enum sg_err event_add(struct sgc_solfollow *follow, const struct sgc_event *event)
{
    if (follow->events_count == follow->events_cap) {
        uint32_t cap = follow->events_cap == 0 ? 256 : 2 * follow->events_cap;
        struct sgc_event *grown = sg_boot_alloc_array(cap, sizeof(*grown));
        if (grown == NULL)
            return SG_ENOMEM;
        if (follow->events_count > 0)
            memcpy(grown, follow->events, follow->events_count * sizeof(*grown));
        sg_boot_free(follow->events);
        follow->events = grown;
        follow->events_cap = cap;
    }
    follow->events[follow->events_count] = *event;
    follow->events[follow->events_count].log = follow->events_count;
    follow->events_count++;
    return SG_OK;
}

/* What waits for its finality; too much of it, and the rest waits for the turn after. */
static bool pending_add(struct sgc_solfollow *follow, const struct sgc_solpending *pending)
{
    if (follow->pending_count == SGC_SOLPENDING_MAX)
        return false;
    follow->pending[follow->pending_count++] = *pending;
    return true;
}

static void address_set(struct sg_caip_address *address, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    address->len = SGC_SOL_KEY_BYTES;
    memcpy(address->bytes, key, SGC_SOL_KEY_BYTES);
}

static enum sg_err nft_owner_tell(struct sgc_solfollow *follow, struct sgc_solnft *nft,
                                  uint64_t slot)
{
    static const uint8_t nobody[SGC_SOL_KEY_BYTES];
    bool held = nft->now_held && nft->is_nft;
    const uint8_t *owner = held ? nft->now_owner : nobody;
    struct sgc_event event = {.kind = SGC_EVENT_OWNER,
                              .has_asset = true,
                              .asset = sgc_solfollow_asset(follow, nft->want, nft->mint),
                              .source = follow->sources[nft->want]};
    struct sgc_solpending pending = {
        .block = slot, .is_nft = true, .is_void = !nft->is_nft, .want = nft->want};
    if (!nft->looked)
        return SG_OK;
    memcpy(nft->account, nft->now_account, sizeof(nft->account));
    nft->has_account = nft->now_held;
    if (nft->is_told && memcmp(owner, nft->owner, sizeof(nft->owner)) == 0)
        return SG_OK;
    memcpy(pending.key, nft->mint, sizeof(pending.key));
    memcpy(pending.owner, owner, sizeof(pending.owner));
    memcpy(pending.account, nft->now_account, sizeof(pending.account));
    if (!pending_add(follow, &pending))
        return SG_OK;
    if (held)
        address_set(&event.to, owner);
    memcpy(nft->owner, owner, sizeof(nft->owner));
    nft->is_told = true;
    return event_add(follow, &event);
}

static enum sg_err nft_groups_tell(struct sgc_solfollow *follow, struct sgc_solnft *nft)
{
    struct sgc_event event = {.kind = SGC_EVENT_GROUPS,
                              .has_asset = true,
                              .asset = sgc_solfollow_asset(follow, nft->want, nft->mint),
                              .source = follow->sources[nft->want],
                              .groups_count = nft->groups_count};
    if (!nft->regroup)
        return SG_OK;
    memcpy(event.groups, nft->groups, nft->groups_count * sizeof(nft->groups[0]));
    nft->regroup = false;
    return event_add(follow, &event);
}

static enum sg_err holder_tell(struct sgc_solfollow *follow, struct sgc_solholder *holder,
                               uint64_t slot)
{
    struct sgc_event event = {
        .kind = SGC_EVENT_BALANCE,
        .has_asset = true,
        .asset = sgc_solfollow_asset(follow, holder->want, follow->keys[holder->want]),
        .source = follow->sources[holder->want],
        .amount = sg_u256_of(holder->now_amount)};
    struct sgc_solpending pending = {
        .block = slot, .want = holder->want, .amount = holder->now_amount};
    if (holder->is_told && holder->amount == holder->now_amount)
        return SG_OK;
    memcpy(pending.key, holder->owner, sizeof(pending.key));
    if (!pending_add(follow, &pending))
        return SG_OK;
    address_set(&event.to, holder->owner);
    holder->amount = holder->now_amount;
    holder->is_told = true;
    return event_add(follow, &event);
}

static enum sg_err changes_take(struct sgc_solfollow *follow, uint64_t slot)
{
    struct sgc_solwatch *watch = &follow->watch;
    enum sg_err err = SG_OK;
    follow->events_count = 0;
    for (uint32_t i = 0; err == SG_OK && i < watch->nfts_count; i++) {
        err = nft_groups_tell(follow, &watch->nfts[i]);
        if (err == SG_OK)
            err = nft_owner_tell(follow, &watch->nfts[i], slot);
    }
    for (uint32_t i = 0; err == SG_OK && i < watch->holders_count; i++)
        err = holder_tell(follow, &watch->holders[i], slot);
    return err;
}

/* What was told did not reach the ledger: all is told again. */
static void tell_again(struct sgc_solfollow *follow)
{
    struct sgc_solwatch *watch = &follow->watch;
    for (uint32_t i = 0; i < watch->nfts_count; i++) {
        watch->nfts[i].is_told = false;
        watch->nfts[i].regroup = true;
    }
    for (uint32_t i = 0; i < watch->holders_count; i++)
        watch->holders[i].is_told = false;
}

/* ---- into the ledger ---- */

static void hash_make(uint64_t slot, const uint8_t parent[32], uint8_t out[32])
{
    struct sg_sha256 hash;
    sg_sha256_init(&hash);
    sg_sha256_add(&hash, &slot, sizeof(slot));
    sg_sha256_add(&hash, parent, 32);
    sg_sha256_final(&hash, out);
}

static struct sgc_block block_of(const struct sgc_solfollow *follow, uint64_t slot, uint64_t time_s,
                                 const uint8_t parent[32])
{
    struct sgc_block block = {.chain = &follow->options.chain,
                              .number = slot,
                              .time_s = time_s,
                              .events = follow->events,
                              .events_count = follow->events_count};
    memcpy(block.parent, parent, sizeof(block.parent));
    hash_make(slot, parent, block.hash);
    return block;
}

/* The servers are the chain's, and the ledger stands at something that is safe. */
static enum sg_err base_make(struct sgc_solfollow *follow, uint64_t slot, uint64_t time_s)
{
    static const uint8_t no_parent[32];
    const struct sg_caip_chain *chain = &follow->options.chain;
    struct sgc_ledger_at at;
    char genesis[33];
    enum sg_err err = sgc_solask_genesis(follow->options.servers, genesis);
    if (err != SG_OK)
        return err;
    if (strcmp(genesis, chain->solana) != 0)
        return SG_EINVAL;
    follow->events_count = 0;
    struct sgc_block block = block_of(follow, slot, time_s, no_parent);
    err = sgc_ledger_at(follow->options.ledger, chain, &at);
    if (err == SG_ENOENT)
        return sgc_ledger_base(follow->options.ledger, &block);
    if (err == SG_OK && at.head > at.safe) /* what nobody has checked since: it is seen anew */
        err = sgc_ledger_undo(follow->options.ledger, chain, at.safe);
    return err;
}

/* A want's history is what is so now. */
static enum sg_err want_join(struct sgc_solfollow *follow, uint32_t want, uint64_t time_s)
{
    const struct sg_caip_asset contract = sgc_solfollow_asset(follow, want, follow->keys[want]);
    struct sgc_ledger *ledger = follow->options.ledger;
    struct sgc_ledger_at at;
    struct sgc_ledger_progress progress;
    enum sg_err err = sgc_ledger_followed(ledger, &contract, &progress);
    if (err == SG_OK && progress.to == SGC_LEDGER_JOINED && follow->remembers)
        return SG_OK;
    if (err == SG_OK)
        err = sgc_ledger_forget(ledger, &contract);
    if (err == SG_OK || err == SG_ENOENT)
        err = sgc_ledger_at(ledger, &follow->options.chain, &at);
    if (err != SG_OK)
        return err;
    struct sgc_block block = {.chain = &follow->options.chain, .number = at.head, .time_s = time_s};
    const struct sgc_span span = {.chain = &follow->options.chain,
                                  .contracts = &contract,
                                  .contracts_count = 1,
                                  .to = at.head,
                                  .blocks = &block,
                                  .blocks_count = 0};
    err = sgc_ledger_add_safe(ledger, &span);
    if (err == SG_OK)
        err = sgc_ledger_join(ledger, &contract);
    return err == SG_OK ? sgc_solwhole_begin(follow, want) : err;
}

/* What no rule asks for any more is not told further, and says so in the ledger. */
static enum sg_err leave_others(struct sgc_solfollow *follow)
{
    uint64_t sources[SGC_SOLWANTS_MAX];
    const struct sg_caip_chain *chain = &follow->options.chain;
    uint32_t count = sgc_ledger_sources(follow->options.ledger, chain, sources, SGC_SOLWANTS_MAX);
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < count; i++) {
        bool asked = false;
        for (uint32_t j = 0; j < follow->options.wants_count && !asked; j++)
            asked = follow->sources[j] == sources[i];
        if (!asked)
            err = sgc_ledger_leave(follow->options.ledger, chain, sources[i]);
    }
    return err;
}

static enum sg_err begin(struct sgc_solfollow *follow, uint64_t time_s)
{
    uint64_t slot;
    enum sg_err err = sgc_solask_slot(follow->options.servers, SGC_SOL_FINALIZED, &slot);
    if (err == SG_OK)
        err = base_make(follow, slot, time_s);
    if (err == SG_OK)
        err = leave_others(follow);
    for (uint32_t i = 0; err == SG_OK && i < follow->options.wants_count; i++)
        err = want_join(follow, i, time_s);
    if (err == SG_OK)
        err = sgc_solwhole_leave(follow);
    follow->based = err == SG_OK;
    follow->remembers |= follow->based;
    return err;
}

static enum sg_err tell(struct sgc_solfollow *follow, uint64_t slot, uint64_t time_s)
{
    struct sgc_ledger_at at;
    enum sg_err err = sgc_ledger_at(follow->options.ledger, &follow->options.chain, &at);
    if (err != SG_OK)
        return err;
    if (slot <= at.head) { /* nothing can have changed since; what was found is told in the next */
        follow->stats.is_behind |= follow->found > 0;
        return SG_OK;
    }
    uint32_t pending_before = follow->pending_count;
    err = changes_take(follow, slot);
    if (err == SG_OK && follow->events_count > 0)
        err = sgc_solwatch_sync(&follow->watch);
    if (err == SG_OK && follow->events_count > 0) {
        struct sgc_block block = block_of(follow, slot, time_s, at.head_hash);
        err = sgc_ledger_add(follow->options.ledger, &block);
    }
    if (err != SG_OK) {
        follow->pending_count = pending_before;
        tell_again(follow);
        return err;
    }
    follow->stats.changes += follow->events_count;
    return SG_OK;
}

/* All of it as at one finalized slot, or later. */
static enum sg_err discover(struct sgc_solfollow *follow, uint64_t now_ns)
{
    uint64_t slot;
    uint32_t every_ms =
        follow->options.discover_ms != 0 ? follow->options.discover_ms : DISCOVER_MS;
    enum sg_err err = sgc_solask_slot(follow->options.servers, SGC_SOL_FINALIZED, &slot);
    if (err == SG_OK)
        err = sgc_solsee_discover(follow, slot);
    if (err != SG_OK)
        return err;
    follow->discovered = true;
    follow->discover_at_ns = now_ns + every_ms * SG_NS_PER_MS;
    return SG_OK;
}

enum sg_err sgc_solfollow_turn(struct sgc_solfollow *follow, uint64_t now_ns)
{
    uint64_t slot, time_s = sg_clock_wall_ns() / SG_NS_PER_SEC;
    enum sg_err err = follow->based ? SG_OK : begin(follow, time_s);
    if (err == SG_OK && now_ns >= follow->discover_at_ns)
        err = discover(follow, now_ns);
    if (err == SG_OK)
        err = sgc_solask_slot(follow->options.servers, SGC_SOL_CONFIRMED, &slot);
    if (err == SG_OK)
        err = sgc_solsee_all(follow, SGC_SOL_CONFIRMED, slot);
    if (err == SG_OK)
        err = tell(follow, slot, time_s);
    if (err == SG_OK)
        err = sgc_solwhole_tell(follow);
    if (err != SG_OK)
        return err;
    follow->stats.head = slot;
    follow->stats.turns++;
    return sgc_solsafe_turn(follow);
}

struct sgc_solwatch *sgc_solfollow_watch(struct sgc_solfollow *follow)
{
    SG_ASSERT(follow != NULL);
    return &follow->watch;
}

void sgc_solfollow_discover(struct sgc_solfollow *follow)
{
    SG_ASSERT(follow != NULL);
    follow->discover_at_ns = 0;
}

void sgc_solfollow_stats(const struct sgc_solfollow *follow, struct sgc_solfollow_stats *out)
{
    *out = follow->stats;
    out->mints = follow->watch.nfts_count;
    out->holders = follow->watch.holders_count;
    out->pending = follow->pending_count;
}
