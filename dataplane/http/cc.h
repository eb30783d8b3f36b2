/* cc - Cache-Control and its targeted forms, read: RFC 9111 section 5.2, RFC 9213, RFC 5861, RFC
 * 8246. Pure. Durations are nanoseconds. */
#ifndef SGD_HTTP_CC_H
#define SGD_HTTP_CC_H

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

/* Pragma: no-cache counts where there is no Cache-Control (RFC 9111 section 5.4). */
void sgd_cc_of_request(const struct sgd_request *req, struct sgd_cc *out);
/* Targeted first (StreamGate-Cache-Control, then CDN-Cache-Control: RFC 9213, structured field; a
 * malformed one is ignored), else Cache-Control; *targeted tells which: with a targeted one Expires
 * says nothing either. A response's Pragma never does. */
void sgd_cc_of_response(struct sg_str lines, struct sgd_cc *out, bool *targeted);
/* Cache-Control alone: what a response says to those who are no cache of this node's. */
void sgd_cc_of_all(struct sg_str lines, struct sgd_cc *out);
/* Whether no_cache_fields or private_fields names that field (any case). */
bool sgd_cc_lists(struct sg_str fields, struct sg_str name);

#endif
