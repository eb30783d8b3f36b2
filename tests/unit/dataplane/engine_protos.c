#include "tests/unit/dataplane/engine_protos.h"

#include "base/clock.h"

#include <string.h>

/* ---- echo: the simplest protocol that has input and output ---- */

struct echo *echo_last;

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

void *echo_open(struct bench *bench, struct sgd_conn *conn)
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

void use_echo(struct bench *bench)
{
    bench->proto = &echo_proto;
    bench->proto_self = echo_open;
    echo_last = NULL;
}

bool echo_is_closed(void *arg)
{
    (void)arg;
    return echo_last != NULL && echo_last->closes == 1;
}

bool echo_is_open(void *arg)
{
    (void)arg;
    return echo_last != NULL;
}

void echo_free(struct bench *bench)
{
    assert_true(bench_until(bench, echo_is_closed, NULL));
    free(SG_TAKE(echo_last));
}

/* ---- stream: slices of the region, as a cache's object would give them ---- */

struct stream stream;

static void stream_released(struct sg_hold *hold)
{
    size_t index = (size_t)(hold - stream.blocks);
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
        if (atomic_load(&stream.blocks[i].refs) == 0)
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
        struct sg_hold *hold = &stream.blocks[index];
        uint8_t *bytes = stream.bench->region + (size_t)index * STREAM_BLOCK;
        fill_pattern(bytes, len, stream.given);
        sg_hold_init(hold, &stream_hold_ops);
        hold->region = 0;
        out[count++] = (struct sg_slice){bytes, (uint32_t)len, hold};
        stream.outstanding++;
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

void use_stream(struct bench *bench, uint64_t total, uint32_t block_bytes)
{
    memset(&stream, 0, sizeof(stream));
    stream.total = total;
    stream.block_bytes = block_bytes;
    bench->proto = &stream_proto;
    bench->proto_self = stream_open;
}

bool stream_is_back(void *arg)
{
    (void)arg;
    return stream.outstanding == 0 && stream.closes == 1;
}
