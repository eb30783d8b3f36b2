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

#define SGD_FETCHERS_MAX        16
#define SGD_FETCHER_BUCKETS     1024
#define SGD_FETCHER_FIELD_BYTES (128u * 1024)

struct sgd_transfer;

struct sgd_fetcher {
    struct sgd_fetchers *fetchers;
    struct sg_mail *mail;
    uint16_t mail_id;
    uint16_t index;
    struct sgd_curl *curl;
    struct sg_list transfers; /* all of them */
    struct sg_list untold;    /* those with something to tell their worker */
    struct sgd_transfer *buckets[SGD_FETCHER_BUCKETS];
    uint64_t now_ns; /* monotonic, of this turn */
    uint64_t tick_ns;
    char *fields; /* scratch: the fields of the request being started */
    pthread_t thread;
    bool running;
};

struct sgd_fetchers {
    struct sg_mail *mail;
    uint16_t first_mail_id;
    uint32_t threads;
    _Atomic bool stop;
    _Atomic uint32_t pools_alive;
    struct sgd_pools *_Atomic dead; /* a stack: any thread pushes, the first fetch thread frees */
    struct sgd_fetcher *fetchers;
};

#endif
