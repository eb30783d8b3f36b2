/* From the tree to code: negations go down to the leaves, and and or become jumps forward. */
#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/gate/rulecode.h"

#define LABELS_MAX (SGD_RULE_NODES_MAX + 2)
#define NOWHERE    UINT16_MAX

struct coder {
    const struct sgd_rule_tree *tree;
    struct sgd_rule *rule;
    struct sg_out *report;
    uint16_t labels[LABELS_MAX]; /* where each is; jumps name labels until all are placed */
    uint16_t labels_count;
};

static enum sg_err op_add(struct coder *c, enum sgd_op_code code, uint32_t slot, uint16_t leaf,
                          uint16_t to)
{
    struct sgd_rule *rule = c->rule;
    if (rule->ops_count == SGD_RULE_OPS_MAX) {
        sg_out_fmt(c->report, "1: more than %d operations: split the rule", SGD_RULE_OPS_MAX);
        return SG_ECONFIG;
    }
    rule->ops[rule->ops_count++] =
        (struct sgd_op){.code = (uint8_t)code, .slot = (uint8_t)slot, .leaf = leaf, .to = to};
    return SG_OK;
}

static uint16_t label_new(struct coder *c)
{
    SG_ASSERT(c->labels_count < LABELS_MAX);
    c->labels[c->labels_count] = NOWHERE;
    return c->labels_count++;
}

static void label_here(struct coder *c, uint16_t label)
{
    c->labels[label] = c->rule->ops_count;
}

/* That an account is not in a list, or that no vault has delegated, is nothing that can be shown.
 */
static enum sg_err leaf_code(struct coder *c, const struct sgd_node *node, bool negated,
                             uint16_t fail)
{
    const struct sgd_leaf *leaf = &c->tree->leaves[node->leaf];
    if (negated && (leaf->kind == SGD_LEAF_LIST || leaf->delegated)) {
        sg_out_fmt(c->report, "%u: %s under not: its absence can't be shown; say what must hold",
                   node->column, leaf->delegated ? "delegated()" : "list()");
        return SG_ECONFIG;
    }
    return op_add(c, negated ? SGD_OP_NOT : SGD_OP_LEAF, 0, node->leaf, fail);
}

static enum sg_err node_code(struct coder *c, uint16_t at, bool negated, uint16_t fail,
                             uint32_t slot);

static enum sg_err all_code(struct coder *c, const struct sgd_node *node, bool negated,
                            uint16_t fail, uint32_t slot)
{
    enum sg_err err = SG_OK;
    for (uint16_t i = node->first; err == SG_OK && i != SGD_NODE_NONE; i = c->tree->nodes[i].next)
        err = node_code(c, i, negated, fail, slot);
    return err;
}

/* save; A, else 1; jump end; 1: restore; B, else 2; jump end; 2: restore; C, else fail; end: */
static enum sg_err any_code(struct coder *c, const struct sgd_node *node, bool negated,
                            uint16_t fail, uint32_t slot)
{
    uint16_t end = label_new(c);
    enum sg_err err = op_add(c, SGD_OP_SAVE, slot, 0, 0);
    for (uint16_t i = node->first; err == SG_OK && i != SGD_NODE_NONE;) {
        uint16_t next = c->tree->nodes[i].next;
        uint16_t other = next == SGD_NODE_NONE ? fail : label_new(c);
        err = node_code(c, i, negated, other, slot + 1);
        if (err == SG_OK && next != SGD_NODE_NONE) {
            err = op_add(c, SGD_OP_JUMP, 0, 0, end);
            label_here(c, other);
            if (err == SG_OK)
                err = op_add(c, SGD_OP_RESTORE, slot, 0, 0);
        }
        i = next;
    }
    label_here(c, end);
    return err;
}

static enum sg_err node_code(struct coder *c, uint16_t at, bool negated, uint16_t fail,
                             uint32_t slot)
{
    const struct sgd_node *node = &c->tree->nodes[at];
    switch (node->kind) {
    case SGD_NODE_LEAF:
        return leaf_code(c, node, negated, fail);
    case SGD_NODE_NOT:
        return node_code(c, node->first, !negated, fail, slot);
    case SGD_NODE_AND:
    case SGD_NODE_OR:
        break;
    }
    bool all = (node->kind == SGD_NODE_AND) != negated; /* De Morgan */
    return all ? all_code(c, node, negated, fail, slot) : any_code(c, node, negated, fail, slot);
}

/* What every check relies on: jumps go forward and stay inside, slots and leaves are there. */
static void code_assert(const struct sgd_rule *rule)
{
    SG_ASSERT(rule->ops_count >= 3);
    for (uint16_t i = 0; i < rule->ops_count; i++) {
        const struct sgd_op *op = &rule->ops[i];
        bool jumps = op->code <= SGD_OP_NOT || op->code == SGD_OP_JUMP;
        SG_ASSERT(op->code <= SGD_OP_NO && op->slot < SGD_RULE_SLOTS);
        SG_ASSERT(op->code > SGD_OP_NOT || op->leaf < rule->leaves_count);
        SG_ASSERT(!jumps || (op->to > i && op->to < rule->ops_count));
    }
    SG_ASSERT(rule->ops[rule->ops_count - 1].code == SGD_OP_NO);
}

static enum sg_err code_make(struct coder *c)
{
    struct sgd_rule *rule = c->rule;
    uint16_t fail = label_new(c);
    enum sg_err err = node_code(c, c->tree->root, false, fail, 0);
    if (err == SG_OK)
        err = op_add(c, SGD_OP_YES, 0, 0, 0);
    label_here(c, fail);
    if (err == SG_OK)
        err = op_add(c, SGD_OP_NO, 0, 0, 0);
    if (err != SG_OK)
        return err;
    for (uint16_t i = 0; i < rule->ops_count; i++) {
        struct sgd_op *op = &rule->ops[i];
        if (op->code <= SGD_OP_NOT || op->code == SGD_OP_JUMP)
            op->to = c->labels[op->to];
    }
    code_assert(rule);
    return SG_OK;
}

/* The rule's own copies of the text and of what points into it. */
static enum sg_err rule_fill(struct sgd_rule *rule, const struct sgd_rule_tree *tree)
{
    rule->text = sg_boot_alloc(tree->text.len + 1);
    rule->leaves = sg_boot_alloc(tree->leaves_count * sizeof(*rule->leaves));
    if (rule->text == NULL || rule->leaves == NULL)
        return SG_ENOMEM;
    memcpy(rule->text, tree->text.ptr, tree->text.len);
    memcpy(rule->leaves, tree->leaves, tree->leaves_count * sizeof(*rule->leaves));
    memcpy(rule->chains, tree->chains, sizeof(rule->chains));
    rule->leaves_count = tree->leaves_count;
    rule->chains_count = tree->chains_count;
    for (uint16_t i = 0; i < rule->leaves_count; i++)
        rule->leaves[i].text.ptr = rule->text + (tree->leaves[i].text.ptr - tree->text.ptr);
    return SG_OK;
}

enum sg_err sgd_rule_compile(struct sg_str text, uint32_t tenant, struct sg_out *report,
                             struct sgd_rule **out)
{
    SG_ASSERT(report != NULL);
    SG_ASSERT(out != NULL);
    struct coder coder = {.report = report};
    struct sgd_rule *rule = sg_boot_alloc(sizeof(*rule));
    struct sgd_rule_tree *tree = sg_boot_alloc(sizeof(*tree));
    enum sg_err err = rule == NULL || tree == NULL ? SG_ENOMEM : SG_OK;
    if (err == SG_OK)
        err = sgd_rule_parse(text, tenant, report, tree);
    if (err == SG_OK)
        err = rule_fill(rule, tree);
    coder.tree = tree;
    coder.rule = rule;
    if (err == SG_OK)
        err = code_make(&coder);
    if (err == SG_OK)
        *out = SG_TAKE(rule);
    sg_boot_free(tree);
    sgd_rule_free(rule);
    return err;
}

void sgd_rule_free(struct sgd_rule *rule)
{
    if (rule == NULL)
        return;
    sg_boot_free(rule->text);
    sg_boot_free(rule->leaves);
    sg_boot_free(rule);
}
