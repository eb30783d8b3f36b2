#include "tests/sgt.h"

#include "dataplane/http/authority.h"
#include "tests/unit/dataplane/http_request.h"

static void a_field_is_found_and_its_repetition_told(void **fixture)
{
    const struct sgd_request *req = sgt_request("GET", "a: 1\nb:\na: 2\n");
    bool repeated;
    assert_true(sgt_str_is(sgd_request_field(req, SG_STR("a"), &repeated), "1"));
    assert_true(repeated);
    struct sg_str empty = sgd_request_field(req, SG_STR("b"), &repeated);
    assert_true(empty.ptr != NULL && empty.len == 0 && !repeated);
    assert_true(sgd_request_field(req, SG_STR("c"), NULL).ptr == NULL);
    (void)fixture;
}

static void methods_are_told_by_their_exact_name(void **fixture)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"};
    for (enum sgd_method method = 0; method < SGD_METHOD_OTHER; method++)
        assert_int_equal(sgd_method_of(sg_str_from(names[method])), method);
    assert_int_equal(sgd_method_of(SG_STR("get")), SGD_METHOD_OTHER);
    assert_int_equal(sgd_method_of(SG_STR("GETT")), SGD_METHOD_OTHER);
    (void)fixture;
}

static void registered_statuses_have_a_reason(void **fixture)
{
    assert_true(sgt_str_is(sgd_status_reason(404), "Not Found"));
    assert_int_equal(sgd_status_reason(299).len, 0);
    (void)fixture;
}

static void stored_lines_are_read_one_by_one(void **fixture)
{
    struct sg_str rest = SG_STR("A: 1\r\nno colon\r\nb:\t2 \nc:\r\nd: 3");
    struct sgd_field field;
    static const char *const want[][2] = {{"A", "1"}, {"b", "2"}, {"c", ""}, {"d", "3"}};
    for (size_t i = 0; i < SG_COUNT(want); i++) {
        assert_true(sgd_lines_next(&rest, &field));
        assert_true(sgt_str_is(field.name, want[i][0]) && sgt_str_is(field.value, want[i][1]));
    }
    assert_false(sgd_lines_next(&rest, &field));
    bool repeated;
    struct sg_str lines = SG_STR("a: 1\r\nX: y\r\nA: 2\r\n");
    assert_true(sgt_str_is(sgd_lines_field(lines, SG_STR("a"), &repeated), "1") && repeated);
    assert_true(sgt_str_is(sgd_lines_field(lines, SG_STR("x"), &repeated), "y") && !repeated);
    assert_true(sgd_lines_field(lines, SG_STR("z"), NULL).ptr == NULL);
    (void)fixture;
}

static void a_server_has_one_spelling(void **fixture)
{
    static const struct {
        const char *text;
        bool https;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"A.Example", false, "a.example"},
        {"a.example:80", false, "a.example"},
        {"a.example:80", true, "a.example:80"},
        {"a.example:443", true, "a.example"},
        {"a.example:", true, "a.example"},
        {"a_b-c~d.e", false, "a_b-c~d.e"},
        {"[2001:DB8::1]:80", false, "[2001:db8::1]"},
        {"[::1]:8080", false, "[::1]:8080"},
        {"[::1", false, NULL},
        {"[1.2.3.4]", false, NULL},
        {"a:1:2", false, NULL},
        {"a:080", false, NULL},
        {"a:0", false, NULL},
        {"", false, NULL},
        {":80", false, NULL},
        {"a,b", false, NULL},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char text[64];
        struct sg_str got = SG_STR("untouched");
        strcpy(text, rows[i].text);
        bool ok = sgd_authority_read(text, strlen(text), rows[i].https, &got);
        assert_int_equal(ok, rows[i].want != NULL);
        assert_true(sgt_str_is(got, ok ? rows[i].want : "untouched"));
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_field_is_found_and_its_repetition_told),
    cmocka_unit_test(methods_are_told_by_their_exact_name),
    cmocka_unit_test(registered_statuses_have_a_reason),
    cmocka_unit_test(stored_lines_are_read_one_by_one),
    cmocka_unit_test(a_server_has_one_spelling),
};
SGT_MAIN("message", tests)
