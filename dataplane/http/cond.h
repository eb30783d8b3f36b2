/* cond - conditional and range requests: RFC 9110 sections 13 and 14. Pure. */
#ifndef SGD_HTTP_COND_H
#define SGD_HTTP_COND_H

#include "dataplane/http/date.h"
#include "dataplane/http/message.h"

/* Whether a GET or HEAD is answered by 304: If-None-Match, or else If-Modified-Since, against the
 * stored response's validators (etag with its quotes and W/; ptr NULL: none). If-Match and
 * If-Unmodified-Since are the origin's alone to judge (section 13.2.2; RFC 9111 section 4.3.2). */
bool sgd_cond_not_modified(const struct sgd_request *req, struct sg_str etag,
                           struct sg_str last_modified, struct sg_str date);
/* Two etags name the same, weakly (section 8.8.3.2). */
bool sgd_etag_same(struct sg_str a, struct sg_str b);

#define SGD_RANGES_MAX 16
struct sgd_range {
    uint64_t first, last; /* inclusive */
};
enum sgd_ranges { SGD_RANGES_NONE, SGD_RANGES_SOME, SGD_RANGES_UNSATISFIABLE };
/* Range and If-Range of a GET against a representation of `length` bytes. Malformed, too many
 * or overlapping beyond reason: NONE, the whole is sent. Ranges come coalesced and in the order
 * asked (section 14.2). */
enum sgd_ranges sgd_ranges_of(const struct sgd_request *req, uint64_t length, struct sg_str etag,
                              struct sg_str last_modified, struct sg_str date,
                              struct sgd_range out[SGD_RANGES_MAX], uint32_t *count);
/* Only syntax, without a length: the first byte wanted of a single range "bytes=a-[b]" for filling
 * slices; false for every other form. */
bool sgd_range_hint(const struct sgd_request *req, uint64_t *first, uint64_t *last);

#endif
