/* upstream - what the origin is told: only what the site lists, never what a viewer could use to
 * poison what others get (DESIGN: key). Pure. */
#ifndef SGD_UPSTREAM_H
#define SGD_UPSTREAM_H

#include "base/config.h"
#include "base/out.h"
#include "dataplane/http/message.h"

struct sgd_upstream_conditions {
    struct sg_str etag;          /* ptr NULL: none */
    struct sg_str last_modified; /* ptr NULL: none */
    bool range;                  /* first .. last, with If-Range when there is an etag */
    uint64_t first, last;
};

/* Path (and query) as it goes on the wire: the site's prefix replaced by origin_path. */
void sgd_upstream_target(const struct sg_conf_site *site, struct sg_str path, struct sg_str query,
                         struct sg_out *out);
/* "name: value\r\n" lines: the fields the site forwards ("*": all but those that carry a viewer's
 * identity or claim another host, which must be named), Accept-Encoding reduced, our
 * conditions. `cookie` is the viewer's without a token, and goes only where Cookie is listed.
 * `pass`: the viewer's own conditions and range go along (nothing of the answer is stored). */
void sgd_upstream_fields(const struct sg_conf_site *site, const struct sgd_request *req,
                         struct sg_str cookie, bool pass,
                         const struct sgd_upstream_conditions *conditions, struct sg_out *out);

#endif
