/* pool - one origin: its URLs, which of them is next, and how each is doing. All fetch threads
 * share it, so every call takes its lock, briefly; workers never come here. Time is handed in.
 *
 * Choice: smooth weighted round robin over the URLs that are up; backups only when no other is.
 *
 * Passive health: `fall` failures in a row put a URL down, for half a second, then twice that, and
 * so on up to 15 s, each time a quarter more or less so that nodes do not come back in step. After
 * that one fetch tries it: it is up again, or down for longer. What counts: no connection, no
 * answer in time; 429, 502, 503, 504 (of the only URL that is up: eight times as many); another 5xx
 * or half an answer only where another URL is up. Retry-After is obeyed at once, up to a minute.
 *
 * Active health: with a health path a fetch thread asks each URL; `fall` bad answers in a row put
 * it down until `rise` good ones, which also end a passive back-off. */
#ifndef SGD_ORIGIN_POOL_H
#define SGD_ORIGIN_POOL_H

#include "base/list.h"
#include "base/str.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/origin/sign.h"
#include "dataplane/sys/curl.h"

#include <pthread.h>

#define SGD_POOL_URLS_MAX       32
#define SGD_POOL_URL_NONE       UINT32_MAX
#define SGD_POOL_BACKOFF_MIN_NS 500000000ull
#define SGD_POOL_BACKOFF_MAX_NS 15000000000ull
#define SGD_POOL_RETRY_AFTER_S  60 /* the longest that an origin may ask for */
#define SGD_POOL_ALONE_FACTOR   8
#define SGD_POOL_QUEUE_MAX      256 /* fetches a lane that wait for a connection */

/* Passive health. */
enum sgd_url_state {
    SGD_URL_UP,
    SGD_URL_DOWN,  /* until down_until_ns */
    SGD_URL_TRIAL, /* one fetch is trying whether it is up again */
    SGD_URL_STATE_COUNT
};

struct sgd_url {
    /* constant */
    char *text;       /* as configured */
    char *authority;  /* scheme://host:port; the host is host_header's where there is one */
    char *connect_to; /* the URL's host where that is another; else NULL */
    char *host;       /* host:port, as the URL has it */
    char *base;       /* path prefix without a trailing slash */
    uint32_t weight;
    bool backup;
    _Atomic bool h2; /* spoke HTTP/2 last time */
    /* under the pool's lock */
    enum sgd_url_state state;
    bool check_down;    /* by active checks */
    uint32_t check_run; /* good ones in a row when check_down, bad ones otherwise */
    uint32_t failures;  /* in a row */
    uint32_t downs;     /* times in a row that it was put down: how long the next one is */
    int64_t credit;     /* of the round robin */
    uint64_t down_until_ns;
    uint64_t fetches, errors;
    uint32_t latency_us;
    char last_error[96];
};

/* The part of an origin's connections that one fetch thread may use: that thread's alone. */
struct sgd_lane {
    SG_ALIGNED struct sg_list ready; /* in the fetcher's list of lanes to look at */
    struct sg_list waiting;
    uint32_t waiting_count;
    uint32_t active;
    uint32_t limit;
};

struct sgd_pool {
    /* constant */
    char *name;
    char *host_header; /* NULL: the URL's */
    uint32_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms;
    uint32_t retries;
    uint32_t fall, rise;
    bool shield;
    bool signs;
    struct sgd_sign_key sign;
    struct sgd_curl_tls tls;
    struct sgd_url *urls;
    uint32_t urls_count;
    struct sgd_lane *lanes;
    uint32_t lanes_count;
    pthread_mutex_t lock; /* for the URLs' later half and what follows */
    uint64_t random;
};

enum sgd_outcome {
    SGD_OUTCOME_GOOD,
    SGD_OUTCOME_BUSY,   /* 429, 502, 503, 504: not now, not here */
    SGD_OUTCOME_BROKEN, /* another 5xx, or half an answer: the server, or only this request */
    SGD_OUTCOME_FAILED, /* no answer, or none that makes sense */
    SGD_OUTCOME_UNUSED, /* ended by us: says nothing */
};
enum sgd_outcome sgd_outcome_of_status(uint16_t status);

/* How one attempt went. */
struct sgd_attempt {
    enum sgd_outcome outcome;
    uint32_t retry_after_s; /* as the answer asked; 0: it did not */
    const char *error;      /* in words; NULL: went well */
};

/* The URL for the next attempt, leaving out those in `tried` (a bit each), or SGD_POOL_URL_NONE.
 * Each pick ends with one sgd_pool_result(). */
uint32_t sgd_pool_pick(struct sgd_pool *pool, uint32_t tried, uint64_t now_ns);
/* A good head came: a trial is over, before its body is. */
void sgd_pool_answered(struct sgd_pool *pool, uint32_t url, uint64_t latency_ns);
void sgd_pool_result(struct sgd_pool *pool, uint32_t url, const struct sgd_attempt *attempt,
                     uint64_t now_ns);
/* An active check's result; `error` in words when it is bad. */
void sgd_pool_checked(struct sgd_pool *pool, uint32_t url, bool good, const char *error);
/* `pool` begins with what `old`, of the configuration before, knows of the same URLs. */
void sgd_pool_inherit(struct sgd_pool *pool, struct sgd_pool *old);
uint32_t sgd_pool_status(struct sgd_pool *pool, struct sgd_url_status *out, uint32_t max);

#endif
