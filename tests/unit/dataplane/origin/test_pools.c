/* Making and ending fetch threads and pools: allocations that fail, configurations that are wrong.
 */
#include "tests/sgt.h"

#include "base/alloc.h"
#include "dataplane/origin/pools.h"
#include "dataplane/origin/request.h"
#include "tests/sgt_dir.h"
#include "tests/unit/dataplane/origin/rig.h"

static void opening_threads_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct sg_mail *mail = NULL;
    assert_int_equal(sg_mail_open(3, 8, &mail), SG_OK);
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_fetchers *fetchers = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_fetchers_open(mail, 1, 2, &fetchers);
        assert_true(err == SG_OK ? fetchers != NULL : fetchers == NULL && err == SG_ENOMEM);
        sgd_fetchers_close(fetchers);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    sg_mail_close(mail);
    (void)fixture;
}

static void write_file(const char *dir, const char *name, const char *text, char *path)
{
    snprintf(path, SGT_DIR_BYTES + 32, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void opening_pools_undoes_itself_at_every_failing_allocation(void **fixture)
{
    char dir[SGT_DIR_BYTES], key[SGT_DIR_BYTES + 32], text[256];
    struct sgt_rig rig;
    sgt_dir_make(dir);
    write_file(dir, "key", "secret\nmore\n", key);
    struct sg_conf_signing signing = {
        .access_key_file = key, .secret_key_file = key, .region = "r"};
    sgt_rig_open(&rig, 1, 8);
    sgt_rig_url(&rig, "https", 1);
    rig.origin.health.path = "/health";
    rig.origin.health.interval_ms = 100000;
    rig.origin.host_header = "origin.example";
    rig.origin.ca_file = key;
    rig.origin.signing = &signing;
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sg_out report = sg_out_init(text, sizeof(text));
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_pools_open(rig.fetchers, &rig.config, NULL, &report, &rig.pools);
        assert_true(err == SG_OK ? rig.pools != NULL : rig.pools == NULL && err == SG_ENOMEM);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    assert_string_equal(rig.pools->pools[0].sign.secret_key, "secret");
    assert_string_equal(rig.pools->pools[0].sign.service, "s3");
    assert_string_equal(rig.pools->pools[0].urls[0].authority, "https://origin.example:1");
    assert_string_equal(rig.pools->pools[0].urls[0].connect_to, "127.0.0.1");
    sgt_rig_close(&rig);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void a_wrong_origin_is_told_by_name_and_key(void **fixture)
{
    static const struct {
        const char *url, *ca_file, *told;
    } rows[] = {
        {"ftp://a.example", NULL,
         "origin o: url ftp://a.example: want http[s]://host[:port][/path]\n"},
        {"http://", NULL, "url http://: want"},
        {"http://:80/", NULL, "want http"},
        {"http://user@a.example/", NULL, "want http"},
        {"http://a.example/?q", NULL, "want http"},
        {"http://a b/", NULL, "want http"},
        {"https://a.example", "no/such/file", "origin o: ca_file: no/such/file: "},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgt_rig rig;
        char text[512];
        struct sg_out report = sg_out_init(text, sizeof(text) - 1);
        sgt_rig_open(&rig, 1, 8);
        sgt_rig_url(&rig, "http", 1);
        rig.urls[0].url = rows[i].url;
        rig.origin.ca_file = rows[i].ca_file;
        assert_int_equal(sgd_pools_open(rig.fetchers, &rig.config, NULL, &report, &rig.pools),
                         SG_ECONFIG);
        text[report.len] = 0;
        if (strstr(text, rows[i].told) == NULL)
            fail_msg("%s: told %s", rows[i].url, text);
        sgt_rig_close(&rig);
    }
    (void)fixture;
}

static void urls_are_cut_where_they_should_be(void **fixture)
{
    static const struct {
        const char *url, *authority, *host, *base;
    } rows[] = {
        {"http://a.example", "http://a.example", "a.example", ""},
        {"https://a.example:8443/x/y//", "https://a.example:8443", "a.example:8443", "/x/y"},
        {"http://[::1]:80/b", "http://[::1]:80", "[::1]:80", "/b"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgt_rig rig;
        sgt_rig_open(&rig, 1, 8);
        sgt_rig_url(&rig, "http", 1);
        rig.urls[0].url = rows[i].url;
        sgt_rig_pools(&rig);
        const struct sgd_url *url = &rig.pools->pools[0].urls[0];
        assert_string_equal(url->authority, rows[i].authority);
        assert_string_equal(url->host, rows[i].host);
        assert_string_equal(url->base, rows[i].base);
        sgt_rig_close(&rig);
    }
    (void)fixture;
}

static void a_connection_limit_is_split_exactly_over_threads(void **fixture)
{
    static const uint32_t limits[] = {1, 2, 3, 7, 256};
    for (size_t i = 0; i < SG_COUNT(limits); i++) {
        struct sgt_rig rig;
        sgt_rig_open(&rig, 3, 8);
        sgt_rig_url(&rig, "http", 1);
        rig.origin.connections_max = limits[i];
        sgt_rig_pools(&rig);
        const struct sgd_pool *pool = &rig.pools->pools[0];
        uint32_t total = 0;
        for (uint32_t k = 0; k < pool->lanes_count; k++) {
            assert_true(pool->lanes[k].limit > 0);
            total += pool->lanes[k].limit;
        }
        assert_int_equal(total, limits[i]);
        for (uint16_t worker = 0; worker < 10; worker++) /* a lane is one thread's */
            for (uint16_t other = 0; other < 10; other++)
                if (sgd_pools_lane(rig.pools, 0, worker) == sgd_pools_lane(rig.pools, 0, other))
                    assert_int_equal(sgd_pools_thread(rig.pools, 0, worker),
                                     sgd_pools_thread(rig.pools, 0, other));
        sgt_rig_close(&rig);
    }
    (void)fixture;
}

static void loops_are_seen_whatever_stands_around_our_name(void **fixture)
{
    static const struct {
        const char *value;
        bool loops;
    } rows[] = {
        {"streamgate-n.1", true},   {"a, streamgate-n.1;x=y", true}, {"StreamGate-N.1 ,b", true},
        {"streamgate-n.12", false}, {"a;b=streamgate-n.1", false},   {"", false},
        {"xstreamgate-n.1", false},
    };
    char id[SGD_ORIGIN_NODE_BYTES];
    sgd_origin_node_id("n.1", id);
    assert_string_equal(id, "streamgate-n.1");
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_field fields[] = {{SG_STR("x"), SG_STR("streamgate-n.1")},
                                     {SG_STR("cdn-loop"), sg_str_from(rows[i].value)}};
        assert_int_equal(sgd_origin_loops(fields, 2, "n.1"), rows[i].loops);
    }
    sgd_origin_node_id("a b,c", id);
    assert_string_equal(id, "streamgate-a-b-c");
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(opening_threads_undoes_itself_at_every_failing_allocation),
    cmocka_unit_test(opening_pools_undoes_itself_at_every_failing_allocation),
    cmocka_unit_test(a_wrong_origin_is_told_by_name_and_key),
    cmocka_unit_test(urls_are_cut_where_they_should_be),
    cmocka_unit_test(a_connection_limit_is_split_exactly_over_threads),
    cmocka_unit_test(loops_are_seen_whatever_stands_around_our_name),
};
SGT_MAIN("pools", tests)
