#include "dataplane/gate/mint.h"

#include "base/assert.h"
#include "base/b64url.h"
#include "base/cbor.h"
#include "dataplane/gate/cat.h"

/* Claims are written in the order of RFC 8949 section 4.2.1: positive labels upwards, then negative
 * ones; so a map is counted first and every reader finds it sorted. */

static void put_u64_claim(struct sg_out *out, int64_t label, uint64_t v)
{
    if (v == 0)
        return;
    sg_cbor_put_int(out, label);
    sg_cbor_put_uint(out, v);
}

static void put_text_claim(struct sg_out *out, int64_t label, struct sg_str text)
{
    if (text.ptr == NULL)
        return;
    sg_cbor_put_int(out, label);
    sg_cbor_put_text(out, text);
}

static void put_networks(struct sg_out *out, const struct sgd_claims *claims)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (claims->networks_count == 0)
        return;
    sg_cbor_put_int(out, SGD_CLAIM_CATNIP);
    sg_cbor_put_array(out, claims->networks_count);
    for (uint8_t i = 0; i < claims->networks_count; i++) {
        const struct sgd_token_network *network = &claims->networks[i];
        bool v4 = network->bits >= 96 && memcmp(network->address, mapped, sizeof(mapped)) == 0;
        if (network->asn != 0) {
            sg_cbor_put_uint(out, network->asn);
            continue;
        }
        sg_cbor_put_tag(out, v4 ? 52 : 54);
        sg_cbor_put_array(out, 2);
        sg_cbor_put_uint(out, v4 ? network->bits - 96u : network->bits);
        sg_cbor_put_bytes(out, network->address + (v4 ? 12 : 0), v4 ? 4 : 16);
    }
}

static void put_countries(struct sg_out *out, const struct sgd_claims *claims)
{
    if (claims->countries_count == 0)
        return;
    sg_cbor_put_int(out, SGD_CLAIM_CATGEOISO3166);
    sg_cbor_put_array(out, claims->countries_count);
    for (uint8_t i = 0; i < claims->countries_count; i++)
        sg_cbor_put_text(out, (struct sg_str){claims->countries[i], 2});
}

static void put_renewal(struct sg_out *out, const struct sgd_claims *claims)
{
    if (claims->renewal.ptr == NULL)
        return;
    sg_cbor_put_int(out, SGD_CLAIM_CATIF);
    sg_cbor_put_map(out, 1);
    sg_cbor_put_uint(out, SGD_CLAIM_EXP);
    sg_cbor_put_array(out, 2);
    sg_cbor_put_uint(out, 307);
    sg_cbor_put_map(out, 1);
    sg_cbor_put_text(out, SG_STR("Location"));
    sg_cbor_put_text(out, claims->renewal);
}

static void put_facts(struct sg_out *out, const struct sgd_claims *claims)
{
    if (claims->facts_count == 0 && !claims->has_facts)
        return;
    sg_cbor_put_int(out, SGD_CLAIM_FACTS);
    sg_cbor_put_array(out, 1 + (uint64_t)claims->facts_count);
    sg_cbor_put_uint(out, claims->rule_version);
    for (uint8_t i = 0; i < claims->facts_count; i++) {
        uint64_t key = __builtin_bswap64(claims->facts[i].key);
        sg_cbor_put_array(out, 2);
        sg_cbor_put_bytes(out, &key, sizeof(key));
        sg_cbor_put_uint(out, claims->facts[i].generation);
    }
}

static uint64_t claims_count(const struct sgd_claims *claims)
{
    const bool there[] = {
        claims->issuer.ptr != NULL,
        claims->subject.ptr != NULL,
        claims->audience.ptr != NULL,
        claims->expires_s != 0,
        claims->not_before_s != 0,
        claims->issued_s != 0,
        claims->networks_count != 0,
        claims->has_methods,
        claims->countries_count != 0,
        claims->renewal.ptr != NULL,
        claims->facts_count != 0 || claims->has_facts,
        claims->viewers != 0,
        claims->has_index,
        claims->session.ptr != NULL,
        claims->site.ptr != NULL,
    };
    uint64_t count = 4; /* cti, catreplay, catv, catu */
    for (size_t i = 0; i < SG_COUNT(there); i++)
        count += there[i];
    return count;
}

static void put_claims(struct sg_out *out, const struct sgd_claims *claims)
{
    sg_cbor_put_map(out, claims_count(claims));
    put_text_claim(out, SGD_CLAIM_ISS, claims->issuer);
    if (!claims->subject_is_bytes) {
        put_text_claim(out, SGD_CLAIM_SUB, claims->subject);
    } else if (claims->subject.ptr != NULL) {
        sg_cbor_put_int(out, SGD_CLAIM_SUB);
        sg_cbor_put_bytes(out, claims->subject.ptr, claims->subject.len);
    }
    put_text_claim(out, SGD_CLAIM_AUD, claims->audience);
    put_u64_claim(out, SGD_CLAIM_EXP, claims->expires_s);
    put_u64_claim(out, SGD_CLAIM_NBF, claims->not_before_s);
    put_u64_claim(out, SGD_CLAIM_IAT, claims->issued_s);
    sg_cbor_put_int(out, SGD_CLAIM_CTI);
    sg_cbor_put_bytes(out, claims->cti, sizeof(claims->cti));
    sg_cbor_put_int(out, SGD_CLAIM_CATREPLAY);
    sg_cbor_put_uint(out, 0);
    sg_cbor_put_int(out, SGD_CLAIM_CATV);
    sg_cbor_put_uint(out, 1);
    put_networks(out, claims);
    sg_cbor_put_int(out, SGD_CLAIM_CATU);
    sgd_catu_put(out, claims->matches, claims->matches_count);
    if (claims->has_methods) {
        sg_cbor_put_int(out, SGD_CLAIM_CATM);
        sgd_catm_put(out, claims->methods);
    }
    put_countries(out, claims);
    put_renewal(out, claims);
    put_facts(out, claims);
    put_u64_claim(out, SGD_CLAIM_VIEWERS, claims->viewers);
    if (claims->has_index) {
        sg_cbor_put_int(out, SGD_CLAIM_INDEX);
        sg_cbor_put_uint(out, claims->index);
    }
    if (claims->session.ptr != NULL) {
        sg_cbor_put_int(out, SGD_CLAIM_SESSION);
        sg_cbor_put_bytes(out, claims->session.ptr, claims->session.len);
    }
    put_text_claim(out, SGD_CLAIM_SITE, claims->site);
}

static void put_protected(struct sg_out *out, const struct sgd_kid *kid)
{
    char memory[600];
    struct sg_out name = sg_out_init(memory, sizeof(memory));
    sg_out_str(&name, kid->region);
    sg_out_char(&name, '/');
    sg_out_str(&name, kid->tenant);
    sg_out_char(&name, '/');
    sg_out_u64(&name, kid->epoch);
    out->full = out->full || name.full;
    sg_cbor_put_map(out, 2);
    sg_cbor_put_uint(out, 1); /* alg: HMAC 256/256 */
    sg_cbor_put_uint(out, 5);
    sg_cbor_put_uint(out, 4); /* kid */
    sg_cbor_put_bytes(out, name.ptr, name.len);
}

enum sg_err sgd_mint(const struct sgd_claims *claims, const struct sgd_kid *kid,
                     const struct sg_hmac_key *key, struct sg_out *text)
{
    SG_ASSERT(claims != NULL && kid != NULL);
    SG_ASSERT(key != NULL && text != NULL);
    char sealed[640], body[SGD_TOKEN_BYTES_MAX], whole[SGD_TOKEN_BYTES_MAX];
    uint8_t mac[SG_SHA256_BYTES];
    struct sg_out header = sg_out_init(sealed, sizeof(sealed));
    struct sg_out payload = sg_out_init(body, sizeof(body));
    struct sg_out cose = sg_out_init(whole, sizeof(whole));
    put_protected(&header, kid);
    put_claims(&payload, claims);
    const struct sgd_token token = {sg_out_view(&header), sg_out_view(&payload), SG_STR_NONE,
                                    SG_STR_NONE};
    sgd_token_mac(&token, key, mac);
    sg_cbor_put_tag(&cose, 61);
    sg_cbor_put_tag(&cose, 17);
    sg_cbor_put_array(&cose, 4);
    sg_cbor_put_bytes(&cose, header.ptr, header.len);
    sg_cbor_put_map(&cose, 0);
    sg_cbor_put_bytes(&cose, payload.ptr, payload.len);
    sg_cbor_put_bytes(&cose, mac, sizeof(mac));
    sg_b64url_put(text, cose.ptr, cose.len);
    return header.full || payload.full || cose.full || text->full ? SG_EMSGSIZE : SG_OK;
}
