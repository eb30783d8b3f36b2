#include "tests/unit/dataplane/engine_bench.h"

#include "base/clock.h"
#include "dataplane/engine/limits.h"
#include "dataplane/tls/record.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

const struct sgd_engine_ops *bench_engine;
static struct bench *bench_current; /* one worker, one thread */

/* ---- what an engine wants of a worker ---- */

void sgd_worker_offline(struct sgd_worker *worker)
{
    assert_int_equal(bench_current->offline_now++, 0);
    assert_ptr_equal(worker, &bench_current->worker);
}

void sgd_worker_online(struct sgd_worker *worker)
{
    assert_int_equal(--bench_current->offline_now, 0);
    assert_ptr_equal(worker, &bench_current->worker);
}

bool sgd_worker_accept(struct sgd_worker *worker, struct sgd_conn *conn)
{
    struct bench *bench = bench_current;
    assert_ptr_equal(sgd_conn_worker(conn), worker);
    bench->peer = *sgd_conn_peer(conn);
    bench->accepted++;
    if (bench->proto == NULL)
        return false;
    sgd_conn_set_proto(conn, bench->proto, bench->proto_self(bench, conn));
    if (bench->tls_keys != NULL)
        sgd_conn_tls_install(conn, bench->tls_keys);
    return true;
}

/* ---- the bench ---- */

int bench_listen(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 512), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static void bench_configure(struct bench *bench)
{
    struct sg_conf_limits *limits = &bench->config.limits;
    bench->config.listeners = &bench->listener;
    bench->config.listeners_count = 1;
    limits->connections = 512;
    limits->connections_per_address = 512;
    limits->header_timeout_ms = 500;
    limits->send_timeout_ms = 2000;
    limits->pinned_bytes_per_connection = 1 << 20;
    limits->pinned_bytes_per_worker = 64 << 20;
    bench->snapshot.config = &bench->config;
    bench->snapshot.serial = 1;
    bench->snapshot.refs = 1;
    bench->snapshot.uses = bench->uses;
    bench->uses[0].listener_conns = bench->listener_conns;
    bench->worker.snapshot = &bench->snapshot;
    bench->worker.workers_count = 1;
    bench->worker.stats = &bench->stats;
    bench->worker.engine_ops = bench_engine;
}

int bench_setup(void **fixture)
{
    struct bench *bench = aligned_alloc(SG_CACHELINE, sizeof(*bench));
    assert_non_null(bench);
    memset(bench, 0, sizeof(*bench));
    bench_current = bench;
    bench_configure(bench);
    bench->listen_fd = bench_listen(&bench->port);
    assert_int_equal(sgd_limits_open(&bench->worker.limits), SG_OK);
    assert_int_equal(sgd_tlscrypto_open(SG_CONF_CRYPTO_OPENSSL, 64, &bench->worker.tls_crypto),
                     SG_OK);
    assert_int_equal(sg_mail_open(2, 64, &bench->worker.mail), SG_OK);
    bench->region =
        mmap(NULL, BENCH_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(bench->region != MAP_FAILED);
    struct sgd_region region = {bench->region, BENCH_REGION_BYTES, -1};
    struct sgd_listener listener = {.fd = bench->listen_fd};
    assert_int_equal(
        bench_engine->open(&bench->worker, &region, 1, &listener, 1, &bench->worker.engine), SG_OK);
    *fixture = bench;
    return 0;
}

int bench_teardown(void **fixture)
{
    struct bench *bench = *fixture;
    bench_engine->close(bench->worker.engine);
    sgd_limits_close(bench->worker.limits); /* asserts that every connection was given back */
    sgd_tlscrypto_close(bench->worker.tls_crypto);
    sg_mail_close(bench->worker.mail);
    munmap(bench->region, BENCH_REGION_BYTES);
    close(bench->listen_fd);
    assert_int_equal(bench->snapshot.refs, 1);
    free(bench);
    return 0;
}

struct bench *bench_of(void **fixture)
{
    return *fixture;
}

static void bench_turn(struct bench *bench)
{
    bench_engine->turn(bench->worker.engine, sg_clock_mono_ns() + SG_NS_PER_MS);
}

bool bench_until(struct bench *bench, bool (*done)(void *arg), void *arg)
{
    uint64_t end_ns = sg_clock_mono_ns() + 5 * SG_NS_PER_SEC;
    while (!done(arg) && sg_clock_mono_ns() < end_ns)
        bench_turn(bench);
    return done(arg);
}

void bench_for_ms(struct bench *bench, uint32_t ms)
{
    uint64_t end_ns = sg_clock_mono_ns() + ms * SG_NS_PER_MS;
    while (sg_clock_mono_ns() < end_ns)
        bench_turn(bench);
}

int bench_connect(struct bench *bench)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(bench->port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (bench->rcvbuf > 0)
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bench->rcvbuf, sizeof(bench->rcvbuf)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* ---- clients ---- */

void client_pump(struct client *client)
{
    while (client->out_sent < client->out_len) {
        ssize_t n = send(client->fd, client->out + client->out_sent,
                         client->out_len - client->out_sent, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        client->out_sent += (size_t)n;
    }
    while (client->in_end == 0) {
        assert_true(client->in_len < client->in_cap);
        ssize_t n =
            recv(client->fd, client->in + client->in_len, client->in_cap - client->in_len, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            client->in_end = n == 0 ? 1 : -1;
        else
            client->in_len += (size_t)n;
    }
}

bool client_has_all(void *arg)
{
    struct client *client = arg;
    client_pump(client);
    return client->in_len >= client->in_want;
}

bool client_ended(void *arg)
{
    struct client *client = arg;
    client_pump(client);
    return client->in_end != 0;
}

uint8_t pattern(size_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8) * 17 + (offset >> 16));
}

void client_open(struct bench *bench, struct client *client, size_t in_cap)
{
    *client = (struct client){.fd = bench_connect(bench), .in_cap = in_cap};
    client->in = malloc(in_cap);
    assert_non_null(client->in);
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->in);
}

bool bench_has_no_conns(void *arg)
{
    struct bench *bench = arg;
    return bench_engine->conn_count(bench->worker.engine) == 0;
}

void fill_pattern(uint8_t *bytes, size_t len, size_t offset)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(offset + i);
}
