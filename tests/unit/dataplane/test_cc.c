#include "tests/sgt.h"

#include "base/clock.h"
#include "dataplane/http/cc.h"
#include "tests/unit/dataplane/http_request.h"

#define S SG_NS_PER_SEC

static struct sgd_cc of_response(const char *lines, bool *targeted)
{
    struct sgd_cc cc;
    sgd_cc_of_response(sg_str_from(lines), &cc, targeted);
    return cc;
}

static void an_age_is_digits_or_nothing_worth(void **fixture)
{
    static const struct {
        const char *value;
        uint64_t seconds;
    } rows[] = {
        {"max-age=60", 60},
        {"MAX-AGE=60", 60},
        {"max-age=\"60\"", 60},
        {"max-age=0060", 60},
        {"max-age=0", 0},
        {"max-age=-60", 0},
        {"max-age=+60", 0},
        {"max-age=60.5", 0},
        {"max-age=60s", 0},
        {"max-age='60'", 0},
        {"max-age=", 0},
        {"max-age", 0},
        {"max-age=\"\"", 0},
        {"max-age = 60", 0},
        {"max-age =60", 0},
        {"max-age= 60", 0},
        {"max-age=60 60", 0},
        {"max-age=60;public", 0},
        {"max-age=2147483647", 2147483647},
        {"max-age=2147483648", 2147483648},
        {"max-age=99999999999", 2147483648},
        {"max-age=99999999999999999999999999", 2147483648},
        {"max-age=60, max-age=30", 30}, /* better stale than wrong */
        {"max-age=30, max-age=60", 30},
        {"max-age=60, max-age=x", 0},
        {"a, ,,max-age=60,,", 60},
        {"a=\"max-age=10\", max-age=60", 60},
        {"a=\"x\\\", max-age=10\", max-age=60", 60},
        {"a=\"x, max-age=60", 60}, /* a quote without an end hides nothing */
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char lines[128];
        bool targeted = true;
        snprintf(lines, sizeof(lines), "cache-control: %s\r\n", rows[i].value);
        struct sgd_cc cc = of_response(lines, &targeted);
        if (!(cc.flags & SGD_CC_MAX_AGE) || cc.max_age_ns != rows[i].seconds * S || targeted)
            fail_msg("%s: got %llu", rows[i].value, (unsigned long long)cc.max_age_ns);
    }
    (void)fixture;
}

static void directives_set_their_flags(void **fixture)
{
    static const struct {
        const char *value;
        uint32_t flags;
    } rows[] = {
        {"no-store", SGD_CC_NO_STORE},
        {"No-Store", SGD_CC_NO_STORE},
        {"no-store=yes", SGD_CC_NO_STORE},
        {"no-storee", 0},
        {"xno-store", 0},
        {"no-cache", SGD_CC_NO_CACHE},
        {"no-cache=", SGD_CC_NO_CACHE},
        {"no-cache=\"\"", SGD_CC_NO_CACHE},
        {"no-cache=\"set-cookie\"", SGD_CC_NO_CACHE_FIELDS},
        {"no-cache=set-cookie", SGD_CC_NO_CACHE_FIELDS},
        {"no-cache=\"a\", no-cache=\"b\"", SGD_CC_NO_CACHE_FIELDS | SGD_CC_NO_CACHE},
        {"no-cache=\"a\", no-cache", SGD_CC_NO_CACHE_FIELDS | SGD_CC_NO_CACHE},
        {"private", SGD_CC_PRIVATE},
        {"private=\"a, b\"", SGD_CC_PRIVATE_FIELDS},
        {"public, must-revalidate, proxy-revalidate",
         SGD_CC_PUBLIC | SGD_CC_MUST_REVALIDATE | SGD_CC_PROXY_REVALIDATE},
        {"must-understand, no-transform, immutable, only-if-cached",
         SGD_CC_MUST_UNDERSTAND | SGD_CC_NO_TRANSFORM | SGD_CC_IMMUTABLE | SGD_CC_ONLY_IF_CACHED},
        {"s-maxage=1, stale-while-revalidate=1, stale-if-error=1",
         SGD_CC_S_MAXAGE | SGD_CC_SWR | SGD_CC_SIE},
        {"max-stale", SGD_CC_MAX_STALE | SGD_CC_MAX_STALE_ANY},
        {"max-stale=5, min-fresh=6", SGD_CC_MAX_STALE | SGD_CC_MIN_FRESH},
        {"\"no-store\"", 0},
        {"a=\"no-store\"", 0},
        {"a=\"b, no-store", SGD_CC_NO_STORE},
        {"", 0},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char lines[128];
        bool targeted;
        snprintf(lines, sizeof(lines), "cache-control: %s\r\n", rows[i].value);
        struct sgd_cc cc = of_response(lines, &targeted);
        if (cc.flags != rows[i].flags)
            fail_msg("%s: got %x, want %x", rows[i].value, cc.flags, rows[i].flags);
    }
    (void)fixture;
}

static void several_lines_are_one_list(void **fixture)
{
    bool targeted;
    struct sgd_cc cc = of_response("Cache-Control: public\r\nx: y\r\ncache-control: max-age=5\r\n"
                                   "pragma: no-cache\r\n",
                                   &targeted);
    assert_int_equal(cc.flags, SGD_CC_PUBLIC | SGD_CC_MAX_AGE);
    (void)fixture;
}

static void the_targeted_field_that_is_right_speaks_alone(void **fixture)
{
    static const struct {
        const char *lines;
        bool targeted;
        uint32_t flags;
        uint64_t max_age_s;
    } rows[] = {
        {"cdn-cache-control: max-age=60\r\ncache-control: no-store\r\n", true, SGD_CC_MAX_AGE, 60},
        {"cdn-cache-control: max-age=60\r\nstreamgate-cache-control: max-age=30\r\n", true,
         SGD_CC_MAX_AGE, 30},
        {"cdn-cache-control: no-store\r\ncache-control: max-age=60\r\n", true, SGD_CC_NO_STORE, 0},
        {"cdn-cache-control:\r\ncache-control: max-age=60\r\n", false, SGD_CC_MAX_AGE, 60},
        {"cdn-cache-control: max-age=\r\ncache-control: max-age=60\r\n", false, SGD_CC_MAX_AGE, 60},
        {"cdn-cache-control: Max-Age=5\r\ncache-control: max-age=60\r\n", false, SGD_CC_MAX_AGE,
         60},
        {"cdn-cache-control: max-age=5,\r\ncache-control: max-age=60\r\n", false, SGD_CC_MAX_AGE,
         60},
        {"cdn-cache-control: max-age=5, &&\r\ncdn-cache-control: a\r\n", false, 0, 0},
        {"streamgate-cache-control: &\r\ncdn-cache-control: max-age=60\r\n", true, SGD_CC_MAX_AGE,
         60},
        {"cdn-cache-control: unknown=1\r\ncache-control: max-age=60\r\n", true, 0, 0},
        {"cdn-cache-control: max-age=5;p=1, x=(a b)\r\n", true, SGD_CC_MAX_AGE, 5},
        {"cdn-cache-control: max-age=5, max-age=9\r\n", true, SGD_CC_MAX_AGE, 9}, /* the last */
        {"cdn-cache-control: max-age=5\r\ncdn-cache-control: max-age=9\r\n", true, SGD_CC_MAX_AGE,
         9},
        {"cdn-cache-control: max-age=\"60\"\r\n", true, SGD_CC_MAX_AGE, 0},
        {"cdn-cache-control: max-age=60.0\r\n", true, SGD_CC_MAX_AGE, 0},
        {"cdn-cache-control: max-age=-60\r\n", true, SGD_CC_MAX_AGE, 0},
        {"cdn-cache-control: max-age\r\n", true, SGD_CC_MAX_AGE, 0},
        {"cdn-cache-control: max-age=99999999999999\r\n", true, SGD_CC_MAX_AGE, 2147483648},
        {"cdn-cache-control: no-store=?0, max-age=60\r\n", true, SGD_CC_MAX_AGE, 60},
        {"cdn-cache-control: no-store, no-store=?0\r\n", true, 0, 0},
        {"cdn-cache-control: private=\"a\", no-cache\r\n", true,
         SGD_CC_PRIVATE_FIELDS | SGD_CC_NO_CACHE, 0},
        {"cdn-cache-control: private=(a b)\r\n", true, SGD_CC_PRIVATE, 0},
        {"surrogate-control: no-store\r\n", false, 0, 0},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        bool targeted;
        struct sgd_cc cc = of_response(rows[i].lines, &targeted);
        if (targeted != rows[i].targeted || cc.flags != rows[i].flags ||
            cc.max_age_ns != rows[i].max_age_s * S)
            fail_msg("%s: targeted %d, flags %x, max-age %llu", rows[i].lines, targeted, cc.flags,
                     (unsigned long long)cc.max_age_ns);
    }
    (void)fixture;
}

static void a_request_without_cache_control_may_say_pragma(void **fixture)
{
    struct sgd_cc cc;
    sgd_cc_of_request(sgt_request("GET", "pragma: no-cache\n"), &cc);
    assert_int_equal(cc.flags, SGD_CC_NO_CACHE);
    sgd_cc_of_request(sgt_request("GET", "pragma: no-store, max-age=5\n"), &cc);
    assert_int_equal(cc.flags, 0);
    sgd_cc_of_request(sgt_request("GET", "pragma: no-cache\ncache-control: max-stale=5\n"), &cc);
    assert_int_equal(cc.flags, SGD_CC_MAX_STALE);
    assert_int_equal(cc.max_stale_ns, 5 * S);
    sgd_cc_of_request(sgt_request("GET", "cache-control: a\ncache-control: no-store\n"), &cc);
    assert_int_equal(cc.flags, SGD_CC_NO_STORE);
    (void)fixture;
}

static void qualified_lists_are_searched_by_name(void **fixture)
{
    bool targeted;
    struct sgd_cc cc = of_response("cache-control: private=\"Set-Cookie , X-A,\"\r\n", &targeted);
    assert_true(sgd_cc_lists(cc.private_fields, SG_STR("set-cookie")));
    assert_true(sgd_cc_lists(cc.private_fields, SG_STR("x-a")));
    assert_false(sgd_cc_lists(cc.private_fields, SG_STR("x")));
    assert_false(sgd_cc_lists(cc.no_cache_fields, SG_STR("x")));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_age_is_digits_or_nothing_worth),
    cmocka_unit_test(directives_set_their_flags),
    cmocka_unit_test(several_lines_are_one_list),
    cmocka_unit_test(the_targeted_field_that_is_right_speaks_alone),
    cmocka_unit_test(a_request_without_cache_control_may_say_pragma),
    cmocka_unit_test(qualified_lists_are_searched_by_name),
};
SGT_MAIN("cc", tests)
