/* curl - the door to libcurl: HTTP transfers over one multi handle, driven by epoll. One loop a
 * fetch thread; nothing of it is shared. It may allocate. What libcurl would do of its own accord
 * (redirects, decompression, cookies, proxies from the environment, other schemes) is off. */
#ifndef SGD_SYS_CURL_H
#define SGD_SYS_CURL_H

#include "base/err.h"
#include "base/str.h"
#include "dataplane/origin/error.h"

#include <stdbool.h>
#include <stdint.h>

struct sgd_curl;      /* the loop */
struct sgd_curl_xfer; /* one transfer under way */

/* No call of ours hands over more body bytes than this. */
#define SGD_CURL_PIECE_BYTES 16384
#define SGD_CURL_PAUSE       SIZE_MAX

enum sgd_curl_take {
    SGD_CURL_TAKEN, /* all of it */
    SGD_CURL_LATER, /* none of it: the receiving side pauses; it comes again after a resume */
    SGD_CURL_FAIL,  /* end the transfer */
};

/* All are called from sgd_curl_turn() or sgd_curl_resume_*(), never from the others. */
struct sgd_curl_ops {
    /* A connection is there and the request is about to leave. May come again: a reused connection
     * that turns out to be dead is replaced by another, before any answer. */
    void (*sending)(void *self);
    /* A line with its line end: the status line, fields, the empty one, trailers. False: end. */
    bool (*line)(void *self, const char *line, size_t len);
    /* At most SGD_CURL_PIECE_BYTES of body. */
    enum sgd_curl_take (*body)(void *self, const uint8_t *bytes, size_t len);
    /* Up to `max` bytes of the request's body; 0: that was all; SGD_CURL_PAUSE: none now. */
    size_t (*upload)(void *self, uint8_t *out, size_t max);
    /* The transfer is over and `xfer` gone; `text` lives for the call. Where line() or body()
     * ended it, the error is SGD_ORIGIN_aborted. */
    void (*done)(void *self, enum sgd_origin_error error, const char *text);
};

/* PEM; read at load time, so that a reload and not chance decides when a new file counts. */
struct sgd_curl_tls {
    bool verify;
    struct sg_str ca; /* empty: the system's */
    struct sg_str client_cert, client_key;
    struct evp_pkey_st *key; /* the same as client_key (base/sys/pkey.h); NULL: none */
};

struct sgd_curl_request {
    const char *url;        /* scheme://host:port: what SNI says and the certificate must name */
    const char *connect_to; /* host to connect to instead; NULL: the URL's */
    const char *target;     /* path?query as it goes on the wire */
    const char *method;
    char *fields;        /* "name: value\r\n" lines, NUL-terminated; written over */
    uint64_t body_bytes; /* 0: none; UINT64_MAX: chunked */
    bool fresh;          /* on a new connection, which is never given up for another silently */
    bool expect_h2;      /* this server spoke HTTP/2 before: wait for a connection to share */
    uint32_t connect_timeout_ms;
    const struct sgd_curl_tls *tls;
};

/* `wake_fd` ends a wait and is read empty. */
SG_MUST_USE enum sg_err sgd_curl_open(int wake_fd, struct sgd_curl **out);
/* All transfers have ended or been stopped. Accepts NULL. */
void sgd_curl_close(struct sgd_curl *curl);

/* Borrows the request for the call, `ops` and `self` until done() or stop. */
SG_MUST_USE enum sg_err sgd_curl_start(struct sgd_curl *curl, const struct sgd_curl_request *req,
                                       const struct sgd_curl_ops *ops, void *self,
                                       struct sgd_curl_xfer **out);
/* Ends it at once; done() does not follow. Not from inside an op. */
void sgd_curl_stop(struct sgd_curl_xfer *xfer);
/* After LATER or PAUSE. May call body() before it returns. Not from inside an op. Anything but
 * SGD_ORIGIN_none: it cannot go on; stop it. SGD_ORIGIN_aborted: as in done(). */
SG_MUST_USE enum sgd_origin_error sgd_curl_resume_body(struct sgd_curl_xfer *xfer);
SG_MUST_USE enum sgd_origin_error sgd_curl_resume_upload(struct sgd_curl_xfer *xfer);
/* Its connection serves no other after it. From inside an op, too. */
void sgd_curl_part(struct sgd_curl_xfer *xfer);

/* Waits for events, a wake-up, or until the monotonic `until_ns`. */
void sgd_curl_wait(struct sgd_curl *curl, uint64_t until_ns);
/* Moves everything that can move. */
void sgd_curl_turn(struct sgd_curl *curl);

#endif
