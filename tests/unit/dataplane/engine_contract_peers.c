#include "base/clock.h"
#include "tests/unit/dataplane/engine_contract.h"
#include "tests/unit/dataplane/engine_protos.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_TCP4                                                                                \
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x0a\x0b\x0c\x0d\x30\x39\x01\xbb"

static const char *loopback[] = {"127.0.0.0/8"};
static const char *elsewhere[] = {"192.0.2.0/24", "2001:db8::/32"};

static uint64_t closes(const struct bench *bench, enum sgd_close why)
{
    return atomic_load(&bench->stats.close[why]);
}

static void expect_remote(const struct bench *bench, const char *expected)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &bench->peer.remote.sin6_addr, text, sizeof(text));
    assert_string_equal(text, expected);
}

void a_balancers_header_names_the_viewer(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    static const uint8_t out[] = HEADER_TCP4 "hello";
    bench->listener.proxy_protocol = loopback;
    bench->listener.proxy_protocol_count = 1;
    use_echo(bench);
    for (size_t cut = 0; cut < sizeof(out) - 2; cut += 9) {
        client_open(bench, &client, 64);
        client.out = out;
        client.out_len = cut; /* in two parts, however it falls */
        client_pump(&client);
        bench_for_ms(bench, 3);
        client.out_len = sizeof(out) - 1;
        client.in_want = 5;
        assert_true(bench_until(bench, client_has_all, &client));
        assert_memory_equal(client.in, "hello", 5);
        expect_remote(bench, "::ffff:1.2.3.4");
        client_close(&client);
        echo_free(bench);
    }
}

void only_a_balancer_may_name_another(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    bench->listener.proxy_protocol = elsewhere;
    bench->listener.proxy_protocol_count = 2;
    use_echo(bench);
    client_open(bench, &client, 64);
    client.out = (const uint8_t *)HEADER_TCP4;
    client.out_len = client.in_want = sizeof(HEADER_TCP4) - 1;
    assert_true(bench_until(bench, client_has_all, &client)); /* bytes like any others */
    expect_remote(bench, "::ffff:127.0.0.1");
    client_close(&client);
    echo_free(bench);
}

void a_balancer_without_a_header_is_refused(void **fixture)
{
    static const char *const says[] = {"GET / HTTP/1.1\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
                                       "\r\n\r\n", ""};
    struct bench *bench = bench_of(fixture);
    struct client client;
    bench->config.limits.header_timeout_ms = 50;
    bench->listener.proxy_protocol = loopback;
    bench->listener.proxy_protocol_count = 1;
    use_echo(bench);
    for (size_t i = 0; i < SG_COUNT(says); i++) {
        client_open(bench, &client, 64);
        client.out = (const uint8_t *)says[i];
        client.out_len = strlen(says[i]);
        assert_true(bench_until(bench, client_ended, &client));
        assert_int_equal(client.in_end, -1);
        assert_int_equal(closes(bench, SGD_CLOSE_proxy_header), i + 1);
        client_close(&client);
    }
    int fd = bench_connect(bench);
    shutdown(fd, SHUT_WR);
    bench_for_ms(bench, 10);
    assert_int_equal(closes(bench, SGD_CLOSE_proxy_header), SG_COUNT(says) + 1);
    close(fd);
    assert_int_equal(bench->accepted, 0);
}

void forwarded_counts_from_configured_peers_only(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    for (int i = 0; i < 2; i++) {
        use_echo(bench);
        bench->listener.forwarded = i == 0 ? loopback : elsewhere;
        bench->listener.forwarded_count = i == 0 ? 1 : 2;
        int fd = bench_connect(bench);
        assert_true(bench_until(bench, echo_is_open, NULL));
        assert_int_equal(bench->peer.forwarded_ok, i == 0);
        close(fd);
        echo_free(bench);
    }
}

void an_address_takes_its_number_of_connections(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct client client;
    bench->config.limits.connections_per_address = 1;
    use_echo(bench);
    int fd = bench_connect(bench);
    assert_true(bench_until(bench, echo_is_open, NULL));
    client_open(bench, &client, 16);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(client.in_end, -1);
    assert_int_equal(closes(bench, SGD_CLOSE_address_full), 1);
    client_close(&client);
    close(fd);
    echo_free(bench);
    assert_true(bench_until(bench, bench_has_no_conns, bench));
    use_echo(bench);
    fd = bench_connect(bench);
    assert_true(bench_until(bench, echo_is_open, NULL)); /* given back */
    close(fd);
    echo_free(bench);
    bench->config.limits.connections = 0;
    client_open(bench, &client, 16);
    assert_true(bench_until(bench, client_ended, &client));
    assert_int_equal(closes(bench, SGD_CLOSE_connections_full), 1);
    client_close(&client);
}

static bool bench_has_let_go(void *arg)
{
    struct bench *bench = arg;
    return !bench_engine->letting_go(bench->worker.engine);
}

/* A reload, seen from the engine: the listener goes, another is the second of the new file. */
static void reload_to(struct bench *bench, int fd, struct sgd_snapshot *next)
{
    const struct sgd_listener listener = {.fd = fd, .index = 1};
    bench_engine->listen(bench->worker.engine, &listener, 1);
    bench->worker.snapshot = next;
}

static void expect_echo(struct bench *bench, int fd)
{
    struct client client = {.fd = fd, .in = (uint8_t[8]){0}, .in_cap = 8, .in_want = 5};
    client.out = (const uint8_t *)"hello";
    client.out_len = 5;
    assert_true(bench_until(bench, client_has_all, &client));
    assert_memory_equal(client.in, "hello", 5);
    close(fd);
    echo_free(bench);
}

void a_listener_taken_away_serves_who_came_by_its_own_configuration(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct sg_conf_listener listeners[2] = {[1] = {.forwarded = loopback, .forwarded_count = 1}};
    struct sg_config config = {
        .limits = bench->config.limits, .listeners = listeners, .listeners_count = 2};
    _Atomic uint32_t conns[2] = {0};
    struct sgd_snapshot_use uses[1] = {{.listener_conns = conns}};
    struct sgd_snapshot next = {.refs = 1, .serial = 2, .config = &config, .uses = uses};
    use_echo(bench);
    int waits = bench_connect(bench); /* in the old queue, and not accepted before it goes */
    int fd = bench_listen(&bench->port);
    reload_to(bench, fd, &next);
    assert_true(bench_engine->letting_go(bench->worker.engine));
    assert_true(bench_until(bench, echo_is_open, NULL));
    assert_ptr_equal(bench->peer.listener->gone, &bench->snapshot);
    assert_false(bench->peer.forwarded_ok);
    assert_true(bench_until(bench, bench_has_let_go, bench));
    close(bench->listen_fd);
    assert_int_equal(bench->snapshot.refs, 2); /* as long as its connection lives */
    bench_for_ms(bench, 5);
    assert_int_equal(bench->listener_conns[0], 1);
    expect_echo(bench, waits);
    assert_int_equal(bench->snapshot.refs, 1);
    assert_int_equal(bench->listener_conns[0], 0);

    int comes = bench_connect(bench);
    assert_true(bench_until(bench, echo_is_open, NULL));
    assert_null(bench->peer.listener->gone);
    assert_true(bench->peer.forwarded_ok);
    expect_echo(bench, comes);
    bench->listen_fd = fd;
    bench->worker.snapshot = &bench->snapshot;
}

void a_listener_that_stays_keeps_its_place_when_the_order_changes(void **fixture)
{
    struct bench *bench = bench_of(fixture);
    struct sg_conf_listener listeners[2] = {{0}};
    uint16_t port;
    int other = bench_listen(&port);
    const struct sgd_listener both[] = {{.fd = other, .index = 0},
                                        {.fd = bench->listen_fd, .index = 1}};
    bench->config.listeners = listeners;
    bench->config.listeners_count = 2;
    use_echo(bench);
    int fd = bench_connect(bench);
    assert_true(bench_until(bench, echo_is_open, NULL));
    const struct sgd_listener *place = bench->peer.listener;
    assert_int_equal(place->index, 0);
    bench_engine->listen(bench->worker.engine, both, 2);
    assert_false(bench_engine->letting_go(bench->worker.engine));
    assert_int_equal(place->index, 1);
    bench_for_ms(bench, 5);
    assert_int_equal(bench->listener_conns[0], 0);
    assert_int_equal(bench->listener_conns[1], 1);
    expect_echo(bench, fd);
    bench_engine->listen(bench->worker.engine, &both[1], 1);
    assert_true(bench_until(bench, bench_has_let_go, bench));
    assert_int_equal(bench->snapshot.refs, 1); /* nobody came by the one that went */
    close(other);
}
