#include "base/assert.h"
#include "base/cbor.h"
#include "dataplane/gate/cat.h"
#include "dataplane/gate/grant_impl.h"

#define CATV_VERSION 1
#define TAG_BIGNUM   2
enum grant_claim {
    CLAIM_ISS = 1,
    CLAIM_SUB = 2,
    CLAIM_AUD = 3,
    CLAIM_EXP = 4,
    CLAIM_NBF = 5,
    CLAIM_IAT = 6,
    CLAIM_CTI = 7,
    CLAIM_CNF = 8,
    CLAIM_CATV = 310,
    CLAIM_CATU = 312,
    CLAIM_CATM = 313,
    CLAIM_ASSETS = -70001,
    CLAIM_DOMAIN = -70007,
};
#define CNF_CKT 5 /* RFC 9679 */

/* A back end's iss: "sg:" and the tenant, as in edge tokens. */
#define ISSUER_PREFIX "sg:"

/* ---- writing, in the order of RFC 8949 section 4.2.1 ---- */

static void put_account(struct sg_out *out, const struct sgd_grant *grant)
{
    char memory[160];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    sg_caip_account_put(&text, &grant->account);
    SG_ASSERT(!text.full);
    sg_cbor_put_text(out, sg_out_view(&text));
}

static void put_issuer(struct sg_out *out, const struct sgd_grant *grant)
{
    char memory[sizeof(ISSUER_PREFIX) + SGD_GRANT_TEXT_BYTES];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    sg_cbor_put_uint(out, CLAIM_ISS);
    if (!sgd_grant_is_issued(grant->alg)) {
        put_account(out, grant);
        return;
    }
    sg_out_lit(&text, ISSUER_PREFIX);
    sg_out_str(&text, grant->tenant);
    out->full = out->full || text.full;
    sg_cbor_put_text(out, sg_out_view(&text));
    sg_cbor_put_uint(out, CLAIM_SUB);
    put_account(out, grant);
}

/* A number above 2^64 - 1 is a bignum without leading zeros (RFC 8949 section 3.4.3). */
static void put_u256(struct sg_out *out, const struct sg_u256 *v)
{
    size_t zeros = 0;
    while (zeros < sizeof(v->bytes) && v->bytes[zeros] == 0)
        zeros++;
    if (zeros >= sizeof(v->bytes) - 8) {
        uint64_t low;
        memcpy(&low, v->bytes + sizeof(v->bytes) - 8, 8);
        sg_cbor_put_uint(out, __builtin_bswap64(low));
        return;
    }
    sg_cbor_put_tag(out, TAG_BIGNUM);
    sg_cbor_put_bytes(out, v->bytes + zeros, sizeof(v->bytes) - zeros);
}

static void put_assets(struct sg_out *out, const struct sgd_grant *grant)
{
    if (grant->assets_count == 0)
        return;
    sg_cbor_put_int(out, CLAIM_ASSETS);
    sg_cbor_put_array(out, grant->assets_count);
    for (uint8_t i = 0; i < grant->assets_count; i++) {
        char memory[256];
        struct sg_out text = sg_out_init(memory, sizeof(memory));
        sg_caip_asset_put(&text, &grant->assets[i].asset);
        SG_ASSERT(!text.full);
        sg_cbor_put_array(out, 2);
        sg_cbor_put_text(out, sg_out_view(&text));
        put_u256(out, &grant->assets[i].min);
    }
}

static void put_time(struct sg_out *out, enum grant_claim label, uint64_t unix_s)
{
    sg_cbor_put_uint(out, (uint64_t)label);
    sg_cbor_put_uint(out, unix_s);
}

void sgd_grant_put_claims(struct sg_out *out, const struct sgd_grant *grant)
{
    const uint64_t optional = (uint64_t)sgd_grant_is_issued(grant->alg) +
                              (grant->not_before_s != 0) + (grant->methods != 0) +
                              (grant->assets_count != 0) + (grant->domain.ptr != NULL);
    sg_cbor_put_map(out, 8 + optional); /* iss, aud, exp, iat, cti, cnf, catv, catu */
    put_issuer(out, grant);
    sg_cbor_put_uint(out, CLAIM_AUD);
    sg_cbor_put_text(out, grant->tenant);
    put_time(out, CLAIM_EXP, grant->expires_s);
    if (grant->not_before_s != 0)
        put_time(out, CLAIM_NBF, grant->not_before_s);
    put_time(out, CLAIM_IAT, grant->issued_s);
    sg_cbor_put_uint(out, CLAIM_CTI);
    sg_cbor_put_bytes(out, grant->cti, sizeof(grant->cti));
    sg_cbor_put_uint(out, CLAIM_CNF);
    sg_cbor_put_map(out, 1);
    sg_cbor_put_uint(out, CNF_CKT);
    sg_cbor_put_bytes(out, grant->ckt, sizeof(grant->ckt));
    sg_cbor_put_uint(out, CLAIM_CATV);
    sg_cbor_put_uint(out, CATV_VERSION);
    sg_cbor_put_uint(out, CLAIM_CATU);
    sgd_catu_put(out, grant->matches, grant->matches_count);
    if (grant->methods != 0) {
        sg_cbor_put_uint(out, CLAIM_CATM);
        sgd_catm_put(out, grant->methods);
    }
    put_assets(out, grant);
    if (grant->domain.ptr != NULL) {
        sg_cbor_put_int(out, CLAIM_DOMAIN);
        sg_cbor_put_text(out, grant->domain);
    }
}

/* ---- reading: what a claim's value is. That nothing else is in it, and that it stands in its one
 * form, is seen at the end, where all is written again and compared ---- */

static bool read_text(struct sg_cbor *cbor, size_t max, struct sg_str *out)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_TEXT, &item) || item.bytes.len == 0 || item.bytes.len > max)
        return false;
    *out = item.bytes;
    return true;
}

static bool read_account(struct sg_cbor *cbor, struct sgd_grant *grant)
{
    struct sg_str text;
    return read_text(cbor, SGD_GRANT_TEXT_BYTES, &text) &&
           sg_caip_account_read(text, &grant->account);
}

static bool read_time(struct sg_cbor *cbor, uint64_t *out)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_UINT, &item) || item.value == 0 ||
        item.value > SGD_GRANT_TIME_S_MAX)
        return false;
    *out = item.value;
    return true;
}

static bool read_bytes(struct sg_cbor *cbor, uint8_t *out, size_t len)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_BYTES, &item) || item.bytes.len != len)
        return false;
    memcpy(out, item.bytes.ptr, len);
    return true;
}

static bool read_session_key(struct sg_cbor *cbor, struct sgd_grant *grant)
{
    struct sg_cbor_item item;
    return sg_cbor_want(cbor, SG_CBOR_MAP, &item) && item.value == 1 &&
           sg_cbor_want(cbor, SG_CBOR_UINT, &item) && item.value == CNF_CKT &&
           read_bytes(cbor, grant->ckt, sizeof(grant->ckt));
}

static bool read_u256(struct sg_cbor *cbor, struct sg_u256 *out)
{
    struct sg_cbor_item item;
    if (!sg_cbor_next(cbor, &item))
        return false;
    if (item.type == SG_CBOR_UINT) {
        *out = sg_u256_of(item.value);
        return true;
    }
    if (item.type != SG_CBOR_TAG || item.value != TAG_BIGNUM ||
        !sg_cbor_want(cbor, SG_CBOR_BYTES, &item) || item.bytes.len > sizeof(out->bytes))
        return false;
    *out = sg_u256_of(0);
    memcpy(out->bytes + sizeof(out->bytes) - item.bytes.len, item.bytes.ptr, item.bytes.len);
    return true;
}

static bool read_assets(struct sg_cbor *cbor, struct sgd_grant *grant)
{
    struct sg_cbor_item array, pair;
    struct sg_str text;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &array) || array.value == 0 ||
        array.value > SGD_GRANT_ASSETS_MAX)
        return false;
    for (uint64_t i = 0; i < array.value; i++) {
        if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &pair) || pair.value != 2 ||
            !read_text(cbor, SGD_GRANT_TEXT_BYTES, &text) ||
            !sg_caip_asset_read(text, &grant->assets[i].asset) ||
            !read_u256(cbor, &grant->assets[i].min))
            return false;
    }
    grant->assets_count = (uint8_t)array.value;
    return true;
}

/* What a URI has unescaped, but for the quote that would end it in the text that people read. */
static bool is_plain(struct sg_str text, const char *marks)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i], small = (char)(c | 0x20);
        if (!((small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') ||
              (c != 0 && strchr(marks, c) != NULL)))
            return false;
    }
    return true;
}

static bool is_host(struct sg_str text)
{
    return is_plain(text, "-._:[]");
}

/* One host, exact or by its end, and one path, exact or by its beginning: what can be shown to whom
 * it is that signs. */
static bool matches_can_be_shown(const struct sgd_grant *grant)
{
    unsigned hosts = 0, paths = 0;
    for (uint8_t i = 0; i < grant->matches_count; i++) {
        const struct sgd_match *match = &grant->matches[i];
        const bool host = match->part == SGD_MATCH_HOST;
        const enum sgd_match_kind other = host ? SGD_MATCH_SUFFIX : SGD_MATCH_PREFIX;
        if (match->kind != SGD_MATCH_EXACT && match->kind != other)
            return false;
        hosts += host;
        paths += !host;
        if (host ? match->value.len > SGD_GRANT_TEXT_BYTES || !is_host(match->value)
                 : match->value.len > SGD_GRANT_PATH_BYTES || match->value.ptr[0] != '/' ||
                       !is_plain(match->value, "-._~/!$&()*+,;=:@"))
            return false;
    }
    return hosts <= 1 && paths <= 1;
}

static enum sgd_grant_verdict claim_read(struct sg_cbor *cbor, int64_t label,
                                         struct sgd_grant *grant)
{
    const enum sgd_grant_verdict ok = SGD_GRANT_allowed, bad = SGD_GRANT_malformed;
    const bool issued = sgd_grant_is_issued(grant->alg);
    struct sg_str text;
    switch (label) {
    case CLAIM_ISS:
        return (issued ? read_text(cbor, SGD_GRANT_TEXT_BYTES + sizeof(ISSUER_PREFIX), &text)
                       : read_account(cbor, grant))
                   ? ok
                   : bad;
    case CLAIM_SUB:
        return !issued ? SGD_GRANT_claim_unknown : read_account(cbor, grant) ? ok : bad;
    case CLAIM_AUD:
        return read_text(cbor, SGD_GRANT_TEXT_BYTES, &grant->tenant) ? ok : bad;
    case CLAIM_EXP:
        return read_time(cbor, &grant->expires_s) ? ok : bad;
    case CLAIM_NBF:
        return read_time(cbor, &grant->not_before_s) ? ok : bad;
    case CLAIM_IAT:
        return read_time(cbor, &grant->issued_s) ? ok : bad;
    case CLAIM_CTI:
        return read_bytes(cbor, grant->cti, sizeof(grant->cti)) ? ok : bad;
    case CLAIM_CNF:
        return read_session_key(cbor, grant) ? ok : bad;
    case CLAIM_CATV:
        return sg_cbor_skip(cbor) ? ok : bad;
    case CLAIM_CATU:
        return sgd_catu_read(cbor, grant->matches, &grant->matches_count) &&
                       matches_can_be_shown(grant)
                   ? ok
                   : SGD_GRANT_claim_unknown;
    case CLAIM_CATM:
        return sgd_catm_read(cbor, &grant->methods) ? ok : bad;
    case CLAIM_ASSETS:
        return read_assets(cbor, grant) ? ok : bad;
    case CLAIM_DOMAIN:
        return read_text(cbor, SGD_GRANT_TEXT_BYTES, &grant->domain) && is_host(grant->domain)
                   ? ok
                   : bad;
    default:
        return SGD_GRANT_claim_unknown;
    }
}

/* Those that every grant has; SUB, which is written only for issuers, is theirs too. */
static bool all_are_there(const struct sgd_grant *grant, uint64_t seen)
{
    static const enum grant_claim always[] = {CLAIM_ISS, CLAIM_AUD, CLAIM_EXP,
                                              CLAIM_IAT, CLAIM_CTI, CLAIM_CNF};
    for (size_t i = 0; i < SG_COUNT(always); i++)
        if ((seen & SG_BIT(always[i])) == 0)
            return false;
    if (sgd_grant_is_issued(grant->alg) && (seen & SG_BIT(CLAIM_SUB)) == 0)
        return false;
    return grant->matches_count > 0 && sgd_grant_domain(grant).ptr != NULL;
}

enum sgd_grant_verdict sgd_grant_claims_read(struct sg_str payload, struct sgd_grant *grant)
{
    char memory[SGD_GRANT_BYTES_MAX];
    struct sg_out again = sg_out_init(memory, sizeof(memory));
    struct sg_cbor cbor = sg_cbor_init(payload);
    struct sg_cbor_item map, item;
    uint64_t seen = 0;
    int64_t label;
    if (!sg_cbor_check(payload) || !sg_cbor_want(&cbor, SG_CBOR_MAP, &map))
        return SGD_GRANT_malformed;
    for (uint64_t i = 0; i < map.value; i++) {
        if (!sg_cbor_next(&cbor, &item) || !sg_cbor_int(&item, &label))
            return SGD_GRANT_claim_unknown;
        enum sgd_grant_verdict verdict = claim_read(&cbor, label, grant);
        if (verdict != SGD_GRANT_allowed)
            return verdict;
        if (label > 0 && label <= CLAIM_CNF)
            seen |= SG_BIT(label);
    }
    if (!all_are_there(grant, seen))
        return SGD_GRANT_claim_missing;
    sgd_grant_put_claims(&again, grant);
    if (again.full || !sg_str_eq(sg_out_view(&again), payload))
        return SGD_GRANT_malformed;
    grant->payload = payload;
    return SGD_GRANT_allowed;
}
