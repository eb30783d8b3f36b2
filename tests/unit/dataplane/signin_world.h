/* signin_world - a viewer with a wallet and a session key before sgd_signin(): the gate's world of
 * gate_world.h, where site WORLD_GATED takes sign-ins. The wallet is sgt_sign.h's number 1. */
#ifndef SGT_SIGNIN_WORLD_H
#define SGT_SIGNIN_WORLD_H

#include "base/b64url.h"
#include "base/jsonread.h"
#include "dataplane/gate/cosekey.h"
#include "dataplane/gate/signin.h"
#include "tests/sgt_sign.h"
#include "tests/unit/dataplane/gate_world.h"

#include <openssl/pem.h>

#define SIGNIN_ROOT "/.well-known/streamgate/"
#define SIGNIN_EVM  "eip155:1:0x"
#define SIGNIN_SOL  "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:"

struct signin_world {
    struct world gate;
    struct sgd_signin_desk desk;
    struct sgd_signin_clerk clerk;
    struct sgd_geo_cache geo;
    EVP_PKEY *session, *solana;
    uint8_t point[64], ckt[32], solana_key[32];
    char account[160];
    const char *alg;
    uint32_t jtis;
    /* the last answer */
    struct sgd_signin_answer answer;
    char json[SGD_SIGNIN_TEXT_BYTES], cookie[16384];
    /* made of it */
    char challenge_json[SGD_SIGNIN_TEXT_BYTES];
    struct sg_jsonread challenge;
    char body[SGD_SIGNIN_BODY_BYTES], token[SGD_TOKEN_TEXT_MAX];
    /* what the next request says otherwise than a good viewer would; NULL: nothing */
    const char *authority, *htu, *htm, *grant_body;
    struct sg_str proof;
    bool without_proof, without_ath;
    uint32_t tenant_most, chain_most;
    struct in6_addr address;
};

/* ---- the session key's proofs ---- */

static inline struct sg_str signin_proof(struct signin_world *w, const char *what,
                                         const char *token)
{
    static char memory[4096], claims[1024], header[512];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_out h = sg_out_init(header, sizeof(header));
    uint8_t signature[64], hash[32];
    sg_out_lit(&h,
               "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
               "\"x\":\"");
    sg_b64url_put(&h, w->point, 32);
    sg_out_lit(&h, "\",\"y\":\"");
    sg_b64url_put(&h, w->point + 32, 32);
    sg_out_lit(&h, "\"}}");
    struct sg_out c = sg_out_init(claims, sizeof(claims));
    sg_out_fmt(&c, "{\"jti\":\"%u\",\"htm\":\"%s\",\"htu\":\"", w->jtis++,
               w->htm != NULL ? w->htm : "POST");
    if (w->htu != NULL)
        sg_out_str(&c, sg_str_from(w->htu));
    else
        sg_out_fmt(&c, "https://video.example:8443" SIGNIN_ROOT "%s", what);
    sg_out_fmt(&c, "\",\"iat\":%llu", (unsigned long long)w->gate.now_s);
    if (token != NULL) {
        sg_sha256(token, strlen(token), hash);
        sg_out_lit(&c, ",\"ath\":\"");
        sg_b64url_put(&c, hash, sizeof(hash));
        sg_out_char(&c, '"');
    }
    sg_out_char(&c, '}');
    sg_b64url_put(&out, header, h.len);
    sg_out_char(&out, '.');
    sg_b64url_put(&out, claims, c.len);
    sgt_p256_sign(w->session, sg_out_view(&out), signature);
    sg_out_char(&out, '.');
    sg_b64url_put(&out, signature, sizeof(signature));
    SG_ASSERT(!out.full && !c.full && !h.full);
    return sg_out_view(&out);
}

/* ---- asking ---- */

static inline enum sgd_grant_verdict signin_ask(struct signin_world *w, struct sgd_signin_ask ask)
{
    ask.gate = w->gate.gate;
    ask.site = w->gate.site;
    ask.https = true;
    ask.tenant_most = w->tenant_most;
    ask.chain_most = w->chain_most;
    ask.has_address = w->chain_most > 0;
    ask.address = w->address;
    ask.authority = sg_str_from(w->authority != NULL ? w->authority : "video.example:8443");
    ask.wall_ns = w->gate.now_s * SG_NS_PER_SEC;
    w->answer.json = sg_out_init(w->json, sizeof(w->json) - 1);
    w->answer.cookie = sg_out_init(w->cookie, sizeof(w->cookie) - 1);
    sgd_signin(&w->clerk, &ask, &w->answer);
    w->json[w->answer.json.len] = w->cookie[w->answer.cookie.len] = '\0';
    return w->answer.verdict;
}

/* `more` goes behind the usual parameters. */
static inline enum sgd_grant_verdict signin_challenge(struct signin_world *w, const char *more)
{
    char memory[2048];
    struct sg_out query = sg_out_init(memory, sizeof(memory));
    sg_out_fmt(&query, "account=%s&alg=%s&ckt=", w->account, w->alg);
    sg_b64url_put(&query, w->ckt, sizeof(w->ckt));
    sg_out_str(&query, sg_str_from(more));
    SG_ASSERT(!query.full);
    enum sgd_grant_verdict verdict = signin_ask(
        w, (struct sgd_signin_ask){.kind = SGD_SIGNIN_CHALLENGE, .query = sg_out_view(&query)});
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    memcpy(w->challenge_json, w->json, w->answer.json.len + 1);
    SG_ASSERT(sg_jsonread_check(sg_str_from(w->challenge_json), 16, &w->challenge));
    return verdict;
}

static inline struct sg_str signin_said(struct sg_jsonread object, const char *key)
{
    struct sg_jsonread value;
    struct sg_str text;
    SG_ASSERT(sg_jsonread_member(object, key, &value) && sg_jsonread_plain(value, &text));
    return text;
}

/* Reads the challenge back, so that the wallet signs what GRANT's own tests hold to be right. */
static inline void signin_read_challenge(struct signin_world *w, struct sgd_grant *grant)
{
    static uint8_t header[256], claims[SGD_GRANT_BYTES_MAX];
    static char memory[SGD_GRANT_BYTES_MAX];
    size_t header_len, claims_len;
    struct sg_out whole = sg_out_init(memory, sizeof(memory));
    struct sg_str h = signin_said(w->challenge, "header"), c = signin_said(w->challenge, "claims");
    SG_ASSERT(sg_b64url_read(h, header, sizeof(header), &header_len));
    SG_ASSERT(sg_b64url_read(c, claims, sizeof(claims), &claims_len));
    *grant = (struct sgd_grant){.protected_header = {(char *)header, header_len},
                                .payload = {(char *)claims, claims_len},
                                .signature = SG_STR("-")};
    sgd_grant_put(&whole, grant);
    SG_ASSERT(sgd_grant_read(sg_out_view(&whole), grant) == SGD_GRANT_allowed);
}

/* What a wallet makes of the challenge's own text, message or typed data. */
static inline size_t signin_sign(struct signin_world *w, const struct sgd_grant *grant,
                                 uint8_t *out)
{
    static char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out message = sg_out_init(memory, sizeof(memory));
    uint8_t digest[32];
    if (grant->account.chain.ns == SG_CAIP_EIP155) {
        SG_ASSERT(sgd_grant_digest(grant, digest) == SG_OK);
        sgt_secp_sign(1, digest, out);
        return 65;
    }
    SG_ASSERT(sgd_grant_put_signed(&message, grant) == SG_OK);
    sgt_ed25519_sign(w->solana, sg_out_view(&message), out);
    if (grant->alg == SGD_GRANT_SOLANA_MEMO)
        memcpy(out + 64, message.ptr, message.len);
    return 64 + (grant->alg == SGD_GRANT_SOLANA_MEMO ? message.len : 0);
}

static inline void signin_make_body(struct signin_world *w)
{
    static uint8_t signature[SGD_GRANT_BYTES_MAX];
    struct sg_out body = sg_out_init(w->body, sizeof(w->body));
    struct sgd_grant grant;
    signin_read_challenge(w, &grant);
    size_t len = signin_sign(w, &grant, signature);
    sg_out_lit(&body, "{\"header\":\"");
    sg_out_str(&body, signin_said(w->challenge, "header"));
    sg_out_lit(&body, "\",\"claims\":\"");
    sg_out_str(&body, signin_said(w->challenge, "claims"));
    sg_out_lit(&body, "\",\"signature\":\"");
    sg_b64url_put(&body, signature, len);
    sg_out_lit(&body, "\"}");
    sg_out_char(&body, '\0');
    SG_ASSERT(!body.full);
}

static inline enum sgd_grant_verdict signin_post(struct signin_world *w, enum sgd_signin_kind kind,
                                                 const char *token)
{
    const char *what = kind == SGD_SIGNIN_GRANT ? "grant" : "renew";
    struct sg_str proof = w->proof;
    if (proof.ptr == NULL && !w->without_proof)
        proof = signin_proof(w, what, w->without_ath ? NULL : token);
    enum sgd_grant_verdict verdict =
        signin_ask(w, (struct sgd_signin_ask){
                          .kind = kind,
                          .path = kind == SGD_SIGNIN_GRANT ? SG_STR(SIGNIN_ROOT "grant")
                                                           : SG_STR(SIGNIN_ROOT "renew"),
                          .query = SG_STR("cookie=1"),
                          .proof = proof,
                          .token = sg_str_from(token),
                          .body = sg_str_from(w->grant_body != NULL ? w->grant_body : w->body),
                          .body_is_json = true,
                      });
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    struct sg_jsonread answer;
    SG_ASSERT(sg_jsonread_check(sg_str_from(w->json), 4, &answer));
    struct sg_str text = signin_said(answer, "token");
    memcpy(w->token, text.ptr, text.len);
    w->token[text.len] = '\0';
    return verdict;
}

/* Challenge, signature, grant. */
static inline enum sgd_grant_verdict signin_all(struct signin_world *w)
{
    enum sgd_grant_verdict verdict = signin_challenge(w, "");
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    signin_make_body(w);
    return signin_post(w, SGD_SIGNIN_GRANT, NULL);
}

static inline enum sgd_grant_verdict signin_renew(struct signin_world *w)
{
    char token[SGD_TOKEN_TEXT_MAX];
    memcpy(token, w->token, sizeof(token));
    return signin_post(w, SGD_SIGNIN_RENEW, token);
}

/* What the gate says of the token in hand. */
static inline enum sgd_gate_verdict signin_watch(struct signin_world *w)
{
    w->gate.stripped =
        (struct sgd_stripped){.carrier = SGD_CARRIER_HEADER, .token = sg_str_from(w->token)};
    return world_verdict(&w->gate);
}

/* The claims of the token in hand; good until the next call. */
static inline const struct sgd_claims *signin_claims(struct signin_world *w)
{
    static uint8_t bytes[SGD_TOKEN_BYTES_MAX];
    static struct sgd_claims claims;
    struct sgd_token token;
    size_t len;
    SG_ASSERT(sg_b64url_read(sg_str_from(w->token), bytes, sizeof(bytes), &len));
    SG_ASSERT(sgd_token_read((struct sg_str){(char *)bytes, len}, &token) == SGD_GATE_allowed);
    SG_ASSERT(sgd_claims_read(token.payload, &claims) == SGD_GATE_allowed);
    return &claims;
}

/* ---- set-up ---- */

static inline void signin_be_evm(struct signin_world *w)
{
    uint8_t address[20];
    struct sg_out out = sg_out_init(w->account, sizeof(w->account) - 1);
    sgt_secp_address(1, address);
    sg_out_lit(&out, SIGNIN_EVM);
    sg_out_hex(&out, address, sizeof(address));
    w->account[out.len] = '\0';
    w->alg = "siwe";
}

static inline void signin_be_solana(struct signin_world *w, const char *alg)
{
    struct sg_out out = sg_out_init(w->account, sizeof(w->account) - 1);
    sg_out_lit(&out, SIGNIN_SOL);
    sg_base58_put(&out, w->solana_key, sizeof(w->solana_key));
    w->account[out.len] = '\0';
    w->alg = alg;
}

static inline int signin_set_up(void **fixture)
{
    static struct signin_world world;
    void *gate;
    struct signin_world *w = &world;
    memset(w, 0, sizeof(*w));
    if (world_set_up(&gate) != 0)
        return 1;
    w->gate = *(struct world *)gate;
    for (int i = 0; i < 2; i++)
        w->gate.tenants[i].token_lifetime_s = 600;
    for (int i = 0; i < WORLD_SITES; i++) {
        w->gate.sites[i].path = i == WORLD_OTHER ? "/other/" : "/asset";
        w->gate.sites[i].sign_in = SG_CONF_SIGN_IN_ANY;
    }
    w->gate.config.tenants = w->gate.tenants;
    w->gate.config.sites = w->gate.sites;
    world_default_request(&w->gate);
    world_open_gate(&w->gate);
    w->session = sgt_p256(w->point);
    sgd_cosekey_ec2(SGD_COSE_P256, w->point, w->ckt);
    w->solana = sgt_ed25519(1, w->solana_key);
    w->clerk = (struct sgd_signin_clerk){
        .desk = &w->desk, .reader = w->gate.reader, .geo = &w->geo, .wait_until_ns = UINT64_MAX};
    signin_be_evm(w);
    *fixture = w;
    return sgd_signin_desk_init(&w->desk) != SG_OK;
}

static inline int signin_tear_down(void **fixture)
{
    struct signin_world *w = *fixture;
    void *gate = &w->gate;
    EVP_PKEY_free(w->session);
    EVP_PKEY_free(w->solana);
    sgd_signin_desk_fini(&w->desk);
    return world_tear_down(&gate);
}

#define SIGNIN_TEST(name) cmocka_unit_test_setup_teardown(name, signin_set_up, signin_tear_down)

#endif
