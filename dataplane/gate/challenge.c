#include "dataplane/gate/challenge.h"

#include "base/b64url.h"
#include "base/clock.h"
#include "base/json.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/nonce.h"
#include "dataplane/gate/proof.h"
#include "dataplane/http/params.h"
#include "dataplane/http/target.h"

#define LIFETIME_S_MIN 60

struct alg_name {
    const char *name;
    enum sgd_grant_alg alg;
};
static const struct alg_name alg_names[] = {
    {"siwe", SGD_GRANT_SIWE},
    {"eip712", SGD_GRANT_EIP712},
    {"solana-offchain", SGD_GRANT_SOLANA_OFF},
    {"solana-text", SGD_GRANT_SOLANA_TEXT},
    {"solana-memo", SGD_GRANT_SOLANA_MEMO},
    {"on-chain", SGD_GRANT_ON_CHAIN},
    {"es256k", SGD_GRANT_ES256K},
    {"es256", SGD_GRANT_ES256},
    {"eddsa", SGD_GRANT_EDDSA},
};

/* One challenge under way: parameters are taken one after the other, the first fault stays. */
struct challenge {
    const struct sgd_signin_ask *ask;
    const struct sgd_gate_terms *terms;
    struct sg_out *scratch;
    struct sgd_grant grant;
    enum sgd_grant_verdict verdict;
    const char *fault;
};

static void fault(struct challenge *c, enum sgd_grant_verdict verdict, const char *what)
{
    if (c->verdict != SGD_GRANT_allowed || verdict == SGD_GRANT_allowed)
        return;
    c->verdict = verdict;
    c->fault = what;
}

/* False: absent (or faulty, which is then told). */
static bool param(struct challenge *c, struct sg_str name, struct sg_str *value)
{
    switch (sgd_param_get(c->ask->query, name, c->scratch, value)) {
    case SGD_PARAM_FOUND:
        return true;
    case SGD_PARAM_BAD:
        fault(c, SGD_GRANT_malformed, "a parameter stands there twice, or is not percent-encoded");
        return false;
    case SGD_PARAM_ABSENT:
        return false;
    }
    SG_UNREACHABLE();
}

static void take_account(struct challenge *c)
{
    struct sg_str text;
    if (!param(c, SG_STR("account"), &text))
        fault(c, SGD_GRANT_claim_missing,
              "account: a CAIP-10 account, eip155:1:0x... or solana:...");
    else if (!sg_caip_account_read(text, &c->grant.account))
        fault(c, SGD_GRANT_malformed, "account is no CAIP-10 account of the EVM or of Solana");
}

static void take_alg(struct challenge *c)
{
    struct sg_str text;
    if (!param(c, SG_STR("alg"), &text)) {
        c->grant.alg =
            c->grant.account.chain.ns == SG_CAIP_SOLANA ? SGD_GRANT_SOLANA_TEXT : SGD_GRANT_SIWE;
        return;
    }
    for (size_t i = 0; i < SG_COUNT(alg_names); i++) {
        char number[16];
        struct sg_out digits = sg_out_init(number, sizeof(number));
        sg_out_char(&digits, '-');
        sg_out_u64(&digits, (uint64_t) - (int64_t)alg_names[i].alg);
        if (!sg_str_eq(text, sg_str_from(alg_names[i].name)) &&
            !sg_str_eq(text, sg_out_view(&digits)))
            continue;
        c->grant.alg = alg_names[i].alg;
        return;
    }
    fault(c, SGD_GRANT_algorithm,
          "alg is none of siwe, eip712, solana-offchain, solana-text, "
          "solana-memo, on-chain, es256k, es256, eddsa");
}

static void take_session_key(struct challenge *c)
{
    struct sg_str text;
    size_t len;
    if (param(c, SG_STR("ckt"), &text)) {
        if (!sg_b64url_read(text, c->grant.ckt, sizeof(c->grant.ckt), &len) || len != SGD_CKT_BYTES)
            fault(c, SGD_GRANT_malformed, "ckt is not 32 bytes in base64url");
    } else if (c->ask->proof.ptr == NULL) {
        fault(c, SGD_GRANT_claim_missing,
              "ckt: the session key's thumbprint (RFC 9679); or a DPoP "
              "proof by that key");
    } else if (!sgd_proof_ckt(c->ask->proof, c->grant.ckt)) {
        fault(c, SGD_GRANT_proof_malformed, "the DPoP proof has no P-256 or Ed25519 key");
    }
}

/* Where the token is to open: a path's beginning, decoded. */
static void take_path(struct challenge *c)
{
    struct sg_str text, site = c->terms->path;
    struct sgd_match *match = &c->grant.matches[c->grant.matches_count++];
    if (!param(c, SG_STR("path"), &text)) {
        size_t mark = c->scratch->len;
        sg_out_str(c->scratch, site);
        if (site.len == 0 || site.ptr[site.len - 1] != '/')
            sg_out_char(c->scratch, '/');
        text = (struct sg_str){c->scratch->ptr + mark, c->scratch->len - mark};
    } else {
        char memory[2048];
        struct sg_out path = sg_out_init(memory, sizeof(memory));
        if (text.len == 0 || text.ptr[0] != '/' || !sgd_target_decode(text, &path) || path.full ||
            !sg_str_eq(sg_out_view(&path), text))
            fault(c, SGD_GRANT_path, "path is not the plain beginning of a path");
    }
    if (!sgd_signin_under(site, text))
        fault(c, SGD_GRANT_path, "path does not lie in the site");
    *match = (struct sgd_match){SGD_MATCH_PATH, SGD_MATCH_PREFIX, text};
}

static void take_host(struct challenge *c)
{
    struct sgd_match *match = &c->grant.matches[c->grant.matches_count++];
    *match =
        (struct sgd_match){SGD_MATCH_HOST, SGD_MATCH_EXACT, sgd_authority_host(c->ask->authority)};
}

/* The page on which the wallet is asked: what it shows to its owner. */
static void take_domain(struct challenge *c)
{
    struct sg_str text, origin = c->ask->origin;
    if (param(c, SG_STR("domain"), &text)) {
        c->grant.domain = text;
        return;
    }
    const char *rest = origin.len == 0 ? NULL : memmem(origin.ptr, origin.len, "://", 3);
    c->grant.domain =
        rest == NULL ? c->ask->authority : sg_str_skip(origin, (size_t)(rest - origin.ptr) + 3);
}

static void take_lifetime(struct challenge *c)
{
    struct sg_str text;
    uint64_t lifetime_s = SGD_GRANT_LIFETIME_S;
    if (param(c, SG_STR("lifetime"), &text) &&
        (!sg_str_to_u64(text, &lifetime_s) || lifetime_s < LIFETIME_S_MIN ||
         lifetime_s > SGD_GRANT_LIFETIME_S))
        fault(c, SGD_GRANT_too_long, "lifetime is 60 to 86400 seconds");
    c->grant.issued_s = c->ask->wall_ns / SG_NS_PER_SEC;
    c->grant.expires_s = c->grant.issued_s + lifetime_s;
}

static void take_nonce(struct challenge *c)
{
    struct sg_hmac_key key;
    sgd_nonce_key(c->terms->tenant_keys[0], &key);
    sgd_nonce_make(&key, c->grant.issued_s, c->grant.cti);
    sg_wipe(&key, sizeof(key));
}

static void take_params(struct challenge *c)
{
    c->grant.tenant = c->terms->tenant;
    take_account(c);
    take_alg(c);
    take_session_key(c);
    take_host(c);
    take_path(c);
    take_domain(c);
    take_lifetime(c);
    take_nonce(c);
    if (!param(c, SG_STR("kid"), &c->grant.issuer_key))
        c->grant.issuer_key = SG_STR_NONE;
}

/* ---- the answer ---- */

static void put_b64(struct sg_json *json, const char *key, struct sg_str bytes)
{
    char memory[2 * SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    sg_b64url_put(&text, bytes.ptr, bytes.len);
    sg_json_str(json, key, sg_out_view(&text));
    json->out->full |= text.full;
}

/* What the wallet is to sign, in the form that its interface takes. */
static void put_wanted(struct sg_json *json, const struct sgd_grant *grant)
{
    char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    enum sg_err err = SG_OK;
    switch (grant->alg) {
    case SGD_GRANT_EIP712:
        sg_out_lit(json->out, ",\"typed_data\":");
        err = sgd_grant_put_typed_data(json->out, grant);
        break;
    case SGD_GRANT_SIWE:
    case SGD_GRANT_SOLANA_TEXT:
    case SGD_GRANT_ON_CHAIN:
        err = sgd_grant_put_signed(&text, grant);
        sg_json_str(json, "text", sg_out_view(&text));
        break;
    case SGD_GRANT_SOLANA_OFF:
    case SGD_GRANT_SOLANA_MEMO:
        err = sgd_grant_put_signed(&text, grant);
        put_b64(json, "message", sg_out_view(&text));
        break;
    case SGD_GRANT_ES256K:
    case SGD_GRANT_ES256:
    case SGD_GRANT_EDDSA:
        break; /* a back end signs COSE's own structure */
    }
    json->out->full |= err != SG_OK || text.full;
}

/* Whether it will be taken when it comes back signed: by the reader itself, so that no wallet is
 * asked in vain, and no text is made of what the reader would not let through. */
static enum sgd_grant_verdict try_reading(const struct sgd_grant *grant)
{
    char memory[SGD_GRANT_BYTES_MAX];
    struct sg_out whole = sg_out_init(memory, sizeof(memory));
    struct sgd_grant signed_one = *grant, read;
    signed_one.signature = SG_STR("-");
    sgd_grant_put(&whole, &signed_one);
    return whole.full ? SGD_GRANT_too_large : sgd_grant_read(sg_out_view(&whole), &read);
}

/* Where the account's proof of its place in the allow lists is to be had: a file by its address. */
static void put_proofs_url(struct sg_json *json, const struct challenge *c)
{
    char memory[1024], account[256];
    struct sg_out url = sg_out_init(memory, sizeof(memory));
    struct sg_out name = sg_out_init(account, sizeof(account));
    if (c->terms->list_proofs_url == NULL)
        return;
    sg_caip_account_put(&name, &c->grant.account);
    struct sg_str address = sg_out_view(&name);
    while (memchr(address.ptr, ':', address.len) != NULL)
        address = sg_str_skip(address, 1);
    sg_out_str(&url, sg_str_from(c->terms->list_proofs_url));
    sg_out_str(&url, address);
    sg_out_lit(&url, ".json");
    if (!url.full)
        sg_json_str(json, "list_proofs", sg_out_view(&url));
}

static void put_answer(struct challenge *c, struct sg_out *out)
{
    char header[256], claims[SGD_GRANT_BYTES_MAX];
    struct sg_out h = sg_out_init(header, sizeof(header)), p = sg_out_init(claims, sizeof(claims));
    struct sg_json json = sg_json_init(out);
    struct sgd_grant *grant = &c->grant;
    sgd_grant_put_header(&h, grant);
    sgd_grant_put_claims(&p, grant);
    grant->protected_header = sg_out_view(&h);
    grant->payload = sg_out_view(&p);
    fault(c, h.full || p.full ? SGD_GRANT_too_large : try_reading(grant),
          "such a grant would not be taken: shorten path or domain, or write them plainly");
    if (c->verdict != SGD_GRANT_allowed)
        return;
    sg_json_object(&json, NULL);
    sg_json_i64(&json, "alg", grant->alg);
    put_b64(&json, "header", grant->protected_header);
    put_b64(&json, "claims", grant->payload);
    put_wanted(&json, grant);
    sg_json_hex(&json, "nonce", grant->cti, sizeof(grant->cti));
    sg_json_u64(&json, "sign_before", grant->issued_s + SGD_SIGNIN_NONCE_S);
    sg_json_u64(&json, "expires", grant->expires_s);
    put_proofs_url(&json, c);
    sg_json_object_end(&json);
}

bool sgd_signin_under(struct sg_str site_path, struct sg_str prefix)
{
    while (site_path.len > 0 && site_path.ptr[site_path.len - 1] == '/')
        site_path.len--;
    return prefix.len > site_path.len && sg_str_starts(prefix, site_path) &&
           prefix.ptr[site_path.len] == '/';
}

void sgd_challenge(const struct sgd_signin_ask *ask, const struct sgd_gate_terms *terms,
                   struct sg_out *scratch, struct sgd_signin_answer *answer)
{
    SG_ASSERT(ask != NULL && terms != NULL);
    struct challenge c = {
        .ask = ask, .terms = terms, .scratch = scratch, .verdict = SGD_GRANT_allowed};
    take_params(&c);
    if (c.verdict == SGD_GRANT_allowed) {
        const struct sgd_grant_terms check = {
            .tenant = terms->tenant,
            .authority = ask->authority,
            .domains = terms->domains,
            .domains_count = terms->domains_count,
            .any_host = terms->any_host,
            .skew_s = terms->skew_s,
            .now_s = c.grant.issued_s,
        };
        enum sgd_grant_verdict verdict = sgd_grant_check(&c.grant, &check);
        fault(&c, verdict,
              verdict == SGD_GRANT_domain
                  ? "the page's host names neither this site (hosts) nor is "
                    "it listed (sign_in_domains)"
                  : "such a grant would not be taken");
    }
    if (c.verdict == SGD_GRANT_allowed)
        put_answer(&c, &answer->json);
    if (answer->json.full)
        fault(&c, SGD_GRANT_too_large, "there is too much to sign: shorten path or domain");
    answer->verdict = c.verdict;
    answer->detail = c.fault;
}
