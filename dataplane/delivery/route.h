/* route - host and path to site: compiled once from a configuration, then read by all workers. */
#ifndef SGD_ROUTE_H
#define SGD_ROUTE_H

#include "base/config.h"
#include "base/str.h"

struct sgd_routes;
/* Borrows `config`, which must outlive *out. The caller owns *out. */
SG_MUST_USE enum sg_err sgd_routes_open(const struct sg_config *config, struct sgd_routes **out);
/* Accepts NULL. */
void sgd_routes_close(struct sgd_routes *routes);

/* How much of `path` a site's path covers, ending on a segment's border; SGD_PREFIX_NONE: none. A
 * run of slashes counts as one: origins take "//a" for "/a", so it must be the same site's. */
#define SGD_PREFIX_NONE SIZE_MAX
size_t sgd_route_prefix(struct sg_str site_path, struct sg_str path);

#define SGD_SITE_NONE UINT32_MAX
/* `authority` in lower case, its port is ignored; `path` normalised. An exact host beats a wildcard
 * (the longest one), that beats "*"; then the longest path prefix on a segment's border. A host
 * that has no site for the path does not fall back to a wildcard. *host_known tells the two misses
 * apart (421 or 404). */
uint32_t sgd_routes_find(const struct sgd_routes *routes, struct sg_str authority,
                         struct sg_str path, bool *host_known);

/* The host's site with access: token that has the shortest path; SGD_SITE_NONE: none has. */
uint32_t sgd_routes_gated(const struct sgd_routes *routes, const struct sg_config *config,
                          struct sg_str authority);

#endif
