/* One condition of a rule: met, not met, or not known. What is taken away at the head is gone; what
 * is given counts at safe (or at the head, for who is content with provisional tokens). */
#include "base/assert.h"
#include "dataplane/gate/allowlist.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/rulecode.h"

#define HOLDINGS_AT_ONCE 4
#define DAY_S            86400u

/* ---- the account, the facts ---- */

/* The holder's account on the leaf's chain; NULL: it can't have one there. */
static const uint8_t *account_on(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    const struct sg_caip_account *who = &look->holder->account;
    const struct sg_caip_chain *chain = &look->rule->chains[leaf->chain];
    uint8_t *id = look->ids[leaf->chain];
    bool same = sg_caip_chain_eq(&who->chain, chain);
    bool evm = who->chain.ns == SG_CAIP_EIP155 && chain->ns == SG_CAIP_EIP155;
    if (!same && !(evm && look->holder->any_evm_chain))
        return NULL;
    if (!look->has_id[leaf->chain]) {
        struct sg_caip_account account = {.chain = *chain, .address = who->address};
        sg_caip_account_id(&account, id);
        look->has_id[leaf->chain] = true;
    }
    return id;
}

static bool step(struct sgd_rule_look *look)
{
    if (look->steps == 0) {
        look->reason = "more look-ups than one check may make";
        return false;
    }
    look->steps--;
    return true;
}

static enum sgd_met met(struct sgd_rule_look *look, enum sgd_met answer, const char *reason)
{
    look->reason = reason;
    return answer;
}

/* One too many is remembered too: the answer is then no. */
static void fact_add(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                     const struct sge_change *fact, uint64_t generation)
{
    const struct sge_fact_id *id = &fact->id;
    struct sgd_rule_answer *out = look->out;
    sgd_chains_add(&out->chains, fact->chain != 0 ? leaf->chain_id : 0); /* 0: said by hand */
    for (uint8_t i = 0; i < out->facts_count && i < SGD_TOKEN_FACTS_MAX; i++)
        if (out->facts[i].key == id->key)
            return;
    if (out->facts_count < SGD_TOKEN_FACTS_MAX)
        out->facts[out->facts_count] = (struct sgd_token_fact){id->key, generation};
    out->facts_count = (uint8_t)SG_MIN(out->facts_count + 1, SGD_TOKEN_FACTS_MAX + 1);
}

/* ---- how much is known ---- */

static enum sgd_met unfollowed(struct sgd_rule_look *look, enum sge_followed how)
{
    look->out->unfollowed = true;
    return met(look, SGD_MET_UNKNOWN,
               how == SGE_FOLLOWED_READING ? "its history is being read"
                                           : "the region's control plane does not follow it");
}

/* Where everything is followed, what is not found is not there. */
static enum sgd_met absent(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                           const char *reason)
{
    enum sge_followed how = sge_state_followed(look->reader, leaf->followed);
    if (how < SGE_FOLLOWED_PART && !sge_state_by_hand(look->reader))
        return unfollowed(look, how);
    if (how != SGE_FOLLOWED_WHOLE)
        return met(look, SGD_MET_UNKNOWN, reason);
    sgd_chains_add(&look->out->chains, leaf->chain_id);
    return met(look, SGD_MET_NO, reason);
}

/* A fact of what is followed no longer says how things were. One of no chain was said by hand. */
static bool is_current(struct sgd_rule_look *look, uint64_t followed, const struct sge_change *fact)
{
    if (fact->chain == 0)
        return true;
    enum sge_followed how = sge_state_followed(look->reader, followed);
    if (how < SGE_FOLLOWED_PART)
        (void)unfollowed(look, how);
    return how >= SGE_FOLLOWED_PART;
}

/* Of something that is so at head and at safe, at one of them, or at neither. */
static enum sgd_met settled(struct sgd_rule_look *look, bool head, bool safe)
{
    if (!head)
        return met(look, safe ? SGD_MET_UNKNOWN : SGD_MET_NO, "it is not the account's");
    if (safe)
        return met(look, SGD_MET_YES, "met");
    if (!look->holder->provisional)
        return met(look, SGD_MET_UNKNOWN, "it is the account's, but not safe from a reorg yet");
    look->out->provisional = true;
    return met(look, SGD_MET_YES, "met, but not safe from a reorg yet");
}

/* ---- owners, balances, users ---- */

static enum sgd_met one_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                            const uint8_t account[32])
{
    struct sge_change fact;
    uint64_t generation;
    if (!step(look))
        return SGD_MET_UNKNOWN;
    enum sg_err err = sge_state_fact_get(look->reader, &leaf->id, &fact, &generation);
    if (err != SG_OK)
        return err == SG_ENOENT ? absent(look, leaf, "nothing is known of it")
                                : met(look, SGD_MET_UNKNOWN, "the state can't be read");
    enum sgd_met answer =
        settled(look, memcmp(fact.head, account, 32) == 0, memcmp(fact.safe, account, 32) == 0);
    if (answer == SGD_MET_UNKNOWN || !is_current(look, leaf->followed, &fact))
        return SGD_MET_UNKNOWN;
    if (leaf->kind == SGD_LEAF_USER && answer == SGD_MET_YES) {
        if (fact.until_s <= look->holder->now_s)
            return met(look, SGD_MET_NO, "its use is over");
        look->out->until_s = SG_MIN(look->out->until_s, fact.until_s);
    }
    fact_add(look, leaf, &fact, generation);
    return answer;
}

static enum sgd_met balance_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                                const uint8_t account[32])
{
    struct sge_fact_id id;
    struct sge_change fact;
    uint64_t generation;
    if (!step(look))
        return SGD_MET_UNKNOWN;
    sge_fact_balance_end(&leaf->begun, account, &id);
    enum sg_err err = sge_state_fact_get(look->reader, &id, &fact, &generation);
    if (err != SG_OK)
        return err == SG_ENOENT ? absent(look, leaf, "the account never had any")
                                : met(look, SGD_MET_UNKNOWN, "the state can't be read");
    enum sgd_met answer = settled(look, memcmp(fact.head, leaf->lo.bytes, 32) >= 0,
                                  memcmp(fact.safe, leaf->lo.bytes, 32) >= 0);
    if (answer == SGD_MET_UNKNOWN || !is_current(look, leaf->followed, &fact))
        return SGD_MET_UNKNOWN;
    fact_add(look, leaf, &fact, generation);
    return answer;
}

/* Is this holding one that the leaf means? */
static bool in_leaf(const struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                    const struct sge_change *fact)
{
    if (leaf->kind == SGD_LEAF_USER_ANY)
        return fact->kind == SGE_FACT_USER && fact->until_s > look->holder->now_s;
    return fact->kind == SGE_FACT_OWNER && memcmp(fact->token, leaf->lo.bytes, 32) >= 0 &&
           memcmp(fact->token, leaf->hi.bytes, 32) <= 0;
}

static enum sgd_met any_take(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                             const struct sge_holding *best)
{
    bool safe = memcmp(best->change.safe, best->change.head, 32) == 0;
    enum sgd_met answer = settled(look, true, safe);
    if (answer != SGD_MET_YES || !is_current(look, leaf->followed, &best->change))
        return SGD_MET_UNKNOWN;
    fact_add(look, leaf, &best->change, best->generation);
    if (best->change.kind == SGE_FACT_USER)
        look->out->until_s = SG_MIN(look->out->until_s, best->change.until_s);
    return answer;
}

/* `meant` NULL: all that the leaf means; else those only for which it says yes. */
struct meant {
    bool (*is)(struct sgd_rule_look *look, const struct meant *meant,
               const struct sge_change *fact);
    const uint8_t *vault, *delegate;
    const struct sge_fact_id *delegation;
    const struct sgd_leaf *leaf;
};

/* The first that is safe; else the first that is not. */
static enum sgd_met any_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                            const uint8_t account[32], const struct meant *meant)
{
    struct sge_holding some[HOLDINGS_AT_ONCE], best;
    uint64_t after = 0;
    uint32_t max = 1;    /* most often the first will do */
    best.generation = 0; /* none yet */
    for (uint32_t count;
         (count = sge_state_holdings(look->reader, account, leaf->group, &after, some, max)) > 0;
         max = HOLDINGS_AT_ONCE)
        for (uint32_t i = 0; i < count; i++) {
            const struct sge_change *fact = &some[i].change;
            if (!step(look))
                return SGD_MET_UNKNOWN;
            if (!in_leaf(look, leaf, fact) || memcmp(fact->head, account, 32) != 0 ||
                (meant != NULL && !meant->is(look, meant, fact)))
                continue;
            if (memcmp(fact->safe, account, 32) == 0)
                return any_take(look, leaf, &some[i]);
            best = best.generation == 0 ? some[i] : best;
        }
    return best.generation != 0 ? any_take(look, leaf, &best)
                                : absent(look, leaf, "the account has none");
}

/* ---- delegations ---- */

/* A delegation for one token: it is told by its name alone, so the vault's tokens are tried. */
static bool token_is_delegated(struct sgd_rule_look *look, const struct meant *meant,
                               const struct sge_change *fact)
{
    struct sg_caip_asset asset = meant->leaf->asset;
    struct sge_fact_id id;
    asset.has_id = true;
    memcpy(asset.id.bytes, fact->token, sizeof(asset.id.bytes));
    sge_fact_delegation(meant->vault, meant->delegate, &asset, &id);
    return step(look) && id.key == meant->delegation->key && id.check == meant->delegation->check;
}

static bool covers(const uint8_t *vault, const uint8_t *delegate, const struct sg_caip_asset *scope,
                   const struct sge_fact_id *delegation)
{
    struct sge_fact_id id;
    sge_fact_delegation(vault, delegate, scope, &id);
    return id.key == delegation->key && id.check == delegation->check;
}

/* What the vault of one delegation has. */
static enum sgd_met vault_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                              const uint8_t delegate[32], const struct sge_holding *delegation)
{
    const struct sge_change *fact = &delegation->change;
    const uint8_t *vault = fact->token;
    struct sg_caip_asset contract = leaf->asset;
    struct meant token = {token_is_delegated, vault, delegate, &fact->id, leaf};
    contract.has_id = false;
    bool whole =
        covers(vault, delegate, NULL, &fact->id) || covers(vault, delegate, &contract, &fact->id);
    if (leaf->kind == SGD_LEAF_ANY)
        return any_ask(look, leaf, vault, whole ? NULL : &token);
    if (!whole && !covers(vault, delegate, &leaf->asset, &fact->id))
        return met(look, SGD_MET_UNKNOWN, "it is delegated for something else");
    return leaf->kind == SGD_LEAF_ONE ? one_ask(look, leaf, vault) : balance_ask(look, leaf, vault);
}

static bool delegation_holds(struct sgd_rule_look *look, const struct sge_change *fact,
                             const uint8_t delegate[32])
{
    static const struct sg_u256 one = {.bytes = {[31] = 1}};
    return fact->kind == SGE_FACT_DELEGATION && memcmp(fact->holder, delegate, 32) == 0 &&
           memcmp(fact->head, one.bytes, 32) == 0 &&
           settled(look, true, memcmp(fact->safe, one.bytes, 32) == 0) == SGD_MET_YES;
}

static enum sgd_met delegated_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf,
                                  const uint8_t account[32])
{
    struct sgd_rule_answer *out = look->out;
    struct sge_holding some[HOLDINGS_AT_ONCE];
    uint64_t after = 0;
    for (uint32_t count; (count = sge_state_holdings(look->reader, account, leaf->delegations,
                                                     &after, some, HOLDINGS_AT_ONCE)) > 0;)
        for (uint32_t i = 0; i < count; i++) {
            uint8_t facts_count = out->facts_count, chains_count = out->chains.count;
            bool provisional = out->provisional;
            if (!step(look))
                return SGD_MET_UNKNOWN;
            if (delegation_holds(look, &some[i].change, account) &&
                is_current(look, leaf->delegations, &some[i].change)) {
                fact_add(look, leaf, &some[i].change, some[i].generation);
                if (vault_ask(look, leaf, account, &some[i]) == SGD_MET_YES)
                    return SGD_MET_YES;
            }
            out->facts_count = facts_count;
            out->chains.count = chains_count;
            out->provisional = provisional;
        }
    enum sge_followed how = sge_state_followed(look->reader, leaf->delegations);
    if (how < SGE_FOLLOWED_PART && !sge_state_by_hand(look->reader))
        return unfollowed(look, how);
    return met(look, SGD_MET_UNKNOWN,
               "neither the account nor a vault that delegated to it has it");
}

/* ---- allow lists ---- */

/* A list names addresses. A contract of the same address may be another's on another chain, so one
 * that does not sign by its own key is meant only where the rule names its chain. */
static bool list_means(const struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    const struct sg_caip_chain *chain = &look->holder->account.chain;
    return look->holder->any_evm_chain || chain->ns != SG_CAIP_EIP155 ||
           (leaf->list_has_chain && sg_caip_chain_eq(chain, &leaf->asset.chain));
}

static enum sgd_met list_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    static const uint8_t no_root[32];
    struct sge_change fact;
    uint64_t generation;
    if (!step(look) || sge_state_fact_get(look->reader, &leaf->id, &fact, &generation) != SG_OK ||
        memcmp(fact.head, no_root, sizeof(no_root)) == 0)
        return met(look, SGD_MET_UNKNOWN, "there is no such list");
    if (!list_means(look, leaf))
        return met(look, SGD_MET_UNKNOWN, "a contract may be another's on another chain");
    for (uint32_t i = 0; i < look->holder->list_proofs_count; i++) {
        if (!step(look) || !sgd_list_proves(&look->holder->account.address,
                                            look->holder->list_proofs[i], fact.head))
            continue;
        enum sgd_met answer = settled(look, true, memcmp(fact.head, fact.safe, 32) == 0);
        if (answer == SGD_MET_YES)
            fact_add(look, leaf, &fact, generation);
        return answer;
    }
    return met(look, SGD_MET_UNKNOWN, "no proof of the account's place in it was given");
}

/* ---- time and place ---- */

static enum sgd_met between_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    uint64_t now_s = look->holder->now_s, *until_s = &look->out->until_s;
    if (now_s < leaf->from_s) {
        *until_s = SG_MIN(*until_s, leaf->from_s);
        return met(look, SGD_MET_NO, "it has not begun");
    }
    if (now_s >= leaf->to_s)
        return met(look, SGD_MET_NO, "it is over");
    *until_s = SG_MIN(*until_s, leaf->to_s);
    return met(look, SGD_MET_YES, "met");
}

/* Until the next of the two times, whichever that is. */
static enum sgd_met daily_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    uint64_t now_s = look->holder->now_s, of_day = now_s % DAY_S;
    uint64_t to_end = (leaf->to_s + DAY_S - of_day) % DAY_S;
    uint64_t to_begin = (leaf->from_s + DAY_S - of_day) % DAY_S;
    to_end = to_end == 0 ? DAY_S : to_end; /* a window's end is outside, its beginning inside */
    to_begin = to_begin == 0 ? DAY_S : to_begin;
    uint64_t next_s = now_s + SG_MIN(to_end, to_begin);
    look->out->until_s = SG_MIN(look->out->until_s, next_s);
    return to_end < to_begin ? met(look, SGD_MET_YES, "met")
                             : met(look, SGD_MET_NO, "it is not that time of the day");
}

static enum sgd_met country_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    const struct sgd_place *place = look->holder->place;
    if (place == NULL || place->country[0] == 0)
        return met(look, SGD_MET_UNKNOWN, "the viewer's country is not known");
    return sgd_countries_has(&leaf->countries, place->country)
               ? met(look, SGD_MET_YES, "met")
               : met(look, SGD_MET_NO, "the viewer is in another country");
}

/* ---- all kinds ---- */

static enum sgd_met owned_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    const uint8_t *account = account_on(look, leaf);
    enum sgd_met answer;
    bool before = look->out->unfollowed;
    if (account == NULL)
        return met(look, SGD_MET_UNKNOWN, "the account is of another chain");
    look->out->unfollowed = false;
    if (leaf->kind == SGD_LEAF_BALANCE)
        answer = balance_ask(look, leaf, account);
    else if (leaf->kind == SGD_LEAF_ONE || leaf->kind == SGD_LEAF_USER)
        answer = one_ask(look, leaf, account);
    else
        answer = any_ask(look, leaf, account, NULL);
    bool blind = look->out->unfollowed; /* then nothing is known of what vaults have either */
    look->out->unfollowed |= before;
    return answer == SGD_MET_YES || !leaf->delegated || blind ? answer
                                                              : delegated_ask(look, leaf, account);
}

enum sgd_met sgd_leaf_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf)
{
    switch (leaf->kind) {
    case SGD_LEAF_ONE:
    case SGD_LEAF_ANY:
    case SGD_LEAF_BALANCE:
    case SGD_LEAF_USER:
    case SGD_LEAF_USER_ANY:
        return owned_ask(look, leaf);
    case SGD_LEAF_LIST:
        return list_ask(look, leaf);
    case SGD_LEAF_BETWEEN:
        return between_ask(look, leaf);
    case SGD_LEAF_DAILY:
        return daily_ask(look, leaf);
    case SGD_LEAF_COUNTRY:
        return country_ask(look, leaf);
    }
    return SGD_MET_UNKNOWN;
}
