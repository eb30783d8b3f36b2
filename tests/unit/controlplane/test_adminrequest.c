#include "tests/sgt.h"

#include "base/assert.h"
#include "controlplane/admin/request.h"

static enum sgc_parse parse(const char *text, struct sgc_request *out)
{
    return sgc_request_parse(sg_str_from(text), out);
}

static void a_request_is_read_once_its_blank_line_has_come(void **fixture)
{
    const char *text = "POST /v1/purge?scope=tag&text=a%2Fb HTTP/1.1\r\nHost: node\r\n\r\n";
    struct sgc_request request;
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(sgc_request_parse((struct sg_str){text, len}, &request), SGC_PARSE_MORE);
    assert_int_equal(parse(text, &request), SGC_PARSE_OK);
    assert_true(request.post);
    assert_true(sg_str_eq(request.path, SG_STR("/v1/purge")));
    assert_true(sg_str_eq(request.query, SG_STR("scope=tag&text=a%2Fb")));
    (void)fixture;
}

static void what_is_no_request_of_ours_is_told_apart(void **fixture)
{
    static const struct {
        const char *text;
        enum sgc_parse answer;
    } rows[] = {
        {"GET /metrics HTTP/1.0\r\n\r\n", SGC_PARSE_OK},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", SGC_PARSE_OK},
        {"PUT / HTTP/1.1\r\n\r\n", SGC_PARSE_METHOD},
        {"GET / HTTP/2\r\n\r\n", SGC_PARSE_BAD},
        {"GET metrics HTTP/1.1\r\n\r\n", SGC_PARSE_BAD},
        {"GET /\r\n\r\n", SGC_PARSE_BAD},
        {"\r\n\r\n", SGC_PARSE_BAD},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", SGC_PARSE_BAD},
        {"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", SGC_PARSE_BAD},
    };
    struct sgc_request request;
    for (size_t i = 0; i < SG_COUNT(rows); i++)
        assert_int_equal(parse(rows[i].text, &request), rows[i].answer);
    (void)fixture;
}

static void parameters_are_unescaped_and_bounded(void **fixture)
{
    struct sgc_request request = {.query = SG_STR("a=1&ab=%41%2f&b&c=%4&d=%00&e=&long=12345678")};
    char value[8];
    assert_true(sgc_request_param(&request, "a", value, sizeof(value)));
    assert_string_equal(value, "1");
    assert_true(sgc_request_param(&request, "ab", value, sizeof(value)));
    assert_string_equal(value, "A/");
    assert_true(sgc_request_param(&request, "e", value, sizeof(value)));
    assert_string_equal(value, "");
    for (const char *name = "b\0c\0d\0long\0none\0"; *name != '\0'; name += strlen(name) + 1)
        assert_false(sgc_request_param(&request, name, value, sizeof(value)));
    for (const char *name = "c\0d\0long\0"; *name != '\0'; name += strlen(name) + 1)
        assert_false(sgc_request_optional(&request, name, value, sizeof(value)));
    assert_true(sgc_request_optional(&request, "none", value, sizeof(value)));
    assert_string_equal(value, "");
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_is_read_once_its_blank_line_has_come),
    cmocka_unit_test(what_is_no_request_of_ours_is_told_apart),
    cmocka_unit_test(parameters_are_unescaped_and_bounded),
};
SGT_MAIN("adminrequest", tests)
