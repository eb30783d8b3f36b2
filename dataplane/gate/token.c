#include "dataplane/gate/token.h"

#include "base/assert.h"
#include "base/cbor.h"

#define TAG_CWT       61
#define TAG_COSE_MAC0 17
#define ALG_HMAC_256  5
#define AROUND_HEADER 3 /* two tags and an array */
enum header_label { HEADER_ALG = 1, HEADER_CRIT = 2, HEADER_KID = 4 };

/* ---- COSE_Mac0 ---- */

struct header {
    bool has_alg, crit;
    int64_t alg;
    struct sg_str kid;
};

/* Reads one header map; labels that we don't know change nothing (RFC 9052 section 3), and those
 * that must not be ignored are named by crit, which we refuse. But where the MAC does not reach
 * (`is_open`) whoever has a token could write them, and so have as many tokens of other bytes, and
 * other names, as it likes. */
static bool header_read(struct sg_cbor *cbor, bool is_open, struct header *header)
{
    struct sg_cbor_item map, label, value;
    struct sg_cbor checked = *cbor;
    if (!sg_cbor_check_next(&checked, is_open ? AROUND_HEADER : 0) ||
        !sg_cbor_want(cbor, SG_CBOR_MAP, &map))
        return false;
    for (uint64_t i = 0; i < map.value; i++) {
        int64_t number;
        if (!sg_cbor_next(cbor, &label) ||
            (label.type > SG_CBOR_NINT && label.type != SG_CBOR_TEXT))
            return false;
        bool known = sg_cbor_int(&label, &number) &&
                     (number == HEADER_ALG || number == HEADER_CRIT || number == HEADER_KID);
        if (!known) {
            if (is_open || !sg_cbor_skip(cbor))
                return false;
            continue;
        }
        struct sg_cbor after = *cbor;
        if (!sg_cbor_next(cbor, &value) || !sg_cbor_skip(&after))
            return false;
        *cbor = after;
        if (number == HEADER_CRIT)
            header->crit = true;
        else if (number == HEADER_ALG)
            header->has_alg = sg_cbor_int(&value, &header->alg);
        else if (value.type != SG_CBOR_BYTES || header->kid.ptr != NULL)
            return false; /* a kid is bytes, and there is one */
        else
            header->kid = value.bytes;
    }
    return true;
}

/* The tags and the array of four; *cbor is then at the protected header. */
static bool envelope_read(struct sg_cbor *cbor)
{
    struct sg_cbor_item item;
    return sg_cbor_want(cbor, SG_CBOR_TAG, &item) && item.value == TAG_CWT &&
           sg_cbor_want(cbor, SG_CBOR_TAG, &item) && item.value == TAG_COSE_MAC0 &&
           sg_cbor_want(cbor, SG_CBOR_ARRAY, &item) && item.value == 4;
}

enum sgd_gate_verdict sgd_token_read(struct sg_str bytes, struct sgd_token *out)
{
    SG_ASSERT(out != NULL);
    struct sg_cbor cbor = sg_cbor_init(bytes);
    struct sg_cbor_item sealed, payload, tag;
    struct header header = {.kid = SG_STR_NONE}, open = header;
    if (bytes.len > SGD_TOKEN_BYTES_MAX)
        return SGD_GATE_too_large;
    if (!envelope_read(&cbor) || !sg_cbor_want(&cbor, SG_CBOR_BYTES, &sealed) ||
        !header_read(&cbor, true, &open) || !sg_cbor_want(&cbor, SG_CBOR_BYTES, &payload) ||
        !sg_cbor_want(&cbor, SG_CBOR_BYTES, &tag) || cbor.at != cbor.end)
        return SGD_GATE_malformed;
    struct sg_cbor inner = sg_cbor_init(sealed.bytes);
    if (sealed.bytes.len > 0 && (!header_read(&inner, false, &header) || inner.at != inner.end))
        return SGD_GATE_malformed;
    /* An algorithm outside the MAC could be chosen by anyone. */
    if (!header.has_alg || header.alg != ALG_HMAC_256 || header.crit || open.has_alg || open.crit)
        return SGD_GATE_alg;
    if (tag.bytes.len != SG_SHA256_BYTES || (header.kid.ptr != NULL && open.kid.ptr != NULL))
        return SGD_GATE_malformed;
    *out = (struct sgd_token){sealed.bytes, payload.bytes, tag.bytes,
                              header.kid.ptr != NULL ? header.kid : open.kid};
    return SGD_GATE_allowed;
}

enum sgd_gate_verdict sgd_kid_read(struct sg_str kid, struct sgd_kid *out)
{
    struct sgd_kid read;
    uint64_t epoch;
    const char *first = kid.len == 0 ? NULL : memchr(kid.ptr, '/', kid.len);
    const char *last = kid.len == 0 ? NULL : memrchr(kid.ptr, '/', kid.len);
    if (first == NULL || first == last)
        return SGD_GATE_key_unknown;
    read.region = (struct sg_str){kid.ptr, (size_t)(first - kid.ptr)};
    read.tenant = (struct sg_str){first + 1, (size_t)(last - first) - 1};
    struct sg_str digits = sg_str_skip(kid, (size_t)(last - kid.ptr) + 1);
    if (!sg_str_to_u64(digits, &epoch) || epoch > UINT32_MAX ||
        (digits.len > 1 && digits.ptr[0] == '0'))
        return SGD_GATE_key_unknown;
    read.epoch = (uint32_t)epoch;
    *out = read;
    return SGD_GATE_allowed;
}

void sgd_token_mac(const struct sgd_token *token, const struct sg_hmac_key *key,
                   uint8_t out[SG_SHA256_BYTES])
{
    char memory[2 * SGD_TOKEN_BYTES_MAX]; /* whole: hashing pieces costs more than copying them */
    struct sg_out structure = sg_out_init(memory, sizeof(memory));
    sg_cbor_put_array(&structure, 4);
    sg_cbor_put_text(&structure, SG_STR("MAC0"));
    sg_cbor_put_bytes(&structure, token->protected_header.ptr, token->protected_header.len);
    sg_cbor_put_bytes(&structure, NULL, 0); /* external_aad */
    sg_cbor_put_bytes(&structure, token->payload.ptr, token->payload.len);
    SG_ASSERT(!structure.full);
    sg_hmac(key, structure.ptr, structure.len, out);
}

bool sgd_token_mac_holds(const struct sgd_token *token, const struct sg_hmac_key *key)
{
    uint8_t mac[SG_SHA256_BYTES];
    SG_ASSERT(token->tag.len == sizeof(mac));
    sgd_token_mac(token, key, mac);
    return sg_equal_secret(mac, token->tag.ptr, sizeof(mac));
}
