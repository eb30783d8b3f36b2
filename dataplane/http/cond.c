#include "dataplane/http/cond.h"

#include "base/assert.h"

/* ---- conditions: RFC 9110 section 13 ---- */

/* Splits at commas outside quotes; empty members are skipped. */
static bool member_next(struct sg_str *rest, struct sg_str *member)
{
    while (rest->len != 0) {
        size_t n = 0;
        for (bool quoted = false; n < rest->len && (quoted || rest->ptr[n] != ','); n++)
            quoted ^= rest->ptr[n] == '"';
        *member = sg_str_trim((struct sg_str){rest->ptr, n});
        *rest = sg_str_skip(*rest, n + 1);
        if (member->len != 0)
            return true;
    }
    return false;
}

static bool is_weak(struct sg_str etag)
{
    return sg_str_starts(etag, SG_STR("W/"));
}

static bool etag_equal(struct sg_str a, struct sg_str b, bool strong)
{
    if (strong && (is_weak(a) || is_weak(b)))
        return false;
    struct sg_str x = is_weak(a) ? sg_str_skip(a, 2) : a, y = is_weak(b) ? sg_str_skip(b, 2) : b;
    return x.len != 0 && sg_str_eq(x, y);
}

bool sgd_etag_same(struct sg_str a, struct sg_str b)
{
    return etag_equal(a, b, false);
}

/* Whether the list in all fields of `name` has the etag, or is "*". */
static bool lists_etag(const struct sgd_request *req, struct sg_str name, struct sg_str etag)
{
    struct sg_str member;
    for (uint32_t i = 0; i < req->fields_count; i++) {
        struct sg_str rest = req->fields[i].value;
        if (!sg_str_eq(req->fields[i].name, name))
            continue;
        while (member_next(&rest, &member)) {
            if (sg_str_eq(member, SG_STR("*")) || (etag.ptr != NULL && sgd_etag_same(member, etag)))
                return true;
        }
    }
    return false;
}

/* A date in a field that stands once; anything else counts as absent (section 13.1.3). */
static bool field_date(const struct sgd_request *req, struct sg_str name, int64_t *out)
{
    bool repeated;
    struct sg_str value = sgd_request_field(req, name, &repeated);
    return value.ptr != NULL && !repeated && sgd_http_date(value, out);
}

/* When the representation changed last, as far as a cache can tell (RFC 9111 section 4.3.2). */
static bool changed_at(struct sg_str last_modified, struct sg_str date, int64_t *out)
{
    return last_modified.ptr != NULL ? sgd_http_date(last_modified, out)
                                     : date.ptr != NULL && sgd_http_date(date, out);
}

bool sgd_cond_not_modified(const struct sgd_request *req, struct sg_str etag,
                           struct sg_str last_modified, struct sg_str date)
{
    SG_ASSERT(req->method == SGD_METHOD_GET || req->method == SGD_METHOD_HEAD);
    int64_t asked, changed;
    if (sgd_request_field(req, SG_STR("if-none-match"), NULL).ptr != NULL)
        return lists_etag(req, SG_STR("if-none-match"), etag);
    return field_date(req, SG_STR("if-modified-since"), &asked) &&
           changed_at(last_modified, date, &changed) && changed <= asked;
}

/* ---- ranges: RFC 9110 section 14 ---- */

/* A date says that nothing changed only if the representation was at least a second old when it was
 * sent (section 8.8.2.2). */
static bool date_is_strong(struct sg_str last_modified, struct sg_str date)
{
    int64_t changed, sent;
    return last_modified.ptr != NULL && date.ptr != NULL &&
           sgd_http_date(last_modified, &changed) && sgd_http_date(date, &sent) && changed < sent;
}

static bool if_range_holds(const struct sgd_request *req, struct sg_str etag,
                           struct sg_str last_modified, struct sg_str date)
{
    bool repeated;
    struct sg_str value = sgd_request_field(req, SG_STR("if-range"), &repeated);
    if (value.ptr == NULL)
        return true;
    if (repeated)
        return false;
    if (value.len != 0 && (value.ptr[0] == '"' || is_weak(value)))
        return etag.ptr != NULL && etag_equal(value, etag, true);
    return date_is_strong(last_modified, date) && sg_str_eq(value, last_modified);
}

struct spec {
    bool has_first, has_last;
    uint64_t first, last; /* without first: last is the suffix's length */
};

/* Digits; what is larger than any length is as good as the largest. */
static bool position_of(struct sg_str s, uint64_t *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    if (s.len == 0)
        return false;
    if (!sg_str_to_u64(s, out))
        *out = UINT64_MAX;
    return true;
}

static bool spec_of(struct sg_str text, struct spec *out)
{
    const char *dash = text.len != 0 ? memchr(text.ptr, '-', text.len) : NULL;
    if (dash == NULL)
        return false;
    struct sg_str first = {text.ptr, (size_t)(dash - text.ptr)};
    struct sg_str last = {dash + 1, text.len - first.len - 1};
    *out = (struct spec){.has_first = first.len != 0, .has_last = last.len != 0};
    if (!out->has_first && !out->has_last)
        return false;
    if ((out->has_first && !position_of(first, &out->first)) ||
        (out->has_last && !position_of(last, &out->last)))
        return false;
    return !out->has_first || !out->has_last || out->first <= out->last;
}

/* The set behind "bytes="; false for other units, and for a field that is there twice. */
static bool byte_set(const struct sgd_request *req, struct sg_str *set)
{
    bool repeated;
    struct sg_str value = sgd_request_field(req, SG_STR("range"), &repeated);
    if (value.len < 6 || repeated || strncasecmp(value.ptr, "bytes=", 6) != 0)
        return false;
    *set = sg_str_skip(value, 6);
    return true;
}

/* False: no byte of a representation of `length` is in it. */
static bool range_of(const struct spec *spec, uint64_t length, struct sgd_range *out)
{
    if (!spec->has_first) {
        if (spec->last == 0 || length == 0)
            return false;
        *out = (struct sgd_range){spec->last >= length ? 0 : length - spec->last, length - 1};
        return true;
    }
    if (spec->first >= length)
        return false;
    *out = (struct sgd_range){spec->first,
                              spec->has_last ? SG_MIN(spec->last, length - 1) : length - 1};
    return true;
}

/* Overlapping or adjacent. */
static bool ranges_touch(const struct sgd_range *a, const struct sgd_range *b)
{
    return a->first <= b->last + 1 && b->first <= a->last + 1;
}

/* Joins the last one with those that it touches, at the first one's place; what has grown so may
 * touch others. */
static uint32_t ranges_settle(struct sgd_range *ranges, uint32_t count)
{
    uint32_t last = count - 1;
    for (uint32_t i = 0; i < count; i++) {
        if (i == last || !ranges_touch(&ranges[i], &ranges[last]))
            continue;
        uint32_t keep = SG_MIN(i, last), drop = SG_MAX(i, last);
        ranges[keep].first = SG_MIN(ranges[i].first, ranges[last].first);
        ranges[keep].last = SG_MAX(ranges[i].last, ranges[last].last);
        memmove(&ranges[drop], &ranges[drop + 1], (--count - drop) * sizeof(*ranges));
        last = keep;
        i = UINT32_MAX; /* from the start */
    }
    return count;
}

enum sgd_ranges sgd_ranges_of(const struct sgd_request *req, uint64_t length, struct sg_str etag,
                              struct sg_str last_modified, struct sg_str date,
                              struct sgd_range out[SGD_RANGES_MAX], uint32_t *count)
{
    SG_ASSERT(req != NULL);
    SG_ASSERT(count != NULL);
    struct sg_str set, member;
    uint32_t asked = 0, got = 0;
    if (req->method != SGD_METHOD_GET || length == SGD_LENGTH_UNKNOWN || !byte_set(req, &set) ||
        !if_range_holds(req, etag, last_modified, date))
        return SGD_RANGES_NONE;
    while (member_next(&set, &member)) {
        struct spec spec;
        struct sgd_range range;
        if (++asked > SGD_RANGES_MAX || !spec_of(member, &spec))
            return SGD_RANGES_NONE;
        if (!spec.has_first && spec.last != 0 && length == 0)
            return SGD_RANGES_NONE; /* satisfiable, but Content-Range can't say "no byte" */
        if (range_of(&spec, length, &range)) {
            out[got] = range;
            got = ranges_settle(out, got + 1);
        }
    }
    if (asked == 0)
        return SGD_RANGES_NONE;
    if (got == 0)
        return SGD_RANGES_UNSATISFIABLE;
    *count = got;
    return SGD_RANGES_SOME;
}

bool sgd_range_hint(const struct sgd_request *req, uint64_t *first, uint64_t *last)
{
    SG_ASSERT(req != NULL);
    struct sg_str set;
    struct spec spec;
    if (req->method != SGD_METHOD_GET || !byte_set(req, &set) ||
        !spec_of(sg_str_trim(set), &spec) || !spec.has_first)
        return false;
    *first = spec.first;
    *last = spec.has_last ? spec.last : UINT64_MAX;
    return true;
}
