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
