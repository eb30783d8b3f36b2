#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/config.h"
#include "base/config_schema.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Loads `yaml` as FOLDER/c.yaml; the report comes with the folder cut away. */
static enum sg_err load(const char *yaml, char *report, size_t cap, struct sg_config **out)
{
    char path[128], raw[8192];
    struct sg_out lines = sg_out_init(raw, sizeof(raw) - 1);
    struct sg_out cut = sg_out_init(report, cap - 1);
    write_file("c.yaml", yaml);
    snprintf(path, sizeof(path), "%s/c.yaml", folder);
    enum sg_err err = sg_config_load(path, &lines, out);
    raw[lines.len] = '\0';
    for (const char *at = raw; *at != '\0';) {
        if (strncmp(at, folder, strlen(folder)) == 0) {
            at += strlen(folder) + 1;
            continue;
        }
        sg_out_char(&cut, *at++);
    }
    report[cut.len] = '\0';
    return err;
}

#define TAIL                                                                                       \
    "tenants: [{name: t}]\n"                                                                       \
    "origins: [{name: o, urls: [{url: \"http://127.0.0.1:8000\"}]}]\n"                             \
    "sites: [{name: s, tenant: t, hosts: [\"*\"], origin: o, access: public}]\n"
#define SMALL "listeners: [{address: \"127.0.0.1:8080\"}]\n" TAIL

static void a_small_file_loads_and_every_default_is_filled_in(void **fixture)
{
    char report[4096];
    struct sg_config *config = NULL;
    assert_int_equal(load(SMALL, report, sizeof(report), &config), SG_OK);
    assert_string_equal(report, "");
    assert_int_equal(config->listeners_count, 1);
    assert_string_equal(config->listeners[0].address, "127.0.0.1:8080");
    assert_null(config->listeners[0].tls);
    assert_int_equal(config->cache.ram_bytes, 256u << 20);
    assert_true(config->node.pin_workers);
    assert_string_equal(config->node.state_dir, "/var/lib/streamgate");
    assert_string_equal(config->admin.socket, "/run/streamgate/admin.sock");
    assert_non_null(config->node.name);
    assert_int_equal(config->sites[0].access, SG_CONF_ACCESS_PUBLIC);
    assert_string_equal(config->sites[0].path, "/");
    assert_int_equal(config->sites[0].cache.tag_headers_count, 3);
    assert_string_equal(config->sites[0].cache.tag_headers[2], "xkey");
    assert_true(config->origins[0].tls_verify);
    assert_int_equal(config->origins[0].health.rise, 2);
    assert_null(config->origins[0].signing);
    assert_int_equal(config->origins[0].urls[0].weight, 1);
    sg_config_free(config);
    (void)fixture;
}

static void what_is_written_is_what_is_loaded(void **fixture)
{
    char report[4096], path[128];
    struct sg_config *config = NULL;
    write_file("cert.pem", "text\n-----BEGIN CERTIFICATE-----\n");
    write_file("key.pem", "-----BEGIN EC PRIVATE KEY-----\n");
    assert_int_equal(
        load("node: {workers: 3, pin_workers: no, drain_s: 5, name: n1}\n"
             "listeners:\n"
             "  - address: \"[::1]:8443\"\n"
             "    tls:\n"
             "      min_version: 1.3\n"
             "      ktls: \"off\"\n"
             "      certificates: [{cert_file: cert.pem, key_file: ./key.pem}]\n"
             "    proxy_protocol: [10.0.0.0/8, \"2001:db8::/32\"]\n"
             "cache: {ram_bytes: 2GiB, slice_bytes: 256KiB, disk_path: ~}\n"
             "tenants: [{name: t, on_stale: serve}]\n"
             "origins: [{name: o, urls: [{url: \"https://a.example/b\", weight: 7}], signing: \n"
             "  {access_key_file: key.pem, secret_key_file: key.pem, region: r}}]\n"
             "sites: [{name: s, tenant: t, hosts: [a.example, \"*.b.example\"], origin: o,\n"
             "  access: closed, path: /live, cors: {origins: [\"*\"]},\n"
             "  cache: {query: listed, query_params: [q], tag_headers: [],\n"
             "          negative: [{status: 404, ttl_s: 3}]}}]\n",
             report, sizeof(report), &config),
        SG_OK);
    snprintf(path, sizeof(path), "%s/./key.pem", folder);
    assert_string_equal(report, "");
    assert_int_equal(config->node.workers, 3);
    assert_false(config->node.pin_workers);
    const struct sg_conf_tls *tls = config->listeners[0].tls;
    assert_int_equal(tls->min_version, SG_CONF_TLS13);
    assert_int_equal(tls->ktls, SG_CONF_KTLS_OFF);
    assert_string_equal(tls->certificates[0].key_file, path);
    assert_string_equal(config->listeners[0].proxy_protocol[1], "2001:db8::/32");
    assert_true(config->cache.ram_bytes == 2ull << 30);
    assert_int_equal(config->cache.slice_bytes, 256 << 10);
    assert_null(config->cache.disk_path);
    assert_int_equal(config->tenants[0].on_stale, SG_CONF_STALE_SERVE);
    assert_int_equal(config->origins[0].urls[0].weight, 7);
    assert_string_equal(config->origins[0].signing->service, "s3");
    const struct sg_conf_site *site = &config->sites[0];
    assert_int_equal(site->hosts_count, 2);
    assert_int_equal(site->cache.tag_headers_count, 0);
    assert_int_equal(site->cache.negative[0].ttl_s, 3);
    assert_int_equal(site->cors->max_age_s, 86400);
    sg_config_free(config);
    (void)fixture;
}

#define LONG "12345678901234567890123456789012345678901234567890"

static const struct {
    const char *yaml, *report;
} mistakes[] = {
    {"", "c.yaml:1: the file is empty; docs/configuration.md shows a small one\n"},
    {"a: [\n", "c.yaml:2: did not find expected node content\n"},
    {"node:\n\tname: a\n",
     "c.yaml:2: a tab (blanks are right), or @, ` or % without quotes, where a "
     "key or value begins\n"},
    {SMALL "---\na: 1\n", "c.yaml:5: a second document begins here\n"},
    {"- a\n", "c.yaml:1: a group of keys belongs here\n"},
    {SMALL "cash: {}\n", "c.yaml:5: cash: there is no such key; did you mean \"cache\"?\n"},
    {SMALL "log: {verbosity: 3}\n", "c.yaml:5: log.verbosity: there is no such key; known are "
                                    "ring_records, level, addresses\n"},
    {SMALL "node: {drain_s: soon}\n",
     "c.yaml:5: node.drain_s: \"soon\" is no whole number; right would be 0 to 86400\n"},
    {SMALL "node:\n  workers: 65\n",
     "c.yaml:6: node.workers: 65 is out of range; right would be 0 to 64\n"},
    {SMALL "node: {pin_workers: maybe}\n",
     "c.yaml:5: node.pin_workers: \"maybe\" is neither true nor false\n"},
    {SMALL "cache: {ram_bytes: 4GB}\n", "c.yaml:5: cache.ram_bytes: \"4GB\" is no size; right "
                                        "would be 16MiB to 4TiB, such as \"512MiB\"\n"},
    {SMALL "cache: {slice_bytes: 300KiB}\n",
     "c.yaml:5: cache.slice_bytes: 300KiB is no power of two; right would be 262144\n"},
    {SMALL "cache: {disk_path: /tmp/v}\n", "c.yaml:5: cache.disk_bytes: 0 is too small for "
                                           "cache.disk_path; right would be 64MiB or more\n"},
    {SMALL "cache: [1]\n", "c.yaml:5: cache: a group of keys belongs here\n"},
    {SMALL "node: {name: [a]}\n", "c.yaml:5: node.name: a single value belongs here, not a list\n"},
    {SMALL "log: {level: info, level: debug}\n",
     "c.yaml:5: log.level: the key stands here twice\n"},
    {SMALL "admin: {address: \"10.0.0.1:9180\"}\n",
     "c.yaml:5: admin.address: \"10.0.0.1:9180\" is not a loopback address; right would be a "
     "loopback address and port, such as \"127.0.0.1:9180\"\n"},
    {SMALL "gate: {country_db: none.mmdb}\n",
     "c.yaml:5: gate.country_db: \"none.mmdb\" No such file or directory; right would be a file "
     "that this user can read\n"},
    {TAIL, "c.yaml:1: listeners: is missing; right would be a list with at least one group of "
           "keys\n"},
    {"listeners:\n  - address: localhost:80\n" TAIL,
     "c.yaml:2: listeners[0].address: \"localhost:80\" is no numeric address; right would be an "
     "address and port, such as \"0.0.0.0:443\" or \"[::]:443\"\n"},
    {"listeners:\n  - address: 1.2.3.4:80\n  - {address: 1.2.3.4:80, forwarded: "
     "[10.1.1.1/8]}\n" TAIL,
     "c.yaml:3: listeners[1].forwarded[0]: \"10.1.1.1/8\" has address bits behind its prefix "
     "length; right would be a network or address, such as \"10.0.0.0/8\" or \"2001:db8::1\"\n"
     "c.yaml:3: listeners[1].address: \"1.2.3.4:80\" is the address of listeners[0] already\n"},
    {"listeners:\n  - address: 1.2.3.4:80\n    tls: {certificates: [{cert_file: c.yaml}]}\n" TAIL,
     "c.yaml:3: listeners[0].tls.certificates[0].cert_file: \"c.yaml\" has no PEM certificate in "
     "it; right would be a readable file with a PEM certificate, leaf first\n"
     "c.yaml:3: listeners[0].tls.certificates[0].key_file: is missing; right would be a readable "
     "file with a PEM private key\n"},
    {SMALL "admin: {socket: /" LONG LONG "12345678}\n",
     "c.yaml:5: admin.socket: is too long for a socket; right would be at most 107 characters\n"},
    {SMALL "node: {run_dir: /" LONG "12345678901234567890123456789012345678901234567}\n",
     "c.yaml:5: node.run_dir: is too long for a socket in it; right would be at most 96 "
     "characters, "
     "or a shorter admin.socket\n"},
    {"listeners: [{address: 1.2.3.4:80}]\n"
     "tenants:\n  - name: t\n  - name: t\n"
     "origins:\n  - name: o\n    urls: [{url: ftp://x}]\n"
     "sites:\n"
     "  - {name: s, tenant: u, hosts: [a.b], origin: p, access: token}\n"
     "  - {name: s2, tenant: t, hosts: [x.y, a.b], origin: o, access: token}\n"
     "  - {name: s3, tenant: t, hosts: [A.b], origin: o}\n",
     "c.yaml:7: origins[0].urls[0].url: \"ftp://x\" does not begin with http:// or https://; "
     "right would be http:// or https://, a host, and at most a port and a path, such as "
     "\"https://origin.example.org:8443/vod\"\n"
     "c.yaml:11: sites[2].hosts[0]: \"A.b\" has upper-case letters: hosts are compared in lower "
     "case; right would be \"media.example.org\", \"*.example.org\" or \"*\"\n"
     "c.yaml:11: sites[2].access: is missing; right would be public, token or closed\n"
     "c.yaml:4: tenants[1].name: \"t\" is the name of tenants[0] already; each needs its own\n"
     "c.yaml:9: sites[0].tenant: \"u\" is not in tenants; known are: t, t\n"
     "c.yaml:9: sites[0].origin: \"p\" is not in origins; known are: o\n"
     "c.yaml:10: sites[1].access: token needs a secret_file at tenant \"t\"\n"
     "c.yaml:10: sites[1].hosts[1]: \"a.b\" with path \"/\" is served by site \"s\" already\n"},
    {"listeners: [{address: 1.2.3.4:80}]\n"
     "tenants: [{name: t, cache_share_percent: 70}, {name: u, cache_share_percent: 31}]\n"
     "origins:\n"
     "  - {name: o, urls: [{url: \"http://h\", backup: true}], client_cert_file: ~,\n"
     "     health: {status_min: 500}}\n"
     "sites:\n"
     "  - name: s\n    tenant: t\n    hosts: [a.b]\n    origin: o\n    access: public\n"
     "    geo: {allow: [DE]}\n"
     "    cors: {origins: [\"*\"], credentials: true}\n"
     "    cache: {min_ttl_s: 9, max_ttl_s: 8, query: listed}\n",
     "c.yaml:2: tenants[1].cache_share_percent: the shares of all tenants up to here are 101 %; "
     "right would be at most 100\n"
     "c.yaml:4: origins[0].urls: every URL is a backup; right would be backup: false on one of "
     "them\n"
     "c.yaml:5: origins[0].health.status_min: 500 is more than status_max, 399\n"
     "c.yaml:14: sites[0].cache.min_ttl_s: 9 is more than max_ttl_s, 8\n"
     "c.yaml:14: sites[0].cache.query: \"listed\" needs query_params; with none, right would be "
     "none\n"
     "c.yaml:12: sites[0].geo: needs a country database at gate.country_db\n"
     "c.yaml:13: sites[0].cors.credentials: cannot go with the origin \"*\"; right would be exact "
     "origins\n"},
};

static void every_mistake_is_told_with_its_line_and_what_would_be_right(void **fixture)
{
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char report[4096];
        struct sg_config *config = NULL;
        enum sg_err err = load(mistakes[i].yaml, report, sizeof(report), &config);
        assert_string_equal(report, mistakes[i].report);
        assert_int_equal(err, SG_ECONFIG);
        assert_null(config);
    }
    (void)fixture;
}

static void a_file_that_is_not_there_is_said_to_be(void **fixture)
{
    char report[256];
    struct sg_config *config = NULL;
    struct sg_out out = sg_out_init(report, sizeof(report) - 1);
    assert_int_equal(sg_config_load("/none/c.yaml", &out, &config), SG_ENOENT);
    report[out.len] = '\0';
    assert_string_equal(report, "/none/c.yaml: No such file or directory\n");
    (void)fixture;
}

static void aliases_serve_and_cannot_hurt(void **fixture)
{
    static const char *const hostile[] = {
        "&x {node: *x, tenants: [*x], sites: *x}\n",
        "sites: &s [*s, *s]\n",
        "&x {tenants: [*x, *x], cache: *x, gate: *x, log: {level: *x}}\n",
        "? [a]\n: b\n",
        "node: {name: \"a\\0b\"}\n",
    };
    char report[8192];
    struct sg_config *config = NULL;
    assert_int_equal(load("listeners: [{address: 1.2.3.4:80}]\n"
                          "tenants: [{name: t}]\n"
                          "origins: [{name: o, urls: [{url: \"http://h\"}]}]\n"
                          "sites:\n"
                          "  - {name: s, tenant: t, hosts: [a.b], origin: o, access: public,\n"
                          "     cache: &c {max_ttl_s: 9}}\n"
                          "  - {name: r, tenant: t, hosts: [b.b], origin: o, access: public,\n"
                          "     cache: *c}\n",
                          report, sizeof(report), &config),
                     SG_OK);
    assert_int_equal(config->sites[1].cache.max_ttl_s, 9);
    sg_config_free(config);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
        assert_int_equal(load(hostile[i], report, sizeof(report), &config), SG_ECONFIG);
    (void)fixture;
}

static void load_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        char report[1024];
        struct sg_config *config = NULL;
        assert_true(nth < 256);
        sg_alloc_fail_nth(nth);
        err = load(SMALL, report, sizeof(report), &config);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? config != NULL : config == NULL && err == SG_ENOMEM);
        sg_config_free(config);
    }
    (void)fixture;
}

static void what_is_found_later_gets_its_line_where_a_key_is_named(void **fixture)
{
    char path[128], told[1024] = "", right[1024];
    struct sg_out report = sg_out_init(told, sizeof(told) - 1);
    snprintf(path, sizeof(path), "%s/c.yaml", folder);
    write_file("c.yaml", "tenants: [{name: t}]\nsites:\n- name: a\n- name: b\n  rule: x\n");
    sg_config_place(
        path,
        sg_str_from("sites[1].rule: bad: really\n/etc/cert.pem: gone\nsites[7]: too many\n"
                    "rules[0]: not in this file\nno key"),
        &report);
    snprintf(right, sizeof(right),
             "%s:5: sites[1].rule: bad: really\n/etc/cert.pem: gone\n%s:3: sites[7]: too many\n"
             "rules[0]: not in this file\nno key\n",
             path, path);
    assert_string_equal(told, right);
    memset(told, 0, sizeof(told));
    report = sg_out_init(told, sizeof(told) - 1);
    sg_config_place("/nowhere/c.yaml", sg_str_from("sites[1].rule: bad\n"), &report);
    assert_string_equal(told, "sites[1].rule: bad\n");
    (void)fixture;
}

static void check_documented(const struct sg_conf_map *map, uint32_t depth)
{
    assert_true(depth < SG_CONF_DEPTH_MAX);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct sg_conf_key *key = &map->keys[i];
        assert_non_null(key->doc);
        assert_true(key->offset + key->bytes <= map->bytes);
        assert_false(key->required && key->fallback != NULL);
        if (key->map != NULL)
            check_documented(key->map, depth + 1);
    }
}

static void every_key_of_the_schema_is_documented_and_within_its_struct(void **fixture)
{
    check_documented(&sg_conf_root, 0);
    (void)fixture;
}

static int make_folder(void **fixture)
{
    (void)fixture;
    snprintf(folder, sizeof(folder), "/tmp/sgt-config.%d", getpid());
    return mkdir(folder, 0700);
}

static int drop_folder(void **fixture)
{
    static const char *const names[] = {"c.yaml", "cert.pem", "key.pem"};
    char path[128];
    (void)fixture;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_small_file_loads_and_every_default_is_filled_in),
    cmocka_unit_test(what_is_written_is_what_is_loaded),
    cmocka_unit_test(every_mistake_is_told_with_its_line_and_what_would_be_right),
    cmocka_unit_test(a_file_that_is_not_there_is_said_to_be),
    cmocka_unit_test(what_is_found_later_gets_its_line_where_a_key_is_named),
    cmocka_unit_test(aliases_serve_and_cannot_hurt),
    cmocka_unit_test(load_undoes_itself_at_every_failing_allocation),
    cmocka_unit_test(every_key_of_the_schema_is_documented_and_within_its_struct),
};

int main(void)
{
    make_folder(NULL);
    int failed = sgt_main("config", tests, sizeof(tests) / sizeof(tests[0]));
    return drop_folder(NULL) != 0 || failed != 0;
}
