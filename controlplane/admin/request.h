/* request - the little of HTTP/1.1 that the admin server reads: a request line, its query's
 * parameters; fields are skipped, a body is refused. Pure. */
#ifndef SGC_ADMIN_REQUEST_H
#define SGC_ADMIN_REQUEST_H

#include "base/str.h"

#define SGC_REQUEST_BYTES_MAX 8192

struct sgc_request {
    bool post; /* else GET */
    struct sg_str path;
    struct sg_str query; /* still escaped */
};

enum sgc_parse { SGC_PARSE_MORE, SGC_PARSE_OK, SGC_PARSE_BAD, SGC_PARSE_METHOD };
/* Reads a head; strings are borrowed from `bytes`. MORE: the blank line has not come yet. */
enum sgc_parse sgc_request_parse(struct sg_str bytes, struct sgc_request *out);

/* The unescaped value of parameter `name`, NUL-terminated. False: absent, malformed or too long. */
bool sgc_request_param(const struct sgc_request *request, const char *name, char *out, size_t cap);
/* The same of one that may be absent, and is "" then. False: it is there, malformed or too long. */
bool sgc_request_optional(const struct sgc_request *request, const char *name, char *out,
                          size_t cap);

#endif
