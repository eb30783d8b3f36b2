#include "tools/sgctl/factmake.h"

#include "base/assert.h"
#include "tools/sgctl/access.h"

#define FACTS_MAX   4096
#define SOURCES_MAX 256

bool sgt_is_balance(const struct sg_caip_asset *asset)
{
    return asset->standard == SG_CAIP_ERC1155 || asset->standard == SG_CAIP_TOKEN;
}

/* What all facts of an asset have. */
static void asset_begin(const struct sg_caip_asset *asset, enum sge_fact_kind kind,
                        struct sge_change *out)
{
    *out = (struct sge_change){.kind = (uint8_t)kind,
                               .bump = true,
                               .chain = sge_chain_id(&asset->chain),
                               .groups_count = 1,
                               .groups = {sge_group_contract(asset)}};
    memcpy(out->token, asset->has_id ? asset->id.bytes : asset->contract.bytes, 32);
}

void sgt_owner_make(const struct sg_caip_asset *asset, const uint8_t head[32],
                    const uint8_t safe[32], struct sge_change *out)
{
    asset_begin(asset, SGE_FACT_OWNER, out);
    sge_fact_owner(asset, &out->id);
    memcpy(out->head, head, 32);
    memcpy(out->safe, safe, 32);
    memcpy(out->holder, head, 32);
}

void sgt_balance_make(const struct sg_caip_asset *asset, const uint8_t account[32],
                      const struct sg_u256 *head, const struct sg_u256 *safe,
                      struct sge_change *out)
{
    asset_begin(asset, SGE_FACT_BALANCE, out);
    sge_fact_balance(asset, account, &out->id);
    memcpy(out->head, head->bytes, 32);
    memcpy(out->safe, safe->bytes, 32);
    memcpy(out->holder, account, 32);
}

/* ---- from JSON ---- */

struct item {
    const json_t *json;
    uint32_t tenant;
    struct sge_change change;
};

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

static bool account_of(const json_t *json, const char *key, uint8_t id[32])
{
    struct sg_caip_account account;
    if (!sg_caip_account_read(sg_str_from(text_of(json, key)), &account))
        return false;
    sg_caip_account_id(&account, id);
    return true;
}

static bool asset_of(const json_t *json, struct sg_caip_asset *out)
{
    return sg_caip_asset_read(sg_str_from(text_of(json, "asset")), out);
}

/* A collection and creators, beside the contract that every asset belongs to. */
static bool groups_add(struct item *item, const struct sg_caip_asset *asset)
{
    static const char *const keys[] = {"collection", "creator"};
    for (size_t i = 0; i < SG_COUNT(keys); i++) {
        uint8_t mint[32];
        if (json_object_get(item->json, keys[i]) == NULL)
            continue;
        if (!sg_base58_read(sg_str_from(text_of(item->json, keys[i])), mint, sizeof(mint)))
            return false;
        item->change.groups[item->change.groups_count++] =
            i == 0 ? sge_group_collection(&asset->chain, mint)
                   : sge_group_creator(&asset->chain, mint);
    }
    return true;
}

static const char *owner_read(struct item *item)
{
    struct sg_caip_asset asset;
    uint8_t head[32], safe[32];
    if (!asset_of(item->json, &asset) || sgt_is_balance(&asset))
        return "asset: expected one token, such as eip155:1/erc721:0xCONTRACT/1";
    if (!account_of(item->json, "owner", head))
        return "owner: expected an account, such as eip155:1:0xADDRESS";
    memcpy(safe, head, sizeof(safe));
    if (json_object_get(item->json, "safe") != NULL && !account_of(item->json, "safe", safe))
        return "safe: expected the owner at safe, an account";
    sgt_owner_make(&asset, head, safe, &item->change);
    return groups_add(item, &asset) ? NULL : "collection, creator: expected base58 of 32 bytes";
}

static const char *balance_read(struct item *item)
{
    struct sg_caip_asset asset;
    struct sg_u256 head, safe;
    uint8_t account[32];
    if (!asset_of(item->json, &asset) || !sgt_is_balance(&asset))
        return "asset: expected what has balances, such as eip155:1/erc1155:0xCONTRACT/1";
    if (!account_of(item->json, "account", account))
        return "account: expected such as eip155:1:0xADDRESS";
    if (!sg_u256_read(sg_str_from(text_of(item->json, "amount")), &head))
        return "amount: expected a number, as a text";
    safe = head;
    if (json_object_get(item->json, "safe") != NULL &&
        !sg_u256_read(sg_str_from(text_of(item->json, "safe")), &safe))
        return "safe: expected the amount at safe, as a text";
    sgt_balance_make(&asset, account, &head, &safe, &item->change);
    return NULL;
}

static const char *user_read(struct item *item)
{
    struct sg_caip_asset asset;
    uint8_t user[32];
    json_int_t until = json_integer_value(json_object_get(item->json, "until"));
    if (!asset_of(item->json, &asset) || !asset.has_id || asset.standard != SG_CAIP_ERC721)
        return "asset: expected such as eip155:1/erc721:0xCONTRACT/1";
    if (!account_of(item->json, "user", user) || until <= 0)
        return "user, until: expected an account, and Unix seconds";
    sgt_owner_make(&asset, user, user, &item->change);
    item->change.kind = SGE_FACT_USER;
    item->change.until_s = (uint64_t)until;
    sge_fact_user(&asset, &item->change.id);
    return NULL;
}

static const char *delegation_read(struct item *item)
{
    const json_t *pair = json_object_get(item->json, "delegation");
    struct sg_caip_account account;
    struct sg_caip_asset scope;
    struct sge_change *change = &item->change;
    struct sg_u256 one = sg_u256_of(1);
    bool scoped = json_object_get(pair, "asset") != NULL;
    if (!account_of(pair, "vault", change->token) || !account_of(pair, "delegate", change->holder))
        return "delegation: expected {vault, delegate}, two accounts";
    if (scoped && !asset_of(pair, &scope))
        return "delegation: asset: expected a contract, or one token";
    (void)sg_caip_account_read(sg_str_from(text_of(pair, "delegate")), &account);
    change->kind = SGE_FACT_DELEGATION;
    change->bump = true;
    change->chain = sge_chain_id(&account.chain);
    change->groups_count = 1;
    change->groups[0] = sge_group_delegations(&account.chain);
    sge_fact_delegation(change->token, change->holder, scoped ? &scope : NULL, &change->id);
    memcpy(change->head, one.bytes, 32);
    memcpy(change->safe, one.bytes, 32);
    return NULL;
}

static const char *root_read(struct item *item)
{
    const char *root = text_of(item->json, "root");
    struct sge_change *change = &item->change;
    if (strncmp(root, "0x", 2) != 0 || !sgt_hex_read(root + 2, change->head, 32))
        return "root: expected 0x and 64 hexadecimal digits";
    change->kind = SGE_FACT_ROOT;
    change->bump = true;
    memcpy(change->safe, change->head, 32);
    sge_fact_root(item->tenant, sg_str_from(text_of(item->json, "list")), &change->id);
    return NULL;
}

/* Of an item that tells of a chain; 0: of none. */
static uint32_t chain_id(const json_t *json)
{
    struct sg_caip_chain chain;
    return sg_caip_chain_read(sg_str_from(text_of(json, "chain")), &chain) ? sge_chain_id(&chain)
                                                                           : 0;
}

static bool is_caught_up(const json_t *facts, uint32_t chain)
{
    for (size_t i = 0; i < json_array_size(facts); i++) {
        const json_t *item = json_array_get(facts, i);
        if (chain_id(item) == chain && json_is_true(json_object_get(item, "caught_up")))
            return true;
    }
    return false;
}

static enum sg_err apply(struct sge_state *state, const struct sge_change *changes, uint32_t count,
                         uint64_t *seq)
{
    const struct sge_batch batch = {
        .stream = "by hand", .seq = ++*seq, .changes = changes, .changes_count = count};
    return sge_state_apply(state, &batch);
}

static enum sg_err sources_apply(const json_t *facts, const struct sgd_rule *rule,
                                 struct sge_state *state, uint64_t *seq)
{
    struct sgd_rule_source sources[SOURCES_MAX];
    struct sge_change changes[SOURCES_MAX];
    uint32_t count = sgd_rule_sources(rule, sources, SOURCES_MAX);
    for (uint32_t i = 0; i < count; i++)
        sge_followed_make(sources[i].group, sources[i].chain,
                          is_caught_up(facts, sources[i].chain) ? SGE_FOLLOWED_WHOLE
                                                                : SGE_FOLLOWED_PART,
                          &changes[i]);
    return apply(state, changes, count, seq);
}

static const struct {
    const char *key; /* that tells what kind of item it is */
    const char *(*read)(struct item *item);
} kinds[] = {
    {"owner", owner_read},           {"amount", balance_read}, {"user", user_read},
    {"delegation", delegation_read}, {"list", root_read},
};

static const char *item_read(struct item *item)
{
    item->change = (struct sge_change){.kind = 0};
    if (json_object_get(item->json, "chain") != NULL)
        return chain_id(item->json) != 0 ? NULL : "chain: expected such as eip155:1";
    for (size_t i = 0; i < SG_COUNT(kinds); i++)
        if (json_object_get(item->json, kinds[i].key) != NULL)
            return kinds[i].read(item);
    return "expected an object with owner, amount, user, delegation, list or chain";
}

bool sgt_facts_apply(const json_t *facts, const struct sgd_rule *rule, uint32_t tenant,
                     struct sge_state *state)
{
    size_t count = json_array_size(facts);
    uint64_t seq = 0;
    if (!json_is_array(facts) || count > FACTS_MAX) {
        sgt_refuse("facts: expected a list, of %d at most", FACTS_MAX);
        return false;
    }
    enum sg_err err = sources_apply(facts, rule, state, &seq);
    for (size_t i = 0; i < count; i++) {
        struct item item = {.json = json_array_get(facts, i), .tenant = tenant};
        const char *fault = err != SG_OK ? sg_err_text(err) : item_read(&item);
        if (fault == NULL && item.change.kind != 0) {
            err = apply(state, &item.change, 1, &seq);
            fault = err == SG_OK ? NULL : sg_err_text(err);
        }
        if (fault != NULL) {
            sgt_refuse("facts[%zu]: %s", i, fault);
            return false;
        }
    }
    return true;
}
