/* A grant as bytes from anyone: nothing read lies outside what was given, what is accepted keeps
 * every promise of grant.h and is written again byte for byte, and the text that its wallet would
 * sign has exactly the lines that it should: what a claim holds can't add one. */
#include "base/assert.h"
#include "base/b64url.h"
#include "dataplane/gate/grant_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool within(struct sg_str part, struct sg_str whole)
{
    return part.ptr == NULL || (part.ptr >= whole.ptr && part.len <= whole.len &&
                                (size_t)(part.ptr - whole.ptr) <= whole.len - part.len);
}

static void hold_promises(const struct sgd_grant *grant, struct sg_str whole)
{
    SG_ASSERT(within(grant->protected_header, whole) && within(grant->payload, whole));
    SG_ASSERT(within(grant->signature, whole) && within(grant->countersignature, whole));
    SG_ASSERT(within(grant->tenant, grant->payload) && within(grant->domain, grant->payload));
    SG_ASSERT(within(grant->issuer_key, grant->protected_header));
    SG_ASSERT(grant->expires_s > 0 && grant->issued_s > 0 && grant->tenant.len > 0);
    SG_ASSERT(grant->matches_count > 0 && grant->matches_count <= 2);
    SG_ASSERT(grant->assets_count <= SGD_GRANT_ASSETS_MAX && grant->signature.len > 0);
    SG_ASSERT(sgd_grant_domain(grant).len > 0);
    SG_ASSERT(grant->countersignature.ptr == NULL || grant->alg == SGD_GRANT_ON_CHAIN);
    for (uint8_t i = 0; i < grant->matches_count; i++)
        SG_ASSERT(within(grant->matches[i].value, grant->payload));
}

static void write_again(const struct sgd_grant *grant, struct sg_str whole)
{
    static char memory[2 * SGD_GRANT_BYTES_MAX];
    struct sgd_grant made = *grant;
    struct sg_out header = sg_out_init(memory, SGD_GRANT_HEADER_MAX);
    sgd_grant_put_header(&header, grant);
    SG_ASSERT(!header.full && sg_str_eq(sg_out_view(&header), grant->protected_header));
    struct sg_out payload = sg_out_init(memory, sizeof(memory));
    sgd_grant_put_claims(&payload, grant);
    SG_ASSERT(!payload.full && sg_str_eq(sg_out_view(&payload), grant->payload));
    struct sg_out again = sg_out_init(memory, sizeof(memory));
    sgd_grant_put(&again, &made);
    SG_ASSERT(!again.full && sg_str_eq(sg_out_view(&again), whole));
}

/* ---- the sign-in text, read back line by line ---- */

static struct sg_str line_of(struct sg_str *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    struct sg_str line = {rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr)};
    *rest = end == NULL ? SG_STR_NONE : (struct sg_str){end + 1, rest->len - line.len - 1};
    return line;
}

/* What follows `name` in the next line. */
static struct sg_str value_of(struct sg_str *rest, struct sg_str name)
{
    struct sg_str line = line_of(rest);
    SG_ASSERT(sg_str_starts(line, name));
    return sg_str_skip(line, name.len);
}

static void is_time(struct sg_str text, uint64_t unix_s)
{
    char memory[20];
    struct sg_out want = sg_out_init(memory, sizeof(memory));
    sgd_grant_put_time(&want, unix_s);
    SG_ASSERT(sg_str_eq(text, sg_out_view(&want)));
}

static void read_text(const struct sgd_grant *grant, struct sg_str text)
{
    uint8_t bytes[SGD_GRANT_SIGNED_MAX];
    size_t len;
    const bool evm = grant->account.chain.ns == SG_CAIP_EIP155;
    const struct sg_str domain = sgd_grant_domain(grant), first = line_of(&text);
    SG_ASSERT(sg_str_starts(first, domain));
    SG_ASSERT(sg_str_eq(sg_str_skip(first, domain.len),
                        evm ? SG_STR(" wants you to sign in with your Ethereum account:")
                            : SG_STR(" wants you to sign in with your Solana account:")));
    const struct sg_str address = line_of(&text);
    if (evm)
        SG_ASSERT(address.len == 42 && sg_str_starts(address, SG_STR("0x")));
    else
        SG_ASSERT(sg_base58_read(address, bytes, 32) &&
                  memcmp(bytes, grant->account.address.bytes, 32) == 0);
    SG_ASSERT(line_of(&text).len == 0);
    const struct sg_str statement = line_of(&text);
    SG_ASSERT(sg_str_starts(statement, SG_STR("I further authorize ")));
    for (size_t i = 0, quotes = 0; i < statement.len; i++) { /* of EIP-4361's alphabet */
        quotes += statement.ptr[i] == '\'';
        SG_ASSERT(statement.ptr[i] >= ' ' && statement.ptr[i] <= '~' && quotes <= 6);
        SG_ASSERT(strchr("\"\\<>^`{|}%", statement.ptr[i]) == NULL);
    }
    SG_ASSERT(line_of(&text).len == 0);
    struct sg_str uri = value_of(&text, SG_STR("URI: urn:ietf:params:oauth:ckt:sha-256:"));
    SG_ASSERT(sg_b64url_read(uri, bytes, sizeof(bytes), &len) && len == SGD_CKT_BYTES);
    SG_ASSERT(memcmp(bytes, grant->ckt, len) == 0);
    SG_ASSERT(value_of(&text, SG_STR("Version: 1")).len == 0);
    (void)value_of(&text, SG_STR("Chain ID: "));
    SG_ASSERT(value_of(&text, SG_STR("Nonce: ")).len == 2 * sizeof(grant->cti));
    is_time(value_of(&text, SG_STR("Issued At: ")), grant->issued_s);
    is_time(value_of(&text, SG_STR("Expiration Time: ")), grant->expires_s);
    if (grant->not_before_s != 0)
        is_time(value_of(&text, SG_STR("Not Before: ")), grant->not_before_s);
    SG_ASSERT(value_of(&text, SG_STR("Resources:")).len == 0);
    struct sg_str recap = value_of(&text, SG_STR("- urn:recap:"));
    SG_ASSERT(sg_b64url_read(recap, bytes, sizeof(bytes), &len) && text.len == 0);
}

static void build(const struct sgd_grant *grant)
{
    static char memory[SGD_GRANT_SIGNED_MAX];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    enum sg_err err = sgd_grant_put_signed(&out, grant);
    SG_ASSERT((err == SG_ENOTSUP) == sgd_grant_is_issued(grant->alg));
    if (err == SG_OK && grant->alg == SGD_GRANT_SOLANA_MEMO)
        SG_ASSERT(sgd_grant_is_memo_transaction(grant, sg_out_view(&out)));
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    SG_ASSERT(sgd_grant_put_text(&text, grant)); /* whatever was read fits */
    read_text(grant, sg_out_view(&text));
    struct sg_out typed = sg_out_init(memory, sizeof(memory));
    err = sgd_grant_put_typed_data(&typed, grant);
    SG_ASSERT((err == SG_OK) == (grant->alg == SGD_GRANT_EIP712));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct sg_str whole = {(const char *)bytes, len};
    struct sgd_grant grant;
    if (sgd_grant_read(whole, &grant) != SGD_GRANT_allowed)
        return 0;
    const struct sgd_grant_terms terms = {
        .tenant = grant.tenant, .authority = sgd_grant_domain(&grant), .now_s = grant.issued_s};
    const struct sgd_grant_keys none = {NULL, 0, NULL, 0};
    hold_promises(&grant, whole);
    write_again(&grant, whole);
    if (sgd_grant_check(&grant, &terms) != SGD_GRANT_allowed)
        return 0; /* an account of another chain than its algorithm's has no text */
    build(&grant);
    (void)sgd_grant_verify(&grant, &none);
    return 0;
}
