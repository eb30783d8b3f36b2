#include "tests/sgt.h"

#include "dataplane/delivery/cachekey.h"
#include "edgecache/state/state.h"

static const char *listed[] = {"v"};
static const char *tags[] = {"Surrogate-Key"};
static struct sg_conf_site site = {.name = "films", .tenant = "acme"};
static char memory[SGE_KEY_BYTES_MAX];

static struct sg_str key(enum sg_conf_query policy, const char *path, const char *query)
{
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    site.cache.query = policy;
    site.cache.query_params = listed;
    site.cache.query_params_count = 1;
    sgd_cachekey_primary(&site, sg_str_from(path), sg_str_from(query), &out);
    assert_false(out.full);
    return sg_out_view(&out);
}

static void the_query_counts_as_the_site_says(void **fixture)
{
    assert_true(sg_str_eq(key(SG_CONF_QUERY_ALL, "/a", "x=1&v=2"), SG_STR("films\n/a?x=1&v=2")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_ALL, "/a", ""), SG_STR("films\n/a?")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_SORTED, "/a", "x=1&v=2"), SG_STR("films\n/a?v=2&x=1")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_SORTED, "/a", ""), SG_STR("films\n/a")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_NONE, "/a", "x=1&v=2"), SG_STR("films\n/a")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_LISTED, "/a", "x=1&v=2"), SG_STR("films\n/a?v=2")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_LISTED, "/a", "x=1"), SG_STR("films\n/a")));
    assert_true(sg_str_eq(key(SG_CONF_QUERY_ALL, "/a", NULL), SG_STR("films\n/a")));
    (void)fixture;
}

static void variants_of_two_markers_never_meet(void **fixture)
{
    static const struct sgd_field fields[] = {{SG_STR("accept-language"), SG_STR("de")}};
    struct sgd_request req = {.fields = fields, .fields_count = 1};
    char m1[256], m2[256], k1[256], k2[256];
    struct sg_out a = sg_out_init(m1, sizeof(m1)), b = sg_out_init(m2, sizeof(m2));
    struct sg_out ka = sg_out_init(k1, sizeof(k1)), kb = sg_out_init(k2, sizeof(k2));
    sgd_cachekey_marker(1, SG_STR("accept-language"), &a);
    sgd_cachekey_marker(2, SG_STR("accept-language"), &b);
    assert_true(sg_str_eq(sgd_cachekey_marker_names(sg_out_view(&a)), SG_STR("accept-language")));
    sgd_cachekey_variant(SG_STR("films\n/a"), sg_out_view(&a), &req, &ka);
    sgd_cachekey_variant(SG_STR("films\n/a"), sg_out_view(&b), &req, &kb);
    assert_false(sg_str_eq(sg_out_view(&ka), sg_out_view(&kb)));
    assert_true(sg_str_starts(sg_out_view(&ka), SG_STR("films\n/a\n")));
    assert_null(sgd_cachekey_marker_names(SG_STR("no marker")).ptr);
    (void)fixture;
}

static bool has_prefix(const struct sge_meta *meta, enum sge_purge_scope scope, const char *text)
{
    uint64_t hash = sge_purge_hash(scope, meta->tenant, sg_str_from(text));
    for (uint8_t i = 0; i < meta->prefixes_count; i++)
        if (meta->prefixes[i] == hash)
            return true;
    return false;
}

static void an_object_is_marked_with_its_url_prefixes_and_tags(void **fixture)
{
    struct sge_meta meta = {0};
    site.cache.tag_headers = tags;
    site.cache.tag_headers_count = 1;
    assert_true(sgd_cachekey_purge_marks(&site, SG_STR("films\n/a/b/c.ts?v=1"),
                                         SG_STR("surrogate-key: one two\r\nx: y\r\n"
                                                "cache-groups: \"three\"\r\n"),
                                         &meta));
    assert_int_equal(meta.tags_count, 3);
    assert_true(meta.tags[2] == sge_purge_hash(SGE_PURGE_TAG, meta.tenant, SG_STR("three")));
    assert_true(has_prefix(&meta, SGE_PURGE_URL, "films\n/a/b/c.ts?v=1"));
    assert_true(has_prefix(&meta, SGE_PURGE_PREFIX, "films\n/a/b"));
    assert_true(has_prefix(&meta, SGE_PURGE_PREFIX, "films\n/a"));
    assert_true(has_prefix(&meta, SGE_PURGE_PREFIX, "films\n/a/b/c.ts"));
    assert_true(has_prefix(&meta, SGE_PURGE_PREFIX, "films\n"));
    assert_false(has_prefix(&meta, SGE_PURGE_PREFIX, "films\n/a/b/c"));
    (void)fixture;
}

static void more_tags_than_fit_are_told(void **fixture)
{
    struct sge_meta meta = {0};
    site.cache.tag_headers = tags;
    site.cache.tag_headers_count = 1;
    assert_false(sgd_cachekey_purge_marks(
        &site, SG_STR("films\n/"),
        SG_STR(
            "surrogate-key: 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w x\r\n"),
        &meta));
    assert_int_equal(meta.tags_count, SGE_TAGS_MAX);
    (void)fixture;
}

static void a_purges_text_names_what_a_request_does(void **fixture)
{
    char text[256];
    struct sg_out out = sg_out_init(text, sizeof(text));
    site.cache.query = SG_CONF_QUERY_SORTED;
    assert_true(sgd_cachekey_of_url(&site, SG_STR("/a/%7Eb/../c"), SG_STR("z=1&a=2"), &out));
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("films\n/a/c?a=2&z=1")));
    out = sg_out_init(text, sizeof(text));
    assert_true(sgd_cachekey_of_prefix(&site, SG_STR("/a/"), &out));
    assert_true(sg_str_eq(sg_out_view(&out), SG_STR("films\n/a")));
    out = sg_out_init(text, sizeof(text));
    assert_false(sgd_cachekey_of_url(&site, SG_STR("/a/%zz"), SG_STR_NONE, &out));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_query_counts_as_the_site_says),
    cmocka_unit_test(variants_of_two_markers_never_meet),
    cmocka_unit_test(an_object_is_marked_with_its_url_prefixes_and_tags),
    cmocka_unit_test(more_tags_than_fit_are_told),
    cmocka_unit_test(a_purges_text_names_what_a_request_does),
};
SGT_MAIN("cachekey", tests)
