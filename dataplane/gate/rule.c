#include "dataplane/gate/rule.h"

#include "base/assert.h"
#include "dataplane/gate/rulecode.h"

_Static_assert(SGD_RULE_CHAINS_MAX <= SGD_CHAINS_MAX, "a rule's chains are all told");

bool sgd_rule_asks_place(const struct sgd_rule *rule)
{
    SG_ASSERT(rule != NULL);
    for (uint16_t i = 0; i < rule->leaves_count; i++)
        if (rule->leaves[i].kind == SGD_LEAF_COUNTRY)
            return true;
    return false;
}

static bool same_contract(const struct sg_caip_asset *a, const struct sg_caip_asset *b)
{
    return a->standard == b->standard && sg_caip_chain_eq(&a->chain, &b->chain) &&
           memcmp(&a->contract, &b->contract, sizeof(a->contract)) == 0;
}

uint32_t sgd_rule_assets(const struct sgd_rule *rule, struct sg_caip_asset *out, uint32_t max)
{
    SG_ASSERT(rule != NULL);
    SG_ASSERT(out != NULL || max == 0);
    uint32_t count = 0;
    for (uint16_t i = 0; i < rule->leaves_count && count < max; i++) {
        const struct sgd_leaf *leaf = &rule->leaves[i];
        uint32_t known = 0;
        if (leaf->chain_id == 0)
            continue;
        while (known < count && !same_contract(&out[known], &leaf->asset))
            known++;
        if (known < count)
            continue;
        out[count] = leaf->asset;
        out[count].has_id = false;
        out[count++].id = sg_u256_of(0);
    }
    return count;
}

bool sgd_rule_asks(const struct sgd_rule *rule, const struct sg_caip_asset *asset, uint64_t group)
{
    SG_ASSERT(rule != NULL && asset != NULL);
    for (uint16_t i = 0; i < rule->leaves_count; i++) {
        const struct sgd_leaf *leaf = &rule->leaves[i];
        if (leaf->chain_id != 0 && leaf->group == group && same_contract(&leaf->asset, asset))
            return true;
    }
    return false;
}

uint32_t sgd_rule_lists(const struct sgd_rule *rule, struct sg_str *out, uint32_t max)
{
    SG_ASSERT(rule != NULL && out != NULL);
    uint32_t count = 0;
    for (uint16_t i = 0; i < rule->leaves_count && count < max; i++) {
        uint32_t known = 0;
        if (rule->leaves[i].kind != SGD_LEAF_LIST)
            continue;
        while (known < count && !sg_str_eq(out[known], rule->leaves[i].list))
            known++;
        if (known == count)
            out[count++] = rule->leaves[i].list;
    }
    return count;
}

uint32_t sgd_rule_sources(const struct sgd_rule *rule, struct sgd_rule_source *out, uint32_t max)
{
    SG_ASSERT(rule != NULL && out != NULL);
    uint32_t count = 0;
    for (uint16_t i = 0; i < rule->leaves_count; i++) {
        const struct sgd_leaf *leaf = &rule->leaves[i];
        const uint64_t asked[] = {leaf->followed, leaf->delegations};
        uint32_t asks = leaf->chain_id == 0 ? 0 : leaf->delegated ? 2 : 1;
        for (uint32_t a = 0; a < asks && count < max; a++) {
            uint32_t known = 0;
            while (known < count && out[known].group != asked[a])
                known++;
            if (known == count)
                out[count++] = (struct sgd_rule_source){asked[a], leaf->chain_id, leaf->text};
        }
    }
    return count;
}

void sgd_rule_list(const struct sgd_rule *rule, struct sg_out *out)
{
    static const char *const names[] = {"must", "must not", "save", "restore", "jump", "yes", "no"};
    SG_ASSERT(rule != NULL && out != NULL);
    for (uint16_t i = 0; i < rule->ops_count; i++) {
        const struct sgd_op *op = &rule->ops[i];
        sg_out_fmt(out, "%3u %s", i, names[op->code]);
        if (op->code <= SGD_OP_NOT)
            sg_out_fmt(out, " %.*s else %u", SG_STR_ARG(rule->leaves[op->leaf].text), op->to);
        else if (op->code == SGD_OP_JUMP)
            sg_out_fmt(out, " %u", op->to);
        else if (op->code == SGD_OP_SAVE || op->code == SGD_OP_RESTORE)
            sg_out_fmt(out, " %u", op->slot);
        sg_out_char(out, '\n');
    }
}

/* ---- checking ---- */

/* What was gathered so far: an alternative that fails takes its part of it along. */
struct gathered {
    uint64_t until_s;
    uint8_t facts_count, chains_count;
    bool provisional;
};

static void why_tell(const struct sgd_rule_look *look, const struct sgd_leaf *leaf, bool negated)
{
    struct sgd_rule_answer *answer = look->out;
    struct sg_out out = sg_out_init(answer->why, sizeof(answer->why) - 1);
    struct sg_str text = leaf->text, reason = sg_str_from(look->reason);
    size_t room = out.cap - reason.len - strlen("not : ");
    text.len = SG_MIN(text.len, room);
    if (negated)
        sg_out_lit(&out, "not ");
    sg_out_str(&out, text);
    sg_out_lit(&out, ": ");
    sg_out_str(&out, reason);
    answer->why[out.len] = 0;
}

/* Is what the operation asks met? */
static bool op_ask(struct sgd_rule_look *look, const struct sgd_op *op)
{
    const struct sgd_leaf *leaf = &look->rule->leaves[op->leaf];
    enum sgd_met met = sgd_leaf_ask(look, leaf);
    bool negated = op->code == SGD_OP_NOT;
    bool passes = met == (negated ? SGD_MET_NO : SGD_MET_YES);
    if (passes && negated && leaf->chain_id != 0)
        look->out->until_s = SG_MIN(look->out->until_s, look->holder->now_s + SGD_RULE_NOT_S);
    if (passes && look->out->facts_count > SGD_TOKEN_FACTS_MAX) {
        look->reason = "more facts than a token may name";
        passes = false;
    }
    why_tell(look, leaf, negated);
    return passes;
}

static bool run(struct sgd_rule_look *look)
{
    const struct sgd_rule *rule = look->rule;
    struct sgd_rule_answer *out = look->out;
    struct gathered slots[SGD_RULE_SLOTS];
    for (uint16_t at = 0;;) {
        const struct sgd_op *op = &rule->ops[at++];
        switch ((enum sgd_op_code)op->code) {
        case SGD_OP_LEAF:
        case SGD_OP_NOT:
            if (!op_ask(look, op))
                at = op->to;
            break;
        case SGD_OP_SAVE:
            slots[op->slot] = (struct gathered){out->until_s, out->facts_count, out->chains.count,
                                                out->provisional};
            break;
        case SGD_OP_RESTORE:
            out->until_s = slots[op->slot].until_s;
            out->facts_count = slots[op->slot].facts_count;
            out->chains.count = slots[op->slot].chains_count;
            out->provisional = slots[op->slot].provisional;
            break;
        case SGD_OP_JUMP:
            at = op->to;
            break;
        case SGD_OP_YES:
            return true;
        case SGD_OP_NO:
            return false;
        }
    }
}

void sgd_rule_check(const struct sgd_rule *rule, struct sge_state_reader *reader,
                    const struct sgd_holder *holder, struct sgd_rule_answer *out)
{
    SG_ASSERT(rule != NULL && reader != NULL);
    SG_ASSERT(holder != NULL && out != NULL);
    struct sgd_rule_look look; /* and *out: not zeroed whole, which costs more than a leaf */
    look.rule = rule;
    look.reader = reader;
    look.holder = holder;
    look.out = out;
    look.steps = SGD_RULE_STEPS_MAX;
    look.reason = "";
    memset(look.has_id, 0, sizeof(look.has_id));
    out->until_s = UINT64_MAX;
    out->provisional = out->unfollowed = false;
    out->facts_count = 0;
    out->chains.count = 0;
    out->why[0] = 0;
    out->holds = run(&look);
    if (!out->holds) {
        out->facts_count = 0;
        out->chains.count = 0;
        out->provisional = false;
        out->until_s = 0;
    }
}
