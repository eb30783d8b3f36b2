/* What the servers agree on in logs, as the ledger's events. */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/chain/followin.h"

#define RETRY_MS  60000u
#define DOUBLINGS 6u

struct reading {
    struct sgc_follow *follow;
    struct sgc_followed *const *those;
    uint32_t count;
    struct sgc_gather *out;
    enum sg_err err;
};

static enum sg_err block_of(struct sgc_gather *out, uint64_t number)
{
    if (out->blocks_count != 0 && out->blocks[out->blocks_count - 1].number == number)
        return SG_OK;
    if (out->blocks_count == out->blocks_cap) {
        uint32_t cap = out->blocks_cap == 0 ? 16 : 2 * out->blocks_cap;
        struct sgc_block *blocks = sg_boot_alloc_array(cap, sizeof(*blocks));
        if (blocks == NULL)
            return SG_ENOMEM;
        if (out->blocks_count != 0)
            memcpy(blocks, out->blocks, out->blocks_count * sizeof(*blocks));
        sg_boot_free(out->blocks);
        out->blocks = blocks;
        out->blocks_cap = cap;
    }
    out->blocks[out->blocks_count++] = (struct sgc_block){.number = number};
    return SG_OK;
}

/* A contract that can't be read is nobody's at once, and stays out for a while: a reorg may have
 * taken the log back by then, or the servers that made it up be gone. */
static enum sg_err refuse(struct reading *reading, struct sgc_followed *followed,
                          const struct sgc_eth_log *log)
{
    char name[128];
    struct sg_out out = sg_out_init(name, sizeof(name) - 1);
    sg_caip_asset_put(&out, &followed->contract.asset);
    name[out.len] = '\0';
    uint64_t first_ms = reading->follow->options.retry_ms;
    uint64_t ms = (first_ms != 0 ? first_ms : RETRY_MS) << SG_MIN(followed->refusals, DOUBLINGS);
    sg_error("chain: %s: log %u of block %llu can't be read as ownership: nobody owns anything of "
             "the contract; it is read anew in %llu s",
             name, log->log, (unsigned long long)log->block, (unsigned long long)ms / 1000);
    followed->refused = true;
    followed->refusals++;
    followed->retry_ns = sg_clock_mono_ns() + ms * SG_NS_PER_MS;
    enum sg_err err = sgc_ledger_forget(reading->follow->options.ledger, &followed->contract.asset);
    return err == SG_OK ? SG_ESTALE : err;
}

static enum sg_err read_one(struct reading *reading, const struct sgc_eth_log *log)
{
    struct sgc_events *events = &reading->out->events;
    enum sg_err err = block_of(reading->out, log->block);
    uint32_t before = events->count;
    for (uint32_t i = 0; i < reading->count && err == SG_OK; i++) {
        struct sgc_followed *followed = reading->those[i];
        if (memcmp(followed->contract.asset.contract.bytes, log->address, 20) != 0)
            continue;
        err = sgc_evm_events(&reading->follow->evm, &followed->contract, log, events);
        if (err == SG_ECORRUPT)
            err = refuse(reading, followed, log);
    }
    if (err == SG_OK)
        reading->out->blocks[reading->out->blocks_count - 1].events_count += events->count - before;
    reading->out->logs++;
    return err;
}

static bool each_log(void *ctx, const struct sgc_eth_log *log)
{
    struct reading *reading = ctx;
    reading->err = read_one(reading, log);
    return reading->err == SG_OK;
}

static enum sg_err ask(struct reading *reading, struct sgc_eth_filter *filter, uint32_t first,
                       uint32_t count)
{
    uint8_t addresses[SGC_ETH_ADDRESSES_MAX][20];
    struct reading part = *reading;
    SG_ASSERT(count <= SGC_ETH_ADDRESSES_MAX);
    for (uint32_t i = 0; i < count; i++)
        memcpy(addresses[i], reading->those[first + i]->contract.asset.contract.bytes, 20);
    part.those = reading->those + first;
    part.count = count;
    filter->addresses = addresses;
    filter->addresses_count = count;
    filter->topics[0].any = reading->follow->evm.topics;
    filter->topics[0].count = SGC_EVM_KINDS;
    enum sg_err err = sgc_agreed_logs(reading->follow->servers, filter, each_log, &part);
    return err == SG_EINTR ? part.err : err;
}

/* The events lie end to end, in the order of their blocks; there may be none of them at all. */
static void point(struct sgc_gather *gather, const struct sg_caip_chain *chain)
{
    const struct sgc_event *at = gather->events.items;
    for (uint32_t i = 0; i < gather->blocks_count; i++) {
        gather->blocks[i].chain = chain;
        gather->blocks[i].events = at;
        if (gather->blocks[i].events_count > 0)
            at += gather->blocks[i].events_count;
    }
}

enum sg_err sgc_follow_gather(struct sgc_follow *follow, struct sgc_eth_filter *filter,
                              struct sgc_followed *const *those, uint32_t count,
                              struct sgc_gather *out)
{
    struct reading reading = {.follow = follow, .those = those, .count = count, .out = out};
    enum sg_err err = SG_OK;
    SG_ASSERT(filter->by_hash || count <= SGC_ETH_ADDRESSES_MAX); /* blocks come in order */
    for (uint32_t first = 0; first < count && err == SG_OK; first += SGC_ETH_ADDRESSES_MAX) {
        uint32_t left = count - first;
        err = ask(&reading, filter, first,
                  left < SGC_ETH_ADDRESSES_MAX ? left : SGC_ETH_ADDRESSES_MAX);
    }
    if (err == SG_OK)
        point(out, &follow->options.chain);
    follow->counts.skipped += out->events.skipped;
    return err;
}

void sgc_gather_fini(struct sgc_gather *gather)
{
    sgc_events_fini(&gather->events);
    sg_boot_free(gather->blocks);
    *gather = (struct sgc_gather){0};
}
