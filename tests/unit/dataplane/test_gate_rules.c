#include "tests/sgt.h"

#include "dataplane/gate/rule.h"
#include "tests/unit/dataplane/gate_world.h"

#define CONTRACT "0x06012c8cf97bead5deae237070f9587f8e7a266d"
#define HEAD     7u

static struct sg_conf_rule rule_is(const char *require)
{
    return (struct sg_conf_rule){
        .name = "holders", .tenant = "acme", .version = 3, .require = require};
}

/* The configuration with that rule, at the gated site. */
static void world_rule(struct world *w, struct sg_conf_rule *rule)
{
    w->config.rules = rule;
    w->config.rules_count = 1;
    w->sites[WORLD_GATED].rule = "holders";
    world_open_gate(w);
}

static void a_site_has_the_rule_that_it_names(void **fixture)
{
    struct world *w = *fixture;
    struct sg_conf_rule rule = rule_is("erc721(eip155:1/erc721:" CONTRACT ")");
    struct sgd_gate_terms terms;
    assert_null(sgd_gate_rule(w->gate, WORLD_GATED));
    world_rule(w, &rule);
    assert_int_equal(w->report.len, 0);
    assert_non_null(sgd_gate_rule(w->gate, WORLD_GATED));
    assert_null(sgd_gate_rule(w->gate, WORLD_PUBLIC));
    assert_true(sgd_gate_terms(w->gate, WORLD_GATED, &terms));
    assert_true(terms.rule == sgd_gate_rule(w->gate, WORLD_GATED) && terms.rule_version == 3);
}

static void a_rule_that_cannot_be_compiled_closes_its_sites_and_no_others(void **fixture)
{
    struct world *w = *fixture;
    struct sg_conf_rule rule = rule_is("erc721(eip155:1/erc721:0x12)");
    world_rule(w, &rule);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    assert_true(sgd_gate_unreadable(w->gate) >= 1);
    w->report_memory[w->report.len] = 0;
    assert_non_null(
        strstr(w->report_memory, "rules[0].require: rule holders: 8: expected an asset"));
    assert_non_null(strstr(w->report_memory, "site gated is closed: its rule can't be compiled"));
    w->site = WORLD_PUBLIC;
    assert_int_equal(world_verdict(w), SGD_GATE_public);
}

static void a_rule_that_is_not_the_tenants_or_needs_what_is_missing_closes_too(void **fixture)
{
    struct world *w = *fixture;
    struct sg_conf_rule rule = rule_is("country(DE)");
    world_rule(w, &rule); /* there is no country_db */
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    rule = rule_is("daily(\"10:00\", \"12:00\")");
    rule.tenant = "rival";
    world_rule(w, &rule);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    rule = rule_is("daily(\"10:00\", \"12:00\")");
    rule.name = "others";
    world_rule(w, &rule);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    w->sites[WORLD_GATED].rule = "others";
    world_open_gate(w);
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
}

static void a_token_of_an_older_version_of_the_rule_is_refused(void **fixture)
{
    struct world *w = *fixture;
    struct sg_conf_rule rule = rule_is("daily(\"10:00\", \"12:00\")");
    world_rule(w, &rule);
    assert_int_equal(world_mint_verdict(w), SGD_GATE_allowed); /* a back end's, of no rule */
    assert_int_equal(sge_state_heartbeat(w->state, WORLD_NOW_S * SG_NS_PER_SEC), SG_OK);
    w->claims.has_facts = true;
    w->claims.rule_version = 2;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_rule_version);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_version);
    w->claims.rule_version = 3;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_allowed);
    assert_int_equal(world_answer(w).rule_version, 3);
}

/* ---- the age of a chain's head ---- */

/* A token that rests on a fact of the chain HEAD, and a feed that is young. */
static void world_chain_token(struct world *w)
{
    struct sge_change change = {.id.key = 77,
                                .kind = SGE_FACT_OWNER,
                                .chain = HEAD,
                                .head = "a",
                                .groups_count = 1,
                                .groups = {4711}},
                      followed;
    uint64_t generation;
    sge_followed_make(4711, HEAD, SGE_FOLLOWED_WHOLE, &followed);
    assert_int_equal(sge_state_change(w->state, &followed, &generation), SG_OK);
    w->claims.has_facts = true;
    w->claims.facts_count = 1;
    w->claims.facts[0].key = 77;
    assert_int_equal(sge_state_change(w->state, &change, &w->claims.facts[0].generation), SG_OK);
    assert_int_equal(sge_state_heartbeat(w->state, WORLD_NOW_S * SG_NS_PER_SEC), SG_OK);
    world_mint(w);
}

static void chain_heard(struct world *w, uint64_t heard_s, uint64_t head_s, uint64_t late_s)
{
    const struct sge_chain chain = {
        .id = HEAD, .heard_ns = heard_s * SG_NS_PER_SEC, .head_s = head_s, .late_s = late_s};
    assert_int_equal(sge_state_chain_heard(w->state, &chain), SG_OK);
}

static void the_age_of_a_chains_head_is_judged_apart_from_the_feeds(void **fixture)
{
    struct world *w = *fixture;
    world_chain_token(w);
    assert_int_equal(world_verdict(w), SGD_GATE_chain_stale); /* nobody ever heard of it */
    chain_heard(w, WORLD_NOW_S - 30, WORLD_NOW_S - 1000, 0);
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
    chain_heard(w, WORLD_NOW_S - 31, WORLD_NOW_S, 0);
    assert_int_equal(world_verdict(w), SGD_GATE_chain_stale);
    chain_heard(w, WORLD_NOW_S + 61, WORLD_NOW_S, 0); /* a clock that was wrong */
    assert_int_equal(world_verdict(w), SGD_GATE_chain_stale);
    chain_heard(w, WORLD_NOW_S, WORLD_NOW_S - 100, 100);
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
    chain_heard(w, WORLD_NOW_S, WORLD_NOW_S - 101, 100); /* it stands still, whoever says so */
    assert_int_equal(world_verdict(w), SGD_GATE_chain_stale);
    assert_int_equal(w->stats.gate[SGD_GATE_chain_stale], 4);
}

static void a_tenant_chooses_for_old_heads_as_for_an_old_feed(void **fixture)
{
    struct world *w = *fixture;
    world_chain_token(w);
    chain_heard(w, WORLD_NOW_S - 40, WORLD_NOW_S, 0);
    w->tenants[0].on_stale = SG_CONF_STALE_SERVE;
    world_open_gate(w);
    struct sgd_gate_answer answer = world_answer(w);
    assert_true(answer.verdict == SGD_GATE_allowed && answer.stale_chain);
    assert_false(answer.stale_knowledge);
    assert_int_equal(w->stats.value[SGE_STAT_gate_stale_chain], 1);
    w->tenants[0].on_stale = SG_CONF_STALE_SHORTEN;
    world_open_gate(w);
    answer = world_answer(w);
    assert_true(answer.verdict == SGD_GATE_allowed && answer.stale_chain);
    assert_true(answer.expires_ns == (WORLD_NOW_S + 20) * SG_NS_PER_SEC);
    chain_heard(w, WORLD_NOW_S - 60, WORLD_NOW_S, 0);
    assert_int_equal(world_verdict(w), SGD_GATE_chain_stale);
}

static const struct CMUnitTest tests[] = {
    WORLD_TEST(a_site_has_the_rule_that_it_names),
    WORLD_TEST(a_rule_that_cannot_be_compiled_closes_its_sites_and_no_others),
    WORLD_TEST(a_rule_that_is_not_the_tenants_or_needs_what_is_missing_closes_too),
    WORLD_TEST(a_token_of_an_older_version_of_the_rule_is_refused),
    WORLD_TEST(the_age_of_a_chains_head_is_judged_apart_from_the_feeds),
    WORLD_TEST(a_tenant_chooses_for_old_heads_as_for_an_old_feed),
};
SGT_MAIN("gate_rules", tests)
