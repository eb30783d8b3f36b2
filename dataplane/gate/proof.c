#include "dataplane/gate/proof.h"

#include "base/b64url.h"
#include "base/jsonread.h"
#include "base/sys/crypto.h"
#include "dataplane/gate/cosekey.h"
#include "dataplane/sys/osslsig.h"

#define SIGNATURE_BYTES 64
#define DEPTH_MAX       8
#define MEMBERS_MAX     32 /* of an object */

/* A JWS in its compact form (RFC 7515), decoded. */
struct jwt {
    char header_memory[SGD_PROOF_TEXT_MAX], claims_memory[SGD_PROOF_TEXT_MAX];
    struct sg_jsonread header, claims;
    struct sg_str signed_part; /* of the text */
    uint8_t signature[SIGNATURE_BYTES];
};

/* The key in the header. */
struct session_key {
    bool is_p256; /* else Ed25519 */
    uint8_t bytes[64];
    uint8_t ckt[SGD_CKT_BYTES];
};

/* What stands before the first dot, which is dropped from *rest. */
static bool part_of(struct sg_str *rest, struct sg_str *out)
{
    const char *dot = rest->len == 0 ? NULL : memchr(rest->ptr, '.', rest->len);
    if (dot == NULL)
        return false;
    *out = (struct sg_str){rest->ptr, (size_t)(dot - rest->ptr)};
    *rest = (struct sg_str){dot + 1, rest->len - out->len - 1};
    return true;
}

/* An object in which no member could be taken for two: no key twice, none spelt with an escape. */
static bool is_plain_object(struct sg_jsonread value)
{
    struct sg_str keys[MEMBERS_MAX], key;
    struct sg_jsonread member;
    struct sg_jsonread_walk walk = sg_jsonread_walk(value);
    size_t count = 0;
    if (!walk.is_object)
        return false;
    while (sg_jsonread_next(&walk, &key, &member)) {
        if (count == MEMBERS_MAX || (key.len > 0 && memchr(key.ptr, '\\', key.len) != NULL))
            return false;
        for (size_t i = 0; i < count; i++)
            if (sg_str_eq(keys[i], key))
                return false;
        keys[count++] = key;
    }
    return true;
}

static bool object_read(struct sg_str text, char *memory, size_t cap, struct sg_jsonread *out)
{
    size_t len;
    return sg_b64url_read(text, (uint8_t *)memory, cap, &len) &&
           sg_jsonread_check((struct sg_str){memory, len}, DEPTH_MAX, out) && is_plain_object(*out);
}

static bool jwt_read(struct sg_str text, struct jwt *jwt)
{
    struct sg_str header, claims, signature = text;
    size_t len;
    if (text.len > SGD_PROOF_TEXT_MAX || !part_of(&signature, &header) ||
        !part_of(&signature, &claims))
        return false;
    jwt->signed_part = (struct sg_str){text.ptr, header.len + 1 + claims.len};
    return object_read(header, jwt->header_memory, sizeof(jwt->header_memory), &jwt->header) &&
           object_read(claims, jwt->claims_memory, sizeof(jwt->claims_memory), &jwt->claims) &&
           sg_b64url_read(signature, jwt->signature, sizeof(jwt->signature), &len) &&
           len == sizeof(jwt->signature);
}

/* The member `key` is the string `wanted`. */
static bool says(struct sg_jsonread object, const char *key, struct sg_str wanted)
{
    struct sg_jsonread value;
    struct sg_str text;
    return sg_jsonread_member(object, key, &value) && sg_jsonread_plain(value, &text) &&
           sg_str_eq(text, wanted);
}

/* ... is 32 bytes. */
static bool bytes_of(struct sg_jsonread object, const char *key, uint8_t out[32])
{
    struct sg_jsonread value;
    struct sg_str text;
    size_t len;
    return sg_jsonread_member(object, key, &value) && sg_jsonread_plain(value, &text) &&
           sg_b64url_read(text, out, 32, &len) && len == 32;
}

/* RFC 9449 section 4.2: typ, alg, jwk; the last without its private part. */
static bool key_read(struct sg_jsonread header, struct session_key *out)
{
    struct sg_jsonread jwk, other;
    if (!says(header, "typ", SG_STR("dpop+jwt")) || sg_jsonread_member(header, "crit", &other) ||
        !sg_jsonread_member(header, "jwk", &jwk) || !is_plain_object(jwk) ||
        sg_jsonread_member(jwk, "d", &other))
        return false;
    out->is_p256 = says(header, "alg", SG_STR("ES256"));
    if (out->is_p256) {
        if (!says(jwk, "kty", SG_STR("EC")) || !says(jwk, "crv", SG_STR("P-256")) ||
            !bytes_of(jwk, "x", out->bytes) || !bytes_of(jwk, "y", out->bytes + 32))
            return false;
        sgd_cosekey_ec2(SGD_COSE_P256, out->bytes, out->ckt);
        return true;
    }
    if ((!says(header, "alg", SG_STR("EdDSA")) && !says(header, "alg", SG_STR("Ed25519"))) ||
        !says(jwk, "kty", SG_STR("OKP")) || !says(jwk, "crv", SG_STR("Ed25519")) ||
        !bytes_of(jwk, "x", out->bytes))
        return false;
    sgd_cosekey_okp(out->bytes, out->ckt);
    return true;
}

bool sgd_proof_ckt(struct sg_str text, uint8_t out[SGD_CKT_BYTES])
{
    struct jwt jwt;
    struct session_key key;
    if (!jwt_read(text, &jwt) || !key_read(jwt.header, &key))
        return false;
    memcpy(out, key.ckt, sizeof(key.ckt));
    return true;
}

/* ---- htu ---- */

struct uri {
    struct sg_str scheme, authority, path;
};

/* Without query and fragment; a port that is the scheme's own is dropped (RFC 3986 section 6.2.3).
 */
static bool uri_read(struct sg_str text, struct uri *out)
{
    static const struct sg_str separator = {"://", 3};
    const char *colon = text.len == 0 ? NULL : memmem(text.ptr, text.len, "://", 3);
    if (colon == NULL)
        return false;
    out->scheme = (struct sg_str){text.ptr, (size_t)(colon - text.ptr)};
    struct sg_str rest = sg_str_skip(text, out->scheme.len + separator.len);
    size_t len = 0, end;
    while (len < rest.len && memchr("/?#", rest.ptr[len], 3) == NULL)
        len++;
    for (end = len; end < rest.len && rest.ptr[end] != '?' && rest.ptr[end] != '#';)
        end++;
    out->authority = (struct sg_str){rest.ptr, len};
    out->path = len == end ? SG_STR("/") : (struct sg_str){rest.ptr + len, end - len};
    const struct sg_str port =
        sg_str_eq_nocase(out->scheme, SG_STR("https")) ? SG_STR(":443") : SG_STR(":80");
    if (len > port.len && memcmp(rest.ptr + len - port.len, port.ptr, port.len) == 0)
        out->authority.len -= port.len;
    return out->authority.len > 0;
}

static bool uri_is(struct sg_str text, struct sg_str wanted)
{
    struct uri a, b;
    return uri_read(text, &a) && uri_read(wanted, &b) && sg_str_eq_nocase(a.scheme, b.scheme) &&
           sg_str_eq_nocase(a.authority, b.authority) && sg_str_eq(a.path, b.path);
}

/* ---- claims ---- */

static bool text_of(const struct jwt *jwt, const char *key, char memory[SGD_PROOF_TEXT_MAX],
                    struct sg_str *text)
{
    struct sg_jsonread value;
    struct sg_out out = sg_out_init(memory, SGD_PROOF_TEXT_MAX);
    if (!sg_jsonread_member(jwt->claims, key, &value) || !sg_jsonread_text(value, &out) ||
        out.full || out.len == 0)
        return false;
    *text = sg_out_view(&out);
    return true;
}

static bool token_is_meant(const struct jwt *jwt, struct sg_str token)
{
    uint8_t hash[SG_SHA256_BYTES], said[SG_SHA256_BYTES];
    if (token.ptr == NULL)
        return true;
    sg_sha256(token.ptr, token.len, hash);
    return bytes_of(jwt->claims, "ath", said) && memcmp(said, hash, sizeof(hash)) == 0;
}

static enum sgd_grant_verdict claims_check(const struct jwt *jwt,
                                           const struct sgd_proof_terms *terms, uint64_t *issued_s)
{
    char memory[SGD_PROOF_TEXT_MAX];
    struct sg_str text;
    struct sg_jsonread value;
    const uint64_t window = SGD_PROOF_S + (uint64_t)terms->skew_s;
    if (!sg_jsonread_member(jwt->claims, "iat", &value) || !sg_jsonread_u64(value, issued_s) ||
        *issued_s > UINT64_MAX - window || !text_of(jwt, "htm", memory, &text))
        return SGD_GRANT_proof_malformed;
    if (!sg_str_eq(text, terms->method))
        return SGD_GRANT_proof_target;
    if (!text_of(jwt, "htu", memory, &text))
        return SGD_GRANT_proof_malformed;
    if (!uri_is(text, terms->uri) || !token_is_meant(jwt, terms->token))
        return SGD_GRANT_proof_target;
    return *issued_s + window < terms->now_s || *issued_s > terms->now_s + window
               ? SGD_GRANT_proof_time
               : SGD_GRANT_allowed;
}

/* The same jti of another key is another proof. */
static void id_of(struct sg_str jti, const struct session_key *key, uint8_t out[16])
{
    uint8_t hash[SG_SHA256_BYTES];
    struct sg_sha256 sha;
    sg_sha256_init(&sha);
    sg_sha256_add(&sha, key->ckt, sizeof(key->ckt));
    sg_sha256_add(&sha, jti.ptr, jti.len);
    sg_sha256_final(&sha, hash);
    memcpy(out, hash, 16);
}

enum sgd_grant_verdict sgd_proof_check(struct sg_str text, const struct sgd_proof_terms *terms,
                                       struct sgd_proof *out)
{
    char memory[SGD_PROOF_TEXT_MAX];
    struct jwt jwt;
    struct session_key key;
    struct sg_str jti;
    uint64_t issued_s;
    if (text.len == 0)
        return SGD_GRANT_proof_missing;
    if (!jwt_read(text, &jwt) || !key_read(jwt.header, &key) || !text_of(&jwt, "jti", memory, &jti))
        return SGD_GRANT_proof_malformed;
    if (!sg_equal_secret(key.ckt, terms->ckt, sizeof(key.ckt)))
        return SGD_GRANT_proof_key;
    enum sgd_grant_verdict verdict = claims_check(&jwt, terms, &issued_s);
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    if (key.is_p256 ? !sgd_osig_p256(key.bytes, jwt.signed_part, jwt.signature)
                    : !sgd_osig_ed25519(key.bytes, jwt.signed_part, jwt.signature))
        return SGD_GRANT_proof_signature;
    id_of(jti, &key, out->id);
    out->issued_s = issued_s;
    return SGD_GRANT_allowed;
}
