#include "tests/sgt.h"

#include "dataplane/http/target.h"

#include <stdio.h>

struct row {
    const char *in, *normal, *decoded; /* NULL: refused */
};
static const struct row rows[] = {
    {"/", "/", "/"},
    {"/a/b.m4s", "/a/b.m4s", "/a/b.m4s"},
    {"/%61%2D%5f%7E%2e", "/a-_~.", "/a-_~."},
    {"/%c3%A9", "/%C3%A9", "/\xc3\xa9"},
    {"/\xc3\xa9", "/%C3%A9", "/\xc3\xa9"},
    {"/a b", "/a%20b", "/a b"},
    {"/a%20b", "/a%20b", "/a b"},
    {"/%21!", "/%21!", "/!!"}, /* a delimiter and its escape may mean two things */
    {"/%3f%23", "/%3F%23", "/?#"},
    {"/%2541", "/%2541", "/%41"}, /* decoded once */
    {"/%252e%252e/x", "/%252e%252e/x", "/%2e%2e/x"},
    {"//a//b/", "//a//b/", "//a//b/"},
    {"/./a/./b/.", "/a/b/", "/a/b/"},
    {"/a/../b", "/b", "/b"},
    {"/a/b/..", "/a/", "/a/"},
    {"/a/b/../", "/a/", "/a/"},
    {"/a/%2e%2E/b", "/b", "/b"},
    {"/a/.%2e/", "/", "/"},
    {"/a//../b", "/a/b", "/a/b"},
    {"/..a/.b/c..", "/..a/.b/c..", "/..a/.b/c.."},
    {"/...", "/...", "/..."},
    {"/..", NULL, NULL},
    {"/a/../..", NULL, NULL},
    {"/a/../../b", NULL, NULL},
    {"/%2e%2e/etc", NULL, NULL},
    {"/%", NULL, NULL},
    {"/%4", NULL, NULL},
    {"/%zz", NULL, NULL},
    {"/%4g", NULL, NULL},
    {"/%00", NULL, NULL},
    {"/a%2fb", NULL, NULL},
    {"/a%2Fb", NULL, NULL},
    {"/a%5cb", NULL, NULL},
    {"/a\\b", NULL, NULL},
    {"/a/..;/b", NULL, NULL}, /* "/b" to who takes parameters off first */
    {"/a/.;x=1/b", NULL, NULL},
    {"/a/%2e%2E;/b", NULL, NULL},
    {"/a;x/..b;y/...;", "/a;x/..b;y/...;", "/a;x/..b;y/...;"},
    {"", NULL, NULL},
    {"*", NULL, NULL},
    {"a/b", NULL, NULL},
};

static void check(const char *in, const char *want,
                  bool (*fn)(struct sg_str path, struct sg_out *out))
{
    char memory[64];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    bool ok = fn(sg_str_from(in), &out);
    struct sg_str got = sg_out_view(&out);
    if (ok != (want != NULL) || (ok && !sg_str_eq(got, sg_str_from(want))))
        fail_msg("\"%s\": got %s \"%.*s\", want \"%s\"", in, ok ? "ok" : "refusal", SG_STR_ARG(got),
                 want != NULL ? want : "a refusal");
}

static void each_path_has_one_spelling_or_is_refused(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        check(rows[i].in, rows[i].normal, sgd_target_normalise);
    (void)fixture;
}

static void decoding_refuses_what_normalising_does(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        check(rows[i].in, rows[i].decoded, sgd_target_decode);
    (void)fixture;
}

static void normalising_twice_changes_nothing(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        if (rows[i].normal != NULL)
            check(rows[i].normal, rows[i].normal, sgd_target_normalise);
    }
    (void)fixture;
}

static void a_path_is_written_behind_what_is_there_and_climbs_no_further(void **fixture)
{
    char memory[32];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&out, "/key");
    assert_true(sgd_target_normalise(SG_STR("/a/../b"), &out));
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("/key/b")));
    assert_false(sgd_target_normalise(SG_STR("/.."), &out));
    (void)fixture;
}

static void a_path_that_does_not_fit_is_refused_at_every_size(void **fixture)
{
    for (size_t cap = 0; cap < 12; cap++) {
        char memory[16];
        struct sg_out out = sg_out_init(memory, cap);
        assert_int_equal(sgd_target_normalise(SG_STR("/a%20b/../x/./y%41"), &out), cap >= 9);
    }
    (void)fixture;
}

static void check_query(const char *in, enum sgd_query_policy policy, const char *want)
{
    static const char *const listed[] = {"v", "id", "a b"};
    char memory[256];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sgd_target_query_key(sg_str_from(in), policy, listed, SG_COUNT(listed), &out);
    if (out.full || !sg_str_eq(sg_out_view(&out), sg_str_from(want)))
        fail_msg("\"%s\": got \"%.*s\", want \"%s\"", in, SG_STR_ARG(sg_out_view(&out)), want);
}

static void query_parameters_are_sorted_by_name_and_keep_their_order_within_it(void **fixture)
{
    check_query("b=1&a=2&b=0&a=1", SGD_QUERY_SORTED, "a=2&a=1&b=1&b=0");
    check_query("%62=1&a=%7e%2f&b=2", SGD_QUERY_SORTED, "a=~%2F&b=1&b=2");
    check_query("", SGD_QUERY_SORTED, "");
    check_query("b&a&", SGD_QUERY_SORTED, "&a&b");
    check_query("a=%zz&%=1", SGD_QUERY_SORTED, "%=1&a=%zz");
    check_query("%%34%31=%41", SGD_QUERY_SORTED, "%%34%31=%41"); /* not "%41" */
    check_query("a%3db=1&a=2", SGD_QUERY_SORTED, "a=2&a%3Db=1");
    (void)fixture;
}

/* RFC 9111 section 4: another order is another URI. */
static void a_query_that_counts_as_it_came_keeps_its_order(void **fixture)
{
    check_query("b=1&a=2&b=0&a=1", SGD_QUERY_ALL, "b=1&a=2&b=0&a=1");
    check_query("%62&&%2f&", SGD_QUERY_ALL, "b&&%2F&");
    check_query("%%34%31=%41&%7e", SGD_QUERY_ALL, "%%34%31=%41&~");
    (void)fixture;
}

static void only_listed_parameters_or_none_are_kept(void **fixture)
{
    check_query("utm=1&v=2&id=3&vv=4&V=5", SGD_QUERY_LISTED, "id=3&v=2");
    check_query("%69d=3&a%20b=1&v", SGD_QUERY_LISTED, "a%20b=1&id=3&v");
    check_query("a=1&b=2", SGD_QUERY_NONE, "");
    (void)fixture;
}

static void more_parameters_than_are_sorted_at_once_all_stay(void **fixture)
{
    char in[2048], memory[2048];
    size_t len = 0;
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(in + len, sizeof(in) - len, "%sp%03d=1", i ? "&" : "", 199 - i);
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sgd_target_query_key((struct sg_str){in, len}, SGD_QUERY_SORTED, NULL, 0, &out);
    assert_false(out.full);
    assert_int_equal(out.len, len);
    assert_memory_equal(memory, "p136=1&p137=1", 13);
    (void)fixture;
}

static void references_are_resolved_within_the_origin_only(void **fixture)
{
    static const struct {
        const char *reference, *path, *query; /* path NULL: refused */
    } cases[] = {
        {"/x/y", "/x/y", NULL},
        {"z?q=1#f", "/a/z", "q=1"},
        {"../z", "/z", NULL},
        {"?q", "/a/b", "q"},
        {"", "/a/b", NULL},
        {"./c:d", "/a/c:d", NULL},
        {"http://h.test:80/x?1", "/x", "1"},
        {"HTTP://H.test:80", "/", NULL},
        {"//h.test:80/y", "/y", NULL},
        {"https://h.test/x", NULL, NULL},
        {"http://other.test/x", NULL, NULL},
        {"//other.test/x", NULL, NULL},
        {"mailto:x", NULL, NULL},
        {"http:/x", NULL, NULL},
        {"http://h.test/x", "/x", NULL},
        {"http://h.test:/x", "/x", NULL},
        {"http://h.test:81/x", NULL, NULL},
        {"http://u@h.test/x", NULL, NULL},
        {"/%zz", NULL, NULL},
    };
    for (size_t i = 0; i < SG_COUNT(cases); i++) {
        char memory[64];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        struct sg_str query = SG_STR("unset");
        bool ok = sgd_target_resolve(false, SG_STR("h.test"), SG_STR("/a/b"),
                                     sg_str_from(cases[i].reference), &out, &query);
        assert_int_equal(ok, cases[i].path != NULL);
        if (!ok)
            continue;
        assert_true(sg_str_eq(sg_out_view(&out), sg_str_from(cases[i].path)));
        assert_true(sg_str_eq(query, sg_str_from(cases[i].query)));
        assert_true((query.ptr == NULL) == (cases[i].query == NULL));
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(references_are_resolved_within_the_origin_only),
    cmocka_unit_test(each_path_has_one_spelling_or_is_refused),
    cmocka_unit_test(decoding_refuses_what_normalising_does),
    cmocka_unit_test(normalising_twice_changes_nothing),
    cmocka_unit_test(a_path_is_written_behind_what_is_there_and_climbs_no_further),
    cmocka_unit_test(a_path_that_does_not_fit_is_refused_at_every_size),
    cmocka_unit_test(query_parameters_are_sorted_by_name_and_keep_their_order_within_it),
    cmocka_unit_test(a_query_that_counts_as_it_came_keeps_its_order),
    cmocka_unit_test(only_listed_parameters_or_none_are_kept),
    cmocka_unit_test(more_parameters_than_are_sorted_at_once_all_stay),
};
SGT_MAIN("target", tests)
