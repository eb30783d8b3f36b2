/* History: each contract from its first block to safe in ranges, through the journal to the head,
 * and then it joins. Contracts that are equally far are read together. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/chain/followin.h"

#define STEADY       32    /* ranges that went well before one that was refused is tried again */
#define LOGS_WANTED  40000 /* of a question: fewer, and the range grows; twice as many: shrinks */
#define SEARCH_TRIES 3

/* ---- where a contract begins ---- */

/* No code yet is "0x". */
static enum sg_err has_code(struct sgc_follow *follow, const struct sgc_evm_contract *contract,
                            uint64_t number, bool *out)
{
    char memory[128];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct sgc_servers_answer answer;
    sg_out_lit(&params, "[");
    sgc_eth_put_bytes(&params, contract->asset.contract.bytes, 20);
    sg_out_lit(&params, ",");
    sgc_eth_put_u64(&params, number);
    sg_out_lit(&params, "]");
    const struct sgc_servers_question question = {.method = "eth_getCode",
                                                  .params = sg_out_view(&params)};
    enum sg_err err = sgc_servers_ask(follow->servers, &question, &answer);
    if (err == SG_OK)
        *out = !answer.reverted && answer.result.len > strlen("\"0x0\"");
    return err;
}

/* The first block that has its code. Servers that keep no old states can't tell: then it is read
 * from the chain's first block, where ranges without a log go by quickly. */
static enum sg_err find_first(struct sgc_follow *follow, const struct sgc_evm_contract *contract,
                              uint64_t *out)
{
    uint64_t low = 0, high = follow->at.safe;
    uint32_t tries = 0;
    bool there = false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        enum sg_err err = has_code(follow, contract, middle, &there);
        if (err == SG_ECANCELED || err == SG_ENOMEM)
            return err;
        if (err == SG_EAGAIN && ++tries < SEARCH_TRIES)
            return err;
        if (err != SG_OK) {
            *out = 0;
            return SG_OK;
        }
        if (there)
            high = middle;
        else
            low = middle + 1;
    }
    *out = low;
    return SG_OK;
}

/* Says to the stream how much of it there is: of the registry, of all that it delegates. */
static enum sg_err tell(struct sgc_follow *follow, const struct sgc_followed *followed)
{
    const struct sgc_evm_contract *contract = &followed->contract;
    const struct sgc_following following = {
        .source = contract->source,
        .group =
            contract->registry ? sge_group_delegations(&follow->options.chain) : contract->source,
        .how = followed->to == SGC_LEDGER_JOINED ? SGE_FOLLOWED_WHOLE : SGE_FOLLOWED_READING};
    return sgc_ledger_follow(follow->options.ledger, &follow->options.chain, &following);
}

static enum sg_err begin_one(struct sgc_follow *follow, struct sgc_followed *followed)
{
    const struct sgc_evm_contract *contract = &followed->contract;
    uint64_t first = contract->first_block;
    enum sg_err err = first == 0 ? find_first(follow, contract, &first) : SG_OK;
    if (err != SG_OK)
        return err;
    if (first > follow->at.safe)
        first = follow->at.safe;
    struct sgc_span none = {.chain = &follow->options.chain,
                            .contracts = &contract->asset,
                            .contracts_count = 1,
                            .to = first > 0 ? first - 1 : 0};
    err = sgc_ledger_add_safe(follow->options.ledger, &none);
    if (err != SG_OK)
        return err;
    followed->to = none.to;
    followed->begun = true;
    return tell(follow, followed);
}

static enum sg_err begin(struct sgc_follow *follow)
{
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < follow->contracts_count && err == SG_OK; i++)
        if (!follow->contracts[i].begun && !follow->contracts[i].refused)
            err = begin_one(follow, &follow->contracts[i]);
    return err;
}

static enum sg_err know(struct sgc_follow *follow, struct sgc_followed *followed)
{
    struct sgc_ledger_progress progress = {0};
    enum sg_err err =
        sgc_ledger_followed(follow->options.ledger, &followed->contract.asset, &progress);
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    followed->begun = err == SG_OK;
    followed->to = progress.to;
    followed->told = progress.told;
    followed->known = true;
    return followed->begun ? tell(follow, followed) : SG_OK;
}

/* The ledger has forgotten it, so it is read from its first block. */
static void retry(struct sgc_followed *followed)
{
    if (!followed->refused || sg_clock_mono_ns() < followed->retry_ns)
        return;
    followed->refused = followed->known = false;
}

enum sg_err sgc_history_know(struct sgc_follow *follow)
{
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < follow->contracts_count && err == SG_OK; i++) {
        retry(&follow->contracts[i]);
        if (!follow->contracts[i].known)
            err = know(follow, &follow->contracts[i]);
    }
    return err;
}

/* ---- those that are furthest behind, together ---- */

struct group {
    uint32_t count;
    uint64_t to, next; /* how far they are; how far those are who are next */
    struct sgc_followed *those[SGC_ETH_ADDRESSES_MAX];
    struct sg_caip_asset assets[SGC_ETH_ADDRESSES_MAX];
};

static void choose(struct sgc_follow *follow, struct group *group)
{
    group->count = 0;
    group->to = group->next = SGC_LEDGER_JOINED;
    for (uint32_t i = 0; i < follow->contracts_count; i++) {
        struct sgc_followed *followed = &follow->contracts[i];
        if (!followed->refused && followed->to < group->to)
            group->to = followed->to;
    }
    for (uint32_t i = 0; i < follow->contracts_count && group->to != SGC_LEDGER_JOINED; i++) {
        struct sgc_followed *followed = &follow->contracts[i];
        if (followed->refused)
            continue;
        if (followed->to == group->to && group->count < SGC_ETH_ADDRESSES_MAX) {
            group->assets[group->count] = followed->contract.asset;
            group->those[group->count++] = followed;
        } else if (followed->to > group->to && followed->to < group->next) {
            group->next = followed->to;
        }
    }
}

static void arrived(struct group *group, uint64_t to)
{
    for (uint32_t i = 0; i < group->count; i++)
        group->those[i]->to = to;
}

/* ---- up to safe ---- */

static void range_went_well(struct sgc_follow *follow, uint64_t logs)
{
    uint64_t most = follow->options.range_blocks_max;
    follow->range_steady++;
    if (logs > 2 * LOGS_WANTED && follow->range > 1)
        follow->range /= 2;
    if (logs >= LOGS_WANTED || follow->range_steady < STEADY || follow->range >= most)
        return;
    follow->range = 2ull * follow->range < most ? 2 * follow->range : (uint32_t)most;
}

/* Also where nobody answered: what is too much for a server may just take it too long. */
static enum sg_err range_refused(struct sgc_follow *follow, enum sg_err err,
                                 const struct sgc_eth_filter *filter)
{
    uint64_t asked = filter->to - filter->from + 1;
    follow->counts.history_refused++;
    follow->range = (uint32_t)(asked > 1 ? asked / 2 : 1);
    follow->range_steady = 0;
    if (err == SG_EMSGSIZE && asked == 1)
        return sgc_follow_fault(follow, err, "the servers refuse the logs of block %llu",
                                (unsigned long long)filter->from);
    return err == SG_EMSGSIZE ? SG_OK : err;
}

static enum sg_err read_range(struct sgc_follow *follow, struct group *group)
{
    uint64_t to = group->to + follow->range;
    to = to < follow->at.safe ? to : follow->at.safe;
    to = to < group->next ? to : group->next;
    struct sgc_eth_filter filter = {.from = group->to + 1, .to = to};
    struct sgc_gather gather = {0};
    enum sg_err err = sgc_follow_gather(follow, &filter, group->those, group->count, &gather);
    if (err == SG_OK) {
        struct sgc_span span = {.chain = &follow->options.chain,
                                .contracts = group->assets,
                                .contracts_count = group->count,
                                .to = to,
                                .blocks = gather.blocks,
                                .blocks_count = gather.blocks_count};
        err = sgc_ledger_add_safe(follow->options.ledger, &span);
    }
    if (err == SG_OK) {
        arrived(group, to);
        follow->counts.history_ranges++;
        follow->counts.history_logs += gather.logs;
        range_went_well(follow, gather.logs);
    }
    sgc_gather_fini(&gather);
    return err == SG_EMSGSIZE || err == SG_EAGAIN ? range_refused(follow, err, &filter) : err;
}

/* ---- through the journal ---- */

static enum sg_err join(struct sgc_follow *follow, struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++) {
        struct sgc_followed *followed = group->those[i];
        enum sg_err err = sgc_ledger_join(follow->options.ledger, &followed->contract.asset);
        if (err == SG_OK) {
            followed->to = SGC_LEDGER_JOINED;
            followed->told = true;
            followed->refusals = 0;
            err = tell(follow, followed);
        }
        if (err != SG_OK)
            return err;
    }
    return SG_OK;
}

static enum sg_err read_journal(struct sgc_follow *follow, struct group *group)
{
    struct sgc_eth_filter filter = {.by_hash = true};
    struct sgc_gather gather = {0};
    struct sgc_block block;
    enum sg_err err =
        sgc_ledger_next(follow->options.ledger, &follow->options.chain, group->to, &block);
    if (err == SG_ENOENT)
        return join(follow, group);
    if (err != SG_OK)
        return err;
    memcpy(filter.hash, block.hash, sizeof(filter.hash));
    err = sgc_follow_gather(follow, &filter, group->those, group->count, &gather);
    if (err == SG_OK) {
        block.events = gather.events.items;
        block.events_count = gather.events.count;
        err = sgc_ledger_add_more(follow->options.ledger, &block, group->assets, group->count);
    }
    if (err == SG_OK)
        arrived(group, block.number);
    sgc_gather_fini(&gather);
    return err;
}

enum sg_err sgc_history_turn(struct sgc_follow *follow, bool *more)
{
    struct group group;
    *more = false;
    if (follow->range == 0) {
        follow->range = 1; /* how many logs a block has nobody knows */
        follow->range_steady = STEADY;
    }
    enum sg_err err = begin(follow);
    if (err != SG_OK)
        return err;
    choose(follow, &group);
    if (group.count == 0)
        return SG_OK;
    err = group.to < follow->at.safe ? read_range(follow, &group) : read_journal(follow, &group);
    *more = err == SG_OK || err == SG_ESTALE;
    return err == SG_ESTALE ? SG_OK : err; /* a contract was refused: the others go on */
}
