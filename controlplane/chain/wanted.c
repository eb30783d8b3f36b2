#include "controlplane/chain/wanted.h"

#include "base/assert.h"
#include "base/sys/crypto.h"
#include "controlplane/chain/rpc.h"
#include "dataplane/gate/rule.h"

#include <stdio.h>

static bool slot_read(const char *text, struct sg_u256 *slot)
{
    return text != NULL && sg_u256_read(sg_str_from(text), slot);
}

static bool wanted_add(struct sgc_wanted *wanted, const struct sg_caip_asset *asset, bool registry,
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
    contract->has_proof_slot = slot_read(conf->proof_slot, &contract->proof_slot);
    contract->has_balances_slot = asset->standard == SG_CAIP_ERC721 &&
                                  slot_read(conf->balances_slot, &contract->balances_slot);
    return true;
}

/* The registry is followed as a contract, by the name that one of ERC-721 would have. */
static bool wanted_add_registry(struct sgc_wanted *wanted, const char *address)
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

static bool wanted_add_solana(struct sgc_wanted *wanted, enum sgc_solwant_kind kind,
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
static bool wanted_add_mint(struct sgc_wanted *wanted, const struct sgd_rule *rule,
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

static bool wanted_add_asset(struct sgc_wanted *wanted, const struct sgd_rule *rule,
                             const struct sg_caip_asset *asset)
{
    if (!sg_caip_chain_eq(&asset->chain, &wanted->chain))
        return true;
    return asset->chain.ns == SG_CAIP_SOLANA ? wanted_add_mint(wanted, rule, asset)
                                             : wanted_add(wanted, asset, false, NULL);
}

/* As the configuration names it. */
static bool wanted_add_contract(struct sgc_wanted *wanted,
                                const struct sg_conf_chain_contract *conf)
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
static bool wanted_add_rule(struct sgc_wanted *wanted, const struct sg_conf_rule *conf)
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

bool sgc_wanted_read(const struct sg_config *config, const struct sg_conf_chain *conf,
                     struct sgc_wanted *wanted)
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

/* ---- whether another configuration asks for the same ---- */

static void add_number(struct sg_sha256 *hash, uint64_t number)
{
    sg_sha256_add(hash, &number, sizeof(number));
}

static void add_text(struct sg_sha256 *hash, const char *text)
{
    add_number(hash, text != NULL);
    if (text != NULL)
        sg_sha256_add(hash, text, strlen(text) + 1);
}

/* By what is in it: keys change in place. */
static void add_file(struct sg_sha256 *hash, const char *path)
{
    char bytes[SGC_RPC_FILE_BYTES_MAX];
    struct sg_str text = SG_STR_NONE;
    add_text(hash, path);
    add_number(hash, (uint64_t)sgc_rpc_read_file(path, bytes, &text));
    add_number(hash, text.len);
    sg_sha256_add(hash, text.ptr, text.len);
    sg_wipe(bytes, sizeof(bytes));
}

static void add_servers(struct sg_sha256 *hash, const struct sg_conf_chain *conf)
{
    add_number(hash, conf->servers_count);
    for (uint32_t i = 0; i < conf->servers_count; i++) {
        add_text(hash, conf->servers[i].url);
        add_text(hash, conf->servers[i].ws_url);
        add_file(hash, conf->servers[i].fields_file);
        add_file(hash, conf->servers[i].ca_file);
    }
}

static void add_contracts(struct sg_sha256 *hash, const struct sgc_wanted *wanted)
{
    add_number(hash, wanted->count);
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct sgc_evm_contract *contract = &wanted->contracts[i];
        add_number(hash, contract->source);
        add_number(hash, contract->registry);
        add_number(hash, contract->first_block);
        add_number(hash, contract->has_proof_slot);
        if (contract->has_proof_slot)
            sg_sha256_add(hash, contract->proof_slot.bytes, sizeof(contract->proof_slot.bytes));
        add_number(hash, contract->has_balances_slot);
        if (contract->has_balances_slot)
            sg_sha256_add(hash, contract->balances_slot.bytes,
                          sizeof(contract->balances_slot.bytes));
    }
    add_number(hash, wanted->solana_count);
    for (uint32_t i = 0; i < wanted->solana_count; i++) {
        add_number(hash, wanted->solana[i].kind);
        sg_sha256_add(hash, wanted->solana[i].key, sizeof(wanted->solana[i].key));
    }
}

_Static_assert(sizeof(struct sg_conf_chain) == 80, "what is new is to be hashed, too");
_Static_assert(sizeof(struct sg_conf_chain_server) == 32, "what is new is to be hashed, too");
_Static_assert(sizeof(struct sg_conf_chain_contract) == 32, "what is new is to be hashed, too");

void sgc_wanted_digest(const struct sg_conf_chain *conf, const struct sgc_wanted *wanted,
                       uint8_t out[32])
{
    struct sg_sha256 hash;
    const uint64_t numbers[] = {conf->agree,      conf->calls_per_s, conf->check_headers,
                                conf->timeout_ms, conf->finality,    conf->depth,
                                conf->poll_ms,    conf->late_s,      conf->range_blocks};
    SG_ASSERT(conf != NULL && wanted != NULL);
    sg_sha256_init(&hash);
    add_text(&hash, conf->id);
    sg_sha256_add(&hash, numbers, sizeof(numbers));
    add_servers(&hash, conf);
    add_contracts(&hash, wanted); /* with conf's own, and its registry */
    sg_sha256_final(&hash, out);
}
