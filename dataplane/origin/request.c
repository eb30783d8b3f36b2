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

bool sgd_origin_loops(const struct sgd_field *fields, uint32_t count, const char *node_name)
{
    char id[SGD_ORIGIN_NODE_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        if (!sg_str_eq(fields[i].name, SG_STR("cdn-loop")))
            continue;
        sgd_origin_node_id(node_name, id);
        if (loop_has(fields[i].value, sg_str_from(id)))
            return true;
    }
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

/* Without '/' in front it would be another authority; a blank would end the request line. */
static bool put_target(const struct sgd_ask *ask, struct sg_out *out)
{
    for (size_t i = 0; i < ask->path.len; i++)
        if ((unsigned char)ask->path.ptr[i] <= 0x20 || (unsigned char)ask->path.ptr[i] >= 0x7f)
            return false;
    if (ask->path.len == 0 || ask->path.ptr[0] != '/')
        return false;
    sg_out_str(out, sg_str_from(ask->url->base));
    sg_out_str(out, ask->path);
    sg_out_char(out, 0);
    return !out->full;
}

static struct sg_str host_of(const struct sgd_ask *ask)
{
    if (ask->pool->host_header != NULL)
        return sg_str_from(ask->pool->host_header);
    /* A shield finds the site by the viewer's host, as we did. */
    if (ask->pool->shield && ask->viewer_host.len > 0)
        return ask->viewer_host;
    return sg_str_from(ask->url->host);
}

/* A signature covers all x-amz-* fields; none but ours may be there. */
static bool is_signers(struct sg_str name)
{
    return sg_str_eq_nocase(name, SG_STR("authorization")) ||
           (name.len >= 6 && strncasecmp(name.ptr, "x-amz-", 6) == 0);
}

static enum sgd_origin_error put_fields(const struct sgd_ask *ask, struct sg_out *out)
{
    struct sg_str rest = ask->fields, name, value;
    enum sgd_origin_error error = SGD_ORIGIN_none;
    while (rest.len > 0) {
        if (!next_field(&rest, &name, &value))
            return SGD_ORIGIN_internal;
        if (sg_str_eq_nocase(name, SG_STR("cdn-loop")) &&
            loop_has(value, sg_str_from(ask->node_id)))
            error = SGD_ORIGIN_loop;
        if (is_sent(name) && !(ask->pool->signs && is_signers(name)))
            put_field(out, name, value);
    }
    return error;
}

static bool put_signature(const struct sgd_ask *ask, struct sg_str target, struct sg_out *out)
{
    struct sgd_sign_request req = {
        .method = ask->method,
        .target = target,
        .host = host_of(ask),
        .payload_hash = ask->has_body ? SGD_SIGN_UNSIGNED : SGD_SIGN_NO_BODY,
        .wall_s = ask->wall_s,
    };
    return sgd_sign(&ask->pool->sign, &req, out);
}

enum sgd_origin_error sgd_ask_write(const struct sgd_ask *ask, struct sg_out *target,
                                    struct sg_out *fields)
{
    struct sg_str host = host_of(ask);
    if (!put_target(ask, target) || has_control(host))
        return SGD_ORIGIN_internal;
    put_field(fields, SG_STR("Host"), host);
    enum sgd_origin_error error = put_fields(ask, fields);
    if (error != SGD_ORIGIN_none)
        return error;
    /* A list may be several lines: ours is the last of each (RFC 9110 sections 5.3 and 7.6.3). */
    sg_out_fmt(fields, "CDN-Loop: %s\r\nVia: %s %s\r\n", ask->node_id, ask->version, ask->node_id);
    if (ask->pool->signs && !put_signature(ask, sg_str_from(target->ptr), fields))
        return SGD_ORIGIN_internal;
    sg_out_char(fields, 0);
    return fields->full ? SGD_ORIGIN_internal : SGD_ORIGIN_none;
}
