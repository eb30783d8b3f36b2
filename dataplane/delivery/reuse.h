/* reuse - may a stored response answer this request now? RFC 9111 section 4, RFC 5861. Pure. */
#ifndef SGD_REUSE_H
#define SGD_REUSE_H

#include "dataplane/http/fresh.h"
#include "edgecache/content/content.h"

enum sgd_reuse {
    SGD_REUSE_FRESH,
    SGD_REUSE_STALE,            /* the viewer takes stale (max-stale) */
    SGD_REUSE_WHILE_REVALIDATE, /* serve, and fetch in the background */
    SGD_REUSE_VALIDATE,         /* only after the origin agreed */
};

/* `cc` of the request; NULL: the site ignores the viewer's wishes. */
enum sgd_reuse sgd_reuse_check(const struct sge_meta *meta, bool stale_forced,
                               const struct sgd_cc *cc, uint64_t wall_ns);
/* current_age of section 4.2.3, nanoseconds. */
uint64_t sgd_reuse_age_ns(const struct sge_meta *meta, uint64_t wall_ns);
/* After a failed validation: may it be served stale (stale-if-error)? */
bool sgd_reuse_on_error(const struct sge_meta *meta, const struct sgd_cc *cc, uint64_t wall_ns);

#endif
