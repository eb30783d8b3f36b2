/* http1_fakes - a connection and an exchange of the tests' own, for driving HTTP/1.1 without an
 * engine and without delivery. The connection keeps the promises of engine.h: calls made in a
 * callback take effect after it, input that was not consumed is offered again after a resume. */
#ifndef SGT_HTTP1_FAKES_H
#define SGT_HTTP1_FAKES_H

#include "dataplane/http/exchange.h"
#include "dataplane/http/http1.h"
#include "dataplane/worker/worker.h"

struct sgd_conn {
    struct sgd_worker *worker;
    const struct sgd_proto *proto;
    void *self;
    struct sgd_peer peer;
    bool want_send, paused, ended, closing, aborted, gone;
    enum sgd_close why;
    uint64_t wake_at_ns;
    const char *in;
    size_t in_len;
    size_t step;   /* offer so many bytes at a time */
    size_t budget; /* and pull so many */
    size_t max;    /* slices a pull */
    char out[1 << 16];
    size_t out_len;
};

/* What the exchange does follows from the request's path:
 *   /hello        5 bytes of known length        /chunks    "one" "two" "three", length unknown
 *   /later        nothing, until sgt_x_answer()  /echo      the body, length unknown
 *   /short        says 10 bytes, gives 5         /full      cannot be opened
 *   /fail         fails before a head            /cut       fails after half of the body
 *   /early        103, then as /hello            /304 /204  no body
 *   /close        as /hello, and close           /slow      takes a byte of body, then waits
 *   /refuse       403 without reading the body   /torn      fails inside pull() */
struct sgd_exchange {
    const struct sgd_request *req;
    struct sgd_reply *reply;
    bool open, body_ended;
    char body[1 << 14];
    size_t body_len, given;
    size_t room; /* how much more of the body it takes */
    enum sgd_close why;
    uint64_t sent_bytes;
};
extern struct sgd_exchange sgt_x;      /* one at a time: pipelining is in order */
extern struct sgd_refused sgt_refused; /* the last head that was refused */
extern unsigned sgt_x_count;           /* opened so far */
extern char sgt_x_log[256];            /* their paths */

/* A connection of a worker with limits fit for tests; one at a time. */
struct sgd_conn *sgt_conn_open(bool https);
/* A reload takes away the listener that it came by. */
void sgt_listener_goes(void);
struct sg_conf_limits *sgt_limits(void);
struct sgd_worker *sgt_worker(void);
void sgt_conn_feed(struct sgd_conn *conn, const char *text);
void sgt_conn_run(struct sgd_conn *conn);
/* The peer's FIN. */
void sgt_conn_end(struct sgd_conn *conn);
/* Moves time on, with the wake-ups that fall due. */
void sgt_conn_pass_ms(struct sgd_conn *conn, uint64_t ms);
/* closed() is told; every slice must be given back by then, and all memory. */
void sgt_conn_close(struct sgd_conn *conn);
/* Lets /later answer. */
void sgt_x_answer(void);

#endif
