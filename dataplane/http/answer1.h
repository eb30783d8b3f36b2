/* answer1 - the bytes of an HTTP/1.1 answer: status line, fields, framing (RFC 9112). Pure; writes
 * to the caller's memory. */
#ifndef SGD_HTTP_ANSWER1_H
#define SGD_HTTP_ANSWER1_H

#include "base/out.h"
#include "dataplane/http/message.h"

enum sgd_framing {
    SGD_FRAMING_NONE,   /* the answer has no body, and says nothing of one (1xx, 204) */
    SGD_FRAMING_LENGTH, /* Content-Length; also where only the length is told (HEAD, 304) */
    SGD_FRAMING_CHUNKED,
    SGD_FRAMING_CLOSE, /* until the connection ends: HTTP/1.0 without a length */
};

struct sgd_answer1 {
    enum sgd_framing framing;
    uint8_t minor;           /* of the request's HTTP/1.x */
    bool persists;           /* the connection takes another request */
    struct sg_str date_line; /* "date: ...\r\n"; used where the response brings no Date */
};

/* How the body of `response` to a request of HTTP/1.`minor` travels. */
enum sgd_framing sgd_answer1_framing(const struct sgd_response *response, uint8_t minor);
/* A final head. False: it does not fit. */
SG_MUST_USE bool sgd_answer1_head(const struct sgd_answer1 *how,
                                  const struct sgd_response *response, struct sg_out *out);
/* A 1xx. */
SG_MUST_USE bool sgd_answer1_interim(const struct sgd_response *response, struct sg_out *out);
/* A whole answer that says why the connection ends here, and what the client can do. */
SG_MUST_USE bool sgd_answer1_refusal(enum sgd_close why, uint16_t status, bool with_body,
                                     uint64_t id, struct sg_str date_line, struct sg_out *out);

#endif
