#include "dataplane/origin/request.h"

static const struct sg_str not_sent[] = {
    {"connection", 10},
    {"content-length", 14},
    {"expect", 6},
    {"host", 4},
    {"keep-alive", 10},
    {"proxy-authenticate", 18},
    {"proxy-connection", 16},
    {"proxy-authorization", 19},
    {"te", 2},
    {"trailer", 7},
    {"transfer-encoding", 17},
    {"upgrade", 7},
};

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

void sgd_origin_node_id(const char *node_name, char out[SGD_ORIGIN_NODE_BYTES])
{
    static const char prefix[] = "streamgate-";
    SG_ASSERT(node_name != NULL);
    size_t at = sizeof(prefix) - 1;
    memcpy(out, prefix, at);
    for (size_t i = 0; node_name[i] != 0 && at < SGD_ORIGIN_NODE_BYTES - 1; i++)
        out[at++] = is_token_char(node_name[i]) ? node_name[i] : '-';
    out[at] = 0;
}

/* cdn-info is an id and parameters after semicolons (RFC 8586 section 2). */
static bool loop_has(struct sg_str list, struct sg_str id)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        struct sg_str item = {list.ptr, comma != NULL ? (size_t)(comma - list.ptr) : list.len};
        list = sg_str_skip(list, item.len + 1);
        const char *semicolon = memchr(item.ptr, ';', item.len);
        if (semicolon != NULL)
            item.len = (size_t)(semicolon - item.ptr);
        if (sg_str_eq_nocase(sg_str_trim(item), id))
            return true;
    }
    return false;
}

bool sgd_origin_loops(const struct sgd_field *fields, uint32_t count, const char *node_id)
{
    for (uint32_t i = 0; i < count; i++)
        if (sg_str_eq_nocase(fields[i].name, SG_STR("cdn-loop")) &&
            loop_has(fields[i].value, sg_str_from(node_id)))
            return true;
    return false;
}

static bool is_sent(struct sg_str name)
{
    for (size_t i = 0; i < SG_COUNT(not_sent); i++)
        if (sg_str_eq_nocase(name, not_sent[i]))
            return false;
    return true;
}

static bool has_control(struct sg_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* The next "name: value" of *rest; false: malformed, or at the end with *name empty. */
static bool next_field(struct sg_str *rest, struct sg_str *name, struct sg_str *value)
{
    *name = SG_STR_NONE;
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    if (end == NULL)
        return false;
    struct sg_str line = {rest->ptr, (size_t)(end - rest->ptr)};
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL || colon == line.ptr || has_control(line))
        return false;
    *name = (struct sg_str){line.ptr, (size_t)(colon - line.ptr)};
    *value = sg_str_trim(sg_str_skip(line, name->len + 1));
    *rest = sg_str_skip(*rest, line.len + 2);
    return true;
}

static void put_field(struct sg_out *out, struct sg_str name, struct sg_str value)
{
    sg_out_str(out, name);
    sg_out_lit(out, ": ");
    sg_out_str(out, value);
    sg_out_lit(out, "\r\n");
}

bool sgd_origin_request_fields(struct sg_str fields, struct sg_str host, const char *node_id,
                               struct sg_out *out, bool *loops)
{
    struct sg_str name, value;
    *loops = false;
    put_field(out, SG_STR("Host"), host);
    while (fields.len > 0) {
        if (!next_field(&fields, &name, &value))
            return false;
        if (sg_str_eq_nocase(name, SG_STR("cdn-loop")) && loop_has(value, sg_str_from(node_id)))
            *loops = true;
        if (is_sent(name))
            put_field(out, name, value);
    }
    /* A list may be several lines: ours is the last of each (RFC 9110 sections 5.3 and 7.6.3). */
    sg_out_fmt(out, "CDN-Loop: %s\r\nVia: 1.1 %s\r\n", node_id, node_id);
    sg_out_char(out, 0);
    return !out->full;
}
