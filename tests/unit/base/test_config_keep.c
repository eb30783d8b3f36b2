#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/config_keep.h"
#include "base/config_schema.h"

#include <stdio.h>

#define SITES                                                                                      \
    "origins: [{name: o, urls: [{url: \"http://127.0.0.1:8000\"}]}]\n"                             \
    "sites: [{name: s, tenant: one, hosts: [\"*\"], origin: o, access: public}]\n"
#define NOW                                                                                        \
    "node: {name: n, workers: 2, drain_s: 5}\n"                                                    \
    "listeners: [{address: \"127.0.0.1:8080\"}, {address: \"127.0.0.1:8081\", backlog: 64}]\n"     \
    "tenants: [{name: one, cache_share_percent: 10}, {name: two, cache_share_percent: 20}]\n"      \
    "cache: {ram_bytes: 64MiB}\n" SITES

static struct sg_config *parsed(const char *yaml)
{
    static char memory[8192];
    struct sg_config *config = NULL;
    struct sg_out report = sg_out_init(memory, sizeof(memory) - 1);
    enum sg_err err = sg_config_parse("c.yaml", "/tmp", sg_str_from(yaml), &report, &config);
    memory[report.len] = '\0';
    assert_string_equal(memory, "");
    assert_int_equal(err, SG_OK);
    return config;
}

/* Keeps of `now`; the caller frees what comes back, and compares `said`. */
static struct sg_config *kept(const char *yaml, char said[1024])
{
    struct sg_config *now = parsed(NOW), *next = parsed(yaml);
    struct sg_out out = sg_out_init(said, 1023);
    assert_int_equal(sg_conf_keep_fixed(now, next, &out), SG_OK);
    said[out.len] = '\0';
    sg_config_free(now); /* nothing of it is in `next` */
    return next;
}

static void what_counts_from_the_next_start_stays_and_is_said(void **fixture)
{
    char said[1024];
    struct sg_config *next = kept("node: {name: other, workers: 3, drain_s: 6, user: root}\n"
                                  "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                                  "tenants: [{name: one}]\ncache: {ram_bytes: 128MiB}\n" SITES,
                                  said);
    assert_string_equal(said, "node.name: counts from the next start\n"
                              "node.workers: counts from the next start\n"
                              "node.user: counts from the next start\n"
                              "cache.ram_bytes: counts from the next start\n"
                              "tenants[0].cache_share_percent: counts from the next start\n");
    assert_string_equal(next->node.name, "n");
    assert_null(next->node.user);
    assert_int_equal(next->node.workers, 2);
    assert_int_equal(next->node.drain_s, 6);
    assert_true(next->cache.ram_bytes == 64ull << 20);
    assert_int_equal(next->tenants[0].cache_share_percent, 10);
    sg_config_free(next);
    (void)fixture;
}

static void items_are_known_by_name_wherever_they_stand(void **fixture)
{
    char said[1024];
    struct sg_config *next =
        kept("node: {name: n, workers: 2}\n"
             "listeners: [{address: \"127.0.0.1:8081\", backlog: 99}, {address: "
             "\"127.0.0.1:8080\"}]\n"
             "tenants: [{name: new, cache_share_percent: 30}, {name: two, "
             "cache_share_percent: 20}, {name: one, cache_share_percent: 10}]\n"
             "cache: {ram_bytes: 64MiB}\n" SITES,
             said);
    assert_string_equal(said, ""); /* moved, and one is new: nothing differs */
    assert_int_equal(next->listeners[0].backlog, 99);
    assert_int_equal(next->tenants[0].cache_share_percent, 30);
    sg_config_free(next);
    next = kept("node: {name: n, workers: 2}\n"
                "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                "tenants: [{name: two, cache_share_percent: 25}, {name: one, "
                "cache_share_percent: 10}]\n"
                "cache: {ram_bytes: 64MiB}\n" SITES,
                said);
    assert_string_equal(said, "tenants[1].cache_share_percent: counts from the next start\n");
    assert_int_equal(next->tenants[0].cache_share_percent, 20);
    sg_config_free(next);
    (void)fixture;
}

static void keeping_fails_cleanly_at_every_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        char said[1024];
        struct sg_config *now = parsed(NOW),
                         *next = parsed("node: {name: m, pop: p}\n" SITES
                                        "listeners: [{address: \"[::]:8080\"}]\n"
                                        "tenants: [{name: one}]\n");
        struct sg_out out = sg_out_init(said, sizeof(said));
        assert_true(nth < 16);
        sg_alloc_fail_nth(nth);
        err = sg_conf_keep_fixed(now, next, &out);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK || err == SG_ENOMEM);
        sg_config_free(now);
        sg_config_free(next);
    }
    (void)fixture;
}

static void check_map(const struct sg_conf_map *map)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct sg_conf_key *key = &map->keys[i];
        assert_false(key->fixed && key->kind >= SG_CONF_STRINGS);
        if (key->map != NULL)
            check_map(key->map);
    }
}

static void only_single_values_are_fixed(void **fixture)
{
    check_map(&sg_conf_root); /* lists and groups could not be kept as a whole */
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_counts_from_the_next_start_stays_and_is_said),
    cmocka_unit_test(items_are_known_by_name_wherever_they_stand),
    cmocka_unit_test(keeping_fails_cleanly_at_every_allocation),
    cmocka_unit_test(only_single_values_are_fixed),
};

SGT_MAIN("config_keep", tests)
