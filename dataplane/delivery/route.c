#include "dataplane/delivery/route.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>

enum host_kind { HOST_EXACT, HOST_SUFFIX, HOST_ANY };

struct route {
    enum host_kind kind;
    struct sg_str host; /* HOST_SUFFIX: from the dot on */
    struct sg_str path;
    uint32_t site;
};

struct sgd_routes {
    uint32_t count;
    struct route routes[]; /* exact ones by host; then suffixes, longest first; then "*" */
};

static int compare_str(struct sg_str a, struct sg_str b)
{
    size_t n = SG_MIN(a.len, b.len);
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_routes(const void *pa, const void *pb)
{
    const struct route *a = pa, *b = pb;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == HOST_SUFFIX && a->host.len != b->host.len)
        return a->host.len > b->host.len ? -1 : 1;
    int order = compare_str(a->host, b->host);
    if (order != 0)
        return order;
    return (a->path.len < b->path.len) - (a->path.len > b->path.len); /* longest first */
}

static struct route route_of(const char *host, const char *path, uint32_t site)
{
    struct route r = {HOST_EXACT, sg_str_from(host), sg_str_from(path), site};
    if (strcmp(host, "*") == 0)
        r.kind = HOST_ANY;
    else if (strncmp(host, "*.", 2) == 0)
        r = (struct route){HOST_SUFFIX, sg_str_skip(r.host, 1), r.path, site};
    if (r.path.len > 0 && r.path.ptr[r.path.len - 1] == '/')
        r.path.len--; /* "/" and "/a/" match like "" and "/a": on a segment's border */
    return r;
}

enum sg_err sgd_routes_open(const struct sg_config *config, struct sgd_routes **out)
{
    SG_ASSERT(config != NULL);
    SG_ASSERT(out != NULL);
    size_t count = 0;
    for (uint32_t i = 0; i < config->sites_count; i++)
        count += config->sites[i].hosts_count;
    struct sgd_routes *routes = sg_boot_alloc(sizeof(*routes) + count * sizeof(struct route));
    if (routes == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < config->sites_count; i++) {
        const struct sg_conf_site *site = &config->sites[i];
        for (uint32_t h = 0; h < site->hosts_count; h++)
            routes->routes[routes->count++] = route_of(site->hosts[h], site->path, i);
    }
    qsort(routes->routes, routes->count, sizeof(struct route), compare_routes);
    *out = routes;
    return SG_OK;
}

void sgd_routes_close(struct sgd_routes *routes)
{
    sg_boot_free(routes);
}

/* Without ":port"; an IPv6 literal keeps its brackets. */
static struct sg_str host_of(struct sg_str authority)
{
    for (size_t i = authority.len; i > 0 && authority.ptr[i - 1] != ']'; i--)
        if (authority.ptr[i - 1] == ':')
            return (struct sg_str){authority.ptr, i - 1};
    return authority;
}

static bool host_matches(const struct route *r, struct sg_str host)
{
    switch (r->kind) {
    case HOST_EXACT:
        return sg_str_eq_nocase(r->host, host);
    case HOST_SUFFIX:
        return host.len > r->host.len &&
               sg_str_eq_nocase(r->host, sg_str_skip(host, host.len - r->host.len));
    case HOST_ANY:
        return true;
    }
    SG_UNREACHABLE();
}

static size_t skip_slashes(struct sg_str s, size_t at)
{
    while (at < s.len && s.ptr[at] == '/')
        at++;
    return at;
}

size_t sgd_route_prefix(struct sg_str site_path, struct sg_str path)
{
    size_t at = 0;
    while (site_path.len > 0 && site_path.ptr[site_path.len - 1] == '/')
        site_path.len--; /* "/" and "/a/" match like "" and "/a": on a segment's border */
    for (size_t i = 0; i < site_path.len; at++) {
        if (at == path.len || path.ptr[at] != site_path.ptr[i])
            return SGD_PREFIX_NONE;
        if (path.ptr[at] == '/') {
            i = skip_slashes(site_path, i);
            at = skip_slashes(path, at) - 1;
        } else {
            i++;
        }
    }
    return at == path.len || path.ptr[at] == '/' ? at : SGD_PREFIX_NONE;
}

/* The first exact route for `host`, or the first that is not exact. */
static uint32_t first_for(const struct sgd_routes *routes, struct sg_str host)
{
    uint32_t low = 0, high = routes->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        const struct route *r = &routes->routes[mid];
        if (r->kind == HOST_EXACT && compare_str(r->host, host) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < routes->count && host_matches(&routes->routes[low], host))
        return low;
    while (low < routes->count && routes->routes[low].kind == HOST_EXACT)
        low++;
    return low;
}

/* The first of those that speak for `host`; routes->count: none does. */
static uint32_t first_matching(const struct sgd_routes *routes, struct sg_str host)
{
    uint32_t i = first_for(routes, host);
    while (i < routes->count && !host_matches(&routes->routes[i], host))
        i++;
    return i;
}

uint32_t sgd_routes_find(const struct sgd_routes *routes, struct sg_str authority,
                         struct sg_str path, bool *host_known)
{
    SG_ASSERT(routes != NULL);
    SG_ASSERT(host_known != NULL);
    uint32_t i = first_matching(routes, host_of(authority));
    *host_known = i < routes->count;
    for (uint32_t first = i; i < routes->count; i++) {
        const struct route *r = &routes->routes[i];
        if (!sg_str_eq(r->host, routes->routes[first].host))
            break;
        if (sgd_route_prefix(r->path, path) != SGD_PREFIX_NONE)
            return r->site;
    }
    return SGD_SITE_NONE;
}

uint32_t sgd_routes_gated(const struct sgd_routes *routes, const struct sg_config *config,
                          struct sg_str authority)
{
    uint32_t i = first_matching(routes, host_of(authority)), site = SGD_SITE_NONE;
    for (uint32_t first = i; i < routes->count; i++) {
        const struct route *r = &routes->routes[i];
        if (!sg_str_eq(r->host, routes->routes[first].host))
            break;
        if (config->sites[r->site].access == SG_CONF_ACCESS_TOKEN)
            site = r->site; /* longest paths come first */
    }
    return site;
}
