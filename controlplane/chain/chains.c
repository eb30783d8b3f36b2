#include "controlplane/chain/chains.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "controlplane/chain/chainconf.h"
#include "controlplane/chain/chainsin.h"
#include "controlplane/chain/solhear.h"
#include "dataplane/gate/rule.h"

#include <limits.h>
#include <stdio.h>

/* ---- which contracts ---- */

struct wanted {
    struct sg_caip_chain chain;
    uint32_t count, solana_count;
    struct sgc_evm_contract contracts[SGC_FOLLOW_CONTRACTS_MAX];
    struct sgc_solwant solana[SGC_SOLWANTS_MAX];
};

static bool wanted_add(struct wanted *wanted, const struct sg_caip_asset *asset, bool registry,
                       const struct sg_conf_chain_contract *conf)
{
    uint64_t source = sge_group_contract(asset);
    for (uint32_t i = 0; i < wanted->count; i++)
        if (wanted->contracts[i].source == source)
            return true;
    if (wanted->count == SGC_FOLLOW_CONTRACTS_MAX)
        return false;
    struct sgc_evm_contract *contract = &wanted->contracts[wanted->count++];
    *contract = (struct sgc_evm_contract){.asset = *asset, .registry = registry, .source = source};
    if (conf == NULL)
        return true;
    contract->first_block = conf->first_block;
    contract->has_proof_slot = conf->proof_slot != NULL &&
                               sg_u256_read(sg_str_from(conf->proof_slot), &contract->proof_slot);
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
    return wanted_add(wanted, &asset, true, NULL);
}

static bool wanted_add_solana(struct wanted *wanted, enum sgc_solwant_kind kind,
                              const struct sg_caip_asset *asset)
{
    struct sgc_solwant *all = wanted->solana;
    for (uint32_t i = 0; i < wanted->solana_count; i++)
        if (all[i].kind == kind &&
            memcmp(all[i].key, asset->contract.bytes, sizeof(all[i].key)) == 0)
            return true;
    if (wanted->solana_count == SGC_SOLWANTS_MAX)
        return false;
    all[wanted->solana_count].kind = kind;
    memcpy(all[wanted->solana_count++].key, asset->contract.bytes, sizeof(all[0].key));
    return true;
}

/* An nft of a rule is that mint, or stands for those of its collection, or of a creator. */
static bool wanted_add_mint(struct wanted *wanted, const struct sgd_rule *rule,
                            const struct sg_caip_asset *asset)
{
    const uint8_t *key = asset->contract.bytes;
    bool fits = true;
    if (asset->standard == SG_CAIP_TOKEN)
        return wanted_add_solana(wanted, SGC_SOLWANT_TOKEN, asset);
    if (sgd_rule_asks(rule, asset, 0))
        fits = wanted_add_solana(wanted, SGC_SOLWANT_NFT, asset);
    if (fits && sgd_rule_asks(rule, asset, sge_group_collection(&asset->chain, key)))
        fits = wanted_add_solana(wanted, SGC_SOLWANT_COLLECTION, asset);
    if (fits && sgd_rule_asks(rule, asset, sge_group_creator(&asset->chain, key)))
        fits = wanted_add_solana(wanted, SGC_SOLWANT_CREATOR, asset);
    return fits;
}

static bool wanted_add_asset(struct wanted *wanted, const struct sgd_rule *rule,
                             const struct sg_caip_asset *asset)
{
    if (!sg_caip_chain_eq(&asset->chain, &wanted->chain))
        return true;
    return asset->chain.ns == SG_CAIP_SOLANA ? wanted_add_mint(wanted, rule, asset)
                                             : wanted_add(wanted, asset, false, NULL);
}

/* As the configuration names it. */
static bool wanted_add_contract(struct wanted *wanted, const struct sg_conf_chain_contract *conf)
{
    struct sg_caip_asset asset;
    bool right = sg_caip_asset_read(sg_str_from(conf->asset), &asset);
    SG_ASSERT(right); /* the configuration was checked */
    if (asset.chain.ns == SG_CAIP_SOLANA)
        return wanted_add_solana(
            wanted, asset.standard == SG_CAIP_TOKEN ? SGC_SOLWANT_TOKEN : SGC_SOLWANT_NFT, &asset);
    return wanted_add(wanted, &asset, false, conf);
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
        fits = wanted_add_asset(wanted, rule, &assets[i]);
    sgd_rule_free(rule);
    return fits;
}

static bool wanted_read(const struct sg_config *config, const struct sg_conf_chain *conf,
                        struct wanted *wanted)
{
    bool fits = true;
    bool right = sg_caip_chain_read(sg_str_from(conf->id), &wanted->chain);
    SG_ASSERT(right); /* the configuration was checked */
    wanted->count = wanted->solana_count = 0;
    for (uint32_t i = 0; i < conf->contracts_count && fits; i++)
        fits = wanted_add_contract(wanted, &conf->contracts[i]);
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

/* Of chains that the configuration names no more, the stream is told. */
static enum sg_err others_leave(const struct sgc_chains_options *options)
{
    struct sg_caip_chain kept[SGE_CHAINS_MAX];
    const struct sg_config *config = options->config;
    for (uint32_t i = 0; i < config->chains_count; i++) {
        bool right = sg_caip_chain_read(sg_str_from(config->chains[i].id), &kept[i]);
        SG_ASSERT(right); /* the configuration was checked */
    }
    return sgc_ledger_leave_chains(options->ledger, kept, config->chains_count);
}

/* Of which no rule asks anything, nothing is followed. */
static enum sg_err solana_open(struct sgc_chains *chains, const struct sgc_chains_options *options,
                               const struct sg_conf_chain *conf, const struct wanted *wanted)
{
    struct sgc_rpc_options servers[SGC_SERVERS_MAX];
    char lock_file[PATH_MAX];
    enum sg_err err = lock_name(options, &wanted->chain, lock_file);
    if (err != SG_OK || wanted->solana_count == 0)
        return err;
    const struct sgc_soltrack_options track = {
        .chain = wanted->chain,
        .servers = sgc_chainconf_servers(conf, servers),
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
    if (err != SG_OK)
        return err;
    chains->count++;
    uint32_t count = ws_servers_of(conf, servers);
    return count == 0 ? SG_OK
                      : sgc_solhear_open(servers, count, wanted->solana, wanted->solana_count,
                                         chain->solana, &chain->subs);
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
                            const struct sg_conf_chain *conf, const struct wanted *wanted)
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
        err = others_leave(options);
    if (err == SG_OK)
        chains->ledger = options->ledger;
    for (uint32_t i = 0; i < config->chains_count && err == SG_OK; i++) {
        if (!wanted_read(config, &config->chains[i], wanted)) {
            sg_out_fmt(report, "chains[%u]: more than %d contracts\n", i, SGC_FOLLOW_CONTRACTS_MAX);
            err = SG_ECONFIG;
            break;
        }
        err = wanted->chain.ns == SG_CAIP_SOLANA
                  ? solana_open(chains, options, &config->chains[i], wanted)
                  : evm_open(chains, options, &config->chains[i], wanted);
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
    for (uint32_t i = 0; i < chains->count; i++) {
        sgc_subs_close(chains->all[i].subs); /* it wakes the follower */
        sgc_follow_close(chains->all[i].evm);
        sgc_soltrack_close(chains->all[i].solana);
    }
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
