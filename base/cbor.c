#include "base/cbor.h"

#include "base/assert.h"

enum major { UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

/* The argument of a head that follows it in 1, 2, 4 or 8 bytes (RFC 8949 section 3), in its
 * shortest form only. */
static bool argument_read(struct sg_cbor *cbor, uint8_t info, uint64_t *out)
{
    if (info > 27) /* 28 to 30 are nobody's, 31 is an indefinite length */
        return false;
    size_t width = (size_t)1 << (info - 24);
    uint64_t v = 0;
    if ((size_t)(cbor->end - cbor->at) < width)
        return false;
    for (size_t i = 0; i < width; i++)
        v = v << 8 | *cbor->at++;
    if (width == 1 ? v < 24 : v >> (width * 4) == 0)
        return false;
    *out = v;
    return true;
}

static bool simple_type(uint8_t info, enum sg_cbor_type *type)
{
    static const enum sg_cbor_type types[] = {SG_CBOR_FALSE, SG_CBOR_TRUE, SG_CBOR_NULL};
    if (info < 20 || info > 22)
        return false;
    *type = types[info - 20];
    return true;
}

bool sg_cbor_next(struct sg_cbor *cbor, struct sg_cbor_item *out)
{
    if (cbor->at == cbor->end)
        return false;
    uint8_t head = *cbor->at++, info = head & 31;
    out->type = (enum sg_cbor_type)(head >> 5); /* the two enums agree up to here */
    out->value = info;
    out->bytes = SG_STR_NONE;
    if (head >> 5 == SIMPLE) {
        out->value = 0;
        return simple_type(info, &out->type);
    }
    if (info >= 24 && !argument_read(cbor, info, &out->value))
        return false;
    if (out->type == SG_CBOR_BYTES || out->type == SG_CBOR_TEXT) {
        if (out->value > (uint64_t)(cbor->end - cbor->at))
            return false;
        out->bytes = (struct sg_str){(const char *)cbor->at, out->value};
        cbor->at += out->value;
    }
    return true;
}

bool sg_cbor_skip(struct sg_cbor *cbor)
{
    struct sg_cbor_item item;
    /* `left` items, none of which is less than a byte: so the loop ends with the bytes. */
    for (uint64_t left = 1; left > 0; left--) {
        if (!sg_cbor_next(cbor, &item))
            return false;
        if (item.type < SG_CBOR_ARRAY || item.type > SG_CBOR_TAG)
            continue;
        if (item.value > SG_CBOR_BYTES_MAX && item.type != SG_CBOR_TAG)
            return false;
        left += item.type == SG_CBOR_TAG   ? 1
                : item.type == SG_CBOR_MAP ? item.value * 2
                                           : item.value;
    }
    return true;
}

bool sg_cbor_int(const struct sg_cbor_item *item, int64_t *out)
{
    if (item->type > SG_CBOR_NINT || item->value > INT64_MAX)
        return false;
    *out = item->type == SG_CBOR_UINT ? (int64_t)item->value : -1 - (int64_t)item->value;
    return true;
}

/* ---- the whole ---- */

/* One character's length in bytes, 0: not UTF-8 (RFC 3629: no surrogates, shortest form). */
static size_t utf8_char(const uint8_t *p, size_t left)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len == 0 || len > left || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || beyond ? 0 : len;
}

static bool utf8_is(struct sg_str text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    uint64_t eight;
    for (size_t at = 0; at < text.len;) {
        if (text.len - at >= sizeof(eight)) { /* nearly all text is ASCII */
            memcpy(&eight, p + at, sizeof(eight));
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof(eight);
                continue;
            }
        }
        size_t len = utf8_char(p + at, text.len - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

/* A key as it is written. `word` is the whole of a short one, as nearly all are. */
struct key {
    struct sg_str text;
    uint64_t word;
};

static struct key key_of(const uint8_t *from, const uint8_t *to)
{
    struct key key = {.text = {(const char *)from, (size_t)(to - from)}};
    if (key.text.len <= sizeof(key.word)) {
        for (; from < to; from++)
            key.word = key.word << 8 | *from;
    }
    return key;
}

/* Shorter first, then by bytes: any total order serves. */
static int key_compare(const struct key *a, const struct key *b)
{
    if (a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    if (a->text.len > sizeof(a->word))
        return memcmp(a->text.ptr, b->text.ptr, a->text.len);
    return a->word < b->word ? -1 : a->word > b->word;
}

static bool item_check(struct sg_cbor *cbor, unsigned depth);

/* Most items are small numbers, which nothing can be wrong with. */
static inline bool item_check_short(struct sg_cbor *cbor, unsigned depth)
{
    bool small = cbor->at < cbor->end && (*cbor->at < 0x18 || (*cbor->at & 0xf8) == 0x20);
    if (small && depth < SG_CBOR_DEPTH_MAX) {
        cbor->at++;
        return true;
    }
    return item_check(cbor, depth);
}

/* Keys that come in order, as they should, are each compared once; others with all before. */
static bool map_check(struct sg_cbor *cbor, uint64_t pairs, unsigned depth)
{
    struct key keys[SG_CBOR_PAIRS_MAX];
    bool sorted = true;
    if (pairs > SG_CBOR_PAIRS_MAX)
        return false;
    for (size_t i = 0; i < pairs; i++) {
        const uint8_t *from = cbor->at;
        if (!item_check_short(cbor, depth))
            return false;
        keys[i] = key_of(from, cbor->at);
        if (i > 0 && key_compare(&keys[i - 1], &keys[i]) >= 0)
            sorted = false;
        for (size_t j = 0; !sorted && j < i; j++)
            if (key_compare(&keys[j], &keys[i]) == 0)
                return false;
        if (!item_check_short(cbor, depth))
            return false;
    }
    return true;
}

/* Recursion is bounded by SG_CBOR_DEPTH_MAX. */
static bool item_check(struct sg_cbor *cbor, unsigned depth)
{
    struct sg_cbor_item item;
    if (depth == SG_CBOR_DEPTH_MAX || !sg_cbor_next(cbor, &item))
        return false;
    if (item.type == SG_CBOR_TEXT)
        return utf8_is(item.bytes);
    if (item.type == SG_CBOR_MAP)
        return map_check(cbor, item.value, depth + 1);
    uint64_t children = item.type == SG_CBOR_ARRAY ? item.value : item.type == SG_CBOR_TAG;
    for (uint64_t i = 0; i < children; i++) /* each takes a byte at least */
        if (!item_check_short(cbor, depth + 1))
            return false;
    return true;
}

bool sg_cbor_check(struct sg_str bytes)
{
    struct sg_cbor cbor = sg_cbor_init(bytes);
    return bytes.len <= SG_CBOR_BYTES_MAX && item_check(&cbor, 0) && cbor.at == cbor.end;
}

/* ---- writing ---- */

static void head_put(struct sg_out *out, enum major major, uint64_t v)
{
    unsigned wide = v < 24 ? 0 : v <= UINT8_MAX ? 1 : v <= UINT16_MAX ? 2 : v <= UINT32_MAX ? 4 : 8;
    static const uint8_t infos[] = {[1] = 24, [2] = 25, [4] = 26, [8] = 27};
    uint8_t bytes[9] = {(uint8_t)(major << 5 | (wide == 0 ? (uint8_t)v : infos[wide]))};
    for (unsigned i = 0; i < wide; i++)
        bytes[1 + i] = (uint8_t)(v >> 8 * (wide - 1 - i));
    sg_out_bytes(out, bytes, 1 + wide);
}

void sg_cbor_put_uint(struct sg_out *out, uint64_t v)
{
    head_put(out, UINT, v);
}

void sg_cbor_put_int(struct sg_out *out, int64_t v)
{
    if (v >= 0)
        head_put(out, UINT, (uint64_t)v);
    else
        head_put(out, NINT, (uint64_t)(-1 - v));
}

void sg_cbor_put_bytes(struct sg_out *out, const void *bytes, size_t len)
{
    sg_cbor_put_bytes_head(out, len);
    sg_out_bytes(out, bytes, len);
}

void sg_cbor_put_bytes_head(struct sg_out *out, size_t len)
{
    head_put(out, BYTES, len);
}

void sg_cbor_put_text(struct sg_out *out, struct sg_str text)
{
    head_put(out, TEXT, text.len);
    sg_out_str(out, text);
}

void sg_cbor_put_array(struct sg_out *out, uint64_t items)
{
    head_put(out, ARRAY, items);
}

void sg_cbor_put_map(struct sg_out *out, uint64_t pairs)
{
    head_put(out, MAP, pairs);
}

void sg_cbor_put_tag(struct sg_out *out, uint64_t tag)
{
    head_put(out, TAG, tag);
}
