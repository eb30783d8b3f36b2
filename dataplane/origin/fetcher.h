/* fetcher - the fetch threads: each a mailbox, a libcurl loop, and the transfers it runs. */
#ifndef SGD_ORIGIN_FETCHER_H
#define SGD_ORIGIN_FETCHER_H

#include "base/list.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/sys/curl.h"

#include <pthread.h>

/* Messages from workers; ptr[0] is the fetch. */
enum sgd_fetcher_msg {
    SGD_FETCHER_START = 0x300,
    SGD_FETCHER_WINDOW, /* ptr[1] memory, arg32 bytes */
    SGD_FETCHER_BODY,   /* ptr[1] bytes, arg32 length, arg64 last */
    SGD_FETCHER_ABORT,
};

#define SGD_FETCHERS_MAX         16
#define SGD_FETCHER_BUCKETS      1024
#define SGD_FETCHER_TARGET_BYTES (16u * 1024)
#define SGD_FETCHER_FIELD_BYTES  (128u * 1024)

struct sgd_transfer;

struct sgd_fetcher {
    struct sgd_fetchers *fetchers;
    struct sg_mail *mail;
    uint16_t mail_id;
    uint16_t index;
    struct sgd_curl *curl;
    struct sg_list transfers; /* all of them */
    struct sg_list untold;    /* those with something to tell their worker */
    struct sg_list ready;     /* lanes with room and fetches that wait for it */
    struct sgd_transfer *buckets[SGD_FETCHER_BUCKETS];
    uint64_t now_ns; /* monotonic, of this turn */
    uint64_t tick_ns;
    char *target, *fields; /* scratch: of the request being started */
    struct sg_list pools;  /* those alive; on the first thread only */
    uint64_t health_ns;    /* when a check is due */
    pthread_t thread;
    bool running;
};

struct sgd_fetchers {
    struct sg_mail *mail;
    uint16_t first_mail_id;
    uint32_t threads;
    _Atomic bool stop;
    _Atomic uint32_t pools_alive;
    /* Stacks: any thread pushes, the first fetch thread takes all. */
    struct sgd_pools *_Atomic fresh;
    struct sgd_pools *_Atomic dead;
    struct sgd_fetcher *fetchers;
};

/* New pools, to be looked after; and those that nobody holds any more. Any thread. */
void sgd_fetchers_welcome(struct sgd_fetchers *fetchers, struct sgd_pools *pools);
void sgd_fetchers_bury(struct sgd_fetchers *fetchers, struct sgd_pools *pools);

#endif
