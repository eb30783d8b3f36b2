/* The language of rules, from text to a tree: docs/rules.md has the grammar. */
#include "base/assert.h"
#include "dataplane/gate/rulecode.h"

#include <stdio.h>
#include <time.h>

#define ARGS_MAX 64 /* countries of one country() */

struct word {
    struct sg_str text; /* a name, an argument, what stands between quotes; or ( ) , */
    bool quoted;
    uint32_t column;
};

struct parser {
    struct sgd_rule_tree *tree;
    struct sg_out *report;
    size_t at;
    struct word word; /* the present one; text.len 0 and not quoted: the end */
    uint32_t depth;
};

SG_PRINTF(3, 4)
static enum sg_err wrong(const struct parser *p, uint32_t column, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sg_out_fmt(p->report, "%u: %s", column, text);
    return SG_ECONFIG;
}

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == '(' || c == ')' || c == ',' || c == '"';
}

static enum sg_err quoted_read(struct parser *p)
{
    struct sg_str text = p->tree->text;
    size_t from = ++p->at;
    while (p->at < text.len && text.ptr[p->at] != '"')
        p->at++;
    if (p->at == text.len)
        return wrong(p, p->word.column, "a \" is missing at the end of this text");
    p->word.text = (struct sg_str){text.ptr + from, p->at - from};
    p->word.quoted = true;
    p->at++;
    return SG_OK;
}

static enum sg_err next(struct parser *p)
{
    struct sg_str text = p->tree->text;
    while (p->at < text.len && is_blank(text.ptr[p->at]))
        p->at++;
    p->word = (struct word){.column = (uint32_t)p->at + 1};
    size_t from = p->at;
    if (p->at == text.len)
        return SG_OK;
    if (text.ptr[p->at] == '"')
        return quoted_read(p);
    do
        p->at++;
    while (!ends_word(text.ptr[from]) && p->at < text.len && !ends_word(text.ptr[p->at]));
    p->word.text = (struct sg_str){text.ptr + from, p->at - from};
    return SG_OK;
}

static bool is(const struct parser *p, const char *word)
{
    return !p->word.quoted && sg_str_eq(p->word.text, sg_str_from(word));
}

static bool at_end(const struct parser *p)
{
    return !p->word.quoted && p->word.text.len == 0;
}

/* ---- leaves: name and arguments ---- */

struct call {
    struct sg_str name;
    uint32_t column, count;
    struct word args[ARGS_MAX];
};

static enum sg_err chain_add(struct parser *p, struct sgd_leaf *leaf, uint32_t column)
{
    struct sgd_rule_tree *tree = p->tree;
    uint16_t i = 0;
    while (i < tree->chains_count && !sg_caip_chain_eq(&tree->chains[i], &leaf->asset.chain))
        i++;
    if (i == SGD_RULE_CHAINS_MAX)
        return wrong(p, column, "a rule may name %d chains", SGD_RULE_CHAINS_MAX);
    tree->chains[i] = leaf->asset.chain;
    tree->chains_count = (uint16_t)SG_MAX(tree->chains_count, i + 1);
    leaf->chain = (uint8_t)i;
    leaf->chain_id = sge_chain_id(&leaf->asset.chain);
    leaf->delegations = sge_group_delegations(&leaf->asset.chain);
    return SG_OK;
}

static enum sg_err asset_take(struct parser *p, const struct call *call,
                              enum sg_caip_standard standard, const char *form,
                              struct sgd_leaf *leaf)
{
    const struct word *word = &call->args[0];
    if (call->count == 0 || word->quoted || !sg_caip_asset_read(word->text, &leaf->asset) ||
        leaf->asset.standard != standard)
        return wrong(p, call->count == 0 ? call->column : word->column, "expected %s", form);
    return chain_add(p, leaf, word->column);
}

static enum sg_err arguments_max(struct parser *p, const struct call *call, uint32_t max)
{
    return call->count <= max ? SG_OK
                              : wrong(p, call->args[max].column, "%.*s() has at most %u argument%s",
                                      SG_STR_ARG(call->name), max, max == 1 ? "" : "s");
}

/* "100..200"; one number alone is a range of one. */
static enum sg_err range_take(struct parser *p, const struct word *word, struct sgd_leaf *leaf)
{
    struct sg_str text = word->text, lo = text, hi = text;
    const char *dots = memmem(text.ptr, text.len, "..", 2);
    if (dots != NULL) {
        lo.len = (size_t)(dots - text.ptr);
        hi = sg_str_skip(text, lo.len + 2);
    }
    if (!sg_u256_read(lo, &leaf->lo) || !sg_u256_read(hi, &leaf->hi))
        return wrong(p, word->column, "expected a range of ids, such as 100..200");
    return sg_u256_cmp(&leaf->lo, &leaf->hi) <= 0
               ? SG_OK
               : wrong(p, word->column, "this range is empty: the smaller id stands first");
}

static void any_of(struct sgd_leaf *leaf, uint64_t group)
{
    leaf->kind = SGD_LEAF_ANY;
    leaf->group = group;
    memset(leaf->hi.bytes, 0xff, sizeof(leaf->hi.bytes));
}

static enum sg_err erc721_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    enum sg_err err =
        asset_take(p, call, SG_CAIP_ERC721,
                   "an asset such as eip155:1/erc721:0xCONTRACT, with /ID for one", leaf);
    if (err == SG_OK)
        err = arguments_max(p, call, 2);
    if (err != SG_OK)
        return err;
    if (!leaf->asset.has_id) {
        any_of(leaf, sge_group_contract(&leaf->asset));
        return call->count == 2 ? range_take(p, &call->args[1], leaf) : SG_OK;
    }
    if (call->count == 2)
        return wrong(p, call->args[1].column, "one id, or a range: not both");
    leaf->kind = SGD_LEAF_ONE;
    sge_fact_owner(&leaf->asset, &leaf->id);
    return SG_OK;
}

static enum sg_err least_take(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    leaf->kind = SGD_LEAF_BALANCE;
    leaf->lo = sg_u256_of(1);
    sge_fact_balance_begin(&leaf->asset, &leaf->begun);
    if (call->count == 2 &&
        (!sg_u256_read(call->args[1].text, &leaf->lo) || sg_u256_is_zero(&leaf->lo)))
        return wrong(p, call->args[1].column,
                     "expected the least amount, a number of 1 or more, in the smallest unit");
    return arguments_max(p, call, 2);
}

static enum sg_err erc1155_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    static const char form[] = "an asset such as eip155:1/erc1155:0xCONTRACT/ID";
    enum sg_err err = asset_take(p, call, SG_CAIP_ERC1155, form, leaf);
    if (err == SG_OK && !leaf->asset.has_id)
        err = wrong(p, call->args[0].column, "expected %s: with its id", form);
    return err != SG_OK ? err : least_take(p, call, leaf);
}

static enum sg_err token_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    enum sg_err err =
        asset_take(p, call, SG_CAIP_TOKEN, "an asset such as solana:GENESIS/token:MINT", leaf);
    return err != SG_OK ? err : least_take(p, call, leaf);
}

static enum sg_err nft_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    enum sg_err err =
        asset_take(p, call, SG_CAIP_NFT, "an asset such as solana:GENESIS/nft:MINT", leaf);
    leaf->kind = SGD_LEAF_ONE;
    if (err == SG_OK)
        sge_fact_owner(&leaf->asset, &leaf->id);
    return err != SG_OK ? err : arguments_max(p, call, 1);
}

static enum sg_err collection_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    enum sg_err err = asset_take(p, call, SG_CAIP_NFT,
                                 "the collection's mint, such as solana:GENESIS/nft:MINT", leaf);
    if (err != SG_OK)
        return err;
    any_of(leaf, sge_group_collection(&leaf->asset.chain, leaf->asset.contract.bytes));
    return arguments_max(p, call, 1);
}

static enum sg_err creator_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    struct sg_caip_account account;
    if (call->count == 0 || !sg_caip_account_read(call->args[0].text, &account) ||
        account.chain.ns != SG_CAIP_SOLANA)
        return wrong(p, call->count == 0 ? call->column : call->args[0].column,
                     "expected the creator's account, such as solana:GENESIS:ADDRESS");
    leaf->asset = (struct sg_caip_asset){
        .chain = account.chain, .standard = SG_CAIP_NFT, .contract = account.address};
    any_of(leaf, sge_group_creator(&account.chain, account.address.bytes));
    enum sg_err err = chain_add(p, leaf, call->args[0].column);
    return err != SG_OK ? err : arguments_max(p, call, 1);
}

static enum sg_err user_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    enum sg_err err =
        asset_take(p, call, SG_CAIP_ERC721,
                   "an asset such as eip155:1/erc721:0xCONTRACT, with /ID for one", leaf);
    if (err != SG_OK)
        return err;
    any_of(leaf, sge_group_contract(&leaf->asset));
    leaf->kind = leaf->asset.has_id ? SGD_LEAF_USER : SGD_LEAF_USER_ANY;
    if (leaf->asset.has_id)
        sge_fact_user(&leaf->asset, &leaf->id);
    return arguments_max(p, call, 1);
}

static enum sg_err list_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    const struct word *name = &call->args[0];
    if (call->count == 0 || !name->quoted || name->text.len == 0 ||
        name->text.len > SGD_RULE_NAME_MAX)
        return wrong(p, call->count == 0 ? call->column : name->column,
                     "expected the list's name between \", of at most %d bytes", SGD_RULE_NAME_MAX);
    leaf->kind = SGD_LEAF_LIST;
    leaf->list = name->text;
    leaf->list_has_chain = call->count > 1;
    if (leaf->list_has_chain && !sg_caip_chain_read(call->args[1].text, &leaf->asset.chain))
        return wrong(p, call->args[1].column, "expected a chain, such as eip155:1");
    sge_fact_root(p->tree->tenant, name->text, &leaf->id);
    return arguments_max(p, call, 2);
}

/* `count` digits at `at`, of a text that is long enough. */
static bool digits_read(struct sg_str text, size_t at, size_t count, int *out)
{
    uint64_t v;
    if (!sg_str_to_u64((struct sg_str){text.ptr + at, count}, &v))
        return false;
    *out = (int)v;
    return true;
}

/* "2026-01-31T18:00Z" or with seconds, "2026-01-31T18:00:00Z". */
static bool time_read(struct sg_str text, uint64_t *out)
{
    struct tm tm = {.tm_sec = 0}, again;
    bool seconds = text.len == 20;
    if ((text.len != 17 && !seconds) || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        text.ptr[10] != 'T' || text.ptr[13] != ':' || text.ptr[text.len - 1] != 'Z' ||
        (seconds && text.ptr[16] != ':') || !digits_read(text, 0, 4, &tm.tm_year) ||
        !digits_read(text, 5, 2, &tm.tm_mon) || !digits_read(text, 8, 2, &tm.tm_mday) ||
        !digits_read(text, 11, 2, &tm.tm_hour) || !digits_read(text, 14, 2, &tm.tm_min) ||
        (seconds && !digits_read(text, 17, 2, &tm.tm_sec)) || tm.tm_year < 1970)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    again = tm;
    time_t at = timegm(&again);
    *out = (uint64_t)at;
    return again.tm_mday == tm.tm_mday && again.tm_mon == tm.tm_mon &&
           again.tm_hour == tm.tm_hour && again.tm_min == tm.tm_min && again.tm_sec == tm.tm_sec;
}

static bool clock_read(struct sg_str text, uint64_t *out)
{
    int hour, minute;
    if (text.len != 5 || text.ptr[2] != ':' || !digits_read(text, 0, 2, &hour) ||
        !digits_read(text, 3, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *out = (uint64_t)(hour * 3600 + minute * 60);
    return true;
}

static enum sg_err window_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf,
                               bool (*read)(struct sg_str, uint64_t *), const char *form)
{
    uint64_t *const ends[2] = {&leaf->from_s, &leaf->to_s};
    for (uint32_t i = 0; i < 2; i++)
        if (i >= call->count || !call->args[i].quoted || !read(call->args[i].text, ends[i]))
            return wrong(p, i >= call->count ? call->column : call->args[i].column,
                         "expected two times in UTC between \", such as %s", form);
    if (leaf->from_s == leaf->to_s || (leaf->kind == SGD_LEAF_BETWEEN && leaf->from_s > leaf->to_s))
        return wrong(p, call->args[1].column, "this is not after the time before it");
    return arguments_max(p, call, 2);
}

static enum sg_err between_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    leaf->kind = SGD_LEAF_BETWEEN;
    return window_make(p, call, leaf, time_read, "\"2026-01-31T18:00Z\"");
}

static enum sg_err daily_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    leaf->kind = SGD_LEAF_DAILY;
    return window_make(p, call, leaf, clock_read, "\"18:00\"");
}

static enum sg_err country_make(struct parser *p, const struct call *call, struct sgd_leaf *leaf)
{
    leaf->kind = SGD_LEAF_COUNTRY;
    if (call->count == 0)
        return wrong(p, call->column, "expected countries of two letters, such as country(DE, AT)");
    for (uint32_t i = 0; i < call->count; i++)
        if (call->args[i].quoted || !sgd_countries_add(&leaf->countries, call->args[i].text))
            return wrong(p, call->args[i].column, "a country is two letters, such as DE");
    return SG_OK;
}

static const struct {
    const char *name;
    enum sg_err (*make)(struct parser *p, const struct call *call, struct sgd_leaf *leaf);
} calls[] = {
    {"erc721", erc721_make},
    {"erc1155", erc1155_make},
    {"nft", nft_make},
    {"token", token_make},
    {"collection", collection_make},
    {"creator", creator_make},
    {"user", user_make},
    {"list", list_make},
    {"between", between_make},
    {"daily", daily_make},
    {"country", country_make},
};

/* ---- expressions ---- */

static enum sg_err node_add(struct parser *p, enum sgd_node_kind kind, uint32_t column,
                            uint16_t *out)
{
    struct sgd_rule_tree *tree = p->tree;
    if (tree->nodes_count == SGD_RULE_NODES_MAX)
        return wrong(p, column, "the rule is too long: split it in several");
    tree->nodes[tree->nodes_count] = (struct sgd_node){
        .kind = kind, .first = SGD_NODE_NONE, .next = SGD_NODE_NONE, .column = column};
    *out = tree->nodes_count++;
    return SG_OK;
}

static enum sg_err arguments_read(struct parser *p, struct call *call)
{
    enum sg_err err = next(p);
    while (err == SG_OK && !is(p, ")")) {
        if (at_end(p) || is(p, ",") || is(p, "("))
            return wrong(p, p->word.column, "expected an argument, or )");
        if (call->count == ARGS_MAX)
            return wrong(p, p->word.column, "more than %d arguments", ARGS_MAX);
        call->args[call->count++] = p->word;
        err = next(p);
        if (err == SG_OK && !is(p, ",") && !is(p, ")"))
            return wrong(p, p->word.column, "expected , or )");
        if (err == SG_OK && is(p, ",")) {
            err = next(p);
            if (err == SG_OK && is(p, ")"))
                return wrong(p, p->word.column, "expected an argument");
        }
    }
    return err;
}

/* The present word is the call's name; afterwards it is what follows the ")". */
static enum sg_err call_read(struct parser *p, struct sgd_leaf *leaf)
{
    struct call call = {.name = p->word.text, .column = p->word.column};
    size_t i = 0, from = (size_t)(p->word.text.ptr - p->tree->text.ptr);
    while (i < SG_COUNT(calls) && !is(p, calls[i].name))
        i++;
    if (i == SG_COUNT(calls))
        return wrong(
            p, call.column,
            "expected a condition: erc721, erc1155, nft, collection, creator, token, user, "
            "list, delegated, between, daily or country");
    enum sg_err err = next(p);
    if (err == SG_OK && !is(p, "("))
        err = wrong(p, p->word.column, "expected ( after %.*s", SG_STR_ARG(call.name));
    if (err == SG_OK)
        err = arguments_read(p, &call);
    if (err == SG_OK)
        err = calls[i].make(p, &call, leaf);
    leaf->text = (struct sg_str){p->tree->text.ptr + from, p->at - from};
    if (err == SG_OK && leaf->chain_id != 0)
        leaf->followed = leaf->group != 0 ? leaf->group : sge_group_contract(&leaf->asset);
    return err == SG_OK ? next(p) : err;
}

/* delegated(CALL) */
static enum sg_err delegated_read(struct parser *p, struct sgd_leaf *leaf)
{
    size_t from = (size_t)(p->word.text.ptr - p->tree->text.ptr);
    enum sg_err err = next(p);
    if (err == SG_OK && !is(p, "("))
        return wrong(p, p->word.column, "expected ( after delegated");
    err = err == SG_OK ? next(p) : err;
    uint32_t column = p->word.column;
    if (err == SG_OK && !is(p, "erc721") && !is(p, "erc1155"))
        return wrong(p, column, "expected erc721(...) or erc1155(...) in delegated()");
    if (err == SG_OK)
        err = call_read(p, leaf);
    if (err == SG_OK && !is(p, ")"))
        return wrong(p, p->word.column, "expected ) at the end of delegated()");
    leaf->delegated = true;
    leaf->text = (struct sg_str){p->tree->text.ptr + from, p->at - from};
    return err == SG_OK ? next(p) : err;
}

static enum sg_err or_read(struct parser *p, uint16_t *out);

static enum sg_err leaf_read(struct parser *p, uint16_t *out)
{
    struct sgd_rule_tree *tree = p->tree;
    if (tree->leaves_count == SGD_RULE_LEAVES_MAX)
        return wrong(p, p->word.column, "a rule may have %d conditions", SGD_RULE_LEAVES_MAX);
    struct sgd_leaf *leaf = &tree->leaves[tree->leaves_count];
    enum sg_err err = node_add(p, SGD_NODE_LEAF, p->word.column, out);
    if (err != SG_OK)
        return err;
    *leaf = (struct sgd_leaf){.kind = SGD_LEAF_ONE};
    tree->nodes[*out].leaf = tree->leaves_count++;
    return is(p, "delegated") ? delegated_read(p, leaf) : call_read(p, leaf);
}

static enum sg_err inside_read(struct parser *p, uint16_t *out)
{
    uint32_t column = p->word.column;
    enum sg_err err = next(p);
    if (err == SG_OK)
        err = or_read(p, out);
    if (err == SG_OK && !is(p, ")"))
        return wrong(p, p->word.column, "expected and, or, or the ) of column %u", column);
    return err == SG_OK ? next(p) : err;
}

static enum sg_err not_read(struct parser *p, uint16_t *out)
{
    enum sg_err err;
    if (p->depth == SGD_RULE_DEPTH_MAX)
        return wrong(p, p->word.column, "deeper than %d levels", SGD_RULE_DEPTH_MAX);
    p->depth++;
    if (is(p, "not")) {
        uint16_t below = SGD_NODE_NONE;
        err = node_add(p, SGD_NODE_NOT, p->word.column, out);
        if (err == SG_OK)
            err = next(p);
        if (err == SG_OK)
            err = not_read(p, &below);
        if (err == SG_OK)
            p->tree->nodes[*out].first = below;
    } else {
        err = is(p, "(") ? inside_read(p, out) : leaf_read(p, out);
    }
    p->depth--;
    return err;
}

/* One below, or several with `word` between them. */
static enum sg_err several_read(struct parser *p, const char *word, enum sgd_node_kind kind,
                                enum sg_err (*below)(struct parser *, uint16_t *), uint16_t *out)
{
    uint16_t last;
    enum sg_err err = below(p, out);
    if (err != SG_OK || !is(p, word))
        return err;
    last = *out;
    err = node_add(p, kind, p->word.column, out);
    if (err == SG_OK)
        p->tree->nodes[*out].first = last;
    while (err == SG_OK && is(p, word)) {
        uint16_t node = SGD_NODE_NONE;
        err = next(p);
        if (err == SG_OK)
            err = below(p, &node);
        if (err == SG_OK)
            p->tree->nodes[last].next = node;
        last = node;
    }
    return err;
}

static enum sg_err and_read(struct parser *p, uint16_t *out)
{
    return several_read(p, "and", SGD_NODE_AND, not_read, out);
}

static enum sg_err or_read(struct parser *p, uint16_t *out)
{
    return several_read(p, "or", SGD_NODE_OR, and_read, out);
}

enum sg_err sgd_rule_parse(struct sg_str text, uint32_t tenant, struct sg_out *report,
                           struct sgd_rule_tree *out)
{
    SG_ASSERT(report != NULL && out != NULL);
    struct parser p = {.tree = out, .report = report};
    out->text = text;
    out->tenant = tenant;
    out->nodes_count = out->leaves_count = out->chains_count = 0;
    if (text.len > SGD_RULE_TEXT_MAX)
        return wrong(&p, SGD_RULE_TEXT_MAX, "longer than %d bytes", SGD_RULE_TEXT_MAX);
    enum sg_err err = next(&p);
    if (err == SG_OK && at_end(&p))
        return wrong(&p, 1, "expected a rule, such as erc721(eip155:1/erc721:0xCONTRACT)");
    if (err == SG_OK)
        err = or_read(&p, &out->root);
    if (err == SG_OK && !at_end(&p))
        return wrong(&p, p.word.column, "expected and, or, or the end");
    return err;
}
