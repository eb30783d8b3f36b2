/* rulecode - a rule between its text and its check: the tree that the parser makes, and the code
 * that the compiler makes of it. Only the files of rules include this. */
#ifndef SGD_GATE_RULECODE_H
#define SGD_GATE_RULECODE_H

#include "dataplane/gate/geo.h"
#include "dataplane/gate/rule.h"

#define SGD_RULE_LEAVES_MAX 128
#define SGD_RULE_NODES_MAX  512
#define SGD_RULE_CHAINS_MAX 8
#define SGD_RULE_NAME_MAX   64
#define SGD_RULE_SLOTS      (SGD_RULE_DEPTH_MAX + 2)

enum sgd_leaf_kind {
    SGD_LEAF_ONE, /* the owner of one asset: erc721(A/ID), nft(A) */
    SGD_LEAF_ANY, /* an asset of a group with an id of lo .. hi: erc721(A), collection, creator */
    SGD_LEAF_BALANCE,  /* erc1155(A/ID, MIN), token(A, MIN) */
    SGD_LEAF_USER,     /* user(A/ID) */
    SGD_LEAF_USER_ANY, /* user(A) */
    SGD_LEAF_LIST,     /* list("NAME") */
    SGD_LEAF_BETWEEN,  /* from_s <= now < to_s */
    SGD_LEAF_DAILY,    /* the same of the seconds since midnight; may pass midnight */
    SGD_LEAF_COUNTRY,
};

struct sgd_leaf {
    enum sgd_leaf_kind kind;
    bool list_has_chain; /* whose contracts are meant too: asset.chain */
    bool delegated;      /* a vault of the holder's may have it: ONE, ANY, BALANCE of the EVM */
    struct sg_str text;  /* as the rule has it */
    struct sg_caip_asset asset;
    struct sg_str list;     /* of LIST: its name */
    uint32_t chain_id;      /* of the asset */
    uint8_t chain;          /* its place among the rule's chains */
    struct sge_fact_id id;  /* of ONE, USER, LIST */
    struct sg_sha256 begun; /* of BALANCE: its name, but for the account */
    uint64_t group;         /* of ANY, USER_ANY */
    uint64_t followed;      /* its group; of the others, the contract's: of which it must be
                               known how much is followed */
    uint64_t delegations;   /* the group of those on this chain */
    struct sg_u256 lo, hi;  /* of ANY; of BALANCE, lo is the least amount */
    uint64_t from_s, to_s;
    struct sgd_countries countries;
};

enum sgd_node_kind { SGD_NODE_LEAF, SGD_NODE_NOT, SGD_NODE_AND, SGD_NODE_OR };
#define SGD_NODE_NONE UINT16_MAX
struct sgd_node {
    enum sgd_node_kind kind;
    uint16_t first, next; /* the first below, and the one beside */
    uint16_t leaf;
    uint32_t column;
};
struct sgd_rule_tree {
    struct sg_str text;
    uint32_t tenant;
    uint16_t root, nodes_count, leaves_count, chains_count;
    struct sgd_node nodes[SGD_RULE_NODES_MAX];
    struct sgd_leaf leaves[SGD_RULE_LEAVES_MAX];
    struct sg_caip_chain chains[SGD_RULE_CHAINS_MAX];
};
/* SG_ECONFIG with "COLUMN: what is wrong, what would be right". Strings of *out are of `text`. */
SG_MUST_USE enum sg_err sgd_rule_parse(struct sg_str text, uint32_t tenant, struct sg_out *report,
                                       struct sgd_rule_tree *out);

/* Jumps go forward only, so a check ends after as many steps as there are operations. */
enum sgd_op_code {
    SGD_OP_LEAF,    /* met: the next one; else `to` */
    SGD_OP_NOT,     /* surely not met: the next one; else `to` */
    SGD_OP_SAVE,    /* remembers in `slot` what was gathered so far */
    SGD_OP_RESTORE, /* goes back to it: the facts of what failed are no reason */
    SGD_OP_JUMP,
    SGD_OP_YES,
    SGD_OP_NO,
};
struct sgd_op {
    uint8_t code, slot;
    uint16_t leaf, to;
};
struct sgd_rule {
    char *text; /* leaves' texts lie here */
    uint16_t ops_count, leaves_count, chains_count;
    struct sgd_op ops[SGD_RULE_OPS_MAX];
    struct sgd_leaf *leaves;
    struct sg_caip_chain chains[SGD_RULE_CHAINS_MAX];
};

/* ---- ruleleaf.c: what one leaf asks ---- */
enum sgd_met { SGD_MET_NO, SGD_MET_UNKNOWN, SGD_MET_YES };
/* A check under way. */
struct sgd_rule_look {
    const struct sgd_rule *rule;
    struct sge_state_reader *reader;
    const struct sgd_holder *holder;
    struct sgd_rule_answer *out;
    uint32_t steps; /* left */
    bool has_id[SGD_RULE_CHAINS_MAX];
    uint8_t ids[SGD_RULE_CHAINS_MAX][32]; /* the holder's account on each chain */
    const char *reason;                   /* why the last leaf was met or not; static */
};
/* Adds what it rests on to look->out. */
enum sgd_met sgd_leaf_ask(struct sgd_rule_look *look, const struct sgd_leaf *leaf);

#endif
