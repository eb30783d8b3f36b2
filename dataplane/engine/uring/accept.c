/* Accepting: one multishot accept a listener. Where descriptors or memory run out it pauses, and
 * the connections that exist go on. A reload may take a listener away: no handshake begins there
 * any more, it accepts what waits for a while, then its descriptor is let go of, and its place is
 * free when its last connection is gone. */
#include "dataplane/engine/uring/uring_engine.h"

#include "base/alloc.h"
#include "base/log.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* ---- places ---- */

static struct sgd_ue_listener *place_of(struct sgd_engine *engine, int fd)
{
    for (size_t i = 0; i < engine->listeners_count; i++)
        if (engine->listeners[i].engine != NULL && engine->listeners[i].listener.fd == fd)
            return &engine->listeners[i];
    return NULL;
}

static struct sgd_ue_listener *place_free(struct sgd_engine *engine)
{
    size_t i = 0;
    while (i < engine->listeners_count && engine->listeners[i].engine != NULL)
        i++;
    SG_ASSERT(i < SGD_UE_LISTENERS_MAX);
    engine->listeners_count = SG_MAX(engine->listeners_count, i + 1);
    return &engine->listeners[i];
}

static void place_add(struct sgd_engine *engine, const struct sgd_listener *listener)
{
    *place_free(engine) = (struct sgd_ue_listener){
        .listener = *listener,
        .engine = engine,
        .leave_at_ns = SG_NEVER,
        .send_timeout_ms = UINT32_MAX, /* none: a new one is told what it is */
    };
}

/* Brings the number that control reads to `conns`. Several places may be one listener's. */
static void place_tell(struct sgd_ue_listener *listener, uint32_t conns)
{
    struct sgd_worker *worker = listener->engine->worker;
    const struct sgd_snapshot *snapshot = sgd_worker_listener_snapshot(worker, &listener->listener);
    _Atomic uint32_t *told = &snapshot->uses[worker->id].listener_conns[listener->listener.index];
    if (listener->conns_told == conns)
        return;
    uint32_t others = atomic_load_explicit(told, memory_order_relaxed) - listener->conns_told;
    atomic_store_explicit(told, others + conns, memory_order_relaxed);
    listener->conns_told = conns;
}

/* Nothing refers to it any more. */
static void place_sweep(struct sgd_ue_listener *listener)
{
    struct sgd_engine *engine = listener->engine;
    if (listener->listener.fd >= 0 || listener->conns > 0)
        return;
    place_tell(listener, 0);
    sgd_snapshot_release(listener->listener.gone, engine->worker->id);
    listener->engine = NULL;
    while (engine->listeners_count > 0 &&
           engine->listeners[engine->listeners_count - 1].engine == NULL)
        engine->listeners_count--;
}

void sgd_ue_accept_left(struct sgd_ue_listener *listener)
{
    SG_ASSERT(listener->conns > 0);
    listener->conns--;
    place_sweep(listener);
}

enum sg_err sgd_ue_accept_open(struct sgd_engine *engine, const struct sgd_listener *listeners,
                               size_t count)
{
    engine->listeners = sg_boot_alloc_array(SGD_UE_LISTENERS_MAX, sizeof(*engine->listeners));
    if (engine->listeners == NULL)
        return SG_ENOMEM;
    for (size_t i = 0; i < count; i++)
        place_add(engine, &listeners[i]);
    return SG_OK;
}

void sgd_ue_accept_close(struct sgd_engine *engine)
{
    for (size_t i = 0; i < engine->listeners_count; i++)
        if (engine->listeners[i].engine != NULL && engine->listeners[i].listener.gone != NULL)
            sgd_snapshot_release(engine->listeners[i].listener.gone, engine->worker->id);
    sg_boot_free(engine->listeners);
}

/* ---- which listeners ---- */

static bool is_among(int fd, const struct sgd_listener *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (listeners[i].fd == fd)
            return true;
    return false;
}

/* Until the descriptor is closed the kernel goes on to finish handshakes, and resets with it those
 * that nobody accepted. A SYN that is dropped comes again, after a second, to who listens then. */
static void syns_drop(int fd)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct tcphdr, th_flags)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog filter = {SG_COUNT(code), code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
        sg_warn("engine: a listener that leaves may reset connections: %s", strerror(errno));
}

static void listener_leave(struct sgd_ue_listener *listener)
{
    struct sgd_engine *engine = listener->engine;
    syns_drop(listener->listener.fd);
    listener->listener.gone = engine->worker->snapshot;
    sgd_snapshot_hold(listener->listener.gone, engine->worker->id);
    listener->leave_at_ns = engine->now_ns + SGD_UE_LEAVE_NS;
    engine->listeners_leaving++;
}

void sgd_ue_accept_listen(struct sgd_engine *engine, const struct sgd_listener *listeners,
                          size_t count)
{
    for (size_t i = 0; i < engine->listeners_count; i++) {
        struct sgd_ue_listener *old = &engine->listeners[i];
        bool stays = is_among(old->listener.fd, listeners, count);
        if (old->engine != NULL && old->listener.gone == NULL && !stays)
            listener_leave(old);
    }
    for (size_t i = 0; i < count; i++) {
        struct sgd_ue_listener *old = place_of(engine, listeners[i].fd);
        if (old == NULL) {
            place_add(engine, &listeners[i]);
            continue;
        }
        place_tell(old, 0); /* the old snapshot; the new one hears of it next turn */
        old->listener.index = listeners[i].index;
    }
}

/* ---- accepting ---- */

static void accept_arm(struct sgd_ue_listener *listener)
{
    if (listener->armed)
        return;
    listener->armed = true;
    sgd_ring_accept_multishot(listener->engine->ring, listener->listener.fd,
                              sgd_ue_tag_of(listener, SGD_UE_TAG_ACCEPT));
}

/* Accepts until the queue is empty, and is cancelled then. */
static void accept_last(struct sgd_ue_listener *listener)
{
    accept_arm(listener);
    sgd_ring_cancel_tag(listener->engine->ring, sgd_ue_tag_of(listener, SGD_UE_TAG_ACCEPT));
}

/* Of a listener that leaves. Returns whether it still does. */
static bool accept_leaving(struct sgd_ue_listener *listener)
{
    if (listener->engine->now_ns < listener->leave_at_ns) {
        accept_last(listener);
        return true;
    }
    if (listener->armed)
        return true;
    listener->listener.fd = -1;
    listener->engine->listeners_leaving--;
    place_sweep(listener);
    return false;
}

/* io_uring answers EAGAIN at once on a non-blocking descriptor rather than wait for it. And what
 * accepted connections inherit follows the configuration. */
static void accept_prepare(struct sgd_ue_listener *listener)
{
    int fd = listener->listener.fd, flags;
    uint32_t ms = listener->engine->worker->snapshot->config->limits.send_timeout_ms;
    if (ms == listener->send_timeout_ms)
        return;
    listener->send_timeout_ms = ms;
    if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)) != 0)
        sg_warn("engine: send_timeout_ms: %s", strerror(errno));
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        sg_warn("engine: a listener: %s", strerror(errno));
}

uint64_t sgd_ue_accept_turn(struct sgd_engine *engine)
{
    bool leaving = false;
    for (size_t i = 0; i < engine->listeners_count && engine->accepting; i++) {
        struct sgd_ue_listener *listener = &engine->listeners[i];
        if (listener->engine == NULL)
            continue;
        place_tell(listener, listener->conns);
        if (listener->listener.fd < 0)
            continue;
        if (listener->listener.gone != NULL) {
            leaving |= accept_leaving(listener);
            continue;
        }
        accept_prepare(listener);
        if (engine->accept_again.due_ns == SG_NEVER)
            accept_arm(listener);
    }
    return leaving ? engine->now_ns + SGD_UE_LEAVE_TURN_NS : SG_NEVER;
}

void sgd_ue_accept_stop(struct sgd_engine *engine)
{
    for (size_t i = 0; i < engine->listeners_count; i++)
        if (engine->listeners[i].engine != NULL && engine->listeners[i].listener.fd >= 0)
            accept_last(&engine->listeners[i]);
    engine->accepting = false;
    sgd_ring_wait(engine->ring, 0);
}

/* What is wrong with one connection is no reason to stop taking others. */
static bool accept_error_is_the_peers(int32_t result)
{
    return result == -ECONNABORTED || result == -EINTR || result == -EPROTO || result == -EAGAIN ||
           result == -ENETDOWN || result == -EHOSTUNREACH || result == -ENETUNREACH ||
           result == -ETIMEDOUT;
}

void sgd_ue_accept_done(struct sgd_ue_listener *listener, const struct sgd_cqe *cqe)
{
    struct sgd_engine *engine = listener->engine;
    if (!cqe->more)
        listener->armed = false;
    if (cqe->result >= 0)
        engine->accept_failing = false;
    if (cqe->result >= 0 && engine->closing)
        close(cqe->result);
    else if (cqe->result >= 0)
        sgd_ue_conn_opened(listener, cqe->result);
    if (!engine->accepting || listener->armed || listener->listener.gone != NULL)
        return;
    if (cqe->result >= 0 || accept_error_is_the_peers(cqe->result)) {
        accept_arm(listener);
        return;
    }
    if (!engine->accept_failing)
        sg_warn("accept: %s; what is connected goes on", strerror(-cqe->result));
    engine->accept_failing = true;
    if (engine->accept_again.due_ns == SG_NEVER)
        sgd_wheel_set(&engine->wheel, &engine->accept_again,
                      engine->now_ns + SGD_UE_ACCEPT_BACKOFF_NS);
}
