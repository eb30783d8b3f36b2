/* thread - a worker's thread: opens, on the thread itself, what is the worker's own, runs the loop,
 * closes. Control thread calls. */
#ifndef SGD_NODE_THREAD_H
#define SGD_NODE_THREAD_H

#include "dataplane/worker/worker.h"

#include <pthread.h>
#include <semaphore.h>

struct sgd_thread {
    struct sgd_worker worker; /* the shared parts are filled in by the starter */
    const struct sgd_listener *listeners;
    size_t listeners_count;
    struct sgd_region arena;
    int core;     /* to run on, or -1 */
    sem_t *ready; /* posted once, when it is open or was not to be opened */
    pthread_t id;
    bool started;
    enum sg_err opened;    /* good after ready */
    const char *failed_at; /* which part could not be opened */
    const char *crypto;    /* what seals AES-128-GCM records; good after ready */
    _Atomic bool ended;
};

/* Starts it; wait on `ready`, then read `opened`. */
SG_MUST_USE enum sg_err sgd_thread_start(struct sgd_thread *thread);
/* Waits for the end of its loop. Harmless when it was never started. */
void sgd_thread_join(struct sgd_thread *thread);
/* Frees what fetches and other workers may have been using: after all were joined and the fetchers
 * were closed. */
void sgd_thread_fini(struct sgd_thread *thread);

#endif
