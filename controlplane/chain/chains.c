#include "controlplane/chain/chains.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "controlplane/chain/chainsin.h"
#include "dataplane/gate/rule.h"

#include <limits.h>
#include <stdio.h>

/* ---- which contracts ---- */

struct wanted {
    struct sg_caip_chain chain;
    uint32_t count;
    struct sgc_evm_contract contracts[SGC_FOLLOW_CONTRACTS_MAX];
};

static bool wanted_add(struct wanted *wanted, const struct sg_caip_asset *asset, bool registry,
                       uint64_t first_block)
{
    uint64_t source = sge_group_contract(asset);
    for (uint32_t i = 0; i < wanted->count; i++)
        if (wanted->contracts[i].source == source)
            return true;
    if (wanted->count == SGC_FOLLOW_CONTRACTS_MAX)
        return false;
    wanted->contracts[wanted->count++] = (struct sgc_evm_contract){
        .asset = *asset, .registry = registry, .source = source, .first_block = first_block};
    return true;
}

/* The registry is followed as a contract, by the name that one of ERC-721 would have. */
static bool wanted_add_registry(struct wanted *wanted, const char *address)
{
    char text[128];
    struct sg_caip_account account;
    snprintf(text, sizeof(text), "eip155:%llu:%s", (unsigned long long)wanted->chain.evm_id,
             address);
    bool right = sg_caip_account_read(sg_str_from(text), &account);
    SG_ASSERT(right); /* the configuration was checked */
    struct sg_caip_asset asset = {
        .chain = wanted->chain, .standard = SG_CAIP_ERC721, .contract = account.address};
    return wanted_add(wanted, &asset, true, 0);
}

/* Those of one rule. One that can't be compiled closes its sites, and names nothing. */
static bool wanted_add_rule(struct wanted *wanted, const struct sg_conf_rule *conf)
{
    struct sg_caip_asset assets[SGD_RULE_OPS_MAX];
    char memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sgd_rule *rule = NULL;
    bool fits = true;
    if (sgd_rule_compile(sg_str_from(conf->require), sge_tenant_id(sg_str_from(conf->tenant)),
                         &report, &rule) != SG_OK)
        return true;
    uint32_t count = sgd_rule_assets(rule, assets, SGD_RULE_OPS_MAX);
    for (uint32_t i = 0; i < count && fits; i++)
        if (sg_caip_chain_eq(&assets[i].chain, &wanted->chain))
            fits = wanted_add(wanted, &assets[i], false, 0);
    sgd_rule_free(rule);
    return fits;
}

static bool wanted_read(const struct sg_config *config, const struct sg_conf_chain *conf,
                        struct wanted *wanted)
{
    bool fits = true;
    bool right = sg_caip_chain_read(sg_str_from(conf->id), &wanted->chain);
    SG_ASSERT(right); /* the configuration was checked */
    wanted->count = 0;
    for (uint32_t i = 0; i < conf->contracts_count && fits; i++) {
        struct sg_caip_asset asset;
        right = sg_caip_asset_read(sg_str_from(conf->contracts[i].asset), &asset);
        SG_ASSERT(right);
        fits = wanted_add(wanted, &asset, false, conf->contracts[i].first_block);
    }
    for (uint32_t i = 0; i < config->rules_count && fits; i++)
        fits = wanted_add_rule(wanted, &config->rules[i]);
    if (fits && conf->delegate_registry != NULL)
        fits = wanted_add_registry(wanted, conf->delegate_registry);
    return fits;
}

/* ---- open ---- */

static void heard(void *ctx, const struct sge_chain *chain)
{
    struct sge_state *state = ctx;
    if (sge_state_chain_heard(state, chain) != SG_OK) /* then what rests on it is closed */
        sg_debug("chain %s: the state can't take its head", chain->name);
}

static void servers_of(const struct sg_conf_chain *conf, struct sgc_rpc_options *servers)
{
    for (uint32_t i = 0; i < conf->servers_count; i++)
        servers[i] = (struct sgc_rpc_options){.url = conf->servers[i].url,
                                              .fields_file = conf->servers[i].fields_file,
                                              .ca_file = conf->servers[i].ca_file,
                                              .timeout_ms = conf->timeout_ms};
}

static enum sg_err chain_open(struct sgc_chains *chains, const struct sgc_chains_options *options,
                              const struct sg_conf_chain *conf, const struct wanted *wanted)
{
    static const enum sgc_finality finalities[] = {
        [SG_CONF_FINALITY_SAFE] = SGC_FINALITY_SAFE,
        [SG_CONF_FINALITY_FINALIZED] = SGC_FINALITY_FINALIZED,
        [SG_CONF_FINALITY_DEPTH] = SGC_FINALITY_DEPTH,
    };
    struct sgc_rpc_options servers[SGC_SERVERS_MAX];
    char lock_file[PATH_MAX];
    int len = snprintf(lock_file, sizeof(lock_file), "%s/eip155-%llu.lock", options->lock_dir,
                       (unsigned long long)wanted->chain.evm_id);
    if (len >= (int)sizeof(lock_file))
        return SG_EMSGSIZE;
    servers_of(conf, servers);
    const struct sgc_follow_options follow = {
        .chain = wanted->chain,
        .servers = {.servers = servers,
                    .count = conf->servers_count,
                    .agree = conf->agree,
                    .calls_per_s = conf->calls_per_s},
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
    enum sg_err err = sgc_follow_open(&follow, &chains->follows[chains->count]);
    if (err == SG_OK)
        chains->count++;
    return err;
}

enum sg_err sgc_chains_open(const struct sgc_chains_options *options, struct sg_out *report,
                            struct sgc_chains **out)
{
    const struct sg_config *config = options->config;
    enum sg_err err = SG_OK;
    SG_ASSERT(options->ledger != NULL && options->state != NULL);
    struct sgc_chains *chains = sg_boot_alloc(sizeof(*chains));
    struct wanted *wanted = sg_boot_alloc(sizeof(*wanted));
    if (chains == NULL || wanted == NULL)
        err = SG_ENOMEM;
    if (err == SG_OK)
        chains->ledger = options->ledger;
    for (uint32_t i = 0; i < config->chains_count && err == SG_OK; i++) {
        if (!wanted_read(config, &config->chains[i], wanted)) {
            sg_out_fmt(report, "chains[%u]: more than %d contracts\n", i, SGC_FOLLOW_CONTRACTS_MAX);
            err = SG_ECONFIG;
            break;
        }
        err = chain_open(chains, options, &config->chains[i], wanted);
        if (err != SG_OK)
            sg_out_fmt(report, "chains[%u]: %s: %s\n", i, config->chains[i].id, sg_err_text(err));
    }
    if (err == SG_OK)
        *out = SG_TAKE(chains);
    sg_boot_free(wanted);
    sgc_chains_close(chains);
    return err;
}

void sgc_chains_close(struct sgc_chains *chains)
{
    if (chains == NULL)
        return;
    for (uint32_t i = 0; i < chains->count; i++)
        sgc_follow_close(chains->follows[i]);
    sg_boot_free(chains);
}

enum sg_err sgc_chains_rebuild(struct sgc_chains *chains, struct sg_str name)
{
    struct sgc_follow_status status;
    for (uint32_t i = 0; chains != NULL && i < chains->count; i++) {
        sgc_follow_status(chains->follows[i], &status);
        if (sg_str_eq(name, sg_str_from(status.chain))) {
            sgc_follow_rebuild(chains->follows[i]);
            return SG_OK;
        }
    }
    return SG_ENOENT;
}
