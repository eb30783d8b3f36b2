#include "base/assert.h"
#include "base/cbor.h"
#include "dataplane/gate/cat.h"
#include "dataplane/gate/token.h"

#define CATV_VERSION 1
enum catif_field { CATIF_STATUS = 307 };
enum tag { TAG_IPV4 = 52, TAG_IPV6 = 54 }; /* RFC 9164 */

#define AROUND_CLAIM 1 /* the map of the claims */

/* Readers of one claim's value: true when it is as we know it. Each reads exactly one item, and
 * lets nothing pass that sg_cbor_check() would not: the payload is gone through once. */

static bool read_uint(struct sg_cbor *cbor, uint64_t max, uint64_t *out)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_UINT, &item) || item.value > max)
        return false;
    *out = item.value;
    return true;
}

static bool read_u32(struct sg_cbor *cbor, uint32_t *out)
{
    uint64_t v;
    if (!read_uint(cbor, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool read_text(struct sg_cbor *cbor, struct sg_str *out)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_TEXT, &item) || !sg_cbor_is_utf8(item.bytes))
        return false;
    *out = item.bytes;
    return true;
}

/* Seconds that still count in nanoseconds. */
static bool read_time(struct sg_cbor *cbor, uint64_t *out)
{
    return read_uint(cbor, UINT64_MAX / 1000000000u, out);
}

static bool read_subject(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item item;
    if (!sg_cbor_next(cbor, &item) || (item.type != SG_CBOR_TEXT && item.type != SG_CBOR_BYTES) ||
        (item.type == SG_CBOR_TEXT && !sg_cbor_is_utf8(item.bytes)))
        return false;
    claims->subject = item.bytes;
    claims->subject_is_bytes = item.type == SG_CBOR_BYTES;
    return true;
}

static bool read_cti(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item item;
    if (!sg_cbor_want(cbor, SG_CBOR_BYTES, &item) || item.bytes.len != sizeof(claims->cti))
        return false;
    memcpy(claims->cti, item.bytes.ptr, sizeof(claims->cti));
    claims->has_cti = true;
    return true;
}

/* An address or [prefix length, bytes] under tag 52 or 54 (RFC 9164). */
static bool read_prefix(struct sg_cbor *cbor, uint64_t tag, struct sgd_token_network *out)
{
    struct sg_cbor_item item;
    size_t width = tag == TAG_IPV4 ? 4 : 16;
    uint64_t bits = width * 8;
    if ((tag != TAG_IPV4 && tag != TAG_IPV6) || !sg_cbor_next(cbor, &item))
        return false;
    if (item.type == SG_CBOR_ARRAY) {
        if (item.value != 2 || !read_uint(cbor, width * 8, &bits) || !sg_cbor_next(cbor, &item) ||
            item.bytes.len > width)
            return false;
    } else if (item.bytes.len != width) {
        return false;
    }
    if (item.type != SG_CBOR_BYTES)
        return false;
    memset(out, 0, sizeof(*out));
    if (tag == TAG_IPV4)
        memset(out->address + 10, 0xff, 2);
    memcpy(out->address + 16 - width, item.bytes.ptr, item.bytes.len);
    out->bits = (uint8_t)(128 - width * 8 + bits);
    return true;
}

static bool read_networks(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item array, item;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &array) || array.value == 0 ||
        array.value > SGD_TOKEN_NETWORKS_MAX)
        return false;
    for (uint64_t i = 0; i < array.value; i++) {
        struct sgd_token_network network = {.bits = 0};
        if (!sg_cbor_next(cbor, &item))
            return false;
        if (item.type == SG_CBOR_UINT && item.value > 0 && item.value <= UINT32_MAX)
            network.asn = (uint32_t)item.value;
        else if (item.type != SG_CBOR_TAG || !read_prefix(cbor, item.value, &network))
            return false;
        claims->networks[claims->networks_count++] = network;
    }
    return true;
}

static bool read_countries(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item array;
    struct sg_str code;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &array) || array.value == 0 ||
        array.value > SGD_TOKEN_COUNTRIES_MAX)
        return false;
    for (uint64_t i = 0; i < array.value; i++) {
        if (!read_text(cbor, &code) || code.len != 2) /* parts of countries we can't tell */
            return false;
        memcpy(claims->countries[claims->countries_count++], code.ptr, 2);
    }
    return true;
}

/* [rule version, [fact key, generation] ...] */
static bool read_facts(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item array, pair, key;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &array) || array.value < 1 ||
        array.value > 1 + SGD_TOKEN_FACTS_MAX || !read_u32(cbor, &claims->rule_version))
        return false;
    for (uint64_t i = 1; i < array.value; i++) {
        struct sgd_token_fact *fact = &claims->facts[claims->facts_count];
        if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &pair) || pair.value != 2 ||
            !sg_cbor_want(cbor, SG_CBOR_BYTES, &key) || key.bytes.len != 8 ||
            !read_uint(cbor, UINT64_MAX, &fact->generation))
            return false;
        memcpy(&fact->key, key.bytes.ptr, 8);
        fact->key = __builtin_bswap64(fact->key);
        claims->facts_count++;
    }
    claims->has_facts = true;
    return true;
}

/* Goes into a Location of ours: an absolute https URI or a path of this host, without anything that
 * could end the field. */
static bool location_is_good(struct sg_str url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~' || url.ptr[i] == '\\')
            return false;
    bool path = sg_str_starts(url, SG_STR("/")) && !sg_str_starts(url, SG_STR("//"));
    return (path || sg_str_starts(url, SG_STR("https://"))) &&
           url.len < sizeof(((struct sgd_gate_answer *)0)->location);
}

/* [307, { "Location": url }, ...] */
static bool read_catif_action(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item action, headers;
    struct sg_str name, value;
    uint64_t status;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &action) || action.value < 2 ||
        !read_uint(cbor, UINT16_MAX, &status) || !sg_cbor_want(cbor, SG_CBOR_MAP, &headers))
        return false;
    for (uint64_t i = 0; i < headers.value; i++) {
        if (!read_text(cbor, &name) || !read_text(cbor, &value))
            return false;
        if (status == CATIF_STATUS && sg_str_eq_nocase(name, SG_STR("Location")) &&
            location_is_good(value))
            claims->renewal = value;
    }
    for (uint64_t i = 2; i < action.value; i++)
        if (!sg_cbor_skip(cbor))
            return false;
    return true;
}

/* catif { claim: action }: of these we act on that for exp alone. */
static bool read_catif(struct sg_cbor *cbor, struct sgd_claims *claims)
{
    struct sg_cbor_item map, label;
    struct sg_cbor checked = *cbor;
    if (!sg_cbor_check_next(&checked, AROUND_CLAIM) || !sg_cbor_want(cbor, SG_CBOR_MAP, &map))
        return false;
    for (uint64_t i = 0; i < map.value; i++) {
        if (!sg_cbor_next(cbor, &label) || label.type > SG_CBOR_NINT)
            return false;
        bool expiry = label.type == SG_CBOR_UINT && label.value == SGD_CLAIM_EXP;
        if (expiry ? !read_catif_action(cbor, claims) : !sg_cbor_skip(cbor))
            return false;
    }
    return true;
}

static bool read_exactly(struct sg_cbor *cbor, uint64_t wanted)
{
    uint64_t v;
    return read_uint(cbor, UINT64_MAX, &v) && v == wanted;
}

/* What a claim that is not as we know it means: a form of a known claim that asks for more than we
 * can enforce is as unknown as its label would be. */
static enum sgd_gate_verdict claim_read(struct sg_cbor *cbor, int64_t label,
                                        struct sgd_claims *claims)
{
    const enum sgd_gate_verdict ok = SGD_GATE_allowed, bad = SGD_GATE_malformed,
                                unknown = SGD_GATE_claim_unknown;
    switch (label) {
    case SGD_CLAIM_ISS:
        return read_text(cbor, &claims->issuer) ? ok : bad;
    case SGD_CLAIM_SUB:
        return read_subject(cbor, claims) ? ok : bad;
    case SGD_CLAIM_AUD:
        return read_text(cbor, &claims->audience) ? ok : bad;
    case SGD_CLAIM_EXP:
        return read_time(cbor, &claims->expires_s) ? ok : bad;
    case SGD_CLAIM_NBF:
        return read_time(cbor, &claims->not_before_s) ? ok : bad;
    case SGD_CLAIM_IAT:
        return read_time(cbor, &claims->issued_s) ? ok : bad;
    case SGD_CLAIM_CTI:
        return read_cti(cbor, claims) ? ok : bad;
    case SGD_CLAIM_CATREPLAY:
        return read_exactly(cbor, 0) ? ok : unknown; /* 0: may be used again */
    case SGD_CLAIM_CATV:
        return read_exactly(cbor, CATV_VERSION) ? ok : unknown;
    case SGD_CLAIM_CATNIP:
        return read_networks(cbor, claims) ? ok : unknown;
    case SGD_CLAIM_CATU:
        return sgd_catu_read(cbor, claims->matches, &claims->matches_count) ? ok : unknown;
    case SGD_CLAIM_CATM:
        claims->has_methods = true;
        return sgd_catm_read(cbor, &claims->methods) ? ok : bad;
    case SGD_CLAIM_CATGEOISO3166:
        return read_countries(cbor, claims) ? ok : unknown;
    case SGD_CLAIM_CATIF:
        return read_catif(cbor, claims) ? ok : bad;
    case SGD_CLAIM_CATR:
        return sg_cbor_check_next(cbor, AROUND_CLAIM) ? ok : bad; /* the renewal endpoint's */
    case SGD_CLAIM_FACTS:
        return read_facts(cbor, claims) ? ok : unknown;
    case SGD_CLAIM_VIEWERS:
        return read_u32(cbor, &claims->viewers) && claims->viewers > 0 &&
                       claims->viewers <= SGD_TOKEN_VIEWERS_MAX
                   ? ok
                   : unknown;
    case SGD_CLAIM_INDEX:
        claims->has_index = true;
        return read_u32(cbor, &claims->index) ? ok : unknown;
    case SGD_CLAIM_SITE:
        return read_text(cbor, &claims->site) ? ok : unknown;
    default:
        if (label >= 0)
            return unknown;
        return sg_cbor_check_next(cbor, AROUND_CLAIM) ? ok : bad; /* private ones: their maker's */
    }
}

/* The labels so far. Those that come in order, as ours do, are each compared once. */
struct labels {
    int64_t seen[SG_CBOR_PAIRS_MAX];
    uint32_t count;
    bool sorted;
};

/* 1, 2 ... before -1, -2 ...: the order of RFC 8949 section 4.2.1. */
static bool label_is_after(int64_t a, int64_t b)
{
    return (a < 0) == (b < 0) ? (a < 0 ? a < b : a > b) : a < 0;
}

/* False: it was there before. */
static bool label_add(struct labels *labels, int64_t label)
{
    uint32_t count = labels->count++;
    SG_ASSERT(count < SG_CBOR_PAIRS_MAX);
    labels->seen[count] = label;
    if (count == 0 || (labels->sorted && label_is_after(label, labels->seen[count - 1])))
        return true;
    labels->sorted = false;
    for (uint32_t i = 0; i < count; i++)
        if (labels->seen[i] == label)
            return false;
    return true;
}

enum sgd_gate_verdict sgd_claims_read(struct sg_str payload, struct sgd_claims *out)
{
    SG_ASSERT(out != NULL);
    struct sg_cbor cbor = sg_cbor_init(payload);
    struct sg_cbor_item map, item;
    struct labels labels;
    int64_t label;
    labels.count = 0;
    labels.sorted = true;
    if (payload.len > SG_CBOR_BYTES_MAX || !sg_cbor_want(&cbor, SG_CBOR_MAP, &map) ||
        map.value > SG_CBOR_PAIRS_MAX)
        return SGD_GATE_malformed;
    memset(out, 0, offsetof(struct sgd_claims, facts)); /* not all of it: it is large */
    for (uint64_t i = 0; i < map.value; i++) {
        if (!sg_cbor_next(&cbor, &item) || !sg_cbor_int(&item, &label))
            return SGD_GATE_claim_unknown; /* a name as label is nobody's private number */
        if (!label_add(&labels, label))
            return SGD_GATE_malformed;
        enum sgd_gate_verdict verdict = claim_read(&cbor, label, out);
        if (verdict != SGD_GATE_allowed)
            return verdict;
    }
    if (cbor.at != cbor.end)
        return SGD_GATE_malformed;
    if (out->expires_s == 0 || out->matches_count == 0)
        return SGD_GATE_malformed; /* no exp, no catu: good for ever, or for everything */
    return SGD_GATE_allowed;
}
