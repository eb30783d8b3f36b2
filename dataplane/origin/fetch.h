/* fetch - one request to an origin, run by libcurl on a fetch thread of its own; the worker that
 * started it gets its events as messages and gives it memory to write to. The pool behind it (URLs,
 * weights, health, back-off, retries, signing, connection reuse) is origin/pool.h.
 *
 * Life: worker fills a struct sgd_fetch and calls sgd_fetch_start(). Then the fetch thread owns the
 * fields marked F until SGD_FETCH_DONE arrives, after which the struct is the worker's again.
 * DONE always comes, once, also after an abort. */
#ifndef SGD_FETCH_H
#define SGD_FETCH_H

#include "base/config.h"
#include "base/mail.h"
#include "dataplane/http/message.h"
#include "dataplane/origin/error.h"

#define SGD_FETCH_HEAD_BYTES  32768
#define SGD_FETCH_HINTS_BYTES 4096
#define SGD_FETCH_WINDOWS     4  /* memory grants under way */
#define SGD_FETCH_SPANS       16 /* pieces of a request body under way; neighbours count as one */

enum sgd_fetch_event {
    SGD_FETCH_HEAD = 0x200, /* ptr[0] fetch: status and fields are there; body waits for windows */
    SGD_FETCH_HINTS,        /* ptr[0] fetch: an interim head came (103); once, and before HEAD */
    SGD_FETCH_DATA,         /* ptr[0] fetch, arg32 bytes written at the front of the oldest window;
                               arg64 = 1: that window is full and given back */
    SGD_FETCH_BODY_TAKEN,   /* ptr[0] fetch, arg64 bytes of the request body were sent so far */
    SGD_FETCH_DONE,         /* ptr[0] fetch: ended; error tells how. All windows are given back */
    SGD_FETCH_LAST,
};

struct sgd_pools;    /* all origins of one configuration snapshot: urls, health, back-off */
struct sgd_fetchers; /* the fetch threads: one a process */

struct sgd_fetch {
    /* the worker's, set before start, unchanged until DONE */
    struct sgd_pools *pools;
    uint32_t origin;      /* index in the configuration */
    struct sg_str method; /* "GET" */
    struct sg_str path;   /* as it goes on the wire: percent-encoded, with ?query */
    struct sg_str host;   /* the viewer's authority; used where the origin sets no host_header and
                             forwards it; may be empty */
    const char *version;  /* of HTTP as the request came, static, for Via; NULL: 1.1 */
    struct sg_str fields; /* "name: value\r\n" lines to send, without framing ones */
    uint64_t body_bytes;  /* of the request; 0: none; SGD_LENGTH_UNKNOWN: chunked */
    uint64_t body_bytes_max; /* of the response: more is an error */
    void *user;
    uint16_t worker; /* mail id that gets the events */
    /* F: the fetch thread's; the worker reads them after HEAD (head part) or DONE (the rest) */
    uint16_t status;
    uint16_t error; /* enum sgd_origin_error; SGD_ORIGIN_none when it went well */
    bool length_known;
    uint64_t length; /* Content-Length of the answer */
    uint64_t received_bytes;
    uint64_t begin_mono_ns, head_mono_ns;
    uint64_t begin_wall_ns, head_wall_ns;
    uint32_t head_bytes; /* of head[]: "name: value\r\n" lines, names in lower case, blanks
                            trimmed, all checked; left out: hop-by-hop fields (RFC 9110 7.6.1) and
                            Content-Length, which is `length` */
    char head[SGD_FETCH_HEAD_BYTES];
    uint32_t hints_bytes; /* of hints[]: as head[]; the worker reads it from HINTS on */
    char hints[SGD_FETCH_HINTS_BYTES];
    char upstream[64]; /* host:port that answered, for Proxy-Status next-hop */
    /* the fetchers' own */
    void *priv[8];
};

/* Opens `threads` fetch threads with mail ids from `first_mail_id`. Blocks. */
SG_MUST_USE enum sg_err sgd_fetchers_open(struct sg_mail *mail, uint16_t first_mail_id,
                                          uint32_t threads, struct sgd_fetchers **out);
/* Aborts what runs (each fetch still gets its DONE, as long as its worker's ring has room), ends
 * the threads. After the last sgd_pools_unref() of everybody else. */
void sgd_fetchers_close(struct sgd_fetchers *fetchers);
/* Counted references: a configuration's pools live until the last fetch that uses them is done.
 * Health and back-off of origins that did not change carry over from `old` (may be NULL). */
SG_MUST_USE enum sg_err sgd_pools_open(struct sgd_fetchers *fetchers,
                                       const struct sg_config *config, struct sgd_pools *old,
                                       struct sg_out *report, struct sgd_pools **out);
void sgd_pools_ref(struct sgd_pools *pools);
void sgd_pools_unref(struct sgd_pools *pools);

/* ---- on the worker named in the fetch; none blocks; false: the ring is full, try next turn ----
 */
SG_MUST_USE bool sgd_fetch_start(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch);
/* Memory for the next body bytes; at most SGD_FETCH_WINDOWS at once. Without a window the transfer
 * is paused (that is the back-pressure). */
SG_MUST_USE bool sgd_fetch_window(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch,
                                  uint8_t *memory, uint32_t bytes);
/* Request body: `bytes` stay good until BODY_TAKEN told that they went, or DONE; last: that was
 * all. At most SGD_FETCH_SPANS under way. */
SG_MUST_USE bool sgd_fetch_body(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch,
                                const uint8_t *bytes, uint32_t len, bool last);
SG_MUST_USE bool sgd_fetch_abort(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch);

/* For sgctl status and metrics; any control thread. */
struct sgd_url_status {
    const char *url;
    bool up;
    uint32_t weight;
    uint64_t fetches, errors;
    uint32_t latency_us; /* smoothed, to the head */
    uint64_t backoff_until_ns;
    char last_error[96];
};
uint32_t sgd_pools_status(struct sgd_pools *pools, uint32_t origin, struct sgd_url_status *out,
                          uint32_t max);

#endif
