/* Sending: pull() gives slices, a batch holds them, and one send at a time goes to the kernel. What
 * is small is gathered into one buffer and copied by the kernel; what is large and lies in
 * registered memory goes without a copy, and is held until the kernel's *second* completion. */
#include "dataplane/engine/uring/uring_engine.h"

#include <sys/socket.h>

/* ---- batches ---- */

static void batch_give_memory(struct sgd_engine *engine, struct sgd_ue_batch *batch)
{
    if (batch->pool == SGD_UE_MEMORY_SMALL)
        sg_pool_give(&engine->small, batch->memory);
    else if (batch->pool == SGD_UE_MEMORY_RECORD)
        sg_pool_give(&engine->records, batch->memory);
    batch->pool = SGD_UE_MEMORY_NONE;
    batch->memory = NULL;
    batch->memory_len = batch->memory_sent = 0;
}

static void send_unstarve(struct sgd_engine *engine)
{
    struct sg_list *node = sg_list_pop_front(&engine->starved_send);
    if (node != NULL)
        sgd_ue_conn_ready(sg_list_entry(node, struct sgd_conn, starved_send));
}

static void send_starve(struct sgd_conn *conn)
{
    sge_stat_add(conn->engine->worker->stats, SGE_STAT_pool_empty, 1);
    if (sg_list_empty(&conn->starved_send))
        sg_list_push_back(&conn->engine->starved_send, &conn->starved_send);
}

static bool batch_unsent(const struct sgd_ue_batch *batch)
{
    return batch->next < batch->count || batch->memory_sent < batch->memory_len;
}

/* Ends the batch when the kernel has nothing of it any more. */
static void batch_settle(struct sgd_ue_batch *batch)
{
    struct sgd_conn *conn = batch->conn;
    struct sgd_engine *engine = conn->engine;
    if (batch->op || batch->notifs > 0)
        return;
    if (batch_unsent(batch) && conn->state != SGD_UE_DEAD)
        return;
    if (conn->batch == batch)
        conn->batch = NULL;
    for (uint8_t i = 0; i < batch->count; i++)
        sg_slice_drop(&batch->slices[i]);
    batch_give_memory(engine, batch);
    SG_ASSERT(conn->inflight >= batch->bytes && conn->batches > 0);
    conn->inflight -= batch->bytes;
    conn->batches--;
    batch->magic = 0;
    sg_pool_give(&engine->batches, batch);
    send_unstarve(engine);
    sgd_ue_conn_ready(conn);
}

/* ---- the next send of a batch ---- */

/* How a slice's bytes from `offset` may go without a copy: the registered buffer they lie in. */
static uint32_t slice_buffer(const struct sgd_engine *engine, const struct sg_slice *slice,
                             uint32_t offset, uint32_t *len)
{
    uint32_t region_index = slice->hold != NULL ? slice->hold->region : SG_REGION_NONE;
    if (region_index >= engine->regions_count)
        return SGD_RING_NO_BUFFER;
    const struct sgd_ue_region *region = &engine->regions[region_index];
    if (region->first_buffer == SGD_RING_NO_BUFFER)
        return SGD_RING_NO_BUFFER;
    size_t at = (size_t)(slice->bytes + offset - region->base);
    SG_ASSERT(slice->bytes >= region->base && at + (slice->len - offset) <= region->bytes);
    *len = (uint32_t)SG_MIN((size_t)(slice->len - offset),
                            SGD_UE_BUFFER_BYTES - at % SGD_UE_BUFFER_BYTES);
    return region->first_buffer + (uint32_t)(at / SGD_UE_BUFFER_BYTES);
}

static bool batch_goes_zc(const struct sgd_engine *engine, const struct sg_slice *slice,
                          uint32_t offset, uint32_t *buffer, uint32_t *len)
{
    if (slice->len - offset < SGD_UE_ZC_MIN)
        return false;
    *buffer = slice_buffer(engine, slice, offset, len);
    return *buffer != SGD_RING_NO_BUFFER && *len >= SGD_UE_ZC_MIN;
}

static void batch_send_slice(struct sgd_ue_batch *batch, uint32_t len, uint32_t buffer)
{
    struct sgd_conn *conn = batch->conn;
    const struct sg_slice *slice = &batch->slices[batch->next];
    bool last = batch->next + 1 == batch->count && batch->next_offset + len == slice->len;
    int flags = MSG_NOSIGNAL | MSG_WAITALL | (last ? 0 : MSG_MORE);
    const uint8_t *bytes = slice->bytes + batch->next_offset;
    uint64_t tag = sgd_ue_tag_of(batch, SGD_UE_TAG_SEND);
    if (buffer == SGD_RING_NO_BUFFER)
        sgd_ring_send(conn->engine->ring, conn->fd, bytes, len, flags, tag);
    else
        sgd_ring_send_zc(conn->engine->ring, conn->fd, bytes, len, flags, buffer, tag);
    sge_stat_add(conn->engine->worker->stats,
                 buffer == SGD_RING_NO_BUFFER ? SGE_STAT_send_copy : SGE_STAT_send_zc, 1);
    batch->op_len = len;
}

static void batch_send_memory(struct sgd_ue_batch *batch)
{
    struct sgd_conn *conn = batch->conn;
    uint32_t len = batch->memory_len - batch->memory_sent;
    int flags = MSG_NOSIGNAL | MSG_WAITALL | (batch->next < batch->count ? MSG_MORE : 0);
    sgd_ring_send(conn->engine->ring, conn->fd, batch->memory + batch->memory_sent, len, flags,
                  sgd_ue_tag_of(batch, SGD_UE_TAG_SEND));
    sge_stat_add(conn->engine->worker->stats, SGE_STAT_send_copy, 1);
    batch->op_len = len;
}

/* Gathers the small slices that come next. False: no memory for it. */
static bool batch_gather(struct sgd_ue_batch *batch)
{
    struct sgd_engine *engine = batch->conn->engine;
    uint32_t buffer, zc_len;
    if (batch->memory == NULL) {
        batch->memory = sg_pool_take(&engine->small);
        if (batch->memory == NULL)
            return false;
        batch->pool = SGD_UE_MEMORY_SMALL;
    }
    batch->memory_len = batch->memory_sent = 0;
    while (batch->next < batch->count && batch->memory_len < SGD_UE_SMALL_BYTES) {
        const struct sg_slice *slice = &batch->slices[batch->next];
        if (batch_goes_zc(engine, slice, batch->next_offset, &buffer, &zc_len))
            break;
        uint32_t len =
            SG_MIN(slice->len - batch->next_offset, SGD_UE_SMALL_BYTES - batch->memory_len);
        memcpy(batch->memory + batch->memory_len, slice->bytes + batch->next_offset, len);
        batch->memory_len += len;
        batch->next_offset += len;
        if (batch->next_offset == slice->len) {
            batch->next++;
            batch->next_offset = 0;
        }
    }
    return true;
}

/* Hands the kernel what comes next. False: starved. */
static bool batch_send(struct sgd_ue_batch *batch)
{
    struct sgd_conn *conn = batch->conn;
    SG_ASSERT(!batch->op && batch_unsent(batch));
    if (batch->memory_sent == batch->memory_len) {
        const struct sg_slice *slice = &batch->slices[batch->next];
        uint32_t buffer = SGD_RING_NO_BUFFER, len = slice->len - batch->next_offset;
        if (batch_goes_zc(conn->engine, slice, batch->next_offset, &buffer, &len) ||
            len > SGD_UE_SMALL_BYTES)
            batch_send_slice(batch, len, buffer);
        else if (!batch_gather(batch))
            return false;
    }
    if (batch->memory_sent < batch->memory_len)
        batch_send_memory(batch);
    batch->op = true;
    conn->ops++;
    return true;
}

/* ---- pulling ---- */

static struct sgd_ue_batch *batch_take(struct sgd_conn *conn)
{
    struct sgd_ue_batch *batch = sg_pool_take(&conn->engine->batches);
    if (batch == NULL)
        return NULL;
    *batch = (struct sgd_ue_batch){.magic = sgd_ue_batch_MAGIC, .conn = conn};
    return batch;
}

static void batch_begin(struct sgd_ue_batch *batch)
{
    struct sgd_conn *conn = batch->conn;
    conn->inflight += batch->bytes;
    conn->batches++;
    conn->batch = batch;
}

/* How much may be pulled now; 0: no room, and the connection will be run again when there is. */
static size_t send_budget(struct sgd_conn *conn)
{
    if (conn->inflight >= conn->bound)
        return 0; /* batch_settle() comes back */
    size_t budget = SG_MIN(conn->bound - conn->inflight, SGD_UE_CHUNK_BYTES);
    size_t tls = conn->tls != NULL ? sgd_ue_tls_budget(conn) : SIZE_MAX;
    if (tls == 0 || conn->engine->batches.free_count == 0) {
        send_starve(conn);
        return 0;
    }
    return SG_MIN(budget, tls);
}

static void batch_pull(struct sgd_ue_batch *batch, size_t budget)
{
    struct sgd_conn *conn = batch->conn;
    enum sgd_pull_more more = SGD_PULL_IDLE;
    batch->count = (uint8_t)conn->proto->pull(conn->self, budget, batch->slices,
                                              SGD_UE_BATCH_SLICES, &more, conn->engine->now_ns);
    SG_ASSERT(batch->count <= SGD_UE_BATCH_SLICES);
    for (uint8_t i = 0; i < batch->count; i++)
        batch->bytes += batch->slices[i].len;
    SG_ASSERT(batch->bytes <= budget && (batch->bytes > 0 || batch->count == 0));
    conn->want_send = more == SGD_PULL_MORE;
    conn->pull_end |= more == SGD_PULL_END;
}

static bool send_has_ended(const struct sgd_conn *conn)
{
    return conn->pull_end || (conn->state == SGD_UE_CLOSING && !conn->want_send);
}

/* Makes the next batch: what the protocol gives, what TLS itself has to say, or both. False: there
 * is nothing, or no room for it. */
static bool send_next(struct sgd_conn *conn)
{
    size_t budget = send_budget(conn);
    if (budget == 0)
        return false;
    bool tls = conn->tls != NULL; /* as it was before pull(): what that gives goes the old way */
    struct sgd_ue_batch *batch = batch_take(conn);
    if (conn->want_send && !(tls && conn->tls->failed))
        batch_pull(batch, budget);
    bool last = tls && !conn->tls->ended && send_has_ended(conn);
    if (batch->count == 0 && !last && !(tls && sgd_ue_tls_control_due(conn))) {
        sg_pool_give(&conn->engine->batches, batch);
        return false;
    }
    batch_begin(batch);
    if (tls && !sgd_ue_tls_seal(batch, last))
        sgd_conn_abort(conn, SGD_CLOSE_tls_aead_limit);
    if (!batch_unsent(batch)) { /* nothing had to be said after all */
        batch_settle(batch);
        return false;
    }
    return true;
}

static bool send_wants(const struct sgd_conn *conn)
{
    return conn->want_send || sgd_ue_tls_control_due(conn) ||
           (conn->tls != NULL && !conn->tls->ended && send_has_ended(conn));
}

void sgd_ue_send_more(struct sgd_conn *conn)
{
    if (!sg_list_empty(&conn->starved_send))
        return;
    if (conn->batch != NULL && conn->batch->op)
        return;
    if (conn->batch == NULL && (!send_wants(conn) || !send_next(conn)))
        return;
    if (!batch_send(conn->batch))
        send_starve(conn);
}

void sgd_ue_send_abandon(struct sgd_conn *conn)
{
    SG_ASSERT(conn->state == SGD_UE_DEAD);
    if (conn->batch != NULL)
        batch_settle(conn->batch);
}

/* All that was pulled, and close_notify, was taken by the kernel. */
bool sgd_ue_send_drained(const struct sgd_conn *conn)
{
    return conn->batch == NULL && !send_wants(conn);
}

/* ---- completions ---- */

static void batch_advance(struct sgd_ue_batch *batch, uint32_t sent)
{
    if (batch->memory_sent < batch->memory_len) {
        batch->memory_sent += sent;
        return;
    }
    batch->next_offset += sent;
    SG_ASSERT(batch->next_offset <= batch->slices[batch->next].len);
    if (batch->next_offset == batch->slices[batch->next].len) {
        batch->next++;
        batch->next_offset = 0;
    }
}

static void send_sent(struct sgd_ue_batch *batch, uint32_t bytes)
{
    struct sgd_conn *conn = batch->conn;
    SG_ASSERT(bytes <= batch->op_len);
    batch_advance(batch, bytes);
    conn->sent_bytes += bytes;
    sge_stat_add(conn->engine->worker->stats, SGE_STAT_sent_bytes, bytes);
    if (!batch_unsent(batch) && conn->batch == batch)
        conn->batch = NULL; /* the next one may go; this one waits for its notifications */
}

static void send_failed(struct sgd_conn *conn, int32_t result)
{
    if (result != -EINTR && result != -EAGAIN) /* else ue_conn_run() tries again */
        sgd_ue_conn_die(conn, result == -ETIMEDOUT ? SGD_CLOSE_send_timeout : SGD_CLOSE_peer_reset,
                        false);
}

/* The first completion: what was taken. A zero-copy send has a second one to come. */
static void send_result(struct sgd_ue_batch *batch, const struct sgd_cqe *cqe)
{
    struct sgd_conn *conn = batch->conn;
    SG_ASSERT(batch->op && conn->ops > 0);
    batch->op = false;
    conn->ops--;
    if (cqe->more)
        batch->notifs++;
    sgd_ue_conn_ready(conn);
    if (cqe->result > 0)
        send_sent(batch, (uint32_t)cqe->result);
    if (cqe->result <= 0 && conn->state != SGD_UE_DEAD)
        send_failed(conn, cqe->result); /* if that was its end, the batch went too */
    else
        batch_settle(batch);
}

void sgd_ue_send_done(struct sgd_ue_batch *batch, const struct sgd_cqe *cqe)
{
    SG_ASSERT(batch->magic == sgd_ue_batch_MAGIC);
    if (!cqe->notif) {
        send_result(batch, cqe);
        return;
    }
    SG_ASSERT(batch->notifs > 0);
    batch->notifs--;
    batch_settle(batch);
}
