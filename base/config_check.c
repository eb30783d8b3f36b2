#include "base/config_check.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define DISK_BYTES_MIN  (64ull << 20)
#define SERVERS_MAX     16u /* of a chain */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* A path such as "sites[3].tenant" for the report. */
#define WHERE(...)                                                                                 \
    ({                                                                                             \
        static _Thread_local char where_[SG_CONF_PATH_BYTES];                                      \
        snprintf(where_, sizeof(where_), __VA_ARGS__);                                             \
        (const char *)where_;                                                                      \
    })

/* NULL for what had to be left out. */
static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* ---- names, once for tenants, origins and sites: the name is each struct's first member ---- */

struct names {
    const char *what; /* "tenants" */
    const void *items;
    size_t item_bytes;
    uint32_t count;
};

static const char *name_at(const struct names *names, uint32_t i)
{
    const char *name;
    memcpy(&name, (const char *)names->items + i * names->item_bytes, sizeof(name));
    return name;
}

static bool name_known(const struct names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (same(name_at(names, i), name))
            return true;
    return false;
}

static void check_unique(const struct names *names, struct sg_conf_report *report)
{
    for (uint32_t i = 0; i < names->count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (same(name_at(names, i), name_at(names, j))) {
                sg_conf_mistake_at(report, WHERE("%s[%u].name", names->what, i),
                                   "\"%s\" is the name of %s[%u] already; each needs its own",
                                   name_at(names, i), names->what, j);
                break;
            }
}

static void check_reference(const struct names *names, const char *where, const char *name,
                            struct sg_conf_report *report)
{
    char known[512];
    struct sg_out out = sg_out_init(known, sizeof(known) - 1);
    if (name == NULL || name_known(names, name))
        return;
    for (uint32_t i = 0; i < names->count; i++)
        if (name_at(names, i) != NULL)
            sg_out_fmt(&out, "%s%s", out.len != 0 ? ", " : "", name_at(names, i));
    known[out.len] = '\0';
    sg_conf_mistake_at(report, where, "\"%s\" is not in %s; known are: %s", name, names->what,
                       known);
}

/* ---- groups ---- */

/* Absent it is made of node.run_dir (config_load.c). */
static void check_admin_socket(const struct sg_config *config, struct sg_conf_report *report)
{
    const char *socket = config->admin.socket, *run_dir = config->node.run_dir;
    if (socket != NULL && strlen(socket) > SOCKET_PATH_MAX)
        sg_conf_mistake_at(report, "admin.socket",
                           "is too long for a socket; right would be at most %zu characters",
                           SOCKET_PATH_MAX);
    if (socket == NULL && run_dir != NULL &&
        strlen(run_dir) + strlen("/admin.sock") > SOCKET_PATH_MAX)
        sg_conf_mistake_at(report, "node.run_dir",
                           "is too long for a socket in it; right would be at most %zu characters, "
                           "or a shorter admin.socket",
                           SOCKET_PATH_MAX - strlen("/admin.sock"));
}

static void check_node(const struct sg_config *config, struct sg_conf_report *report)
{
    const char *user = config->node.user;
    if (user != NULL && getpwnam(user) == NULL)
        sg_conf_mistake_at(report, "node.user", "\"%s\" is no user of this system", user);
    if (config->limits.pinned_bytes_per_connection > config->limits.pinned_bytes_per_worker)
        sg_conf_mistake_at(report, "limits.pinned_bytes_per_connection",
                           "is more than limits.pinned_bytes_per_worker; right would be at most "
                           "%llu",
                           (unsigned long long)config->limits.pinned_bytes_per_worker);
}

static void check_listeners(const struct sg_config *config, struct sg_conf_report *report)
{
    for (uint32_t i = 0; i < config->listeners_count; i++) {
        const struct sg_conf_listener *listener = &config->listeners[i];
        for (uint32_t j = 0; j < i; j++)
            if (same(listener->address, config->listeners[j].address))
                sg_conf_mistake_at(report, WHERE("listeners[%u].address", i),
                                   "\"%s\" is the address of listeners[%u] already",
                                   listener->address, j);
        if (listener->engine != SG_CONF_ENGINE_URING)
            sg_conf_mistake_at(report, WHERE("listeners[%u].engine", i),
                               "this build has no DPDK engine; right would be uring");
    }
}

static void check_cache(const struct sg_conf_cache *cache, struct sg_conf_report *report)
{
    if (cache->disk_path != NULL && cache->disk_bytes < DISK_BYTES_MIN)
        sg_conf_mistake_at(report, "cache.disk_bytes",
                           "%llu is too small for cache.disk_path; right would be 64MiB or more",
                           (unsigned long long)cache->disk_bytes);
    if (cache->disk_path == NULL && cache->disk_bytes != 0)
        sg_conf_mistake_at(report, "cache.disk_bytes",
                           "there is no cache.disk_path to use it on; right would be both or none");
}

static void check_tenants(const struct sg_config *config, struct sg_conf_report *report)
{
    uint32_t percent = 0;
    for (uint32_t i = 0; i < config->tenants_count; i++) {
        percent += config->tenants[i].cache_share_percent;
        if (percent <= 100)
            continue;
        sg_conf_mistake_at(report, WHERE("tenants[%u].cache_share_percent", i),
                           "the shares of all tenants up to here are %u %%; right would be at "
                           "most 100",
                           percent);
        break;
    }
}

static void check_origin(const struct sg_conf_origin *origin, uint32_t i,
                         struct sg_conf_report *report)
{
    uint32_t backups = 0;
    for (uint32_t j = 0; j < origin->urls_count; j++)
        backups += origin->urls[j].backup;
    if (backups == origin->urls_count && backups != 0)
        sg_conf_mistake_at(report, WHERE("origins[%u].urls", i),
                           "every URL is a backup; right would be backup: false on one of them");
    if ((origin->client_cert_file == NULL) != (origin->client_key_file == NULL))
        sg_conf_mistake_at(report, WHERE("origins[%u]", i),
                           "client_cert_file and client_key_file go together: one is missing");
    if (origin->health.status_min > origin->health.status_max)
        sg_conf_mistake_at(report, WHERE("origins[%u].health.status_min", i),
                           "%u is more than status_max, %u", origin->health.status_min,
                           origin->health.status_max);
}

static void check_site_cache(const struct sg_conf_site_cache *cache, uint32_t i,
                             struct sg_conf_report *report)
{
    if (cache->max_ttl_s != 0 && cache->min_ttl_s > cache->max_ttl_s)
        sg_conf_mistake_at(report, WHERE("sites[%u].cache.min_ttl_s", i),
                           "%u is more than max_ttl_s, %u", cache->min_ttl_s, cache->max_ttl_s);
    if (cache->query == SG_CONF_QUERY_LISTED && cache->query_params_count == 0)
        sg_conf_mistake_at(report, WHERE("sites[%u].cache.query", i),
                           "\"listed\" needs query_params; with none, right would be none");
    if (cache->query != SG_CONF_QUERY_LISTED && cache->query_params_count != 0)
        sg_conf_mistake_at(report, WHERE("sites[%u].cache.query_params", i),
                           "is of no use unless query is listed");
    for (uint32_t j = 0; j < cache->negative_count; j++)
        for (uint32_t k = 0; k < j; k++)
            if (cache->negative[j].status == cache->negative[k].status)
                sg_conf_mistake_at(report, WHERE("sites[%u].cache.negative[%u].status", i, j),
                                   "%u stands in negative[%u] already", cache->negative[j].status,
                                   k);
}

static const struct sg_conf_tenant *tenant_of(const struct sg_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->tenants_count; i++)
        if (same(config->tenants[i].name, name))
            return &config->tenants[i];
    return NULL;
}

/* One that is not known was told; here, whose it is. */
static void check_site_rule(const struct sg_config *config, const struct sg_conf_site *site,
                            uint32_t i, struct sg_conf_report *report)
{
    if (site->rule == NULL)
        return;
    if (site->access != SG_CONF_ACCESS_TOKEN)
        sg_conf_mistake_at(report, WHERE("sites[%u].rule", i),
                           "is of no use unless access is token");
    for (uint32_t j = 0; j < config->rules_count; j++)
        if (same(config->rules[j].name, site->rule) && site->tenant != NULL &&
            config->rules[j].tenant != NULL && !same(config->rules[j].tenant, site->tenant))
            sg_conf_mistake_at(report, WHERE("sites[%u].rule", i),
                               "\"%s\" is a rule of tenant \"%s\"; right would be one of \"%s\"",
                               site->rule, config->rules[j].tenant, site->tenant);
}

static void check_site_rules(const struct sg_config *config, const struct sg_conf_site *site,
                             uint32_t i, struct sg_conf_report *report)
{
    const struct sg_conf_tenant *tenant = tenant_of(config, site->tenant);
    if (site->access == SG_CONF_ACCESS_TOKEN && tenant != NULL && tenant->secret_file == NULL)
        sg_conf_mistake_at(report, WHERE("sites[%u].access", i),
                           "token needs a secret_file at tenant \"%s\"", tenant->name);
    if (site->geo.allow_count + site->geo.deny_count != 0 && config->gate.country_db == NULL)
        sg_conf_mistake_at(report, WHERE("sites[%u].geo", i),
                           "needs a country database at gate.country_db");
    const struct sg_conf_cors *cors = site->cors;
    for (uint32_t j = 0; cors != NULL && cors->credentials && j < cors->origins_count; j++)
        if (same(cors->origins[j], "*"))
            sg_conf_mistake_at(report, WHERE("sites[%u].cors.credentials", i),
                               "cannot go with the origin \"*\"; right would be exact origins");
}

/* Two sites that the same request would find. */
static void check_site_routes(const struct sg_config *config, uint32_t i,
                              struct sg_conf_report *report)
{
    const struct sg_conf_site *site = &config->sites[i];
    for (uint32_t h = 0; h < site->hosts_count; h++)
        for (uint32_t j = 0; j <= i; j++) {
            const struct sg_conf_site *other = &config->sites[j];
            uint32_t end = j == i ? h : other->hosts_count;
            for (uint32_t k = 0; k < end && same(site->path, other->path); k++)
                if (same(site->hosts[h], other->hosts[k]))
                    sg_conf_mistake_at(report, WHERE("sites[%u].hosts[%u]", i, h),
                                       "\"%s\" with path \"%s\" is served by site \"%s\" already",
                                       site->hosts[h], site->path,
                                       other->name != NULL ? other->name : "?");
        }
}

static void check_sites(const struct sg_config *config, struct sg_conf_report *report)
{
    const struct names tenants = {"tenants", config->tenants, sizeof(*config->tenants),
                                  config->tenants_count};
    const struct names origins = {"origins", config->origins, sizeof(*config->origins),
                                  config->origins_count};
    const struct names sites = {"sites", config->sites, sizeof(*config->sites),
                                config->sites_count};
    const struct names rules = {"rules", config->rules, sizeof(*config->rules),
                                config->rules_count};
    check_unique(&tenants, report);
    check_unique(&origins, report);
    check_unique(&sites, report);
    check_unique(&rules, report);
    for (uint32_t i = 0; i < config->rules_count; i++)
        check_reference(&tenants, WHERE("rules[%u].tenant", i), config->rules[i].tenant, report);
    for (uint32_t i = 0; i < config->sites_count; i++) {
        const struct sg_conf_site *site = &config->sites[i];
        check_reference(&tenants, WHERE("sites[%u].tenant", i), site->tenant, report);
        check_reference(&origins, WHERE("sites[%u].origin", i), site->origin, report);
        check_reference(&rules, WHERE("sites[%u].rule", i), site->rule, report);
        check_site_rule(config, site, i, report);
        check_site_cache(&site->cache, i, report);
        check_site_rules(config, site, i, report);
        check_site_routes(config, i, report);
    }
}

/* "eip155:1" of "eip155:1/erc721:0x...". */
static bool is_on(const char *asset, const char *chain)
{
    size_t len = strlen(chain);
    return strncmp(asset, chain, len) == 0 && asset[len] == '/';
}

static void check_chain(const struct sg_config *config, uint32_t i, struct sg_conf_report *report)
{
    const struct sg_conf_chain *chain = &config->chains[i];
    for (uint32_t j = 0; j < i; j++)
        if (same(config->chains[j].id, chain->id))
            sg_conf_mistake_at(report, WHERE("chains[%u].id", i),
                               "\"%s\" is followed by chains[%u] already", chain->id, j);
    if (chain->servers_count > SERVERS_MAX)
        sg_conf_mistake_at(report, WHERE("chains[%u].servers", i),
                           "has %u; right would be at most %u", chain->servers_count, SERVERS_MAX);
    if (chain->agree > chain->servers_count)
        sg_conf_mistake_at(report, WHERE("chains[%u].agree", i),
                           "%u is more than there are servers; right would be at most %u",
                           chain->agree, chain->servers_count);
    for (uint32_t j = 0; j < chain->contracts_count; j++)
        if (chain->id != NULL && chain->contracts[j].asset != NULL &&
            !is_on(chain->contracts[j].asset, chain->id))
            sg_conf_mistake_at(report, WHERE("chains[%u].contracts[%u].asset", i, j),
                               "\"%s\" is on another chain than %s", chain->contracts[j].asset,
                               chain->id);
}

_Static_assert(offsetof(struct sg_conf_tenant, name) == 0, "name_at() reads the first member");
_Static_assert(offsetof(struct sg_conf_origin, name) == 0, "name_at() reads the first member");
_Static_assert(offsetof(struct sg_conf_rule, name) == 0, "name_at() reads the first member");
_Static_assert(offsetof(struct sg_conf_site, name) == 0, "name_at() reads the first member");

void sg_conf_check(const struct sg_config *config, struct sg_conf_report *report)
{
    SG_ASSERT(config != NULL && report != NULL);
    check_node(config, report);
    check_admin_socket(config, report);
    check_listeners(config, report);
    check_cache(&config->cache, report);
    check_tenants(config, report);
    for (uint32_t i = 0; i < config->origins_count; i++)
        check_origin(&config->origins[i], i, report);
    check_sites(config, report);
    for (uint32_t i = 0; i < config->chains_count; i++)
        check_chain(config, i, report);
}
