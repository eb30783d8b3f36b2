#include "controlplane/admin/request.h"

#include "base/assert.h"

static bool take_until(struct sg_str *rest, char stop, struct sg_str *out)
{
    const char *end = rest->len != 0 ? memchr(rest->ptr, stop, rest->len) : NULL;
    if (end == NULL)
        return false;
    *out = (struct sg_str){rest->ptr, (size_t)(end - rest->ptr)};
    *rest = sg_str_skip(*rest, out->len + 1);
    return true;
}

static bool has_body(struct sg_str fields)
{
    struct sg_str line;
    while (take_until(&fields, '\n', &line)) {
        struct sg_str name;
        if (!take_until(&line, ':', &name))
            continue;
        if (sg_str_eq_nocase(name, SG_STR("transfer-encoding")))
            return true;
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (sg_str_eq_nocase(name, SG_STR("content-length")) &&
            !sg_str_eq(sg_str_trim(line), SG_STR("0")))
            return true;
    }
    return false;
}

enum sgc_parse sgc_request_parse(struct sg_str bytes, struct sgc_request *out)
{
    SG_ASSERT(out != NULL);
    if (bytes.len == 0 || memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) == NULL)
        return SGC_PARSE_MORE;
    struct sg_str line, method, target;
    if (!take_until(&bytes, '\n', &line) || !take_until(&line, ' ', &method) ||
        !take_until(&line, ' ', &target) || !sg_str_starts(line, SG_STR("HTTP/1.")) ||
        target.len == 0 || target.ptr[0] != '/' || has_body(bytes))
        return SGC_PARSE_BAD;
    *out = (struct sgc_request){.post = sg_str_eq(method, SG_STR("POST"))};
    if (!out->post && !sg_str_eq(method, SG_STR("GET")))
        return SGC_PARSE_METHOD;
    if (take_until(&target, '?', &out->path))
        out->query = target;
    else
        out->path = target;
    return SGC_PARSE_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool unescape(struct sg_str value, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        int c = (unsigned char)value.ptr[i];
        if (c == '%') {
            int high = i + 2 < value.len ? hex_digit(value.ptr[i + 1]) : -1;
            int low = i + 2 < value.len ? hex_digit(value.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c == 0 || n + 1 >= cap)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

static bool value_find(const struct sgc_request *request, const char *name, struct sg_str *value)
{
    struct sg_str rest = request->query, pair, key;
    while (rest.len != 0) {
        if (!take_until(&rest, '&', &pair)) {
            pair = rest;
            rest = SG_STR_NONE;
        }
        if (take_until(&pair, '=', &key) && sg_str_eq(key, sg_str_from(name))) {
            *value = pair;
            return true;
        }
    }
    return false;
}

bool sgc_request_param(const struct sgc_request *request, const char *name, char *out, size_t cap)
{
    struct sg_str value;
    return value_find(request, name, &value) && unescape(value, out, cap);
}

bool sgc_request_optional(const struct sgc_request *request, const char *name, char *out,
                          size_t cap)
{
    struct sg_str value;
    out[0] = '\0';
    return !value_find(request, name, &value) || unescape(value, out, cap);
}
