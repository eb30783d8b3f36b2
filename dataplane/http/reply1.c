/* The output side of an HTTP/1.1 connection. The reply's functions are called by delivery at any
 * time, so they only leave marks; exchanges are pulled and closed from the engine's calls alone. */
#include "dataplane/http/stream1.h"

#define SLICE_LIT(lit)                                                                             \
    (struct sg_slice)                                                                              \
    {                                                                                              \
        (const uint8_t *)("" lit), sizeof(lit) - 1, NULL                                           \
    }

static struct sgd_stream1 *stream_of(struct sgd_reply *reply)
{
    SG_ASSERT(reply != NULL);
    return SG_CONTAINER_OF(reply, struct sgd_stream1, reply);
}

/* ---- what delivery calls ---- */

static void push_slice(struct sgd_stream1 *s, struct sg_slice slice)
{
    SG_ASSERT(s->pending_count < SG_COUNT(s->pending));
    s->pending[s->pending_count++] = slice;
    sgd_conn_want_send(s->conn->conn);
}

static void push_out(struct sgd_stream1 *s, struct sgd_http1_out *memory, size_t len)
{
    push_slice(s, (struct sg_slice){(const uint8_t *)memory->bytes, (uint32_t)len, &memory->hold});
}

static void reply_fail(struct sgd_reply *reply, enum sgd_close why)
{
    struct sgd_stream1 *s = stream_of(reply);
    struct sgd_http1 *h = s->conn;
    if (s->failed != SGD_CLOSE_none || h->state == SGD_HTTP1_DEAD)
        return;
    s->failed = why != SGD_CLOSE_none ? why : SGD_CLOSE_internal;
    if (s->head_given)
        sgd_http1_abort(h, s->failed);
    else
        sgd_conn_want_send(h->conn);
}

/* An interim answer that finds no room is left out: nobody may rely on one. HTTP/1.0 knows none. */
static void reply_interim(struct sgd_reply *reply, const struct sgd_response *response)
{
    struct sgd_stream1 *s = stream_of(reply);
    SG_ASSERT(!s->head_given);
    if (s->head.minor == 0 || s->pending_count + 1u >= SG_COUNT(s->pending))
        return;
    if (response->status == 100) {
        sgd_http1_continue(s);
        return;
    }
    struct sgd_http1_out *memory = sgd_http1_out_take(s->conn->all);
    if (memory == NULL)
        return;
    struct sg_out out = sg_out_init(memory->bytes, SGD_HTTP1_OUT_BYTES);
    if (sgd_answer1_interim(response, &out))
        push_out(s, memory, out.len);
    else
        sg_hold_unref(&memory->hold);
}

void sgd_http1_continue(struct sgd_stream1 *s)
{
    if (s->head_given || s->continue_given || s->failed != SGD_CLOSE_none)
        return;
    s->continue_given = true;
    push_slice(s, SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* A body that was not read whole would be taken for the next request: the connection ends. */
static bool may_persist(const struct sgd_stream1 *s, const struct sgd_response *response)
{
    const struct sgd_http1 *h = s->conn;
    return s->persists && !response->close && (s->body_done || !s->request.has_body) &&
           !h->input_ended && !sgd_http1_is_ending(h) &&
           h->requests < sgd_http1_limits(h)->requests_per_connection;
}

static void reply_head(struct sgd_reply *reply, const struct sgd_response *response)
{
    struct sgd_stream1 *s = stream_of(reply);
    struct sgd_http1 *h = s->conn;
    SG_ASSERT(!s->head_given && response->status >= 200);
    if (s->failed != SGD_CLOSE_none || h->state == SGD_HTTP1_DEAD)
        return;
    struct sgd_response said = *response;
    said.no_body |=
        s->request.method == SGD_METHOD_HEAD || said.status == 204 || said.status == 304;
    struct sgd_answer1 how = {.framing = sgd_answer1_framing(&said, s->head.minor),
                              .minor = s->head.minor,
                              .date_line = sgd_http1_date_line(h->all)};
    how.persists = how.framing != SGD_FRAMING_CLOSE && may_persist(s, response);
    struct sgd_http1_out *memory = sgd_http1_out_take(h->all);
    struct sg_out out = sg_out_init(memory != NULL ? memory->bytes : NULL,
                                    memory != NULL ? SGD_HTTP1_OUT_BYTES : 0);
    if (!sgd_answer1_head(&how, &said, &out)) {
        if (memory != NULL)
            sg_hold_unref(&memory->hold);
        reply_fail(reply, memory != NULL ? SGD_CLOSE_internal : SGD_CLOSE_no_memory);
        return;
    }
    s->head_given = true;
    s->persists = how.persists;
    s->framing = said.no_body ? SGD_FRAMING_NONE : how.framing;
    s->answer_left = s->framing == SGD_FRAMING_LENGTH ? said.body_bytes : 0;
    push_out(s, memory, out.len);
}

static void reply_body_ready(struct sgd_reply *reply)
{
    sgd_conn_want_send(reply->conn);
}

static void reply_body_wanted(struct sgd_reply *reply)
{
    sgd_conn_read_resume(reply->conn);
}

const struct sgd_reply_ops sgd_http1_reply_ops = {
    .interim = reply_interim,
    .head = reply_head,
    .body_ready = reply_body_ready,
    .body_wanted = reply_body_wanted,
    .fail = reply_fail,
};

/* ---- what the engine pulls ---- */

struct batch {
    struct sg_slice *out;
    size_t max, count, budget;
};

static void batch_add(struct batch *batch, struct sg_slice slice)
{
    SG_ASSERT(batch->count < batch->max && slice.len <= batch->budget);
    batch->out[batch->count++] = slice;
    batch->budget -= slice.len;
}

/* Moves as much of *slice as fits. True: all of it went. */
static bool batch_move(struct batch *batch, struct sg_slice *slice)
{
    if (slice->len == 0)
        return true;
    if (batch->count == batch->max || batch->budget == 0)
        return false;
    struct sg_slice part = *slice;
    part.len = (uint32_t)SG_MIN((size_t)slice->len, batch->budget);
    bool whole = part.len == slice->len;
    if (!whole && slice->hold != NULL)
        sg_hold_ref(slice->hold);
    batch_add(batch, part);
    slice->bytes += part.len;
    slice->len -= part.len;
    if (whole)
        slice->hold = NULL; /* the reference went with it */
    return whole;
}

/* True: all heads are out. */
static bool pull_pending(struct sgd_stream1 *s, struct batch *batch)
{
    uint8_t done = 0;
    size_t before = batch->count;
    while (done < s->pending_count && batch_move(batch, &s->pending[done]))
        done++;
    s->torn = batch->count - before > done;
    s->pending_count = (uint8_t)(s->pending_count - done);
    memmove(s->pending, s->pending + done, s->pending_count * sizeof(s->pending[0]));
    return s->pending_count == 0;
}

/* How a pull of body bytes ended. */
enum body { BODY_MORE, BODY_IDLE, BODY_WHOLE, BODY_CUT };

static enum body body_of(enum sgd_pull_more more)
{
    return more == SGD_PULL_MORE ? BODY_MORE : more == SGD_PULL_IDLE ? BODY_IDLE : BODY_WHOLE;
}

/* The exchange's own slices, at most `budget` bytes of them; their sum is *bytes. */
static enum sgd_pull_more pull_exchange(struct sgd_stream1 *s, struct batch *batch, size_t budget,
                                        size_t max, uint64_t now_ns, size_t *bytes)
{
    enum sgd_pull_more more = SGD_PULL_IDLE;
    size_t n = sgd_exchange_pull(s->x, budget, batch->out + batch->count, max, &more, now_ns);
    SG_ASSERT(n <= max);
    *bytes = 0;
    for (size_t i = 0; i < n; i++)
        *bytes += batch->out[batch->count + i].len;
    SG_ASSERT(*bytes <= budget);
    batch->count += n;
    batch->budget -= *bytes;
    s->sent_bytes += *bytes;
    return more;
}

static enum body pull_length(struct sgd_stream1 *s, struct batch *batch, uint64_t now_ns)
{
    size_t bytes, budget = (size_t)SG_MIN((uint64_t)batch->budget, s->answer_left);
    if (s->answer_left == 0)
        return BODY_WHOLE;
    if (batch->count == batch->max || budget == 0)
        return BODY_MORE;
    enum sgd_pull_more more =
        pull_exchange(s, batch, budget, batch->max - batch->count, now_ns, &bytes);
    s->answer_left -= bytes;
    if (s->answer_left == 0)
        return BODY_WHOLE;
    return more == SGD_PULL_END ? BODY_CUT : body_of(more);
}

static enum body pull_until_close(struct sgd_stream1 *s, struct batch *batch, uint64_t now_ns)
{
    size_t bytes;
    if (batch->count == batch->max || batch->budget == 0)
        return BODY_MORE;
    return body_of(
        pull_exchange(s, batch, batch->budget, batch->max - batch->count, now_ns, &bytes));
}

/* One chunk of all that the exchange gives: its head goes into two slices kept free for it. */
static enum body pull_chunk(struct sgd_stream1 *s, struct batch *batch, uint64_t now_ns)
{
    enum { FRAMING_SLICES = 3, FRAMING_BYTES = 5 + 5 + 7 };
    const struct sgd_http1_digits *digits = &s->conn->all->digits;
    struct sg_slice *head = batch->out + batch->count;
    size_t bytes;
    if (batch->max - batch->count <= FRAMING_SLICES || batch->budget <= FRAMING_BYTES)
        return BODY_MORE; /* next time there is more room */
    size_t budget = SG_MIN(batch->budget - FRAMING_BYTES, (size_t)SGD_HTTP1_CHUNK_MAX);
    batch->count += 2;
    enum sgd_pull_more more = pull_exchange(
        s, batch, budget, batch->max - batch->count - (FRAMING_SLICES - 2), now_ns, &bytes);
    if (bytes == 0) {
        batch->count -= 2;
    } else {
        uint32_t skip = s->chunk_begun ? 0 : 2;
        head[0] =
            (struct sg_slice){(const uint8_t *)digits->first[bytes >> 12] + skip, 5 - skip, NULL};
        head[1] = (struct sg_slice){(const uint8_t *)digits->second[bytes & 4095], 5, NULL};
        batch->budget -= 10 - skip;
        s->chunk_begun = true;
    }
    if (more == SGD_PULL_END)
        batch_add(batch, s->chunk_begun ? SLICE_LIT("\r\n0\r\n\r\n") : SLICE_LIT("0\r\n\r\n"));
    return body_of(more);
}

static enum body pull_body(struct sgd_stream1 *s, struct batch *batch, uint64_t now_ns)
{
    switch (s->framing) {
    case SGD_FRAMING_NONE:
        return BODY_WHOLE;
    case SGD_FRAMING_LENGTH:
        return pull_length(s, batch, now_ns);
    case SGD_FRAMING_CHUNKED:
        return pull_chunk(s, batch, now_ns);
    case SGD_FRAMING_CLOSE:
        return pull_until_close(s, batch, now_ns);
    }
    SG_UNREACHABLE();
}

static enum sgd_pull_more answer_end(struct sgd_http1 *h, uint64_t now_ns)
{
    bool persists = h->stream->persists && h->state == SGD_HTTP1_ANSWER && !h->input_ended;
    sgd_http1_stream_end(h, SGD_CLOSE_none, now_ns);
    if (!persists) {
        enum sgd_close why = h->requests >= sgd_http1_limits(h)->requests_per_connection
                                 ? SGD_CLOSE_http_requests_full
                                 : SGD_CLOSE_none;
        sgd_http1_enter(h, SGD_HTTP1_CLOSING);
        sgd_http1_deadline(h, SG_NEVER);
        sgd_conn_close(h->conn, why);
        return SGD_PULL_END;
    }
    uint64_t patience_ns = sgd_http1_limits(h)->keepalive_timeout_ms * SG_NS_PER_MS;
    if (sgd_http1_is_ending(h)) /* since the head, which had promised to go on */
        patience_ns = SG_MIN(patience_ns, SGD_HTTP1_LAST_NS);
    sgd_http1_enter(h, SGD_HTTP1_IDLE);
    sgd_http1_deadline(h, now_ns + patience_ns);
    if (h->input_held)
        sgd_conn_read_resume(h->conn);
    return SGD_PULL_IDLE;
}

static enum sgd_pull_more pull_answer(struct sgd_http1 *h, struct batch *batch, uint64_t now_ns)
{
    struct sgd_stream1 *s = h->stream;
    if (!pull_pending(s, batch))
        return SGD_PULL_MORE;
    if (!s->head_given)
        return SGD_PULL_IDLE;
    enum body body = pull_body(s, batch, now_ns);
    if (h->state == SGD_HTTP1_DEAD)
        return SGD_PULL_IDLE; /* it failed while we asked */
    switch (body) {
    case BODY_MORE:
        return SGD_PULL_MORE;
    case BODY_IDLE:
        return SGD_PULL_IDLE;
    case BODY_CUT:
        sgd_http1_abort(h, SGD_CLOSE_answer_cut);
        return SGD_PULL_IDLE;
    case BODY_WHOLE:
        return answer_end(h, now_ns);
    }
    SG_UNREACHABLE();
}

static enum sgd_pull_more pull_last(struct sgd_http1 *h, struct batch *batch)
{
    return batch_move(batch, &h->last) ? SGD_PULL_END : SGD_PULL_MORE;
}

static enum sgd_pull_more pull_failed(struct sgd_http1 *h, struct batch *batch, uint64_t now_ns)
{
    enum sgd_close why = h->stream->failed;
    uint16_t status = sgd_close_status(why);
    if (h->stream->torn) {
        sgd_http1_abort(h, why);
        return SGD_PULL_IDLE;
    }
    sgd_http1_refuse(h, why, status != 0 ? status : 502, now_ns);
    return pull_last(h, batch);
}

size_t sgd_http1_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                      enum sgd_pull_more *more, uint64_t now_ns)
{
    struct sgd_http1 *h = SG_CAST(sgd_http1, self);
    struct batch batch = {.out = out, .max = max, .budget = budget};
    *more = SGD_PULL_IDLE;
    switch ((enum sgd_http1_state)h->state) {
    case SGD_HTTP1_IDLE:
    case SGD_HTTP1_HEAD:
    case SGD_HTTP1_DEAD:
        break;
    case SGD_HTTP1_BODY:
    case SGD_HTTP1_ANSWER:
        *more = h->stream->failed != SGD_CLOSE_none ? pull_failed(h, &batch, now_ns)
                                                    : pull_answer(h, &batch, now_ns);
        break;
    case SGD_HTTP1_CLOSING:
        *more = pull_last(h, &batch);
        break;
    }
    return batch.count;
}
