/* The head: block upon block, back to the common one where the chain went another way. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/chain/followin.h"
#include "controlplane/chain/prove.h"

#include <poll.h>

#define BLOCKS_A_TURN 64 /* then others have a look at how far it is */
#define FORKS_A_TURN  8
#define PROVE_BLOCKS  64  /* servers keep the state of the newest blocks only: 128, usually */
#define JUMP_BLOCKS   256 /* further behind than this is read as history */

static bool same_hash(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

static enum sg_err by_number(struct sgc_follow *follow, uint64_t number, struct sgc_eth_block *out)
{
    const struct sgc_eth_at at = {.kind = SGC_ETH_NUMBER, .number = number};
    return sgc_agreed_block(follow->servers, &at, out);
}

/* One that was there a moment ago: the chain has gone another way, which the next turn sees. */
static enum sg_err by_number_again(struct sgc_follow *follow, uint64_t number,
                                   struct sgc_eth_block *out)
{
    enum sg_err err = by_number(follow, number, out);
    return err == SG_ENOENT ? SG_EAGAIN : err;
}

static enum sg_err ask_safe(struct sgc_follow *follow, const struct sgc_eth_block *latest,
                            struct sgc_eth_block *out)
{
    uint32_t depth = follow->options.depth;
    switch (follow->options.finality) {
    case SGC_FINALITY_SAFE:
        return sgc_agreed_head(follow->servers, SGC_ETH_SAFE, out);
    case SGC_FINALITY_FINALIZED:
        return sgc_agreed_head(follow->servers, SGC_ETH_FINALIZED, out);
    case SGC_FINALITY_DEPTH:
        return by_number_again(follow, latest->number > depth ? latest->number - depth : 0, out);
    }
    SG_UNREACHABLE();
}

static enum sg_err look(struct sgc_follow *follow)
{
    return sgc_ledger_at(follow->options.ledger, &follow->options.chain, &follow->at);
}

static struct sgc_block block_of(const struct sgc_follow *follow, const struct sgc_eth_block *block)
{
    struct sgc_block out = {
        .chain = &follow->options.chain, .number = block->number, .time_s = block->time_s};
    memcpy(out.hash, block->hash, sizeof(out.hash));
    memcpy(out.parent, block->parent, sizeof(out.parent));
    return out;
}

static enum sg_err base(struct sgc_follow *follow, const struct sgc_eth_block *safe)
{
    struct sgc_block block = block_of(follow, safe);
    enum sg_err err = sgc_ledger_base(follow->options.ledger, &block);
    return err == SG_OK ? look(follow) : err;
}

/* ---- reorgs ---- */

/* The newest block of the journal that the chain has, too; `latest` is all there is of it. */
static enum sg_err find_common(struct sgc_follow *follow, uint64_t latest, uint64_t *common)
{
    for (uint64_t number = follow->at.head;; number--) {
        struct sgc_eth_block block;
        uint8_t ours[32];
        enum sg_err err =
            sgc_ledger_hash(follow->options.ledger, &follow->options.chain, number, ours);
        if (err == SG_OK && number <= latest) {
            err = by_number(follow, number, &block);
            if (err == SG_OK && same_hash(block.hash, ours)) {
                *common = number;
                return SG_OK;
            }
        }
        if (err != SG_OK && err != SG_ENOENT)
            return err;
        if (number <= follow->at.first)
            return sgc_follow_fault(
                follow, SG_ERANGE,
                "block %llu was safe and is not the chain's any more: see docs/chains.md",
                (unsigned long long)number);
    }
}

static enum sg_err go_back(struct sgc_follow *follow, uint64_t latest)
{
    uint64_t common;
    enum sg_err err = find_common(follow, latest, &common);
    if (err != SG_OK)
        return err;
    uint32_t depth = (uint32_t)(follow->at.head - common);
    if (depth == 0)
        return SG_ESTALE; /* the chain has moved on since we asked for its head */
    err = sgc_ledger_undo(follow->options.ledger, &follow->options.chain, common);
    if (err != SG_OK)
        return err;
    follow->counts.reorgs++;
    follow->counts.reorg_depth = depth;
    if (depth > follow->counts.reorg_depth_max)
        follow->counts.reorg_depth_max = depth;
    for (uint32_t i = 0; i < follow->contracts_count; i++)
        if (follow->contracts[i].to != SGC_LEDGER_JOINED)
            follow->contracts[i].known = false; /* its progress may have been taken back */
    sg_info("chain %s: a reorg takes %u blocks back, to %llu", follow->status.chain, depth,
            (unsigned long long)common);
    err = sgc_history_know(follow);
    return err == SG_OK ? look(follow) : err;
}

/* ---- forward ---- */

static const struct sgc_evm_contract *contract_of(void *ctx, const struct sg_caip_asset *asset)
{
    const struct sgc_follow *follow = ctx;
    uint64_t source = sge_group_contract(asset);
    for (uint32_t i = 0; i < follow->contracts_count; i++)
        if (follow->contracts[i].contract.source == source)
            return &follow->contracts[i].contract;
    return NULL;
}

/* Before the ledger takes it: what the logs say is what the state says. */
static enum sg_err prove(struct sgc_follow *follow, const struct sgc_eth_block *from,
                         const struct sgc_events *events)
{
    if (from->number + PROVE_BLOCKS < follow->latest.number)
        return SG_OK;
    bool cut = false;
    const struct sgc_prove how = {.servers = follow->servers,
                                  .ledger = follow->options.ledger,
                                  .contract_of = contract_of,
                                  .ctx = follow,
                                  .proven = &follow->counts.proven,
                                  .cut = &cut};
    enum sg_err err = sgc_prove_events(&how, from, events->items, events->count);
    follow->counts.cut += cut;
    if (err != SG_EAUTH && err != SG_ENOTSUP)
        return err;
    follow->counts.disproven++;
    return sgc_follow_fault(follow, err,
                            err == SG_EAUTH
                                ? "block %llu: the logs say other owners than the state: see "
                                  "docs/chains.md"
                                : "block %llu: no server gives proofs",
                            (unsigned long long)from->number);
}

static enum sg_err add(struct sgc_follow *follow, const struct sgc_eth_block *from)
{
    struct sgc_followed *joined[SGC_FOLLOW_CONTRACTS_MAX];
    struct sgc_eth_filter filter = {.by_hash = true};
    struct sgc_block block = block_of(follow, from);
    struct sgc_gather gather = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < follow->contracts_count; i++)
        if (!follow->contracts[i].refused && follow->contracts[i].to == SGC_LEDGER_JOINED)
            joined[count++] = &follow->contracts[i];
    memcpy(filter.hash, from->hash, sizeof(filter.hash));
    enum sg_err err = sgc_follow_gather(follow, &filter, joined, count, &gather);
    if (err == SG_OK)
        err = prove(follow, from, &gather.events);
    if (err == SG_OK) {
        block.events = gather.events.items;
        block.events_count = gather.events.count;
        err = sgc_ledger_add(follow->options.ledger, &block);
    }
    if (err == SG_OK) {
        follow->counts.blocks++;
        follow->counts.logs += gather.logs;
        follow->counts.events += gather.events.count;
    }
    sgc_gather_fini(&gather);
    return err == SG_OK ? look(follow) : err;
}

/* One block further, or back where the next one does not stand on ours. */
static enum sg_err step(struct sgc_follow *follow, const struct sgc_eth_block *latest,
                        uint32_t *forks)
{
    struct sgc_eth_block next = *latest;
    if (follow->at.head >= latest->number) {
        ++*forks;
        return go_back(follow, latest->number);
    }
    if (follow->at.head + 1 < latest->number) {
        enum sg_err err = by_number_again(follow, follow->at.head + 1, &next);
        if (err != SG_OK)
            return err;
    }
    if (same_hash(next.parent, follow->at.head_hash))
        return add(follow, &next);
    ++*forks;
    return go_back(follow, latest->number);
}

/* Servers that are behind us say nothing new. */
static bool is_past(struct sgc_follow *follow, const struct sgc_eth_block *latest)
{
    uint8_t ours[32];
    return latest->number <= follow->at.head &&
           sgc_ledger_hash(follow->options.ledger, &follow->options.chain, latest->number, ours) ==
               SG_OK &&
           same_hash(ours, latest->hash);
}

static enum sg_err advance(struct sgc_follow *follow, const struct sgc_eth_block *latest)
{
    uint32_t forks = 0;
    enum sg_err err = SG_OK;
    for (uint32_t i = 0;
         i < BLOCKS_A_TURN && err == SG_OK && forks < FORKS_A_TURN && !atomic_load(&follow->stop);
         i++) {
        if (is_past(follow, latest))
            return SG_OK;
        err = step(follow, latest, &forks);
    }
    return err;
}

/* Too far behind to take the blocks one by one: all contracts become history again. */
static enum sg_err jump(struct sgc_follow *follow, const struct sgc_eth_block *safe)
{
    uint64_t common;
    enum sg_err err = find_common(follow, safe->number, &common);
    if (err == SG_OK && common < follow->at.head)
        err = go_back(follow, safe->number);
    if (err == SG_OK)
        err = sgc_ledger_safe(follow->options.ledger, &follow->options.chain, follow->at.head);
    for (uint32_t i = 0; i < follow->contracts_count && err == SG_OK; i++) {
        follow->contracts[i].known = false;
        err = sgc_ledger_reread(follow->options.ledger, &follow->contracts[i].contract.asset);
    }
    if (err == SG_OK)
        err = sgc_history_know(follow);
    return err == SG_OK ? base(follow, safe) : err;
}

static enum sg_err mark_safe(struct sgc_follow *follow, const struct sgc_eth_block *safe)
{
    uint8_t ours[32];
    if (safe->number <= follow->at.safe || safe->number > follow->at.head ||
        sgc_ledger_hash(follow->options.ledger, &follow->options.chain, safe->number, ours) !=
            SG_OK ||
        !same_hash(ours, safe->hash))
        return SG_OK; /* the next turn sees why */
    enum sg_err err = sgc_ledger_safe(follow->options.ledger, &follow->options.chain, safe->number);
    return err == SG_OK ? look(follow) : err;
}

/* Contracts that the stream knows from before are as they were then until they are read. */
static bool all_told(const struct sgc_follow *follow)
{
    for (uint32_t i = 0; i < follow->contracts_count; i++) {
        const struct sgc_followed *followed = &follow->contracts[i];
        if (!followed->refused &&
            (!followed->known || (followed->told && followed->to != SGC_LEDGER_JOINED)))
            return false;
    }
    return true;
}

static void tell(struct sgc_follow *follow)
{
    struct sge_chain chain = {.id = sge_chain_id(&follow->options.chain),
                              .head = follow->at.head,
                              .safe = follow->at.safe,
                              .head_s = follow->at.head_s,
                              .heard_ns = sg_clock_wall_ns(),
                              .late_s = follow->options.late_s};
    memcpy(chain.name, follow->status.chain, sizeof(chain.name));
    memcpy(chain.head_hash, follow->at.head_hash, sizeof(chain.head_hash));
    follow->heard_ns = chain.heard_ns;
    follow->options.heard(follow->options.ctx, &chain);
}

/* What is safe moves only when the head does. */
static enum sg_err ask(struct sgc_follow *follow)
{
    struct sgc_eth_block latest, safe;
    enum sg_err err = sgc_agreed_head(follow->servers, SGC_ETH_LATEST, &latest);
    if (err != SG_OK || same_hash(latest.hash, follow->latest.hash))
        return err;
    err = ask_safe(follow, &latest, &safe);
    if (err == SG_OK) {
        follow->latest = latest;
        follow->safe = safe;
    }
    return err;
}

enum sg_err sgc_followhead_turn(struct sgc_follow *follow)
{
    const struct sgc_eth_block *latest = &follow->latest, *safe = &follow->safe;
    enum sg_err err = ask(follow);
    if (err == SG_OK)
        err = sgc_history_know(follow);
    if (err == SG_OK)
        err = look(follow);
    if (err == SG_ENOENT)
        err = base(follow, safe);
    else if (err == SG_OK && safe->number > follow->at.head + JUMP_BLOCKS)
        err = jump(follow, safe);
    if (err == SG_OK)
        err = advance(follow, latest);
    if (err == SG_OK)
        err = mark_safe(follow, safe);
    if (err != SG_OK && err != SG_ESTALE)
        return err;
    if (!is_past(follow, latest))
        follow->turn_until_ns = 0; /* go on at once */
    else if (same_hash(follow->at.head_hash, latest->hash) && all_told(follow))
        tell(follow);
    return SG_OK;
}
