#include "dataplane/http/http1.h"

#include "base/alloc.h"
#include "dataplane/http/date.h"
#include "dataplane/http/stream1.h"

/* ---- states and deadlines ---- */

static const uint8_t http1_edges[] = {
    [SGD_HTTP1_IDLE] = SG_BIT(SGD_HTTP1_HEAD) | SG_BIT(SGD_HTTP1_CLOSING) | SG_BIT(SGD_HTTP1_DEAD),
    [SGD_HTTP1_HEAD] = SG_BIT(SGD_HTTP1_BODY) | SG_BIT(SGD_HTTP1_CLOSING) | SG_BIT(SGD_HTTP1_DEAD),
    [SGD_HTTP1_BODY] =
        SG_BIT(SGD_HTTP1_ANSWER) | SG_BIT(SGD_HTTP1_CLOSING) | SG_BIT(SGD_HTTP1_DEAD),
    [SGD_HTTP1_ANSWER] =
        SG_BIT(SGD_HTTP1_IDLE) | SG_BIT(SGD_HTTP1_CLOSING) | SG_BIT(SGD_HTTP1_DEAD),
    [SGD_HTTP1_CLOSING] = SG_BIT(SGD_HTTP1_DEAD),
    [SGD_HTTP1_DEAD] = 0,
};

static void count_idle(struct sgd_http1s *all, int change)
{
    all->idle += (uint32_t)change;
    sge_stat_set(all->worker->stats, SGE_STAT_connections_idle, all->idle);
}

void sgd_http1_enter(struct sgd_http1 *h, enum sgd_http1_state to)
{
    SG_ASSERT(http1_edges[h->state] & SG_BIT(to));
    if (h->state == SGD_HTTP1_IDLE)
        count_idle(h->all, -1);
    if (to == SGD_HTTP1_IDLE)
        count_idle(h->all, 1);
    h->state = (uint8_t)to;
}

/* A deadline that moves away does not touch the engine's timer: it wakes us early, once. */
void sgd_http1_deadline(struct sgd_http1 *h, uint64_t at_ns)
{
    h->deadline_ns = at_ns;
    if (at_ns >= h->armed_ns)
        return;
    h->armed_ns = at_ns;
    sgd_conn_wake_at(h->conn, at_ns);
}

const struct sg_conf_limits *sgd_http1_limits(const struct sgd_http1 *h)
{
    return &h->all->worker->snapshot->config->limits;
}

struct sg_str sgd_http1_date_line(struct sgd_http1s *all)
{
    uint64_t now_s = all->worker->wall_ns / SG_NS_PER_SEC;
    if (now_s != all->date_s) {
        all->date_s = now_s;
        sgd_http_date_write((int64_t)now_s, all->date_line + 6);
    }
    return (struct sg_str){all->date_line, sizeof(all->date_line)};
}

/* ---- memory ---- */

static void out_release(struct sg_hold *hold)
{
    struct sgd_http1_out *out = SG_CONTAINER_OF(hold, struct sgd_http1_out, hold);
    sg_pool_give(&out->all->outs, out);
}

struct sgd_http1_out *sgd_http1_out_take(struct sgd_http1s *all)
{
    static const struct sg_hold_ops ops = {out_release};
    struct sgd_http1_out *out = sg_pool_take(&all->outs);
    if (out == NULL) {
        sge_stat_add(all->worker->stats, SGE_STAT_pool_empty, 1);
        return NULL;
    }
    sg_hold_init(&out->hold, &ops);
    out->all = all;
    return out;
}

void sgd_http1_stream_end(struct sgd_http1 *h, enum sgd_close why, uint64_t now_ns)
{
    struct sgd_stream1 *s = SG_TAKE(h->stream);
    if (s == NULL)
        return;
    if (s->x != NULL)
        sgd_exchange_close(SG_TAKE(s->x), why, s->sent_bytes, now_ns);
    for (uint8_t i = 0; i < s->pending_count; i++)
        sg_slice_drop(&s->pending[i]);
    sg_pool_give(&h->all->streams, s);
}

/* ---- ends ---- */

void sgd_http1_abort(struct sgd_http1 *h, enum sgd_close why)
{
    sgd_http1_enter(h, SGD_HTTP1_DEAD);
    sgd_http1_deadline(h, SG_NEVER);
    sgd_conn_abort(h->conn, why);
}

/* For when not even memory for a refusal is left. */
static const char no_memory[] = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"
                                "content-length: 0\r\nconnection: close\r\n\r\n";

static struct sg_slice refusal_slice(struct sgd_http1 *h, enum sgd_close why, uint16_t status,
                                     bool with_body, uint64_t id)
{
    struct sgd_http1_out *memory = sgd_http1_out_take(h->all);
    if (memory == NULL)
        return (struct sg_slice){(const uint8_t *)no_memory, sizeof(no_memory) - 1, NULL};
    struct sg_out out = sg_out_init(memory->bytes, SGD_HTTP1_OUT_BYTES);
    bool fits = sgd_answer1_refusal(why, status, with_body, id, sgd_http1_date_line(h->all), &out);
    SG_ASSERT(fits);
    return (struct sg_slice){(const uint8_t *)memory->bytes, (uint32_t)out.len, &memory->hold};
}

/* Writes a refused head down, as an exchange would have been; 0: one was, and does it itself. */
static uint64_t refusal_id(struct sgd_http1 *h, enum sgd_close why, uint16_t status,
                           uint64_t now_ns)
{
    const struct sgd_stream1 *s = h->stream;
    if (s != NULL && s->x != NULL)
        return 0;
    struct sgd_refused refused = {.why = why,
                                  .status = status,
                                  .method = SGD_METHOD_OTHER,
                                  .peer = sgd_conn_peer(h->conn),
                                  .since_ns = now_ns};
    if (s != NULL) {
        refused.method = sgd_method_of(s->head.method_text);
        refused.since_ns = s->since_ns;
        refused.request_bytes = s->in_len;
    }
    return sgd_exchange_refused(h->all->worker, &refused, now_ns);
}

void sgd_http1_refuse(struct sgd_http1 *h, enum sgd_close why, uint16_t status, uint64_t now_ns)
{
    SG_ASSERT(h->last.len == 0);
    const struct sgd_stream1 *s = h->stream;
    bool with_body = s == NULL || !sg_str_eq(s->head.method_text, SG_STR("HEAD"));
    if (status != 0) {
        uint64_t id = refusal_id(h, why, status, now_ns);
        h->last = refusal_slice(h, why, status, with_body, id);
        sge_stat_add(h->all->worker->stats,
                     status < 500 ? SGE_STAT_responses_4xx : SGE_STAT_responses_5xx, 1);
        sgd_conn_want_send(h->conn);
    }
    sgd_http1_stream_end(h, why, now_ns);
    sgd_http1_enter(h, SGD_HTTP1_CLOSING);
    sgd_http1_deadline(h, SG_NEVER);
    sgd_conn_close(h->conn, why);
}

void sgd_http1_give_up(struct sgd_http1 *h, enum sgd_close why, uint64_t now_ns)
{
    if (h->stream != NULL && (h->stream->head_given || h->stream->torn))
        sgd_http1_abort(h, why);
    else
        sgd_http1_refuse(h, why, sgd_close_status(why), now_ns);
}

/* ---- what the engine tells beside bytes ---- */

static void http1_input_end(void *self, uint64_t now_ns)
{
    struct sgd_http1 *h = SG_CAST(sgd_http1, self);
    h->input_ended = true;
    switch ((enum sgd_http1_state)h->state) {
    case SGD_HTTP1_IDLE:
    case SGD_HTTP1_HEAD:
        sgd_http1_refuse(h, SGD_CLOSE_peer_closed, 0, now_ns);
        break;
    case SGD_HTTP1_BODY:
        sgd_http1_give_up(h, SGD_CLOSE_peer_closed, now_ns);
        break;
    case SGD_HTTP1_ANSWER: /* it may still listen */
    case SGD_HTTP1_CLOSING:
    case SGD_HTTP1_DEAD:
        break;
    }
}

static void http1_wake(void *self, uint64_t now_ns)
{
    struct sgd_http1 *h = SG_CAST(sgd_http1, self);
    h->armed_ns = SG_NEVER;
    if (now_ns < h->deadline_ns) {
        sgd_http1_deadline(h, h->deadline_ns);
        return;
    }
    h->deadline_ns = SG_NEVER;
    switch ((enum sgd_http1_state)h->state) {
    case SGD_HTTP1_IDLE:
        sgd_http1_refuse(h, SGD_CLOSE_idle, 0, now_ns);
        break;
    case SGD_HTTP1_HEAD:
        sgd_http1_give_up(h, SGD_CLOSE_header_timeout, now_ns);
        break;
    case SGD_HTTP1_BODY:
        sgd_http1_give_up(h, SGD_CLOSE_body_timeout, now_ns);
        break;
    case SGD_HTTP1_ANSWER:
    case SGD_HTTP1_CLOSING:
    case SGD_HTTP1_DEAD:
        break;
    }
}

static void http1_closed(void *self, enum sgd_close why)
{
    struct sgd_http1 *h = SG_CAST(sgd_http1, self);
    struct sgd_http1s *all = h->all;
    /* An exchange that is still open did not end well, whatever the connection did. */
    sgd_http1_stream_end(h, why != SGD_CLOSE_none ? why : SGD_CLOSE_peer_closed,
                         all->worker->now_ns);
    sg_slice_drop(&h->last);
    if (h->state == SGD_HTTP1_IDLE)
        count_idle(all, -1);
    h->magic = 0;
    sg_pool_give(&all->conns, h);
}

bool sgd_http1_is_ending(const struct sgd_http1 *h)
{
    return h->draining || h->all->worker->draining ||
           sgd_conn_peer(h->conn)->listener->gone != NULL;
}

/* What is under way is finished: its answer says that the connection closes. A connection without
 * a request yet has one on its way, most likely: the viewer did nothing wrong and would not know
 * that he may try again. */
static void http1_drain(void *self, uint64_t now_ns)
{
    struct sgd_http1 *h = SG_CAST(sgd_http1, self);
    h->draining = true;
    if (h->state != SGD_HTTP1_IDLE || h->input_held)
        return;
    if (h->requests != 0)
        sgd_http1_refuse(h, SGD_CLOSE_drained, 0, now_ns);
    else
        sgd_http1_deadline(h, SG_MIN(h->deadline_ns, now_ns + SGD_HTTP1_LAST_NS));
}

static const struct sgd_proto http1_proto = {
    .name = "http/1.1",
    .input = sgd_http1_input,
    .pull = sgd_http1_pull,
    .input_end = http1_input_end,
    .wake = http1_wake,
    .closed = http1_closed,
    .drain = http1_drain,
};

/* ---- start ---- */

static void digits_fill(struct sgd_http1_digits *digits)
{
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0; i < 4096; i++) {
        char three[3] = {hex[i >> 8], hex[i >> 4 & 15], hex[i & 15]};
        memcpy(digits->first[i], "\r\n", 2);
        memcpy(digits->first[i] + 2, three, 3);
        memcpy(digits->second[i], three, 3);
        memcpy(digits->second[i] + 3, "\r\n", 2);
    }
}

enum sg_err sgd_http1s_open(struct sgd_worker *worker, const struct sg_conf_limits *limits,
                            struct sgd_http1s **out)
{
    SG_ASSERT(worker != NULL && limits != NULL && out != NULL);
    SG_ASSERT(limits->connections > 0 && limits->header_bytes > 0);
    struct sgd_http1s *all = sg_boot_alloc(sizeof(*all));
    if (all == NULL)
        return SG_ENOMEM;
    all->worker = worker;
    all->head_bytes = limits->header_bytes;
    memcpy(all->date_line, "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", sizeof(all->date_line));
    digits_fill(&all->digits);
    enum sg_err err = sg_pool_init(&all->conns, limits->connections, sizeof(struct sgd_http1));
    if (err != SG_OK)
        goto out;
    err = sg_pool_init(&all->streams, limits->connections,
                       sizeof(struct sgd_stream1) + all->head_bytes);
    if (err != SG_OK)
        goto out;
    err = sg_pool_init(&all->outs, 2 * limits->connections,
                       sizeof(struct sgd_http1_out) + SGD_HTTP1_OUT_BYTES);
    if (err != SG_OK)
        goto out;
    *out = SG_TAKE(all);
out:
    sgd_http1s_close(all);
    return err;
}

void sgd_http1s_close(struct sgd_http1s *all)
{
    if (all == NULL)
        return;
    SG_ASSERT(all->conns.memory == NULL || sg_pool_in_use(&all->conns) == 0);
    sg_pool_fini(&all->conns);
    sg_pool_fini(&all->streams);
    sg_pool_fini(&all->outs);
    sg_boot_free(all);
}

bool sgd_http1_start(struct sgd_worker *worker, struct sgd_conn *conn)
{
    SG_ASSERT(worker != NULL && worker->http1s != NULL);
    SG_ASSERT(conn != NULL);
    struct sgd_http1s *all = worker->http1s;
    const struct sg_config *config = worker->snapshot->config;
    struct sgd_http1 *h = sg_pool_take(&all->conns);
    if (h == NULL) {
        sge_stat_add(worker->stats, SGE_STAT_pool_empty, 1);
        return false;
    }
    *h = (struct sgd_http1){
        .magic = sgd_http1_MAGIC,
        .state = SGD_HTTP1_IDLE,
        .https = sgd_conn_peer(conn)->tls != 0,
        .all = all,
        .conn = conn,
        .armed_ns = SG_NEVER,
    };
    count_idle(all, 1);
    sgd_conn_set_proto(conn, &http1_proto, h);
    /* The first head is due as fast as any: nothing was served yet that would earn patience. */
    uint64_t patience_ns = config->limits.header_timeout_ms * SG_NS_PER_MS;
    if (worker->draining)
        patience_ns = SG_MIN(patience_ns, SGD_HTTP1_LAST_NS);
    sgd_http1_deadline(h, worker->now_ns + patience_ns);
    return true;
}
