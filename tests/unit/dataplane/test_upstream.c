#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/delivery/stored.h"
#include "dataplane/delivery/upstream.h"

#include <string.h>

static char memory[4096];

static struct sg_out fresh_out(void)
{
    return sg_out_init(memory, sizeof(memory));
}

static bool has(const struct sg_out *out, const char *text)
{
    return memmem(out->ptr, out->len, text, strlen(text)) != NULL;
}

static const struct sgd_field asked[] = {
    {SG_STR("accept-encoding"), SG_STR("zstd, gzip;q=0.5, x-odd")},
    {SG_STR("cdn-loop"), SG_STR("other")},
    {SG_STR("x-app"), SG_STR("1")},
    {SG_STR("authorization"), SG_STR("Basic eA==")},
    {SG_STR("x-forwarded-host"), SG_STR("evil.test")},
    {SG_STR("x-original-url"), SG_STR("/admin")},
    {SG_STR("cta-common-access-token"), SG_STR("secret")},
    {SG_STR("cookie"), SG_STR("a=1; CTA-Common-Access-Token=secret")},
    {SG_STR("if-none-match"), SG_STR("\"x\"")},
    {SG_STR("range"), SG_STR("bytes=0-1")},
};
static const struct sgd_request req = {
    .method_text = SG_STR("GET"),
    .fields = asked,
    .fields_count = SG_COUNT(asked),
    .version = "1.1",
};

static struct sg_out fields(const char **forward, uint32_t count, bool pass)
{
    struct sg_conf_site site = {.forward_headers = forward, .forward_headers_count = count};
    struct sg_out out = fresh_out();
    sgd_upstream_fields(&site, &req, SG_STR("a=1"), pass, NULL, &out);
    assert_false(out.full);
    assert_false(has(&out, "secret")); /* a token never reaches an origin */
    return out;
}

static void by_default_an_origin_learns_nothing_that_could_poison(void **fixture)
{
    struct sg_out out = fields(NULL, 0, false);
    assert_string_equal((memory[out.len] = 0, memory),
                        "cdn-loop: other\r\naccept-encoding: gzip, zstd\r\n");
    (void)fixture;
}

static void a_star_forwards_all_but_who_and_where(void **fixture)
{
    const char *star[] = {"*"};
    struct sg_out out = fields(star, 1, false);
    assert_true(has(&out, "x-app: 1\r\n"));
    assert_false(has(&out, "authorization"));
    assert_false(has(&out, "x-forwarded"));
    assert_false(has(&out, "x-original"));
    assert_false(has(&out, "cookie"));
    assert_false(has(&out, "if-none-match")); /* ours to ask, not the viewer's */
    (void)fixture;
}

/* CGI knows '-' and '_' as one character. */
static void a_star_forwards_nothing_that_passes_for_another_field(void **fixture)
{
    static const char *const names[] = {"content_length",  "transfer_encoding",
                                        "x_forwarded_for", "x.original.url",
                                        "proxy",           "x_forwarded-host"};
    const char *star[] = {"*"};
    for (size_t i = 0; i < SG_COUNT(names); i++) {
        struct sgd_field one[] = {{sg_str_from(names[i]), SG_STR("1")},
                                  {SG_STR("x_y"), SG_STR("2")}};
        struct sgd_request with = {.fields = one, .fields_count = 2, .version = "1.1"};
        struct sg_conf_site site = {.forward_headers = star, .forward_headers_count = 1};
        struct sg_out out = fresh_out();
        sgd_upstream_fields(&site, &with, SG_STR_NONE, false, NULL, &out);
        assert_string_equal((memory[out.len] = 0, memory), "x_y: 2\r\n");
    }
    (void)fixture;
}

static void what_describes_a_body_goes_with_it_alone(void **fixture)
{
    static const struct sgd_field type = {SG_STR("content-type"), SG_STR("a/b")};
    struct sg_conf_site site = {0};
    for (enum sgd_method method = SGD_METHOD_GET; method <= SGD_METHOD_OTHER; method++) {
        struct sgd_request with = {.method = method,
                                   .fields = &type,
                                   .fields_count = 1,
                                   .has_body = true,
                                   .version = "1.1"};
        struct sg_out out = fresh_out();
        sgd_upstream_fields(&site, &with, SG_STR_NONE, true, NULL, &out);
        assert_true(has(&out, "content-type") == (method >= SGD_METHOD_POST));
    }
    (void)fixture;
}

static void what_the_site_names_goes_and_a_pass_takes_the_conditions(void **fixture)
{
    const char *named[] = {"Authorization", "Cookie"};
    struct sg_out out = fields(named, 2, true);
    assert_true(has(&out, "authorization: Basic eA==\r\n"));
    assert_true(has(&out, "cookie: a=1\r\n"));
    assert_true(has(&out, "range: bytes=0-1\r\n"));
    assert_true(has(&out, "if-none-match: \"x\"\r\n"));
    (void)fixture;
}

static void the_sites_prefix_becomes_the_origins(void **fixture)
{
    struct sg_conf_site site = {.path = "/live/", .origin_path = "/base"};
    struct sg_out out = fresh_out();
    sgd_upstream_target(&site, SG_STR("/live/a.ts"), SG_STR("q=1"), &out);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("/base/a.ts?q=1")));
    out = fresh_out();
    sgd_upstream_target(&site, SG_STR("//live//a.ts"), SG_STR_NONE, &out);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("/base//a.ts")));
    out = fresh_out();
    sgd_upstream_target(&site, SG_STR("//live"), SG_STR_NONE, &out);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("/base/")));
    site.origin_path = NULL;
    out = fresh_out();
    sgd_upstream_target(&site, SG_STR("/live/a.ts"), SG_STR_NONE, &out);
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("/live/a.ts")));
    (void)fixture;
}

static void a_kept_head_has_a_date_and_no_framing_tags_or_private_fields(void **fixture)
{
    const char *tags[] = {"Surrogate-Key"};
    struct sg_conf_site site = {.cache = {.tag_headers = tags, .tag_headers_count = 1}};
    struct sg_out out = fresh_out();
    sgd_stored_head(&site,
                    SG_STR("content-length: 5\r\nage: 3\r\nsurrogate-key: a b\r\netag: \"v\"\r\n"
                           "x-who: me\r\ncache-control: max-age=9, private=\"x-who\"\r\n"),
                    false, 784111777000000000u, &out);
    assert_string_equal((memory[out.len] = 0, memory),
                        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\netag: \"v\"\r\n"
                        "cache-control: max-age=9, private=\"x-who\"\r\n");
    (void)fixture;
}

static void only_a_parts_content_range_is_not_kept(void **fixture)
{
    struct sg_conf_site site = {0};
    struct sg_str lines = SG_STR("date: d\r\ncontent-range: bytes 0-1/9\r\netag: \"v\"\r\n");
    struct sg_out out = fresh_out();
    sgd_stored_head(&site, lines, true, 0, &out);
    assert_string_equal((memory[out.len] = 0, memory), "date: d\r\netag: \"v\"\r\n");
    out = fresh_out();
    sgd_stored_head(&site, lines, false, 0, &out);
    assert_true(sg_str_eq(sg_out_view(&out), lines));
    (void)fixture;
}

static void a_304_replaces_what_it_names_but_not_the_bodys_form(void **fixture)
{
    struct sg_conf_site site = {0};
    struct sg_out out = fresh_out();
    sgd_stored_freshen(&site,
                       SG_STR("date: old\r\netag: \"v\"\r\ncontent-type: a/b\r\nx-a: 1\r\n"
                              "content-encoding: gzip\r\nx-a: 2\r\ncache-control: max-age=1\r\n"
                              "content-md5: m\r\ncontent-digest: d\r\n"),
                       SG_STR("date: new\r\ncontent-type: c/d\r\nx-a: 3\r\ncontent-length: 0\r\n"
                              "content-encoding: br\r\ncache-control: max-age=60\r\n"
                              "content-md5: n\r\ncontent-digest: e\r\n"),
                       0, &out);
    assert_string_equal((memory[out.len] = 0, memory),
                        "etag: \"v\"\r\ncontent-encoding: gzip\r\n"
                        "content-md5: m\r\ncontent-digest: d\r\ndate: new\r\n"
                        "content-type: c/d\r\nx-a: 3\r\ncache-control: max-age=60\r\n");
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(by_default_an_origin_learns_nothing_that_could_poison),
    cmocka_unit_test(a_star_forwards_all_but_who_and_where),
    cmocka_unit_test(a_star_forwards_nothing_that_passes_for_another_field),
    cmocka_unit_test(what_describes_a_body_goes_with_it_alone),
    cmocka_unit_test(what_the_site_names_goes_and_a_pass_takes_the_conditions),
    cmocka_unit_test(the_sites_prefix_becomes_the_origins),
    cmocka_unit_test(a_kept_head_has_a_date_and_no_framing_tags_or_private_fields),
    cmocka_unit_test(only_a_parts_content_range_is_not_kept),
    cmocka_unit_test(a_304_replaces_what_it_names_but_not_the_bodys_form),
};
SGT_MAIN("upstream", tests)
