#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/state/facts.h"
#include "tests/unit/dataplane/gate_world.h"

static void assert_verdict_again(struct world *w, enum sgd_gate_verdict verdict)
{
    assert_int_equal(world_verdict(w), verdict); /* judged */
    assert_int_equal(world_verdict(w), verdict); /* from the cache */
}

static void a_good_token_opens_and_is_told_in_the_answer(void **fixture)
{
    struct world *w = *fixture;
    for (int again = 0; again < 2; again++) {
        struct sgd_gate_answer answer = world_answer(w);
        assert_int_equal(answer.verdict, SGD_GATE_allowed);
        assert_true(answer.token_used && !answer.stale_knowledge && !answer.renewable);
        assert_memory_equal(answer.cti, w->claims.cti, 16);
        assert_true(answer.expires_ns == w->claims.expires_s * SG_NS_PER_SEC);
    }
    assert_int_equal(w->stats.value[SGE_STAT_gate_macs], 1);
    assert_int_equal(w->stats.value[SGE_STAT_gate_verdict_hits], 1);
    assert_int_equal(w->stats.value[SGE_STAT_gate_allowed], 2);
    assert_int_equal(w->stats.gate[SGD_GATE_allowed], 2);
}

static void the_site_decides_and_nothing_in_the_request_changes_its_rule(void **fixture)
{
    struct world *w = *fixture;
    w->stripped = (struct sgd_stripped){.carrier = SGD_CARRIER_NONE};
    w->req.query = SG_STR("contract=0xanything&access=public");
    assert_int_equal(world_verdict(w), SGD_GATE_no_token);
    w->site = WORLD_PUBLIC;
    assert_int_equal(world_verdict(w), SGD_GATE_public);
    w->site = WORLD_SITES;
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    world_mint(w);
    w->site = WORLD_CLOSED;
    assert_int_equal(world_verdict(w), SGD_GATE_closed);
    assert_int_equal(w->stats.value[SGE_STAT_gate_refused], 3);
}

static void every_changed_byte_of_a_token_is_refused(void **fixture)
{
    struct world *w = *fixture;
    char *text = w->text;
    assert_int_equal(world_verdict(w), SGD_GATE_allowed); /* the genuine one is in the cache */
    for (size_t i = 0; i < w->stripped.token.len; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(world_verdict(w), SGD_GATE_allowed);
        text[i] = '=';
        assert_int_equal(world_verdict(w), SGD_GATE_malformed);
        text[i] = was;
    }
    for (size_t len = 0; len < w->stripped.token.len; len++) {
        struct sg_str whole = w->stripped.token;
        w->stripped.token.len = len;
        assert_int_not_equal(world_verdict(w), SGD_GATE_allowed);
        w->stripped.token = whole;
    }
    text[w->stripped.token.len++] = 'A';
    assert_int_not_equal(world_verdict(w), SGD_GATE_allowed);
}

static void a_token_of_another_key_region_or_tenant_is_refused(void **fixture)
{
    struct world *w = *fixture;
    w->site = WORLD_OTHER; /* another tenant's site */
    assert_verdict_again(w, SGD_GATE_tenant);
    w->site = WORLD_GATED;
    assert_verdict_again(w, SGD_GATE_allowed);
    w->site = WORLD_OTHER; /* nor from the cache */
    assert_verdict_again(w, SGD_GATE_tenant);
    w->site = WORLD_GATED;
    w->kid.region = SG_STR("elsewhere");
    assert_int_equal(world_mint_verdict(w), SGD_GATE_key_unknown);
    world_default_claims(w);
    w->claims.audience = SG_STR("rival");
    assert_int_equal(world_mint_verdict(w), SGD_GATE_tenant);
    world_default_claims(w);
    w->claims.audience = SG_STR_NONE;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_tenant);
    world_default_claims(w);
    w->claims.issuer = SG_STR("sg:rival");
    assert_int_equal(world_mint_verdict(w), SGD_GATE_tenant);
    world_default_claims(w);
    w->tenant_key[0] ^= 1;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_mac);
}

static void times_are_judged_on_every_request(void **fixture)
{
    struct world *w = *fixture;
    w->claims.not_before_s = WORLD_NOW_S;
    w->claims.issued_s = WORLD_NOW_S;
    world_mint(w);
    w->now_s = WORLD_NOW_S - 61; /* a minter's clock may be 60 s ahead */
    assert_verdict_again(w, SGD_GATE_not_yet);
    w->now_s = WORLD_NOW_S - 60;
    assert_verdict_again(w, SGD_GATE_allowed);
    w->now_s = w->claims.expires_s - 1;
    assert_verdict_again(w, SGD_GATE_allowed);
    w->now_s = w->claims.expires_s;
    assert_verdict_again(w, SGD_GATE_expired);
    w->claims.not_before_s = 0;
    w->claims.issued_s = WORLD_NOW_S + 120;
    world_mint(w);
    w->now_s = WORLD_NOW_S;
    assert_verdict_again(w, SGD_GATE_not_yet);
}

static void two_epochs_are_accepted_and_the_lowest_can_be_raised(void **fixture)
{
    struct world *w = *fixture;
    const uint32_t today = w->kid.epoch, tenant = sge_tenant_id(SG_STR("acme"));
    static const struct {
        int32_t epoch;
        enum sgd_gate_verdict verdict;
    } rows[] = {
        {-2, SGD_GATE_epoch}, {-1, SGD_GATE_allowed}, {0, SGD_GATE_allowed}, {1, SGD_GATE_epoch}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        w->kid.epoch = today + (uint32_t)rows[i].epoch;
        assert_int_equal(world_mint_verdict(w), rows[i].verdict);
    }
    w->kid.epoch = today;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_allowed);
    assert_int_equal(sge_state_raise_epoch(w->state, tenant, today + 1), SG_OK);
    assert_int_equal(world_verdict(w), SGD_GATE_epoch); /* the cached one too */
    w->kid.epoch = today + 1;                           /* which minters now use */
    assert_int_equal(sgd_epoch_current(WORLD_NOW_S, today + 1), today + 1);
    assert_int_equal(world_mint_verdict(w), SGD_GATE_allowed);
    w->now_s += 2 * SGD_EPOCH_S; /* a token lives as long as its epoch, whatever its exp says */
    w->claims.expires_s = w->now_s + 10;
    w->kid.epoch = today;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_epoch);
}

static void host_path_and_method_are_judged_on_every_request(void **fixture)
{
    struct world *w = *fixture;
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
    w->path = SG_STR("/other/seg1.m4s");
    assert_verdict_again(w, SGD_GATE_path);
    w->path = SG_STR("/asset");
    assert_verdict_again(w, SGD_GATE_path);
    w->path = SG_STR("/asset/x");
    w->req.authority = SG_STR("other.example");
    assert_verdict_again(w, SGD_GATE_host);
    w->req.authority = SG_STR("video.example");
    w->req.method = SGD_METHOD_POST;
    assert_verdict_again(w, SGD_GATE_method);
    w->req.method = SGD_METHOD_OTHER;
    assert_verdict_again(w, SGD_GATE_method);
    w->req.method = SGD_METHOD_HEAD;
    assert_verdict_again(w, SGD_GATE_allowed);
}

static void a_change_of_owner_revokes_at_once(void **fixture)
{
    struct world *w = *fixture;
    uint8_t alice[32] = "alice", bob[32] = "bob";
    uint64_t generation, other;
    assert_int_equal(sge_state_heartbeat(w->state, WORLD_NOW_S * SG_NS_PER_SEC), SG_OK);
    assert_int_equal(sge_state_fact_set(w->state, 77, alice, alice, 1, &generation), SG_OK);
    w->claims.has_facts = true;
    w->claims.facts_count = 1;
    w->claims.facts[0] = (struct sgd_token_fact){77, generation};
    world_mint(w);
    assert_verdict_again(w, SGD_GATE_allowed);
    assert_true(world_answer(w).fact_key == 77 && world_answer(w).fact_generation == generation);
    assert_int_equal(sge_state_fact_set(w->state, 78, alice, alice, 1, &other), SG_OK);
    assert_verdict_again(w, SGD_GATE_allowed); /* another asset's business */
    assert_int_equal(sge_state_fact_set(w->state, 77, bob, alice, 2, &other), SG_OK);
    assert_verdict_again(w, SGD_GATE_ownership);
    assert_int_equal(sge_state_fact_set(w->state, 77, alice, alice, 2, &other), SG_OK);
    assert_verdict_again(w, SGD_GATE_ownership); /* restored: under a new generation */
    w->claims.facts[0].generation = other;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_allowed);
    w->claims.facts_count = 2; /* all must hold */
    w->claims.facts[1] = (struct sgd_token_fact){79, 1};
    assert_int_equal(world_mint_verdict(w), SGD_GATE_fact_unknown);
    w->claims.facts_count = 1;
    w->claims.rule_version = 1;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_allowed);
    assert_int_equal(sge_state_raise_rule(w->state, sge_tenant_id(SG_STR("acme")), 1), SG_OK);
    assert_verdict_again(w, SGD_GATE_allowed); /* the lowest that is accepted */
    assert_int_equal(sge_state_raise_rule(w->state, sge_tenant_id(SG_STR("acme")), 2), SG_OK);
    assert_verdict_again(w, SGD_GATE_rule_version);
}

/* What nobody hears of any more may have been sold since; followed again, it is what it is. */
static void a_token_rests_on_what_is_followed_and_on_nothing_else(void **fixture)
{
    struct world *w = *fixture;
    const uint64_t contract = 4711;
    struct sge_change film = {.id = {77, 1},
                              .kind = SGE_FACT_OWNER,
                              .bump = true,
                              .chain = 1,
                              .head = "alice",
                              .safe = "alice",
                              .groups_count = 1,
                              .groups = {contract}};
    struct sge_chain chain = {.id = 1, .heard_ns = WORLD_NOW_S * SG_NS_PER_SEC};
    struct sge_batch batch = {.stream = "stream", .seq = 1, .changes = &film, .changes_count = 1};
    static const struct {
        enum sge_followed how;
        enum sgd_gate_verdict verdict;
    } rows[] = {{SGE_FOLLOWED_READING, SGD_GATE_unfollowed},
                {SGE_FOLLOWED_WHOLE, SGD_GATE_allowed},
                {SGE_FOLLOWED_NOT, SGD_GATE_unfollowed},
                {SGE_FOLLOWED_PART, SGD_GATE_allowed}};
    assert_int_equal(sge_state_apply(w->state, &batch), SG_OK);
    assert_int_equal(sge_state_heartbeat(w->state, WORLD_NOW_S * SG_NS_PER_SEC), SG_OK);
    assert_int_equal(sge_state_chain_heard(w->state, &chain), SG_OK);
    w->claims.has_facts = true;
    w->claims.facts_count = 1;
    w->claims.facts[0] = (struct sgd_token_fact){77, 1};
    assert_int_equal(world_mint_verdict(w), SGD_GATE_unfollowed); /* never heard of */
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sge_change how;
        sge_followed_make(contract, 1, rows[i].how, &how);
        batch.seq++;
        batch.changes = &how;
        assert_int_equal(sge_state_apply(w->state, &batch), SG_OK);
        assert_verdict_again(w, rows[i].verdict);
        assert_int_equal(world_answer(w).fact_key, 77);
    }
}

static void revocations_reach_a_cached_token_at_once(void **fixture)
{
    struct world *w = *fixture;
    const uint32_t tenant = sge_tenant_id(SG_STR("acme"));
    uint64_t until = (WORLD_NOW_S + 3600) * SG_NS_PER_SEC;
    w->claims.has_index = true;
    w->claims.index = 4711;
    world_mint(w);
    assert_verdict_again(w, SGD_GATE_allowed);
    assert_int_equal(sge_state_revoke_index(w->state, tenant, 4710), SG_OK);
    assert_verdict_again(w, SGD_GATE_allowed);
    assert_int_equal(sge_state_revoke_index(w->state, tenant, 4711), SG_OK);
    assert_verdict_again(w, SGD_GATE_revoked);
    w->claims.has_index = false;
    world_mint(w);
    assert_verdict_again(w, SGD_GATE_allowed);
    until = sg_clock_wall_ns() + SG_NS_PER_SEC;
    assert_int_equal(sge_state_revoke_cti(w->state, tenant, w->claims.cti, until), SG_OK);
    assert_verdict_again(w, SGD_GATE_revoked);
}

static void a_stale_feed_stops_tokens_that_rest_on_facts_and_no_others(void **fixture)
{
    struct world *w = *fixture;
    const uint64_t fed = WORLD_NOW_S * SG_NS_PER_SEC;
    uint8_t alice[32] = "alice";
    assert_verdict_again(w, SGD_GATE_allowed); /* without facts: it never spoke, and need not */
    w->claims.has_facts = true;
    w->claims.facts_count = 1;
    w->claims.facts[0].key = 77;
    assert_int_equal(
        sge_state_fact_set(w->state, 77, alice, alice, 1, &w->claims.facts[0].generation), SG_OK);
    world_mint(w);
    assert_verdict_again(w, SGD_GATE_feed_stale); /* it never spoke */
    assert_int_equal(sge_state_heartbeat(w->state, fed), SG_OK);
    assert_verdict_again(w, SGD_GATE_allowed);
    w->now_s = WORLD_NOW_S + 30;
    assert_verdict_again(w, SGD_GATE_allowed);
    w->now_s = WORLD_NOW_S + 31;
    assert_verdict_again(w, SGD_GATE_feed_stale);
    assert_int_equal(sge_state_heartbeat(w->state, fed + 3600 * SG_NS_PER_SEC), SG_OK);
    assert_verdict_again(w, SGD_GATE_feed_stale); /* a clock that was wrong */
}

static void a_tenant_may_choose_to_serve_on_or_to_shorten(void **fixture)
{
    struct world *w = *fixture;
    const uint64_t fed = WORLD_NOW_S * SG_NS_PER_SEC;
    uint8_t alice[32] = "alice";
    w->claims.has_facts = true;
    w->claims.facts_count = 1;
    w->claims.facts[0].key = 77;
    assert_int_equal(
        sge_state_fact_set(w->state, 77, alice, alice, 1, &w->claims.facts[0].generation), SG_OK);
    assert_int_equal(sge_state_heartbeat(w->state, fed), SG_OK);
    world_mint(w);
    w->tenants[0].on_stale = SG_CONF_STALE_SERVE;
    world_open_gate(w);
    w->now_s = WORLD_NOW_S + 1000;
    struct sgd_gate_answer answer = world_answer(w);
    assert_true(answer.verdict == SGD_GATE_allowed && answer.stale_knowledge);
    w->tenants[0].on_stale = SG_CONF_STALE_SHORTEN;
    world_open_gate(w);
    assert_int_equal(world_verdict(w), SGD_GATE_feed_stale);
    w->now_s = WORLD_NOW_S + 59;
    answer = world_answer(w);
    assert_true(answer.verdict == SGD_GATE_allowed && answer.stale_knowledge);
    assert_true(answer.expires_ns == fed + 60 * SG_NS_PER_SEC);
    w->now_s = WORLD_NOW_S + 20;
    answer = world_answer(w);
    assert_true(answer.verdict == SGD_GATE_allowed && !answer.stale_knowledge);
    assert_true(answer.expires_ns == w->claims.expires_s * SG_NS_PER_SEC);
}

static void a_rule_that_cannot_be_read_closes_its_site_and_no_other(void **fixture)
{
    struct world *w = *fixture;
    static const char *const countries[] = {"DE"}, *const nonsense[] = {"Germany"};
    assert_int_equal(w->report.len, 0);
    w->tenants[0].secret_file = "/nowhere/secret";
    world_open_gate(w);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    assert_non_null(memmem(w->report.ptr, w->report.len, "/nowhere/secret", 15));
    w->site = WORLD_PUBLIC; /* which needs no key */
    assert_int_equal(world_verdict(w), SGD_GATE_public);
    w->sites[WORLD_PUBLIC].geo.allow = (const char **)countries;
    w->sites[WORLD_PUBLIC].geo.allow_count = 1;
    world_open_gate(w); /* a geo rule without a database */
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    w->sites[WORLD_PUBLIC].geo.allow_count = 0;
    w->sites[WORLD_PUBLIC].geo.deny = (const char **)nonsense;
    w->sites[WORLD_PUBLIC].geo.deny_count = 1;
    world_open_gate(w);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    world_configure(w);
    w->sites[WORLD_PUBLIC].access = (enum sg_conf_access)9;
    world_open_gate(w);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    world_configure(w);
    w->sites[WORLD_GATED].tenant = "nobody";
    world_open_gate(w);
    w->site = WORLD_GATED;
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    world_write_file(w->secret_file, "too short\n");
    world_configure(w);
    world_open_gate(w);
    assert_int_equal(world_verdict(w), SGD_GATE_rule_unreadable);
    assert_non_null(memmem(w->report.ptr, w->report.len, "32 to 1024", 10));
}

static void without_a_state_no_token_opens(void **fixture)
{
    struct world *w = *fixture;
    struct sgd_gate_answer answer;
    struct sgd_gate_request in = {.req = &w->req,
                                  .stripped = &w->stripped,
                                  .path = w->path,
                                  .site = WORLD_GATED,
                                  .wall_ns = w->now_s * SG_NS_PER_SEC};
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
    sgd_gate_decide(w->gate, w->core, NULL, &w->stats, &in, &answer);
    assert_int_equal(answer.verdict, SGD_GATE_state);
    in.site = WORLD_PUBLIC;
    sgd_gate_decide(w->gate, w->core, NULL, &w->stats, &in, &answer);
    assert_int_equal(answer.verdict, SGD_GATE_public);
}

static void another_configuration_s_keys_do_not_find_this_one_s_verdicts(void **fixture)
{
    struct world *w = *fixture;
    assert_verdict_again(w, SGD_GATE_allowed);
    world_write_file(w->secret_file, "another secret of thirty-two bytes or more\n");
    world_open_gate(w);
    assert_verdict_again(w, SGD_GATE_mac);
}

static void expiry_leads_to_renewal_where_the_token_says_so(void **fixture)
{
    struct world *w = *fixture;
    w->claims.renewal = SG_STR("https://video.example/renew");
    world_mint(w);
    assert_false(world_answer(w).renewable);
    w->now_s = w->claims.expires_s;
    struct sgd_gate_answer answer = world_answer(w);
    assert_true(answer.verdict == SGD_GATE_expired && answer.renewable);
    assert_string_equal(answer.location, "https://video.example/renew");
    static const char *const bad[] = {"http://video.example/",       "//evil.example/", "renew",
                                      "https://x/\r\nSet-Cookie: a", "/\\evil.example", ""};
    for (size_t i = 0; i < SG_COUNT(bad); i++) {
        w->claims.renewal = sg_str_from(bad[i]);
        world_mint(w);
        assert_false(world_answer(w).renewable);
    }
}

static void networks_are_judged_by_prefix(void **fixture)
{
    struct world *w = *fixture;
    w->claims.networks_count = 2;
    w->claims.networks[0] = (struct sgd_token_network){
        .address = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2}, .bits = 96 + 23};
    w->claims.networks[1] =
        (struct sgd_token_network){.address = {0x20, 0x01, 0x0d, 0xb8}, .bits = 32};
    world_mint(w);
    static const struct {
        const char *address;
        enum sgd_gate_verdict verdict;
    } rows[] = {{"::ffff:192.0.2.7", SGD_GATE_allowed}, {"::ffff:192.0.3.255", SGD_GATE_allowed},
                {"::ffff:192.0.4.0", SGD_GATE_network}, {"2001:db8:1::1", SGD_GATE_allowed},
                {"2001:db9::1", SGD_GATE_network},      {"::192.0.2.7", SGD_GATE_network}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        assert_int_equal(inet_pton(AF_INET6, rows[i].address, &w->peer.remote.sin6_addr), 1);
        assert_verdict_again(w, rows[i].verdict);
    }
    w->req.peer = NULL;
    assert_verdict_again(w, SGD_GATE_network);
}

static void a_token_s_viewers_are_bounded_at_the_same_time(void **fixture)
{
    struct world *w = *fixture;
    static char subject[2000];
    static const struct {
        const char *address;
        uint64_t after_s;
        enum sgd_gate_verdict verdict;
    } rows[] = {{"::ffff:192.0.2.1", 0, SGD_GATE_allowed},
                {"2001:db8:0:1::1", 0, SGD_GATE_allowed},
                {"2001:db8:0:1::2", 1, SGD_GATE_allowed}, /* the same household */
                {"::ffff:192.0.2.2", 1, SGD_GATE_concurrency},
                {"2001:db8:0:2::1", 30, SGD_GATE_concurrency},
                {"::ffff:192.0.2.1", 59, SGD_GATE_allowed},
                {"::ffff:192.0.2.2", 60, SGD_GATE_concurrency},
                {"::ffff:192.0.2.2", 61, SGD_GATE_allowed}, /* the household has left */
                {"2001:db8:0:1::1", 62, SGD_GATE_concurrency}};
    w->claims.viewers = 2;
    world_mint(w);
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        assert_int_equal(inet_pton(AF_INET6, rows[i].address, &w->peer.remote.sin6_addr), 1);
        w->now_s = WORLD_NOW_S + rows[i].after_s;
        assert_verdict_again(w, rows[i].verdict);
    }
    w->now_s = WORLD_NOW_S + 130;   /* all have left */
    w->path = SG_STR("/elsewhere"); /* a refused request counts for nobody */
    w->claims.viewers = 1;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_path);
    w->path = SG_STR("/asset/");
    w->peer.remote.sin6_addr.s6_addr[0] ^= 1;
    assert_int_equal(world_verdict(w), SGD_GATE_allowed);
    w->claims.subject = (struct sg_str){subject, sizeof(subject)}; /* too large to be kept */
    assert_int_equal(world_mint_verdict(w), SGD_GATE_claim_unknown);
    w->claims.subject = SG_STR_NONE;
    w->claims.viewers = SGD_TOKEN_VIEWERS_MAX + 1;
    assert_int_equal(world_mint_verdict(w), SGD_GATE_claim_unknown);
}

static void tokens_too_large_for_the_cache_are_judged_all_the_same(void **fixture)
{
    struct world *w = *fixture;
    static char subject[2000];
    w->claims.subject = (struct sg_str){subject, sizeof(subject)};
    world_mint(w);
    assert_true(w->stripped.token.len > 1024);
    assert_verdict_again(w, SGD_GATE_allowed);
    assert_int_equal(w->stats.value[SGE_STAT_gate_macs], 2);
    assert_int_equal(w->stats.value[SGE_STAT_gate_verdict_hits], 0);
    w->path = SG_STR("/elsewhere");
    assert_verdict_again(w, SGD_GATE_path);
}

static void the_cache_holds_many_tokens_apart(void **fixture)
{
    struct world *w = *fixture;
    static char texts[200][1024];
    size_t lens[200];
    for (size_t i = 0; i < 200; i++) {
        w->claims.cti[0] = (uint8_t)i;
        w->claims.expires_s = WORLD_NOW_S + 1 + i;
        world_mint(w);
        assert_true(w->stripped.token.len <= sizeof(texts[i]));
        memcpy(texts[i], w->stripped.token.ptr, w->stripped.token.len);
        lens[i] = w->stripped.token.len;
    }
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < 200; i++) {
            w->stripped.token = (struct sg_str){texts[i], lens[i]};
            struct sgd_gate_answer answer = world_answer(w);
            assert_int_equal(answer.verdict, SGD_GATE_allowed);
            assert_true(answer.expires_ns == (WORLD_NOW_S + 1 + i) * SG_NS_PER_SEC);
            assert_int_equal(answer.cti[0], i);
        }
}

static void nothing_opens_but_an_explicit_yes(void **fixture)
{
    struct sgd_gate_answer answer;
    (void)fixture;
    memset(&answer, 0, sizeof(answer));
    assert_int_not_equal(sgd_gate_status(answer.verdict), 200);
    for (int v = 0; v < SGD_GATE_COUNT; v++)
        assert_int_equal(sgd_gate_status((enum sgd_gate_verdict)v) == 200,
                         v == SGD_GATE_public || v == SGD_GATE_allowed);
}

static void every_refusal_has_a_status_and_a_reason(void **fixture)
{
    for (int v = 0; v < SGD_GATE_COUNT; v++) {
        uint16_t status = sgd_gate_status((enum sgd_gate_verdict)v);
        assert_non_null(sgd_gate_reason((enum sgd_gate_verdict)v));
        assert_non_null(sgd_gate_name((enum sgd_gate_verdict)v));
        assert_true(status == 200 || (status >= 400 && status < 600));
    }
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct world *w = *fixture;
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_gate *gate = NULL;
        struct sgd_gate_core *core = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_gate_open(&w->config, &w->report, &gate);
        assert_true(err == SG_OK ? gate != NULL : gate == NULL && err == SG_ENOMEM);
        if (err == SG_OK)
            err = sgd_gate_core_open(16, &core);
        assert_true(err == SG_OK ? core != NULL : core == NULL && err == SG_ENOMEM);
        sgd_gate_core_close(core);
        sgd_gate_close(gate);
    }
    sg_alloc_fail_nth(UINT32_MAX);
}

static const struct CMUnitTest tests[] = {
    WORLD_TEST(a_good_token_opens_and_is_told_in_the_answer),
    WORLD_TEST(the_site_decides_and_nothing_in_the_request_changes_its_rule),
    WORLD_TEST(every_changed_byte_of_a_token_is_refused),
    WORLD_TEST(a_token_of_another_key_region_or_tenant_is_refused),
    WORLD_TEST(times_are_judged_on_every_request),
    WORLD_TEST(two_epochs_are_accepted_and_the_lowest_can_be_raised),
    WORLD_TEST(host_path_and_method_are_judged_on_every_request),
    WORLD_TEST(a_change_of_owner_revokes_at_once),
    WORLD_TEST(a_token_rests_on_what_is_followed_and_on_nothing_else),
    WORLD_TEST(revocations_reach_a_cached_token_at_once),
    WORLD_TEST(a_stale_feed_stops_tokens_that_rest_on_facts_and_no_others),
    WORLD_TEST(a_tenant_may_choose_to_serve_on_or_to_shorten),
    WORLD_TEST(a_rule_that_cannot_be_read_closes_its_site_and_no_other),
    WORLD_TEST(without_a_state_no_token_opens),
    WORLD_TEST(another_configuration_s_keys_do_not_find_this_one_s_verdicts),
    WORLD_TEST(expiry_leads_to_renewal_where_the_token_says_so),
    WORLD_TEST(networks_are_judged_by_prefix),
    WORLD_TEST(a_token_s_viewers_are_bounded_at_the_same_time),
    WORLD_TEST(tokens_too_large_for_the_cache_are_judged_all_the_same),
    WORLD_TEST(the_cache_holds_many_tokens_apart),
    WORLD_TEST(every_refusal_has_a_status_and_a_reason),
    WORLD_TEST(nothing_opens_but_an_explicit_yes),
    WORLD_TEST(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("gate", tests)
