#include "dataplane/gate/check.h"

#include "base/assert.h"
#include "edgecache/state/facts.h"

enum sgd_gate_verdict sgd_check_time(const struct sgd_claims *claims, uint64_t now_s,
                                     uint32_t skew_s)
{
    if (now_s >= claims->expires_s)
        return SGD_GATE_expired;
    if (claims->not_before_s > now_s + skew_s || claims->issued_s > now_s + skew_s)
        return SGD_GATE_not_yet;
    return SGD_GATE_allowed;
}

enum sgd_gate_verdict sgd_check_tenant(const struct sgd_claims *claims, struct sg_str tenant)
{
    bool issuer = claims->issuer.ptr == NULL || (sg_str_starts(claims->issuer, SG_STR("sg:")) &&
                                                 sg_str_eq(sg_str_skip(claims->issuer, 3), tenant));
    return issuer && sg_str_eq(claims->audience, tenant) ? SGD_GATE_allowed : SGD_GATE_tenant;
}

struct sg_str sgd_authority_host(struct sg_str authority)
{
    const char *colon = authority.len == 0 ? NULL : memrchr(authority.ptr, ':', authority.len);
    const char *bracket = authority.len == 0 ? NULL : memrchr(authority.ptr, ']', authority.len);
    if (colon == NULL || (bracket != NULL && bracket > colon))
        return authority;
    return (struct sg_str){authority.ptr, (size_t)(colon - authority.ptr)};
}

static bool text_matches(enum sgd_match_kind kind, struct sg_str value, struct sg_str text,
                         bool fold_case)
{
    uint8_t digest[SG_SHA256_BYTES];
    if (kind == SGD_MATCH_SHA256) {
        sg_sha256(text.ptr, text.len, digest);
        return memcmp(digest, value.ptr, sizeof(digest)) == 0;
    }
    if (kind != SGD_MATCH_EXACT) {
        if (text.len < value.len)
            return false;
        if (kind == SGD_MATCH_SUFFIX)
            text.ptr += text.len - value.len;
        text.len = value.len;
    }
    return fold_case ? sg_str_eq_nocase(text, value) : sg_str_eq(text, value);
}

bool sgd_check_host(const struct sgd_match *matches, uint8_t count, struct sg_str authority)
{
    for (uint8_t i = 0; i < count; i++)
        if (matches[i].part == SGD_MATCH_HOST &&
            !text_matches(matches[i].kind, matches[i].value, sgd_authority_host(authority), true))
            return false;
    return true;
}

enum sgd_gate_verdict sgd_check_uri(const struct sgd_claims *claims, struct sg_str authority,
                                    struct sg_str path)
{
    SG_ASSERT(claims->matches_count > 0); /* sgd_claims_read() refuses the others */
    for (uint8_t i = 0; i < claims->matches_count; i++) {
        const struct sgd_match *match = &claims->matches[i];
        bool host = match->part == SGD_MATCH_HOST;
        if (!text_matches(match->kind, match->value, host ? sgd_authority_host(authority) : path,
                          host))
            return host ? SGD_GATE_host : SGD_GATE_path;
    }
    return SGD_GATE_allowed;
}

enum sgd_gate_verdict sgd_check_method(const struct sgd_claims *claims, enum sgd_method method)
{
    bool named = method < SGD_METHOD_OTHER && (claims->methods & SG_BIT(method)) != 0;
    return !claims->has_methods || named ? SGD_GATE_allowed : SGD_GATE_method;
}

static bool network_has(const struct sgd_token_network *network, const struct in6_addr *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    SG_ASSERT(network->bits <= 128);
    if (memcmp(network->address, address->s6_addr, whole) != 0)
        return false;
    return rest == 0 || (network->address[whole] ^ address->s6_addr[whole]) >> (8 - rest) == 0;
}

static bool network_holds(const struct sgd_claims *claims, const struct in6_addr *address,
                          uint32_t asn)
{
    for (uint8_t i = 0; i < claims->networks_count; i++) {
        const struct sgd_token_network *network = &claims->networks[i];
        if (network->asn != 0 ? network->asn == asn
                              : address != NULL && network_has(network, address))
            return true;
    }
    return claims->networks_count == 0;
}

static bool country_holds(const struct sgd_claims *claims, const char country[2])
{
    for (uint8_t i = 0; i < claims->countries_count; i++)
        if (memcmp(claims->countries[i], country, 2) == 0 && country[0] != 0)
            return true;
    return claims->countries_count == 0;
}

enum sgd_gate_verdict sgd_check_place(const struct sgd_claims *claims,
                                      const struct in6_addr *address, const struct sgd_place *place)
{
    if (!network_holds(claims, address, place->asn))
        return SGD_GATE_network;
    return country_holds(claims, place->country) ? SGD_GATE_allowed : SGD_GATE_country;
}

void sgd_chains_add(struct sgd_chains *chains, uint32_t chain)
{
    for (uint8_t i = 0; i < chains->count; i++)
        if (chains->ids[i] == chain)
            return;
    if (chain == 0)
        return;
    SG_ASSERT(chains->count < SGD_CHAINS_MAX);
    chains->ids[chains->count++] = chain;
}

static enum sgd_gate_verdict facts_hold(const struct sgd_claims *claims,
                                        struct sge_state_reader *reader,
                                        struct sgd_token_fact *fact, struct sgd_chains *chains)
{
    struct sge_fact known;
    for (uint8_t i = 0; i < claims->facts_count; i++) {
        *fact = claims->facts[i];
        enum sg_err err = sge_state_fact(reader, fact->key, &known);
        if (err != SG_OK)
            return err == SG_ENOENT ? SGD_GATE_fact_unknown : SGD_GATE_state;
        if (known.generation != fact->generation)
            return SGD_GATE_ownership;
        if (!sge_state_fact_is_watched(reader, &known))
            return SGD_GATE_unfollowed;
        sgd_chains_add(chains, known.chain);
    }
    *fact = claims->facts[0];
    return SGD_GATE_allowed;
}

enum sgd_gate_verdict sgd_check_state(const struct sgd_claims *claims,
                                      struct sge_state_reader *reader, uint32_t tenant,
                                      struct sgd_token_fact *fact, struct sgd_chains *chains)
{
    chains->count = 0;
    if (sge_state_cti_revoked(reader, tenant, claims->cti))
        return SGD_GATE_revoked;
    if (claims->has_index && sge_state_index_revoked(reader, tenant, claims->index))
        return SGD_GATE_revoked;
    if (!claims->has_facts)
        return SGD_GATE_allowed;
    if (claims->rule_version < sge_state_rule_version(reader, tenant))
        return SGD_GATE_rule_version;
    return facts_hold(claims, reader, fact, chains);
}
