#include "controlplane/chain/chains.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "controlplane/chain/chainconf.h"
#include "controlplane/chain/chainsin.h"
#include "controlplane/chain/wanted.h"

#include <limits.h>
#include <stdio.h>

/* ---- open ---- */

static void heard(void *ctx, const struct sge_chain *chain)
{
    struct sge_state *state = ctx;
    if (sge_state_chain_heard(state, chain) != SG_OK) /* then what rests on it is closed */
        sg_debug("chain %s: the state can't take its head", chain->name);
}

static enum sg_err lock_name(const struct sgc_chains_options *options,
                             const struct sg_caip_chain *chain, char out[PATH_MAX])
{
    int len = chain->ns == SG_CAIP_SOLANA
                  ? snprintf(out, PATH_MAX, "%s/solana-%s.lock", options->lock_dir, chain->solana)
                  : snprintf(out, PATH_MAX, "%s/eip155-%llu.lock", options->lock_dir,
                             (unsigned long long)chain->evm_id);
    return len < PATH_MAX ? SG_OK : SG_EMSGSIZE;
}

/* Those that have a ws_url, as that. Returns how many. */
static uint32_t ws_servers_of(const struct sg_conf_chain *conf, struct sgc_rpc_options *servers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->servers_count; i++)
        if (conf->servers[i].ws_url != NULL)
            servers[count++] = (struct sgc_rpc_options){.url = conf->servers[i].ws_url,
                                                        .fields_file = conf->servers[i].fields_file,
                                                        .ca_file = conf->servers[i].ca_file};
    return count;
}

/* Of which no rule asks anything, nothing is followed. */
static enum sg_err solana_open(struct sgc_chains *chains, const struct sgc_chains_options *options,
                               const struct sg_conf_chain *conf, const struct sgc_wanted *wanted)
{
    struct sgc_rpc_options servers[SGC_SERVERS_MAX], ws_servers[SGC_SUBS_SERVERS_MAX];
    char lock_file[PATH_MAX];
    enum sg_err err = lock_name(options, &wanted->chain, lock_file);
    if (err != SG_OK || wanted->solana_count == 0)
        return err;
    const struct sgc_soltrack_options track = {
        .chain = wanted->chain,
        .servers = sgc_chainconf_servers(conf, servers),
        .ws_servers = ws_servers,
        .ws_servers_count = ws_servers_of(conf, ws_servers),
        .wants = wanted->solana,
        .wants_count = wanted->solana_count,
        .poll_ms = conf->poll_ms,
        .late_s = conf->late_s,
        .dir = options->lock_dir,
        .lock_file = lock_file,
        .ledger = options->ledger,
        .heard = heard,
        .ctx = options->state,
    };
    struct sgc_chain *chain = &chains->all[chains->count];
    err = sgc_soltrack_open(&track, &chain->solana);
    chains->count += err == SG_OK;
    return err;
}

static void on_notice(void *ctx, uint32_t sub, struct sg_jsonread result)
{
    (void)sub;
    (void)result; /* one server's word: a reason to look, and nothing else */
    sgc_follow_wake(ctx);
}

/* Hears of new blocks, at the servers that have a ws_url. */
static enum sg_err subs_open(const struct sg_conf_chain *conf, struct sgc_chain *chain)
{
    static const struct sgc_sub heads = {"eth_subscribe", {"[\"newHeads\"]", 12}};
    struct sgc_rpc_options servers[SGC_SUBS_SERVERS_MAX];
    struct sgc_subs_options options = {.servers = servers,
                                       .subs = &heads,
                                       .subs_count = 1,
                                       .notice = on_notice,
                                       .ctx = chain->evm};
    options.servers_count = ws_servers_of(conf, servers);
    return options.servers_count != 0 ? sgc_subs_open(&options, &chain->subs) : SG_OK;
}

static enum sg_err evm_open(struct sgc_chains *chains, const struct sgc_chains_options *options,
                            const struct sg_conf_chain *conf, const struct sgc_wanted *wanted)
{
    static const enum sgc_finality finalities[] = {
        [SG_CONF_FINALITY_SAFE] = SGC_FINALITY_SAFE,
        [SG_CONF_FINALITY_FINALIZED] = SGC_FINALITY_FINALIZED,
        [SG_CONF_FINALITY_DEPTH] = SGC_FINALITY_DEPTH,
    };
    struct sgc_rpc_options servers[SGC_SERVERS_MAX];
    char lock_file[PATH_MAX];
    enum sg_err err = lock_name(options, &wanted->chain, lock_file);
    if (err != SG_OK)
        return err;
    const struct sgc_follow_options follow = {
        .chain = wanted->chain,
        .servers = sgc_chainconf_servers(conf, servers),
        .contracts = wanted->contracts,
        .contracts_count = wanted->count,
        .finality = finalities[conf->finality],
        .depth = conf->depth,
        .poll_ms = conf->poll_ms,
        .range_blocks_max = conf->range_blocks,
        .late_s = conf->late_s,
        .lock_file = lock_file,
        .ledger = options->ledger,
        .heard = heard,
        .ctx = options->state,
    };
    struct sgc_chain *chain = &chains->all[chains->count];
    err = sgc_follow_open(&follow, &chain->evm);
    if (err != SG_OK)
        return err;
    chains->count++;
    return subs_open(conf, chain);
}

/* ---- what is there, and what there is to be ---- */

static void chain_close(struct sgc_chain *chain)
{
    sgc_subs_close(chain->subs); /* it wakes the follower */
    sgc_follow_close(chain->evm);
    sgc_soltrack_close(chain->solana);
}

/* The new followers; those that go on are the old ones' still. */
static void forget(struct sgc_chains *next)
{
    for (uint32_t i = 0; i < next->count; i++)
        if (!next->all[i].is_kept)
            chain_close(&next->all[i]);
    sg_boot_free(next);
}

static struct sgc_chain *find_same(struct sgc_chains *chains, const uint8_t wanted[32])
{
    for (uint32_t i = 0; i < chains->count; i++)
        if (memcmp(chains->all[i].wanted, wanted, sizeof(chains->all[i].wanted)) == 0)
            return &chains->all[i];
    return NULL;
}

static enum sg_err add_one(struct sgc_chains *chains, struct sgc_chains *next,
                           const struct sgc_chains_options *options,
                           const struct sg_conf_chain *conf, const struct sgc_wanted *wanted)
{
    struct sgc_chain *chain = &next->all[next->count];
    SG_ASSERT(next->count < SGE_CHAINS_MAX);
    sgc_wanted_digest(conf, wanted, chain->wanted);
    struct sgc_chain *same = find_same(chains, chain->wanted);
    if (same != NULL) {
        same->is_kept = true;
        next->all[next->count++] = *same;
        return SG_OK;
    }
    return wanted->chain.ns == SG_CAIP_SOLANA ? solana_open(next, options, conf, wanted)
                                              : evm_open(next, options, conf, wanted);
}

static enum sg_err add_all(struct sgc_chains *chains, struct sgc_chains *next,
                           const struct sgc_chains_options *options, struct sg_out *report)
{
    const struct sg_config *config = options->config;
    enum sg_err err = SG_OK;
    struct sgc_wanted *wanted = sg_boot_alloc(sizeof(*wanted));
    if (wanted == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < config->chains_count && err == SG_OK; i++) {
        if (!sgc_wanted_read(config, &config->chains[i], wanted)) {
            sg_out_fmt(report, "chains[%u]: more than %d contracts\n", i, SGC_FOLLOW_CONTRACTS_MAX);
            err = SG_ECONFIG;
            break;
        }
        err = add_one(chains, next, options, &config->chains[i], wanted);
        if (err != SG_OK)
            sg_out_fmt(report, "chains[%u]: %s: %s\n", i, config->chains[i].id, sg_err_text(err));
    }
    sg_boot_free(wanted);
    return err;
}

/* A follower that takes another's place waits for its lock until that one is closed. */
static void take_place(struct sgc_chains *chains, const struct sgc_chains *next)
{
    for (uint32_t i = 0; i < chains->count; i++)
        if (!chains->all[i].is_kept)
            chain_close(&chains->all[i]);
    *chains = *next;
    for (uint32_t i = 0; i < chains->count; i++) {
        if (!chains->all[i].is_kept && chains->all[i].evm != NULL)
            sgc_follow_wake(chains->all[i].evm);
        if (!chains->all[i].is_kept && chains->all[i].solana != NULL)
            sgc_soltrack_wake(chains->all[i].solana, 0, false);
    }
}

/* Of chains that nobody follows here any more, the stream is told. */
static enum sg_err others_leave(const struct sgc_chains *chains, struct sgc_ledger *ledger)
{
    struct sg_caip_chain kept[SGE_CHAINS_MAX];
    struct sgc_follow_status status;
    for (uint32_t i = 0; i < chains->count; i++) {
        sgc_chain_status(&chains->all[i], &status);
        bool right = sg_caip_chain_read(sg_str_from(status.chain), &kept[i]);
        SG_ASSERT(right); /* its own name */
    }
    return sgc_ledger_leave_chains(ledger, kept, chains->count);
}

enum sg_err sgc_chains_reload(struct sgc_chains *chains, const struct sgc_chains_options *options,
                              struct sg_out *report)
{
    SG_ASSERT(chains != NULL && options->ledger != NULL && options->state != NULL);
    struct sgc_chains *next = sg_boot_alloc(sizeof(*next));
    if (next == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < chains->count; i++)
        chains->all[i].is_kept = false;
    enum sg_err err = add_all(chains, next, options, report);
    if (err != SG_OK) {
        forget(next);
        return err;
    }
    take_place(chains, next);
    sg_boot_free(next);
    return others_leave(chains, options->ledger);
}

enum sg_err sgc_chains_open(const struct sgc_chains_options *options, struct sg_out *report,
                            struct sgc_chains **out)
{
    struct sgc_chains *chains = sg_boot_alloc(sizeof(*chains));
    if (chains == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgc_chains_reload(chains, options, report);
    if (err == SG_OK)
        *out = SG_TAKE(chains);
    sgc_chains_close(chains);
    return err;
}

void sgc_chains_close(struct sgc_chains *chains)
{
    if (chains == NULL)
        return;
    for (uint32_t i = 0; i < chains->count; i++)
        chain_close(&chains->all[i]);
    sg_boot_free(chains);
}

enum sg_err sgc_chains_rebuild(struct sgc_chains *chains, struct sg_str name)
{
    struct sgc_follow_status status;
    for (uint32_t i = 0; chains != NULL && i < chains->count; i++) {
        sgc_chain_status(&chains->all[i], &status);
        if (!sg_str_eq(name, sg_str_from(status.chain)))
            continue;
        if (chains->all[i].evm != NULL)
            sgc_follow_rebuild(chains->all[i].evm);
        else
            sgc_soltrack_rebuild(chains->all[i].solana);
        return SG_OK;
    }
    return SG_ENOENT;
}
