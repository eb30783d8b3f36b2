/* worker - one thread a core: its engine, its shard of the store, its view of everything. The loop
 * is: engine turn, mail, timers of the store, RCU quiescence. Modules of the dataplane get this
 * struct and take from it what they need; nothing here is shared with another worker but what says
 * so. */
#ifndef SGD_WORKER_H
#define SGD_WORKER_H

#include "base/clock.h"
#include "base/config.h"
#include "base/mail.h"
#include "dataplane/engine/engine.h"
#include "dataplane/worker/snapshot.h"
#include "edgecache/content/content.h"
#include "edgecache/log/reqlog.h"
#include "edgecache/log/stats.h"
#include "edgecache/state/purges.h"
#include "edgecache/state/state.h"

struct sgd_delivery;       /* one worker's exchanges and fills: dataplane/delivery */
struct sgd_fetchers;       /* threads that ask origins: dataplane/origin/fetch.h */
struct sgd_gate_core;      /* one worker's part of the gate: dataplane/gate/gate.h */
struct sgd_listen;         /* dataplane/engine/listen.h */
struct sgd_grants;         /* threads that check wallets' grants: dataplane/gate/grants.h */
struct sgd_handshake_next; /* dataplane/tls/handshake.h */
struct sgd_http1s;         /* HTTP/1.1 connections: dataplane/http/http1.h */
struct sgd_limits;         /* what viewers may have at once: dataplane/engine/limits.h */
struct sgd_viewers;        /* addresses that use a token: dataplane/gate/viewers.h */
struct sgd_handshakes;     /* TLS handshakes under way: dataplane/tls/handshake.h */
struct sgd_tlscrypto;      /* what seals and opens records: dataplane/tls/record.h */

struct sgd_worker {
    uint16_t id; /* = mail id = shard */
    uint16_t workers_count;
    struct sg_mail *mail;
    struct sgd_snapshot *snapshot; /* the current one; the worker holds a reference */
    const struct sgd_engine_ops *engine_ops;
    struct sgd_engine *engine;
    struct sge_content *content; /* shared */
    struct sge_shard *shard;
    struct sge_state *state; /* shared */
    struct sge_state_reader *state_reader;
    struct sge_purges *purges;     /* shared */
    struct sge_reqlog *reqlog;     /* shared; this worker's ring is its own */
    struct sge_stats *stats;       /* this worker's */
    struct sgd_fetchers *fetchers; /* shared */
    struct sgd_grants *grants;     /* shared; NULL: nobody signs in (tests) */
    struct sgd_viewers *viewers;   /* shared: dataplane/gate/viewers.h; NULL: none (tests) */
    struct sgd_limits *limits;     /* shared: dataplane/engine/limits.h; NULL: none (tests) */
    struct sgd_gate_core *gate_core;
    struct sgd_delivery *delivery;
    struct sgd_tlscrypto *tls_crypto; /* opened before the engine, closed after it */
    struct sgd_handshakes *handshakes;
    struct sgd_http1s *http1s;                  /* closed after the engine */
    const struct sgd_handshake_next *protocols; /* what may speak after accept or handshake */
    uint64_t now_ns;                            /* monotonic, once a turn */
    uint64_t wall_ns;                           /* Unix, once a turn */
    uint64_t drain_deadline_ns;                 /* SG_NEVER until SGD_MSG_DRAIN */
    uint64_t drain_began_ns;
    uint64_t stop_deadline_ns; /* of SGD_MSG_STOP */
    bool draining;             /* take no new requests; what is idle closes (sgd_proto.drain) */
    bool stopping;
    bool cut;                    /* what was left has been aborted */
    _Atomic uint32_t listens_by; /* serial of the snapshot whose listeners' sockets are used, and
                                    no others; control reads it */
    _Atomic bool deaf;  /* draining: the listeners' sockets are no longer used; control reads it */
    _Atomic bool quiet; /* draining, and nothing of its own is under way; control reads it */
};

/* What control threads tell a worker, beside what dataplane/delivery takes. */
enum sgd_worker_msg {
    SGD_MSG_SNAPSHOT = 0x400, /* ptr[0] snapshot: a reference that is the worker's from now on;
                                 ptr[1] struct sgd_listen: its sockets, until the next */
    SGD_MSG_DRAIN,            /* arg64: monotonic ns after which what is left is cut */
    SGD_MSG_STOP,             /* cut what is left and leave the loop */
};

/* The thread's life: turns until stopped. A worker that has drained stays, since others' requests
 * may want objects of its shard: control stops all once all are quiet. The caller filled in the
 * fields above and owns them; the engine must have been opened, and is closed by the caller on the
 * same thread afterwards. */
void sgd_worker_run(struct sgd_worker *worker);

/* For engines, around the wait for events: no RCU reference is held across. */
void sgd_worker_offline(struct sgd_worker *worker);
void sgd_worker_online(struct sgd_worker *worker);
/* For engines, before a turn's first callback: reads the clocks. */
static inline void sgd_worker_tick(struct sgd_worker *worker)
{
    worker->now_ns = sg_clock_mono_ns();
    worker->wall_ns = sg_clock_wall_ns();
}
/* What the configuration says of a listener: the current one or, where a reload took the listener
 * away, the last that has it. */
static inline const struct sgd_snapshot *
sgd_worker_listener_snapshot(const struct sgd_worker *worker, const struct sgd_listener *listener)
{
    return listener->gone != NULL ? listener->gone : worker->snapshot;
}
static inline const struct sg_conf_listener *
sgd_worker_listener(const struct sgd_worker *worker, const struct sgd_listener *listener)
{
    const struct sg_config *config = sgd_worker_listener_snapshot(worker, listener)->config;
    SG_DASSERT(listener->index < config->listeners_count);
    return &config->listeners[listener->index];
}
/* For engines: a new connection. Decides TLS or plain, sets the proto. False: refuse it. */
SG_MUST_USE bool sgd_worker_accept(struct sgd_worker *worker, struct sgd_conn *conn);

#endif
