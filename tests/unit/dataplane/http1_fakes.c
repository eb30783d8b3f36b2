#include "tests/sgt.h"

#include "base/clock.h"
#include "tests/unit/dataplane/http1_fakes.h"

#include <stdio.h>

struct sgd_exchange sgt_x;
struct sgd_refused sgt_refused;
unsigned sgt_x_count;
char sgt_x_log[256];

static struct sgd_conn the_conn;
static struct sgd_worker worker;
static struct sgd_snapshot snapshot;
static struct sgd_listener socket_of;
static struct sg_config config;
static struct sg_conf_listener listener;
static struct sge_stats stats;

/* ---- the exchange ---- */

static bool path_is(const char *path)
{
    return sg_str_eq(sgt_x.req->path, sg_str_from(path));
}

static void answer(uint16_t status, uint64_t bytes, bool no_body, bool close)
{
    struct sgd_field fields[] = {{SG_STR("x-a"), SG_STR("b")}};
    struct sgd_response response = {.status = status,
                                    .fields = fields,
                                    .fields_count = 1,
                                    .body_bytes = bytes,
                                    .no_body = no_body,
                                    .close = close};
    sgt_x.reply->ops->head(sgt_x.reply, &response);
}

void sgt_x_answer(void)
{
    answer(200, 5, false, false);
}

static void begin_answer(void)
{
    const struct sgd_reply_ops *ops = sgt_x.reply->ops;
    if (path_is("/hello"))
        answer(200, 5, sgt_x.req->method == SGD_METHOD_HEAD, false);
    else if (path_is("/chunks") || path_is("/torn"))
        answer(200, SGD_LENGTH_UNKNOWN, false, false);
    else if (path_is("/short") || path_is("/cut"))
        answer(200, 10, false, false);
    else if (path_is("/304"))
        answer(304, 5, true, false);
    else if (path_is("/204"))
        answer(204, 0, false, false);
    else if (path_is("/close"))
        answer(200, 5, false, true);
    else if (path_is("/refuse"))
        answer(403, 5, false, false);
    else if (path_is("/fail"))
        (ops->fail)(sgt_x.reply, SGD_CLOSE_no_memory);
    if (!path_is("/early"))
        return;
    struct sgd_field link = {SG_STR("link"), SG_STR("</a>; rel=preload")};
    ops->interim(sgt_x.reply,
                 &(struct sgd_response){.status = 103, .fields = &link, .fields_count = 1});
    answer(200, 5, false, false);
}

uint64_t sgd_exchange_refused(struct sgd_worker *w, const struct sgd_refused *refused,
                              uint64_t now_ns)
{
    assert_ptr_equal(w, &worker);
    assert_true(refused->since_ns <= now_ns);
    sgt_refused = *refused;
    return 0x1234;
}

struct sgd_exchange *sgd_exchange_open(struct sgd_worker *w, const struct sgd_request *request,
                                       struct sgd_reply *reply, uint64_t now_ns)
{
    assert_ptr_equal(w, &worker);
    assert_false(sgt_x.open);
    assert_true(request->authority.len != 0);
    memset(&sgt_x, 0, sizeof(sgt_x));
    sgt_x.req = request;
    sgt_x.reply = reply;
    sgt_x_count++;
    size_t at = strlen(sgt_x_log);
    snprintf(sgt_x_log + at, sizeof(sgt_x_log) - at, "%.*s ", SG_STR_ARG(request->path));
    if (path_is("/full"))
        return NULL;
    sgt_x.open = true;
    sgt_x.room = path_is("/slow") ? 1 : sizeof(sgt_x.body);
    begin_answer();
    return &sgt_x;
    (void)now_ns;
}

size_t sgd_exchange_body(struct sgd_exchange *x, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    assert_true(x->open && !x->body_ended && len > 0);
    size_t n = SG_MIN(len, x->room);
    memcpy(x->body + x->body_len, bytes, n);
    x->body_len += n;
    x->room -= n;
    return n;
    (void)now_ns;
}

void sgd_exchange_body_end(struct sgd_exchange *x, uint64_t now_ns)
{
    assert_true(x->open && !x->body_ended);
    x->body_ended = true;
    if (path_is("/echo") || path_is("/slow"))
        answer(200, SGD_LENGTH_UNKNOWN, false, false);
    (void)now_ns;
}

/* A slice that must be given back. */
static unsigned slices_out;
static void slice_release(struct sg_hold *hold)
{
    slices_out--;
    free(hold);
}

static struct sg_slice slice_of(const char *text, size_t len)
{
    static const struct sg_hold_ops ops = {slice_release};
    struct sg_hold *hold = malloc(sizeof(*hold));
    sg_hold_init(hold, &ops);
    slices_out++;
    return (struct sg_slice){(const uint8_t *)text, (uint32_t)len, hold};
}

size_t sgd_exchange_pull(struct sgd_exchange *x, size_t budget, struct sg_slice *out, size_t max,
                         enum sgd_pull_more *more, uint64_t now_ns)
{
    struct sg_str all = SG_STR("hello");
    assert_true(x->open && budget > 0 && max > 0);
    if (path_is("/torn")) {
        (x->reply->ops->fail)(x->reply, SGD_CLOSE_answer_cut);
        *more = SGD_PULL_IDLE;
        return 0;
    }
    if (path_is("/cut") && x->given == all.len) {
        (x->reply->ops->fail)(x->reply, SGD_CLOSE_answer_cut);
        *more = SGD_PULL_IDLE;
        return 0;
    }
    if (path_is("/chunks"))
        all = SG_STR("onetwothree");
    if (path_is("/echo") || path_is("/slow"))
        all = (struct sg_str){x->body, x->body_len};
    size_t left = SG_MIN(all.len - x->given, (size_t)3), n = SG_MIN(left, budget);
    if (n > 0)
        out[0] = slice_of(all.ptr + x->given, n);
    x->given += n;
    *more = x->given < all.len ? SGD_PULL_MORE : path_is("/cut") ? SGD_PULL_MORE : SGD_PULL_END;
    return n > 0;
    (void)now_ns;
}

void sgd_exchange_close(struct sgd_exchange *x, enum sgd_close why, uint64_t sent_bytes,
                        uint64_t now_ns)
{
    assert_true(x->open);
    x->open = false;
    x->why = why;
    x->sent_bytes = sent_bytes;
    (void)now_ns;
}

/* ---- the connection ---- */

void sgd_conn_set_proto(struct sgd_conn *conn, const struct sgd_proto *proto, void *self)
{
    conn->proto = proto;
    conn->self = self;
}

void sgd_conn_want_send(struct sgd_conn *conn)
{
    conn->want_send = true;
}

void sgd_conn_read_pause(struct sgd_conn *conn)
{
    conn->paused = true;
}

void sgd_conn_read_resume(struct sgd_conn *conn)
{
    conn->paused = false;
}

void sgd_conn_wake_at(struct sgd_conn *conn, uint64_t wake_at_ns)
{
    conn->wake_at_ns = wake_at_ns;
}

void sgd_conn_close(struct sgd_conn *conn, enum sgd_close why)
{
    assert_false(conn->closing);
    conn->closing = true;
    conn->why = why;
    conn->want_send = true;
}

void sgd_conn_abort(struct sgd_conn *conn, enum sgd_close why)
{
    conn->aborted = true;
    conn->why = why;
}

const struct sgd_peer *sgd_conn_peer(const struct sgd_conn *conn)
{
    return &conn->peer;
}

struct sgd_worker *sgd_conn_worker(const struct sgd_conn *conn)
{
    return conn->worker;
}

struct sg_conf_limits *sgt_limits(void)
{
    return &config.limits;
}

struct sgd_worker *sgt_worker(void)
{
    return &worker;
}

static const struct sg_conf_limits limits = {
    .connections = 2,
    .header_bytes = 1024,
    .header_fields = 20,
    .body_bytes = 1000,
    .header_timeout_ms = 5000,
    .keepalive_timeout_ms = 15000,
    .send_timeout_ms = 10000,
    .requests_per_connection = 100,
};

void sgt_listener_goes(void)
{
    socket_of.gone = &snapshot;
}

struct sgd_conn *sgt_conn_open(bool https)
{
    struct sgd_conn *conn = &the_conn;
    config = (struct sg_config){.limits = limits, .listeners = &listener, .listeners_count = 1};
    snapshot.config = &config;
    worker = (struct sgd_worker){.snapshot = &snapshot,
                                 .stats = &stats,
                                 .now_ns = 1000 * SG_NS_PER_SEC,
                                 .wall_ns = 784111777 * SG_NS_PER_SEC};
    memset(&stats, 0, sizeof(stats));
    socket_of.gone = NULL;
    assert_int_equal(sgd_http1s_open(&worker, &limits, &worker.http1s), SG_OK);
    memset(conn, 0, sizeof(*conn));
    conn->worker = &worker;
    conn->wake_at_ns = SG_NEVER;
    conn->step = SIZE_MAX;
    conn->budget = 4096;
    conn->max = 8;
    conn->peer.listener = &socket_of;
    conn->peer.tls = https ? 13 : 0;
    conn->peer.local.sin6_port = 0x5000; /* 80 */
    memcpy(&conn->peer.local.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16);
    sgt_x.open = false;
    sgt_x_count = 0;
    sgt_x_log[0] = 0;
    assert_true(sgd_http1_start(&worker, conn));
    return conn;
}

static bool run_input(struct sgd_conn *conn)
{
    if (conn->paused || conn->in_len == 0 || conn->aborted)
        return false;
    size_t n = SG_MIN(conn->in_len, conn->step);
    uint8_t *exact = malloc(n); /* of its own: the sanitizer sees its end */
    memcpy(exact, conn->in, n);
    size_t used = conn->proto->input(conn->self, exact, n, worker.now_ns);
    free(exact);
    assert_true(used <= n);
    conn->in += used;
    conn->in_len -= used;
    if (used < n && conn->in_len > 0)
        conn->paused = true;
    return used > 0 || !conn->paused;
}

static bool run_pull(struct sgd_conn *conn)
{
    struct sg_slice slices[8];
    enum sgd_pull_more more = SGD_PULL_IDLE;
    size_t bytes = 0;
    if (!conn->want_send || conn->ended || conn->aborted)
        return false;
    conn->want_send = false;
    size_t n = conn->proto->pull(conn->self, conn->budget, slices, conn->max, &more, worker.now_ns);
    assert_true(n <= conn->max);
    for (size_t i = 0; i < n; i++) {
        assert_true(slices[i].len > 0);
        assert_true(conn->out_len + slices[i].len < sizeof(conn->out));
        memcpy(conn->out + conn->out_len, slices[i].bytes, slices[i].len);
        conn->out_len += slices[i].len;
        bytes += slices[i].len;
        sg_slice_drop(&slices[i]);
    }
    conn->out[conn->out_len] = 0;
    assert_true(bytes <= conn->budget);
    conn->ended |= more == SGD_PULL_END;
    conn->want_send |= more == SGD_PULL_MORE;
    return true;
}

/* Turns until nothing moves; a protocol that says MORE for ever and gives nothing is a bug. */
void sgt_conn_run(struct sgd_conn *conn)
{
    for (unsigned turns = 0;; turns++) {
        assert_true(turns < 100000);
        bool moved = run_input(conn);
        moved |= run_pull(conn);
        if (!moved)
            return;
    }
}

void sgt_conn_feed(struct sgd_conn *conn, const char *text)
{
    assert_int_equal(conn->in_len, 0);
    conn->in = text;
    conn->in_len = strlen(text);
    sgt_conn_run(conn);
}

void sgt_conn_end(struct sgd_conn *conn)
{
    conn->proto->input_end(conn->self, worker.now_ns);
    sgt_conn_run(conn);
}

void sgt_conn_pass_ms(struct sgd_conn *conn, uint64_t ms)
{
    uint64_t until_ns = worker.now_ns + ms * SG_NS_PER_MS;
    while (conn->wake_at_ns <= until_ns) {
        worker.now_ns = SG_MAX(worker.now_ns, conn->wake_at_ns);
        conn->wake_at_ns = SG_NEVER;
        conn->proto->wake(conn->self, worker.now_ns);
        sgt_conn_run(conn);
    }
    worker.now_ns = until_ns;
}

void sgt_conn_close(struct sgd_conn *conn)
{
    conn->proto->closed(conn->self, conn->why);
    assert_false(sgt_x.open);
    assert_int_equal(slices_out, 0);
    assert_int_equal(atomic_load(&stats.value[SGE_STAT_connections_idle]), 0);
    sgd_http1s_close(worker.http1s);
}
