#include "tests/unit/dataplane/engine_contract.h"

#include "base/clock.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- echo: the simplest protocol that has input and output ---- */

#define ECHO_BYTES 65536u

struct echo {
    struct sg_hold hold; /* of `buffer`: slices point there */
    struct sgd_conn *conn;
    size_t begin, end, pulled; /* bytes in the buffer; pulled and held by the engine */
    uint32_t inputs_end, closes, wakes;
    bool end_on_fin, paused;
    bool own; /* holds its own buffer: some of it was not pulled yet */
    enum sgd_close why;
    uint64_t woken_ns;
    uint8_t buffer[ECHO_BYTES];
};

static struct echo *echo_last;

/* Nobody but the engine holds it: the buffer is free. */
static void echo_released(struct sg_hold *hold)
{
    struct echo *echo = SG_CONTAINER_OF(hold, struct echo, hold);
    assert_true(echo->begin == echo->end);
    atomic_store(&hold->refs, 1);
    echo->own = true;
    echo->begin = echo->end = 0;
    if (echo->closes == 0 && !echo->paused)
        sgd_conn_read_resume(echo->conn);
}

static const struct sg_hold_ops echo_hold_ops = {echo_released};

static size_t echo_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    struct echo *echo = self;
    assert_int_equal(echo->closes, 0);
    assert_true(now_ns <= sg_clock_mono_ns());
    size_t take = SG_MIN(len, ECHO_BYTES - echo->end);
    if (echo->paused)
        return 0;
    memcpy(echo->buffer + echo->end, bytes, take);
    echo->end += take;
    if (take > 0)
        sgd_conn_want_send(echo->conn);
    return take;
}

static size_t echo_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                        enum sgd_pull_more *more, uint64_t now_ns)
{
    struct echo *echo = self;
    assert_true(budget > 0 && max > 0 && now_ns > 0);
    assert_int_equal(echo->closes, 0);
    size_t len = SG_MIN(budget, echo->end - echo->begin);
    *more = echo->end_on_fin && echo->inputs_end > 0 ? SGD_PULL_END : SGD_PULL_IDLE;
    if (len < echo->end - echo->begin)
        *more = SGD_PULL_MORE;
    if (len == 0)
        return 0;
    sg_hold_ref(&echo->hold);
    out[0] = (struct sg_slice){echo->buffer + echo->begin, (uint32_t)len, &echo->hold};
    echo->begin += len;
    if (echo->begin == echo->end && echo->end == ECHO_BYTES) {
        echo->own = false; /* full: the last slice's release empties it */
        sg_hold_unref(&echo->hold);
    }
    return 1;
}

static void echo_input_end(void *self, uint64_t now_ns)
{
    struct echo *echo = self;
    assert_int_equal(echo->inputs_end++, 0);
    if (echo->end_on_fin)
        sgd_conn_want_send(echo->conn);
    (void)now_ns;
}

static void echo_wake(void *self, uint64_t now_ns)
{
    struct echo *echo = self;
    echo->wakes++;
    echo->woken_ns = now_ns;
}

static void echo_closed(void *self, enum sgd_close why)
{
    struct echo *echo = self;
    assert_int_equal(echo->closes++, 0);
    echo->why = why;
}

static const struct sgd_proto echo_proto = {
    .name = "echo",
    .input = echo_input,
    .pull = echo_pull,
    .input_end = echo_input_end,
    .wake = echo_wake,
    .closed = echo_closed,
};

static void *echo_open(struct bench *bench, struct sgd_conn *conn)
{
    struct echo *echo = calloc(1, sizeof(*echo)); /* freed by echo_free() */
    assert_non_null(echo);
    sg_hold_init(&echo->hold, &echo_hold_ops);
    echo->conn = conn;
    echo->own = echo->end_on_fin = true;
    echo_last = echo;
    (void)bench;
    return echo;
}

static void use_echo(struct bench *bench)
{
    bench->proto = &echo_proto;
    bench->proto_self = echo_open;
    echo_last = NULL;
}

static bool echo_is_closed(void *arg)
{
    (void)arg;
    return echo_last != NULL && echo_last->closes == 1;
}

static bool echo_is_open(void *arg)
{
    (void)arg;
    return echo_last != NULL;
}

static void echo_free(struct bench *bench)
{
    assert_true(bench_until(bench, echo_is_closed, NULL));
    free(SG_TAKE(echo_last));
}

void what_is_sent_comes_back_in_order(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    static uint8_t out[300000];
    use_echo(bench);
    fill_pattern(out, sizeof(out), 0);
    client_open(bench, &client, sizeof(out) + 1);
    client.out = out;
    client.out_len = client.in_want = sizeof(out);
    assert_true(bench_until(bench, client_has_all, &client));
    assert_memory_equal(client.in, out, sizeof(out));
    shutdown(client.fd, SHUT_WR);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_end, 1);
    client_close(&client);
    echo_free(bench);
    assert_true(bench_until(bench, bench_has_no_conns, bench));
}

#define MANY 100

static struct echo *many_echoes[MANY];

static void *many_open(struct bench *bench, struct sgd_conn *conn)
{
    assert_true(bench->accepted <= MANY);
    return many_echoes[bench->accepted - 1] = echo_open(bench, conn);
}

void many_connections_echo_at_once(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    static struct client clients[MANY];
    static uint8_t out[MANY][3000];
    use_echo(bench);
    bench->proto_self = many_open;
    for (int i = 0; i < MANY; i++) {
        client_open(bench, &clients[i], sizeof(out[i]) + 1);
        fill_pattern(out[i], sizeof(out[i]), (size_t)i * 1000);
        clients[i].out = out[i];
        clients[i].out_len = clients[i].in_want = sizeof(out[i]);
        client_pump(&clients[i]);
    }
    for (int i = 0; i < MANY; i++) {
        assert_true(bench_until(bench, client_has_all, &clients[i]));
        assert_memory_equal(clients[i].in, out[i], sizeof(out[i]));
    }
    assert_int_equal(bench_engine->conn_count(bench->worker.engine), MANY);
    for (int i = 0; i < MANY; i++)
        client_close(&clients[i]);
    assert_true(bench_until(bench, bench_has_no_conns, bench));
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many_echoes[i]->closes, 1);
        free(many_echoes[i]);
    }
}

/* ---- stream: slices of the region, as a cache's object would give them ---- */

#define STREAM_BLOCK  (256u * 1024)
#define STREAM_BLOCKS (BENCH_REGION_BYTES / STREAM_BLOCK)

/* Blocks of the region are filled when handed out and may be handed out again only when nobody
 * holds them: then they are overwritten with what comes next. */
struct stream_block {
    struct sg_hold hold;
    struct stream *stream;
    uint32_t slices; /* outstanding */
};

struct stream {
    struct bench *bench;
    struct sgd_conn *conn;
    uint64_t total, given;
    uint32_t slice_bytes;  /* largest slice given */
    uint32_t block_bytes;  /* part of a block that is used before the next one */
    uint32_t head_bytes;   /* small unregistered slice before each block */
    uint32_t block_filled; /* of the current block */
    int current;
    uint32_t outstanding, outstanding_max, closes;
    enum sgd_close why;
    bool want;
    uint8_t head[64];
    struct stream_block blocks[STREAM_BLOCKS];
};

static struct stream stream;

static void stream_released(struct sg_hold *hold)
{
    struct stream_block *block = SG_CONTAINER_OF(hold, struct stream_block, hold);
    size_t index = (size_t)(block - stream.blocks);
    assert_true(stream.outstanding > 0);
    stream.outstanding--;
    /* From here on the memory may be anything: prove that none of it reaches the wire. */
    memset(stream.bench->region + index * STREAM_BLOCK, 0xee, STREAM_BLOCK);
    if (stream.want && stream.closes == 0) {
        stream.want = false;
        sgd_conn_want_send(stream.conn);
    }
}

static const struct sg_hold_ops stream_hold_ops = {stream_released};

static int stream_free_block(void)
{
    for (uint32_t i = 0; i < STREAM_BLOCKS; i++)
        if (atomic_load(&stream.blocks[i].hold.refs) == 0)
            return (int)i;
    return -1;
}

static size_t stream_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                          enum sgd_pull_more *more, uint64_t now_ns)
{
    size_t count = 0;
    assert_ptr_equal(self, &stream);
    assert_int_equal(stream.closes, 0);
    while (count < max && budget > 0 && stream.given < stream.total) {
        int index = stream_free_block();
        if (index < 0)
            break;
        size_t len = SG_MIN(budget, stream.block_bytes);
        len = SG_MIN(len, stream.total - stream.given);
        struct stream_block *block = &stream.blocks[index];
        uint8_t *bytes = stream.bench->region + (size_t)index * STREAM_BLOCK;
        fill_pattern(bytes, len, stream.given);
        sg_hold_init(&block->hold, &stream_hold_ops);
        block->hold.region = 0;
        out[count++] = (struct sg_slice){bytes, (uint32_t)len, &block->hold};
        stream.outstanding_max = SG_MAX(stream.outstanding_max, ++stream.outstanding);
        stream.given += len;
        budget -= len;
    }
    *more = stream.given == stream.total ? SGD_PULL_END : count > 0 ? SGD_PULL_MORE : SGD_PULL_IDLE;
    stream.want = *more == SGD_PULL_IDLE;
    (void)now_ns;
    return count;
}

static size_t stream_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    (void)bytes, (void)now_ns, (void)self;
    return len;
}

static void stream_ignore(void *self, uint64_t now_ns)
{
    (void)self, (void)now_ns;
}

static void stream_closed(void *self, enum sgd_close why)
{
    (void)self;
    assert_int_equal(stream.closes++, 0);
    stream.why = why;
}

static const struct sgd_proto stream_proto = {
    .name = "stream",
    .input = stream_input,
    .pull = stream_pull,
    .input_end = stream_ignore,
    .wake = stream_ignore,
    .closed = stream_closed,
};

static void *stream_open(struct bench *bench, struct sgd_conn *conn)
{
    stream.bench = bench;
    stream.conn = conn;
    sgd_conn_want_send(conn);
    return &stream;
}

static void use_stream(struct bench *bench, uint64_t total, uint32_t block_bytes)
{
    memset(&stream, 0, sizeof(stream));
    stream.total = total;
    stream.block_bytes = block_bytes;
    bench->proto = &stream_proto;
    bench->proto_self = stream_open;
}

static bool stream_is_back(void *arg)
{
    (void)arg;
    return stream.outstanding == 0 && stream.closes == 1;
}

/* Receives `total` bytes and compares each. */
static void expect_stream(struct bench *bench, uint64_t total)
{
    struct client client;
    client_open(bench, &client, total + 1);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_len, total);
    for (size_t i = 0; i < total; i++)
        if (client.in[i] != pattern(i))
            fail_msg("byte %zu is %02x instead of %02x", i, client.in[i], pattern(i));
    assert_int_equal(client.in_end, 1);
    client_close(&client);
    assert_true(bench_until(bench, stream_is_back, NULL));
    assert_int_equal(stream.why, SGD_CLOSE_none);
}

void a_long_stream_arrives_byte_for_byte(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    use_stream(bench, 24u << 20, STREAM_BLOCK);
    expect_stream(bench, 24u << 20);
}

void small_and_large_slices_mix_in_order(void **fixture)
{
    static const uint32_t sizes[] = {1, 100, 1000, 16000, 17000, 33000, 65536, 100001};
    struct bench *bench = bench_of(fixture);
    for (size_t i = 0; i < SG_COUNT(sizes); i++) {
        uint64_t total = SG_MIN(sizes[i] * 100ull + 7, 4ull << 20);
        use_stream(bench, total, sizes[i]);
        expect_stream(bench, total);
    }
}

void reused_memory_is_never_sent(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    uint64_t total = 32u << 20;
    use_stream(bench, total, 64 * 1024);
    client_open(bench, &client, total + 1);
    /* A reader that stops in between: sent memory stays in the socket's queue for long. What was
     * given up is overwritten at once by stream_released(). */
    for (size_t stop = 1 << 20; stop < total; stop += 4u << 20) {
        client.in_want = stop;
        bench_for_ms(bench, 5);
        assert_true(bench_until(bench, client_has_all, &client));
    }
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_len, total);
    for (size_t i = 0; i < total; i++)
        if (client.in[i] != pattern(i))
            fail_msg("byte %zu is %02x instead of %02x", i, client.in[i], pattern(i));
    client_close(&client);
    assert_true(bench_until(bench, stream_is_back, NULL));
}

void a_slow_reader_bounds_what_is_pulled(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    use_stream(bench, 64u << 20, 64 * 1024);
    int fd = bench_connect(bench);
    bench_for_ms(bench, 100); /* nobody reads */
    assert_true(stream.outstanding > 0);
    assert_true((uint64_t)stream.outstanding * 64 * 1024 <= 1u << 20);
    close(fd);
    assert_true(bench_until(bench, stream_is_back, NULL));
}

void every_slice_is_given_back_when_the_peer_vanishes(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct linger hard = {1, 0};
    for (int i = 0; i < 20; i++) {
        use_stream(bench, 64u << 20, 64 * 1024);
        int fd = bench_connect(bench);
        bench_for_ms(bench, (uint32_t)i % 4);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(fd);
        if (stream.conn == NULL) /* reset before it was accepted */
            bench_for_ms(bench, 20);
        if (stream.conn == NULL)
            continue;
        assert_true(bench_until(bench, stream_is_back, NULL));
        assert_true(stream.why == SGD_CLOSE_peer_reset);
    }
    assert_true(bench_until(bench, bench_has_no_conns, bench));
}

/* ---- ends ---- */

void a_peers_fin_is_told_and_sending_goes_on(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    use_echo(bench);
    client_open(bench, &client, 4096);
    client.out = (const uint8_t *)"last words";
    client.out_len = client.in_want = 10;
    client_pump(&client);
    shutdown(client.fd, SHUT_WR);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_len, 10);
    assert_memory_equal(client.in, "last words", 10);
    assert_int_equal(echo_last->inputs_end, 1);
    client_close(&client);
    echo_free(bench);
}

void an_abort_resets_and_a_close_does_not(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    use_echo(bench);
    client_open(bench, &client, 4096);
    assert_true(bench_until(bench, echo_is_open, NULL));
    sgd_conn_abort(echo_last->conn, SGD_CLOSE_internal);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_end, -1);
    assert_int_equal(echo_last->why, SGD_CLOSE_internal);
    client_close(&client);
    echo_free(bench);
    client_open(bench, &client, 4096);
    assert_true(bench_until(bench, echo_is_open, NULL));
    sgd_conn_close(echo_last->conn, SGD_CLOSE_idle);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_end, 1);
    client_close(&client);
    assert_true(bench_until(bench, echo_is_closed, NULL));
    assert_int_equal(echo_last->why, SGD_CLOSE_idle);
    echo_free(bench);
}

void closed_comes_once_and_last_however_it_ends(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct linger hard = {1, 0};
    for (int way = 0; way < 4; way++) {
        use_echo(bench);
        int fd = bench_connect(bench);
        assert_int_equal(send(fd, "x", 1, 0), 1);
        assert_true(bench_until(bench, echo_is_open, NULL));
        if (way == 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        if (way == 1)
            sgd_conn_close(echo_last->conn, SGD_CLOSE_none);
        if (way == 2) {
            sgd_conn_close(echo_last->conn, SGD_CLOSE_none);
            sgd_conn_abort(echo_last->conn, SGD_CLOSE_internal);
        }
        close(fd);
        assert_true(bench_until(bench, echo_is_closed, NULL));
        assert_true(bench_until(bench, bench_has_no_conns, bench));
        bench_for_ms(bench, 5); /* echo_closed() would see a second call */
        echo_free(bench);
    }
}

void bytes_after_the_last_answer_do_not_reset_it(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    static uint8_t more[100000];
    use_stream(bench, 200000, 50000);
    client_open(bench, &client, 200001);
    client.out = more;
    client.out_len = sizeof(more);
    send(client.fd, "request", 7, 0);
    bench_for_ms(bench, 20); /* all is sent, FIN too; this side goes on sending */
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_end, 1);
    assert_int_equal(client.in_len, 200000);
    client_close(&client);
    assert_true(bench_until(bench, stream_is_back, NULL));
}

/* ---- back-pressure ---- */

void unconsumed_input_is_kept_and_offered_again(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    static uint8_t out[20000];
    use_echo(bench);
    fill_pattern(out, sizeof(out), 5);
    client_open(bench, &client, sizeof(out) + 1);
    assert_true(bench_until(bench, echo_is_open, NULL));
    echo_last->paused = true;
    client.out = out;
    client.out_len = client.in_want = sizeof(out);
    client_pump(&client);
    bench_for_ms(bench, 30);
    assert_int_equal(echo_last->end, 0);
    echo_last->paused = false;
    sgd_conn_read_resume(echo_last->conn);
    assert_true(bench_until(bench, client_has_all, &client));
    assert_memory_equal(client.in, out, sizeof(out));
    client_close(&client);
    echo_free(bench);
}

void a_paused_reader_stops_the_sender(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client paused, other;
    size_t cap = 64u << 20;
    uint8_t *out = calloc(1, cap);
    use_echo(bench);
    client_open(bench, &paused, 4096);
    assert_true(bench_until(bench, echo_is_open, NULL));
    struct echo *echo = echo_last;
    sgd_conn_read_pause(echo->conn);
    echo->paused = true;
    paused.out = out;
    paused.out_len = cap;
    for (int i = 0; i < 50; i++) {
        client_pump(&paused);
        bench_for_ms(bench, 1);
    }
    assert_true(paused.out_sent < cap / 2); /* TCP's window closed */
    /* ... and nobody else suffers. */
    echo_last = NULL;
    client_open(bench, &other, 4096);
    other.out = (const uint8_t *)"hello";
    other.out_len = other.in_want = 5;
    assert_true(bench_until(bench, client_has_all, &other));
    client_close(&other);
    echo_free(bench);
    client_close(&paused);
    sgd_conn_abort(echo->conn, SGD_CLOSE_internal);
    echo_last = echo;
    echo_free(bench);
    free(out);
}

/* ---- the rest ---- */

static bool echo_woke(void *arg)
{
    (void)arg;
    return echo_last->wakes > 0;
}

void a_timer_is_never_early_and_fires_once(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    use_echo(bench);
    int fd = bench_connect(bench);
    assert_true(bench_until(bench, echo_is_open, NULL));
    uint64_t due_ns = sg_clock_mono_ns() + 60 * SG_NS_PER_MS;
    sgd_conn_wake_at(echo_last->conn, due_ns - 40 * SG_NS_PER_MS);
    sgd_conn_wake_at(echo_last->conn, due_ns);
    assert_true(bench_until(bench, echo_woke, NULL));
    assert_true(echo_last->woken_ns >= due_ns);
    assert_true(echo_last->woken_ns < due_ns + 40 * SG_NS_PER_MS);
    bench_for_ms(bench, 30);
    assert_int_equal(echo_last->wakes, 1);
    sgd_conn_wake_at(echo_last->conn, sg_clock_mono_ns() + 10 * SG_NS_PER_MS);
    sgd_conn_wake_at(echo_last->conn, SG_NEVER);
    bench_for_ms(bench, 40);
    assert_int_equal(echo_last->wakes, 1);
    close(fd);
    echo_free(bench);
}

void mail_wakes_a_sleeping_engine(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct sg_msg msg = {.type = 1};
    uint64_t begin_ns = sg_clock_mono_ns();
    assert_true(sg_mail_send(bench->worker.mail, 1, 0, &msg));
    bench_engine->turn(bench->worker.engine, begin_ns + SG_NS_PER_SEC); /* it is there: no sleep */
    assert_int_equal(sg_mail_take(bench->worker.mail, 0, &msg, 1), 1);
    sg_mail_wake(bench->worker.mail, 0);
    bench_engine->turn(bench->worker.engine, begin_ns + SG_NS_PER_SEC);
    assert_true(sg_clock_mono_ns() - begin_ns < 500 * SG_NS_PER_MS);
}

void a_refused_connection_leaves_nothing(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    bench->proto = NULL;
    client_open(bench, &client, 16);
    assert_true(bench_until(bench, client_ended, &client));
    client_close(&client);
    assert_true(bench_until(bench, bench_has_no_conns, bench));
    assert_int_equal(bench->accepted, 1);
}

void a_stopped_listener_takes_no_more_but_serves_on(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    use_echo(bench);
    client_open(bench, &client, 16);
    assert_true(bench_until(bench, echo_is_open, NULL));
    bench_engine->stop_accepting(bench->worker.engine);
    int late = bench_connect(bench); /* the kernel's queue takes it, nobody answers */
    client.out = (const uint8_t *)"still";
    client.out_len = client.in_want = 5;
    assert_true(bench_until(bench, client_has_all, &client));
    bench_for_ms(bench, 20);
    assert_int_equal(bench->accepted, 1);
    close(late);
    client_close(&client);
    echo_free(bench);
}
