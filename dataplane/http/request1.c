/* The input side of an HTTP/1.1 connection: heads and bodies, as http1.h says. */
#include "dataplane/http/forwarded.h"
#include "dataplane/http/stream1.h"

#include <arpa/inet.h>
#include <stdio.h>

/* A head is copied in steps, so that a long pipeline is not copied again for each of its heads. */
#define COPY_BYTES 2048u

static uint64_t after_ms(uint64_t now_ns, uint32_t ms)
{
    return now_ns + ms * SG_NS_PER_MS;
}

/* ---- from a head to an exchange ---- */

static bool stream_begin(struct sgd_http1 *h, uint64_t now_ns)
{
    struct sgd_stream1 *s = sg_pool_take(&h->all->streams);
    if (s == NULL) {
        sge_stat_add(h->all->worker->stats, SGE_STAT_pool_empty, 1);
        return false;
    }
    const struct sg_conf_limits *limits = sgd_http1_limits(h);
    struct sgd_head1_limits bounds = {
        .head_bytes = SG_MIN(limits->header_bytes, h->all->head_bytes),
        .fields = SG_MIN(limits->header_fields, (uint32_t)SGD_FIELDS_MAX),
        .https = h->https,
    };
    memset(s, 0, offsetof(struct sgd_stream1, head));
    sgd_head1_begin(&s->head, &bounds);
    s->conn = h;
    s->since_ns = now_ns;
    s->reply = (struct sgd_reply){&sgd_http1_reply_ops, h->conn};
    h->stream = s;
    return true;
}

/* An HTTP/1.0 request may name no host: then it is for the address it came to. */
static void fill_authority(struct sgd_http1 *h, struct sgd_stream1 *s)
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in6 *local = &s->request.peer->local;
    unsigned port = ntohs(local->sin6_port);
    bool v4 = IN6_IS_ADDR_V4MAPPED(&local->sin6_addr);
    const void *address = v4 ? (const void *)(local->sin6_addr.s6_addr + 12) : &local->sin6_addr;
    if (inet_ntop(v4 ? AF_INET : AF_INET6, address, host, sizeof(host)) == NULL)
        host[0] = 0;
    struct sg_out out = sg_out_init(s->authority, sizeof(s->authority));
    sg_out_fmt(&out, v4 ? "%s" : "[%s]", host);
    if (port != (h->https ? 443u : 80u))
        sg_out_fmt(&out, ":%u", port);
    s->request.authority = sg_out_view(&out);
}

static void body_end(struct sgd_http1 *h, uint64_t now_ns)
{
    h->stream->body_done = true;
    sgd_http1_enter(h, SGD_HTTP1_ANSWER);
    sgd_http1_deadline(h, SG_NEVER);
    sgd_exchange_body_end(h->stream->x, now_ns);
}

/* Who is behind the connection: the viewer himself, or whom a proxy of ours names. */
static const struct sgd_peer *viewer_of(struct sgd_http1 *h)
{
    struct sgd_stream1 *s = h->stream;
    const struct sgd_peer *peer = sgd_conn_peer(h->conn);
    struct sockaddr_in6 from;
    if (!peer->forwarded_ok)
        return peer;
    const struct sg_conf_listener *listener = sgd_worker_listener(h->all->worker, peer->listener);
    if (!sgd_forwarded_for(&s->request, listener->forwarded, listener->forwarded_count, &from))
        return peer;
    s->peer = *peer;
    s->peer.remote = from;
    return &s->peer;
}

static void exchange_begin(struct sgd_http1 *h, uint64_t now_ns)
{
    struct sgd_stream1 *s = h->stream;
    struct sgd_worker *worker = h->all->worker;
    uint64_t body_max = sgd_http1_limits(h)->body_bytes;
    sge_stat_add(worker->stats, SGE_STAT_requests, 1);
    h->requests++;
    s->request.peer = viewer_of(h);
    s->persists = sgd_head1_persists(&s->head);
    if (s->request.authority.len == 0)
        fill_authority(h, s);
    if (s->request.has_body && s->request.body_bytes != SGD_LENGTH_UNKNOWN &&
        s->request.body_bytes > body_max) {
        sgd_http1_give_up(h, SGD_CLOSE_http_body_too_large, now_ns);
        return;
    }
    sgd_http1_enter(h, SGD_HTTP1_BODY);
    s->x = sgd_exchange_open(worker, &s->request, &s->reply, now_ns);
    if (s->x == NULL) {
        sgd_http1_give_up(h, SGD_CLOSE_no_memory, now_ns);
        return;
    }
    if (!s->request.has_body) {
        body_end(h, now_ns);
        return;
    }
    sgd_chunked_begin(&s->chunked);
    sgd_http1_deadline(h, after_ms(now_ns, sgd_http1_limits(h)->send_timeout_ms));
    if (s->request.expect_continue)
        sgd_http1_continue(s);
}

/* How many bytes belong to the head. */
static size_t take_head(struct sgd_http1 *h, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    struct sgd_stream1 *s = h->stream;
    enum sgd_close why;
    uint32_t before = s->in_len;
    size_t room = SG_MIN(h->all->head_bytes - before, COPY_BYTES), n = SG_MIN(len, room);
    SG_ASSERT(n > 0); /* a full buffer was refused before */
    memcpy(s->in + before, bytes, n);
    s->in_len += (uint32_t)n;
    switch (sgd_head1_read(&s->head, s->in, s->in_len, &s->request, &why)) {
    case SGD_HEAD1_MORE:
        return n;
    case SGD_HEAD1_BAD:
        sgd_http1_give_up(h, why, now_ns);
        return n;
    case SGD_HEAD1_DONE:
        break;
    }
    size_t used = s->head.at - before;
    exchange_begin(h, now_ns);
    return used;
}

/* ---- bodies ---- */

/* A body has send_timeout_ms for its next byte, and no more than the slowest rate allowed earns it.
 * While the exchange holds it back it is not the peer that is late. */
static void body_deadline(struct sgd_http1 *h, size_t took, uint64_t now_ns)
{
    const struct sg_conf_limits *limits = sgd_http1_limits(h);
    uint64_t due_ns = after_ms(now_ns, limits->send_timeout_ms);
    if (h->input_held)
        due_ns = SG_NEVER;
    else if (limits->send_rate_min != 0 && h->deadline_ns != SG_NEVER)
        due_ns = SG_MIN(due_ns, h->deadline_ns + took * SG_NS_PER_SEC / limits->send_rate_min);
    sgd_http1_deadline(h, due_ns);
}

/* Gives to the exchange; what it leaves is held by the engine until body_wanted(). */
static size_t give_body(struct sgd_http1 *h, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    struct sgd_stream1 *s = h->stream;
    size_t took = sgd_exchange_body(s->x, bytes, len, now_ns);
    SG_ASSERT(took <= len);
    s->body_bytes += took;
    h->input_held = took < len;
    body_deadline(h, took, now_ns);
    return took;
}

static size_t take_sized(struct sgd_http1 *h, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    struct sgd_stream1 *s = h->stream;
    uint64_t left = s->request.body_bytes - s->body_bytes;
    size_t took = give_body(h, bytes, (size_t)SG_MIN(len, left), now_ns);
    if (s->body_bytes == s->request.body_bytes)
        body_end(h, now_ns);
    return took;
}

static size_t take_chunked(struct sgd_http1 *h, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    struct sgd_stream1 *s = h->stream;
    size_t framing, data, took;
    enum sgd_close why;
    enum sgd_chunked_result result =
        sgd_chunked_read(&s->chunked, bytes, len, &framing, &data, &why);
    if (result != SGD_CHUNKED_BAD &&
        sgd_chunked_due(&s->chunked) > sgd_http1_limits(h)->body_bytes - s->body_bytes) {
        sgd_http1_give_up(h, SGD_CLOSE_http_body_too_large, now_ns);
        return len;
    }
    switch (result) {
    case SGD_CHUNKED_MORE:
        return framing;
    case SGD_CHUNKED_END:
        body_end(h, now_ns);
        return framing;
    case SGD_CHUNKED_BAD:
        sgd_http1_give_up(h, why, now_ns);
        return len;
    case SGD_CHUNKED_DATA:
        break;
    }
    took = give_body(h, bytes + framing, data, now_ns);
    sgd_chunked_took(&s->chunked, took);
    return framing + took;
}

static size_t take_body(struct sgd_http1 *h, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    if (h->stream->failed != SGD_CLOSE_none)
        return len; /* on its way to be refused */
    return h->stream->head.chunked ? take_chunked(h, bytes, len, now_ns)
                                   : take_sized(h, bytes, len, now_ns);
}

/* ---- the loop ---- */

static void head_begin(struct sgd_http1 *h, uint64_t now_ns)
{
    if (!stream_begin(h, now_ns)) {
        sgd_http1_refuse(h, SGD_CLOSE_no_memory, 503, now_ns);
        return;
    }
    sgd_http1_enter(h, SGD_HTTP1_HEAD);
}

size_t sgd_http1_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    struct sgd_http1 *h = SG_CAST(sgd_http1, self);
    bool fresh = false; /* the head under way began with these bytes */
    size_t used = 0;
    h->input_held = false;
    while (used < len && !h->input_held) {
        switch ((enum sgd_http1_state)h->state) {
        case SGD_HTTP1_IDLE:
            head_begin(h, now_ns);
            fresh = true;
            break;
        case SGD_HTTP1_HEAD:
            used += take_head(h, bytes + used, len - used, now_ns);
            break;
        case SGD_HTTP1_BODY:
            used += take_body(h, bytes + used, len - used, now_ns);
            break;
        case SGD_HTTP1_ANSWER:
            h->input_held = true;
            break;
        case SGD_HTTP1_CLOSING: /* a peer that still sends is heard out, and not listened to */
        case SGD_HTTP1_DEAD:
            return len;
        }
    }
    if (fresh && h->state == SGD_HTTP1_HEAD)
        sgd_http1_deadline(h, after_ms(now_ns, sgd_http1_limits(h)->header_timeout_ms));
    return used;
}
