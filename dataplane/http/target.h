/* target - paths as the whole node sees them: decoded once, without dot segments, one spelling a
 * resource (RFC 3986 section 6.2.2). Pure. */
#ifndef SGD_HTTP_TARGET_H
#define SGD_HTTP_TARGET_H

#include "base/out.h"
#include "base/str.h"

/* Writes the normalised path: unreserved characters decoded, others in upper-case percent form,
 * dot segments removed. False: malformed (%zz, %00, a NUL, an escaped slash or backslash that a
 * server behind might decode, or dot segments that climb over the root): answer 400. */
bool sgd_target_normalise(struct sg_str path, struct sg_out *out);
/* Fully percent-decoded, for matching token claims; the same refusals. */
bool sgd_target_decode(struct sg_str path, struct sg_out *out);

/* Resolves a URI reference (RFC 3986 section 5.2) against an http(s) request for `path`
 * (normalised): writes the normalised path, *query (borrowed of `reference`; ptr NULL: none).
 * False: it is of another origin, or malformed. */
bool sgd_target_resolve(bool https, struct sg_str authority, struct sg_str path,
                        struct sg_str reference, struct sg_out *out, struct sg_str *query);

enum sgd_query_policy { SGD_QUERY_ALL, SGD_QUERY_NONE, SGD_QUERY_LISTED, SGD_QUERY_SORTED };
/* The query for the key: ALL as it came, or parameters sorted by name, stable; only listed ones
 * where so. One spelling (RFC 3986 section 6.2.2), but of a parameter with a malformed escape,
 * which stays as it is. */
void sgd_target_query_key(struct sg_str query, enum sgd_query_policy policy,
                          const char *const *listed, uint32_t listed_count, struct sg_out *out);

#endif
