#include "tests/sgt.h"

#include "base/assert.h"
#include "base/b64url.h"
#include "dataplane/gate/cosekey.h"
#include "dataplane/gate/proof.h"
#include "tests/sgt_hex.h"
#include "tests/sgt_sign.h"

#include <stdio.h>

/* RFC 9449 section 4.1, and the key's JWK SHA-256 thumbprint replaced by our COSE one. */
static const char rfc_proof[] =
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNo"
    "UklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERW"
    "clUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh"
    "0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8"
    "v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
#define RFC_IAT 1562262616u

struct signer {
    EVP_PKEY *key;
    uint8_t bytes[64], ckt[32];
    bool p256;
    char header[512];
};

/* The header that a browser would write for the key. */
static void signer_make(struct signer *who, bool p256)
{
    struct sg_out out = sg_out_init(who->header, sizeof(who->header));
    who->p256 = p256;
    who->key = p256 ? sgt_p256(who->bytes) : sgt_ed25519(1, who->bytes);
    sg_out_lit(&out, "{\"typ\":\"dpop+jwt\",\"alg\":\"");
    sg_out_str(&out, p256 ? SG_STR("ES256") : SG_STR("EdDSA"));
    sg_out_lit(&out, "\",\"jwk\":{\"kty\":\"");
    sg_out_str(&out, p256 ? SG_STR("EC\",\"crv\":\"P-256") : SG_STR("OKP\",\"crv\":\"Ed25519"));
    sg_out_lit(&out, "\",\"x\":\"");
    sg_b64url_put(&out, who->bytes, 32);
    if (p256) {
        sg_out_lit(&out, "\",\"y\":\"");
        sg_b64url_put(&out, who->bytes + 32, 32);
        sgd_cosekey_ec2(SGD_COSE_P256, who->bytes, who->ckt);
    } else {
        sgd_cosekey_okp(who->bytes, who->ckt);
    }
    sg_out_lit(&out, "\"}}");
    sg_out_char(&out, 0);
    SG_ASSERT(!out.full);
}

static struct sg_str sign(const struct signer *who, const char *header, const char *claims)
{
    static char memory[8192];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    uint8_t signature[64];
    sg_b64url_put(&out, header, strlen(header));
    sg_out_char(&out, '.');
    sg_b64url_put(&out, claims, strlen(claims));
    if (who->p256)
        sgt_p256_sign(who->key, sg_out_view(&out), signature);
    else
        sgt_ed25519_sign(who->key, sg_out_view(&out), signature);
    sg_out_char(&out, '.');
    sg_b64url_put(&out, signature, sizeof(signature));
    SG_ASSERT(!out.full);
    return sg_out_view(&out);
}

static struct sgd_proof_terms terms_of(const uint8_t ckt[32])
{
    struct sgd_proof_terms terms = {.method = SG_STR("POST"),
                                    .uri = SG_STR("https://video.example:8443/renew"),
                                    .now_s = 1780000000};
    memcpy(terms.ckt, ckt, 32);
    return terms;
}
#define GOOD                                                                                       \
    "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:8443/renew\","                \
    "\"iat\":1780000000}"

static void the_rfcs_example_holds_and_no_character_of_it_can_be_another(void **fixture)
{
    static char text[sizeof(rfc_proof)];
    struct sg_str jwt = {text, sizeof(rfc_proof) - 1};
    struct sgd_proof_terms terms = {.method = SG_STR("POST"),
                                    .uri = SG_STR("https://server.example.com/token"),
                                    .now_s = RFC_IAT};
    struct sgd_proof proof;
    memcpy(text, rfc_proof, sizeof(text));
    assert_true(sgd_proof_ckt(jwt, terms.ckt));
    assert_int_equal(sgd_proof_check(jwt, &terms, &proof), SGD_GRANT_allowed);
    assert_true(proof.issued_s == RFC_IAT);
    for (size_t i = 0; i < jwt.len; i++) {
        const char was = text[i];
        for (char other = 'A'; other <= 'z'; other = (char)(other + 19)) {
            text[i] = other;
            assert_true(other == was || sgd_proof_check(jwt, &terms, &proof) != SGD_GRANT_allowed);
        }
        text[i] = was;
    }
    for (size_t len = 0; len < sizeof(rfc_proof) - 1; len++)
        assert_int_not_equal(sgd_proof_check((struct sg_str){text, len}, &terms, &proof),
                             SGD_GRANT_allowed);
    (void)fixture;
}

static void the_thumbprint_is_rfc_9679s(void **fixture)
{
    uint8_t point[64], want[32], got[32];
    sgt_hex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"
            "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c",
            point, sizeof(point));
    sgt_hex("496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec", want, sizeof(want));
    sgd_cosekey_ec2(SGD_COSE_P256, point, got);
    assert_memory_equal(got, want, sizeof(want));
    (void)fixture;
}

static void both_kinds_of_keys_prove(void **fixture)
{
    for (int p256 = 0; p256 < 2; p256++) {
        struct signer who;
        struct sgd_proof proof;
        uint8_t ckt[32];
        signer_make(&who, p256 != 0);
        struct sgd_proof_terms terms = terms_of(who.ckt);
        struct sg_str jwt = sign(&who, who.header, GOOD);
        assert_true(sgd_proof_ckt(jwt, ckt));
        assert_memory_equal(ckt, who.ckt, sizeof(ckt));
        assert_int_equal(sgd_proof_check(jwt, &terms, &proof), SGD_GRANT_allowed);
        terms.ckt[0] ^= 1;
        assert_int_equal(sgd_proof_check(jwt, &terms, &proof), SGD_GRANT_proof_key);
        EVP_PKEY_free(who.key);
    }
    (void)fixture;
}

static void each_claim_is_judged(void **fixture)
{
    static const struct {
        enum sgd_grant_verdict verdict;
        const char *claims;
    } rows[] = {
        {SGD_GRANT_allowed, GOOD},
        {SGD_GRANT_allowed, "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"HTTPS:\\/\\/Video.Example:"
                            "8443\\/renew?x#y\",\"iat\":1780000060,\"more\":[1]}"},
        {SGD_GRANT_allowed, "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:8443/"
                            "renew\",\"iat\":1779999940}"},
        {SGD_GRANT_proof_time,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:8443"
         "/renew\",\"iat\":1780000061}"},
        {SGD_GRANT_proof_time,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:8443"
         "/renew\",\"iat\":1779999939}"},
        {SGD_GRANT_proof_target,
         "{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"https://video.example:844"
         "3/renew\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_target,
         "{\"jti\":\"a\",\"htm\":\"post\",\"htu\":\"https://video.example:84"
         "43/renew\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_target,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example/re"
         "new\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_target,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"http://video.example:844"
         "3/renew\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_target,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:84"
         "43/Renew\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_target, "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"/renew\",\"iat\":"
                                 "1780000000}"},
        {SGD_GRANT_proof_malformed, "{\"htm\":\"POST\",\"htu\":\"https://video.example:8443/renew\""
                                    ",\"iat\":1780000000}"},
        {SGD_GRANT_proof_malformed,
         "{\"jti\":\"\",\"htm\":\"POST\",\"htu\":\"https://video.example:"
         "8443/renew\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_malformed, "{\"jti\":\"a\",\"htm\":\"POST\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_malformed,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example"
         ":8443/renew\"}"},
        {SGD_GRANT_proof_malformed,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example"
         ":8443/renew\",\"iat\":\"1780000000\"}"},
        {SGD_GRANT_proof_malformed,
         "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example"
         ":8443/renew\",\"iat\":18446744073709551615}"},
        {SGD_GRANT_proof_malformed,
         "{\"jti\":\"a\",\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https:/"
         "/video.example:8443/renew\",\"iat\":1780000000}"},
        {SGD_GRANT_proof_malformed, "[]"},
    };
    struct signer who;
    struct sgd_proof proof;
    signer_make(&who, false);
    struct sgd_proof_terms terms = terms_of(who.ckt);
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        if (sgd_proof_check(sign(&who, who.header, rows[i].claims), &terms, &proof) !=
            rows[i].verdict)
            fail_msg("%s", rows[i].claims);
    assert_int_equal(sgd_proof_check(SG_STR_NONE, &terms, &proof), SGD_GRANT_proof_missing);
    EVP_PKEY_free(who.key);
    (void)fixture;
}

static void a_port_that_is_the_schemes_own_does_not_count(void **fixture)
{
    static const struct {
        const char *said, *wanted;
        bool same;
    } rows[] = {
        {"https://h.example/a", "https://h.example:443/a", true},
        {"https://h.example:443/a", "https://h.example/a", true},
        {"http://h.example:80", "http://h.example/", true},
        {"https://h.example:80/a", "https://h.example/a", false},
        {"https://h.example@evil.example/a", "https://h.example/a", false},
        {"https://h.example/a/", "https://h.example/a", false},
        {"https://:443/a", "https://h.example/a", false},
        {"https:///a", "https://h.example/a", false},
        {"://h.example/a", "https://h.example/a", false},
    };
    struct signer who;
    struct sgd_proof proof;
    signer_make(&who, false);
    struct sgd_proof_terms terms = terms_of(who.ckt);
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char claims[256];
        snprintf(claims, sizeof(claims),
                 "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"%s\",\"iat\":1780000000}",
                 rows[i].said);
        terms.uri = sg_str_from(rows[i].wanted);
        if (sgd_proof_check(sign(&who, who.header, claims), &terms, &proof) !=
            (rows[i].same ? SGD_GRANT_allowed : SGD_GRANT_proof_target))
            fail_msg("%s for %s", rows[i].said, rows[i].wanted);
    }
    EVP_PKEY_free(who.key);
    (void)fixture;
}

/* RFC 9449 section 7.1. */
static void a_proof_may_have_to_name_its_token(void **fixture)
{
    const struct sg_str token = SG_STR("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    static const char claims[] =
        "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:8443/renew\",\"iat\":"
        "1780000000,\"ath\":\"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo\"}";
    struct signer who;
    struct sgd_proof proof;
    signer_make(&who, false);
    struct sgd_proof_terms terms = terms_of(who.ckt);
    terms.token = token;
    struct sg_str jwt = sign(&who, who.header, claims);
    assert_int_equal(sgd_proof_check(jwt, &terms, &proof), SGD_GRANT_allowed);
    terms.token.len--;
    assert_int_equal(sgd_proof_check(jwt, &terms, &proof), SGD_GRANT_proof_target);
    jwt = sign(&who, who.header, GOOD);
    assert_int_equal(sgd_proof_check(jwt, &terms, &proof), SGD_GRANT_proof_target);
    EVP_PKEY_free(who.key);
    (void)fixture;
}

static void headers_that_choose_another_way_are_refused(void **fixture)
{
    static const char *const changes[][2] = {
        {"dpop+jwt", "JWT"},
        {"\"alg\":\"EdDSA\"", "\"alg\":\"none\""},
        {"\"alg\":\"EdDSA\"", "\"alg\":\"HS256\""},
        {"\"alg\":\"EdDSA\"", "\"alg\":\"ES256\""},
        {"\"kty\":\"OKP\"", "\"kty\":\"EC\""},
        {"\"crv\":\"Ed25519\"", "\"crv\":\"X25519\""},
        {"\"kty\"", "\"d\":\"AA\",\"kty\""}, /* its private part */
        {"\"alg\"", "\"crit\":[\"b64\"],\"alg\""},
        {"\"jwk\":{", "\"jwk\":{\"x\":\"AA\","}, /* twice */
        {"\"x\":\"", "\"x\":\"A"},
        {"\"jwk\"", "\"jku\""},
    };
    struct signer who;
    struct sgd_proof proof;
    signer_make(&who, false);
    struct sgd_proof_terms terms = terms_of(who.ckt);
    for (size_t i = 0; i < SG_COUNT(changes); i++) {
        char header[600];
        const char *at = strstr(who.header, changes[i][0]);
        SG_ASSERT(at != NULL);
        snprintf(header, sizeof(header), "%.*s%s%s", (int)(at - who.header), who.header,
                 changes[i][1], at + strlen(changes[i][0]));
        if (sgd_proof_check(sign(&who, header, GOOD), &terms, &proof) != SGD_GRANT_proof_malformed)
            fail_msg("%s", header);
    }
    EVP_PKEY_free(who.key);
    (void)fixture;
}

static void a_replay_is_known_by_key_and_jti(void **fixture)
{
    struct signer who, other;
    struct sgd_proof a, b;
    signer_make(&who, false);
    signer_make(&other, true);
    struct sgd_proof_terms terms = terms_of(who.ckt);
    static const char second[] = "{\"jti\":\"b\",\"htm\":\"POST\",\"htu\":\"https://video.example:"
                                 "8443/renew\",\"iat\":1780000000}";
    static const char later[] = "{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://video.example:"
                                "8443/renew\",\"iat\":1780000001}";
    assert_int_equal(sgd_proof_check(sign(&who, who.header, GOOD), &terms, &a), SGD_GRANT_allowed);
    assert_int_equal(sgd_proof_check(sign(&who, who.header, later), &terms, &b), SGD_GRANT_allowed);
    assert_memory_equal(a.id, b.id, sizeof(a.id));
    assert_int_equal(sgd_proof_check(sign(&who, who.header, second), &terms, &b),
                     SGD_GRANT_allowed);
    assert_memory_not_equal(a.id, b.id, sizeof(a.id));
    memcpy(terms.ckt, other.ckt, 32);
    assert_int_equal(sgd_proof_check(sign(&other, other.header, GOOD), &terms, &b),
                     SGD_GRANT_allowed);
    assert_memory_not_equal(a.id, b.id, sizeof(a.id));
    EVP_PKEY_free(who.key);
    EVP_PKEY_free(other.key);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_rfcs_example_holds_and_no_character_of_it_can_be_another),
    cmocka_unit_test(the_thumbprint_is_rfc_9679s),
    cmocka_unit_test(both_kinds_of_keys_prove),
    cmocka_unit_test(each_claim_is_judged),
    cmocka_unit_test(a_port_that_is_the_schemes_own_does_not_count),
    cmocka_unit_test(a_proof_may_have_to_name_its_token),
    cmocka_unit_test(headers_that_choose_another_way_are_refused),
    cmocka_unit_test(a_replay_is_known_by_key_and_jti),
};
SGT_MAIN("proof", tests)
