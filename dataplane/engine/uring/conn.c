/* A connection's life, and the calls that protocols make. Those calls only leave a mark and put the
 * connection on the ready list: they take effect in sgd_ue_conn_run(), so callbacks never re-enter.
 */
#include "dataplane/engine/uring/uring_engine.h"

#include "base/log.h"
#include "dataplane/engine/network.h"
#include "dataplane/sys/tcpinfo.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t conn_edges[] = {
    [SGD_UE_PROXY] = SG_BIT(SGD_UE_OPEN) | SG_BIT(SGD_UE_DEAD),
    [SGD_UE_OPEN] = SG_BIT(SGD_UE_CLOSING) | SG_BIT(SGD_UE_LINGER) | SG_BIT(SGD_UE_DEAD),
    [SGD_UE_CLOSING] = SG_BIT(SGD_UE_LINGER) | SG_BIT(SGD_UE_DEAD),
    [SGD_UE_LINGER] = SG_BIT(SGD_UE_DEAD),
    [SGD_UE_DEAD] = 0,
};

static void conn_enter(struct sgd_conn *conn, enum sgd_ue_state to)
{
    SG_ASSERT(conn_edges[conn->state] & SG_BIT(to));
    conn->state = (uint8_t)to;
}

void sgd_ue_conn_ready(struct sgd_conn *conn)
{
    if (sg_list_empty(&conn->ready))
        sg_list_push_back(&conn->engine->ready, &conn->ready);
}

/* The last callback, once. */
static void conn_tell_closed(struct sgd_conn *conn, enum sgd_close why)
{
    const struct sgd_proto *proto = SG_TAKE(conn->proto);
    if (proto == NULL)
        return;
    sge_stat_row_add(&conn->engine->worker->stats->close[why]);
    proto->closed(conn->self, why);
}

void sgd_ue_conn_die(struct sgd_conn *conn, enum sgd_close why, bool reset)
{
    if (conn->state == SGD_UE_DEAD)
        return;
    conn_enter(conn, SGD_UE_DEAD);
    sgd_wheel_remove(&conn->wake);
    sgd_wheel_remove(&conn->guard);
    sg_list_remove(&conn->starved_recv);
    sg_list_remove(&conn->starved_send);
    sgd_ue_recv_drop(conn);
    sgd_ue_tls_end(conn);
    sgd_ue_send_abandon(conn);
    if (conn->ops > 0)
        sgd_ring_cancel_fd(conn->engine->ring, conn->fd);
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    if (reset && setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) != 0)
        sg_debug("SO_LINGER: %s", strerror(errno));
    sgd_ue_conn_ready(conn);
    conn_tell_closed(conn, why);
}

/* What was refused before a protocol knew of it: counted, reset. */
static void conn_refuse(struct sgd_conn *conn, enum sgd_close why)
{
    SG_ASSERT(conn->proto == NULL);
    sge_stat_row_add(&conn->engine->worker->stats->close[why]);
    sgd_ue_conn_die(conn, why, true);
}

static struct sgd_ue_listener *conn_listener(const struct sgd_conn *conn)
{
    return SG_CONTAINER_OF(conn->peer.listener, struct sgd_ue_listener, listener);
}

/* Dead: the descriptor goes when no operation uses it, the struct when no memory it lent is in
 * use any more. */
static void conn_bury(struct sgd_conn *conn)
{
    struct sgd_engine *engine = conn->engine;
    if (conn->recv == SGD_UE_RECV_STARVED)
        conn->recv = SGD_UE_RECV_OFF;
    if (conn->ops > 0)
        return;
    if (conn->fd >= 0) {
        close(conn->fd);
        conn->fd = -1;
        if (engine->worker->limits != NULL)
            sgd_limits_leave(engine->worker->limits, &conn->ticket);
        sg_list_remove(&conn->all);
        sgd_ue_accept_left(conn_listener(conn));
        engine->conns_count--;
        sge_stat_set(engine->worker->stats, SGE_STAT_connections_open, engine->conns_count);
    }
    if (conn->batches > 0)
        return;
    SG_ASSERT(conn->held_count == 0 && conn->batch == NULL);
    sg_list_remove(&conn->ready);
    conn->magic = 0;
    sg_pool_give(&engine->conns, conn);
}

/* All is sent: FIN, then what the peer still sends is read and dropped for a while, since closing
 * at once would reset the connection and may cost the peer the answer. */
static void conn_linger(struct sgd_conn *conn)
{
    conn_enter(conn, SGD_UE_LINGER);
    sgd_ue_recv_drop(conn);
    if (conn->fin_in || shutdown(conn->fd, SHUT_WR) != 0) {
        sgd_ue_conn_die(conn, conn->why, false);
        return;
    }
    sgd_wheel_remove(&conn->wake);
    sgd_wheel_set(&conn->engine->wheel, &conn->guard, conn->engine->now_ns + SGD_UE_LINGER_NS);
    sgd_ue_recv_arm(conn);
    conn_tell_closed(conn, conn->why);
}

/* After sending, by which a protocol may have come to where it can read on. */
static void conn_recv_run(struct sgd_conn *conn)
{
    if (conn->state == SGD_UE_OPEN && conn->paused)
        sgd_ue_recv_cancel(conn);
    else
        sgd_ue_recv_arm(conn);
}

/* All that was to be sent has been pulled. */
static bool conn_has_ended(const struct sgd_conn *conn)
{
    return (conn->state == SGD_UE_OPEN && conn->pull_end) ||
           (conn->state == SGD_UE_CLOSING && !conn->want_send);
}

void sgd_ue_conn_run(struct sgd_conn *conn)
{
    if (conn->want_abort)
        sgd_ue_conn_die(conn, conn->why, true);
    if (conn->state == SGD_UE_OPEN && conn->want_close) {
        conn_enter(conn, SGD_UE_CLOSING);
        conn->want_send = conn->tls == NULL || !conn->tls->failed;
        sgd_ue_recv_drop(conn);
    }
    if (conn->state == SGD_UE_PROXY && conn->fin_in)
        conn_refuse(conn, SGD_CLOSE_proxy_header);
    if (conn->state == SGD_UE_PROXY)
        sgd_ue_recv_arm(conn);
    if (conn->state == SGD_UE_OPEN || conn->state == SGD_UE_CLOSING) {
        sgd_ue_recv_feed(conn);
        sgd_ue_send_more(conn);
        conn_recv_run(conn);
    }
    if (conn_has_ended(conn) && sgd_ue_send_drained(conn))
        conn_linger(conn);
    else if (conn->state == SGD_UE_LINGER && conn->fin_in)
        sgd_ue_conn_die(conn, conn->why, false);
    else if (conn->state == SGD_UE_LINGER)
        sgd_ue_recv_arm(conn);
    if (conn->state == SGD_UE_DEAD)
        conn_bury(conn);
}

/* False: it is gone already. */
static bool conn_addresses(struct sgd_conn *conn)
{
    struct sockaddr_storage any;
    struct sockaddr_in6 *out[] = {&conn->peer.remote, &conn->peer.local};
    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof(any);
        memset(&any, 0, sizeof(any));
        int res = i == 0 ? getpeername(conn->fd, (struct sockaddr *)&any, &len)
                         : getsockname(conn->fd, (struct sockaddr *)&any, &len);
        if (res != 0)
            return false;
        *out[i] = (struct sockaddr_in6){.sin6_family = AF_INET6};
        if (any.ss_family == AF_INET6) {
            memcpy(out[i], &any, sizeof(**out));
        } else if (any.ss_family == AF_INET) {
            const struct sockaddr_in *in4 = (const struct sockaddr_in *)&any;
            out[i]->sin6_port = in4->sin_port;
            out[i]->sin6_addr.s6_addr[10] = out[i]->sin6_addr.s6_addr[11] = 0xff;
            memcpy(&out[i]->sin6_addr.s6_addr[12], &in4->sin_addr, 4);
        }
    }
    return true;
}

static void conn_init(struct sgd_conn *conn, struct sgd_ue_listener *listener, int fd)
{
    *conn = (struct sgd_conn){.magic = sgd_conn_MAGIC, .fd = fd, .engine = listener->engine};
    conn->bound = SGD_UE_BOUND_FIRST;
    conn->bound_next = SGD_UE_BOUND_FIRST;
    conn->peer.listener = &listener->listener;
    listener->conns++;
    sg_list_init(&conn->all);
    sg_list_init(&conn->ready);
    sg_list_init(&conn->starved_recv);
    sg_list_init(&conn->starved_send);
    sgd_timer_init(&conn->wake);
    sgd_timer_init(&conn->guard);
}

bool sgd_ue_conn_start(struct sgd_conn *conn)
{
    struct sgd_worker *worker = conn->engine->worker;
    const struct sg_conf_listener *conf = sgd_worker_listener(worker, conn->peer.listener);
    const struct sg_conf_limits *limits = &worker->snapshot->config->limits;
    enum sgd_close why = SGD_CLOSE_none;
    conn->peer.forwarded_ok = /* of the address that PROXY told */
        sgd_network_any(conf->forwarded, conf->forwarded_count, &conn->peer.remote.sin6_addr);
    if (worker->limits != NULL && !conn->peer.forwarded_ok) /* else each request's address counts */
        why = sgd_limits_enter_address(worker->limits, &conn->peer.remote.sin6_addr,
                                       limits->connections_per_address, &conn->ticket);
    if (why != SGD_CLOSE_none) {
        conn_refuse(conn, why);
        return false;
    }
    conn_enter(conn, SGD_UE_OPEN);
    sgd_wheel_set(&conn->engine->wheel, &conn->guard, conn->engine->now_ns + SGD_UE_RATE_CHECK_NS);
    if (!sgd_worker_accept(worker, conn)) {
        conn->proto = NULL;
        sgd_ue_conn_die(conn, SGD_CLOSE_none, true);
        return false;
    }
    SG_ASSERT(conn->proto != NULL);
    sgd_ue_conn_ready(conn);
    return true;
}

/* The networks in which balancers stand may not be limited by address: theirs is not a viewer's. */
static bool conn_speaks_proxy(const struct sgd_conn *conn, const struct sg_conf_listener *listener)
{
    return sgd_network_any(listener->proxy_protocol, listener->proxy_protocol_count,
                           &conn->peer.remote.sin6_addr);
}

static enum sgd_close conn_admit(struct sgd_conn *conn)
{
    struct sgd_worker *worker = conn->engine->worker;
    const struct sg_config *config = worker->snapshot->config;
    if (!conn_addresses(conn))
        return SGD_CLOSE_peer_reset;
    if (worker->limits == NULL)
        return SGD_CLOSE_none;
    return sgd_limits_enter(worker->limits, config->limits.connections, &conn->ticket);
}

void sgd_ue_conn_opened(struct sgd_ue_listener *listener, int fd)
{
    struct sgd_engine *engine = listener->engine;
    struct sge_stats *stats = engine->worker->stats;
    struct sgd_conn *conn = sg_pool_take(&engine->conns);
    if (conn == NULL) {
        sge_stat_row_add(&stats->close[SGD_CLOSE_connections_full]);
        close(fd);
        return;
    }
    conn_init(conn, listener, fd);
    sg_list_push_back(&engine->conns_live, &conn->all);
    engine->conns_count++;
    sge_stat_add(stats, SGE_STAT_connections_accepted, 1);
    sge_stat_set(stats, SGE_STAT_connections_open, engine->conns_count);
    enum sgd_close why = conn_admit(conn);
    if (why != SGD_CLOSE_none) {
        conn_refuse(conn, why);
        return;
    }
    if (conn_speaks_proxy(conn, sgd_worker_listener(engine->worker, conn->peer.listener)))
        sgd_ue_proxy_begin(conn);
    else
        (void)sgd_ue_conn_start(conn);
}

/* ---- timers ---- */

/* How much the peer acknowledged, counted from the connection's beginning. */
static uint64_t conn_acked(const struct sgd_conn *conn)
{
    struct sgd_tcpinfo info;
    return sgd_tcpinfo_read(conn->fd, &info) ? info.acked_bytes : UINT64_MAX;
}

/* Every 30 s: who had bytes waiting all the time must have taken some. A peer that takes nothing at
 * all is TCP_USER_TIMEOUT's. */
static void conn_check_rate(struct sgd_conn *conn)
{
    struct sgd_engine *engine = conn->engine;
    uint64_t min = engine->worker->snapshot->config->limits.send_rate_min;
    bool waits = conn->batch != NULL;
    uint64_t acked = waits && min != 0 ? conn_acked(conn) : 0;
    if (waits && conn->rate_waited && acked - conn->rate_bytes < min * 30) {
        sgd_ue_conn_die(conn, SGD_CLOSE_slow_reader, true);
        return;
    }
    conn->rate_waited = waits && min != 0;
    conn->rate_bytes = acked;
    sgd_wheel_set(&engine->wheel, &conn->guard, engine->now_ns + SGD_UE_RATE_CHECK_NS);
}

static void conn_guard(struct sgd_conn *conn)
{
    switch ((enum sgd_ue_state)conn->state) {
    case SGD_UE_PROXY:
        conn_refuse(conn, SGD_CLOSE_proxy_header);
        break;
    case SGD_UE_OPEN:
    case SGD_UE_CLOSING:
        conn_check_rate(conn);
        break;
    case SGD_UE_LINGER:
        sgd_ue_conn_die(conn, conn->why, false);
        break;
    case SGD_UE_DEAD:
        SG_UNREACHABLE();
    }
}

void sgd_ue_conn_timer(struct sgd_engine *engine, struct sgd_timer *timer)
{
    if (timer == &engine->accept_again) /* the next turn's sgd_ue_accept_turn() */
        return;
    /* Each connection has two; which one it is follows from where it lies. */
    size_t offset = (size_t)((uint8_t *)timer - engine->conns.memory) % engine->conns.item_bytes;
    bool guard = offset == offsetof(struct sgd_conn, guard);
    SG_ASSERT(guard || offset == offsetof(struct sgd_conn, wake));
    struct sgd_conn *conn = guard ? SG_CONTAINER_OF(timer, struct sgd_conn, guard)
                                  : SG_CONTAINER_OF(timer, struct sgd_conn, wake);
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    if (!guard)
        conn->proto->wake(conn->self, engine->now_ns);
    else
        conn_guard(conn);
}

/* ---- the protocols' calls ---- */

void sgd_conn_set_proto(struct sgd_conn *conn, const struct sgd_proto *proto, void *self)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    SG_ASSERT(proto != NULL);
    conn->proto = proto;
    conn->self = self;
}

void sgd_conn_want_send(struct sgd_conn *conn)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    if (conn->pull_end)
        return;
    conn->want_send = true;
    sgd_ue_conn_ready(conn);
}

void sgd_conn_read_pause(struct sgd_conn *conn)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    conn->paused = true;
    sgd_ue_conn_ready(conn);
}

void sgd_conn_read_resume(struct sgd_conn *conn)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    conn->paused = false;
    sgd_ue_conn_ready(conn);
}

void sgd_conn_wake_at(struct sgd_conn *conn, uint64_t wake_at_ns)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    if (conn->state == SGD_UE_OPEN || conn->state == SGD_UE_CLOSING)
        sgd_wheel_set(&conn->engine->wheel, &conn->wake, wake_at_ns);
}

void sgd_conn_close(struct sgd_conn *conn, enum sgd_close why)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    if (conn->want_close || conn->want_abort)
        return;
    conn->want_close = true;
    conn->why = (uint8_t)sgd_ue_tls_why(conn, why);
    sgd_ue_conn_ready(conn);
}

void sgd_conn_abort(struct sgd_conn *conn, enum sgd_close why)
{
    SG_ASSERT(conn->magic == sgd_conn_MAGIC);
    if (conn->want_abort)
        return;
    conn->want_abort = true;
    conn->why = (uint8_t)why;
    sgd_ue_conn_ready(conn);
}

void sgd_conn_info(const struct sgd_conn *conn, struct sgd_conn_info *out)
{
    struct sgd_tcpinfo info;
    *out = (struct sgd_conn_info){.sent_bytes = conn->sent_bytes,
                                  .path = conn->tls == NULL ? "uring plain"
                                          : conn->tls->ktls ? "uring ktls"
                                                            : "uring own-records"};
    if (!sgd_tcpinfo_read(conn->fd, &info))
        return;
    out->rtt_us = info.rtt_us;
    out->mss = info.mss;
    out->cwnd_bytes = info.cwnd_bytes;
    out->retransmits = info.retransmits;
}

const struct sgd_peer *sgd_conn_peer(const struct sgd_conn *conn)
{
    return &conn->peer;
}

struct sgd_worker *sgd_conn_worker(const struct sgd_conn *conn)
{
    return conn->engine->worker;
}
