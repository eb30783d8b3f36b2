#include "dataplane/http/target.h"

#include "dataplane/http/authority.h"

#define PARAMS_SORTED_MAX 64

enum {
    PLAIN = 1,      /* may stand in a path as it is: pchar of RFC 3986 without '%' */
    UNRESERVED = 2, /* its percent form means the same as the character */
};
#define PU (PLAIN | UNRESERVED)
static const uint8_t classes[256] = {
    ['a' ... 'z'] = PU, ['A' ... 'Z'] = PU, ['0' ... '9'] = PU, ['-'] = PU,    ['.'] = PU,
    ['_'] = PU,         ['~'] = PU,         ['!'] = PLAIN,      ['$'] = PLAIN, ['&'] = PLAIN,
    ['\''] = PLAIN,     ['('] = PLAIN,      [')'] = PLAIN,      ['*'] = PLAIN, ['+'] = PLAIN,
    [','] = PLAIN,      [';'] = PLAIN,      ['='] = PLAIN,      [':'] = PLAIN, ['@'] = PLAIN,
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that s[at..at+2] escapes, or -1. */
static int escape_at(struct sg_str s, size_t at)
{
    if (s.len - at < 3)
        return -1;
    int high = hex_value(s.ptr[at + 1]), low = hex_value(s.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static void write_escaped(struct sg_out *out, uint8_t byte)
{
    static const char hex[] = "0123456789ABCDEF";
    char form[3] = {'%', hex[byte >> 4], hex[byte & 15]};
    sg_out_bytes(out, form, sizeof(form));
}

enum form { NORMAL, DECODED };

/* One byte of a segment that is not plain, raw or escaped, at *at; moves *at behind it. */
static bool write_special(struct sg_str path, size_t *at, enum form form, struct sg_out *out)
{
    bool escaped = path.ptr[*at] == '%';
    int byte = escaped ? escape_at(path, *at) : (uint8_t)path.ptr[*at];
    if (byte <= 0 || byte == '/' || byte == '\\')
        return false;
    *at += escaped ? 3 : 1;
    if (form == DECODED || (escaped && (classes[byte] & UNRESERVED)))
        sg_out_char(out, (char)byte);
    else
        write_escaped(out, (uint8_t)byte);
    return true;
}

/* Up to the next '/' or the end. */
static bool write_segment(struct sg_str path, size_t *at, enum form form, struct sg_out *out)
{
    while (*at < path.len && path.ptr[*at] != '/') {
        size_t run = *at;
        while (run < path.len && (classes[(uint8_t)path.ptr[run]] & PLAIN))
            run++;
        sg_out_bytes(out, path.ptr + *at, run - *at);
        *at = run;
        if (run < path.len && path.ptr[run] != '/' && !write_special(path, at, form, out))
            return false;
    }
    return true;
}

/* Takes the last written segment, "/..", and the one before it away. False: there is none. */
static bool climb(struct sg_out *out, size_t root)
{
    out->len -= 3;
    if (out->len == root)
        return false;
    while (out->ptr[--out->len] != '/')
        continue;
    return true;
}

/* RFC 3986 section 5.2.4 on what was just written from `start` ('/' first). A dot segment at the
 * end leaves its slash. */
static bool settle_segment(struct sg_out *out, size_t root, size_t start, bool at_end)
{
    struct sg_str seg = {out->ptr + start + 1, out->len - start - 1};
    if (sg_str_starts(seg, SG_STR(".;")) || sg_str_starts(seg, SG_STR("..;")))
        return false; /* servers that take parameters off first see a dot segment */
    if (seg.len == 0 || seg.len > 2 || seg.ptr[0] != '.' || seg.ptr[seg.len - 1] != '.')
        return true;
    if (seg.len == 1)
        out->len = start;
    else if (!climb(out, root))
        return false;
    if (at_end)
        sg_out_char(out, '/');
    return true;
}

static bool write_path(struct sg_str path, enum form form, struct sg_out *out)
{
    SG_ASSERT(out != NULL);
    size_t at = 0, root = out->len;
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    while (at < path.len) {
        size_t start = out->len;
        at++; /* its slash */
        sg_out_char(out, '/');
        if (!write_segment(path, &at, form, out))
            return false;
        if (out->full)
            return false;
        if (!settle_segment(out, root, start, at == path.len))
            return false;
    }
    return !out->full;
}

bool sgd_target_normalise(struct sg_str path, struct sg_out *out)
{
    return write_path(path, NORMAL, out);
}

bool sgd_target_decode(struct sg_str path, struct sg_out *out)
{
    return write_path(path, DECODED, out);
}

/* ---- queries ---- */

static struct sg_str param_name(struct sg_str param)
{
    const char *equals = param.len != 0 ? memchr(param.ptr, '=', param.len) : NULL;
    return equals != NULL ? (struct sg_str){param.ptr, (size_t)(equals - param.ptr)} : param;
}

/* The next decoded byte, or -1 at the end. A '%' that begins no escape is itself. */
static int decoded_next(struct sg_str *s)
{
    if (s->len == 0)
        return -1;
    int byte = s->ptr[0] == '%' ? escape_at(*s, 0) : -1;
    size_t used = byte < 0 ? 1 : 3;
    if (byte < 0)
        byte = (uint8_t)s->ptr[0];
    *s = sg_str_skip(*s, used);
    return byte;
}

static int compare_decoded(struct sg_str a, struct sg_str b)
{
    int x, y;
    do {
        x = decoded_next(&a);
        y = decoded_next(&b);
    } while (x == y && x >= 0);
    return x - y;
}

static bool is_listed(struct sg_str name, const char *const *listed, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sg_str want = sg_str_from(listed[i]), rest = name;
        size_t at = 0;
        while (at < want.len && decoded_next(&rest) == (uint8_t)want.ptr[at])
            at++;
        if (at == want.len && rest.len == 0)
            return true;
    }
    return false;
}

static bool escapes_are_right(struct sg_str s)
{
    for (size_t at = 0; at < s.len; at++) {
        if (s.ptr[at] == '%' && escape_at(s, at) < 0)
            return false;
    }
    return true;
}

/* One spelling: unreserved decoded, hexadecimal digits in upper case. With a malformed escape all
 * of it stays: what is decoded behind a '%' could make a new one, and two queries one key. */
static void write_param(struct sg_str param, struct sg_out *out)
{
    if (!escapes_are_right(param)) {
        sg_out_str(out, param);
        return;
    }
    for (size_t at = 0; at < param.len;) {
        int byte = param.ptr[at] == '%' ? escape_at(param, at) : -1;
        if (byte < 0)
            sg_out_char(out, param.ptr[at]);
        else if (classes[byte] & UNRESERVED)
            sg_out_char(out, (char)byte);
        else
            write_escaped(out, (uint8_t)byte);
        at += byte < 0 ? 1 : 3;
    }
}

static bool param_next(struct sg_str *rest, bool *more, struct sg_str *param)
{
    if (!*more)
        return false;
    const char *amp = rest->len != 0 ? memchr(rest->ptr, '&', rest->len) : NULL;
    *more = amp != NULL;
    *param = *rest;
    if (amp != NULL) {
        param->len = (size_t)(amp - rest->ptr);
        *rest = (struct sg_str){amp + 1, rest->len - param->len - 1};
    }
    return true;
}

/* Inserts behind its equals. */
static void sort_in(struct sg_str *params, uint32_t count, struct sg_str param)
{
    struct sg_str name = param_name(param);
    uint32_t at = count;
    while (at > 0 && compare_decoded(param_name(params[at - 1]), name) > 0) {
        params[at] = params[at - 1];
        at--;
    }
    params[at] = param;
}

static void write_params(const struct sg_str *params, uint32_t count, bool *first,
                         struct sg_out *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!*first)
            sg_out_char(out, '&');
        *first = false;
        write_param(params[i], out);
    }
}

/* More parameters than we sort at a time go out in sorted groups: such a key is still a function of
 * the query, it only meets its permutations less often, and sorting stays bounded. */
void sgd_target_query_key(struct sg_str query, enum sgd_query_policy policy,
                          const char *const *listed, uint32_t listed_count, struct sg_out *out)
{
    SG_ASSERT(out != NULL);
    struct sg_str params[PARAMS_SORTED_MAX], param;
    uint32_t count = 0;
    bool first = true, more = policy != SGD_QUERY_NONE && query.len != 0;
    while (param_next(&query, &more, &param)) {
        if (policy == SGD_QUERY_LISTED && !is_listed(param_name(param), listed, listed_count))
            continue;
        if (policy == SGD_QUERY_ALL) {
            write_params(&param, 1, &first, out);
            continue;
        }
        if (count == PARAMS_SORTED_MAX) {
            write_params(params, count, &first, out);
            count = 0;
        }
        sort_in(params, count++, param);
    }
    write_params(params, count, &first, out);
}

static bool is_authority(struct sg_str text, bool https, struct sg_str authority)
{
    char copy[512];
    struct sg_str read;
    if (text.len == 0 || text.len > sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    return sgd_authority_read(copy, text.len, https, &read) && sg_str_eq_nocase(read, authority);
}

/* Takes "scheme://authority" off the front. False: it is not this origin's. */
static bool resolve_origin(bool https, struct sg_str authority, struct sg_str *reference)
{
    struct sg_str scheme = https ? SG_STR("https:") : SG_STR("http:"), rest = *reference;
    size_t head = SG_MIN(rest.len, scheme.len);
    if (sg_str_eq_nocase((struct sg_str){rest.ptr, head}, scheme))
        rest = sg_str_skip(rest, scheme.len);
    if (!sg_str_starts(rest, SG_STR("//"))) {
        const char *colon = rest.len == 0 ? NULL : memchr(rest.ptr, ':', rest.len);
        const char *slash = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
        /* another scheme; a colon after the first slash is of the path */
        return rest.ptr == reference->ptr && (colon == NULL || (slash != NULL && slash < colon));
    }
    rest = sg_str_skip(rest, 2);
    size_t n = 0;
    while (n < rest.len && memchr("/?#", rest.ptr[n], 3) == NULL)
        n++;
    if (!is_authority((struct sg_str){rest.ptr, n}, https, authority))
        return false;
    *reference = n < rest.len ? sg_str_skip(rest, n) : SG_STR("/");
    return true;
}

bool sgd_target_resolve(bool https, struct sg_str authority, struct sg_str path,
                        struct sg_str reference, struct sg_out *out, struct sg_str *query)
{
    char memory[4096];
    struct sg_out merged = sg_out_init(memory, sizeof(memory));
    SG_ASSERT(out != NULL);
    SG_ASSERT(query != NULL);
    if (!resolve_origin(https, authority, &reference))
        return false;
    size_t n = 0;
    while (n < reference.len && reference.ptr[n] != '?' && reference.ptr[n] != '#')
        n++;
    struct sg_str named = {reference.ptr, n}, rest = sg_str_skip(reference, n);
    if (!sg_str_starts(named, SG_STR("/"))) /* section 5.2.3: beside the request's own */
        for (size_t end = path.len; end > 0; end--)
            if (path.ptr[end - 1] == '/' || named.len == 0) {
                sg_out_bytes(&merged, path.ptr, end);
                break;
            }
    sg_out_str(&merged, named);
    *query = SG_STR_NONE;
    if (sg_str_starts(rest, SG_STR("?"))) {
        rest = sg_str_skip(rest, 1);
        const char *hash = rest.len == 0 ? NULL : memchr(rest.ptr, '#', rest.len);
        *query = hash == NULL ? rest : (struct sg_str){rest.ptr, (size_t)(hash - rest.ptr)};
    }
    return !merged.full && sgd_target_normalise(sg_out_view(&merged), out) && !out->full;
}
