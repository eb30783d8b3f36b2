#include "dataplane/worker/worker.h"

#include "base/log.h"
#include "base/sys/rcu.h"
#include "dataplane/delivery/delivery.h"
#include "dataplane/engine/listen.h"
#include "dataplane/tls/handshake.h"

#define MESSAGES_A_TURN 256u
#define DRAIN_TURN_NS                                                                              \
    (10 * SG_NS_PER_MS) /* how often a draining worker looks whether it is done                    \
                         */
/* What the kernel had accepted already when accepting stopped is still on its way to us. */
#define DRAIN_SETTLE_NS (50 * SG_NS_PER_MS)
#define STOP_NS         (500 * SG_NS_PER_MS) /* for what is cut to end in order */

void sgd_worker_offline(struct sgd_worker *worker)
{
    if (worker->now_ns != 0)
        sge_stat_add(worker->stats, SGE_STAT_loop_busy_ns, sg_clock_mono_ns() - worker->now_ns);
    sg_rcu_offline();
}

void sgd_worker_online(struct sgd_worker *worker)
{
    sg_rcu_online();
    (void)worker;
}

bool sgd_worker_accept(struct sgd_worker *worker, struct sgd_conn *conn)
{
    const struct sgd_listener *listener = sgd_conn_peer(conn)->listener;
    const struct sgd_snapshot *snapshot = sgd_worker_listener_snapshot(worker, listener);
    SG_ASSERT(listener->index < snapshot->config->listeners_count);
    struct sgd_tls_ctx *tls = snapshot->tls != NULL ? snapshot->tls[listener->index] : NULL;
    if (tls == NULL)
        return worker->protocols->http1(worker, conn);
    const struct sg_conf_limits *limits = &worker->snapshot->config->limits;
    return sgd_handshake_start(worker->handshakes, conn, tls, worker->protocols, worker->now_ns,
                               limits->handshake_timeout_ms * SG_NS_PER_MS);
}

/* ---- draining ---- */

static void worker_drain_conn(struct sgd_conn *conn, const struct sgd_proto *proto, void *self,
                              void *arg)
{
    struct sgd_worker *worker = arg;
    if (proto->drain != NULL)
        proto->drain(self, worker->now_ns);
    (void)conn;
}

static void worker_cut_conn(struct sgd_conn *conn, const struct sgd_proto *proto, void *self,
                            void *arg)
{
    sgd_conn_abort(conn, SGD_CLOSE_drained);
    (void)proto, (void)self, (void)arg;
}

static void worker_drain(struct sgd_worker *worker, uint64_t deadline_ns)
{
    worker->drain_deadline_ns = deadline_ns;
    if (worker->draining)
        return;
    worker->drain_began_ns = worker->now_ns;
    worker->draining = true;
    worker->engine_ops->stop_accepting(worker->engine);
    worker->engine_ops->each_conn(worker->engine, worker_drain_conn, worker);
}

/* Nothing of its own is under way. It may still have to work for another worker's exchanges. */
static bool worker_is_quiet(const struct sgd_worker *worker)
{
    return worker->engine_ops->conn_count(worker->engine) == 0 &&
           sgd_delivery_busy(worker->delivery) == 0;
}

/* Ends what is left: connections by a reset, fetches by an abort, which takes some turns. */
static void worker_cut(struct sgd_worker *worker)
{
    uint32_t conns = worker->engine_ops->conn_count(worker->engine);
    if (conns != 0 && !worker->cut)
        sg_info("worker %u: %u connections are cut at the end of the drain", worker->id, conns);
    worker->cut = true;
    worker->engine_ops->each_conn(worker->engine, worker_cut_conn, worker);
    sgd_delivery_abort(worker->delivery);
}

static void worker_stop(struct sgd_worker *worker)
{
    if (worker->stopping)
        return;
    worker_drain(worker, worker->now_ns);
    worker->stopping = true;
    worker->stop_deadline_ns = worker->now_ns + STOP_NS;
}

/* A viewer who came to us rather than to the process that follows is still taken. */
static void worker_grow_deaf(struct sgd_worker *worker)
{
    worker->engine_ops->stop_accepting(worker->engine);
    if (worker->now_ns >= worker->drain_began_ns + DRAIN_SETTLE_NS)
        atomic_store_explicit(&worker->deaf, true, memory_order_release);
}

/* While draining: cuts when it is time, says when all is done, asks for a turn soon. */
static uint64_t worker_drain_turn(struct sgd_worker *worker, uint64_t wake_at_ns)
{
    if (!worker->draining)
        return wake_at_ns;
    if (worker->stopping || worker->now_ns >= worker->drain_deadline_ns)
        worker_cut(worker);
    if (!atomic_load_explicit(&worker->deaf, memory_order_relaxed))
        worker_grow_deaf(worker);
    bool settled = worker->stopping || worker->now_ns >= worker->drain_began_ns + DRAIN_SETTLE_NS;
    atomic_store_explicit(&worker->quiet, settled && worker_is_quiet(worker), memory_order_release);
    return SG_MIN(wake_at_ns, worker->now_ns + DRAIN_TURN_NS);
}

static bool worker_may_leave(const struct sgd_worker *worker)
{
    return worker->stopping && (atomic_load_explicit(&worker->quiet, memory_order_relaxed) ||
                                worker->now_ns >= worker->stop_deadline_ns);
}

/* ---- the loop ---- */

static void worker_switch(struct sgd_worker *worker, struct sgd_snapshot *snapshot,
                          const struct sgd_listen *listen)
{
    SG_ASSERT(snapshot != NULL && listen != NULL);
    size_t count;
    const struct sgd_listener *listeners = sgd_listen_worker(listen, worker->id, &count);
    struct sgd_snapshot *old = worker->snapshot;
    sgd_snapshot_hold(snapshot, worker->id);
    worker->engine_ops->listen(worker->engine, listeners, count);
    worker->snapshot = snapshot;
    sgd_snapshot_release(old, worker->id);
    sgd_snapshot_unref(old);
}

static void worker_message(struct sgd_worker *worker, const struct sg_msg *msg)
{
    switch (msg->type) {
    case SGD_MSG_SNAPSHOT:
        worker_switch(worker, msg->ptr[0], msg->ptr[1]);
        break;
    case SGD_MSG_DRAIN:
        worker_drain(worker, msg->arg64);
        break;
    case SGD_MSG_STOP:
        worker_stop(worker);
        break;
    default:
        sgd_delivery_message(worker->delivery, msg);
    }
}

/* Control closes what a reload took away once it is seen here. */
static void worker_tell_listens(struct sgd_worker *worker)
{
    uint32_t told = atomic_load_explicit(&worker->listens_by, memory_order_relaxed);
    if (told != worker->snapshot->serial && !worker->engine_ops->letting_go(worker->engine))
        atomic_store_explicit(&worker->listens_by, worker->snapshot->serial, memory_order_release);
}

/* A bounded number; what is left keeps the engine from sleeping. */
static void worker_mail(struct sgd_worker *worker)
{
    struct sg_msg messages[16];
    uint32_t total = 0, count;
    do {
        count = sg_mail_take(worker->mail, worker->id, messages, SG_COUNT(messages));
        for (uint32_t i = 0; i < count; i++)
            worker_message(worker, &messages[i]);
        total += count;
    } while (count == SG_COUNT(messages) && total < MESSAGES_A_TURN);
}

void sgd_worker_run(struct sgd_worker *worker)
{
    SG_ASSERT(worker->engine != NULL && worker->delivery != NULL);
    SG_ASSERT(worker->snapshot != NULL && worker->protocols != NULL);
    uint64_t wake_at_ns = 0;
    worker->drain_deadline_ns = SG_NEVER;
    sg_rcu_register();
    sgd_snapshot_hold(worker->snapshot, worker->id); /* so that no request's is the first */
    while (!worker_may_leave(worker)) {
        worker->engine_ops->turn(worker->engine, wake_at_ns);
        worker_mail(worker);
        worker_tell_listens(worker);
        sge_shard_turn(worker->shard);
        wake_at_ns = sgd_delivery_turn(worker->delivery, worker->now_ns);
        wake_at_ns = worker_drain_turn(worker, wake_at_ns);
        sge_stat_add(worker->stats, SGE_STAT_loop_turns, 1);
        sg_rcu_quiescent();
    }
    sgd_snapshot_release(worker->snapshot, worker->id);
    sg_rcu_unregister();
}
