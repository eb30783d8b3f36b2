/* message - a request and a response as gate, delivery and cache see them: HTTP's semantics
 * (RFC 9110), with nothing of a version's framing. HTTP/1.1 fills them today; HTTP/2 and HTTP/3
 * plug in here. All strings are borrowed from the version's own buffer and live until the exchange
 * closed. */
#ifndef SGD_HTTP_MESSAGE_H
#define SGD_HTTP_MESSAGE_H

#include "base/str.h"
#include "dataplane/engine/engine.h"

enum sgd_method {
    SGD_METHOD_GET,
    SGD_METHOD_HEAD,
    SGD_METHOD_OPTIONS,
    SGD_METHOD_POST,
    SGD_METHOD_PUT,
    SGD_METHOD_DELETE,
    SGD_METHOD_PATCH,
    SGD_METHOD_OTHER, /* a valid token that we give no meaning */
};

/* A field line; name in lower case as HTTP/2 has it, value without surrounding blanks. */
struct sgd_field {
    struct sg_str name, value;
};

#define SGD_FIELDS_MAX     128 /* hard bound; limits.header_fields may be lower */
#define SGD_LENGTH_UNKNOWN UINT64_MAX

struct sgd_request {
    enum sgd_method method;
    struct sg_str method_text;
    bool https;              /* as the viewer reached us */
    struct sg_str authority; /* host[:port], lower case, never empty */
    struct sg_str path;      /* absolute path as sent, still percent-encoded; "*" for OPTIONS * */
    struct sg_str query;     /* without '?'; ptr NULL when there was no '?' */
    const struct sgd_field *fields; /* without connection-specific and framing ones */
    uint16_t fields_count;
    bool has_body;
    uint64_t body_bytes; /* SGD_LENGTH_UNKNOWN: chunked or alike */
    bool expect_continue;
    const char *version; /* "1.1", "2", "3": for Via and the log */
    const struct sgd_peer *peer;
};

/* The value of the only field of that (lower-case) name; ptr NULL when absent. With several lines
 * the first is given and *repeated set (repeated may be NULL). */
struct sg_str sgd_request_field(const struct sgd_request *req, struct sg_str name, bool *repeated);

/* Its body goes to the origin. That of a GET, HEAD or OPTIONS means nothing (RFC 9110
 * section 9.3.1) and is in no key: it is read past. */
static inline bool sgd_request_uploads(const struct sgd_request *req)
{
    return req->has_body && req->method > SGD_METHOD_OPTIONS;
}

/* Case-sensitive, as methods are. */
enum sgd_method sgd_method_of(struct sg_str text);
/* The standard reason phrase, static; empty for a status without one. */
struct sg_str sgd_status_reason(uint16_t status);

struct sgd_response {
    uint16_t status;
    struct sg_str reason;           /* empty: the standard one */
    const struct sgd_field *fields; /* end-to-end ones only: the version adds its framing */
    uint16_t fields_count;
    uint64_t body_bytes; /* SGD_LENGTH_UNKNOWN: until the exchange says END */
    bool no_body;        /* HEAD, 204, 304: body_bytes is then what Content-Length would say */
    bool close;          /* the connection should end after this answer */
};

#endif
