/* stream1 - what http1.c (a connection's life), request1.c (its input) and reply1.c (its output)
 * share. Private to this folder. */
#ifndef SGD_HTTP_STREAM1_H
#define SGD_HTTP_STREAM1_H

#include "base/pool.h"
#include "dataplane/http/answer1.h"
#include "dataplane/http/chunked.h"
#include "dataplane/http/exchange.h"
#include "dataplane/http/head1.h"
#include "dataplane/http/http1.h"
#include "dataplane/worker/worker.h"

/* IDLE -> HEAD (being read) -> BODY (being read; it may be answered already) -> ANSWER (the request
 * is whole) -> IDLE. CLOSING: what is pulled next is the last. DEAD: to be closed by the engine. */
#define SGD_HTTP1_STATES(X) X(IDLE) X(HEAD) X(BODY) X(ANSWER) X(CLOSING) X(DEAD)
enum sgd_http1_state {
#define X(name) SGD_HTTP1_##name,
    SGD_HTTP1_STATES(X)
#undef X
};

/* Bytes on their way to the wire that outlive the request they answer. */
struct sgd_http1_out {
    struct sg_hold hold;
    struct sgd_http1s *all;
    char bytes[];
};
/* A head as large as the store keeps, and what is said of it beside. */
#define SGD_HTTP1_OUT_BYTES (48u * 1024)

/* A chunk's head, "\r\n" of the one before and six digits: two slices of these. Static as far as
 * the engine is concerned: no pool that could be empty, nothing to count. */
struct sgd_http1_digits {
    char first[4096][5];  /* "\r\n012" */
    char second[4096][5]; /* "345\r\n" */
};
#define SGD_HTTP1_CHUNK_MAX 0xffffffu

struct sgd_http1s {
    struct sgd_worker *worker;
    struct sg_pool conns, streams, outs;
    uint32_t head_bytes; /* room for one in a stream */
    uint32_t idle;
    uint64_t date_s; /* what date_line says */
    char date_line[6 + 29 + 2];
    struct sgd_http1_digits digits;
};

/* One request and its answer. */
struct sgd_stream1 {
    struct sgd_reply reply;
    struct sgd_http1 *conn;
    struct sgd_exchange *x; /* NULL: not open */
    /* the request */
    bool body_done;
    uint32_t in_len;     /* bytes in in[] */
    uint64_t since_ns;   /* when its first byte came */
    uint64_t body_bytes; /* seen so far */
    struct sgd_request request;
    struct sgd_peer peer; /* the connection's, but for the address that a proxy told */
    struct sgd_chunked chunked;
    char authority[64]; /* for HTTP/1.0 without Host */
    /* the answer */
    bool head_given, continue_given, chunk_begun, persists;
    bool torn; /* of an interim head only a part is out: nothing else may follow that */
    enum sgd_framing framing;
    enum sgd_close failed;      /* none: it is well */
    uint8_t pending_count;      /* heads that were not pulled yet */
    struct sg_slice pending[4]; /* 100, 103s, the final one */
    uint64_t answer_left;       /* of a known length */
    uint64_t sent_bytes;        /* of the body, taken by the engine */
    struct sgd_head1 head;
    char in[];
};

struct sgd_http1 {
    SG_MAGIC_FIELD;
#define sgd_http1_MAGIC 0x68747031
    uint8_t state; /* enum sgd_http1_state */
    bool https;
    bool input_ended;
    bool input_held; /* the engine keeps bytes that we did not take */
    bool draining;   /* told to end after what is under way */
    uint32_t requests;
    struct sgd_http1s *all;
    struct sgd_conn *conn;
    struct sgd_stream1 *stream; /* NULL between requests */
    struct sg_slice last;       /* what CLOSING still sends */
    uint64_t deadline_ns;       /* for what the state waits for */
    uint64_t armed_ns;          /* when the engine will wake us: often earlier, to arm it seldom */
};

/* For one more request of a connection that is to end: one may be on its way. */
#define SGD_HTTP1_LAST_NS SG_NS_PER_SEC

/* ---- http1.c ---- */
/* Told to end after what is under way: the worker drains, or the listener is gone. */
bool sgd_http1_is_ending(const struct sgd_http1 *h);
void sgd_http1_enter(struct sgd_http1 *h, enum sgd_http1_state to);
void sgd_http1_deadline(struct sgd_http1 *h, uint64_t at_ns);
const struct sg_conf_limits *sgd_http1_limits(const struct sgd_http1 *h);
/* "date: ...\r\n" of now. */
struct sg_str sgd_http1_date_line(struct sgd_http1s *all);
/* Memory for SGD_HTTP1_OUT_BYTES, with one reference; NULL: all are out. */
struct sgd_http1_out *sgd_http1_out_take(struct sgd_http1s *all);
/* Ends the stream, if there is one, and its exchange. */
void sgd_http1_stream_end(struct sgd_http1 *h, enum sgd_close why, uint64_t now_ns);
/* Answers with `status` (0: with nothing) and what `why` says, then closes. No answer has begun. */
void sgd_http1_refuse(struct sgd_http1 *h, enum sgd_close why, uint16_t status, uint64_t now_ns);
/* The request cannot go on: refuses, or aborts where an answer has begun. */
void sgd_http1_give_up(struct sgd_http1 *h, enum sgd_close why, uint64_t now_ns);
void sgd_http1_abort(struct sgd_http1 *h, enum sgd_close why);

/* ---- request1.c ---- */
size_t sgd_http1_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns);

/* ---- reply1.c ---- */
extern const struct sgd_reply_ops sgd_http1_reply_ops;
/* The head is read: sends 100 (Continue) unless the answer has begun. */
void sgd_http1_continue(struct sgd_stream1 *s);
size_t sgd_http1_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                      enum sgd_pull_more *more, uint64_t now_ns);

#endif
