#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/cbor.h"
#include "edgecache/state/facts.h"
#include "tests/unit/dataplane/signin_world.h"

/* ---- a good viewer ---- */

static void every_wallet_gets_a_token_that_opens_and_renews(void **fixture)
{
    static const struct {
        const char *alg;
        bool solana;
    } rows[] = {{"siwe", false},           {"eip712", false},     {"-70011", false},
                {"solana-offchain", true}, {"solana-text", true}, {"solana-memo", true}};
    struct signin_world *w = *fixture;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        if (rows[i].solana)
            signin_be_solana(w, rows[i].alg);
        w->alg = rows[i].alg;
        assert_int_equal(signin_all(w), SGD_GRANT_allowed);
        assert_int_equal(signin_watch(w), SGD_GATE_allowed);
        w->gate.now_s += 400;
        assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
        w->gate.now_s += 599; /* the first one's time is over */
        assert_int_equal(signin_watch(w), SGD_GATE_allowed);
    }
}

static void a_challenge_says_what_the_wallet_shows(void **fixture)
{
    struct signin_world *w = *fixture;
    char text[SGD_GRANT_SIGNED_MAX];
    struct sg_out out = sg_out_init(text, sizeof(text) - 1);
    struct sg_jsonread value;
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    assert_true(sg_jsonread_member(w->challenge, "text", &value));
    assert_true(sg_jsonread_text(value, &out));
    text[out.len] = '\0';
    assert_non_null(strstr(text, "video.example:8443 wants you to sign in with your Ethereum"));
    assert_non_null(strstr(text, "https://video.example/asset/*"));
    w->alg = "eip712";
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    assert_true(sg_jsonread_member(w->challenge, "typed_data", &value));
    assert_int_equal(sg_jsonread_kind(value), SG_JSONREAD_OBJECT);
}

static void a_token_says_who_without_saying_which_wallet(void **fixture)
{
    struct signin_world *w = *fixture;
    uint8_t subject[16];
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    const struct sgd_claims *claims = signin_claims(w);
    assert_true(sg_str_eq(claims->issuer, SG_STR("sg:acme")));
    assert_true(sg_str_eq(claims->audience, SG_STR("acme")));
    assert_true(sg_str_eq(claims->site, SG_STR("gated")));
    assert_int_equal(claims->subject.len, sizeof(subject));
    memcpy(subject, claims->subject.ptr, sizeof(subject));
    assert_int_equal(claims->expires_s, w->gate.now_s + 600);
    assert_memory_equal(claims->cti, w->answer.cti, sizeof(claims->cti));
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    assert_memory_equal(signin_claims(w)->subject.ptr, subject, sizeof(subject));
    signin_be_solana(w, "solana-text");
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    assert_memory_not_equal(signin_claims(w)->subject.ptr, subject, sizeof(subject));
}

static void a_token_lives_no_longer_than_its_grant(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_challenge(w, "&lifetime=100"), SGD_GRANT_allowed);
    signin_make_body(w);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    uint64_t end_s = w->gate.now_s + 100;
    assert_int_equal(signin_claims(w)->expires_s, end_s);
    w->gate.now_s += 99;
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    assert_int_equal(signin_claims(w)->expires_s, end_s);
    w->gate.now_s += 1;
    assert_int_equal(signin_renew(w), SGD_GRANT_expired);
}

static void a_cookie_is_set_only_for_the_path_that_it_opens(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_not_equal(signin_challenge(w, "&path=/asset/a%3bb%20c/"), SGD_GRANT_allowed);
    assert_int_equal(signin_challenge(w, "&path=/asset/a/"), SGD_GRANT_allowed);
    signin_make_body(w);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    char wanted[SGD_TOKEN_TEXT_MAX + 256];
    snprintf(wanted, sizeof(wanted),
             "CTA-Common-Access-Token=%s; Path=/asset/a/; Max-Age=600; Secure; HttpOnly; "
             "SameSite=None; Partitioned",
             w->token);
    assert_string_equal(w->cookie, wanted);
}

/* ---- challenges that are not made ---- */

static void a_challenge_that_would_not_be_taken_is_not_made(void **fixture)
{
    static const struct {
        const char *more;
        enum sgd_grant_verdict verdict;
    } rows[] = {
        {"&domain=evil.example", SGD_GRANT_domain}, {"&path=/other/", SGD_GRANT_path},
        {"&path=/assets/", SGD_GRANT_path},         {"&path=asset/", SGD_GRANT_path},
        {"&path=/asset/../other/", SGD_GRANT_path}, {"&path=", SGD_GRANT_path},
        {"&lifetime=86401", SGD_GRANT_too_long},    {"&lifetime=0", SGD_GRANT_too_long},
        {"&lifetime=x", SGD_GRANT_too_long},        {"&account=eip155:1:0x00", SGD_GRANT_malformed},
        {"&alg=none", SGD_GRANT_malformed},         {"&path=/asset/%", SGD_GRANT_malformed},
    };
    struct signin_world *w = *fixture;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        assert_int_equal(signin_challenge(w, rows[i].more), rows[i].verdict);
        assert_non_null(w->answer.detail);
        assert_int_equal(w->answer.json.len, 0);
    }
    w->alg = "hs256";
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_algorithm);
    w->alg = "solana-text"; /* of an account that is none of Solana's */
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_chain);
}

static void a_page_elsewhere_must_be_listed(void **fixture)
{
    struct signin_world *w = *fixture;
    const char *domains[] = {"tv.example"};
    w->gate.tenants[0].sign_in_domains = domains;
    w->gate.tenants[0].sign_in_domains_count = 1;
    world_open_gate(&w->gate);
    assert_int_equal(signin_challenge(w, "&domain=tv.example"), SGD_GRANT_allowed);
    assert_int_equal(signin_challenge(w, "&domain=tv.example.evil"), SGD_GRANT_domain);
}

/* ---- thieves ---- */

static void a_nonce_is_ours_and_young_and_opens_once(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->gate.now_s += SGD_SIGNIN_NONCE_S + 1;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_nonce);
    w->gate.now_s -= 1;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_nonce);
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    w->gate.site = WORLD_OTHER; /* another tenant's: its key is another */
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_tenant);
}

static void a_refused_wallet_may_try_again_with_the_same_grant(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->gate.sites[WORLD_GATED].sign_in = SG_CONF_SIGN_IN_RULE;
    world_open_gate(&w->gate);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_closed);
    w->gate.sites[WORLD_GATED].sign_in = SG_CONF_SIGN_IN_ANY;
    world_open_gate(&w->gate);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
}

static void without_the_session_key_a_grant_is_of_no_use(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->without_proof = true;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_proof_missing);
    w->without_proof = false;
    EVP_PKEY *own = w->session;
    uint8_t point[64];
    memcpy(point, w->point, sizeof(point));
    w->session = sgt_p256(w->point); /* a thief's */
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_proof_key);
    EVP_PKEY_free(w->session);
    w->session = own;
    memcpy(w->point, point, sizeof(point));
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
}

static void a_proof_is_for_one_url_one_method_one_use(void **fixture)
{
    struct signin_world *w = *fixture;
    char once[4096];
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->htu = "https://video.example:8443" SIGNIN_ROOT "renew";
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_proof_target);
    w->htu = "https://evil.example" SIGNIN_ROOT "grant";
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_proof_target);
    w->htu = NULL;
    w->htm = "GET";
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_proof_target);
    w->htm = NULL;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    struct sg_str proof = signin_proof(w, "renew", w->token);
    memcpy(once, proof.ptr, proof.len);
    w->proof = (struct sg_str){once, proof.len};
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, w->token), SGD_GRANT_proof_replayed);
}

static void a_renewal_names_the_token_in_use(void **fixture)
{
    struct signin_world *w = *fixture;
    char other[SGD_TOKEN_TEXT_MAX], forged[SGD_TOKEN_TEXT_MAX];
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    memcpy(other, w->token, sizeof(other));
    assert_int_equal(signin_all(w), SGD_GRANT_allowed); /* another grant of the same wallet */
    assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, NULL), SGD_GRANT_token);
    assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, other), SGD_GRANT_token);
    memcpy(forged, w->token, sizeof(forged));
    forged[strlen(forged) - 2] ^= 1;
    assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, forged), SGD_GRANT_token);
    assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, "x"), SGD_GRANT_token);
    w->without_ath = true;
    assert_int_not_equal(signin_renew(w), SGD_GRANT_allowed);
    w->without_ath = false;
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
}

static void a_grant_is_for_one_host_and_one_site(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->authority = "other.example";
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_host);
    w->authority = NULL;
    w->gate.sites[WORLD_GATED].path = "/ass"; /* "/asset/" is not beneath it */
    world_open_gate(&w->gate);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_path);
}

static void a_token_opens_no_other_site_of_the_tenant(void **fixture)
{
    struct signin_world *w = *fixture;
    w->gate.sites[WORLD_OTHER] = w->gate.sites[WORLD_GATED];
    w->gate.sites[WORLD_OTHER].name = "premium"; /* the same tenant, host and path, another rule */
    world_open_gate(&w->gate);
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    assert_int_equal(signin_watch(w), SGD_GATE_allowed);
    w->gate.site = WORLD_OTHER;
    assert_int_equal(signin_watch(w), SGD_GATE_path);
}

static void a_revoked_grant_mints_and_renews_nothing(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    assert_int_equal(sge_state_revoke_cti(w->gate.state, sge_tenant_id(SG_STR("acme")),
                                          w->answer.cti, (w->gate.now_s + 90000) * SG_NS_PER_SEC),
                     SG_OK);
    assert_int_equal(signin_renew(w), SGD_GRANT_revoked);
    assert_int_equal(signin_watch(w), SGD_GATE_revoked);
    /* The same grant in other words is the same grant: 64 bytes for the 65 of its signature. */
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_revoked);
}

static void any_change_of_a_grant_is_refused(void **fixture)
{
    struct signin_world *w = *fixture;
    char changed[SGD_SIGNIN_BODY_BYTES];
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->grant_body = changed;
    for (size_t at = 0; at < strlen(w->body); at += 3) {
        memcpy(changed, w->body, sizeof(changed));
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        assert_int_not_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    }
    w->grant_body = NULL;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
}

/* ---- who is let in ---- */

static void nothing_opens_but_an_explicit_yes(void **fixture)
{
    struct sgd_signin_answer answer;
    (void)fixture;
    memset(&answer, 0, sizeof(answer));
    assert_int_not_equal(sgd_grant_status(answer.verdict), 200);
    for (int v = 0; v < SGD_GRANT_VERDICTS; v++)
        assert_int_equal(sgd_grant_status((enum sgd_grant_verdict)v) == 200,
                         v == SGD_GRANT_allowed);
}

static void without_a_rule_nobody_is_let_in_unless_the_site_says_so(void **fixture)
{
    struct signin_world *w = *fixture;
    w->gate.sites[WORLD_GATED].sign_in = SG_CONF_SIGN_IN_RULE;
    world_open_gate(&w->gate);
    assert_int_equal(signin_all(w), SGD_GRANT_closed);
    assert_int_equal(w->answer.json.len, 0);
}

static void where_sign_in_is_off_nothing_is_minted(void **fixture)
{
    struct signin_world *w = *fixture;
    struct sg_conf_rule rule = {.name = "all",
                                .tenant = "acme",
                                .version = 1,
                                .require = "between(\"2000-01-01T00:00Z\", \"2100-01-01T00:00Z\")"};
    struct sg_conf_site *site = &w->gate.sites[WORLD_GATED];
    w->gate.config.rules = &rule;
    w->gate.config.rules_count = 1;
    site->rule = "all";
    site->sign_in = SG_CONF_SIGN_IN_OFF;
    world_open_gate(&w->gate);
    assert_int_equal(signin_all(w), SGD_GRANT_closed);
    site->sign_in = SG_CONF_SIGN_IN_RULE;
    world_open_gate(&w->gate);
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
}

/* The wallet's address owns a token on Polygon; who signs in says that it is Ethereum's. */
static void own_on_another_chain(struct signin_world *w)
{
    static const char asset_text[] =
        "eip155:137/erc721:0x06012c8cf97bead5deae237070f9587f8e7a266d/1";
    static struct sg_conf_rule rule = {
        .name = "holders",
        .tenant = "acme",
        .version = 1,
        .require = "erc721(eip155:137/erc721:0x06012c8cf97bead5deae237070f9587f8e7a266d/1)"};
    struct sg_caip_asset asset;
    struct sg_caip_account owner;
    assert_true(sg_caip_asset_read(sg_str_from(asset_text), &asset));
    assert_true(sg_caip_account_read(sg_str_from(w->account), &owner));
    owner.chain = asset.chain;
    struct sge_change change = {.kind = SGE_FACT_OWNER,
                                .bump = true,
                                .chain = sge_chain_id(&asset.chain),
                                .groups_count = 1};
    sge_fact_owner(&asset, &change.id);
    sg_caip_account_id(&owner, change.head);
    memcpy(change.safe, change.head, 32);
    memcpy(change.holder, change.head, 32);
    memcpy(change.token, asset.id.bytes, 32);
    change.groups[0] = sge_group_contract(&asset);
    const struct sge_batch batch = {
        .stream = "stream of tests", .seq = 1, .changes = &change, .changes_count = 1};
    assert_int_equal(sge_state_apply(w->gate.state, &batch), SG_OK);
    rule.tenant = w->gate.tenants[0].name;
    w->gate.config.rules = &rule;
    w->gate.config.rules_count = 1;
    w->gate.sites[WORLD_GATED].rule = rule.name;
    w->gate.sites[WORLD_GATED].sign_in = SG_CONF_SIGN_IN_RULE;
    world_open_gate(&w->gate);
}

/* A back end's key among the tenant's issuers; the caller frees it. */
static EVP_PKEY *list_issuer(struct signin_world *w)
{
    static struct sg_conf_public_key issuer;
    static char path[SGT_DIR_BYTES + 16];
    uint8_t public[32];
    EVP_PKEY *key = sgt_ed25519(3, public);
    snprintf(path, sizeof(path), "%s/issuer", w->gate.dir);
    FILE *pem = fopen(path, "we");
    assert_true(pem != NULL && PEM_write_PUBKEY(pem, key) == 1);
    fclose(pem);
    issuer.key_file = path;
    w->gate.tenants[0].issuers = &issuer;
    w->gate.tenants[0].issuers_count = 1;
    world_open_gate(&w->gate);
    return key;
}

/* A challenge, signed by the back end. */
static void issue(struct signin_world *w, EVP_PKEY *key)
{
    uint8_t signature[64];
    char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    struct sg_out body = sg_out_init(w->body, sizeof(w->body));
    struct sgd_grant grant;
    w->alg = "eddsa";
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_read_challenge(w, &grant);
    sg_cbor_put_array(&structure, 4);
    sg_cbor_put_text(&structure, SG_STR("Signature1"));
    sg_cbor_put_bytes(&structure, grant.protected_header.ptr, grant.protected_header.len);
    sg_cbor_put_bytes(&structure, "", 0);
    sg_cbor_put_bytes(&structure, grant.payload.ptr, grant.payload.len);
    sgt_ed25519_sign(key, sg_out_view(&structure), signature);
    sg_out_lit(&body, "{\"header\":\"");
    sg_out_str(&body, signin_said(w->challenge, "header"));
    sg_out_lit(&body, "\",\"claims\":\"");
    sg_out_str(&body, signin_said(w->challenge, "claims"));
    sg_out_lit(&body, "\",\"signature\":\"");
    sg_b64url_put(&body, signature, sizeof(signature));
    sg_out_lit(&body, "\"}");
    sg_out_char(&body, '\0');
}

static void a_back_ends_word_is_good_on_the_accounts_own_chain_only(void **fixture)
{
    struct signin_world *w = *fixture;
    EVP_PKEY *key = list_issuer(w);
    own_on_another_chain(w);
    assert_int_not_equal(signin_all(w), SGD_GRANT_rule); /* the address's key: it holds there too */
    issue(w, key);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_rule);
    EVP_PKEY_free(key);
}

static void a_back_end_that_is_no_longer_listed_renews_nothing(void **fixture)
{
    struct signin_world *w = *fixture;
    EVP_PKEY *key = list_issuer(w);
    issue(w, key);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    w->gate.tenants[0].issuers_count = 0;
    world_open_gate(&w->gate);
    assert_int_equal(signin_renew(w), SGD_GRANT_issuer);
    EVP_PKEY_free(key);
}

static void a_site_that_cannot_be_read_takes_no_sign_in(void **fixture)
{
    struct signin_world *w = *fixture;
    world_write_file(w->gate.secret_file, "short");
    world_open_gate(&w->gate);
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_closed);
    w->gate.site = WORLD_PUBLIC;
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_closed);
}

/* ---- chains ---- */

struct chain {
    int asked;
    enum sg_err says;
    EVP_PKEY *key;
};

static enum sg_err chain_ask(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                             uint8_t out[64])
{
    struct chain *chain = ctx;
    char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    assert_true(timeout_ms > 0 && timeout_ms <= SGD_SIGNIN_CHAIN_MS);
    chain->asked++;
    if (chain->says != SG_OK)
        return chain->says;
    assert_int_equal(sgd_grant_put_countersigned(&structure, grant), SG_OK);
    sgt_ed25519_sign(chain->key, sg_out_view(&structure), out);
    return SG_OK;
}

static void list_countersigner(struct signin_world *w, EVP_PKEY *key)
{
    static struct sg_conf_public_key file;
    static char path[SGT_DIR_BYTES + 16];
    snprintf(path, sizeof(path), "%s/counter", w->gate.dir);
    FILE *pem = fopen(path, "we");
    assert_true(pem != NULL && PEM_write_PUBKEY(pem, key) == 1);
    fclose(pem);
    file.key_file = path;
    w->gate.config.gate.countersigners = &file;
    w->gate.config.gate.countersigners_count = 1;
    world_open_gate(&w->gate);
}

static void what_a_contract_signed_is_asked_of_the_chain_once(void **fixture)
{
    struct signin_world *w = *fixture;
    uint8_t public[32];
    struct chain chain = {.key = sgt_ed25519(2, public)};
    struct sgd_onchain hook = {&chain, chain_ask};
    list_countersigner(w, chain.key);
    w->alg = "on-chain";
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_on_chain_failed);
    w->desk.onchain = &hook;
    w->clerk.wait_until_ns = 0; /* a thread that must not wait passes it on */
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_on_chain);
    w->clerk.wait_until_ns = UINT64_MAX;
    chain.says = SG_EAUTH;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_signature);
    chain.says = SG_ETIMEDOUT;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_on_chain_failed);
    chain.says = SG_EBUSY; /* its tenant has asked too often */
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_busy);
    chain.says = SG_OK;
    chain.asked = 0;
    w->clerk.wait_until_ns = 1; /* its time was over before its turn came */
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_on_chain_failed);
    assert_int_equal(chain.asked, 0);
    w->clerk.wait_until_ns = UINT64_MAX;
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_allowed);
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    assert_int_equal(chain.asked, 1);
    w->gate.now_s += 601; /* contracts change their mind */
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    assert_int_equal(chain.asked, 2);
    EVP_PKEY_free(chain.key);
}

static void an_address_has_a_small_part_of_the_questions_to_chains(void **fixture)
{
    struct signin_world *w = *fixture;
    struct sgd_onchain hook = {NULL, chain_ask};
    uint32_t asked = 0;
    w->desk.onchain = &hook;
    w->clerk.wait_until_ns = 0; /* the thread that passes it on */
    w->alg = "on-chain";
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    signin_make_body(w);
    w->chain_most = 600;
    for (int i = 0; i < 31; i++)
        assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL),
                         i < 30 ? SGD_GRANT_on_chain : SGD_GRANT_busy);
    for (uint8_t i = 0; i < 100; i++) { /* as many /48s as it likes, of one /32 */
        w->address.s6_addr[5] = i;
        w->address.s6_addr[0] = 0x20;
        asked += signin_post(w, SGD_SIGNIN_GRANT, NULL) == SGD_GRANT_on_chain;
        asked += signin_post(w, SGD_SIGNIN_GRANT, NULL) == SGD_GRANT_on_chain;
    }
    assert_int_equal(asked, 150);
}

static void a_control_plane_that_is_not_listed_vouches_for_nothing(void **fixture)
{
    struct signin_world *w = *fixture;
    uint8_t public[32];
    struct chain chain = {.key = sgt_ed25519(2, public)};
    struct sgd_onchain hook = {&chain, chain_ask};
    w->desk.onchain = &hook;
    w->alg = "on-chain";
    assert_int_equal(signin_all(w), SGD_GRANT_on_chain_failed);
    EVP_PKEY_free(chain.key);
}

static void renewals_have_a_budget_that_sign_ins_do_not_use_up(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    w->clerk.wait_until_ns = 0; /* not on the way to a chain, when it was counted before */
    w->tenant_most = 2;
    for (int i = 0; i < 2; i++)
        assert_int_equal(signin_challenge(w, ""), SGD_GRANT_allowed);
    assert_int_equal(signin_challenge(w, ""), SGD_GRANT_busy);
    for (int i = 0; i < 2; i++)
        assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_nonce);
    assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_busy);
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
    assert_int_equal(signin_renew(w), SGD_GRANT_busy);
    w->gate.now_s += 60;
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
}

static void who_has_no_nonce_or_token_of_ours_uses_up_nothing(void **fixture)
{
    struct signin_world *w = *fixture;
    assert_int_equal(signin_all(w), SGD_GRANT_allowed);
    w->clerk.wait_until_ns = 0;
    w->tenant_most = 1;
    for (int i = 0; i < 20; i++) {
        w->grant_body = "{}";
        assert_int_equal(signin_post(w, SGD_SIGNIN_GRANT, NULL), SGD_GRANT_malformed);
        assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, w->token), SGD_GRANT_malformed);
        w->grant_body = NULL;
        assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, "forged"), SGD_GRANT_token);
        assert_int_equal(signin_post(w, SGD_SIGNIN_RENEW, NULL), SGD_GRANT_token);
    }
    assert_int_equal(signin_renew(w), SGD_GRANT_allowed);
}

static void the_desk_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    (void)fixture;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_signin_desk desk = {.minted = NULL};
        assert_true(nth < 16);
        sg_alloc_fail_nth(nth);
        err = sgd_signin_desk_init(&desk);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK || desk.minted == NULL);
        sgd_signin_desk_fini(&desk);
    }
}

static const struct CMUnitTest tests[] = {
    SIGNIN_TEST(every_wallet_gets_a_token_that_opens_and_renews),
    SIGNIN_TEST(a_challenge_says_what_the_wallet_shows),
    SIGNIN_TEST(a_token_says_who_without_saying_which_wallet),
    SIGNIN_TEST(a_token_lives_no_longer_than_its_grant),
    SIGNIN_TEST(a_cookie_is_set_only_for_the_path_that_it_opens),
    SIGNIN_TEST(a_challenge_that_would_not_be_taken_is_not_made),
    SIGNIN_TEST(a_page_elsewhere_must_be_listed),
    SIGNIN_TEST(renewals_have_a_budget_that_sign_ins_do_not_use_up),
    SIGNIN_TEST(who_has_no_nonce_or_token_of_ours_uses_up_nothing),
    SIGNIN_TEST(a_nonce_is_ours_and_young_and_opens_once),
    SIGNIN_TEST(a_refused_wallet_may_try_again_with_the_same_grant),
    SIGNIN_TEST(without_the_session_key_a_grant_is_of_no_use),
    SIGNIN_TEST(a_proof_is_for_one_url_one_method_one_use),
    SIGNIN_TEST(a_renewal_names_the_token_in_use),
    SIGNIN_TEST(a_grant_is_for_one_host_and_one_site),
    SIGNIN_TEST(a_token_opens_no_other_site_of_the_tenant),
    SIGNIN_TEST(a_revoked_grant_mints_and_renews_nothing),
    SIGNIN_TEST(any_change_of_a_grant_is_refused),
    SIGNIN_TEST(without_a_rule_nobody_is_let_in_unless_the_site_says_so),
    SIGNIN_TEST(where_sign_in_is_off_nothing_is_minted),
    cmocka_unit_test(nothing_opens_but_an_explicit_yes),
    SIGNIN_TEST(a_back_ends_word_is_good_on_the_accounts_own_chain_only),
    SIGNIN_TEST(a_back_end_that_is_no_longer_listed_renews_nothing),
    SIGNIN_TEST(a_site_that_cannot_be_read_takes_no_sign_in),
    SIGNIN_TEST(what_a_contract_signed_is_asked_of_the_chain_once),
    SIGNIN_TEST(an_address_has_a_small_part_of_the_questions_to_chains),
    SIGNIN_TEST(a_control_plane_that_is_not_listed_vouches_for_nothing),
    cmocka_unit_test(the_desk_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("signin", tests)
