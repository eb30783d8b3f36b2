#include "dataplane/http/fresh.h"

#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/http/date.h"

/* Where only Last-Modified speaks: a tenth of the age that it tells, no more than a day. */
#define HEURISTIC_PART   10
#define HEURISTIC_NS_MAX (86400 * SG_NS_PER_SEC)
#define AGE_SECONDS_MAX  (1ull << 31)

/* What the head says of age and freshness, read once. */
struct head {
    struct sgd_cc cc;
    bool targeted;
    bool has_expires, has_modified, has_etag, has_vary_star, has_set_cookie, has_content_range;
    bool expires_ok, modified_ok;
    int64_t expires_s, modified_s, date_s;
    uint64_t age_ns;
};

/* RFC 9110 section 15.1. */
static bool status_is_heuristic(uint16_t status)
{
    static const uint16_t list[] = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
    for (size_t i = 0; i < SG_COUNT(list); i++) {
        if (list[i] == status)
            return true;
    }
    return false;
}

/* Statuses whose caching rules this cache knows: all that RFC 9110 defines, and a few registered
 * ones that bring no rule of their own. */
static bool status_is_understood(uint16_t status)
{
    return (status >= 200 && status <= 206) || (status >= 300 && status <= 308 && status != 306) ||
           (status >= 400 && status <= 417) || status == 421 || status == 422 || status == 426 ||
           status == 429 || status == 451 || (status >= 500 && status <= 505);
}

/* Answers about a condition, a range or a connection of one request: no key of ours holds what they
 * depend on. */
static bool status_is_of_the_request(uint16_t status)
{
    return status < 200 || status == 304 || status == 401 || status == 407 || status == 412 ||
           status == 416 || status == 417;
}

/* The first member of the first line; what is not a number is no Age (RFC 9111 section 5.1). */
static uint64_t age_of(struct sg_str value)
{
    const char *comma = value.len != 0 ? memchr(value.ptr, ',', value.len) : NULL;
    if (comma != NULL)
        value.len = (size_t)(comma - value.ptr);
    value = sg_str_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return 0;
    }
    if (value.len == 0)
        return 0;
    uint64_t seconds;
    if (!sg_str_to_u64(value, &seconds) || seconds > AGE_SECONDS_MAX)
        seconds = AGE_SECONDS_MAX;
    return seconds * SG_NS_PER_SEC;
}

/* One Expires, and a date, or the response is stale from the start (section 5.3). */
static void head_expires(struct head *head, struct sg_str value)
{
    int64_t seconds = 0;
    bool ok = sgd_http_date(value, &seconds);
    head->expires_ok = ok && (!head->has_expires || seconds == head->expires_s);
    head->expires_s = seconds;
    head->has_expires = true;
}

static void head_field(struct head *head, const struct sgd_field *field, bool *has_age,
                       bool *has_date)
{
    struct sg_str name = field->name, value = field->value;
    if (sg_str_eq_nocase(name, SG_STR("age")) && !*has_age) {
        head->age_ns = age_of(value);
        *has_age = true;
    } else if (sg_str_eq_nocase(name, SG_STR("date")) && !*has_date) {
        *has_date = sgd_http_date(value, &head->date_s);
    } else if (sg_str_eq_nocase(name, SG_STR("expires"))) {
        head_expires(head, value);
    } else if (sg_str_eq_nocase(name, SG_STR("last-modified"))) {
        head->modified_ok = sgd_http_date(value, &head->modified_s) && !head->has_modified;
        head->has_modified = true;
    } else if (sg_str_eq_nocase(name, SG_STR("etag"))) {
        head->has_etag = true;
    } else if (sg_str_eq_nocase(name, SG_STR("set-cookie"))) {
        head->has_set_cookie = true;
    } else if (sg_str_eq_nocase(name, SG_STR("content-range"))) {
        head->has_content_range = true;
    }
}

static void head_read(struct sg_str lines, uint64_t now_ns, struct head *head)
{
    struct sgd_field field;
    struct sg_out nowhere = sg_out_init(NULL, 0);
    bool has_age = false, has_date = false;
    *head = (struct head){0};
    sgd_cc_of_response(lines, &head->cc, &head->targeted);
    sgd_vary_names(lines, &nowhere, &head->has_vary_star);
    while (sgd_lines_next(&lines, &field))
        head_field(head, &field, &has_age, &has_date);
    if (!has_date) /* RFC 9110 section 6.6.1: when it was received */
        head->date_s = (int64_t)(now_ns / SG_NS_PER_SEC);
    if (head->targeted) /* RFC 9213 section 2.2 */
        head->has_expires = false;
}

static uint64_t seconds_between_ns(int64_t from, int64_t to)
{
    if (to <= from)
        return 0;
    return SG_MIN((uint64_t)(to - from), AGE_SECONDS_MAX) * SG_NS_PER_SEC;
}

/* Section 4.2.3. */
static uint64_t initial_age(const struct head *head, uint64_t asked_ns, uint64_t now_ns)
{
    uint64_t apparent = seconds_between_ns(head->date_s, (int64_t)(now_ns / SG_NS_PER_SEC));
    uint64_t corrected = head->age_ns + (now_ns > asked_ns ? now_ns - asked_ns : 0);
    return SG_MAX(apparent, corrected);
}

static bool is_explicit(const struct head *head)
{
    return (head->cc.flags & (SGD_CC_MAX_AGE | SGD_CC_S_MAXAGE)) != 0 || head->has_expires;
}

/* Section 4.2.1. */
static uint64_t explicit_lifetime(const struct head *head)
{
    if (head->cc.flags & SGD_CC_S_MAXAGE)
        return head->cc.s_maxage_ns;
    if (head->cc.flags & SGD_CC_MAX_AGE)
        return head->cc.max_age_ns;
    return head->expires_ok ? seconds_between_ns(head->date_s, head->expires_s) : 0;
}

/* Section 4.2.2, after what the site's configuration says for this status. */
static uint64_t implicit_lifetime(const struct head *head, uint16_t status,
                                  const struct sgd_fresh_policy *policy)
{
    if (policy->negative_ttl_ns != 0)
        return policy->negative_ttl_ns;
    if (!status_is_heuristic(status) && !(head->cc.flags & SGD_CC_PUBLIC))
        return 0;
    if (policy->default_ttl_ns != 0 && status < 400)
        return policy->default_ttl_ns;
    if (!head->modified_ok)
        return 0;
    return SG_MIN(seconds_between_ns(head->modified_s, head->date_s) / HEURISTIC_PART,
                  HEURISTIC_NS_MAX);
}

static bool request_has(const struct sgd_request *req, struct sg_str name)
{
    return sgd_request_field(req, name, NULL).ptr != NULL;
}

static bool request_forbids(const struct sgd_request *req, const struct sgd_fresh_policy *policy)
{
    struct sgd_cc cc;
    if (policy->ignore_request)
        return false;
    sgd_cc_of_request(req, &cc);
    return (cc.flags & SGD_CC_NO_STORE) != 0;
}

/* Section 3, and 3.5 for requests with Authorization. */
static bool is_storable(const struct sgd_request *req, uint16_t status, const struct head *head,
                        const struct sgd_fresh_policy *policy)
{
    uint32_t cc = head->cc.flags;
    bool understood = status_is_understood(status);
    if (req->method != SGD_METHOD_GET || status_is_of_the_request(status) || head->has_vary_star)
        return false;
    if ((cc & SGD_CC_MUST_UNDERSTAND) ? !understood : (cc & SGD_CC_NO_STORE) != 0)
        return false;
    if ((cc & SGD_CC_PRIVATE) || request_forbids(req, policy))
        return false;
    if (request_has(req, SG_STR("authorization")) &&
        !(cc & (SGD_CC_PUBLIC | SGD_CC_MUST_REVALIDATE | SGD_CC_S_MAXAGE)))
        return false;
    if (status == 206 && !head->has_content_range)
        return false;
    if (is_explicit(head) || (cc & SGD_CC_PUBLIC))
        return true;
    /* Nobody said that others may have it: a cookie in it is one viewer's. */
    if (head->has_set_cookie)
        return false;
    return status_is_heuristic(status) || policy->negative_ttl_ns != 0;
}

/* What may be served after it is stale (section 4.2.4, RFC 5861). s-maxage forbids that like
 * proxy-revalidate, but a response that says both means its stale-* the more exactly. */
static void stale_times(const struct head *head, const struct sgd_fresh_policy *policy,
                        struct sgd_fresh *out)
{
    uint32_t cc = head->cc.flags;
    bool never = cc & (SGD_CC_MUST_REVALIDATE | SGD_CC_PROXY_REVALIDATE | SGD_CC_NO_CACHE);
    bool told = cc & (SGD_CC_SWR | SGD_CC_SIE);
    bool shared = (cc & SGD_CC_S_MAXAGE) != 0;
    if ((cc & (SGD_CC_MUST_REVALIDATE | SGD_CC_PROXY_REVALIDATE)) || (shared && !told))
        out->flags |= SGD_STORE_MUST_REVALIDATE;
    if (never)
        return;
    out->swr_ns = cc & SGD_CC_SWR ? head->cc.swr_ns : shared ? 0 : policy->swr_ns;
    out->sie_ns = cc & SGD_CC_SIE ? head->cc.sie_ns : shared ? 0 : policy->sie_ns;
}

static void lifetime(const struct head *head, uint16_t status,
                     const struct sgd_fresh_policy *policy, struct sgd_fresh *out)
{
    if (is_explicit(head)) {
        out->lifetime_ns = explicit_lifetime(head);
    } else {
        out->lifetime_ns = implicit_lifetime(head, status, policy);
        out->flags |= SGD_STORE_HEURISTIC;
    }
    out->lifetime_ns = SG_MAX(out->lifetime_ns, policy->min_ttl_ns);
    if (policy->max_ttl_ns != 0)
        out->lifetime_ns = SG_MIN(out->lifetime_ns, policy->max_ttl_ns);
}

void sgd_fresh_of_response(const struct sgd_request *req, uint16_t status, struct sg_str lines,
                           const struct sgd_fresh_policy *policy, uint64_t asked_ns,
                           uint64_t now_ns, struct sgd_fresh *out)
{
    SG_ASSERT(req != NULL);
    SG_ASSERT(policy != NULL);
    SG_ASSERT(out != NULL);
    struct head head;
    head_read(lines, now_ns, &head);
    *out = (struct sgd_fresh){.initial_age_ns = initial_age(&head, asked_ns, now_ns)};
    out->storable = is_storable(req, status, &head, policy);
    lifetime(&head, status, policy, out);
    stale_times(&head, policy, out);
    if (head.cc.flags & SGD_CC_NO_CACHE)
        out->flags |= SGD_STORE_NO_CACHE;
    if (head.cc.flags & (SGD_CC_PRIVATE_FIELDS | SGD_CC_NO_CACHE_FIELDS))
        out->flags |= SGD_STORE_PRIVATE_FIELDS;
    if (head.cc.flags & SGD_CC_IMMUTABLE)
        out->flags |= SGD_STORE_IMMUTABLE;
    if (head.has_etag || head.has_modified)
        out->flags |= SGD_STORE_VALIDATOR;
    if (status == 206)
        out->flags |= SGD_STORE_PARTIAL;
}
