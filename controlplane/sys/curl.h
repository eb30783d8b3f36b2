/* curl - the control plane's door to libcurl: a POST to each of several servers at once, waited
 * for, over connections that are kept. dataplane/sys/curl.h streams bodies into an epoll loop for
 * the cache's sake; here whole answers of a bounded size are wanted, and a thread that may block.
 * One thread uses a loop and what belongs to it. Redirects, cookies, proxies from the environment
 * and schemes but http and https are off; https is verified always. */
#ifndef SGC_SYS_CURL_H
#define SGC_SYS_CURL_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sgc_curl;      /* the loop and its connections */
struct sgc_curl_peer; /* a server, and the buffer for what it answers */

SG_MUST_USE enum sg_err sgc_curl_open(struct sgc_curl **out);
/* All peers are closed. Accepts NULL. */
void sgc_curl_close(struct sgc_curl *curl);
/* Any thread: what is under way and everything later ends as cancelled. */
void sgc_curl_cancel(struct sgc_curl *curl);

struct sgc_curl_target {
    const char *url;
    struct sg_str fields; /* "name: value" lines, sent with each request */
    struct sg_str ca;     /* PEM; empty: the system's */
    uint32_t connect_timeout_ms;
    size_t answer_bytes_max;
};
/* Copies the target. SG_EINVAL: not a URL that is asked for, or a field line that is none. */
SG_MUST_USE enum sg_err sgc_curl_peer_open(struct sgc_curl *curl,
                                           const struct sgc_curl_target *target,
                                           struct sgc_curl_peer **out);
void sgc_curl_peer_close(struct sgc_curl_peer *peer);

enum sgc_curl_end {
    SGC_CURL_ANSWERED,    /* whole; `status` may still say no */
    SGC_CURL_UNREACHABLE, /* no address, no connection, or it broke */
    SGC_CURL_TIMEOUT,
    SGC_CURL_TLS,
    SGC_CURL_TOO_LARGE,
    SGC_CURL_GARBAGE, /* not HTTP */
    SGC_CURL_CANCELLED,
    SGC_CURL_NO_MEMORY,
};
struct sgc_curl_post {
    struct sgc_curl_peer *peer; /* no peer twice in a call */
    struct sg_str body;
    uint32_t timeout_ms;
    /* The answer. */
    enum sgc_curl_end end;
    uint16_t status;
    uint32_t retry_after_s; /* 0: it did not say */
    uint32_t took_us;
    struct sg_str answer; /* until the peer's next post */
};
/* Sends all at once and waits for all. The content is JSON. */
void sgc_curl_post(struct sgc_curl *curl, struct sgc_curl_post *posts, uint32_t count);

/* ---- a connection for another protocol: WebSocket ---- */

struct sgc_curl_conn;
/* Connects, with TLS for https; blocks for as long as the target's limit. The target's fields and
 * answer_bytes_max are not used. Any thread, no loop. */
SG_MUST_USE enum sg_err sgc_curl_conn_open(const struct sgc_curl_target *target,
                                           struct sgc_curl_conn **out);
void sgc_curl_conn_close(struct sgc_curl_conn *conn);
/* To wait on. Data may be there though it is not readable: TLS reads ahead. So read until
 * SG_EAGAIN first. */
int sgc_curl_conn_fd(const struct sgc_curl_conn *conn);
/* SG_EAGAIN: none now. SG_ECONNRESET: it ended. */
SG_MUST_USE enum sg_err sgc_curl_conn_recv(struct sgc_curl_conn *conn, void *out, size_t max,
                                           size_t *len);
/* SG_EAGAIN: nothing of it now; else how much of it, in *len. */
SG_MUST_USE enum sg_err sgc_curl_conn_send(struct sgc_curl_conn *conn, const void *bytes,
                                           size_t bytes_len, size_t *len);

#endif
