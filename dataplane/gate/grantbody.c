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

/* Each part once, and nothing else. */
static bool take_parts(struct sg_str text, struct sg_str parts[PARTS])
{
    struct sg_jsonread object, value;
    struct sg_str name;
    if (!sg_jsonread_check(text, 1, &object) || sg_jsonread_kind(object) != SG_JSONREAD_OBJECT)
        return false;
    struct sg_jsonread_walk walk = sg_jsonread_walk(object);
    while (sg_jsonread_next(&walk, &name, &value)) {
        int i = 0;
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

bool sgd_grantbody_wrap(struct sg_str json, struct sg_out *cose)
{
    struct sg_str parts[PARTS] = {{NULL, 0}};
    SG_ASSERT(cose != NULL);
    if (!take_parts(json, parts))
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
