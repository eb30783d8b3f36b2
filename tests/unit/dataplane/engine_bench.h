/* engine_bench - an engine under test: one worker without a store, one registered region, one
 * listener on the loopback. One thread: the test turns the engine and plays the clients on
 * non-blocking sockets in between. */
#ifndef SGT_ENGINE_BENCH_H
#define SGT_ENGINE_BENCH_H

#include "tests/sgt.h"

#include "dataplane/engine/engine.h"
#include "dataplane/worker/worker.h"

#define BENCH_REGION_BYTES (8u << 20)

/* One engine on one worker, with one registered region and one listener on the loopback. */
struct bench {
    struct sgd_worker worker;
    struct sgd_snapshot snapshot;
    struct sgd_snapshot_use uses[1];
    _Atomic uint32_t listener_conns[2];
    struct sg_config config;
    struct sg_conf_listener listener;
    struct sgd_peer peer; /* as sgd_worker_accept() saw it last */
    struct sge_stats stats;
    uint8_t *region;
    int listen_fd;
    uint16_t port;
    /* What an accepted connection gets; NULL: it is refused. */
    const struct sgd_proto *proto;
    void *(*proto_self)(struct bench *bench, struct sgd_conn *conn);
    uint32_t accepted, offline_now;
    int rcvbuf;                          /* of clients that connect; 0: as it is */
    const struct sgd_tls_keys *tls_keys; /* accepted connections have their handshake behind them */
};

/* Which engine the tests below run on; set by the test's main(). */
extern const struct sgd_engine_ops *bench_engine;

int bench_setup(void **fixture);
int bench_teardown(void **fixture);
struct bench *bench_of(void **fixture);
/* Turns the engine until `done(arg)` or 5 s passed; returns whether it was done. */
bool bench_until(struct bench *bench, bool (*done)(void *arg), void *arg);
/* Turns it for that long, whatever happens. */
void bench_for_ms(struct bench *bench, uint32_t ms);
/* A socket that listens on the loopback, as control makes one. */
int bench_listen(uint16_t *port);
/* A connected, non-blocking client. */
int bench_connect(struct bench *bench);

/* Sends and receives as the engine turns. */
struct client {
    int fd;
    const uint8_t *out;
    size_t out_len, out_sent;
    uint8_t *in;
    size_t in_cap, in_len;
    size_t in_want; /* done when that many came */
    int in_end;     /* 0: open, 1: FIN, -1: reset */
};

void client_open(struct bench *bench, struct client *client, size_t in_cap);
void client_close(struct client *client);
/* Sends and receives what it can right now. */
void client_pump(struct client *client);
/* For bench_until(), with a client or the bench. */
bool client_has_all(void *arg);
bool client_ended(void *arg);
bool bench_has_no_conns(void *arg);
/* Bytes by which each offset is known. */
uint8_t pattern(size_t offset);
void fill_pattern(uint8_t *bytes, size_t len, size_t offset);

#endif
