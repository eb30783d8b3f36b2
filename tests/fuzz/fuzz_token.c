/* A token as bytes from anyone, and its payload as if the MAC had held: nothing read lies outside
 * what was given, and claims that are accepted keep every promise of token.h; minted again, they
 * read the same. */
#include "base/assert.h"
#include "base/b64url.h"
#include "base/cbor.h"
#include "dataplane/gate/check.h"
#include "dataplane/gate/mint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool within(struct sg_str part, struct sg_str whole)
{
    return part.ptr == NULL || (part.ptr >= whole.ptr && part.len <= whole.len &&
                                (size_t)(part.ptr - whole.ptr) <= whole.len - part.len);
}

static void hold_promises(const struct sgd_claims *claims, struct sg_str payload)
{
    SG_ASSERT(claims->expires_s > 0 && claims->matches_count > 0);
    SG_ASSERT(claims->matches_count <= SGD_TOKEN_MATCHES_MAX);
    SG_ASSERT(claims->facts_count <= SGD_TOKEN_FACTS_MAX);
    SG_ASSERT(claims->networks_count <= SGD_TOKEN_NETWORKS_MAX);
    SG_ASSERT(claims->countries_count <= SGD_TOKEN_COUNTRIES_MAX);
    SG_ASSERT(within(claims->issuer, payload) && within(claims->subject, payload));
    SG_ASSERT(within(claims->audience, payload) && within(claims->renewal, payload));
    SG_ASSERT(claims->renewal.len < sizeof(((struct sgd_gate_answer *)0)->location));
    for (uint8_t i = 0; i < claims->matches_count; i++)
        SG_ASSERT(within(claims->matches[i].value, payload) && claims->matches[i].value.len > 0);
    for (uint8_t i = 0; i < claims->networks_count; i++)
        SG_ASSERT(claims->networks[i].bits <= 128);
}

static void mint_and_read_again(const struct sgd_claims *claims)
{
    static char memory[SGD_TOKEN_TEXT_MAX];
    static uint8_t bytes[SGD_TOKEN_BYTES_MAX];
    const struct sgd_kid kid = {SG_STR("r"), SG_STR("t"), 1};
    struct sg_hmac_key key;
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    struct sgd_token token;
    struct sgd_claims again;
    size_t len;
    sg_hmac_key_init(&key, "key", 3);
    if (sgd_mint(claims, &kid, &key, &text) != SG_OK)
        return;
    SG_ASSERT(sg_b64url_read(sg_out_view(&text), bytes, sizeof(bytes), &len));
    SG_ASSERT(sgd_token_read((struct sg_str){(const char *)bytes, len}, &token) ==
              SGD_GATE_allowed);
    SG_ASSERT(sgd_token_mac_holds(&token, &key));
    SG_ASSERT(sgd_claims_read(token.payload, &again) == SGD_GATE_allowed);
    SG_ASSERT(again.expires_s == claims->expires_s && again.methods == claims->methods);
    SG_ASSERT(again.matches_count == claims->matches_count);
    SG_ASSERT(again.networks_count == claims->networks_count);
    SG_ASSERT(again.facts_count == claims->facts_count && again.index == claims->index);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str whole = {(const char *)bytes, len};
    struct sgd_token token;
    struct sgd_claims claims;
    struct sgd_kid kid;
    if (sgd_token_read(whole, &token) == SGD_GATE_allowed) {
        SG_ASSERT(sg_cbor_check(whole));
        SG_ASSERT(within(token.payload, whole) && within(token.tag, whole));
        SG_ASSERT(within(token.protected_header, whole) && within(token.kid, whole));
        if (sgd_kid_read(token.kid, &kid) == SGD_GATE_allowed)
            SG_ASSERT(within(kid.region, token.kid) && within(kid.tenant, token.kid));
        whole = token.payload;
    }
    if (sgd_claims_read(whole, &claims) != SGD_GATE_allowed)
        return 0;
    SG_ASSERT(sg_cbor_check(whole)); /* though it is read in one pass, without that question */
    hold_promises(&claims, whole);
    (void)sgd_check_uri(&claims, SG_STR("host:1"), SG_STR("/path"));
    mint_and_read_again(&claims);
    return 0;
}
