/* Sending: pull() gives slices, a batch holds them, and one send at a time goes to the kernel. What
 * is small is gathered into one buffer and copied by the kernel; what is large and lies in
 * registered memory goes without a copy, and is held until the kernel's *second* completion. */
#include "dataplane/engine/uring/uring_engine.h"

#include "dataplane/sys/tcpinfo.h"
#include "dataplane/tls/ktls.h"

#include <poll.h>
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

/* What is missing is in the hands of peers that don't read: the one that is stuck for longest makes
 * room, once it had its second. */
static void send_make_room(struct sgd_engine *engine)
{
    if (sg_list_empty(&engine->sending))
        return;
    struct sgd_ue_batch *batch = sg_list_entry(engine->sending.next, struct sgd_ue_batch, sending);
    if (engine->now_ns - batch->op_begin_ns >= SGD_UE_BLOCKED_NS)
        sgd_ue_conn_die(batch->conn, SGD_CLOSE_slow_reader, true);
}

void sgd_ue_send_upkeep(struct sgd_engine *engine)
{
    uint32_t room = SG_MIN(engine->small.free_count, engine->batches.free_count);
    if (sg_list_empty(&engine->starved_send))
        return;
    if (room == 0)
        send_make_room(engine);
    for (struct sg_list *node; room > 0; room--) {
        if ((node = sg_list_pop_front(&engine->starved_send)) == NULL)
            return;
        sgd_ue_conn_ready(sg_list_entry(node, struct sgd_conn, starved_send));
    }
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
    engine->pinned -= batch->bytes;
    sge_stat_set(engine->worker->stats, SGE_STAT_arena_pinned_bytes, engine->pinned);
    conn->batches--;
    batch->magic = 0;
    sg_pool_give(&engine->batches, batch);
    sgd_ue_conn_ready(conn);
}

/* ---- the next send of a batch ---- */

/* How a slice's bytes from `offset` may go without a copy: the registered buffer they lie in, and
 * how many of them lie there. */
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

/* The registered buffer by which slice `index` goes without a copy, or SGD_RING_NO_BUFFER. */
static uint32_t batch_zc_buffer(const struct sgd_ue_batch *batch, uint8_t index, uint32_t *len)
{
    const struct sg_slice *slice = &batch->slices[index];
    uint32_t offset = index == batch->next ? batch->next_offset : 0;
    if (batch->conn->zc_useless || slice->len - offset < SGD_UE_ZC_MIN)
        return SGD_RING_NO_BUFFER;
    uint32_t buffer = slice_buffer(batch->conn->engine, slice, offset, len);
    return *len >= SGD_UE_ZC_MIN ? buffer : SGD_RING_NO_BUFFER;
}

/* Fills `parts` with what is to be copied next: up to the end, or to a slice that need not be. */
static uint32_t batch_parts(struct sgd_ue_batch *batch, uint32_t *len)
{
    uint32_t count = 0, zc_len;
    *len = 0;
    for (uint8_t i = batch->next; i < batch->count; i++) {
        if (count > 0 && batch_zc_buffer(batch, i, &zc_len) != SGD_RING_NO_BUFFER)
            break;
        uint32_t offset = i == batch->next ? batch->next_offset : 0;
        batch->parts[count++] = (struct iovec){(void *)(uintptr_t)(batch->slices[i].bytes + offset),
                                               batch->slices[i].len - offset};
        *len += batch->slices[i].len - offset;
    }
    return count;
}

/* Small ones are gathered here: cheaper than having the kernel do it. */
static bool batch_gather(struct sgd_ue_batch *batch, uint32_t parts)
{
    batch->memory = sg_pool_take(&batch->conn->engine->small);
    if (batch->memory == NULL)
        return false;
    batch->pool = SGD_UE_MEMORY_SMALL;
    batch->memory_len = batch->memory_sent = 0;
    for (uint32_t i = 0; i < parts; i++) {
        memcpy(batch->memory + batch->memory_len, batch->parts[i].iov_base,
               batch->parts[i].iov_len);
        batch->memory_len += (uint32_t)batch->parts[i].iov_len;
    }
    batch->next = (uint8_t)(batch->next + parts);
    batch->next_offset = 0;
    return true;
}

/* The kernel's TLS knows no MSG_WAITALL; what it took less is sent again. */
static int send_flags(const struct sgd_ue_batch *batch, bool last)
{
    const struct sgd_conn *conn = batch->conn;
    bool ktls = conn->tls != NULL && conn->tls->ktls;
    return MSG_NOSIGNAL | (ktls ? 0 : MSG_WAITALL) | (last && !batch->soon ? 0 : MSG_MORE);
}

static void batch_count_op(struct sgd_ue_batch *batch, enum sge_stat stat, uint32_t len)
{
    batch->op = true;
    batch->op_len = len;
    batch->op_begin_ns = batch->conn->engine->now_ns;
    batch->op_wait = batch->conn->engine->waits + 1;
    sg_list_push_back(&batch->conn->engine->sending, &batch->sending);
    batch->conn->ops++;
    sge_stat_add(batch->conn->engine->worker->stats, stat, 1);
}

/* kTLS: a record that is no data has its type beside its bytes, which were put at the front of the
 * batch's memory. */
static void batch_send_record(struct sgd_ue_batch *batch)
{
    uint8_t *beside = batch->memory + SGD_KTLS_TYPE_BYTES;
    sgd_ktls_put_type(batch->record_type, beside);
    batch->parts[0] = (struct iovec){batch->memory, batch->memory_len};
    batch->message = (struct msghdr){.msg_iov = batch->parts,
                                     .msg_iovlen = 1,
                                     .msg_control = beside,
                                     .msg_controllen = SGD_KTLS_TYPE_BYTES};
    sgd_ring_sendmsg(batch->conn->engine->ring, batch->conn->fd, &batch->message, MSG_NOSIGNAL,
                     sgd_ue_tag_of(batch, SGD_UE_TAG_SEND));
    batch_count_op(batch, SGE_STAT_send_copy, batch->memory_len);
}

/* Sends from memory of the batch's own: gathered, or sealed records. */
static void batch_send_memory(struct sgd_ue_batch *batch)
{
    struct sgd_conn *conn = batch->conn;
    struct sgd_engine *engine = conn->engine;
    const uint8_t *bytes = batch->memory + batch->memory_sent;
    uint32_t len = batch->memory_len - batch->memory_sent;
    int flags = send_flags(batch, batch->next == batch->count);
    uint64_t tag = sgd_ue_tag_of(batch, SGD_UE_TAG_SEND);
    if (batch->pool == SGD_UE_MEMORY_RECORD && engine->record_buffer != SGD_RING_NO_BUFFER &&
        len >= SGD_UE_ZC_MIN && !conn->zc_useless) {
        sgd_ring_send_zc(engine->ring, conn->fd, bytes, len, flags, engine->record_buffer, tag);
        batch_count_op(batch, SGE_STAT_send_zc, len);
        return;
    }
    sgd_ring_send(engine->ring, conn->fd, bytes, len, flags, tag);
    batch_count_op(batch, SGE_STAT_send_copy, len);
}

static void batch_send_zc(struct sgd_ue_batch *batch, uint32_t len, uint32_t buffer)
{
    const struct sg_slice *slice = &batch->slices[batch->next];
    bool last = batch->next + 1 == batch->count && batch->next_offset + len == slice->len;
    sgd_ring_send_zc(batch->conn->engine->ring, batch->conn->fd, slice->bytes + batch->next_offset,
                     len, send_flags(batch, last), buffer, sgd_ue_tag_of(batch, SGD_UE_TAG_SEND));
    batch_count_op(batch, SGE_STAT_send_zc, len);
}

/* Has the kernel copy out of the slices; they are held until it did. */
static void batch_send_parts(struct sgd_ue_batch *batch, uint32_t parts, uint32_t len)
{
    bool last = batch->next + parts == batch->count;
    batch->message = (struct msghdr){.msg_iov = batch->parts, .msg_iovlen = parts};
    sgd_ring_sendmsg(batch->conn->engine->ring, batch->conn->fd, &batch->message,
                     send_flags(batch, last), sgd_ue_tag_of(batch, SGD_UE_TAG_SEND));
    batch_count_op(batch, SGE_STAT_send_copy, len);
}

/* Hands the kernel what comes next. False: there was no memory to gather it in. */
static bool batch_send(struct sgd_ue_batch *batch)
{
    uint32_t len = 0, parts;
    SG_ASSERT(!batch->op && batch_unsent(batch));
    if (batch->record_type != 0) {
        batch_send_record(batch);
        return true;
    }
    if (batch->memory_sent < batch->memory_len) {
        batch_send_memory(batch);
        return true;
    }
    batch_give_memory(batch->conn->engine, batch);
    uint32_t buffer = batch_zc_buffer(batch, batch->next, &len);
    if (buffer != SGD_RING_NO_BUFFER) {
        batch_send_zc(batch, len, buffer);
        return true;
    }
    parts = batch_parts(batch, &len);
    if (len > SGD_UE_SMALL_BYTES) {
        batch_send_parts(batch, parts, len);
        return true;
    }
    if (!batch_gather(batch, parts))
        return false;
    batch_send_memory(batch);
    return true;
}

/* ---- pulling ---- */

static struct sgd_ue_batch *batch_take(struct sgd_conn *conn)
{
    struct sgd_ue_batch *batch = sg_pool_take(&conn->engine->batches);
    if (batch == NULL)
        return NULL;
    *batch = (struct sgd_ue_batch){.magic = sgd_ue_batch_MAGIC, .conn = conn};
    sg_list_init(&batch->sending);
    return batch;
}

static void batch_begin(struct sgd_ue_batch *batch)
{
    struct sgd_conn *conn = batch->conn;
    conn->inflight += batch->bytes;
    conn->engine->pinned += batch->bytes;
    sge_stat_set(conn->engine->worker->stats, SGE_STAT_arena_pinned_bytes, conn->engine->pinned);
    conn->batches++;
    conn->batch = batch;
}

/* Twice the congestion window keeps the wire busy; more would only pin memory. */
static void send_look_at_window(struct sgd_conn *conn)
{
    struct sgd_tcpinfo info;
    if (conn->sent_bytes < conn->bound_next)
        return;
    uint64_t max = conn->engine->worker->snapshot->config->limits.pinned_bytes_per_connection;
    if (sgd_tcpinfo_read(conn->fd, &info)) {
        uint64_t bound = SG_MIN(2ull * info.cwnd_bytes, max);
        conn->bound = (uint32_t)SG_MAX(bound, SGD_UE_BOUND_MIN);
    }
    conn->bound_next = conn->sent_bytes + conn->bound;
}

/* How much may be pulled now; 0: no room, and the connection will be run again when there is. */
static size_t send_budget(struct sgd_conn *conn)
{
    send_look_at_window(conn);
    if (conn->inflight >= conn->bound)
        return 0; /* batch_settle() comes back */
    size_t chunk = conn->zc_useless ? SGD_UE_COPY_BYTES : SGD_UE_CHUNK_BYTES;
    size_t budget = SG_MIN(conn->bound - conn->inflight, chunk) + SGD_UE_HEAD_BYTES;
    size_t tls = conn->tls != NULL ? sgd_ue_tls_budget(conn) : SIZE_MAX;
    if (tls == 0 || conn->engine->batches.free_count == 0) {
        send_starve(conn);
        return 0;
    }
    if (conn->engine->pinned >=
        conn->engine->worker->snapshot->config->limits.pinned_bytes_per_worker) {
        sge_stat_add(conn->engine->worker->stats, SGE_STAT_pinned_limit, 1);
        budget = SG_MIN(budget, SGD_TLSREC_PLAIN_MAX);
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
    for (uint8_t i = 0; i < batch->count; i++) {
        SG_ASSERT(batch->slices[i].len > 0);
        batch->bytes += batch->slices[i].len;
    }
    SG_ASSERT(batch->bytes <= budget);
    batch->soon = more == SGD_PULL_SOON;
    conn->want_send = more == SGD_PULL_MORE;
    conn->pull_end |= more == SGD_PULL_END;
}

static bool send_has_ended(const struct sgd_conn *conn)
{
    return conn->pull_end || (conn->state == SGD_UE_CLOSING && !conn->want_send);
}

/* close_notify comes after all else, but not where the peer went without a word while nothing was
 * under way: it has closed its socket, and would answer with a reset. */
static bool send_owes_notify(const struct sgd_conn *conn)
{
    return conn->tls != NULL && !conn->tls->ended && !conn->tls->cut && send_has_ended(conn);
}

/* Where the last send had to wait, the next would too, and keep memory that others need. The same
 * where only small memory is left: a send that fits in the socket gives it back at once. So players
 * that pause hold none. False: sgd_ue_send_polled() comes back. */
static bool send_has_room(struct sgd_conn *conn, size_t budget)
{
    bool poll_first = conn->blocked || budget <= SGD_TLSREC_PLAIN_MAX;
    if (!poll_first || conn->writable)
        return true;
    if (!conn->polling) {
        conn->polling = true;
        conn->ops++;
        sgd_ring_poll(conn->engine->ring, conn->fd, POLLOUT, sgd_ue_tag_of(conn, SGD_UE_TAG_POLL));
    }
    return false;
}

void sgd_ue_send_polled(struct sgd_conn *conn)
{
    SG_ASSERT(conn->polling && conn->ops > 0);
    conn->polling = false;
    conn->writable = true; /* or broken, as the next send will say */
    conn->ops--;
    sgd_ue_conn_ready(conn);
}

/* Makes the next batch: what the protocol gives, what TLS itself has to say, or both. False: there
 * is nothing, or no room for it. */
static bool send_next(struct sgd_conn *conn)
{
    size_t budget = send_budget(conn);
    if (budget == 0 || !send_has_room(conn, budget))
        return false;
    conn->writable = false;
    bool tls = conn->tls != NULL; /* as it was before pull(): what that gives goes the old way */
    struct sgd_ue_batch *batch = batch_take(conn);
    if (tls && conn->tls->ktls_due)
        sgd_ue_tls_try_kernel(conn);
    if (conn->want_send && !(tls && conn->tls->failed))
        batch_pull(batch, budget);
    bool last = tls && send_owes_notify(conn);
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
    return conn->want_send || sgd_ue_tls_control_due(conn) || send_owes_notify(conn);
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
    while (sent > 0) {
        uint32_t part = SG_MIN(batch->slices[batch->next].len - batch->next_offset, sent);
        batch->next_offset += part;
        sent -= part;
        if (batch->next_offset < batch->slices[batch->next].len)
            return;
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
    if (result == -EINVAL && conn->engine->zc_reports) {
        conn->engine->zc_reports = false; /* a kernel before 6.2; again, without asking */
        sgd_ring_zc_report(conn->engine->ring, false);
        return;
    }
    if ((result == -EOPNOTSUPP || result == -ENOMEM) && !conn->zc_useless) {
        conn->zc_useless = true; /* again, by a copy */
        return;
    }
    if (result != -EINTR && result != -EAGAIN) /* else sgd_ue_conn_run() tries again */
        sgd_ue_conn_die(conn, result == -ETIMEDOUT ? SGD_CLOSE_send_timeout : SGD_CLOSE_peer_reset,
                        false);
}

/* The first completion: what was taken. A zero-copy send has a second one to come. */
static void send_result(struct sgd_ue_batch *batch, const struct sgd_cqe *cqe)
{
    struct sgd_conn *conn = batch->conn;
    SG_ASSERT(batch->op && conn->ops > 0);
    batch->op = false;
    conn->blocked = batch->op_wait != conn->engine->waits;
    sg_list_remove(&batch->sending);
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
    if (cqe->result < 0 && !batch->conn->zc_useless) {
        /* The kernel had to copy all the same (loopback, some devices): then an ordinary send is
         * cheaper. */
        batch->conn->zc_useless = true;
        sge_stat_add(batch->conn->engine->worker->stats, SGE_STAT_send_zc_copied, 1);
    }
    batch_settle(batch);
}
