#include "dataplane/tls/handshake.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/ossl.h"
#include "dataplane/tls/ctx.h"
#include "dataplane/tls/ctx_impl.h"
#include "dataplane/tls/server13.h"
#include "dataplane/worker/worker.h"

#include <string.h>

#define FLIGHT_BYTES     4032u /* with its head a page: most servers' first flight fits one */
#define FLIGHTS_EACH     3u    /* on average: many in flight to slow clients, none in most */
#define RECORD_HEAD      5u
#define RECORD_FIRST     20
#define RECORD_ALERT     21
#define RECORD_HANDSHAKE 22
#define RECORD_LAST      23
#define UNEXPECTED       10 /* alerts */
#define PROTOCOL_VERSION 70
#define handshake_MAGIC  0x74c5a11eu

enum state {
    HELLO,     /* nothing came yet */
    GATHERING, /* a part of the client's first record */
    SHAKING,   /* our own server or OpenSSL at work */
    FLUSHING,  /* done; its last bytes wait to be pulled */
    REFUSING,  /* an alert or a 400 waits to be pulled, then the end */
    OVER,      /* handed on, or aborted: closed() is all that may come */
};

static const uint8_t edges[] = {
    [HELLO] = SG_BIT(GATHERING) | SG_BIT(SHAKING) | SG_BIT(REFUSING) | SG_BIT(OVER),
    [GATHERING] = SG_BIT(SHAKING) | SG_BIT(OVER),
    [SHAKING] = SG_BIT(FLUSHING) | SG_BIT(REFUSING) | SG_BIT(OVER),
    [FLUSHING] = SG_BIT(OVER),
    [REFUSING] = SG_BIT(OVER),
    [OVER] = 0,
};

/* A piece of what is on its way out; or, before, of the client's first record. */
struct flight {
    struct sg_hold hold;
    struct sg_pool *pool;
    struct flight *next;
    uint32_t len;
    uint8_t bytes[FLIGHT_BYTES];
};

struct sgd_handshakes {
    struct sgd_worker *worker;
    struct sgd_servers13 *servers13;
    struct sg_pool shakes, flights;
};

struct handshake {
    SG_MAGIC_FIELD;
    uint8_t state;
    struct sgd_handshakes *home;
    struct sgd_conn *conn;
    struct sgd_tls_ctx *ctx;
    const struct sgd_handshake_next *next;
    struct sgd_server13 own;     /* at work, or all zero: then OpenSSL is */
    struct sgd_ossl *ossl;       /* NULL: not at work */
    struct flight *hello;        /* the client's first record, while it is gathered */
    struct flight *first, *last; /* to be pulled */
    uint32_t pulled;             /* of the first */
    bool plain_http;             /* the 400 is still to be pulled */
};

static const char plain_http_answer[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 46\r\n"
    "Connection: close\r\n\r\nplain HTTP came to a port that speaks https.\r\n";

static void enter(struct handshake *shake, enum state to)
{
    SG_ASSERT((edges[shake->state] & SG_BIT(to)) != 0);
    shake->state = (uint8_t)to;
}

static void flight_release(struct sg_hold *hold)
{
    struct flight *flight = SG_CONTAINER_OF(hold, struct flight, hold);
    sg_pool_give(flight->pool, flight);
}

static const struct sg_hold_ops flight_ops = {.release = flight_release};

static struct flight *flight_take(struct sgd_handshakes *home)
{
    struct flight *flight = sg_pool_take(&home->flights);
    if (flight == NULL)
        return NULL;
    sg_hold_init(&flight->hold, &flight_ops);
    flight->pool = &home->flights;
    flight->next = NULL;
    flight->len = 0;
    return flight;
}

static struct flight *flight_add(struct handshake *shake)
{
    struct flight *flight = flight_take(shake->home);
    if (flight == NULL)
        return NULL;
    if (shake->last == NULL)
        shake->first = flight;
    else
        shake->last->next = flight;
    shake->last = flight;
    return flight;
}

/* The sink of what either writes. What was pulled of a flight may be with the engine still, but
 * what is behind it is ours to fill. */
static bool sink_write(void *arg, const uint8_t *bytes, size_t len)
{
    struct handshake *shake = SG_CAST(handshake, arg);
    while (len > 0) {
        struct flight *flight = shake->last;
        if (flight == NULL || flight->len == FLIGHT_BYTES)
            flight = flight_add(shake);
        if (flight == NULL)
            return false;
        size_t n = SG_MIN(len, (size_t)(FLIGHT_BYTES - flight->len));
        memcpy(flight->bytes + flight->len, bytes, n);
        flight->len += (uint32_t)n;
        bytes += n;
        len -= n;
    }
    return true;
}

static void flights_drop(struct handshake *shake)
{
    while (shake->first != NULL) {
        struct flight *flight = shake->first;
        shake->first = flight->next;
        sg_hold_unref(&flight->hold);
    }
    shake->last = NULL;
}

static void hello_drop(struct handshake *shake)
{
    struct flight *hello = SG_TAKE(shake->hello);
    if (hello != NULL)
        sg_hold_unref(&hello->hold);
}

static void server_end(struct handshake *shake)
{
    sgd_server13_fini(&shake->own);
    sgd_ossl_close(SG_TAKE(shake->ossl));
    sgd_tls_ctx_unref(SG_TAKE(shake->ctx));
}

static void shake_free(struct handshake *shake)
{
    struct sgd_handshakes *home = shake->home;
    server_end(shake);
    hello_drop(shake);
    flights_drop(shake);
    shake->magic = 0;
    sg_pool_give(&home->shakes, shake);
}

static void stat_add(const struct handshake *shake, enum sge_stat which)
{
    sge_stat_add(shake->home->worker->stats, which, 1);
}

/* Ends with what is still to be pulled: an alert, or the 400. */
static void refuse(struct handshake *shake, enum sgd_close why)
{
    enter(shake, REFUSING);
    stat_add(shake, SGE_STAT_handshakes_failed);
    sgd_conn_want_send(shake->conn);
    sgd_conn_close(shake->conn, why);
}

static void give_up(struct handshake *shake, enum sgd_close why)
{
    enter(shake, OVER);
    sgd_conn_abort(shake->conn, why);
}

static bool keys_of(struct handshake *shake, struct sgd_tls_keys *keys)
{
    if (shake->ossl != NULL)
        return sgd_ossl_keys(shake->ossl, keys) == SG_OK;
    sgd_server13_keys(&shake->own, keys);
    return true;
}

/* All is said: the engine gets the keys, OpenSSL's memory goes, the next protocol begins. */
static void hand_on(struct handshake *shake)
{
    struct sgd_worker *worker = shake->home->worker;
    struct sgd_conn *conn = shake->conn;
    struct sgd_tls_keys keys;
    if (!keys_of(shake, &keys)) {
        stat_add(shake, SGE_STAT_handshakes_failed);
        give_up(shake, SGD_CLOSE_tls_handshake);
        return;
    }
    bool resumed = shake->ossl != NULL && sgd_ossl_resumed(shake->ossl);
    stat_add(shake, resumed ? SGE_STAT_handshakes_resumed : SGE_STAT_handshakes_full);
    if (shake->ossl == NULL)
        stat_add(shake, SGE_STAT_handshakes_own);
    keys.ktls = sgd_tls_ctx_ktls(shake->ctx) && keys.tx_plain_max == 0; /* its records are full */
    sgd_conn_wake_at(conn, SG_NEVER);
    sgd_conn_tls_install(conn, &keys);
    sg_wipe(&keys, sizeof(keys));
    server_end(shake);
    if (!shake->next->http1(worker, conn)) {
        give_up(shake, SGD_CLOSE_no_memory);
        return;
    }
    sgd_conn_read_resume(conn);
    shake_free(shake); /* the conn has another protocol now */
}

/* Our own server's step; what it has to say goes to the flights. */
static enum sgd_ossl_step own_feed(struct handshake *shake, const uint8_t *bytes, size_t len,
                                   size_t *taken)
{
    struct sgd_handshakes *home = shake->home;
    struct sgd_span out;
    enum sgd_server13_step step =
        sgd_server13_feed(&shake->own, home->servers13, bytes, len,
                          home->worker->wall_ns / SG_NS_PER_SEC, taken, &out);
    if (!sink_write(shake, out.bytes, out.len)) /* an alert too, where it failed */
        step = SGD_SERVER13_FAILED;
    return step == SGD_SERVER13_MORE   ? SGD_OSSL_MORE
           : step == SGD_SERVER13_DONE ? SGD_OSSL_DONE
                                       : SGD_OSSL_FAILED;
}

static size_t shaking_input(struct handshake *shake, const uint8_t *bytes, size_t len)
{
    size_t taken = 0;
    enum sgd_ossl_step step = shake->ossl != NULL ? sgd_ossl_feed(shake->ossl, bytes, len, &taken)
                                                  : own_feed(shake, bytes, len, &taken);
    switch (step) {
    case SGD_OSSL_MORE:
        break;
    case SGD_OSSL_FAILED:
        refuse(shake, SGD_CLOSE_tls_handshake);
        return len;
    case SGD_OSSL_DONE:
        enter(shake, FLUSHING);
        if (shake->first == NULL) {
            hand_on(shake);
            return taken;
        }
        break;
    }
    if (shake->first != NULL)
        sgd_conn_want_send(shake->conn);
    return taken;
}

/* OpenSSL reads what came first, whatever it is. */
static size_t library_input(struct handshake *shake, const uint8_t *bytes, size_t len)
{
    struct sgd_ossl_sink sink = {sink_write, shake};
    if (sgd_ossl_open(sgd_tls_ctx_first(shake->ctx), &sink, &shake->ossl) != SG_OK) {
        give_up(shake, SGD_CLOSE_no_memory);
        return len;
    }
    size_t taken = shaking_input(shake, bytes, len);
    if (shake->state == REFUSING && shake->first == NULL) {
        /* it thought that this can't be TLS, and said nothing */
        bool typed = bytes[0] >= RECORD_FIRST && bytes[0] <= RECORD_LAST;
        uint8_t alert[] = {RECORD_ALERT, 3, 3, 0, 2, 2, typed ? PROTOCOL_VERSION : UNEXPECTED};
        (void)sink_write(shake, alert, sizeof(alert));
    }
    return taken;
}

/* The client's first record is there: ours to answer, or OpenSSL's. */
static void hello_input(struct handshake *shake, const uint8_t *record, size_t len)
{
    struct sgd_span out;
    enter(shake, SHAKING);
    if (!sgd_server13_begin(&shake->own, shake->home->servers13, sgd_tls_ctx_first(shake->ctx),
                            record, len, &out)) {
        (void)library_input(shake, record, len);
        return;
    }
    if (sink_write(shake, out.bytes, out.len))
        sgd_conn_want_send(shake->conn);
    else
        give_up(shake, SGD_CLOSE_no_memory);
}

/* What came with the first record: the rest of a ClientHello in pieces, a change_cipher_spec, data
 * sent early. */
static size_t after_hello_input(struct handshake *shake, const uint8_t *bytes, size_t len)
{
    return shake->state == SHAKING && len > 0 ? shaking_input(shake, bytes, len) : len;
}

/* The length of the record that begins here as far as it is known; 0: it is none that is gathered.
 */
static size_t record_wants(const uint8_t *bytes, size_t len)
{
    size_t wants =
        len < RECORD_HEAD ? RECORD_HEAD : RECORD_HEAD + ((size_t)bytes[3] << 8 | bytes[4]);
    return bytes[0] != RECORD_HANDSHAKE || wants > FLIGHT_BYTES ? 0 : wants;
}

static size_t gathering_input(struct handshake *shake, const uint8_t *bytes, size_t len)
{
    struct flight *hello = shake->hello;
    size_t taken = 0;
    size_t wants = hello->len == 0 ? RECORD_HEAD : record_wants(hello->bytes, hello->len);
    while (taken < len && hello->len < wants) {
        size_t n = SG_MIN(len - taken, wants - hello->len);
        memcpy(hello->bytes + hello->len, bytes + taken, n);
        hello->len += (uint32_t)n;
        taken += n;
        wants = record_wants(hello->bytes, hello->len);
    }
    if (hello->len < wants)
        return taken;
    if (wants == 0) {
        enter(shake, SHAKING);
        (void)library_input(shake, hello->bytes, hello->len);
    } else {
        hello_input(shake, hello->bytes, hello->len);
    }
    hello_drop(shake);
    return taken + after_hello_input(shake, bytes + taken, len - taken);
}

/* Whole in most cases, and then read where it lies. */
static size_t first_input(struct handshake *shake, const uint8_t *bytes, size_t len)
{
    size_t wants = record_wants(bytes, len);
    if (wants == 0) {
        enter(shake, SHAKING);
        return library_input(shake, bytes, len);
    }
    if (wants <= len) {
        hello_input(shake, bytes, wants);
        return wants + after_hello_input(shake, bytes + wants, len - wants);
    }
    shake->hello = flight_take(shake->home);
    if (shake->hello == NULL) {
        give_up(shake, SGD_CLOSE_no_memory);
        return len;
    }
    enter(shake, GATHERING);
    return gathering_input(shake, bytes, len);
}

static size_t on_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    (void)now_ns;
    struct handshake *shake = SG_CAST(handshake, self);
    if (len == 0)
        return 0;
    switch ((enum state)shake->state) {
    case HELLO:
        /* no TLS record begins with a letter, and every request does */
        if (bytes[0] >= 'A' && bytes[0] <= 'Z') {
            shake->plain_http = true;
            refuse(shake, SGD_CLOSE_tls_plain_http);
            return len;
        }
        return first_input(shake, bytes, len);
    case GATHERING:
        return gathering_input(shake, bytes, len);
    case SHAKING:
        return shaking_input(shake, bytes, len);
    case FLUSHING:
        return 0; /* application data already: it waits for the record reader */
    case REFUSING:
    case OVER:
        return len;
    }
    SG_UNREACHABLE();
}

/* Up to `max` slices of what OpenSSL wrote; a flight that is all taken is the engine's. */
static size_t flights_pull(struct handshake *shake, size_t budget, struct sg_slice *out, size_t max)
{
    size_t count = 0;
    while (count < max && budget > 0 && shake->first != NULL) {
        struct flight *flight = shake->first;
        uint32_t n = (uint32_t)SG_MIN(budget, (size_t)(flight->len - shake->pulled));
        out[count++] = (struct sg_slice){flight->bytes + shake->pulled, n, &flight->hold};
        budget -= n;
        shake->pulled += n;
        if (shake->pulled < flight->len) {
            sg_hold_ref(&flight->hold);
            break;
        }
        shake->first = flight->next;
        shake->pulled = 0;
        if (shake->first == NULL)
            shake->last = NULL;
    }
    return count;
}

static size_t on_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                      enum sgd_pull_more *more, uint64_t now_ns)
{
    (void)now_ns;
    struct handshake *shake = SG_CAST(handshake, self);
    SG_ASSERT(budget > 0 && max > 0);
    size_t count = flights_pull(shake, budget, out, max);
    if (shake->plain_http && count == 0) {
        out[count++] = (struct sg_slice){(const uint8_t *)plain_http_answer,
                                         sizeof(plain_http_answer) - 1, NULL};
        shake->plain_http = false;
    }
    *more = shake->first != NULL ? SGD_PULL_MORE : SGD_PULL_IDLE;
    if (shake->first == NULL && shake->state == REFUSING)
        *more = SGD_PULL_END;
    if (shake->first == NULL && shake->state == FLUSHING) {
        if (shake->ossl == NULL || sgd_ossl_ends_with_ticket(shake->ossl))
            *more = SGD_PULL_SOON; /* the answer to the first request is next */
        hand_on(shake);
    }
    return count;
}

static void on_input_end(void *self, uint64_t now_ns)
{
    (void)now_ns;
    struct handshake *shake = SG_CAST(handshake, self);
    if (shake->state == HELLO || shake->state == GATHERING || shake->state == SHAKING) {
        if (shake->state != HELLO)
            stat_add(shake, SGE_STAT_handshakes_failed);
        give_up(shake, SGD_CLOSE_peer_closed);
    }
}

static void on_wake(void *self, uint64_t now_ns)
{
    (void)now_ns;
    struct handshake *shake = SG_CAST(handshake, self);
    if (shake->state == OVER)
        return;
    if (shake->state != REFUSING)
        stat_add(shake, SGE_STAT_handshakes_failed);
    give_up(shake, SGD_CLOSE_handshake_timeout);
}

static void on_closed(void *self, enum sgd_close why)
{
    (void)why;
    shake_free(SG_CAST(handshake, self));
}

/* Who said nothing yet loses nothing; who began is let finish, and HTTP drains in its turn. */
static void on_drain(void *self, uint64_t now_ns)
{
    (void)now_ns;
    struct handshake *shake = SG_CAST(handshake, self);
    if (shake->state == HELLO)
        give_up(shake, SGD_CLOSE_drained);
}

static const struct sgd_proto proto = {
    .name = "tls handshake",
    .input = on_input,
    .pull = on_pull,
    .input_end = on_input_end,
    .wake = on_wake,
    .closed = on_closed,
    .drain = on_drain,
};

bool sgd_handshake_start(struct sgd_handshakes *handshakes, struct sgd_conn *conn,
                         struct sgd_tls_ctx *ctx, const struct sgd_handshake_next *next,
                         uint64_t now_ns, uint64_t timeout_ns)
{
    SG_ASSERT(conn != NULL && ctx != NULL);
    SG_ASSERT(next != NULL && next->http1 != NULL);
    struct handshake *shake = sg_pool_take(&handshakes->shakes);
    if (shake == NULL)
        return false;
    *shake = (struct handshake){
        .magic = handshake_MAGIC, .home = handshakes, .conn = conn, .ctx = ctx, .next = next};
    sgd_tls_ctx_ref(ctx);
    sgd_conn_set_proto(conn, &proto, shake);
    sgd_conn_wake_at(conn, now_ns + timeout_ns);
    return true;
}

enum sg_err sgd_handshakes_open(struct sgd_worker *worker, uint32_t under_way_max,
                                struct sgd_handshakes **out)
{
    SG_ASSERT(worker != NULL && out != NULL);
    SG_ASSERT(under_way_max > 0);
    struct sgd_handshakes *handshakes = sg_boot_alloc(sizeof(*handshakes));
    if (handshakes == NULL)
        return SG_ENOMEM;
    handshakes->worker = worker;
    enum sg_err err = sgd_servers13_open(worker->tls_crypto, &handshakes->servers13);
    if (err == SG_OK)
        err = sg_pool_init(&handshakes->shakes, under_way_max, sizeof(struct handshake));
    if (err == SG_OK)
        err =
            sg_pool_init(&handshakes->flights, under_way_max * FLIGHTS_EACH, sizeof(struct flight));
    if (err == SG_OK)
        *out = SG_TAKE(handshakes);
    sgd_handshakes_close(handshakes);
    return err;
}

void sgd_handshakes_close(struct sgd_handshakes *handshakes)
{
    if (handshakes == NULL)
        return;
    sg_pool_fini(&handshakes->flights);
    sg_pool_fini(&handshakes->shakes);
    sgd_servers13_close(handshakes->servers13);
    sg_boot_free(handshakes);
}

uint32_t sgd_handshakes_under_way(const struct sgd_handshakes *handshakes)
{
    return sg_pool_in_use(&handshakes->shakes);
}
