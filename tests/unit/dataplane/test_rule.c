#include "tests/unit/edgecache/facts_world.h"

#include "base/alloc.h"
#include "base/keccak.h"
#include "dataplane/gate/geo.h"
#include "dataplane/gate/rule.h"

#define TENANT 7u
#define NOW_S  1764000000ull /* 2025-11-24T16:00:00Z */
#define A721   "eip155:1/erc721:" CONTRACT
#define A1155  "eip155:1/erc1155:" CONTRACT
#define SOLANA "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
#define MINT   "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"

static struct sgd_rule *compile(const char *text)
{
    char memory[512];
    struct sg_out report = sg_out_init(memory, sizeof(memory) - 1);
    struct sgd_rule *rule = NULL;
    enum sg_err err = sgd_rule_compile(sg_str_from(text), TENANT, &report, &rule);
    memory[report.len] = 0;
    if (err != SG_OK)
        fail_msg("%s: %s", text, memory);
    return rule;
}

/* The account of one letter, as who() has it. */
static struct sgd_holder holder_of(char letter)
{
    struct sgd_holder holder = {.any_evm_chain = true, .now_s = NOW_S};
    assert_true(sg_caip_chain_read(SG_STR(CHAIN), &holder.account.chain));
    holder.account.address.len = 20;
    memset(holder.account.address.bytes, letter, 20);
    return holder;
}

static enum sge_followed followed; /* how much, of all that a rule names when it is asked */

/* What the rule names is followed so, as the next entry of the stream says where it is news. */
static void followed_is(struct facts_world *w, const struct sgd_rule *rule, enum sge_followed how)
{
    struct sgd_rule_source sources[8];
    struct sge_change changes[8];
    uint32_t count = sgd_rule_sources(rule, sources, SG_COUNT(sources)), news = 0;
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (sge_state_followed(w->reader, sources[i].group) == how && !sge_state_by_hand(w->reader))
            continue;
        sge_followed_make(sources[i].group, sources[i].chain, how, &changes[news++]);
    }
    sge_state_end(w->reader);
    if (news > 0)
        assert_int_equal(stream_says(w, changes, news), SG_OK);
}

static struct sgd_rule_answer ask_as(struct facts_world *w, const char *text,
                                     const struct sgd_holder *holder)
{
    struct sgd_rule_answer answer;
    struct sgd_rule *rule = compile(text);
    followed_is(w, rule, followed);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    sgd_rule_check(rule, w->reader, holder, &answer);
    sge_state_end(w->reader);
    sgd_rule_free(rule);
    assert_true(answer.why[0] != 0);
    assert_true(answer.holds || (answer.facts_count == 0 && !answer.provisional));
    return answer;
}

static struct sgd_rule_answer ask(struct facts_world *w, const char *text, char letter)
{
    struct sgd_holder holder = holder_of(letter);
    return ask_as(w, text, &holder);
}

static void say(struct facts_world *w, struct sge_change change)
{
    assert_int_equal(stream_says(w, &change, 1), SG_OK);
}

static int rule_set_up(void **fixture)
{
    followed = SGE_FOLLOWED_PART;
    return facts_set_up(fixture);
}

/* ---- the language ---- */

static void what_is_no_rule_is_refused_with_the_column_and_what_would_be_right(void **fixture)
{
    static const struct {
        const char *text, *report;
    } rows[] = {
        {"", "1: expected a rule"},
        {"  ", "1: expected a rule"},
        {"erc722(x)", "1: expected a condition"},
        {"erc721", "7: expected ( after erc721"},
        {"erc721()", "1: expected an asset"},
        {"erc721(" A1155 "/1)", "8: expected an asset"},
        {"erc721(" A721 " 3)", "67: expected , or )"},
        {"erc721(" A721 ", 9..3)", "68: this range is empty"},
        {"erc721(" A721 ", x)", "68: expected a range"},
        {"erc721(" A721 "/1, 1..2)", "70: one id, or a range"},
        {"erc721(" A721 ",)", "67: expected an argument"},
        {"erc721(" A721 ",1,2)", "69: erc721() has at most 2 arguments"},
        {"erc1155(" A1155 ")", "9: expected an asset such as"},
        {"erc1155(" A1155 "/1, 0)", "72: expected the least amount"},
        {"nft(" SOLANA "/token:" MINT ")", "5: expected an asset"},
        {"creator(" A721 ")", "9: expected the creator's account"},
        {"list(vip)", "6: expected the list's name"},
        {"list(\"vip)", "6: a \" is missing"},
        {"between(\"2026-02-30T00:00Z\", \"2027-01-01T00:00Z\")", "9: expected two times"},
        {"between(\"2026-01-01T00:00Z\")", "1: expected two times"},
        {"between(\"2027-01-01T00:00Z\", \"2026-01-01T00:00Z\")", "30: this is not after"},
        {"daily(\"18:00\", \"24:00\")", "16: expected two times"},
        {"country()", "1: expected countries"},
        {"country(DEU)", "9: a country is two letters"},
        {"country(DE) country(AT)", "13: expected and, or, or the end"},
        {"country(DE) or", "15: expected a condition"},
        {"(country(DE)", "13: expected and, or, or the ) of column 1"},
        {"not not", "8: expected a condition"},
        {"delegated(country(DE))", "11: expected erc721"},
        {"not list(\"vip\")", "5: list() under not"},
        {"not (country(DE) or delegated(erc721(" A721 ")))", "21: delegated() under not"},
        {"((((((((((((((((country(DE)))))))))))))))))", "17: deeper than 16 levels"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char memory[512] = "";
        struct sg_out report = sg_out_init(memory, sizeof(memory) - 1);
        struct sgd_rule *rule = NULL;
        enum sg_err err = sgd_rule_compile(sg_str_from(rows[i].text), TENANT, &report, &rule);
        memory[report.len] = 0;
        if (err != SG_ECONFIG || strncmp(memory, rows[i].report, strlen(rows[i].report)) != 0)
            fail_msg("%s: %d: %s, not %s", rows[i].text, err, memory, rows[i].report);
        assert_null(rule);
    }
    (void)fixture;
}

static void a_rule_that_is_too_large_is_refused(void **fixture)
{
    static char text[SGD_RULE_TEXT_MAX + 2];
    char memory[256];
    struct sgd_rule *rule = NULL;
    for (size_t repeat = 1; repeat < 300; repeat++) {
        struct sg_out out = sg_out_init(text, sizeof(text));
        struct sg_out report = sg_out_init(memory, sizeof(memory));
        for (size_t i = 0; i < repeat; i++)
            sg_out_fmt(&out, "%scountry(DE)", i == 0 ? "" : i % 2 == 0 ? " or " : " and ");
        enum sg_err err = sgd_rule_compile(sg_out_view(&out), TENANT, &report, &rule);
        assert_true(err == SG_OK || err == SG_ECONFIG);
        assert_true(err == SG_OK ? repeat <= 128 : repeat > 64);
        sgd_rule_free(SG_TAKE(rule));
    }
    memset(text, ' ', sizeof(text));
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    assert_int_equal(
        sgd_rule_compile((struct sg_str){text, SGD_RULE_TEXT_MAX + 1}, 1, &report, &rule),
        SG_ECONFIG);
    (void)fixture;
}

static void the_assets_that_must_be_followed_are_told_once_each(void **fixture)
{
    struct sg_caip_asset assets[8];
    char memory[256];
    struct sgd_rule *rule =
        compile("erc721(" A721 "/1) or erc721(" A721 ", 5..6) or delegated(erc1155(" A1155
                "/3)) or collection(" SOLANA "/nft:" MINT ") and country(DE)");
    assert_int_equal(sgd_rule_assets(rule, assets, 8), 3);
    assert_int_equal(sgd_rule_assets(rule, assets, 2), 2);
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_caip_asset_put(&out, &assets[0]);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR(A721)));
    assert_true(sgd_rule_asks_place(rule));
    sgd_rule_free(rule);
    (void)fixture;
}

static void compiling_undoes_itself_at_every_failing_allocation(void **fixture)
{
    char memory[256];
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sg_out report = sg_out_init(memory, sizeof(memory));
        struct sgd_rule *rule = NULL;
        assert_true(nth < 16);
        sg_alloc_fail_nth(nth);
        err = sgd_rule_compile(SG_STR("country(DE)"), TENANT, &report, &rule);
        assert_true(err == SG_OK ? rule != NULL : rule == NULL && err == SG_ENOMEM);
        sgd_rule_free(rule);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

/* ---- what one condition asks ---- */

static void an_owner_at_head_and_at_safe_meets_it_and_nobody_else(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change one = owner_is(1, 'a', 'a');
    say(w, owner_is(9, 'z', 'z'));
    say(w, one);
    struct sgd_rule_answer answer = ask(w, "erc721(" A721 "/1)", 'a');
    assert_true(answer.holds && !answer.provisional && answer.until_s == UINT64_MAX);
    assert_int_equal(answer.facts_count, 1);
    assert_true(answer.facts[0].key == one.id.key && answer.facts[0].generation == 2);
    assert_false(ask(w, "erc721(" A721 "/1)", 'b').holds);
    assert_false(ask(w, "erc721(" A721 "/2)", 'a').holds); /* nothing is known of it */
}

static void what_is_given_counts_at_safe_and_what_is_taken_at_head(void **fixture)
{
    struct facts_world *w = *fixture;
    static const char *const rules[] = {"erc721(" A721 "/1)", "erc721(" A721 ")"};
    say(w, owner_is(1, 'b', 'a')); /* a gave it to b, in a block that is not safe yet */
    for (size_t i = 0; i < SG_COUNT(rules); i++) {
        struct sgd_holder b = holder_of('b'), a = holder_of('a');
        assert_false(ask_as(w, rules[i], &a).holds);
        assert_false(ask_as(w, rules[i], &b).holds);
        a.provisional = b.provisional = true;
        assert_false(ask_as(w, rules[i], &a).holds);
        struct sgd_rule_answer answer = ask_as(w, rules[i], &b);
        assert_true(answer.holds && answer.provisional && answer.facts_count == 1);
    }
}

static void any_token_of_a_contract_or_a_range_of_ids_will_do(void **fixture)
{
    struct facts_world *w = *fixture;
    for (uint64_t i = 0; i < 10; i++)
        say(w, owner_is(i * 10, i == 7 ? 'a' : 'b', i == 7 ? 'a' : 'b'));
    struct sge_change seventy = owner_is(70, 'a', 'a');
    struct sgd_rule_answer answer = ask(w, "erc721(" A721 ")", 'a');
    assert_true(answer.holds && answer.facts[0].key == seventy.id.key);
    assert_true(ask(w, "erc721(" A721 ", 70..70)", 'a').holds);
    assert_true(ask(w, "erc721(" A721 ", 0..1000)", 'a').holds);
    assert_false(ask(w, "erc721(" A721 ", 71..1000)", 'a').holds);
    assert_false(ask(w, "erc721(" A721 ", 0..69)", 'a').holds);
    assert_false(ask(w, "erc721(" A721 ")", 'c').holds);
    assert_false(ask(w, "erc721(eip155:137/erc721:" CONTRACT ")", 'a').holds);
}

static void a_balance_meets_its_least_amount_at_head_and_at_safe(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change balance = balance_is(3, 'a', 5, true);
    struct sg_u256 two = sg_u256_of(2);
    memcpy(balance.safe, two.bytes, 32);
    say(w, balance);
    assert_true(ask(w, "erc1155(" A1155 "/3)", 'a').holds);
    assert_true(ask(w, "erc1155(" A1155 "/3, 2)", 'a').holds);
    assert_false(ask(w, "erc1155(" A1155 "/3, 3)", 'a').holds);
    assert_false(ask(w, "erc1155(" A1155 "/3, 0x100000000000000000000000000)", 'a').holds);
    assert_false(ask(w, "erc1155(" A1155 "/3)", 'b').holds);
    assert_false(ask(w, "erc1155(" A1155 "/4)", 'a').holds);
}

static void the_user_of_a_rented_token_meets_it_until_its_time_is_over(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sg_caip_asset asset = asset_of("erc721", 1);
    struct sge_change use = owner_is(1, 'a', 'a');
    use.kind = SGE_FACT_USER;
    use.until_s = NOW_S + 100;
    sge_fact_user(&asset, &use.id);
    say(w, use);
    static const char *const rules[] = {"user(" A721 "/1)", "user(" A721 ")"};
    for (size_t i = 0; i < SG_COUNT(rules); i++) {
        struct sgd_holder holder = holder_of('a');
        struct sgd_rule_answer answer = ask_as(w, rules[i], &holder);
        assert_true(answer.holds && answer.until_s == NOW_S + 100);
        holder.now_s += 100;
        assert_false(ask_as(w, rules[i], &holder).holds);
    }
    assert_false(ask(w, "erc721(" A721 ")", 'a').holds); /* a user is no owner */
}

static void an_account_of_another_chain_is_another_account_unless_a_key_signed(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sgd_holder holder = holder_of('a');
    say(w, owner_is(1, 'a', 'a'));
    assert_true(sg_caip_chain_read(SG_STR("eip155:137"), &holder.account.chain));
    assert_true(ask_as(w, "erc721(" A721 "/1)", &holder).holds);
    holder.any_evm_chain = false; /* a contract's word, on its own chain */
    assert_false(ask_as(w, "erc721(" A721 "/1)", &holder).holds);
}

static void solana_mints_collections_and_creators_are_found(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sg_caip_asset mint;
    struct sgd_holder holder = holder_of('a');
    struct sge_change nft = {.kind = SGE_FACT_OWNER, .bump = true, .groups_count = 2};
    assert_true(sg_caip_asset_read(SG_STR(SOLANA "/nft:" MINT), &mint));
    assert_true(
        sg_caip_account_read(SG_STR(SOLANA ":11111111111111111111111111111112"), &holder.account));
    sge_fact_owner(&mint, &nft.id);
    sg_caip_account_id(&holder.account, nft.head);
    memcpy(nft.safe, nft.head, 32);
    memcpy(nft.holder, nft.head, 32);
    memcpy(nft.token, mint.contract.bytes, 32);
    nft.groups[0] = sge_group_collection(&mint.chain, mint.contract.bytes);
    nft.groups[1] = sge_group_creator(&mint.chain, mint.contract.bytes);
    say(w, nft);
    assert_true(ask_as(w, "nft(" SOLANA "/nft:" MINT ")", &holder).holds);
    assert_true(ask_as(w, "collection(" SOLANA "/nft:" MINT ")", &holder).holds);
    assert_true(ask_as(w, "creator(" SOLANA ":" MINT ")", &holder).holds);
    assert_false(ask_as(w, "token(" SOLANA "/token:" MINT ")", &holder).holds);
    assert_false(ask(w, "nft(" SOLANA "/nft:" MINT ")", 'a').holds);
}

/* ---- delegations ---- */

static struct sge_change delegation(char vault, char delegate, const struct sg_caip_asset *scope,
                                    uint64_t on)
{
    struct sg_caip_asset any = asset_of("erc721", 0);
    struct sge_change change = {.kind = SGE_FACT_DELEGATION,
                                .bump = true,
                                .chain = sge_chain_id(&any.chain),
                                .groups_count = 1,
                                .groups = {sge_group_delegations(&any.chain)}};
    struct sg_u256 value = sg_u256_of(on);
    who(vault, change.token);
    who(delegate, change.holder);
    sge_fact_delegation(change.token, change.holder, scope, &change.id);
    memcpy(change.head, value.bytes, 32);
    memcpy(change.safe, value.bytes, 32);
    return change;
}

static void who_was_delegated_to_by_a_vault_meets_what_the_vault_has(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change token = owner_is(1, 'v', 'v'), all = delegation('v', 'a', NULL, 1);
    say(w, token);
    say(w, delegation('x', 'a', NULL, 1)); /* another vault, with nothing in it */
    assert_false(ask(w, "delegated(erc721(" A721 "))", 'a').holds);
    say(w, all);
    struct sgd_rule_answer answer = ask(w, "delegated(erc721(" A721 "))", 'a');
    assert_true(answer.holds && answer.facts_count == 2); /* either's end ends it */
    assert_int_equal(answer.facts[0].key, all.id.key);
    assert_int_equal(answer.facts[1].key, token.id.key);
    assert_true(ask(w, "delegated(erc721(" A721 "/1))", 'a').holds);
    assert_false(ask(w, "erc721(" A721 "/1)", 'a').holds);
    assert_true(ask(w, "delegated(erc721(" A721 "/1))", 'v').holds); /* one's own will do */
    say(w, delegation('v', 'a', NULL, 0));
    assert_false(ask(w, "delegated(erc721(" A721 "/1))", 'a').holds);
}

static void a_delegation_reaches_as_far_as_it_says(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sg_caip_asset two = asset_of("erc721", 2), contract = two,
                         other = asset_of("erc1155", 2);
    contract.has_id = false;
    for (uint64_t i = 1; i <= 3; i++)
        say(w, owner_is(i, 'v', 'v'));
    say(w, delegation('v', 'a', &other, 1));
    assert_false(ask(w, "delegated(erc721(" A721 "))", 'a').holds);
    say(w, delegation('v', 'a', &two, 1));
    assert_true(ask(w, "delegated(erc721(" A721 "/2))", 'a').holds);
    assert_false(ask(w, "delegated(erc721(" A721 "/1))", 'a').holds);
    assert_true(ask(w, "delegated(erc721(" A721 "))", 'a').holds);
    assert_false(ask(w, "delegated(erc721(" A721 ", 3..9))", 'a').holds);
    say(w, delegation('v', 'a', &contract, 1));
    assert_true(ask(w, "delegated(erc721(" A721 "/1))", 'a').holds);
    assert_true(ask(w, "delegated(erc721(" A721 ", 3..9))", 'a').holds);
}

/* ---- lists ---- */

static void leaf_hash(char letter, uint8_t out[32])
{
    uint8_t encoded[32] = {0};
    memset(encoded + 12, letter, 20);
    sg_keccak256(encoded, 32, out);
    sg_keccak256(out, 32, out);
}

static void who_proves_a_place_in_the_list_meets_it(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change root = {.kind = SGE_FACT_ROOT, .bump = true};
    struct sgd_holder holder = holder_of('a');
    uint8_t leaves[2][32], pair[64];
    leaf_hash('a', leaves[0]);
    leaf_hash('b', leaves[1]);
    bool first = memcmp(leaves[0], leaves[1], 32) < 0;
    memcpy(pair + (first ? 0 : 32), leaves[0], 32);
    memcpy(pair + (first ? 32 : 0), leaves[1], 32);
    sg_keccak256(pair, sizeof(pair), root.head);
    memcpy(root.safe, root.head, 32);
    sge_fact_root(TENANT, SG_STR("vip"), &root.id);
    say(w, root);
    struct sg_str proofs[2] = {{"short", 5}, {(char *)leaves[1], 32}};
    assert_false(ask_as(w, "list(\"vip\")", &holder).holds);
    holder.list_proofs = proofs;
    holder.list_proofs_count = 2;
    struct sgd_rule_answer answer = ask_as(w, "list(\"vip\")", &holder);
    assert_true(answer.holds && answer.facts[0].key == root.id.key);
    assert_false(ask_as(w, "list(\"press\")", &holder).holds);
    leaves[1][0] ^= 1;
    assert_false(ask_as(w, "list(\"vip\")", &holder).holds);
    leaves[1][0] ^= 1;
    holder.any_evm_chain = false; /* a contract speaks: at this address, on its own chain alone */
    assert_false(ask_as(w, "list(\"vip\")", &holder).holds);
    assert_true(ask_as(w, "list(\"vip\", " CHAIN ")", &holder).holds);
    assert_false(ask_as(w, "list(\"vip\", eip155:137)", &holder).holds);
    holder.any_evm_chain = true;
    assert_true(ask_as(w, "list(\"vip\", eip155:137)", &holder).holds);
    memset(holder.account.address.bytes, 'c', 20);
    assert_false(ask_as(w, "list(\"vip\")", &holder).holds);
}

/* By words, as an operator says it. */
static void
a_list_that_changes_has_another_generation_and_one_that_does_not_has_none(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_word word = {.kind = SGE_WORD_ROOT, .tenant = TENANT};
    struct sgd_holder holder = holder_of('a');
    struct sg_str none = {"", 0};
    holder.list_proofs = &none;
    holder.list_proofs_count = 1;
    followed = SGE_FOLLOWED_NOT;
    sge_fact_root(TENANT, SG_STR("vip"), &word.list);
    leaf_hash('a', word.root); /* a list of one is its own root */
    struct sge_batch batch = {.stream = "stream of tests", .words = &word, .words_count = 1};
    static const struct {
        bool holds;
        uint64_t generation;
        uint8_t change; /* of the root, before */
    } rows[] = {{true, 1, 0}, {true, 1, 0}, {false, 0, 1}, {true, 4, 1}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        word.root[0] ^= rows[i].change;
        batch.seq = ++w->seq;
        assert_int_equal(sge_state_apply(w->state, &batch), SG_OK);
        struct sgd_rule_answer answer = ask_as(w, "list(\"vip\")", &holder);
        assert_int_equal(answer.holds, rows[i].holds);
        if (rows[i].holds)
            assert_int_equal(answer.facts[0].generation, rows[i].generation);
    }
    memset(word.root, 0, sizeof(word.root)); /* there is no such list any more */
    batch.seq = ++w->seq;
    assert_int_equal(sge_state_apply(w->state, &batch), SG_OK);
    struct sgd_rule_answer answer = ask_as(w, "list(\"vip\")", &holder);
    assert_true(!answer.holds && strstr(answer.why, "there is no such list") != NULL);
    assert_int_equal(sge_state_set_root(w->state, &word), SG_EPERM); /* the stream's to say */
}

/* ---- time and place ---- */

static void windows_begin_and_end_to_the_second(void **fixture)
{
    struct facts_world *w = *fixture;
    static const struct {
        const char *rule;
        uint64_t at_s, until_s; /* until 0: it does not hold */
    } rows[] = {
        {"between(\"2025-11-24T16:00:00Z\", \"2025-11-24T17:00Z\")", NOW_S - 1, 0},
        {"between(\"2025-11-24T16:00:00Z\", \"2025-11-24T17:00Z\")", NOW_S, NOW_S + 3600},
        {"between(\"2025-11-24T16:00:00Z\", \"2025-11-24T17:00Z\")", NOW_S + 3599, NOW_S + 3600},
        {"between(\"2025-11-24T16:00:00Z\", \"2025-11-24T17:00Z\")", NOW_S + 3600, 0},
        {"not between(\"2025-11-24T16:00Z\", \"2025-11-24T17:00Z\")", NOW_S - 1, NOW_S},
        {"not between(\"2025-11-24T16:00Z\", \"2025-11-24T17:00Z\")", NOW_S + 3600, UINT64_MAX},
        {"daily(\"16:00\", \"17:30\")", NOW_S, NOW_S + 5400},
        {"daily(\"16:00\", \"17:30\")", NOW_S + 5400, 0},
        {"daily(\"16:00\", \"17:30\")", NOW_S - 1, 0},
        {"daily(\"22:00\", \"17:00\")", NOW_S, NOW_S + 3600},
        {"daily(\"22:00\", \"02:00\")", NOW_S, 0},
        {"daily(\"22:00\", \"02:00\")", NOW_S + 9 * 3600, NOW_S + 10 * 3600},
        {"not daily(\"22:00\", \"02:00\")", NOW_S, NOW_S + 6 * 3600},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_holder holder = holder_of('a');
        holder.now_s = rows[i].at_s;
        struct sgd_rule_answer answer = ask_as(w, rows[i].rule, &holder);
        assert_int_equal(answer.holds, rows[i].until_s != 0);
        assert_int_equal(answer.until_s, rows[i].until_s);
    }
}

static void an_unknown_country_is_neither_in_nor_out(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sgd_place place = {.country = {'D', 'E'}};
    struct sgd_holder holder = holder_of('a');
    assert_false(ask_as(w, "country(DE)", &holder).holds);
    assert_false(ask_as(w, "not country(KP)", &holder).holds);
    holder.place = &place;
    assert_true(ask_as(w, "country(AT, DE)", &holder).holds);
    assert_true(ask_as(w, "not country(KP, IR)", &holder).holds);
    assert_false(ask_as(w, "country(AT)", &holder).holds);
    memset(place.country, 0, 2);
    assert_false(ask_as(w, "not country(KP)", &holder).holds);
}

/* ---- and, or, not ---- */

static void the_facts_are_those_of_the_alternative_that_held(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change one = owner_is(1, 'a', 'a'), three = owner_is(3, 'a', 'a');
    say(w, one);
    say(w, owner_is(2, 'b', 'b'));
    say(w, three);
    struct sgd_rule_answer answer =
        ask(w, "erc721(" A721 "/1) and erc721(" A721 "/2) or erc721(" A721 "/3)", 'a');
    assert_true(answer.holds && answer.facts_count == 1);
    assert_int_equal(answer.facts[0].key, three.id.key);
    answer = ask(w, "(erc721(" A721 "/2) or erc721(" A721 "/1)) and erc721(" A721 "/3)", 'a');
    assert_true(answer.holds && answer.facts_count == 2);
    answer = ask(w, "erc721(" A721 "/1) and erc721(" A721 "/1)", 'a');
    assert_int_equal(answer.facts_count, 1); /* each once */
}

static void what_is_not_known_is_neither_a_yes_nor_a_no(void **fixture)
{
    struct facts_world *w = *fixture;
    static const char *const rules[] = {"not erc721(" A721 "/1)", "not erc721(" A721 ")",
                                        "not erc1155(" A1155 "/1)"};
    for (size_t i = 0; i < SG_COUNT(rules); i++) /* there may be more than is followed */
        assert_false(ask(w, rules[i], 'a').holds);
    followed = SGE_FOLLOWED_WHOLE;
    for (size_t i = 0; i < SG_COUNT(rules); i++) {
        struct sgd_rule_answer answer = ask(w, rules[i], 'a');
        assert_true(answer.holds && answer.until_s == NOW_S + SGD_RULE_NOT_S);
    }
    say(w, owner_is(1, 'a', 'b'));
    assert_false(ask(w, rules[0], 'a').holds); /* at head it is theirs */
    assert_false(ask(w, rules[0], 'b').holds); /* at safe it still is */
    assert_false(ask(w, rules[1], 'a').holds);
    assert_true(ask(w, rules[0], 'c').holds);
}

/* An edge's rule names what the region's control plane does not follow, or not any more: whatever
 * lies in the state of it is neither a yes nor a no. */
static void what_is_not_followed_opens_nothing_and_says_so(void **fixture)
{
    struct facts_world *w = *fixture;
    static const char *const rules[] = {"erc721(" A721 "/1)",       "erc721(" A721 ")",
                                        "not erc721(" A721 "/1)",   "not erc721(" A721 ")",
                                        "erc1155(" A1155 "/1)",     "not erc1155(" A1155 "/1)",
                                        "not erc1155(" A1155 "/2)", "delegated(erc721(" A721 "))"};
    say(w, owner_is(1, 'a', 'a'));
    say(w, balance_is(1, 'a', 1, true));
    for (char letter = 'a'; letter <= 'b'; letter++)
        for (size_t i = 0; i < SG_COUNT(rules); i++) {
            followed = SGE_FOLLOWED_NOT;
            struct sgd_rule_answer answer = ask(w, rules[i], letter);
            assert_true(!answer.holds && answer.unfollowed);
            assert_non_null(strstr(answer.why, "control plane does not follow"));
            followed = SGE_FOLLOWED_READING;
            answer = ask(w, rules[i], letter);
            assert_true(!answer.holds && answer.unfollowed);
            assert_non_null(strstr(answer.why, "history is being read"));
        }
    followed = SGE_FOLLOWED_WHOLE;
    assert_true(ask(w, rules[0], 'a').holds && ask(w, rules[4], 'a').holds);
    assert_true(ask(w, rules[2], 'b').holds && ask(w, rules[5], 'b').holds);
    assert_false(ask(w, rules[0], 'b').unfollowed); /* all is known: it is theirs, or it is not */
}

/* One contract that is followed says nothing of another, nor a mint of its collection. */
static void what_is_followed_is_told_of_each_by_itself(void **fixture)
{
    struct facts_world *w = *fixture;
    static const char other[] = "eip155:1/erc721:0x00000000000000000000000000000000000000aa";
    static const char mint[] = "nft(" SOLANA "/nft:" MINT ")";
    static const char collection[] = "collection(" SOLANA "/nft:" MINT ")";
    struct sgd_rule_source a, b;
    struct sgd_rule *rules[2] = {compile(mint), compile(collection)};
    char text[256];
    assert_int_equal(sgd_rule_sources(rules[0], &a, 1), 1);
    assert_int_equal(sgd_rule_sources(rules[1], &b, 1), 1);
    assert_int_not_equal(a.group, b.group);
    assert_true(sg_str_eq(b.text, sg_str_from(collection)));
    sgd_rule_free(rules[0]);
    sgd_rule_free(rules[1]);

    followed = SGE_FOLLOWED_WHOLE;
    assert_true(ask(w, "not erc721(" A721 ")", 'a').holds);
    followed = SGE_FOLLOWED_NOT;
    snprintf(text, sizeof(text), "not erc721(%s)", other);
    assert_false(ask(w, text, 'a').holds);
}

/* Nobody speaks of following there: what is there counts, and nothing follows from the rest. */
static void what_was_said_by_hand_counts_as_it_is(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change one = owner_is(1, 'a', 'a');
    struct sgd_holder holder = holder_of('a');
    struct sgd_rule_answer answer;
    uint64_t generation;
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {{"erc721(" A721 "/1)", true},      {"erc721(" A721 ")", true},
                {"erc721(" A721 "/2)", false},     {"not erc721(" A721 "/2)", false},
                {"not erc721(" A721 "/1)", false}, {"not erc1155(" A1155 "/1)", false}};
    one.chain = 0;
    assert_int_equal(sge_state_change(w->state, &one, &generation), SG_OK);
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_rule *rule = compile(rows[i].text);
        assert_int_equal(sge_state_begin(w->reader), SG_OK);
        sgd_rule_check(rule, w->reader, &holder, &answer);
        sge_state_end(w->reader);
        assert_int_equal(answer.holds, rows[i].holds);
        assert_false(answer.unfollowed);
        sgd_rule_free(rule);
    }
}

static void more_facts_than_a_token_may_name_are_a_no(void **fixture)
{
    struct facts_world *w = *fixture;
    char text[1024] = "erc721(" A721 "/0)", more[128];
    say(w, owner_is(0, 'a', 'a'));
    for (uint64_t i = 1; i < 10; i++) {
        say(w, owner_is(i, 'a', 'a'));
        snprintf(more, sizeof(more), " and erc721(" A721 "/%u)", (unsigned)i);
        strcat(text, more);
        struct sgd_rule_answer answer = ask(w, text, 'a');
        assert_int_equal(answer.holds, i < 8);
    }
}

static void a_check_ends_after_so_many_look_ups(void **fixture)
{
    struct facts_world *w = *fixture;
    static struct sge_change changes[SGD_RULE_STEPS_MAX + 10];
    for (uint64_t i = 0; i < SG_COUNT(changes); i++)
        changes[i] = owner_is(i, 'a', 'a');
    assert_int_equal(stream_says(w, changes, SG_COUNT(changes)), SG_OK);
    struct sgd_rule_answer answer = ask(w, "erc721(" A721 ", 100000..100001)", 'a');
    assert_false(answer.holds);
    assert_non_null(strstr(answer.why, "more look-ups"));
}

/* ---- random rules against a plain evaluator ---- */

#define TOKENS 8
enum truth { NO, UNKNOWN, YES };

static uint64_t seed;

static uint32_t roll(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

struct random_rule {
    struct sg_out text;
    char memory[4096];
    uint8_t polish[512]; /* a leaf's number; 'n', 'a', 'o' after what they join */
    size_t count;
};

static void random_leaf(struct random_rule *rule)
{
    uint32_t leaf = roll(TOKENS + 2);
    if (leaf < TOKENS)
        sg_out_fmt(&rule->text, "erc721(" A721 "/%u)", leaf);
    else
        sg_out_fmt(&rule->text, "country(%s)", leaf == TOKENS ? "DE" : "AT");
    rule->polish[rule->count++] = (uint8_t)leaf;
}

static void random_rule(struct random_rule *rule, uint32_t depth)
{
    uint32_t kind = depth == 0 ? 0 : roll(5);
    if (kind <= 1) {
        random_leaf(rule);
    } else if (kind == 2) {
        sg_out_lit(&rule->text, "not ");
        random_rule(rule, depth - 1);
        rule->polish[rule->count++] = 'n';
    } else {
        sg_out_char(&rule->text, '(');
        random_rule(rule, depth - 1);
        for (uint32_t more = 1 + roll(2); more > 0; more--) {
            sg_out_str(&rule->text, kind == 3 ? SG_STR(" and ") : SG_STR(" or "));
            random_rule(rule, depth - 1);
            rule->polish[rule->count++] = kind == 3 ? 'a' : 'o';
        }
        sg_out_char(&rule->text, ')');
    }
}

static enum truth plainly(const struct random_rule *rule, const enum truth leaves[TOKENS + 2])
{
    enum truth stack[512];
    size_t top = 0;
    for (size_t i = 0; i < rule->count; i++) {
        uint8_t c = rule->polish[i];
        if (c < TOKENS + 2) {
            stack[top++] = leaves[c];
        } else if (c == 'n') {
            stack[top - 1] = YES - stack[top - 1];
        } else {
            enum truth a = stack[top - 2], b = stack[top - 1];
            stack[--top - 1] = c == 'a' ? SG_MIN(a, b) : SG_MAX(a, b);
        }
    }
    assert_int_equal(top, 1);
    return stack[0];
}

static void random_rules_hold_as_a_plain_evaluator_says(void **fixture)
{
    struct facts_world *w = *fixture;
    static const struct {
        char head, safe;
        enum truth truth;
    } states[] = {
        {0, 0, UNKNOWN}, {'a', 'a', YES}, {'a', 'b', UNKNOWN}, {'b', 'a', UNKNOWN}, {'b', 'b', NO}};
    struct sgd_place place = {.country = {'D', 'E'}};
    struct sgd_holder holder = holder_of('a');
    uint32_t yes = 0;
    holder.place = &place;
    seed = 1;
    for (uint32_t round = 0; round < 100; round++) { /* new facts each */
        enum truth leaves[TOKENS + 2] = {[TOKENS] = YES, [TOKENS + 1] = NO};
        struct sge_change changes[TOKENS];
        for (uint32_t i = 0; i < TOKENS; i++) {
            uint32_t state = 1 + roll(SG_COUNT(states) - 1);
            changes[i] = owner_is(i, states[state].head, states[state].safe);
            leaves[i] = states[state].truth;
        }
        assert_int_equal(stream_says(w, changes, TOKENS - (round == 0)), SG_OK);
        if (round == 0)
            leaves[TOKENS - 1] = UNKNOWN;
        for (uint32_t n = 0; n < 30; n++) {
            struct random_rule rule = {.count = 0};
            rule.text = sg_out_init(rule.memory, sizeof(rule.memory) - 1);
            random_rule(&rule, 4);
            if (rule.text.full || rule.count > 200)
                continue;
            struct sgd_rule_answer answer = ask_as(w, rule.memory, &holder);
            if (answer.holds != (plainly(&rule, leaves) == YES))
                fail_msg("%s: %d", rule.memory, answer.holds);
            if (!answer.holds)
                continue;
            enum truth named[TOKENS + 2]; /* the facts named are reason enough */
            memcpy(named, leaves, sizeof(named));
            for (uint32_t i = 0; i < TOKENS; i++) {
                named[i] = UNKNOWN;
                for (uint8_t f = 0; f < answer.facts_count; f++)
                    if (answer.facts[f].key == changes[i].id.key)
                        named[i] = leaves[i];
            }
            assert_int_equal(plainly(&rule, named), YES);
            yes++;
        }
    }
    assert_true(yes > 500);
}

#define RULE_TEST(name) cmocka_unit_test_setup_teardown(name, rule_set_up, facts_tear_down)
static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_no_rule_is_refused_with_the_column_and_what_would_be_right),
    cmocka_unit_test(a_rule_that_is_too_large_is_refused),
    cmocka_unit_test(the_assets_that_must_be_followed_are_told_once_each),
    cmocka_unit_test(compiling_undoes_itself_at_every_failing_allocation),
    RULE_TEST(an_owner_at_head_and_at_safe_meets_it_and_nobody_else),
    RULE_TEST(what_is_given_counts_at_safe_and_what_is_taken_at_head),
    RULE_TEST(any_token_of_a_contract_or_a_range_of_ids_will_do),
    RULE_TEST(a_balance_meets_its_least_amount_at_head_and_at_safe),
    RULE_TEST(the_user_of_a_rented_token_meets_it_until_its_time_is_over),
    RULE_TEST(an_account_of_another_chain_is_another_account_unless_a_key_signed),
    RULE_TEST(solana_mints_collections_and_creators_are_found),
    RULE_TEST(who_was_delegated_to_by_a_vault_meets_what_the_vault_has),
    RULE_TEST(a_delegation_reaches_as_far_as_it_says),
    RULE_TEST(who_proves_a_place_in_the_list_meets_it),
    RULE_TEST(a_list_that_changes_has_another_generation_and_one_that_does_not_has_none),
    RULE_TEST(windows_begin_and_end_to_the_second),
    RULE_TEST(an_unknown_country_is_neither_in_nor_out),
    RULE_TEST(the_facts_are_those_of_the_alternative_that_held),
    RULE_TEST(what_is_not_known_is_neither_a_yes_nor_a_no),
    RULE_TEST(what_is_not_followed_opens_nothing_and_says_so),
    RULE_TEST(what_is_followed_is_told_of_each_by_itself),
    RULE_TEST(what_was_said_by_hand_counts_as_it_is),
    RULE_TEST(more_facts_than_a_token_may_name_are_a_no),
    RULE_TEST(a_check_ends_after_so_many_look_ups),
    RULE_TEST(random_rules_hold_as_a_plain_evaluator_says),
};
SGT_MAIN("rule", tests)
