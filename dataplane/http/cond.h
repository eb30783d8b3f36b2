/* cond - conditional and range requests: RFC 9110 sections 13 and 14. Pure. */
#ifndef SGD_HTTP_COND_H
#define SGD_HTTP_COND_H

#include "dataplane/http/date.h"
#include "dataplane/http/message.h"

enum sgd_cond { SGD_COND_GO, SGD_COND_NOT_MODIFIED, SGD_COND_FAILED };
/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since in the order of section 13.2.2,
 * against the stored response's validators (etag with its quotes and W/; ptr NULL: none). */
enum sgd_cond sgd_cond_check(const struct sgd_request *req, struct sg_str etag,
                             struct sg_str last_modified, struct sg_str date);

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
