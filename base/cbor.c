#include "base/cbor.h"

#include "base/assert.h"

enum major { UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

/* ---- heads: on pointers by value, which stay in registers ---- */

/* The argument of a head that follows it in 1, 2, 4 or 8 bytes (RFC 8949 section 3), in its
 * shortest form only. Returns what comes behind it, or NULL. */
static const uint8_t *argument_read(const uint8_t *at, const uint8_t *end, uint64_t info,
                                    uint64_t *out)
{
    uint64_t v;
    if (info > 27) /* 28 to 30 are nobody's, 31 is an indefinite length */
        return NULL;
    size_t width = (size_t)1 << (info - 24), left = (size_t)(end - at);
    if (left < width)
        return NULL;
    if (left >= sizeof(v)) {
        memcpy(&v, at, sizeof(v));
        v = __builtin_bswap64(v) >> (64 - 8 * width);
    } else {
        v = 0;
        for (size_t i = 0; i < width; i++)
            v = v << 8 | at[i];
    }
    if (width == 1 ? v < 24 : v >> (width * 4) == 0)
        return NULL;
    *out = v;
    return at + width;
}

/* A head and its number. Strings have their bytes behind it. */
static inline const uint8_t *head_read(const uint8_t *at, const uint8_t *end, enum major *major,
                                       uint64_t *value)
{
    if (at == end)
        return NULL;
    uint8_t head = *at++;
    *major = head >> 5;
    *value = head & 31;
    if (*value >= 24 && *major != SIMPLE)
        at = argument_read(at, end, *value, value);
    bool string = *major == BYTES || *major == TEXT;
    return string && at != NULL && *value > (uint64_t)(end - at) ? NULL : at;
}

static bool simple_is_known(uint64_t value)
{
    return value >= 20 && value <= 22;
}

bool sg_cbor_next_any(struct sg_cbor *cbor, struct sg_cbor_item *out)
{
    enum major major;
    uint64_t value;
    const uint8_t *at = head_read(cbor->at, cbor->end, &major, &value);
    if (at == NULL || (major == SIMPLE && !simple_is_known(value)))
        return false;
    out->type = (enum sg_cbor_type)major; /* the two enums agree up to here */
    out->value = value;
    out->bytes = SG_STR_NONE;
    if (major == BYTES || major == TEXT) {
        out->bytes = (struct sg_str){(const char *)at, value};
        at += value;
    } else if (major == SIMPLE) {
        out->type = (enum sg_cbor_type)(SG_CBOR_FALSE + (value - 20));
        out->value = 0;
    }
    cbor->at = at;
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

bool sg_cbor_is_utf8(struct sg_str text)
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

/* Each returns what comes behind what it checked, or NULL. */
static const uint8_t *item_check(const uint8_t *at, const uint8_t *end, unsigned depth);

/* Keys that come in order, as they should, are each compared once; others with all before. */
static const uint8_t *map_check(const uint8_t *at, const uint8_t *end, uint64_t pairs,
                                unsigned depth)
{
    struct key keys[SG_CBOR_PAIRS_MAX];
    bool sorted = true;
    if (pairs > SG_CBOR_PAIRS_MAX)
        return NULL;
    for (size_t i = 0; i < pairs; i++) {
        const uint8_t *from = at;
        if ((at = item_check(at, end, depth)) == NULL)
            return NULL;
        keys[i] = key_of(from, at);
        if (i > 0 && key_compare(&keys[i - 1], &keys[i]) >= 0)
            sorted = false;
        for (size_t j = 0; !sorted && j < i; j++)
            if (key_compare(&keys[j], &keys[i]) == 0)
                return NULL;
        if ((at = item_check(at, end, depth)) == NULL)
            return NULL;
    }
    return at;
}

static const uint8_t *items_check(const uint8_t *at, const uint8_t *end, uint64_t count,
                                  unsigned depth)
{
    for (; count > 0 && at != NULL; count--) /* each takes a byte at least */
        at = item_check(at, end, depth);
    return at;
}

/* Recursion is bounded by SG_CBOR_DEPTH_MAX. */
static const uint8_t *item_check(const uint8_t *at, const uint8_t *end, unsigned depth)
{
    enum major major;
    uint64_t value;
    if (depth == SG_CBOR_DEPTH_MAX || (at = head_read(at, end, &major, &value)) == NULL)
        return NULL;
    switch (major) {
    case UINT:
    case NINT:
        return at;
    case BYTES:
        return at + value;
    case TEXT:
        return sg_cbor_is_utf8((struct sg_str){(const char *)at, value}) ? at + value : NULL;
    case ARRAY:
        return items_check(at, end, value, depth + 1);
    case MAP:
        return map_check(at, end, value, depth + 1);
    case TAG:
        return item_check(at, end, depth + 1);
    case SIMPLE:
        return simple_is_known(value) ? at : NULL;
    }
    SG_UNREACHABLE();
}

bool sg_cbor_check(struct sg_str bytes)
{
    struct sg_cbor cbor = sg_cbor_init(bytes);
    return bytes.len > 0 && bytes.len <= SG_CBOR_BYTES_MAX &&
           item_check(cbor.at, cbor.end, 0) == cbor.end;
}

bool sg_cbor_check_next(struct sg_cbor *cbor, unsigned around)
{
    SG_ASSERT(around <= SG_CBOR_DEPTH_MAX);
    const uint8_t *behind = item_check(cbor->at, cbor->end, around);
    if (behind == NULL)
        return false;
    cbor->at = behind;
    return true;
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
