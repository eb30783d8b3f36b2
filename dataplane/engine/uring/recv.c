/* Receiving: a multishot receive a connection, into buffers that the worker's connections share.
 * What the protocol does not take stays in its buffer, in a list of the connection's, and the
 * receive is cancelled: back-pressure reaches the peer by TCP's own window. */
#include "dataplane/engine/uring/uring_engine.h"

#include "base/alloc.h"

#include <sys/mman.h>

/* The kernel uses buffers in turn, so all that it has are soon resident: it gets more only when it
 * ran out. */
static void recv_provide_more(struct sgd_engine *engine)
{
    uint32_t end = SG_MIN(engine->recv_provided + SGD_UE_RECV_STEP, SGD_UE_RECV_COUNT);
    while (engine->recv_provided < end)
        sgd_ring_give(engine->ring, (uint16_t)engine->recv_provided++);
}

enum sg_err sgd_ue_recv_open(struct sgd_engine *engine)
{
    size_t bytes = (size_t)SGD_UE_RECV_BYTES * SGD_UE_RECV_COUNT;
    engine->recv_buffers = sg_boot_alloc_array(SGD_UE_RECV_COUNT, sizeof(*engine->recv_buffers));
    if (engine->recv_buffers == NULL)
        return SG_ENOMEM;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return SG_ENOMEM;
    engine->recv_memory = memory;
    enum sg_err err = sgd_ring_provide(engine->ring, memory, SGD_UE_RECV_COUNT, SGD_UE_RECV_BYTES);
    if (err == SG_OK)
        recv_provide_more(engine);
    return err;
}

void sgd_ue_recv_close(struct sgd_engine *engine)
{
    if (engine->recv_memory != NULL)
        munmap(engine->recv_memory, (size_t)SGD_UE_RECV_BYTES * SGD_UE_RECV_COUNT);
    sg_boot_free(engine->recv_buffers);
}

void sgd_ue_recv_arm(struct sgd_conn *conn)
{
    if (conn->recv != SGD_UE_RECV_OFF || conn->fin_in || conn->state == SGD_UE_DEAD)
        return;
    conn->recv = SGD_UE_RECV_ARMED;
    conn->ops++;
    sgd_ring_recv_multishot(conn->engine->ring, conn->fd, sgd_ue_tag_of(conn, SGD_UE_TAG_RECV));
}

void sgd_ue_recv_cancel(struct sgd_conn *conn)
{
    if (conn->recv != SGD_UE_RECV_ARMED)
        return;
    conn->recv = SGD_UE_RECV_CANCELLED;
    sgd_ring_cancel_tag(conn->engine->ring, sgd_ue_tag_of(conn, SGD_UE_TAG_RECV));
}

static void recv_give_back(struct sgd_engine *engine, uint16_t id)
{
    SG_ASSERT(engine->recv_held > 0);
    engine->recv_held--;
    sgd_ring_give(engine->ring, id);
}

void sgd_ue_recv_upkeep(struct sgd_engine *engine)
{
    struct sg_list *node;
    for (uint32_t room = engine->recv_provided - engine->recv_held; room > 0; room--) {
        if ((node = sg_list_pop_front(&engine->starved_recv)) == NULL)
            return;
        struct sgd_conn *conn = sg_list_entry(node, struct sgd_conn, starved_recv);
        SG_ASSERT(conn->recv == SGD_UE_RECV_STARVED);
        conn->recv = SGD_UE_RECV_OFF;
        sgd_ue_conn_ready(conn);
    }
}

static void recv_hold(struct sgd_conn *conn, uint16_t id, uint16_t len)
{
    struct sgd_ue_recv_buffer *buffers = conn->engine->recv_buffers;
    SG_ASSERT(id < SGD_UE_RECV_COUNT && len <= SGD_UE_RECV_BYTES);
    buffers[id] = (struct sgd_ue_recv_buffer){SGD_UE_RECV_END, 0, len};
    if (conn->held_count++ == 0)
        conn->held_first = id;
    else
        buffers[conn->held_last].next = id;
    conn->held_last = id;
    conn->engine->recv_held++;
}

static void recv_release_first(struct sgd_conn *conn)
{
    uint16_t id = conn->held_first;
    SG_ASSERT(conn->held_count > 0);
    conn->held_first = conn->engine->recv_buffers[id].next;
    conn->held_count--;
    recv_give_back(conn->engine, id);
}

size_t sgd_ue_recv_peek(const struct sgd_conn *conn, uint8_t *out, size_t max)
{
    const struct sgd_engine *engine = conn->engine;
    uint16_t id = conn->held_first;
    size_t len = 0;
    for (uint16_t i = 0; i < conn->held_count && len < max; i++) {
        const struct sgd_ue_recv_buffer *buffer = &engine->recv_buffers[id];
        size_t part = SG_MIN((size_t)buffer->len - buffer->offset, max - len);
        memcpy(out + len, engine->recv_memory + (size_t)id * SGD_UE_RECV_BYTES + buffer->offset,
               part);
        len += part;
        id = buffer->next;
    }
    return len;
}

void sgd_ue_recv_skip(struct sgd_conn *conn, size_t bytes)
{
    while (bytes > 0) {
        SG_ASSERT(conn->held_count > 0);
        struct sgd_ue_recv_buffer *buffer = &conn->engine->recv_buffers[conn->held_first];
        size_t part = SG_MIN((size_t)buffer->len - buffer->offset, bytes);
        buffer->offset += (uint16_t)part;
        bytes -= part;
        if (buffer->offset == buffer->len)
            recv_release_first(conn);
    }
}

void sgd_ue_recv_drop(struct sgd_conn *conn)
{
    while (conn->held_count > 0)
        recv_release_first(conn);
}

static bool recv_may_feed(const struct sgd_conn *conn)
{
    return conn->state == SGD_UE_OPEN && !conn->paused && !conn->want_close && !conn->want_abort;
}

/* Offers the first buffer as it is; a short answer pauses, unless the rest is now TLS's. */
static void recv_feed_plain(struct sgd_conn *conn, struct sgd_ue_recv_buffer *buffer,
                            const uint8_t *bytes)
{
    size_t len = (size_t)buffer->len - buffer->offset;
    size_t taken = conn->proto->input(conn->self, bytes, len, conn->engine->now_ns);
    SG_ASSERT(taken <= len);
    buffer->offset += (uint16_t)taken;
    if (taken < len && conn->tls == NULL)
        conn->paused = true;
}

static void recv_feed_first(struct sgd_conn *conn)
{
    struct sgd_engine *engine = conn->engine;
    struct sgd_ue_recv_buffer *buffer = &engine->recv_buffers[conn->held_first];
    uint8_t *bytes = engine->recv_memory + (size_t)conn->held_first * SGD_UE_RECV_BYTES;
    bool plain = conn->tls == NULL;
    if (plain) {
        recv_feed_plain(conn, buffer, bytes + buffer->offset);
    } else {
        size_t len = (size_t)buffer->len - buffer->offset;
        (void)sgd_ue_tls_step(conn, bytes + buffer->offset, &len);
        buffer->offset = (uint16_t)(buffer->len - len);
    }
    /* What TLS lent may lie in it. */
    if (buffer->offset == buffer->len && (plain || conn->tls->lent_len == 0))
        recv_release_first(conn);
}

/* Offers what is held, as long as it is taken. */
void sgd_ue_recv_feed(struct sgd_conn *conn)
{
    size_t none = 0;
    while (conn->held_count > 0 && recv_may_feed(conn))
        recv_feed_first(conn);
    if (conn->held_count == 0 && conn->tls != NULL && recv_may_feed(conn))
        while (recv_may_feed(conn) && sgd_ue_tls_step(conn, NULL, &none))
            continue;
    bool all = conn->held_count == 0 && (conn->tls == NULL || conn->tls->lent_len == 0);
    if (all && conn->fin_in && !conn->fin_told && recv_may_feed(conn)) {
        conn->fin_told = true;
        conn->proto->input_end(conn->self, conn->engine->now_ns);
    }
}

/* One client must not drain what all share: past half of it, whoever holds more than a few goes. */
static bool recv_hoards(const struct sgd_conn *conn)
{
    return conn->held_count > SGD_UE_RECV_HELD_MAX &&
           conn->engine->recv_held > SGD_UE_RECV_COUNT / 2;
}

/* sgd_ue_recv_upkeep() tries again when some came back. */
static void recv_starved(struct sgd_conn *conn)
{
    struct sgd_engine *engine = conn->engine;
    if (engine->recv_provided == SGD_UE_RECV_COUNT)
        sge_stat_add(engine->worker->stats, SGE_STAT_pool_empty, 1);
    recv_provide_more(engine);
    conn->recv = SGD_UE_RECV_STARVED;
    sg_list_push_back(&engine->starved_recv, &conn->starved_recv);
}

static void recv_bytes(struct sgd_conn *conn, const struct sgd_cqe *cqe)
{
    sge_stat_add(conn->engine->worker->stats, SGE_STAT_received_bytes, (uint64_t)cqe->result);
    recv_hold(conn, cqe->buffer, (uint16_t)cqe->result);
    if (conn->state == SGD_UE_PROXY)
        sgd_ue_proxy_feed(conn);
    if (conn->state == SGD_UE_PROXY)
        return;
    if (conn->state == SGD_UE_OPEN) {
        sgd_ue_recv_feed(conn);
        if (conn->paused && recv_hoards(conn))
            sgd_ue_conn_die(conn, SGD_CLOSE_no_memory, true);
        return;
    }
    sgd_ue_recv_drop(conn);
    conn->linger_bytes += (uint32_t)cqe->result;
    if (conn->state == SGD_UE_LINGER && conn->linger_bytes > SGD_UE_LINGER_BYTES)
        sgd_ue_conn_die(conn, conn->why, true);
}

static void recv_failed(struct sgd_conn *conn, int32_t result)
{
    if (result == -ECANCELED || result == -EINTR || result == -EAGAIN)
        sgd_ue_conn_ready(conn); /* paused and resumed meanwhile, perhaps */
    else if (result == -ENOBUFS)
        recv_starved(conn);
    else
        sgd_ue_conn_die(conn, result == -ETIMEDOUT ? SGD_CLOSE_send_timeout : SGD_CLOSE_peer_reset,
                        false);
}

void sgd_ue_recv_done(struct sgd_conn *conn, const struct sgd_cqe *cqe)
{
    if (!cqe->more) {
        SG_ASSERT(conn->ops > 0);
        conn->ops--;
        conn->recv = SGD_UE_RECV_OFF;
    }
    if (cqe->result > 0) {
        SG_ASSERT(cqe->has_buffer);
        recv_bytes(conn, cqe);
        if (!cqe->more)
            sgd_ue_conn_ready(conn); /* to arm again */
    } else if (conn->state == SGD_UE_DEAD) {
        sgd_ue_conn_ready(conn);
    } else if (cqe->result == 0) {
        if (cqe->has_buffer)
            sgd_ring_give(conn->engine->ring, cqe->buffer);
        if (conn->tls != NULL)
            conn->tls->cut = !conn->fin_in;
        conn->fin_in = true;
        sgd_ue_recv_feed(conn);
        sgd_ue_conn_ready(conn);
    } else {
        recv_failed(conn, cqe->result);
    }
}
