/* exchange - the seam between a version of HTTP and what answers: one request, one final response.
 * The version side opens an exchange when a head is whole and right; delivery answers through the
 * reply's functions; body bytes are pulled, both ways, so nothing is queued that nobody takes.
 * One worker's thread throughout; calls never re-enter: a reply function called inside an
 * exchange function takes effect after that returned. */
#ifndef SGD_HTTP_EXCHANGE_H
#define SGD_HTTP_EXCHANGE_H

#include "dataplane/engine/engine.h"
#include "dataplane/http/message.h"

struct sgd_exchange; /* delivery's */
struct sgd_reply;    /* the version's: embedded in its stream */

/* What delivery calls. */
struct sgd_reply_ops {
    /* Sends a 1xx (100 Continue; 103 Early Hints with fields). */
    void (*interim)(struct sgd_reply *reply, const struct sgd_response *response);
    /* The final head. Copies what it needs before it returns. Once. */
    void (*head)(struct sgd_reply *reply, const struct sgd_response *response);
    /* sgd_exchange_pull() has something to give now. */
    void (*body_ready)(struct sgd_reply *reply);
    /* After a short consume: sgd_exchange_body() can take more now. */
    void (*body_wanted)(struct sgd_reply *reply);
    /* The answer cannot be finished: the peer must see that it was cut. */
    void (*fail)(struct sgd_reply *reply, enum sgd_close why);
};

struct sgd_reply {
    const struct sgd_reply_ops *ops;
    struct sgd_conn *conn;
};

/* What the version side calls. `request` and `reply` live until sgd_exchange_close(). NULL: out of
 * exchanges; answer 503 with Retry-After. */
struct sgd_exchange *sgd_exchange_open(struct sgd_worker *worker, const struct sgd_request *request,
                                       struct sgd_reply *reply, uint64_t now_ns);
/* A head that was refused before an exchange could be opened. What was read of its target is not
 * told: there may be a token in it. */
struct sgd_refused {
    enum sgd_close why;
    uint16_t status;
    enum sgd_method method; /* SGD_METHOD_OTHER also where none was read */
    const struct sgd_peer *peer;
    uint64_t since_ns; /* monotonic: when its first bytes came */
    uint64_t request_bytes;
};
/* Writes it down. Returns the id under which it is found, for X-Request-Id. */
uint64_t sgd_exchange_refused(struct sgd_worker *worker, const struct sgd_refused *refused,
                              uint64_t now_ns);
/* Bytes of the request's body, decoded. Returns how many were taken. */
size_t sgd_exchange_body(struct sgd_exchange *x, const uint8_t *bytes, size_t len, uint64_t now_ns);
/* The body is whole (trailers are dropped by the version). Also called when there is none. */
void sgd_exchange_body_end(struct sgd_exchange *x, uint64_t now_ns);
/* Like sgd_proto.pull, of the response's body. SGD_PULL_END with the last slice. */
size_t sgd_exchange_pull(struct sgd_exchange *x, size_t budget, struct sg_slice *out, size_t max,
                         enum sgd_pull_more *more, uint64_t now_ns);
/* Done, whether all was sent or not (SGD_CLOSE_none: all was). sent_bytes of body. Ends *x. */
void sgd_exchange_close(struct sgd_exchange *x, enum sgd_close why, uint64_t sent_bytes,
                        uint64_t now_ns);

#endif
