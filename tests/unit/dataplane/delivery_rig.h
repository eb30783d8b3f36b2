/* delivery_rig - delivery on two workers in one thread, over virtual time: the real store in RAM,
 * and an origin, a gate and a purge table whose every word the test says. Mail is delivered when
 * the test turns the crank, so each order of events can be had. */
#ifndef SGT_DELIVERY_RIG_H
#define SGT_DELIVERY_RIG_H

#include "dataplane/gate/grants.h"
#include "dataplane/http/exchange.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/worker/worker.h"
#include "edgecache/state/purges.h"

#include <stdbool.h>

#define RIG_WORKERS 2
#define RIG_SLICE   (64 * 1024)

/* A viewer: one request, what he got so far. */
struct rig_viewer {
    struct sgd_reply reply; /* first: the exchange calls back with it */
    struct sgd_request req;
    struct sgd_field fields[8];
    struct sgd_peer peer;
    struct sgd_exchange *x;
    uint16_t worker;
    int status; /* 0: no head yet */
    uint64_t length;
    char head[4096]; /* "name: value\n" lines */
    uint8_t *body;
    size_t got;
    bool ended, failed, ready;
};

extern struct sgd_worker rig_workers[RIG_WORKERS];
extern struct sg_conf_site rig_site; /* change before asking */
extern struct sg_config rig_config;  /* its limits, too */
extern enum sge_purged rig_purged;   /* what the purge table says of everything older than now */
extern uint64_t rig_purge_seq;
extern uint32_t rig_fetches;              /* begun since rig_open() */
extern struct sgd_signin_job *rig_signin; /* the last one posted to the verifying threads */
extern uint32_t rig_signins;              /* posted since rig_open() */
extern bool rig_signin_full;              /* they take no more */

void rig_open(void);
/* Ends what is left and checks that nothing leaked. */
void rig_close(void);
void rig_sleep_s(uint64_t s);
/* Turns both workers until no mail is left. */
void rig_crank(void);

/* GET of `path` on `worker`; `fields` are "name: value" pairs by twos, NULL-ended; cranks. */
struct rig_viewer *rig_get(uint16_t worker, const char *path, ...) __attribute__((sentinel));
struct rig_viewer *rig_ask(uint16_t worker, const char *method, const char *path, ...)
    __attribute__((sentinel));
/* Reads all there is. */
void rig_read(struct rig_viewer *viewer);
/* The viewer goes, or has all. */
void rig_leave(struct rig_viewer *viewer);
const char *rig_field(const struct rig_viewer *viewer, const char *name);

/* The oldest fetch that waits for a head; NULL: none. */
struct sgd_fetch *rig_fetch(void);
const char *rig_fetch_field(const struct sgd_fetch *fetch, const char *name);
/* The origin speaks; each cranks. `lines` end in "\r\n" each. */
void rig_head(struct sgd_fetch *fetch, uint16_t status, const char *lines, uint64_t length);
/* A text as the body; returns when all of it was taken. */
void rig_text(struct sgd_fetch *fetch, const char *lines, const char *text);
/* `len` bytes of the body, made by rig_byte(). Returns how many there was room for. */
size_t rig_data(struct sgd_fetch *fetch, size_t len);
void rig_done(struct sgd_fetch *fetch, enum sgd_origin_error error);
bool rig_aborted(const struct sgd_fetch *fetch);
/* All at once: a whole answer. */
void rig_answer(struct sgd_fetch *fetch, uint16_t status, const char *lines, size_t length);
uint8_t rig_byte(size_t at);

/* The verifying threads' answer; cranks. */
void rig_signin_answer(struct sgd_signin_job *job, enum sgd_grant_verdict verdict,
                       const char *json);

#endif
