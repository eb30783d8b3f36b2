#include "dataplane/http/cc.h"

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/http/lines.h"
#include "dataplane/http/sfv.h"

/* RFC 9111 section 1.2.2: what is larger counts as this. */
#define DELTA_SECONDS_MAX (1ull << 31)

enum kind {
    FLAG,
    AGE,
    AGE_OR_ANY, /* max-stale: without a value it has no bound */
    FIELDS,     /* a flag, or with a list of field names another one */
};
struct directive {
    struct sg_str name;
    enum kind kind;
    uint32_t flag, other; /* other: with ANY, and with field names */
    uint16_t offset;      /* of the duration or the list in struct sgd_cc */
};
#define ROW(name, kind, flag)                                                                      \
    {                                                                                              \
        {name, sizeof(name) - 1}, kind, SGD_CC_##flag, 0, 0                                        \
    }
#define ROW_AT(name, kind, flag, other, member)                                                    \
    {                                                                                              \
        {name, sizeof(name) - 1}, kind, SGD_CC_##flag, other, offsetof(struct sgd_cc, member)      \
    }
static const struct directive directives[] = {
    ROW_AT("max-age", AGE, MAX_AGE, 0, max_age_ns),
    ROW_AT("s-maxage", AGE, S_MAXAGE, 0, s_maxage_ns),
    ROW_AT("stale-while-revalidate", AGE, SWR, 0, swr_ns),
    ROW_AT("stale-if-error", AGE, SIE, 0, sie_ns),
    ROW_AT("min-fresh", AGE, MIN_FRESH, 0, min_fresh_ns),
    ROW_AT("max-stale", AGE_OR_ANY, MAX_STALE, SGD_CC_MAX_STALE_ANY, max_stale_ns),
    ROW_AT("no-cache", FIELDS, NO_CACHE, SGD_CC_NO_CACHE_FIELDS, no_cache_fields),
    ROW_AT("private", FIELDS, PRIVATE, SGD_CC_PRIVATE_FIELDS, private_fields),
    ROW("no-store", FLAG, NO_STORE),
    ROW("public", FLAG, PUBLIC),
    ROW("must-revalidate", FLAG, MUST_REVALIDATE),
    ROW("proxy-revalidate", FLAG, PROXY_REVALIDATE),
    ROW("must-understand", FLAG, MUST_UNDERSTAND),
    ROW("no-transform", FLAG, NO_TRANSFORM),
    ROW("immutable", FLAG, IMMUTABLE),
    ROW("only-if-cached", FLAG, ONLY_IF_CACHED),
};

static const struct directive *directive_of(struct sg_str name)
{
    for (size_t i = 0; i < SG_COUNT(directives); i++) {
        if (sg_str_eq_nocase(directives[i].name, name))
            return &directives[i];
    }
    return NULL;
}

static uint64_t *duration_at(struct sgd_cc *cc, const struct directive *d)
{
    return (uint64_t *)(void *)((char *)cc + d->offset);
}

static struct sg_str *fields_at(struct sgd_cc *cc, const struct directive *d)
{
    return (struct sg_str *)(void *)((char *)cc + d->offset);
}

static uint64_t delta_ns(uint64_t seconds)
{
    return SG_MIN(seconds, DELTA_SECONDS_MAX) * SG_NS_PER_SEC;
}

/* ---- Cache-Control: #( token [ "=" ( token / quoted-string ) ] ) ---- */

/* Length of the quoted-string at the front with its quotes; 0: it has no end. */
static size_t quoted_len(struct sg_str s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Up to the next comma that is not in a quoted-string. A quote without an end hides nothing. */
static bool member_next(struct sg_str *rest, struct sg_str *member)
{
    if (rest->len == 0)
        return false;
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != ',') {
        size_t quoted = rest->ptr[n] == '"' ? quoted_len(sg_str_skip(*rest, n)) : 0;
        n += quoted != 0 ? quoted : 1;
    }
    *member = sg_str_trim((struct sg_str){rest->ptr, n});
    *rest = sg_str_skip(*rest, n + 1);
    return true;
}

/* An unreadable age is 0 (RFC 9111 section 4.2.1: better stale than wrong). */
static uint64_t age_of(struct sg_str value)
{
    uint64_t seconds;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return 0;
    }
    if (value.len == 0)
        return 0;
    return delta_ns(sg_str_to_u64(value, &seconds) ? seconds : UINT64_MAX);
}

static void apply_age(struct sgd_cc *cc, const struct directive *d, struct sg_str value)
{
    uint64_t *at = duration_at(cc, d), age = age_of(value);
    *at = cc->flags & d->flag ? SG_MIN(*at, age) : age;
    cc->flags |= d->flag;
}

static void apply_fields(struct sgd_cc *cc, const struct directive *d, struct sg_str value)
{
    if (value.len == 0 || cc->flags & d->other) {
        cc->flags |= d->flag; /* no list, or one too many to keep: the stricter meaning */
        return;
    }
    cc->flags |= d->other;
    *fields_at(cc, d) = value;
}

static void apply(struct sgd_cc *cc, const struct directive *d, bool has_value, struct sg_str value)
{
    switch (d->kind) {
    case FLAG:
        cc->flags |= d->flag;
        break;
    case AGE_OR_ANY:
        if (!has_value) {
            cc->flags |= d->flag | d->other;
            break;
        }
        apply_age(cc, d, value);
        break;
    case AGE:
        apply_age(cc, d, value);
        break;
    case FIELDS:
        apply_fields(cc, d, value);
        break;
    }
}

static struct sg_str unquoted(struct sg_str value)
{
    if (value.len >= 2 && value.ptr[0] == '"' && quoted_len(value) == value.len)
        return (struct sg_str){value.ptr + 1, value.len - 2};
    return value;
}

/* Blanks beside '=' are no part of the grammar: the directive is known, its value is not readable.
 */
static void read_value(struct sg_str value, struct sgd_cc *cc)
{
    struct sg_str member;
    while (member_next(&value, &member)) {
        const char *equals = member.len != 0 ? memchr(member.ptr, '=', member.len) : NULL;
        struct sg_str name = member, text = SG_STR_NONE;
        if (equals != NULL) {
            name.len = (size_t)(equals - member.ptr);
            text = unquoted((struct sg_str){equals + 1, member.len - name.len - 1});
        }
        struct sg_str bare = sg_str_trim(name);
        const struct directive *d = directive_of(bare);
        if (d != NULL)
            apply(cc, d, equals != NULL, bare.len == name.len ? text : SG_STR_NONE);
    }
}

/* ---- targeted: a dictionary of RFC 8941 ---- */

static void apply_item(struct sgd_cc *cc, const struct directive *d,
                       const struct sgd_sfv_item *item)
{
    bool off = item->type == SGD_SFV_BOOLEAN && item->integer == 0;
    cc->flags &= ~(d->flag | d->other); /* the last of equal keys counts */
    if (off)
        return;
    switch (d->kind) {
    case FLAG:
        cc->flags |= d->flag;
        break;
    case AGE:
    case AGE_OR_ANY:
        cc->flags |= d->flag;
        *duration_at(cc, d) = item->type == SGD_SFV_INTEGER && item->integer > 0
                                  ? delta_ns((uint64_t)item->integer)
                                  : 0;
        break;
    case FIELDS:
        apply_fields(cc, d, item->type == SGD_SFV_STRING ? item->text : SG_STR_NONE);
        break;
    }
}

/* False: not there, empty, or malformed. */
static bool read_targeted(struct sg_str lines, struct sg_str name, struct sgd_cc *out)
{
    struct sgd_cc cc = {0};
    struct sgd_field field;
    struct sg_str key;
    struct sgd_sfv_item item;
    bool any = false;
    while (sgd_lines_next(&lines, &field)) {
        if (!sg_str_eq_nocase(field.name, name))
            continue;
        enum sgd_sfv_next next;
        while ((next = sgd_sfv_dict_next(&field.value, &key, &item)) == SGD_SFV_MEMBER) {
            const struct directive *d = directive_of(key);
            any = true;
            if (d != NULL)
                apply_item(&cc, d, &item);
        }
        if (next == SGD_SFV_BAD)
            return false;
    }
    if (any)
        *out = cc;
    return any;
}

void sgd_cc_of_request(const struct sgd_request *req, struct sgd_cc *out)
{
    SG_ASSERT(req != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_cc pragma = {0};
    bool any = false;
    *out = (struct sgd_cc){0};
    for (uint32_t i = 0; i < req->fields_count; i++) {
        const struct sgd_field *field = &req->fields[i];
        if (sg_str_eq(field->name, SG_STR("cache-control"))) {
            read_value(field->value, out);
            any = true;
        } else if (sg_str_eq(field->name, SG_STR("pragma"))) {
            read_value(field->value, &pragma);
        }
    }
    if (!any)
        out->flags = pragma.flags & SGD_CC_NO_CACHE;
}

void sgd_cc_of_all(struct sg_str lines, struct sgd_cc *out)
{
    SG_ASSERT(out != NULL);
    struct sgd_field field;
    *out = (struct sgd_cc){0};
    while (sgd_lines_next(&lines, &field)) {
        if (sg_str_eq_nocase(field.name, SG_STR("cache-control")))
            read_value(field.value, out);
    }
}

void sgd_cc_of_response(struct sg_str lines, struct sgd_cc *out, bool *targeted)
{
    SG_ASSERT(out != NULL);
    SG_ASSERT(targeted != NULL);
    *targeted = read_targeted(lines, SG_STR("streamgate-cache-control"), out) ||
                read_targeted(lines, SG_STR("cdn-cache-control"), out);
    if (!*targeted)
        sgd_cc_of_all(lines, out);
}

bool sgd_cc_lists(struct sg_str fields, struct sg_str name)
{
    struct sg_str member;
    while (member_next(&fields, &member)) {
        if (member.len != 0 && sg_str_eq_nocase(member, name))
            return true;
    }
    return false;
}
