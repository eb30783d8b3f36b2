/* engine - the seam between what moves bytes (uring: kernel sockets; dpdk: packets) and what gives
 * them meaning. The protocol side never sees a descriptor, an mbuf or a ring; the engine never sees
 * a header field.
 *
 * Promises, held by one suite on every engine (tests/unit/dataplane/engine_contract.c):
 * - All calls about a connection come from, and must be made on, its worker's thread.
 * - Callbacks never re-enter: an sgd_conn_*() call made inside one takes effect after it returned.
 * - input() gets bytes as they came. What it does not consume is kept, reading pauses, and the rest
 *   is offered again after sgd_conn_read_resume().
 * - pull() is asked only when the wire can take more. The engine then owns the slices' references
 *   until the peer acknowledged them or the kernel said that it is done with them.
 * - After closed() no callback follows, and the conn must not be touched. Every conn whose proto
 * was set gets closed() exactly once.
 * - After sgd_conn_tls_install() input() gets plaintext and pull() gives plaintext: the engine
 *   itself runs the record reader and writer (dataplane/tls/record.h), or hands sending to kTLS. */
#ifndef SGD_ENGINE_H
#define SGD_ENGINE_H

#include "base/err.h"
#include "base/slice.h"
#include "dataplane/close.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sgd_snapshot;
struct sgd_worker;
struct sgd_conn; /* one connection; the engine's, opaque */
struct sgd_tls_keys;

/* What pull() answers beside slices. */
enum sgd_pull_more {
    SGD_PULL_MORE, /* has more right now: ask again as soon as the wire has room */
    SGD_PULL_IDLE, /* nothing now; sgd_conn_want_send() will tell */
    SGD_PULL_SOON, /* as IDLE, but more comes at once: what was given may wait for it, 0.2 s long */
    SGD_PULL_END,  /* that was all there will ever be: close in order once it is sent */
};

/* What a protocol is to the engine. `self` is what sgd_conn_set_proto() was given. */
struct sgd_proto {
    const char *name;
    /* Returns how many bytes were consumed, 0 .. len. */
    size_t (*input)(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns);
    /* Writes up to `max` slices, together no more than `budget` bytes (> 0), to `out`; the count is
     * the return value. */
    size_t (*pull)(void *self, size_t budget, struct sg_slice *out, size_t max,
                   enum sgd_pull_more *more, uint64_t now_ns);
    /* The peer sent its FIN (or TLS close_notify): no more input. Sending may go on. */
    void (*input_end)(void *self, uint64_t now_ns);
    /* The time given to sgd_conn_wake_at() has come. It is then unset. */
    void (*wake)(void *self, uint64_t now_ns);
    /* The last call about this connection. */
    void (*closed)(void *self, enum sgd_close why);
    /* The worker drains: close as soon as nothing is under way. May be NULL: the connection then
     * lives until the drain's deadline. */
    void (*drain)(void *self, uint64_t now_ns);
};

/* A listening socket, one a worker and address; and, of a connection, where it came in. */
struct sgd_listener {
    int fd;         /* bound, listening; SO_REUSEPORT */
    uint16_t index; /* in the configuration of the worker's snapshot: a reload may change it */
    struct sgd_snapshot *gone; /* held: the last that has it, where a reload took it away */
};

#define SGD_LISTENER_GONE UINT16_MAX
static inline uint16_t sgd_listener_index(const struct sgd_listener *listener)
{
    return listener->gone == NULL ? listener->index : (uint16_t)SGD_LISTENER_GONE;
}

/* Who is at the other end, after PROXY protocol. Valid as long as the conn. */
struct sgd_peer {
    struct sockaddr_in6 remote; /* IPv4 as ::ffff:a.b.c.d */
    struct sockaddr_in6 local;
    const struct sgd_listener *listener; /* sgd_worker_listener() tells its configuration */
    bool forwarded_ok;                   /* a configured peer: its Forwarded header counts */
    uint8_t tls;                         /* 0 plain, 12, 13: set by sgd_conn_tls_install() */
    uint8_t path;                        /* the way bytes take, as sge_record.engine_path has it */
};

/* A snapshot of the transport. */
struct sgd_conn_info {
    uint32_t rtt_us;
    uint32_t cwnd_bytes;
    uint32_t mss;
    uint32_t retransmits;
    uint64_t sent_bytes; /* payload taken from pull() and given up by the transport */
    const char *path; /* "uring plain", "uring own-records", "uring ktls": which way bytes take */
};

/* Calls of the protocol side. None of them blocks. */
void sgd_conn_set_proto(struct sgd_conn *conn, const struct sgd_proto *proto, void *self);
void sgd_conn_want_send(struct sgd_conn *conn);
void sgd_conn_read_pause(struct sgd_conn *conn);
void sgd_conn_read_resume(struct sgd_conn *conn);
/* One timer a connection; SG_NEVER unsets it. Precision: some milliseconds, never early. */
void sgd_conn_wake_at(struct sgd_conn *conn, uint64_t wake_at_ns);
/* Sends what pull() still gives (bounded by the send timeout), then closes; lingers so that a peer
 * still sending does not lose the answer to a reset (RFC 9112 section 9.6). */
void sgd_conn_close(struct sgd_conn *conn, enum sgd_close why);
/* At once, with a reset; a peer must be able to tell a cut answer from a whole one. */
void sgd_conn_abort(struct sgd_conn *conn, enum sgd_close why);
/* The handshake is done and its last flight has been pulled. Copies *keys. */
void sgd_conn_tls_install(struct sgd_conn *conn, const struct sgd_tls_keys *keys);
void sgd_conn_info(const struct sgd_conn *conn, struct sgd_conn_info *out);
const struct sgd_peer *sgd_conn_peer(const struct sgd_conn *conn);
struct sgd_worker *sgd_conn_worker(const struct sgd_conn *conn);

/* Memory the engine may send from without copying (the arena): registered once at open. */
struct sgd_region {
    const uint8_t *base;
    size_t bytes;
    int fd; /* the memfd it maps, or -1 */
};

struct sgd_engine;
/* A table of driver functions: the worker's loop runs over it and knows no engine. */
struct sgd_engine_ops {
    const char *name;
    SG_MUST_USE enum sg_err (*open)(struct sgd_worker *worker, const struct sgd_region *regions,
                                    size_t regions_count, const struct sgd_listener *listeners,
                                    size_t listeners_count, struct sgd_engine **out);
    /* Waits for events until `wake_at_ns` (or not at all when it is past), and handles what came:
     * a bounded number. Returns how many. Calls sgd_worker_offline()/online() around the wait. */
    uint32_t (*turn)(struct sgd_engine *engine, uint64_t wake_at_ns);
    /* From now on these are the listeners; what was there and has the same descriptor goes on. To
     * be called while the worker still has its old snapshot, which the others keep: what waits in
     * their queues is taken, and their connections are served to their end. No allocation. */
    void (*listen)(struct sgd_engine *engine, const struct sgd_listener *listeners, size_t count);
    /* Whether descriptors of listeners that were taken away are still in use. */
    bool (*letting_go)(const struct sgd_engine *engine);
    /* Takes what is in the listeners' queues, and stops accepting; connections go on. The
     * descriptors are not used after it. To be called again while they are open: of two processes
     * that share them the kernel wakes one for each connection, and if that is the one which stops
     * just then, nobody else looks. */
    void (*stop_accepting)(struct sgd_engine *engine);
    /* Calls visit() for each connection that still has a protocol. */
    void (*each_conn)(struct sgd_engine *engine,
                      void (*visit)(struct sgd_conn *conn, const struct sgd_proto *proto,
                                    void *self, void *arg),
                      void *arg);
    uint32_t (*conn_count)(const struct sgd_engine *engine);
    /* Aborts what is left. Accepts NULL. */
    void (*close)(struct sgd_engine *engine);
};

extern const struct sgd_engine_ops sgd_engine_uring;

#endif
