/* cachekey - how requests and purges name what is stored. The key is the site and what the site
 * says is significant of path and query; never a token, never a header but by Vary. Pure. */
#ifndef SGD_CACHEKEY_H
#define SGD_CACHEKEY_H

#include "base/config.h"
#include "base/out.h"
#include "dataplane/http/message.h"
#include "edgecache/content/content.h"

/* "<site>\n<path>[?<query>]", path normalised, query (ptr NULL: none) by the site's policy. */
void sgd_cachekey_primary(const struct sg_conf_site *site, struct sg_str path, struct sg_str query,
                          struct sg_out *out);

/* A Vary marker's head is "<salt>\n<names>": the salt is part of every variant's key, so that a new
 * marker leaves all former variants behind. */
void sgd_cachekey_marker(uint64_t salt, struct sg_str names, struct sg_out *out);
/* The names in a marker's head; ptr NULL when it is none. */
struct sg_str sgd_cachekey_marker_names(struct sg_str head);
/* "<primary>\n<salt>" and for each name the request's value: RFC 9111 section 4.1. */
void sgd_cachekey_variant(struct sg_str primary, struct sg_str marker_head,
                          const struct sgd_request *req, struct sg_out *out);

/* Fills meta->tenant, tags and prefixes with what purges probe: of `lines` the site's tag headers
 * and Cache-Groups (RFC 9875), of the path its prefixes on segment borders, the whole URL first.
 * Tags past SGE_TAGS_MAX are left out: true when all were kept. */
bool sgd_cachekey_purge_marks(const struct sg_conf_site *site, struct sg_str primary,
                              struct sg_str lines, struct sge_meta *meta);

/* What an operator's purge text becomes for sge_purge_hash(): of a URL ("https://host/path?query",
 * or
 * "/path" with `site` given), the same key as a request's; of a prefix, "<site>\n/path" without the
 * last slash. False: the path or query is malformed. */
bool sgd_cachekey_of_url(const struct sg_conf_site *site, struct sg_str path, struct sg_str query,
                         struct sg_out *out);
bool sgd_cachekey_of_prefix(const struct sg_conf_site *site, struct sg_str path,
                            struct sg_out *out);

#endif
