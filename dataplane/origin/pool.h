/* pool - one origin: its URLs, which of them is next, and how each is doing. All fetch threads
 * share it, so every call takes its lock, briefly; workers never come here. Time is handed in. */
#ifndef SGD_ORIGIN_POOL_H
#define SGD_ORIGIN_POOL_H

#include "base/config.h"
#include "base/str.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/sys/curl.h"

#include <pthread.h>

#define SGD_POOL_URLS_MAX 32

struct sgd_url {
    char *text;      /* as configured */
    char *authority; /* scheme://host:port */
    char *host;      /* host:port, as Host has it */
    char *base;      /* path prefix without a trailing slash */
    uint32_t weight;
    bool backup;
    _Atomic bool h2; /* spoke HTTP/2 last time */
};

struct sgd_pool {
    char *name;
    char *host_header; /* NULL: the URL's */
    uint32_t connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms;
    uint32_t retries;
    uint32_t connections_max; /* 0: no limit */
    bool shield;
    struct sgd_curl_tls tls;
    struct sgd_url *urls;
    uint32_t urls_count;
    pthread_mutex_t lock;
};

enum sgd_outcome {
    SGD_OUTCOME_GOOD,
    SGD_OUTCOME_BUSY,   /* an answer that says "not now" */
    SGD_OUTCOME_FAILED, /* no answer, or none that makes sense */
    SGD_OUTCOME_UNUSED, /* ended by us: says nothing */
};

/* The URL for the next attempt, leaving out those in `tried` (a bit each); SGD_POOL_URL_NONE. */
#define SGD_POOL_URL_NONE UINT32_MAX
uint32_t sgd_pool_pick(struct sgd_pool *pool, uint32_t tried, uint64_t now_ns);
/* How an attempt on what was picked went; once for each pick. */
void sgd_pool_result(struct sgd_pool *pool, uint32_t url, enum sgd_outcome outcome,
                     uint64_t now_ns);

#endif
