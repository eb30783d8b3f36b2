/* fresh - what HTTP says about storing and reusing a response: RFC 9111, 9213, 5861, 8246. Pure
 * functions over fields; no memory, no clock. Times are Unix nanoseconds, durations nanoseconds. */
#ifndef SGD_HTTP_FRESH_H
#define SGD_HTTP_FRESH_H

#include "dataplane/http/cc.h"
#include "dataplane/http/lines.h"
#include "dataplane/http/vary.h"

struct sgd_fresh_policy { /* from the site's configuration; all in nanoseconds */
    uint64_t default_ttl_ns, min_ttl_ns, max_ttl_ns;
    uint64_t swr_ns, sie_ns;
    uint64_t negative_ttl_ns; /* for this status; 0: none */
    bool ignore_request;      /* the viewer's no-store doesn't keep the response out */
};
enum sgd_store_flag {                              /* kept in sge_meta.flags */
                      SGD_STORE_NO_CACHE = 1 << 0, /* validate before every use */
                      SGD_STORE_MUST_REVALIDATE =
                          1 << 1, /* never stale: must-revalidate, proxy-revalidate, s-maxage */
                      SGD_STORE_VARY_MARK =
                          1 << 2, /* a marker: head holds the names that Vary lists */
                      SGD_STORE_PASS_MARK = 1 << 3, /* hit-for-pass */
                      SGD_STORE_IMMUTABLE = 1 << 4,
                      SGD_STORE_HEURISTIC = 1 << 5,
                      SGD_STORE_PRIVATE_FIELDS =
                          1 << 6, /* what private= and no-cache= name is left out of head */
                      SGD_STORE_VALIDATOR = 1 << 7, /* has an ETag or Last-Modified */
                      SGD_STORE_PARTIAL = 1
                                          << 8, /* slices of a 206: not all of the body is there */
};
struct sgd_fresh {
    bool storable;        /* RFC 9111 section 3, for a shared cache */
    uint16_t flags;       /* enum sgd_store_flag */
    uint64_t lifetime_ns; /* section 4.2.1, 4.2.2 */
    uint64_t initial_age_ns;
    uint64_t swr_ns, sie_ns;
};
/* What to do with a response of `status` to `req`. `now_ns` when its head came, `asked_ns` when the
 * request left (section 4.2.3). */
void sgd_fresh_of_response(const struct sgd_request *req, uint16_t status, struct sg_str lines,
                           const struct sgd_fresh_policy *policy, uint64_t asked_ns,
                           uint64_t now_ns, struct sgd_fresh *out);

#endif
