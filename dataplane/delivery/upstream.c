#include "dataplane/delivery/upstream.h"

#include "base/assert.h"
#include "dataplane/delivery/route.h"
#include "dataplane/http/vary.h"

#define NAME_BYTES 64 /* longer than any name below */

void sgd_upstream_target(const struct sg_conf_site *site, struct sg_str path, struct sg_str query,
                         struct sg_out *out)
{
    if (site->origin_path != NULL) {
        struct sg_str base = sg_str_from(site->origin_path);
        size_t prefix = sgd_route_prefix(sg_str_from(site->path), path);
        if (base.len > 0 && base.ptr[base.len - 1] == '/')
            base.len--;
        sg_out_str(out, base);
        if (prefix != SGD_PREFIX_NONE)
            path = sg_str_skip(path, prefix);
        if (path.len == 0)
            path = SG_STR("/");
    }
    sg_out_str(out, path);
    if (query.ptr != NULL) {
        sg_out_char(out, '?');
        sg_out_str(out, query);
    }
}

static bool named(struct sg_str name, const struct sg_str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sg_str_eq(name, list[i]))
            return true;
    return false;
}

/* What we write ourselves, or the transport's library does. */
static bool is_ours(struct sg_str name)
{
    static const struct sg_str ours[] = {
        {"host", 4},
        {"connection", 10},
        {"content-length", 14},
        {"transfer-encoding", 17},
        {"expect", 6},
        {"te", 2},
        {"trailer", 7},
        {"upgrade", 7},
        {"keep-alive", 10},
        {"accept-encoding", 15},
        {"cookie", 6},
        {"cta-common-access-token", 23},
        {"proxy-connection", 16},
        {"proxy-authorization", 19},
        {"http2-settings", 14},
    };
    return named(name, ours, SG_COUNT(ours));
}

static bool is_condition(struct sg_str name)
{
    static const struct sg_str conditions[] = {
        {"if-match", 8},           {"if-none-match", 13},
        {"if-modified-since", 17}, {"if-unmodified-since", 19},
        {"if-range", 8},           {"range", 5},
    };
    return named(name, conditions, SG_COUNT(conditions));
}

/* "*" never means these: they tell who the viewer is, or pretend another host or path, and are in
 * no key (the classic ways to poison a shared cache). */
static bool is_risky(struct sg_str name)
{
    static const struct sg_str risky[] = {
        {"authorization", 13},
        {"forwarded", 9},
        {"proxy", 5}, /* CGI makes HTTP_PROXY of it */
        {"x-rewrite-url", 13},
        {"x-host", 6},
        {"x-real-ip", 9},
        {"x-http-method", 13},
        {"x-http-method-override", 22},
        {"x-method-override", 17},
        {"true-client-ip", 14},
        {"cf-connecting-ip", 16},
        {"client-ip", 9},
        {"x-client-ip", 11},
        {"x-cluster-client-ip", 19},
        {"x-wap-profile", 13},
        {"x-amz-website-redirect-location", 31},
    };
    return sg_str_starts(name, SG_STR("x-forwarded-")) ||
           sg_str_starts(name, SG_STR("x-original-")) || named(name, risky, SG_COUNT(risky));
}

/* The field that a server may take it for: CGI and its heirs know '-' and '_' as one character, and
 * some take any other for it, too. */
static struct sg_str taken_for(struct sg_str name, char memory[NAME_BYTES])
{
    size_t len = SG_MIN(name.len, (size_t)NAME_BYTES);
    for (size_t i = 0; i < len; i++) {
        char c = name.ptr[i];
        memory[i] = (char)((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-');
    }
    return (struct sg_str){memory, len};
}

static bool is_harmless(struct sg_str name)
{
    char memory[NAME_BYTES];
    struct sg_str taken = taken_for(name, memory);
    return !is_risky(taken) && !is_ours(taken);
}

static bool is_forwarded(const struct sg_conf_site *site, struct sg_str name)
{
    if (sg_str_eq(name, SG_STR("via")) || sg_str_eq(name, SG_STR("cdn-loop")))
        return true; /* the way it came: the fetch adds us (RFC 9110 7.6.3, RFC 8586) */
    for (uint32_t i = 0; i < site->forward_headers_count; i++) {
        const char *listed = site->forward_headers[i];
        if (strcmp(listed, "*") == 0 ? is_harmless(name)
                                     : sg_str_eq_nocase(name, sg_str_from(listed)))
            return true;
    }
    return false;
}

static bool is_listed(const struct sg_conf_site *site, struct sg_str name)
{
    for (uint32_t i = 0; i < site->forward_headers_count; i++)
        if (sg_str_eq_nocase(name, sg_str_from(site->forward_headers[i])))
            return true;
    return false;
}

static void out_line(struct sg_out *out, struct sg_str name, struct sg_str value)
{
    sg_out_str(out, name);
    sg_out_lit(out, ": ");
    sg_out_str(out, value);
    sg_out_lit(out, "\r\n");
}

/* RFC 9110 section 7.6.2; 0 comes no further than this node. */
static void out_max_forwards(struct sg_str value, struct sg_out *out)
{
    uint64_t left;
    if (!sg_str_to_u64(value, &left) || left == 0)
        return;
    sg_out_lit(out, "max-forwards: ");
    sg_out_u64(out, left - 1);
    sg_out_lit(out, "\r\n");
}

static void out_conditions(const struct sgd_upstream_conditions *c, struct sg_out *out)
{
    if (c->range) {
        sg_out_lit(out, "range: bytes=");
        sg_out_u64(out, c->first);
        sg_out_char(out, '-');
        if (c->last != UINT64_MAX)
            sg_out_u64(out, c->last);
        sg_out_lit(out, "\r\n");
        if (c->etag.ptr != NULL && !sg_str_starts(c->etag, SG_STR("W/")))
            out_line(out, SG_STR("if-range"), c->etag);
        return;
    }
    if (c->etag.ptr != NULL)
        out_line(out, SG_STR("if-none-match"), c->etag);
    if (c->last_modified.ptr != NULL)
        out_line(out, SG_STR("if-modified-since"), c->last_modified);
}

/* Of the codings a viewer takes only those that the store keys on go further. */
static void out_accept_encoding(const struct sgd_request *req, bool pass, struct sg_out *out)
{
    char memory[64];
    struct sg_out reduced = sg_out_init(memory, sizeof(memory));
    struct sg_str value = sgd_request_field(req, SG_STR("accept-encoding"), NULL);
    sgd_vary_accept_encoding(req, &reduced);
    if (pass && value.ptr != NULL)
        out_line(out, SG_STR("accept-encoding"), value);
    else if (!pass && reduced.len > 0)
        out_line(out, SG_STR("accept-encoding"), sg_out_view(&reduced));
}

void sgd_upstream_fields(const struct sg_conf_site *site, const struct sgd_request *req,
                         struct sg_str cookie, bool pass,
                         const struct sgd_upstream_conditions *conditions, struct sg_out *out)
{
    for (uint16_t i = 0; i < req->fields_count; i++) {
        const struct sgd_field *f = &req->fields[i];
        if (is_ours(f->name))
            continue;
        bool content = sg_str_starts(f->name, SG_STR("content-"));
        if (content && !sgd_request_uploads(req))
            continue;
        if (sg_str_eq(f->name, SG_STR("max-forwards")) && req->method == SGD_METHOD_OPTIONS)
            out_max_forwards(f->value, out);
        else if (is_condition(f->name) ? pass : content || is_forwarded(site, f->name))
            out_line(out, f->name, f->value);
    }
    if (cookie.ptr != NULL && is_listed(site, SG_STR("cookie")))
        out_line(out, SG_STR("cookie"), cookie);
    out_accept_encoding(req, pass, out);
    if (conditions != NULL)
        out_conditions(conditions, out);
}
