#include "dataplane/delivery/stored.h"

#include "dataplane/http/cond.h"

bool sgd_stored_strong(struct sg_str head)
{
    struct sg_str etag = sgd_lines_field(head, SG_STR("etag"), NULL);
    return etag.ptr != NULL && !sg_str_starts(etag, SG_STR("W/"));
}

static bool in_list(struct sg_str name, const struct sg_str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sg_str_eq(name, list[i]))
            return true;
    return false;
}

/* One of those that private= and no-cache= keep from the next viewer. */
static bool is_named(const struct sgd_cc *cc, struct sg_str name)
{
    return ((cc->flags & SGD_CC_PRIVATE_FIELDS) && sgd_cc_lists(cc->private_fields, name)) ||
           ((cc->flags & SGD_CC_NO_CACHE_FIELDS) && sgd_cc_lists(cc->no_cache_fields, name));
}

static bool is_kept(const struct sg_conf_site *site, const struct sgd_cc *cc, struct sg_str name)
{
    static const struct sg_str dropped[] = {
        {"content-length", 14},
        {"age", 3},
        {"transfer-encoding", 17},
        {"proxy-authenticate", 18},
        {"proxy-authentication-info", 25},
        {"proxy-authorization", 19},
        {"connection", 10},
        {"keep-alive", 10},
        {"trailer", 7},
        {"upgrade", 7},
    };
    if (in_list(name, dropped, SG_COUNT(dropped)) || is_named(cc, name))
        return false;
    for (uint32_t i = 0; i < site->cache.tag_headers_count; i++)
        if (sg_str_eq_nocase(name, sg_str_from(site->cache.tag_headers[i])))
            return false;
    return true;
}

static void out_field(struct sg_out *out, const struct sgd_field *field)
{
    sg_out_str(out, field->name);
    sg_out_lit(out, ": ");
    sg_out_str(out, field->value);
    sg_out_lit(out, "\r\n");
}

static void out_date(struct sg_out *out, uint64_t response_ns)
{
    char date[29];
    sgd_http_date_write((int64_t)(response_ns / 1000000000u), date);
    out_field(out, &(struct sgd_field){SG_STR("date"), {date, sizeof(date)}});
}

void sgd_stored_head(const struct sg_conf_site *site, struct sg_str lines, bool part,
                     uint64_t response_ns, struct sg_out *out)
{
    struct sgd_field field;
    struct sgd_cc cc;
    bool targeted;
    sgd_cc_of_response(lines, &cc, &targeted);
    if (sgd_lines_field(lines, SG_STR("date"), NULL).ptr == NULL)
        out_date(out, response_ns);
    while (sgd_lines_next(&lines, &field))
        if (is_kept(site, &cc, field.name) &&
            !(part && sg_str_eq(field.name, SG_STR("content-range"))))
            out_field(out, &field);
}

void sgd_stored_named(struct sg_str lines, struct sg_out *out)
{
    struct sgd_field field;
    struct sgd_cc cc;
    bool targeted;
    sgd_cc_of_response(lines, &cc, &targeted);
    while (sgd_lines_next(&lines, &field))
        if (is_named(&cc, field.name))
            out_field(out, &field);
}

/* All fields of a 304 replace the stored ones (RFC 9111 section 3.2), but for its length, and what
 * would no longer fit the stored bytes if an origin took a weak validator lightly. */
static bool freshens(struct sg_str name)
{
    static const struct sg_str kept[] = {
        {"content-length", 14}, {"content-encoding", 16}, {"content-range", 13},
        {"content-md5", 11},    {"content-digest", 14},
    };
    return !in_list(name, kept, SG_COUNT(kept));
}

void sgd_stored_freshen(const struct sg_conf_site *site, struct sg_str stored, struct sg_str lines,
                        uint64_t response_ns, struct sg_out *out)
{
    struct sgd_field field;
    struct sgd_cc cc;
    bool targeted;
    struct sg_str fresh = lines;
    sgd_cc_of_response(lines, &cc, &targeted);
    while (sgd_lines_next(&stored, &field)) {
        bool replaced =
            freshens(field.name) && sgd_lines_field(fresh, field.name, NULL).ptr != NULL;
        if (!replaced && !sg_str_eq(field.name, SG_STR("date")))
            out_field(out, &field);
    }
    if (sgd_lines_field(fresh, SG_STR("date"), NULL).ptr == NULL)
        out_date(out, response_ns);
    while (sgd_lines_next(&fresh, &field))
        if (freshens(field.name) && is_kept(site, &cc, field.name))
            out_field(out, &field);
}
