#include "dataplane/gate/grantbody.h"

#include "base/b64url.h"
#include "base/cbor.h"
#include "base/jsonread.h"

#define PART_BYTES    4096
#define TAG_CWT       61
#define TAG_COSE_SIGN 18

enum part { PART_HEADER, PART_CLAIMS, PART_SIGNATURE, PART_TX, PARTS };
static const struct sg_str part_names[PARTS] = {
    {"header", 6}, {"claims", 6}, {"signature", 9}, {"tx", 2}};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "0x" and 64 digits. */
static bool take_hash(struct sg_jsonread value, uint8_t out[SGD_LIST_HASH_BYTES])
{
    struct sg_str text;
    if (!sg_jsonread_plain(value, &text) || text.len != 2 + 2 * SGD_LIST_HASH_BYTES ||
        !sg_str_starts(text, SG_STR("0x")))
        return false;
    for (size_t i = 0; i < SGD_LIST_HASH_BYTES; i++) {
        int high = digit_of(text.ptr[2 + 2 * i]), low = digit_of(text.ptr[3 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool take_proof(struct sg_jsonread list, uint8_t memory[SGD_LIST_PROOF_BYTES],
                       struct sg_str *out)
{
    struct sg_jsonread value;
    size_t len = 0;
    if (sg_jsonread_kind(list) != SG_JSONREAD_ARRAY)
        return false;
    struct sg_jsonread_walk walk = sg_jsonread_walk(list);
    for (; sg_jsonread_next(&walk, NULL, &value); len += SGD_LIST_HASH_BYTES)
        if (len == SGD_LIST_PROOF_BYTES || !take_hash(value, memory + len))
            return false;
    *out = (struct sg_str){(const char *)memory, len};
    return true;
}

static bool take_proofs(struct sg_jsonread list, struct sgd_list_proofs *out)
{
    struct sg_jsonread proof;
    if (sg_jsonread_kind(list) != SG_JSONREAD_ARRAY)
        return false;
    struct sg_jsonread_walk walk = sg_jsonread_walk(list);
    for (; sg_jsonread_next(&walk, NULL, &proof); out->count++)
        if (out->count == SGD_LIST_PROOFS_MAX ||
            !take_proof(proof, out->memory[out->count], &out->proofs[out->count]))
            return false;
    return true;
}

/* Each part once, and nothing else. */
static bool take_parts(struct sg_str text, struct sg_str parts[PARTS],
                       struct sgd_list_proofs *proofs)
{
    bool proven = false;
    struct sg_jsonread object, value;
    struct sg_str name;
    if (!sg_jsonread_check(text, 3, &object) || sg_jsonread_kind(object) != SG_JSONREAD_OBJECT)
        return false;
    struct sg_jsonread_walk walk = sg_jsonread_walk(object);
    while (sg_jsonread_next(&walk, &name, &value)) {
        int i = 0;
        if (sg_str_eq(name, SG_STR("list_proofs"))) {
            if (proven || !take_proofs(value, proofs))
                return false;
            proven = true;
            continue;
        }
        while (i < PARTS && !sg_str_eq(name, part_names[i]))
            i++;
        if (i == PARTS || parts[i].ptr != NULL || !sg_jsonread_plain(value, &parts[i]))
            return false;
    }
    return true;
}

static bool put_part(struct sg_out *cose, struct sg_str text, struct sg_str more)
{
    uint8_t bytes[PART_BYTES];
    size_t len, more_len = 0;
    if (text.ptr == NULL || !sg_b64url_read(text, bytes, sizeof(bytes), &len))
        return false;
    if (more.ptr != NULL && !sg_b64url_read(more, bytes + len, sizeof(bytes) - len, &more_len))
        return false;
    sg_cbor_put_bytes(cose, bytes, len + more_len);
    return true;
}

bool sgd_grantbody_wrap(struct sg_str json, struct sg_out *cose, struct sgd_list_proofs *proofs)
{
    struct sg_str parts[PARTS] = {{NULL, 0}};
    SG_ASSERT(cose != NULL && proofs != NULL);
    proofs->count = 0;
    if (!take_parts(json, parts, proofs))
        return false;
    sg_cbor_put_tag(cose, TAG_CWT);
    sg_cbor_put_tag(cose, TAG_COSE_SIGN);
    sg_cbor_put_array(cose, 4);
    if (!put_part(cose, parts[PART_HEADER], SG_STR_NONE))
        return false;
    sg_cbor_put_map(cose, 0);
    return put_part(cose, parts[PART_CLAIMS], SG_STR_NONE) &&
           put_part(cose, parts[PART_SIGNATURE], parts[PART_TX]) && !cose->full;
}
