#include "dataplane/gate/signin.h"

#include "base/b64url.h"
#include "base/clock.h"
#include "base/json.h"
#include "dataplane/gate/challenge.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/keys.h"
#include "dataplane/gate/mint.h"
#include "dataplane/gate/nonce.h"
#include "dataplane/gate/proof.h"
#include "dataplane/gate/rule.h"
#include "dataplane/http/params.h"

#define MINTED_NAMES    262144u
#define PROOF_NAMES     262144u
#define VERIFIED_NAMES  262144u
#define CHAIN_SAID_S    600 /* what a chain said of a signature is asked again after so long */
#define SUBJECT_LABEL   "streamgate/subject"
#define SUBJECT_BYTES   16
#define RENEW_PART(s)   ((s)*2 / 3) /* of a token's life, after which it is renewed */
#define TOKEN_CLAIM_TOP 700         /* of a minted token's texts */

/* One grant under way. */
struct signin {
    struct sgd_signin_clerk *clerk;
    const struct sgd_signin_ask *ask;
    struct sgd_signin_answer *answer;
    struct sgd_gate_terms terms;
    uint64_t now_s;
    struct sgd_grant grant;
    struct sgd_proof proof;
    uint8_t name[SG_SHA256_BYTES];  /* of what was signed: the first half names its tokens */
    uint8_t whole[SG_SHA256_BYTES]; /* of all that was sent */
    struct sgd_rule_answer rule;
    struct sgd_gate_feed feed;
};

enum sg_err sgd_signin_desk_init(struct sgd_signin_desk *desk)
{
    enum sg_err err = sgd_remember_open(MINTED_NAMES, &desk->minted);
    if (err == SG_OK)
        err = sgd_remember_open(PROOF_NAMES, &desk->proofs);
    if (err == SG_OK)
        err = sgd_remember_open(VERIFIED_NAMES, &desk->verified);
    if (err == SG_OK)
        err = sgd_budget_open(&desk->budget);
    if (err != SG_OK)
        sgd_signin_desk_fini(desk);
    return err;
}

void sgd_signin_desk_fini(struct sgd_signin_desk *desk)
{
    sgd_remember_close(SG_TAKE(desk->minted));
    sgd_remember_close(SG_TAKE(desk->proofs));
    sgd_remember_close(SG_TAKE(desk->verified));
    sgd_budget_close(SG_TAKE(desk->budget));
}

static enum sgd_grant_verdict refuse(struct signin *s, enum sgd_grant_verdict verdict,
                                     const char *detail)
{
    s->answer->detail = detail;
    return verdict;
}

/* ---- reading, cheapest first: whoever has no nonce of ours costs no signature ---- */

static enum sgd_grant_verdict read_grant(struct signin *s)
{
    struct sg_str bytes = s->ask->body;
    s->clerk->list_proofs.count = 0;
    if (s->ask->body_is_json) {
        struct sg_out cose = sg_out_init(s->clerk->body, sizeof(s->clerk->body));
        if (!sgd_grantbody_wrap(bytes, &cose, &s->clerk->list_proofs))
            return refuse(s, SGD_GRANT_malformed,
                          "the body is no object of the texts header, claims, signature (tx), "
                          "and list_proofs");
        bytes = sg_out_view(&cose);
    }
    enum sgd_grant_verdict verdict = sgd_grant_read(bytes, &s->grant);
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    sg_sha256(bytes.ptr, bytes.len, s->whole);
    sgd_grant_id(&s->grant, s->name);
    memcpy(s->answer->cti, s->name, sizeof(s->answer->cti));
    return SGD_GRANT_allowed;
}

/* The one host and the one path that a challenge names; NULL: there is something else. */
static const struct sgd_match *match_of(const struct sgd_grant *grant, enum sgd_match_part part,
                                        enum sgd_match_kind kind)
{
    const struct sgd_match *found = NULL;
    for (uint8_t i = 0; i < grant->matches_count; i++) {
        const struct sgd_match *match = &grant->matches[i];
        if (match->part != part)
            continue;
        if (match->kind != kind || found != NULL)
            return NULL;
        found = match;
    }
    return found;
}

static enum sgd_grant_verdict check_where(struct signin *s)
{
    const struct sgd_match *host = match_of(&s->grant, SGD_MATCH_HOST, SGD_MATCH_EXACT);
    const struct sgd_match *path = match_of(&s->grant, SGD_MATCH_PATH, SGD_MATCH_PREFIX);
    if (host == NULL || !sg_str_eq_nocase(host->value, sgd_authority_host(s->ask->authority)))
        return SGD_GRANT_host;
    if (path == NULL || !sgd_signin_under(s->terms.path, path->value))
        return SGD_GRANT_path;
    return SGD_GRANT_allowed;
}

/* The grant's name is one that an edge of this tenant gave, and lately where a token is to be
 * minted of it for the first time. */
static enum sgd_grant_verdict check_nonce(struct signin *s)
{
    struct sg_hmac_key key;
    uint64_t issued_s;
    bool ours = false;
    for (uint32_t i = 0; i < s->terms.tenant_keys_count && !ours; i++) {
        sgd_nonce_key(s->terms.tenant_keys[i], &key);
        ours = sgd_nonce_read(&key, s->grant.cti, &issued_s);
    }
    sg_wipe(&key, sizeof(key));
    if (!ours)
        return refuse(s, SGD_GRANT_nonce, "the nonce is not from a challenge");
    if (s->ask->kind == SGD_SIGNIN_GRANT &&
        (issued_s + SGD_SIGNIN_NONCE_S < s->now_s || issued_s > s->now_s + s->terms.skew_s))
        return refuse(s, SGD_GRANT_nonce, "the challenge is too old: ask for another");
    return SGD_GRANT_allowed;
}

static enum sgd_grant_verdict check_claims(struct signin *s)
{
    const struct sgd_grant_terms check = {
        .tenant = s->terms.tenant,
        .authority = s->ask->authority,
        .domains = s->terms.domains,
        .domains_count = s->terms.domains_count,
        .any_host = s->terms.any_host,
        .skew_s = s->terms.skew_s,
        .now_s = s->now_s,
    };
    enum sgd_grant_verdict verdict = sgd_grant_check(&s->grant, &check);
    if (verdict == SGD_GRANT_allowed)
        verdict = check_where(s);
    return verdict == SGD_GRANT_allowed ? check_nonce(s) : verdict;
}

/* The tenant's, of each kind of request: those who watch are not pushed out by those who would. Who
 * has no nonce of ours, or for a renewal no token, uses nothing of it up. */
static enum sgd_grant_verdict check_budget(struct signin *s)
{
    uint64_t name = (uint64_t)s->terms.tenant_id << 8 | s->ask->kind;
    if (s->clerk->wait_until_ns != 0) /* it was counted before it was passed on to ask a chain */
        return SGD_GRANT_allowed;
    return sgd_budget_name(s->clerk->desk->budget, name, s->ask->tenant_most, s->now_s)
               ? SGD_GRANT_allowed
               : refuse(s, SGD_GRANT_busy, "too many sign-ins at this tenant");
}

/* ---- proving ---- */

static enum sgd_grant_verdict check_proof(struct signin *s)
{
    char memory[512];
    struct sg_out uri = sg_out_init(memory, sizeof(memory));
    sg_out_str(&uri, s->ask->https ? SG_STR("https://") : SG_STR("http://"));
    sg_out_str(&uri, s->ask->authority);
    sg_out_str(&uri, s->ask->path);
    if (s->ask->proof.ptr == NULL)
        return SGD_GRANT_proof_missing;
    if (uri.full)
        return SGD_GRANT_proof_target;
    struct sgd_proof_terms check = {
        .method = SG_STR("POST"),
        .uri = sg_out_view(&uri),
        .token = s->ask->kind == SGD_SIGNIN_RENEW ? s->ask->token : SG_STR_NONE,
        .now_s = s->now_s,
        .skew_s = s->terms.skew_s,
    };
    memcpy(check.ckt, s->grant.ckt, sizeof(check.ckt));
    return sgd_proof_check(s->ask->proof, &check, &s->proof);
}

static bool is_genuine(const struct signin *s, const struct sgd_token *token, uint32_t epoch)
{
    uint8_t epoch_key[SGD_KEY_BYTES];
    struct sg_hmac_key key;
    bool genuine = false;
    for (uint32_t i = 0; i < s->terms.tenant_keys_count && !genuine; i++) {
        sgd_key_epoch(s->terms.tenant_keys[i], epoch, epoch_key);
        sg_hmac_key_init(&key, epoch_key, sizeof(epoch_key));
        genuine = sgd_token_mac_holds(token, &key);
    }
    sg_wipe(epoch_key, sizeof(epoch_key));
    sg_wipe(&key, sizeof(key));
    return genuine;
}

/* The token that is to be renewed: ours, made of this grant. That its time may be over is what
 * renewal is for. */
static enum sgd_grant_verdict check_token(struct signin *s)
{
    uint8_t bytes[SGD_TOKEN_BYTES_MAX];
    struct sgd_token token;
    struct sgd_claims claims;
    struct sgd_kid kid;
    size_t len;
    if (s->ask->kind != SGD_SIGNIN_RENEW)
        return SGD_GRANT_allowed;
    if (s->ask->token.ptr == NULL)
        return refuse(s, SGD_GRANT_token, "the token in use goes along, as for a segment");
    if (!sg_b64url_read(s->ask->token, bytes, sizeof(bytes), &len) ||
        sgd_token_read((struct sg_str){(const char *)bytes, len}, &token) != SGD_GATE_allowed ||
        sgd_kid_read(token.kid, &kid) != SGD_GATE_allowed ||
        !sg_str_eq(kid.region, s->terms.region) || !sg_str_eq(kid.tenant, s->terms.tenant))
        return SGD_GRANT_token;
    bool of_grant = is_genuine(s, &token, kid.epoch) &&
                    sgd_claims_read(token.payload, &claims) == SGD_GATE_allowed && claims.has_cti &&
                    memcmp(claims.cti, s->name, sizeof(claims.cti)) == 0;
    return of_grant ? SGD_GRANT_allowed : refuse(s, SGD_GRANT_token, "it is not of this grant");
}

static enum sgd_grant_verdict chain_verdict(enum sg_err err)
{
    return err == SG_EAUTH   ? SGD_GRANT_signature
           : err == SG_EBUSY ? SGD_GRANT_busy
                             : SGD_GRANT_on_chain_failed;
}

/* There are few questions to a chain in a minute, for all of a tenant's viewers. Whoever asks in
 * vain asks again: so an address has a small part of them, and those around it no more than a
 * quarter. */
static bool may_ask_chain(struct signin *s)
{
    const uint32_t all = s->ask->chain_most;
    const struct sgd_budget_most most = {
        .address = SG_MAX(all / 20, (uint32_t)(all > 0)),
        .network = SG_MAX(all / 8, (uint32_t)(all > 0)),
        .block = SG_MAX(all / 4, (uint32_t)(all > 0)),
    };
    return !s->ask->has_address || sgd_budget_address(s->clerk->desk->budget, SGD_BUDGET_CHAIN,
                                                      &s->ask->address, &most, s->now_s);
}

static enum sgd_grant_verdict ask_chain(struct signin *s, const struct sgd_grant_keys *keys)
{
    uint8_t countersignature[64];
    uint64_t now_ns = sg_clock_mono_ns(), until_ns = s->clerk->wait_until_ns;
    const struct sgd_onchain *onchain = atomic_load(&s->clerk->desk->onchain);
    if (onchain == NULL)
        return SGD_GRANT_on_chain_failed;
    if (until_ns == 0)
        return may_ask_chain(s) ? SGD_GRANT_on_chain
                                : refuse(s, SGD_GRANT_busy, "too many questions to a chain");
    if (until_ns < now_ns + SG_NS_PER_MS)
        return refuse(s, SGD_GRANT_on_chain_failed, "too many wait for a chain: try again");
    uint64_t left_ms = SG_MIN((until_ns - now_ns) / SG_NS_PER_MS, (uint64_t)SGD_SIGNIN_CHAIN_MS);
    enum sg_err err = onchain->ask(onchain->ctx, &s->grant, (uint32_t)left_ms, countersignature);
    if (err != SG_OK)
        return chain_verdict(err);
    s->grant.countersignature =
        (struct sg_str){(const char *)countersignature, sizeof(countersignature)};
    bool holds = sgd_grant_verify(&s->grant, keys) == SGD_GRANT_allowed;
    s->grant.countersignature = SG_STR_NONE;
    return holds ? SGD_GRANT_allowed
                 : refuse(s, SGD_GRANT_on_chain_failed,
                          "the chain said yes under a key that this node does not list");
}

/* Once a grant: renewals find it among those that held. What a back end says holds for as long as
 * its key is listed. */
static enum sgd_grant_verdict check_signature(struct signin *s)
{
    const struct sgd_grant_keys keys = {
        .issuers = s->terms.issuers,
        .issuers_count = s->terms.issuers_count,
        .countersigners = s->terms.countersigners,
        .countersigners_count = s->terms.countersigners_count,
    };
    struct sgd_remember *verified = s->clerk->desk->verified;
    const bool lasts = !sgd_grant_is_issued(s->grant.alg);
    if (lasts && sgd_remember_has(verified, s->whole, s->now_s))
        return SGD_GRANT_allowed;
    enum sgd_grant_verdict verdict = sgd_grant_verify(&s->grant, &keys);
    if (verdict == SGD_GRANT_on_chain)
        verdict = ask_chain(s, &keys);
    bool by_chain = s->grant.alg == SGD_GRANT_ON_CHAIN;
    uint64_t until_s =
        by_chain ? SG_MIN(s->grant.expires_s, s->now_s + CHAIN_SAID_S) : s->grant.expires_s;
    if (lasts && verdict == SGD_GRANT_allowed)
        sgd_remember_keep(verified, s->whole, until_s, s->now_s);
    return verdict;
}

static enum sgd_grant_verdict use_proof(struct signin *s)
{
    uint64_t until_s =
        s->proof.issued_s + SGD_PROOF_S + s->terms.skew_s + 1; /* it is too old then */
    enum sg_err err = sgd_remember_once(s->clerk->desk->proofs, s->proof.id, until_s, s->now_s);
    if (err == SG_EFULL)
        return refuse(s, SGD_GRANT_busy, "too many sign-ins at the moment");
    return err == SG_OK ? SGD_GRANT_allowed : SGD_GRANT_proof_replayed;
}

/* A challenge opens once; from then on its grant renews. */
static enum sgd_grant_verdict use_nonce(struct signin *s)
{
    if (s->ask->kind != SGD_SIGNIN_GRANT)
        return SGD_GRANT_allowed;
    uint64_t until_s = s->now_s + SGD_SIGNIN_NONCE_S + s->terms.skew_s + 1;
    enum sg_err err = sgd_remember_once(s->clerk->desk->minted, s->grant.cti, until_s, s->now_s);
    if (err == SG_EFULL)
        return refuse(s, SGD_GRANT_busy, "too many sign-ins at the moment");
    return err == SG_OK ? SGD_GRANT_allowed
                        : refuse(s, SGD_GRANT_nonce, "this grant was used: renew, or sign anew");
}

/* ---- what the state says ---- */

/* The account's own key: a contract's word is good on its own chain, and so is that of a back end,
 * which may speak of a contract. */
static bool key_signed(enum sgd_grant_alg alg)
{
    return alg == SGD_GRANT_SIWE || alg == SGD_GRANT_EIP712;
}

static enum sgd_grant_verdict check_rule(struct signin *s)
{
    const struct sgd_signin_ask *ask = s->ask;
    struct sgd_place place = {.asn = 0};
    s->rule = (struct sgd_rule_answer){.until_s = UINT64_MAX};
    if (s->terms.sign_in == SG_CONF_SIGN_IN_ANY)
        return SGD_GRANT_allowed;
    if (s->terms.sign_in != SG_CONF_SIGN_IN_RULE || s->terms.rule == NULL)
        return SGD_GRANT_closed;
    if (ask->has_address)
        place = sgd_geo_find(s->terms.geo, s->clerk->geo, &ask->address);
    const struct sgd_holder holder = {
        .account = s->grant.account,
        .any_evm_chain = key_signed(s->grant.alg),
        .provisional = s->terms.provisional_s > 0,
        .now_s = s->now_s,
        .place = ask->has_address ? &place : NULL,
        .list_proofs = s->clerk->list_proofs.proofs,
        .list_proofs_count = s->clerk->list_proofs.count,
    };
    sgd_rule_check(s->terms.rule, s->clerk->reader, &holder, &s->rule);
    memcpy(s->answer->why, s->rule.why, sizeof(s->answer->why));
    if (s->rule.holds)
        return SGD_GRANT_allowed;
    return s->rule.unfollowed ? SGD_GRANT_not_followed : SGD_GRANT_rule;
}

static enum sgd_grant_verdict check_feed(struct signin *s)
{
    s->feed = (struct sgd_gate_feed){.until_ns = UINT64_MAX};
    if (s->rule.facts_count == 0 && s->rule.chains.count == 0)
        return SGD_GRANT_allowed;
    const struct sge_state *state = sge_state_of(s->clerk->reader);
    return sgd_gate_feed_check(s->ask->gate, s->ask->site, state, &s->rule.chains, s->ask->wall_ns,
                               &s->feed) == SGD_GATE_allowed
               ? SGD_GRANT_allowed
               : SGD_GRANT_feed_stale;
}

/* ---- minting ---- */

static uint64_t token_expiry(const struct signin *s)
{
    uint64_t lifetime_s = s->terms.token_lifetime_s;
    if (s->rule.provisional)
        lifetime_s = SG_MIN(lifetime_s, (uint64_t)s->terms.provisional_s);
    uint64_t until_s = SG_MIN(s->now_s + lifetime_s, s->grant.expires_s);
    until_s = SG_MIN(until_s, s->rule.until_s);
    return SG_MIN(until_s, s->feed.until_ns / SG_NS_PER_SEC);
}

/* The same viewer at the same tenant is the same name, and no other's: nobody without the tenant's
 * key finds the account. */
static void put_subject(const struct signin *s, uint8_t out[SG_SHA256_BYTES])
{
    char memory[256];
    uint8_t salt[32];
    struct sg_hmac_key key;
    struct sg_out account = sg_out_init(memory, sizeof(memory));
    sg_caip_account_put(&account, &s->grant.account);
    SG_ASSERT(!account.full);
    sg_hkdf(NULL, 0, s->terms.tenant_keys[0], SGD_KEY_BYTES, SUBJECT_LABEL,
            sizeof(SUBJECT_LABEL) - 1, salt, sizeof(salt));
    sg_hmac_key_init(&key, salt, sizeof(salt));
    sg_hmac(&key, account.ptr, account.len, out);
    sg_wipe(salt, sizeof(salt));
    sg_wipe(&key, sizeof(key));
}

static void put_claims(const struct signin *s, uint64_t expires_s, const uint8_t *subject,
                       struct sg_out *issuer, struct sgd_claims *out)
{
    sg_out_lit(issuer, "sg:");
    sg_out_str(issuer, s->terms.tenant);
    *out = (struct sgd_claims){
        .issuer = sg_out_view(issuer),
        .subject = {(const char *)subject, SUBJECT_BYTES},
        .subject_is_bytes = true,
        .audience = s->terms.tenant,
        .expires_s = expires_s,
        .issued_s = s->now_s,
        .has_cti = true,
        .session = {(const char *)s->grant.ckt, sizeof(s->grant.ckt)},
        .site = s->terms.site,
        .has_methods = true,
        .methods = s->grant.methods != 0 ? s->grant.methods
                                         : SG_BIT(SGD_METHOD_GET) | SG_BIT(SGD_METHOD_HEAD),
        .matches_count = s->grant.matches_count,
        .has_facts = s->terms.sign_in == SG_CONF_SIGN_IN_RULE,
        .facts_count = s->rule.facts_count,
        .rule_version = SG_MAX(s->terms.rule_version,
                               sge_state_rule_version(s->clerk->reader, s->terms.tenant_id)),
    };
    memcpy(out->cti, s->name, sizeof(out->cti));
    memcpy(out->matches, s->grant.matches, sizeof(out->matches));
    memcpy(out->facts, s->rule.facts, sizeof(out->facts));
}

static enum sgd_grant_verdict mint(const struct signin *s, uint64_t expires_s, struct sg_out *text)
{
    char memory[TOKEN_CLAIM_TOP];
    uint8_t subject[SG_SHA256_BYTES], epoch_key[SGD_KEY_BYTES];
    struct sg_out issuer = sg_out_init(memory, sizeof(memory));
    struct sgd_claims claims;
    struct sg_hmac_key key;
    uint32_t epoch_min = sge_state_epoch_min(s->clerk->reader, s->terms.tenant_id);
    const struct sgd_kid kid = {s->terms.region, s->terms.tenant,
                                sgd_epoch_current(s->now_s, epoch_min)};
    put_subject(s, subject);
    put_claims(s, expires_s, subject, &issuer, &claims);
    sgd_key_epoch(s->terms.tenant_keys[0], kid.epoch, epoch_key);
    sg_hmac_key_init(&key, epoch_key, sizeof(epoch_key));
    enum sg_err err = sgd_mint(&claims, &kid, &key, text);
    sg_wipe(epoch_key, sizeof(epoch_key));
    sg_wipe(&key, sizeof(key));
    return err == SG_OK ? SGD_GRANT_allowed : SGD_GRANT_too_large;
}

/* ---- the answer ---- */

/* As a cookie's Path, which browsers compare with the path as it is sent. */
static void put_cookie_path(struct sg_out *out, struct sg_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("/-._~", c) != NULL;
        if (plain)
            sg_out_char(out, (char)c);
        else
            sg_out_fmt(out, "%%%02X", c);
    }
}

static void put_cookie(const struct signin *s, struct sg_str token, uint64_t expires_s,
                       struct sg_str path)
{
    char memory[64];
    struct sg_out scratch = sg_out_init(memory, sizeof(memory)), *out = &s->answer->cookie;
    struct sg_str wanted;
    if (sgd_param_get(s->ask->query, SG_STR("cookie"), &scratch, &wanted) != SGD_PARAM_FOUND ||
        !sg_str_eq(wanted, SG_STR("1")))
        return;
    sg_out_lit(out, "CTA-Common-Access-Token=");
    sg_out_str(out, token);
    sg_out_lit(out, "; Path=");
    put_cookie_path(out, path);
    sg_out_lit(out, "; Max-Age=");
    sg_out_u64(out, expires_s - s->now_s);
    sg_out_lit(out, "; Secure; HttpOnly; SameSite=None; Partitioned");
}

static void put_answer(const struct signin *s, struct sg_str token, uint64_t expires_s)
{
    char memory[SGD_TOKEN_TEXT_MAX + 8];
    struct sg_out prefix = sg_out_init(memory, sizeof(memory));
    struct sg_json json = sg_json_init(&s->answer->json);
    const struct sgd_match *path = match_of(&s->grant, SGD_MATCH_PATH, SGD_MATCH_PREFIX);
    sg_out_lit(&prefix, "/cat:");
    sg_out_str(&prefix, token);
    sg_json_object(&json, NULL);
    sg_json_str(&json, "token", token);
    sg_json_u64(&json, "expires", expires_s);
    sg_json_u64(&json, "renew_after", s->now_s + RENEW_PART(expires_s - s->now_s));
    sg_json_u64(&json, "grant_expires", s->grant.expires_s);
    sg_json_str(&json, "path", path->value);
    sg_json_str(&json, "prefix", sg_out_view(&prefix));
    sg_json_bool(&json, "provisional", s->rule.provisional);
    sg_json_object_end(&json);
    put_cookie(s, token, expires_s, path->value);
}

/* With the state as it is at this moment: between begin and end of the reader. */
static enum sgd_grant_verdict decide(struct signin *s, struct sg_out *token, uint64_t *expires_s)
{
    if (sge_state_cti_revoked(s->clerk->reader, s->terms.tenant_id, s->name))
        return SGD_GRANT_revoked;
    enum sgd_grant_verdict verdict = check_rule(s);
    if (verdict == SGD_GRANT_allowed)
        verdict = check_feed(s);
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    *expires_s = token_expiry(s);
    if (*expires_s <= s->now_s)
        return SGD_GRANT_rule; /* what let it in is just over */
    return mint(s, *expires_s, token);
}

static enum sgd_grant_verdict decide_and_answer(struct signin *s)
{
    char memory[SGD_TOKEN_TEXT_MAX];
    struct sg_out token = sg_out_init(memory, sizeof(memory));
    uint64_t expires_s = 0;
    if (sge_state_begin(s->clerk->reader) != SG_OK)
        return SGD_GRANT_feed_stale;
    enum sgd_grant_verdict verdict = decide(s, &token, &expires_s);
    sge_state_end(s->clerk->reader);
    if (verdict == SGD_GRANT_allowed)
        verdict = use_nonce(s); /* last: a wallet that bought in the meantime need not sign anew */
    if (verdict == SGD_GRANT_allowed)
        put_answer(s, sg_out_view(&token), expires_s);
    return verdict;
}

static enum sgd_grant_verdict run(struct signin *s)
{
    static enum sgd_grant_verdict (*const steps[])(struct signin *) = {
        read_grant,  check_claims,    check_token, check_budget,
        check_proof, check_signature, use_proof,   decide_and_answer,
    };
    enum sgd_grant_verdict verdict = SGD_GRANT_allowed;
    for (size_t i = 0; i < SG_COUNT(steps) && verdict == SGD_GRANT_allowed; i++)
        verdict = steps[i](s);
    return verdict;
}

void sgd_signin(struct sgd_signin_clerk *clerk, const struct sgd_signin_ask *ask,
                struct sgd_signin_answer *out)
{
    SG_ASSERT(clerk != NULL && ask != NULL);
    SG_ASSERT(out != NULL);
    struct signin s = {
        .clerk = clerk, .ask = ask, .answer = out, .now_s = ask->wall_ns / SG_NS_PER_SEC};
    out->json.len = out->cookie.len = 0;
    out->json.full = out->cookie.full = false;
    out->detail = NULL;
    out->why[0] = 0;
    memset(out->cti, 0, sizeof(out->cti));
    if (!sgd_gate_terms(ask->gate, ask->site, &s.terms)) {
        out->verdict = SGD_GRANT_closed;
        return;
    }
    if (ask->kind == SGD_SIGNIN_CHALLENGE) {
        out->verdict = check_budget(&s);
        if (out->verdict != SGD_GRANT_allowed)
            return;
        struct sg_out scratch = sg_out_init(clerk->params, sizeof(clerk->params));
        sgd_challenge(ask, &s.terms, &scratch, out);
        return;
    }
    out->verdict = run(&s);
}
