/* fresh - what HTTP says about storing and reusing a response: RFC 9111, 9213, 5861, 8246. Pure
 * functions over fields; no memory, no clock. Times are Unix nanoseconds, durations nanoseconds. */
#ifndef SGD_HTTP_FRESH_H
#define SGD_HTTP_FRESH_H

#include "base/out.h"
#include "dataplane/http/message.h"

/* Cache-Control of one side, read as RFC 9111 section 5.2 and RFC 9213 say: unknown directives
 * ignored, quoted and token forms both, the smallest of repeated ages, an unreadable age is 0. */
enum sgd_cc_flag {
    SGD_CC_NO_STORE = 1 << 0,
    SGD_CC_NO_CACHE = 1 << 1,        /* unqualified */
    SGD_CC_NO_CACHE_FIELDS = 1 << 2, /* qualified: those fields are not reused without validation */
    SGD_CC_PRIVATE = 1 << 3,
    SGD_CC_PRIVATE_FIELDS = 1 << 4,
    SGD_CC_PUBLIC = 1 << 5,
    SGD_CC_MUST_REVALIDATE = 1 << 6,
    SGD_CC_PROXY_REVALIDATE = 1 << 7,
    SGD_CC_MUST_UNDERSTAND = 1 << 8,
    SGD_CC_NO_TRANSFORM = 1 << 9,
    SGD_CC_IMMUTABLE = 1 << 10,
    SGD_CC_ONLY_IF_CACHED = 1 << 11,
    SGD_CC_MAX_AGE = 1 << 12, /* the duration below is set */
    SGD_CC_S_MAXAGE = 1 << 13,
    SGD_CC_SWR = 1 << 14,
    SGD_CC_SIE = 1 << 15,
    SGD_CC_MAX_STALE = 1 << 16,
    SGD_CC_MAX_STALE_ANY = 1 << 17,
    SGD_CC_MIN_FRESH = 1 << 18,
};
struct sgd_cc {
    uint32_t flags; /* enum sgd_cc_flag */
    uint64_t max_age_ns, s_maxage_ns, swr_ns, sie_ns, max_stale_ns, min_fresh_ns;
    struct sg_str no_cache_fields, private_fields; /* the quoted lists */
};

/* An iterator over a response's head as it is stored and fetched: "name: value\r\n" lines. */
bool sgd_lines_next(struct sg_str *rest, struct sgd_field *field);
/* First value of `name`; ptr NULL when absent; *repeated as in sgd_request_field(). */
struct sg_str sgd_lines_field(struct sg_str lines, struct sg_str name, bool *repeated);

void sgd_cc_of_request(const struct sgd_request *req, struct sgd_cc *out);
/* Targeted first (StreamGate-Cache-Control, then CDN-Cache-Control: RFC 9213, structured field; a
 * malformed one is ignored), else Cache-Control (and Pragma, Expires by the caller's
 * sgd_fresh_lifetime). *targeted tells which. */
void sgd_cc_of_response(struct sg_str lines, struct sgd_cc *out, bool *targeted);

struct sgd_fresh_policy { /* from the site's configuration; all in nanoseconds */
    uint64_t default_ttl_ns, min_ttl_ns, max_ttl_ns;
    uint64_t swr_ns, sie_ns;
    uint64_t negative_ttl_ns; /* for this status; 0: none */
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
                      SGD_STORE_PRIVATE_FIELDS = 1 << 6, /* fields were left out of head */
                      SGD_STORE_VALIDATOR = 1 << 7,      /* has an ETag or Last-Modified */
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

/* Vary: true and *star for "*" (never matches). Names are written to `out` in lower case, sorted,
 * without repeats, comma-separated; accept-encoding included. False: no Vary. */
bool sgd_vary_names(struct sg_str lines, struct sg_out *out, bool *star);
/* The variant part of a key: for each of `names` "\nname:normalised value" (lists re-spaced,
 * Accept-Encoding reduced to the codings we key on, in a fixed order; RFC 9111 section 4.1). */
void sgd_vary_key(const struct sgd_request *req, struct sg_str names, struct sg_out *out);

#endif
