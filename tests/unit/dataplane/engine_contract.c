#include "tests/unit/dataplane/engine_contract.h"
#include "tests/unit/dataplane/engine_protos.h"

#include "base/clock.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Only what is registered is sent without copies, and the kernel locks that. */
static bool may_lock_memory(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    return geteuid() == 0 || limit.rlim_cur >= (64u << 20);
}

/* Readers with a small window leave what was sent in the socket's queue for long; whatever the
 * engine gave up by then is overwritten at once. Many short connections, since an engine may learn
 * on a long one that sending without copies does not pay on this path. */
void reused_memory_is_never_sent(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    uint64_t total = 384 * 1024;
    for (int round = 0; round < 4; round++) {
        use_stream(bench, total, 64 * 1024);
        bench->rcvbuf = 8192;
        client_open(bench, &client, total + 1);
        for (size_t stop = 30000; stop < total; stop += 30000) {
            client.in_want = stop;
            assert_true(bench_until(bench, client_has_all, &client));
            bench_for_ms(bench, 1);
        }
        assert_true(bench_until(bench, client_ended, &client));
        assert_int_equal(client.in_len, total);
        for (size_t i = 0; i < total; i++)
            if (client.in[i] != pattern(i))
                fail_msg("byte %zu is %02x instead of %02x", i, client.in[i], pattern(i));
        client_close(&client);
        assert_true(bench_until(bench, stream_is_back, NULL));
    }
    if (!may_lock_memory())
        SGT_LEAVE("locked memory is limited: every send was a copy");
    assert_true(atomic_load(&bench->stats.value[SGE_STAT_send_zc]) > 0); /* or it proved nothing */
}

void a_slow_reader_bounds_what_is_pulled(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    use_stream(bench, 64u << 20, 64 * 1024);
    int fd = bench_connect(bench);
    bench_for_ms(bench, 100); /* nobody reads */
    assert_true(stream.outstanding > 0);
    assert_true(stream.outstanding <= 16 + 1); /* 1 MiB, and what goes in front of it */
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
    assert_true(echo_last->woken_ns < due_ns + SG_NS_PER_SEC);
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

/* Small answers go by another way than large ones: their failing sends end well too. */
void a_peer_that_resets_under_small_answers_ends_cleanly(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct linger hard = {1, 0};
    for (int i = 0; i < 30; i++) {
        use_stream(bench, 64u << 20, 3000);
        int fd = bench_connect(bench);
        bench_for_ms(bench, (uint32_t)i % 3);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(fd);
        bench_for_ms(bench, 10);
        assert_true(stream.conn == NULL || stream_is_back(NULL));
    }
    assert_true(bench_until(bench, bench_has_no_conns, bench));
}
