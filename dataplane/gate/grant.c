#include "base/assert.h"
#include "base/cbor.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/grant_impl.h"

#define TAG_CWT           61
#define TAG_COSE_SIGN1    18
#define PROFILE_LABEL     (-70100) /* by crit, foreign verifiers refuse a grant */
#define PROFILE_VERSION   1
#define COUNTERSIGN_LABEL 12 /* RFC 9338: Countersignature0 version 2 */
#define COUNTERSIGN_BYTES 64
#define KID_BYTES         SGD_CKT_BYTES
enum header_label { HEADER_ALG = 1, HEADER_CRIT = 2, HEADER_KID = 4 };

/* ---- verdicts ---- */

static const struct row {
    const char *name, *reason;
    uint16_t status;
} rows[] = {
#define GRANT(name, status, reason) {#name, reason, status},
#include "dataplane/gate/grant.def"
#undef GRANT
};

static const struct row *row_of(enum sgd_grant_verdict verdict)
{
    SG_ASSERT(verdict < SGD_GRANT_VERDICTS);
    return &rows[verdict];
}

const char *sgd_grant_name(enum sgd_grant_verdict verdict)
{
    return row_of(verdict)->name;
}

const char *sgd_grant_reason(enum sgd_grant_verdict verdict)
{
    return row_of(verdict)->reason;
}

uint16_t sgd_grant_status(enum sgd_grant_verdict verdict)
{
    return row_of(verdict)->status;
}

/* ---- COSE_Sign1 ---- */

void sgd_grant_put_header(struct sg_out *out, const struct sgd_grant *grant)
{
    const bool kid = grant->issuer_key.ptr != NULL;
    sg_cbor_put_map(out, 3 + (uint64_t)kid);
    sg_cbor_put_uint(out, HEADER_ALG);
    sg_cbor_put_int(out, grant->alg);
    sg_cbor_put_uint(out, HEADER_CRIT);
    sg_cbor_put_array(out, 1);
    sg_cbor_put_int(out, PROFILE_LABEL);
    if (kid) {
        sg_cbor_put_uint(out, HEADER_KID);
        sg_cbor_put_bytes(out, grant->issuer_key.ptr, grant->issuer_key.len);
    }
    sg_cbor_put_int(out, PROFILE_LABEL);
    sg_cbor_put_uint(out, PROFILE_VERSION);
}

static bool alg_is_known(int64_t alg)
{
    static const enum sgd_grant_alg algs[] = {
        SGD_GRANT_SIWE,        SGD_GRANT_EIP712,      SGD_GRANT_SOLANA_OFF,
        SGD_GRANT_SOLANA_TEXT, SGD_GRANT_SOLANA_MEMO, SGD_GRANT_ON_CHAIN,
        SGD_GRANT_ES256K,      SGD_GRANT_ES256,       SGD_GRANT_EDDSA,
    };
    for (size_t i = 0; i < SG_COUNT(algs); i++)
        if (alg == algs[i])
            return true;
    return false;
}

/* The protected header has one form: alg and kid are read from where they stand in it, then it is
 * compared with that form, so nothing else can be in it. */
static enum sgd_grant_verdict header_read(struct sg_str header, struct sgd_grant *grant)
{
    char memory[SGD_GRANT_HEADER_MAX];
    struct sg_out again = sg_out_init(memory, sizeof(memory));
    struct sg_cbor cbor = sg_cbor_init(header);
    struct sg_cbor_item map, item;
    int64_t alg;
    if (!sg_cbor_want(&cbor, SG_CBOR_MAP, &map))
        return SGD_GRANT_malformed;
    if (map.value < 3 || map.value > 4 || !sg_cbor_want(&cbor, SG_CBOR_UINT, &item) ||
        item.value != HEADER_ALG || !sg_cbor_next(&cbor, &item) || !sg_cbor_int(&item, &alg) ||
        !alg_is_known(alg) || !sg_cbor_skip(&cbor) || !sg_cbor_skip(&cbor)) /* crit */
        return SGD_GRANT_algorithm;
    grant->alg = (enum sgd_grant_alg)alg;
    if (map.value == 4) {
        if (!sgd_grant_is_issued(grant->alg) || !sg_cbor_want(&cbor, SG_CBOR_UINT, &item) ||
            item.value != HEADER_KID || !sg_cbor_want(&cbor, SG_CBOR_BYTES, &item) ||
            item.bytes.len != KID_BYTES)
            return SGD_GRANT_algorithm;
        grant->issuer_key = item.bytes;
    }
    sgd_grant_put_header(&again, grant);
    if (again.full || !sg_str_eq(sg_out_view(&again), header))
        return SGD_GRANT_algorithm;
    grant->protected_header = header;
    return SGD_GRANT_allowed;
}

/* What stands outside the signature: nothing, or the control plane's word on ON_CHAIN. */
static bool open_header_read(struct sg_cbor *cbor, struct sgd_grant *grant)
{
    struct sg_cbor_item map, item;
    if (!sg_cbor_want(cbor, SG_CBOR_MAP, &map) || map.value > 1)
        return false;
    if (map.value == 0)
        return true;
    if (grant->alg != SGD_GRANT_ON_CHAIN || !sg_cbor_want(cbor, SG_CBOR_UINT, &item) ||
        item.value != COUNTERSIGN_LABEL || !sg_cbor_want(cbor, SG_CBOR_BYTES, &item) ||
        item.bytes.len != COUNTERSIGN_BYTES)
        return false;
    grant->countersignature = item.bytes;
    return true;
}

enum sgd_grant_verdict sgd_grant_read(struct sg_str bytes, struct sgd_grant *out)
{
    SG_ASSERT(out != NULL);
    struct sgd_grant grant = {.expires_s = 0};
    struct sg_cbor cbor = sg_cbor_init(bytes);
    struct sg_cbor_item item, header, payload, signature;
    if (bytes.len > SGD_GRANT_BYTES_MAX)
        return SGD_GRANT_too_large;
    if (!sg_cbor_check(bytes) || !sg_cbor_want(&cbor, SG_CBOR_TAG, &item) ||
        item.value != TAG_CWT || !sg_cbor_want(&cbor, SG_CBOR_TAG, &item) ||
        item.value != TAG_COSE_SIGN1 || !sg_cbor_want(&cbor, SG_CBOR_ARRAY, &item) ||
        item.value != 4 || !sg_cbor_want(&cbor, SG_CBOR_BYTES, &header))
        return SGD_GRANT_malformed;
    enum sgd_grant_verdict verdict = header_read(header.bytes, &grant);
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    if (!open_header_read(&cbor, &grant) || !sg_cbor_want(&cbor, SG_CBOR_BYTES, &payload) ||
        !sg_cbor_want(&cbor, SG_CBOR_BYTES, &signature) || signature.bytes.len == 0)
        return SGD_GRANT_malformed;
    verdict = sgd_grant_claims_read(payload.bytes, &grant);
    if (verdict != SGD_GRANT_allowed)
        return verdict;
    grant.signature = signature.bytes;
    *out = grant;
    return SGD_GRANT_allowed;
}

void sgd_grant_put(struct sg_out *out, const struct sgd_grant *grant)
{
    SG_ASSERT(grant->protected_header.ptr != NULL && grant->payload.ptr != NULL);
    SG_ASSERT(grant->signature.ptr != NULL);
    sg_cbor_put_tag(out, TAG_CWT);
    sg_cbor_put_tag(out, TAG_COSE_SIGN1);
    sg_cbor_put_array(out, 4);
    sg_cbor_put_bytes(out, grant->protected_header.ptr, grant->protected_header.len);
    sg_cbor_put_map(out, grant->countersignature.ptr != NULL);
    if (grant->countersignature.ptr != NULL) {
        sg_cbor_put_uint(out, COUNTERSIGN_LABEL);
        sg_cbor_put_bytes(out, grant->countersignature.ptr, grant->countersignature.len);
    }
    sg_cbor_put_bytes(out, grant->payload.ptr, grant->payload.len);
    sg_cbor_put_bytes(out, grant->signature.ptr, grant->signature.len);
}

/* [context, protected header, no external data, payload]; RFC 9338 section 3.3 adds the signature
 * that is countersigned. */
static bool put_structure(struct sg_out *out, const struct sgd_grant *grant, struct sg_str context,
                          struct sg_str signature)
{
    char header_memory[SGD_GRANT_HEADER_MAX], payload_memory[SGD_GRANT_BYTES_MAX];
    struct sg_out header = sg_out_init(header_memory, sizeof(header_memory));
    struct sg_out payload = sg_out_init(payload_memory, sizeof(payload_memory));
    if (grant->protected_header.ptr != NULL)
        sg_out_str(&header, grant->protected_header);
    else
        sgd_grant_put_header(&header, grant);
    if (grant->payload.ptr != NULL)
        sg_out_str(&payload, grant->payload);
    else
        sgd_grant_put_claims(&payload, grant);
    sg_cbor_put_array(out, signature.ptr != NULL ? 5 : 4);
    sg_cbor_put_text(out, context);
    sg_cbor_put_bytes(out, header.ptr, header.len);
    sg_cbor_put_bytes_head(out, 0);
    sg_cbor_put_bytes(out, payload.ptr, payload.len);
    if (signature.ptr != NULL) {
        sg_cbor_put_array(out, 1);
        sg_cbor_put_bytes(out, signature.ptr, signature.len);
    }
    return !header.full && !payload.full && !out->full;
}

bool sgd_grant_put_sig_structure(struct sg_out *out, const struct sgd_grant *grant)
{
    return put_structure(out, grant, SG_STR("Signature1"), SG_STR_NONE);
}

enum sg_err sgd_grant_put_countersigned(struct sg_out *out, const struct sgd_grant *grant)
{
    SG_ASSERT(grant->signature.ptr != NULL);
    return put_structure(out, grant, SG_STR("CounterSignature0V2"), grant->signature) ? SG_OK
                                                                                      : SG_EMSGSIZE;
}

bool sgd_grant_hash(const struct sgd_grant *grant, uint8_t out[32])
{
    char memory[SGD_GRANT_BYTES_MAX + SGD_GRANT_HEADER_MAX];
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    if (!sgd_grant_put_sig_structure(&structure, grant))
        return false;
    sg_sha256(structure.ptr, structure.len, out);
    return true;
}

void sgd_grant_id(const struct sgd_grant *grant, uint8_t out[32])
{
    struct sg_sha256 hash;
    SG_ASSERT(grant->protected_header.ptr != NULL && grant->payload.ptr != NULL);
    sg_sha256_init(&hash);
    sg_sha256_add(&hash, grant->protected_header.ptr, grant->protected_header.len);
    sg_sha256_add(&hash, grant->payload.ptr, grant->payload.len);
    sg_sha256_final(&hash, out);
}

/* ---- what needs no signature ---- */

struct sg_str sgd_grant_domain(const struct sgd_grant *grant)
{
    if (grant->domain.ptr != NULL)
        return grant->domain;
    for (uint8_t i = 0; i < grant->matches_count; i++)
        if (grant->matches[i].part == SGD_MATCH_HOST && grant->matches[i].kind == SGD_MATCH_EXACT)
            return grant->matches[i].value;
    return SG_STR_NONE;
}

/* A name that no page elsewhere can have. */
static bool is_loopback(struct sg_str host)
{
    if (sg_str_eq_nocase(host, SG_STR("localhost")) || sg_str_eq(host, SG_STR("[::1]")))
        return true;
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] != '.' && (host.ptr[i] < '0' || host.ptr[i] > '9'))
            return false;
    return sg_str_starts(host, SG_STR("127."));
}

/* A back end's grant is shown to nobody. */
static bool domain_is_listed(const struct sgd_grant *grant, const struct sgd_grant_terms *terms)
{
    struct sg_str domain = sgd_grant_domain(grant), host = sgd_authority_host(terms->authority);
    if ((!terms->any_host || is_loopback(host) || sgd_grant_is_issued(grant->alg)) &&
        (sg_str_eq_nocase(domain, terms->authority) || sg_str_eq_nocase(domain, host)))
        return true;
    for (uint32_t i = 0; i < terms->domains_count; i++)
        if (sg_str_eq_nocase(domain, sg_str_from(terms->domains[i])))
            return true;
    return false;
}

/* The namespace that the algorithm's signatures are of. */
static bool chain_fits(const struct sgd_grant *grant)
{
    const enum sg_caip_namespace ns = grant->account.chain.ns;
    if (grant->alg == SGD_GRANT_SIWE || grant->alg == SGD_GRANT_EIP712)
        return ns == SG_CAIP_EIP155;
    return ns == SG_CAIP_SOLANA || sgd_grant_is_issued(grant->alg) ||
           grant->alg == SGD_GRANT_ON_CHAIN;
}

enum sgd_grant_verdict sgd_grant_check(const struct sgd_grant *grant,
                                       const struct sgd_grant_terms *terms)
{
    SG_ASSERT(grant->matches_count > 0); /* sgd_grant_read() refuses the others */
    if (!sg_str_eq(grant->tenant, terms->tenant))
        return SGD_GRANT_tenant;
    if (grant->expires_s <= grant->issued_s || grant->expires_s <= grant->not_before_s ||
        grant->expires_s - grant->issued_s > SGD_GRANT_LIFETIME_S)
        return SGD_GRANT_too_long;
    if (terms->now_s >= grant->expires_s)
        return SGD_GRANT_expired;
    if (grant->issued_s > terms->now_s + terms->skew_s ||
        grant->not_before_s > terms->now_s + terms->skew_s)
        return SGD_GRANT_not_yet;
    if (!sgd_check_host(grant->matches, grant->matches_count, terms->authority))
        return SGD_GRANT_host;
    if (!domain_is_listed(grant, terms))
        return SGD_GRANT_domain;
    return chain_fits(grant) ? SGD_GRANT_allowed : SGD_GRANT_chain;
}
