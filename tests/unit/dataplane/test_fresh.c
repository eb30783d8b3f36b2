#include "tests/sgt.h"

#include "base/clock.h"
#include "dataplane/http/date.h"
#include "dataplane/http/fresh.h"
#include "tests/unit/dataplane/http_request.h"

#define S     SG_NS_PER_SEC
#define NOW_S 1700000000ull
#define DAY   86400ull

static const struct sgd_fresh_policy rfc_alone;

/* Dates are written as offsets from now: "{-3600}". */
static const char *dated(const char *lines)
{
    static char out[2048];
    size_t at = 0;
    while (*lines != 0) {
        if (*lines != '{') {
            out[at++] = *lines++;
            continue;
        }
        char *end;
        sgd_http_date_write((int64_t)NOW_S + strtoll(lines + 1, &end, 10), out + at);
        at += 29;
        lines = end + 1;
    }
    out[at] = 0;
    return out;
}

static struct sgd_fresh judge(const char *method, const char *req, uint16_t status,
                              const char *lines, const struct sgd_fresh_policy *policy)
{
    struct sgd_fresh out;
    sgd_fresh_of_response(sgt_request(method, req), status, sg_str_from(dated(lines)), policy,
                          NOW_S * S, NOW_S * S, &out);
    return out;
}

struct store_row {
    const char *method, *req;
    uint16_t status;
    const char *lines;
    bool storable;
};
static const struct store_row stores[] = {
    {"GET", "", 200, "cache-control: max-age=60\n", true},
    {"GET", "", 200, "expires: {60}\n", true},
    {"GET", "", 200, "", true}, /* a heuristic status, though without lifetime */
    {"HEAD", "", 200, "cache-control: max-age=60\n", false},
    {"POST", "", 200, "cache-control: max-age=60\n", false},
    {"GET", "", 200, "cache-control: no-store\n", false},
    {"GET", "", 200, "cache-control: no-store, max-age=60\n", false},
    {"GET", "", 200, "cache-control: max-age=60\ncache-control: no-store\n", false},
    {"GET", "", 200, "cache-control: private, max-age=60\n", false},
    {"GET", "", 200, "cache-control: private=\"a\", max-age=60\n", true},
    {"GET", "", 200, "cache-control: no-cache\n", true},
    {"GET", "", 200, "cache-control: public\n", true},
    {"GET", "", 200, "pragma: no-cache\ncache-control: max-age=60\n", true},
    {"GET", "cache-control: no-store\n", 200, "cache-control: max-age=60\n", false},
    {"GET", "cache-control: no-cache\n", 200, "cache-control: max-age=60\n", true},
    {"GET", "authorization: x\n", 200, "cache-control: max-age=60\n", false},
    {"GET", "authorization: x\n", 200, "cache-control: max-age=60, public\n", true},
    {"GET", "authorization: x\n", 200, "cache-control: max-age=60, must-revalidate\n", true},
    {"GET", "authorization: x\n", 200, "cache-control: s-maxage=60\n", true},
    {"GET", "authorization: x\n", 200, "cache-control: max-age=60, proxy-revalidate\n", false},
    {"GET", "", 200, "cache-control: max-age=60\nset-cookie: a=b\n", true},
    {"GET", "", 200, "last-modified: {-3600}\nset-cookie: a=b\n", false},
    {"GET", "", 200, "cache-control: max-age=60\nvary: *\n", false},
    {"GET", "", 200, "cache-control: max-age=60\nvary: a\n", true},
    {"GET", "", 200, "cdn-cache-control: max-age=60\ncache-control: no-store\n", true},
    {"GET", "", 200, "cdn-cache-control: no-store\ncache-control: max-age=60\n", false},
    {"GET", "", 200, "cdn-cache-control: private\ncache-control: max-age=60\n", false},
    /* statuses */
    {"GET", "", 204, "cache-control: max-age=60\n", true},
    {"GET", "", 203, "", true},
    {"GET", "", 302, "", false},
    {"GET", "", 302, "cache-control: max-age=60\n", true},
    {"GET", "", 302, "cache-control: public\n", true},
    {"GET", "", 404, "", true},
    {"GET", "", 500, "", false},
    {"GET", "", 500, "cache-control: max-age=60\n", true},
    {"GET", "", 503, "expires: {60}\n", true},
    {"GET", "", 599, "cache-control: max-age=60\n", true},
    {"GET", "", 299, "cache-control: max-age=60\n", true},
    {"GET", "", 599, "", false},
    {"GET", "", 599, "cache-control: max-age=60, must-understand\n", false},
    {"GET", "", 200, "cache-control: max-age=60, must-understand, no-store\n", true},
    {"GET", "", 599, "cache-control: max-age=60, must-understand, no-store\n", false},
    {"GET", "", 304, "cache-control: max-age=60\n", false},
    {"GET", "", 401, "cache-control: max-age=60\n", false},
    {"GET", "", 412, "cache-control: max-age=60\n", false},
    {"GET", "", 416, "cache-control: max-age=60\n", false},
    {"GET", "", 206, "cache-control: max-age=60\n", false},
    {"GET", "", 206, "cache-control: max-age=60\ncontent-range: bytes 0-1/9\n", true},
};

static void what_may_be_stored_follows_section_3(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(stores); i++) {
        const struct store_row *row = &stores[i];
        struct sgd_fresh got = judge(row->method, row->req, row->status, row->lines, &rfc_alone);
        if (got.storable != row->storable)
            fail_msg("%s %s: %u %s: got %d", row->method, row->req, row->status, row->lines,
                     got.storable);
    }
    (void)fixture;
}

struct life_row {
    uint16_t status;
    const char *lines;
    uint64_t life_s, age_s;
};
static const struct life_row lives[] = {
    {200, "cache-control: max-age=60\n", 60, 0},
    {200, "cache-control: s-maxage=30, max-age=60\n", 30, 0},
    {200, "cache-control: max-age=60\nexpires: {-60}\n", 60, 0},
    {200, "cache-control: max-age=0\nexpires: {60}\n", 0, 0},
    {200, "cache-control: s-maxage=x, max-age=60\n", 0, 0},
    {200, "date: {0}\nexpires: {60}\n", 60, 0},
    {200, "expires: {60}\n", 60, 0}, /* no Date: when it was received */
    {200, "date: nonsense\nexpires: {60}\n", 60, 0},
    {200, "date: {-100}\nexpires: {60}\n", 160, 100},
    {200, "date: {0}\nexpires: {-1}\n", 0, 0},
    {200, "date: {0}\nexpires: {0}\n", 0, 0},
    {200, "date: {0}\nexpires: 0\n", 0, 0},
    {200, "date: {0}\nexpires:\n", 0, 0},
    {200, "date: {0}\nexpires: Thu, 01 Jan 2099 00:00:00 UTC\n", 0, 0},
    {200, "date: {0}\nexpires: {60}\nexpires: {60}\n", 60, 0},
    {200, "date: {0}\nexpires: {60}\nexpires: {90}\n", 0, 0},
    {200, "date: {0}\nexpires: {60}, {60}\n", 0, 0},
    {200, "date: {0}\nexpires: {60}\nlast-modified: {-1000}\n", 60, 0},
    {200, "date: {0}\nexpires: 0\nlast-modified: {-1000}\n", 0, 0},
    {200, "cdn-cache-control: max-age=5\ncache-control: max-age=60\nexpires: {90}\n", 5, 0},
    {200, "cdn-cache-control: x\nexpires: {90}\n", 0, 0},
    /* heuristics */
    {200, "date: {0}\nlast-modified: {-1000}\n", 100, 0},
    {200, "last-modified: {-1000}\n", 100, 0},
    {200, "date: {0}\nlast-modified: {1000}\n", 0, 0},
    {200, "date: {0}\nlast-modified: nonsense\n", 0, 0},
    {200, "date: {0}\nlast-modified: {-99999999}\n", DAY, 0},
    {404, "date: {0}\nlast-modified: {-1000}\n", 100, 0},
    {302, "date: {0}\nlast-modified: {-1000}\n", 0, 0},
    {302, "date: {0}\nlast-modified: {-1000}\ncache-control: public\n", 100, 0},
    {200, "", 0, 0},
    /* ages */
    {200, "cache-control: max-age=60\nage: 10\n", 60, 10},
    {200, "cache-control: max-age=60\nage: 10, 20\n", 60, 10},
    {200, "cache-control: max-age=60\nage: 10\nage: 20\n", 60, 10},
    {200, "cache-control: max-age=60\nage: 0, 20\n", 60, 0},
    {200, "cache-control: max-age=60\nage: -10\n", 60, 0},
    {200, "cache-control: max-age=60\nage: 10.0\n", 60, 0},
    {200, "cache-control: max-age=60\nage: 10;a\n", 60, 0},
    {200, "cache-control: max-age=60\nage: \"10\"\n", 60, 0},
    {200, "cache-control: max-age=60\nage: x, 10\n", 60, 0},
    {200, "cache-control: max-age=60\nage: 99999999999999999999999\n", 60, 2147483648},
    {200, "cache-control: max-age=60\nage: 10\ndate: {-20}\n", 60, 20},
    {200, "cache-control: max-age=60\nage: 30\ndate: {-20}\n", 60, 30},
    {200, "cache-control: max-age=60\nage: 10\ndate: {20}\n", 60, 10},
};

static void lifetimes_and_ages_follow_section_4_2(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(lives); i++) {
        const struct life_row *row = &lives[i];
        struct sgd_fresh got = judge("GET", "", row->status, row->lines, &rfc_alone);
        if (got.lifetime_ns != row->life_s * S || got.initial_age_ns != row->age_s * S)
            fail_msg("%u %s: lifetime %llu, age %llu", row->status, row->lines,
                     (unsigned long long)(got.lifetime_ns / S),
                     (unsigned long long)(got.initial_age_ns / S));
    }
    (void)fixture;
}

static void the_time_a_request_took_counts_as_age(void **fixture)
{
    struct sgd_fresh out;
    sgd_fresh_of_response(sgt_request("GET", ""), 200,
                          SG_STR("cache-control: max-age=60\r\nage: 10\r\n"), &rfc_alone,
                          (NOW_S - 7) * S, NOW_S * S, &out);
    assert_int_equal(out.initial_age_ns, 17 * S);
    (void)fixture;
}

struct flag_row {
    const char *lines;
    uint16_t flags;
    uint64_t swr_s, sie_s;
};
static const struct flag_row flags[] = {
    {"cache-control: max-age=60\n", 0, 5, 6},
    {"cache-control: max-age=60, stale-while-revalidate=7, stale-if-error=8\n", 0, 7, 8},
    {"cache-control: max-age=60, stale-while-revalidate=0\n", 0, 0, 6},
    {"cache-control: max-age=60, must-revalidate, stale-if-error=8\n", SGD_STORE_MUST_REVALIDATE, 0,
     0},
    {"cache-control: max-age=60, proxy-revalidate\n", SGD_STORE_MUST_REVALIDATE, 0, 0},
    {"cache-control: s-maxage=60\n", SGD_STORE_MUST_REVALIDATE, 0, 0},
    {"cache-control: s-maxage=60, stale-while-revalidate=7\n", 0, 7, 0},
    {"cache-control: max-age=60, no-cache\n", SGD_STORE_NO_CACHE, 0, 0},
    {"cache-control: max-age=60, no-cache=\"a\"\n", SGD_STORE_PRIVATE_FIELDS, 5, 6},
    {"cache-control: max-age=60, private=\"a\"\n", SGD_STORE_PRIVATE_FIELDS, 5, 6},
    {"cache-control: max-age=60, immutable\netag: \"a\"\n",
     SGD_STORE_IMMUTABLE | SGD_STORE_VALIDATOR, 5, 6},
    {"date: {0}\nlast-modified: {-1000}\n", SGD_STORE_HEURISTIC | SGD_STORE_VALIDATOR, 5, 6},
};

static void flags_and_stale_times_follow_the_directives(void **fixture)
{
    const struct sgd_fresh_policy policy = {.swr_ns = 5 * S, .sie_ns = 6 * S};
    for (size_t i = 0; i < SG_COUNT(flags); i++) {
        struct sgd_fresh got = judge("GET", "", 200, flags[i].lines, &policy);
        if (got.flags != flags[i].flags || got.swr_ns != flags[i].swr_s * S ||
            got.sie_ns != flags[i].sie_s * S)
            fail_msg("%s: flags %x, swr %llu, sie %llu", flags[i].lines, got.flags,
                     (unsigned long long)(got.swr_ns / S), (unsigned long long)(got.sie_ns / S));
    }
    struct sgd_fresh partial =
        judge("GET", "", 206, "cache-control: max-age=60\ncontent-range: bytes 0-1/9\n", &policy);
    assert_true(partial.flags & SGD_STORE_PARTIAL);
    (void)fixture;
}

static void a_sites_own_times_come_where_the_response_is_silent(void **fixture)
{
    const struct sgd_fresh_policy policy = {.default_ttl_ns = 50 * S};
    const struct sgd_fresh_policy negative = {.negative_ttl_ns = 9 * S};
    const struct sgd_fresh_policy bounds = {.min_ttl_ns = 20 * S, .max_ttl_ns = 40 * S};
    const struct sgd_fresh_policy deaf = {.ignore_request = true};
    const char *modified = "date: {0}\nlast-modified: {-1000}\n";
    assert_int_equal(judge("GET", "", 200, modified, &policy).lifetime_ns, 50 * S);
    assert_int_equal(judge("GET", "", 200, "cache-control: max-age=5\n", &policy).lifetime_ns,
                     5 * S);
    assert_int_equal(judge("GET", "", 404, "", &policy).lifetime_ns, 0);
    assert_int_equal(judge("GET", "", 302, "", &policy).lifetime_ns, 0);
    assert_int_equal(judge("GET", "", 500, "", &negative).lifetime_ns, 9 * S);
    assert_true(judge("GET", "", 500, "", &negative).storable);
    assert_int_equal(judge("GET", "", 404, "cache-control: max-age=5\n", &negative).lifetime_ns,
                     5 * S);
    assert_int_equal(judge("GET", "", 200, "cache-control: max-age=5\n", &bounds).lifetime_ns,
                     20 * S);
    assert_int_equal(judge("GET", "", 200, "cache-control: max-age=500\n", &bounds).lifetime_ns,
                     40 * S);
    assert_true(judge("GET", "cache-control: no-store\n", 200, "cache-control: max-age=60\n", &deaf)
                    .storable);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_may_be_stored_follows_section_3),
    cmocka_unit_test(lifetimes_and_ages_follow_section_4_2),
    cmocka_unit_test(the_time_a_request_took_counts_as_age),
    cmocka_unit_test(flags_and_stale_times_follow_the_directives),
    cmocka_unit_test(a_sites_own_times_come_where_the_response_is_silent),
};
SGT_MAIN("fresh", tests)
