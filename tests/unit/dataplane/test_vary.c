#include "tests/sgt.h"

#include "dataplane/http/vary.h"
#include "tests/unit/dataplane/http_request.h"

static void names_are_one_list_whatever_their_spelling(void **fixture)
{
    static const struct {
        const char *lines, *names; /* NULL: no Vary; "*": never matches */
    } rows[] = {
        {"a: b\r\n", NULL},
        {"vary:\r\n", NULL},
        {"vary: , ,\r\n", NULL},
        {"vary: Accept-Encoding\r\n", "accept-encoding"},
        {"Vary: Foo, bar ,FOO\r\nx: y\r\nvary: Accept\r\n", "accept,bar,foo"},
        {"vary: ab, a, abc\r\n", "a,ab,abc"},
        {"vary: *\r\n", "*"},
        {"vary: a, *\r\n", "*"},
        {"vary: *\r\nvary: a\r\n", "*"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char memory[128];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        bool star, any = sgd_vary_names(sg_str_from(rows[i].lines), &out, &star);
        assert_int_equal(any, rows[i].names != NULL);
        assert_int_equal(star, any && strcmp(rows[i].names, "*") == 0);
        if (any && !star)
            assert_true(sgt_str_is(sg_out_view(&out), rows[i].names));
    }
    (void)fixture;
}

static void more_names_than_we_keep_never_match(void **fixture)
{
    char lines[512] = "vary: ", memory[512];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    bool star = false;
    for (int i = 0; i < 33; i++)
        snprintf(lines + strlen(lines), 16, "n%02d,", i);
    assert_true(sgd_vary_names(sg_str_from(lines), &out, &star));
    assert_true(star);
    (void)fixture;
}

static void check_key(const char *names, const char *fields, const char *want)
{
    char memory[256];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sgd_vary_key(sgt_request("GET", fields), sg_str_from(names), &out);
    if (out.full || !sgt_str_is(sg_out_view(&out), want))
        fail_msg("%s with %s: got %.*s", names, fields, SG_STR_ARG(sg_out_view(&out)));
}

static void values_that_mean_the_same_make_one_key(void **fixture)
{
    check_key("foo", "foo: 1, 2\n", "\nfoo:1,2");
    check_key("foo", "foo: 1 ,2\n", "\nfoo:1,2");
    check_key("foo", "foo: 1\nfoo: 2\n", "\nfoo:1,2");
    check_key("foo", "foo: \"1, 2\", 3\n", "\nfoo:\"1, 2\",3");
    check_key("foo", "", "\nfoo");
    check_key("foo", "foo:\n", "\nfoo:");
    check_key("bar,foo", "foo: A\nbar: b\n", "\nbar:b\nfoo:A");
    check_key("accept-language", "accept-language: eN, De;Q=0.5\n",
              "\naccept-language:en,de;q=0.5");
    check_key("accept-language", "accept-language: de, en\n", "\naccept-language:de,en");
    (void)fixture;
}

static void accept_encoding_is_what_we_key_on(void **fixture)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"accept-encoding:\n", ""},
        {"accept-encoding: identity\n", ""},
        {"accept-encoding: deflate\n", ""},
        {"accept-encoding: gzip, deflate, br, zstd\n", "br, gzip, zstd"},
        {"accept-encoding: br;q=0.5,GZIP;q=1.0\n", "br, gzip"},
        {"accept-encoding: gzip\naccept-encoding: br\n", "br, gzip"},
        {"accept-encoding: gzip;q=0, br\n", "br"},
        {"accept-encoding: gzip; Q=0.000 , br\n", "br"},
        {"accept-encoding: gzip;q=0.001\n", "gzip"},
        {"accept-encoding: x-gzip\n", "gzip"},
        {"accept-encoding: *\n", "br, gzip, zstd"},
        {"accept-encoding: *;q=0\n", ""},
        {"accept-encoding: br;q=0, *\n", "gzip, zstd"},
        {"accept-encoding: gzip, *;q=0\n", "gzip"},
        {"accept-encoding: gzipp\n", ""},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char memory[64], want[80];
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sgd_vary_accept_encoding(sgt_request("GET", rows[i][0]), &out);
        if (!sgt_str_is(sg_out_view(&out), rows[i][1]))
            fail_msg("%s: got %.*s", rows[i][0], SG_STR_ARG(sg_out_view(&out)));
        snprintf(want, sizeof(want), "\naccept-encoding:%s", rows[i][1]);
        check_key("accept-encoding", rows[i][0], want);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_are_one_list_whatever_their_spelling),
    cmocka_unit_test(more_names_than_we_keep_never_match),
    cmocka_unit_test(values_that_mean_the_same_make_one_key),
    cmocka_unit_test(accept_encoding_is_what_we_key_on),
};
SGT_MAIN("vary", tests)
