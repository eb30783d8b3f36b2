#include "dataplane/gate/cat.h"

#include "base/assert.h"

static const struct sg_str method_names[] = {
    [SGD_METHOD_GET] = {"GET", 3},         [SGD_METHOD_HEAD] = {"HEAD", 4},
    [SGD_METHOD_OPTIONS] = {"OPTIONS", 7}, [SGD_METHOD_POST] = {"POST", 4},
    [SGD_METHOD_PUT] = {"PUT", 3},         [SGD_METHOD_DELETE] = {"DELETE", 6},
    [SGD_METHOD_PATCH] = {"PATCH", 5},
};

/* One kind of match within a part of the URI: { kind: value }. */
static bool read_match(struct sg_cbor *cbor, int64_t part, struct sgd_match *out)
{
    struct sg_cbor_item item;
    int64_t kind;
    if (!sg_cbor_next(cbor, &item) || !sg_cbor_int(&item, &kind) || !sg_cbor_next(cbor, &item))
        return false;
    bool hash = kind == SGD_MATCH_SHA256;
    if (!hash && kind != SGD_MATCH_EXACT && kind != SGD_MATCH_PREFIX && kind != SGD_MATCH_SUFFIX)
        return false; /* regular expressions above all */
    if (hash ? item.type != SG_CBOR_BYTES || item.bytes.len != SG_SHA256_BYTES
             : item.type != SG_CBOR_TEXT || item.bytes.len == 0 || !sg_cbor_is_utf8(item.bytes))
        return false;
    *out = (struct sgd_match){(enum sgd_match_part)part, (enum sgd_match_kind)kind, item.bytes};
    return true;
}

/* Is the last one a key said twice? */
static bool is_there(const struct sgd_match *matches, uint8_t last)
{
    for (uint8_t i = 0; i < last; i++)
        if (matches[i].part == matches[last].part && matches[i].kind == matches[last].kind)
            return true;
    return false;
}

bool sgd_catu_read(struct sg_cbor *cbor, struct sgd_match matches[SGD_TOKEN_MATCHES_MAX],
                   uint8_t *count)
{
    struct sg_cbor_item parts, kinds, item;
    int64_t part;
    uint32_t seen = 0;
    *count = 0;
    if (!sg_cbor_want(cbor, SG_CBOR_MAP, &parts) || parts.value == 0)
        return false;
    for (uint64_t i = 0; i < parts.value; i++) {
        if (!sg_cbor_next(cbor, &item) || !sg_cbor_int(&item, &part) ||
            (part != SGD_MATCH_HOST && part != SGD_MATCH_PATH) || (seen & SG_BIT(part)) != 0 ||
            !sg_cbor_want(cbor, SG_CBOR_MAP, &kinds) || kinds.value == 0)
            return false;
        seen |= SG_BIT(part);
        for (uint64_t j = 0; j < kinds.value; j++, (*count)++)
            if (*count == SGD_TOKEN_MATCHES_MAX || !read_match(cbor, part, &matches[*count]) ||
                is_there(matches, *count))
                return false;
    }
    return true;
}

static uint64_t count_of(const struct sgd_match *matches, uint8_t count, enum sgd_match_part part)
{
    uint64_t found = 0;
    for (uint8_t i = 0; i < count; i++)
        found += matches[i].part == part;
    return found;
}

static void put_part(struct sg_out *out, const struct sgd_match *matches, uint8_t count,
                     enum sgd_match_part part)
{
    if (count_of(matches, count, part) == 0)
        return;
    sg_cbor_put_uint(out, part);
    sg_cbor_put_map(out, count_of(matches, count, part));
    for (uint8_t i = 0; i < count; i++) {
        if (matches[i].part != part)
            continue;
        sg_cbor_put_int(out, matches[i].kind);
        if (matches[i].kind == SGD_MATCH_SHA256)
            sg_cbor_put_bytes(out, matches[i].value.ptr, matches[i].value.len);
        else
            sg_cbor_put_text(out, matches[i].value);
    }
}

void sgd_catu_put(struct sg_out *out, const struct sgd_match *matches, uint8_t count)
{
    SG_ASSERT(count <= SGD_TOKEN_MATCHES_MAX);
    sg_cbor_put_map(out, (uint64_t)(count_of(matches, count, SGD_MATCH_HOST) > 0) +
                             (count_of(matches, count, SGD_MATCH_PATH) > 0));
    put_part(out, matches, count, SGD_MATCH_HOST);
    put_part(out, matches, count, SGD_MATCH_PATH);
}

bool sgd_catm_read(struct sg_cbor *cbor, uint32_t *methods)
{
    struct sg_cbor_item array, name;
    *methods = 0;
    if (!sg_cbor_want(cbor, SG_CBOR_ARRAY, &array))
        return false;
    for (uint64_t i = 0; i < array.value; i++) {
        if (!sg_cbor_want(cbor, SG_CBOR_TEXT, &name) || !sg_cbor_is_utf8(name.bytes))
            return false;
        for (size_t m = 0; m < SG_COUNT(method_names); m++)
            if (sg_str_eq(name.bytes, method_names[m]))
                *methods |= SG_BIT(m);
    }
    return true;
}

void sgd_catm_put(struct sg_out *out, uint32_t methods)
{
    sg_cbor_put_array(out, (uint64_t)__builtin_popcount(methods));
    for (size_t m = 0; m < SG_COUNT(method_names); m++)
        if ((methods & SG_BIT(m)) != 0)
            sg_cbor_put_text(out, method_names[m]);
}
