/* rule - who may see what lies under a path: an expression over what an account holds, compiled
 * once to byte code, checked and bounded, and asked when a token is minted or renewed (a segment's
 * request asks for the facts it rested on, no more). docs/rules.md has the language. No I/O but
 * look-ups in the state's locked map; allocates only in _compile(). */
#ifndef SGD_GATE_RULE_H
#define SGD_GATE_RULE_H

#include "base/caip.h"
#include "base/out.h"
#include "dataplane/gate/token.h"
#include "edgecache/state/facts.h"

#define SGD_RULE_TEXT_MAX  8192
#define SGD_RULE_OPS_MAX   256
#define SGD_RULE_DEPTH_MAX 16
#define SGD_RULE_STEPS_MAX 4096 /* look-ups of one check, with the holdings gone through */
#define SGD_RULE_NOT_S     300  /* how long it is believed that somebody still has nothing */

struct sgd_rule;
/* `tenant`: whose allow lists are meant. SG_ECONFIG: `report` has "COLUMN: what is wrong, what
 * would be right". */
SG_MUST_USE enum sg_err sgd_rule_compile(struct sg_str text, uint32_t tenant, struct sg_out *report,
                                         struct sgd_rule **out);
void sgd_rule_free(struct sgd_rule *rule);
/* Geography needs a database: asked at configuration time. */
bool sgd_rule_asks_place(const struct sgd_rule *rule);
/* The contracts and chains that the followers must follow for it, as CAIP-19 without an id. */
uint32_t sgd_rule_assets(const struct sgd_rule *rule, struct sg_caip_asset *out, uint32_t max);
/* Whether it asks for such an asset as one of `group` (sge_group_collection() and so on); group 0:
 * for that asset itself. */
bool sgd_rule_asks(const struct sgd_rule *rule, const struct sg_caip_asset *asset, uint64_t group);
/* The names of the allow lists that it asks for; borrowed from the rule. Returns how many. */
uint32_t sgd_rule_lists(const struct sgd_rule *rule, struct sg_str *out, uint32_t max);
/* What it must be known of how much is followed: each group, with its chain.
 * Returns how many. */
struct sgd_rule_source {
    uint64_t group;
    uint32_t chain;
    struct sg_str text; /* the first condition that asks it */
};
uint32_t sgd_rule_sources(const struct sgd_rule *rule, struct sgd_rule_source *out, uint32_t max);
/* The byte code, one operation a line: for sgctl rule test. */
void sgd_rule_list(const struct sgd_rule *rule, struct sg_out *out);

/* Who asks. */
struct sgd_holder {
    struct sg_caip_account account;
    bool any_evm_chain; /* a key signed: the same address is the same holder on every EVM chain. A
                           contract's word (EIP-1271) is good on its own chain only */
    bool provisional;   /* what holds at head is enough: the tenant wants it */
    uint64_t now_s;
    const struct sgd_place *place;    /* NULL: not known, which meets nothing */
    const struct sg_str *list_proofs; /* of allow lists: 32-byte hashes, end to end */
    uint32_t list_proofs_count;
};
struct sgd_rule_answer {
    bool holds;
    bool provisional;         /* it rests on something that is not safe yet */
    bool unfollowed;          /* it does not hold, but more may be so than is known here: of what a
                                 condition names nothing is followed, or not yet */
    uint64_t until_s;         /* it can't hold longer: time windows, ERC-4907; UINT64_MAX: open */
    struct sgd_chains chains; /* whose heads it rests on, also where nothing was found */
    uint8_t facts_count;
    struct sgd_token_fact facts[SGD_TOKEN_FACTS_MAX];
    char why[160]; /* the leaf that decided, for explain and sgctl rule test */
};
/* Between begin and end of `reader`. More facts than a token may name, or steps than allowed: no.
 */
void sgd_rule_check(const struct sgd_rule *rule, struct sge_state_reader *reader,
                    const struct sgd_holder *holder, struct sgd_rule_answer *out);

#endif
