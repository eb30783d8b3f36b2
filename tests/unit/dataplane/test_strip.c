#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/gate/gate.h"

/* 64 characters that look like a token's beginning. */
#define TOKEN  "2D3RhEEBoEAB_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN2 "2D3ShEEBoEAB_-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static char memory[SGD_STRIP_BYTES];

static struct sgd_stripped stripped(const char *path, const char *query,
                                    const struct sgd_field *fields, uint16_t count)
{
    struct sgd_request req = {.method = SGD_METHOD_GET,
                              .authority = SG_STR("example.org"),
                              .path = sg_str_from(path),
                              .query = sg_str_from(query),
                              .fields = fields,
                              .fields_count = count};
    struct sgd_stripped out;
    assert_int_equal(sgd_token_strip(&req, memory, &out), SG_OK);
    return out;
}

static bool is(struct sg_str s, const char *text)
{
    return text == NULL ? s.ptr == NULL : s.ptr != NULL && sg_str_eq(s, sg_str_from(text));
}

static void a_request_without_a_token_is_left_as_it_is(void **fixture)
{
    const struct sgd_field fields[] = {{SG_STR("accept"), SG_STR("*/*")},
                                       {SG_STR("cookie"), SG_STR("a=b; c=d")}};
    struct sgd_stripped out = stripped("/a/cat.m3u8", "x=1&y=%20", fields, 2);
    assert_true(out.carrier == SGD_CARRIER_NONE && out.token.ptr == NULL && !out.redirect);
    assert_true(is(out.path, "/a/cat.m3u8") && is(out.query, "x=1&y=%20"));
    assert_true(is(out.cookie, "a=b; c=d"));
    out = stripped("/", NULL, NULL, 0);
    assert_true(is(out.path, "/") && is(out.query, NULL) && is(out.cookie, NULL));
    out = stripped("*", "", NULL, 0);
    assert_true(is(out.path, "*") && is(out.query, ""));
    (void)fixture;
}

static void the_first_carrier_found_is_judged_and_all_are_stripped(void **fixture)
{
    const struct sgd_field fields[] = {
        {SG_STR("cookie"), SG_STR("a=b; CTA-Common-Access-Token=in-cookie; c=d")},
        {SG_STR("cta-common-access-token"), SG_STR("in-header")}};
    const char *path = "/cat:in-path/x/y", *query = "q=1&CAT=in-query";
    struct sgd_stripped out = stripped(path, query, fields, 2);
    assert_true(out.carrier == SGD_CARRIER_HEADER && is(out.token, "in-header"));
    for (int all = 0; all < 2; all++) {
        assert_true(is(out.path, "/x/y") && is(out.query, "q=1") && is(out.cookie, "a=b; c=d"));
        assert_false(out.redirect);
        out = stripped(path, query, fields, 1);
        assert_true(out.carrier == SGD_CARRIER_COOKIE && is(out.token, "in-cookie"));
    }
    out = stripped(path, query, NULL, 0);
    assert_true(out.carrier == SGD_CARRIER_PATH && is(out.token, "in-path"));
    assert_true(is(out.path, "/x/y") && is(out.query, "q=1") && !out.redirect);
    out = stripped("/x/y", query, NULL, 0);
    assert_true(out.carrier == SGD_CARRIER_QUERY && is(out.token, "in-query"));
    assert_true(is(out.query, "q=1") && out.redirect);
    assert_true(is(out.location, "/cat:in-query/x/y?q=1"));
    (void)fixture;
}

static void an_empty_carrier_is_a_bad_token_and_not_none(void **fixture)
{
    const struct sgd_field field = {SG_STR("cta-common-access-token"), SG_STR("")};
    struct sgd_stripped out = stripped("/x", NULL, &field, 1);
    assert_true(out.carrier == SGD_CARRIER_HEADER && is(out.token, ""));
    out = stripped("/cat:/x", NULL, NULL, 0);
    assert_true(out.carrier == SGD_CARRIER_PATH && is(out.token, "") && is(out.path, "/x"));
    out = stripped("/x", "CAT", NULL, 0);
    assert_true(out.carrier == SGD_CARRIER_QUERY && is(out.token, "") && !out.redirect);
    (void)fixture;
}

static void a_token_in_the_path_is_found_however_it_is_spelt(void **fixture)
{
    static const struct {
        const char *path, *token, *left;
    } rows[] = {
        {"/cat:tok/a/b.m3u8", "tok", "/a/b.m3u8"},
        {"/cat:tok/", "tok", "/"},
        {"/cat:tok", "tok", "/"},
        {"/cat%3Atok/a", "tok", "/a"},
        {"/%63at:t%6fk/a", "tok", "/a"},
        {"//cat:tok/a", "tok", "//a"},
        {"/./cat:tok/a", "tok", "/./a"},
        {"/%2e/cat:tok/a", "tok", "/%2e/a"},
        {"/" TOKEN "/a", TOKEN, "/a"},
        {"/%32D3R"
         "hEEBoEAB_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/a",
         TOKEN, "/a"},
        {"/x/../" TOKEN "/a", TOKEN, "/x/../a"},
        {"/x/../cat:" TOKEN "/a", TOKEN, "/x/../a"},
        {"/cat:tok/" TOKEN "/a/cat:" TOKEN2, "tok", "/a"},
        {"/cat:one/cat:two/a", "one", "/a"},
        {"/cat:tok/a%20b", "tok", "/a%20b"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_stripped out = stripped(rows[i].path, NULL, NULL, 0);
        assert_int_equal(out.carrier, SGD_CARRIER_PATH);
        assert_true(is(out.token, rows[i].token));
        assert_true(is(out.path, rows[i].left));
    }
    (void)fixture;
}

static void what_only_resembles_a_token_stays(void **fixture)
{
    static const char *const paths[] = {
        "/a/cat:pictures/b",
        "/CAT:x/a",
        "/category/a",
        "/cat",
        "/2D3Rshort/a",
        "/cat%zz/a",
        "/2D3RhEEBoEAB_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.ts/x",
        "/a/%63at:b/c"};
    for (size_t i = 0; i < SG_COUNT(paths); i++) {
        struct sgd_stripped out = stripped(paths[i], "cat=1&CATS=2&XCAT=3", NULL, 0);
        assert_int_equal(out.carrier, SGD_CARRIER_NONE);
        assert_true(is(out.path, paths[i]));
        assert_true(is(out.query, "cat=1&CATS=2&XCAT=3"));
    }
    (void)fixture;
}

static void a_token_in_the_query_is_found_however_it_is_spelt(void **fixture)
{
    static const struct {
        const char *query, *token, *left, *location;
    } rows[] = {
        {"CAT=tok", "tok", NULL, "/cat:tok/p"},
        {"C%41T=t%6Fk", "tok", NULL, "/cat:tok/p"},
        {"a=1&CAT=tok&b=2", "tok", "a=1&b=2", "/cat:tok/p?a=1&b=2"},
        {"CAT=one&CAT=two&b", "one", "b", "/cat:one/p?b"},
        {"CAT=%0d%0aSet-Cookie:x", "\r\nSet-Cookie:x", NULL, NULL},
        {"CAT=a.b", "a.b", NULL, NULL},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_stripped out = stripped("/p", rows[i].query, NULL, 0);
        assert_int_equal(out.carrier, SGD_CARRIER_QUERY);
        assert_true(is(out.token, rows[i].token) && is(out.query, rows[i].left));
        assert_int_equal(out.redirect, rows[i].location != NULL);
        assert_true(is(out.location, rows[i].location));
    }
    (void)fixture;
}

static void cookies_are_joined_without_the_tokens(void **fixture)
{
    const struct sgd_field fields[] = {
        {SG_STR("cookie"), SG_STR("a=1")},
        {SG_STR("cookie"), SG_STR("CTA-Common-Access-Token=\"quoted\";b=2; ;")},
        {SG_STR("cookie"), SG_STR("CTA-Common-Access-Token=second")},
    };
    struct sgd_stripped out = stripped("/", NULL, fields, 3);
    assert_true(out.carrier == SGD_CARRIER_COOKIE && is(out.token, "quoted"));
    assert_true(is(out.cookie, "a=1; b=2"));
    out = stripped("/", NULL, fields + 2, 1);
    assert_true(is(out.token, "second") && is(out.cookie, NULL));
    (void)fixture;
}

static void
what_is_larger_than_any_token_is_told_and_nothing_is_written_past_the_memory(void **fixture)
{
    static char big[SGD_TOKEN_TEXT_MAX + 64], path[40000], *tight;
    struct sgd_request req = {.path = SG_STR("/"), .fields_count = 1};
    struct sgd_field field = {SG_STR("cta-common-access-token"), {big, SGD_TOKEN_TEXT_MAX}};
    struct sgd_stripped out;
    req.fields = &field;
    memset(big, 'A', sizeof(big));
    tight = malloc(SGD_STRIP_BYTES); /* its end is watched by the sanitizer */
    assert_non_null(tight);
    assert_int_equal(sgd_token_strip(&req, tight, &out), SG_OK);
    field.value.len++;
    assert_int_equal(sgd_token_strip(&req, tight, &out), SG_EMSGSIZE);
    memset(path, '%', sizeof(path));
    memcpy(path, "/cat:a/", 7);
    req = (struct sgd_request){.path = {path, sizeof(path)}};
    assert_int_equal(sgd_token_strip(&req, tight, &out), SG_EMSGSIZE);
    req = (struct sgd_request){.path = SG_STR("/cat:a/cat:b/cat:c/cat:d/cat:e/x")};
    assert_int_equal(sgd_token_strip(&req, tight, &out), SG_EMSGSIZE);
    free(tight);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_without_a_token_is_left_as_it_is),
    cmocka_unit_test(the_first_carrier_found_is_judged_and_all_are_stripped),
    cmocka_unit_test(an_empty_carrier_is_a_bad_token_and_not_none),
    cmocka_unit_test(a_token_in_the_path_is_found_however_it_is_spelt),
    cmocka_unit_test(what_only_resembles_a_token_stays),
    cmocka_unit_test(a_token_in_the_query_is_found_however_it_is_spelt),
    cmocka_unit_test(cookies_are_joined_without_the_tokens),
    cmocka_unit_test(what_is_larger_than_any_token_is_told_and_nothing_is_written_past_the_memory),
};
SGT_MAIN("strip", tests)
