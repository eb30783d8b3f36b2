#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/delivery/route.h"

static const char *exact[] = {"media.example.org", "b.example.org"};
static const char *wild[] = {"*.example.org"};
static const char *wilder[] = {"*.eu.example.org"};
static const char *any[] = {"*"};
static struct sg_conf_site sites[] = {
    {.hosts = exact, .hosts_count = 2, .path = "/"},
    {.hosts = exact, .hosts_count = 1, .path = "/live"},
    {.hosts = exact, .hosts_count = 1, .path = "/live/hd/"},
    {.hosts = wild, .hosts_count = 1, .path = "/"},
    {.hosts = wilder, .hosts_count = 1, .path = "/only"},
    {.hosts = any, .hosts_count = 1, .path = "/"},
};

static uint32_t find(uint32_t count, const char *host, const char *path, bool *known)
{
    struct sg_config config = {.sites = sites, .sites_count = count};
    struct sgd_routes *routes = NULL;
    assert_int_equal(sgd_routes_open(&config, &routes), SG_OK);
    uint32_t site = sgd_routes_find(routes, sg_str_from(host), sg_str_from(path), known);
    sgd_routes_close(routes);
    return site;
}

static void the_longest_prefix_of_the_closest_host_wins(void **fixture)
{
    static const struct {
        const char *host, *path;
        uint32_t site;
    } rows[] = {
        {"media.example.org", "/", 0},
        {"media.example.org:8443", "/x", 0},
        {"media.example.org", "/live", 1},
        {"media.example.org", "/live/a", 1},
        {"media.example.org", "/lively", 0},
        {"media.example.org", "/live/hd/x", 2},
        {"media.example.org", "//live//hd///x", 2}, /* an origin would merge them */
        {"media.example.org", "//live", 1},
        {"media.example.org", "//lively", 0},
        {"media.example.org", "/x//live/hd/x", 0},
        {"b.example.org", "/live/hd/x", 0},
        {"c.example.org", "/x", 3},
        {"x.eu.example.org", "/only/y", 4},
        {"[2001:db8::1]:80", "/", 5},
        {"other.test", "/", 5},
    };
    bool known;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        assert_int_equal(find(6, rows[i].host, rows[i].path, &known), rows[i].site);
        assert_true(known);
    }
    (void)fixture;
}

static void an_unknown_host_and_an_unknown_path_are_told_apart(void **fixture)
{
    bool known;
    assert_true(find(5, "other.test", "/", &known) == SGD_SITE_NONE);
    assert_false(known);
    assert_true(find(5, "example.org", "/", &known) == SGD_SITE_NONE); /* not below itself */
    assert_false(known);
    assert_true(find(5, "x.eu.example.org", "/elsewhere", &known) == SGD_SITE_NONE);
    assert_true(known);
    (void)fixture;
}

static void open_tells_when_memory_is_out(void **fixture)
{
    struct sg_config config = {.sites = sites, .sites_count = 6};
    struct sgd_routes *routes = NULL;
    sg_alloc_fail_nth(0);
    assert_int_equal(sgd_routes_open(&config, &routes), SG_ENOMEM);
    assert_null(routes);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_longest_prefix_of_the_closest_host_wins),
    cmocka_unit_test(an_unknown_host_and_an_unknown_path_are_told_apart),
    cmocka_unit_test(open_tells_when_memory_is_out),
};
SGT_MAIN("route", tests)
