/* The first byte says who asks, the rest is a rule. What compiles can be listed and checked over a
 * state with facts of all kinds, within its bounds; who meets it names facts that are in the state
 * under the generation that is named. */
#include "base/assert.h"
#include "dataplane/gate/geo.h"
#include "dataplane/gate/rule.h"
#include "edgecache/state/facts.h"
#include "tests/sgt_dir.h"

#define CONTRACT "0x06012c8cf97bead5deae237070f9587f8e7a266d"
#define TENANT   7u
#define NOW_S    1764000000u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct sge_state *state;
static struct sge_state_reader *reader;
static struct sge_change changes[80];
static uint32_t count;

static void account_of(uint32_t n, struct sg_caip_account *out)
{
    *out = (struct sg_caip_account){.chain.evm_id = 1, .address.len = 20};
    memset(out->address.bytes, (int)n + 1, 20);
}

static void id_of(uint32_t n, uint8_t id[32])
{
    struct sg_caip_account account;
    account_of(n, &account);
    sg_caip_account_id(&account, id);
}

static struct sge_change *change_add(enum sge_fact_kind kind, uint32_t holder, uint64_t group)
{
    struct sge_change *change = &changes[count++];
    SG_ASSERT(count <= SG_COUNT(changes));
    *change = (struct sge_change){
        .kind = (uint8_t)kind, .bump = true, .groups_count = 1, .groups = {group}};
    id_of(holder, change->holder);
    return change;
}

/* Owners, users and balances of tokens 0 to 7, at head and safe in all combinations. */
static void assets_add(const struct sg_caip_asset *contract)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct sg_caip_asset asset = *contract;
        struct sg_u256 amount = sg_u256_of(i);
        uint64_t group = sge_group_contract(&asset);
        asset.has_id = true;
        asset.id = sg_u256_of(i);
        struct sge_change *owner = change_add(SGE_FACT_OWNER, i % 3, group);
        sge_fact_owner(&asset, &owner->id);
        id_of(i % 3, owner->head);
        id_of(i % 2, owner->safe);
        memcpy(owner->token, asset.id.bytes, 32);
        struct sge_change *user = change_add(SGE_FACT_USER, i % 3, group);
        sge_fact_user(&asset, &user->id);
        memcpy(user->head, user->holder, 32);
        memcpy(user->safe, user->holder, 32);
        user->until_s = NOW_S + i - 4;
        asset.standard = SG_CAIP_ERC1155;
        struct sge_change *balance = change_add(SGE_FACT_BALANCE, i % 3, group);
        sge_fact_balance(&asset, balance->holder, &balance->id);
        memcpy(balance->head, amount.bytes, 32);
        memcpy(balance->safe, amount.bytes, 32);
    }
}

static void delegations_add(const struct sg_caip_asset *contract)
{
    struct sg_u256 one = sg_u256_of(1);
    for (uint32_t i = 0; i < 6; i++) {
        struct sg_caip_asset scope = *contract;
        struct sge_change *change =
            change_add(SGE_FACT_DELEGATION, i % 3, sge_group_delegations(&scope.chain));
        scope.has_id = i > 3;
        scope.id = sg_u256_of(i);
        id_of((i + 1) % 3, change->token);
        sge_fact_delegation(change->token, change->holder, i < 2 ? NULL : &scope, &change->id);
        memcpy(change->head, one.bytes, 32);
        memcpy(change->safe, one.bytes, 32);
    }
}

static void make_state(void)
{
    char dir[SGT_DIR_BYTES];
    struct sg_caip_asset contract;
    struct sge_change root = {.kind = SGE_FACT_ROOT, .bump = true, .head = "r", .safe = "r"};
    SG_ASSERT(sg_caip_asset_read(SG_STR("eip155:1/erc721:" CONTRACT), &contract));
    assets_add(&contract);
    delegations_add(&contract);
    const uint64_t groups[] = {sge_group_contract(&contract),
                               sge_group_delegations(&contract.chain)};
    for (size_t i = 0; i < SG_COUNT(groups); i++)
        sge_followed_make(groups[i], sge_chain_id(&contract.chain), SGE_FOLLOWED_WHOLE,
                          &changes[count++]);
    sge_fact_root(TENANT, SG_STR("vip"), &root.id);
    changes[count++] = root;
    const struct sge_batch batch = {
        .stream = "fuzz", .seq = 1, .changes = changes, .changes_count = count};
    sgt_dir_make(dir);
    SG_ASSERT(sge_state_open(dir, true, &state) == SG_OK);
    SG_ASSERT(sge_state_apply(state, &batch) == SG_OK);
    SG_ASSERT(sge_state_reader_open(state, &reader) == SG_OK);
    sgt_dir_remove(dir); /* what is open stays */
}

static void check(const struct sgd_rule *rule, uint8_t who)
{
    static const uint8_t hash[32];
    const struct sg_str proof = {(const char *)hash, sizeof(hash)};
    const struct sgd_place place = {.country = {'D', 'E'}};
    struct sgd_rule_answer answer;
    struct sgd_holder holder = {.any_evm_chain = (who & 4) != 0,
                                .provisional = (who & 8) != 0,
                                .now_s = NOW_S,
                                .place = (who & 16) != 0 ? &place : NULL,
                                .list_proofs = &proof,
                                .list_proofs_count = 1};
    account_of(who % 4, &holder.account);
    SG_ASSERT(sge_state_begin(reader) == SG_OK);
    sgd_rule_check(rule, reader, &holder, &answer);
    SG_ASSERT(answer.facts_count <= SGD_TOKEN_FACTS_MAX && strlen(answer.why) > 0);
    for (uint8_t i = 0; i < answer.facts_count; i++) {
        struct sge_fact fact;
        SG_ASSERT(answer.holds);
        SG_ASSERT(sge_state_fact(reader, answer.facts[i].key, &fact) == SG_OK);
        SG_ASSERT(fact.generation == answer.facts[i].generation);
    }
    SG_ASSERT(!answer.holds || answer.until_s > NOW_S);
    sge_state_end(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char listing[1 << 20];
    char memory[1024];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sg_out out = sg_out_init(listing, sizeof(listing));
    struct sg_caip_asset assets[4];
    struct sgd_rule *rule = NULL;
    if (state == NULL)
        make_state();
    if (len == 0)
        return 0;
    struct sg_str text = {(const char *)bytes + 1, len - 1};
    enum sg_err err = sgd_rule_compile(text, TENANT, &report, &rule);
    SG_ASSERT(err == SG_OK || (err == SG_ECONFIG && report.len > 0));
    if (err != SG_OK)
        return 0;
    sgd_rule_list(rule, &out);
    SG_ASSERT(sgd_rule_assets(rule, assets, 4) <= 4);
    check(rule, bytes[0]);
    sgd_rule_free(rule);
    return 0;
}
