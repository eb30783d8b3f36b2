#include "base/jsonread.h"

#include "base/assert.h"

/* ---- checking: one pass over bytes that may be anything ---- */

struct check {
    const char *at, *end;
    uint32_t depth_max;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool check_word(struct check *check, const char *word, size_t len)
{
    if ((size_t)(check->end - check->at) < len || memcmp(check->at, word, len) != 0)
        return false;
    check->at += len;
    return true;
}

static bool check_digits(struct check *check)
{
    const char *from = check->at;
    while (check->at < check->end && is_digit(*check->at))
        check->at++;
    return check->at > from;
}

static bool check_number(struct check *check)
{
    if (*check->at == '-')
        check->at++;
    const char *from = check->at;
    if (!check_digits(check) || (*from == '0' && check->at - from > 1))
        return false;
    if (check->at < check->end && *check->at == '.') {
        check->at++;
        if (!check_digits(check))
            return false;
    }
    if (check->at < check->end && (*check->at == 'e' || *check->at == 'E')) {
        check->at++;
        if (check->at < check->end && (*check->at == '+' || *check->at == '-'))
            check->at++;
        return check_digits(check);
    }
    return true;
}

static bool check_escape(struct check *check)
{
    if (check->end - check->at < 2)
        return false;
    char c = check->at[1];
    check->at += 2;
    if (c != 'u')
        return strchr("\"\\/bfnrt", c) != NULL && c != '\0';
    if (check->end - check->at < 4)
        return false;
    for (uint32_t i = 0; i < 4; i++) {
        if (hex_digit(*check->at++) < 0)
            return false;
    }
    return true;
}

/* One character beyond ASCII: no overlong form, no surrogate, none above U+10FFFF. */
static bool check_utf8(struct check *check)
{
    const uint8_t *b = (const uint8_t *)check->at;
    size_t len = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || (size_t)(check->end - check->at) < len)
        return false;
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return false;
    }
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
        (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
        return false;
    check->at += len;
    return true;
}

static bool check_string(struct check *check)
{
    check->at++;
    while (check->at < check->end) {
        unsigned char c = (unsigned char)*check->at;
        if (c == '"') {
            check->at++;
            return true;
        }
        if (c == '\\' ? !check_escape(check) : c >= 0x80 && !check_utf8(check))
            return false;
        if (c < 0x20)
            return false;
        if (c != '\\' && c < 0x80)
            check->at++;
    }
    return false;
}

static bool check_scalar(struct check *check)
{
    switch (*check->at) {
    case '"':
        return check_string(check);
    case 't':
        return check_word(check, "true", 4);
    case 'f':
        return check_word(check, "false", 5);
    case 'n':
        return check_word(check, "null", 4);
    default:
        return (*check->at == '-' || is_digit(*check->at)) && check_number(check);
    }
}

static bool check_key(struct check *check)
{
    check->at = skip_blanks(check->at, check->end);
    if (check->at == check->end || *check->at != '"' || !check_string(check))
        return false;
    check->at = skip_blanks(check->at, check->end);
    return check->at < check->end && *check->at++ == ':';
}

/* After a value or an opening: closes what ends here, and takes the comma before the next value.
 * `open` holds the closing brackets still awaited. False: neither. */
static bool check_between(struct check *check, const char *open, uint32_t *depth, bool opened)
{
    while (*depth > 0) {
        check->at = skip_blanks(check->at, check->end);
        if (check->at == check->end)
            return false;
        char c = *check->at;
        if (c == open[*depth - 1]) {
            check->at++;
            --*depth;
            opened = false;
            continue;
        }
        if (!opened) {
            if (c != ',')
                return false;
            check->at++;
        }
        return open[*depth - 1] != '}' || check_key(check);
    }
    return true;
}

static bool check_value(struct check *check)
{
    char open[SG_JSONREAD_DEPTH_MAX];
    uint32_t depth = 0;
    do {
        check->at = skip_blanks(check->at, check->end);
        if (check->at == check->end)
            return false;
        bool opened = *check->at == '[' || *check->at == '{';
        if (opened) {
            if (depth == check->depth_max)
                return false;
            open[depth++] = *check->at++ == '[' ? ']' : '}';
        } else if (!check_scalar(check)) {
            return false;
        }
        if (!check_between(check, open, &depth, opened))
            return false;
    } while (depth > 0);
    return true;
}

bool sg_jsonread_check(struct sg_str text, uint32_t depth_max, struct sg_jsonread *out)
{
    SG_ASSERT(depth_max <= SG_JSONREAD_DEPTH_MAX);
    if (text.len == 0)
        return false;
    const char *end = text.ptr + text.len;
    const char *from = skip_blanks(text.ptr, end);
    struct check check = {from, end, depth_max};
    if (!check_value(&check) || skip_blanks(check.at, end) != end)
        return false;
    *out = (struct sg_jsonread){from, (size_t)(check.at - from)};
    return true;
}

/* ---- walking: over text that was checked ---- */

enum sg_jsonread_kind sg_jsonread_kind(struct sg_jsonread value)
{
    SG_ASSERT(value.len > 0);
    switch (value.ptr[0]) {
    case '{':
        return SG_JSONREAD_OBJECT;
    case '[':
        return SG_JSONREAD_ARRAY;
    case '"':
        return SG_JSONREAD_STRING;
    case 'n':
        return SG_JSONREAD_NULL;
    case 't':
    case 'f':
        return SG_JSONREAD_BOOL;
    default:
        return SG_JSONREAD_NUMBER;
    }
}

/* Behind the string that begins at `at`. */
static const char *string_end(const char *at, const char *end)
{
    at++;
    for (;;) {
        at = memchr(at, '"', (size_t)(end - at));
        SG_ASSERT(at != NULL);
        const char *back = at;
        while (back[-1] == '\\')
            back--;
        at++;
        if ((at - 1 - back) % 2 == 0)
            return at;
    }
}

/* Behind the value that begins at `at`. */
static const char *value_end(const char *at, const char *end)
{
    uint32_t depth = 0;
    do {
        char c = *at;
        if (c == '"') {
            at = string_end(at, end);
            continue;
        }
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        else if (depth == 0) {
            while (at < end && !is_blank(*at) && *at != ',' && *at != ']' && *at != '}')
                at++;
            return at;
        }
        at++;
    } while (depth > 0);
    return at;
}

struct sg_jsonread_walk sg_jsonread_walk(struct sg_jsonread value)
{
    enum sg_jsonread_kind kind = sg_jsonread_kind(value);
    if (kind != SG_JSONREAD_ARRAY && kind != SG_JSONREAD_OBJECT)
        return (struct sg_jsonread_walk){value.ptr, value.ptr, false};
    return (struct sg_jsonread_walk){value.ptr + 1, value.ptr + value.len - 1,
                                     kind == SG_JSONREAD_OBJECT};
}

bool sg_jsonread_next(struct sg_jsonread_walk *walk, struct sg_str *key, struct sg_jsonread *value)
{
    struct sg_str name = SG_STR_NONE;
    const char *at = skip_blanks(walk->at, walk->end);
    if (at < walk->end && *at == ',')
        at = skip_blanks(at + 1, walk->end);
    if (at == walk->end)
        return false;
    if (walk->is_object) {
        const char *after = string_end(at, walk->end);
        name = (struct sg_str){at + 1, (size_t)(after - at) - 2};
        at = skip_blanks(skip_blanks(after, walk->end) + 1, walk->end);
    }
    walk->at = value_end(at, walk->end);
    *value = (struct sg_jsonread){at, (size_t)(walk->at - at)};
    if (key != NULL)
        *key = name;
    return true;
}

bool sg_jsonread_member(struct sg_jsonread object, const char *key, struct sg_jsonread *out)
{
    struct sg_jsonread_walk walk = sg_jsonread_walk(object);
    struct sg_str want = sg_str_from(key), name;
    struct sg_jsonread value;
    if (!walk.is_object)
        return false;
    while (sg_jsonread_next(&walk, &name, &value)) {
        if (sg_str_eq(name, want)) {
            *out = value;
            return true;
        }
    }
    return false;
}

bool sg_jsonread_item(struct sg_jsonread array, uint32_t index, struct sg_jsonread *out)
{
    struct sg_jsonread_walk walk = sg_jsonread_walk(array);
    struct sg_jsonread value;
    if (walk.is_object)
        return false;
    for (uint32_t i = 0; sg_jsonread_next(&walk, NULL, &value); i++) {
        if (i == index) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* ---- scalars ---- */

bool sg_jsonread_plain(struct sg_jsonread value, struct sg_str *out)
{
    if (sg_jsonread_kind(value) != SG_JSONREAD_STRING || memchr(value.ptr, '\\', value.len) != NULL)
        return false;
    *out = (struct sg_str){value.ptr + 1, value.len - 2};
    return true;
}

static uint32_t four_hex(const char *at)
{
    uint32_t v = 0;
    for (uint32_t i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)hex_digit(at[i]);
    return v;
}

static void utf8_put(struct sg_out *out, uint32_t c)
{
    char b[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; c >>= 6)
        b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)(lead[len] | c);
    sg_out_bytes(out, b, len);
}

/* \uXXXX, with a second one where the two are a pair. Returns behind it. */
static const char *unicode_put(const char *at, const char *end, struct sg_out *out)
{
    uint32_t c = four_hex(at + 2);
    at += 6;
    if (c >= 0xd800 && c < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        uint32_t low = four_hex(at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            utf8_put(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
            return at + 6;
        }
    }
    utf8_put(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    return at;
}

bool sg_jsonread_text(struct sg_jsonread value, struct sg_out *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (sg_jsonread_kind(value) != SG_JSONREAD_STRING)
        return false;
    const char *at = value.ptr + 1, *end = value.ptr + value.len - 1;
    while (at < end) {
        if (*at != '\\') {
            sg_out_char(out, *at++);
        } else if (at[1] == 'u') {
            at = unicode_put(at, end, out);
        } else {
            sg_out_char(out, to[strchr(from, at[1]) - from]);
            at += 2;
        }
    }
    return true;
}

bool sg_jsonread_u64(struct sg_jsonread value, uint64_t *out)
{
    return sg_str_to_u64((struct sg_str){value.ptr, value.len}, out);
}

bool sg_jsonread_i64(struct sg_jsonread value, int64_t *out)
{
    bool negative = value.len > 0 && value.ptr[0] == '-';
    uint64_t v;
    if (!sg_str_to_u64(sg_str_skip((struct sg_str){value.ptr, value.len}, negative), &v) ||
        v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool sg_jsonread_bool(struct sg_jsonread value, bool *out)
{
    if (sg_jsonread_kind(value) != SG_JSONREAD_BOOL)
        return false;
    *out = value.ptr[0] == 't';
    return true;
}
