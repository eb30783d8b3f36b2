/* uring_engine - what the parts of the uring engine share: one engine a worker, its connections,
 * its memory. Nobody outside dataplane/engine/uring/ includes it. docs/engine.md has the design. */
#ifndef SGD_URING_ENGINE_H
#define SGD_URING_ENGINE_H

#include "base/list.h"
#include "base/pool.h"
#include "base/slice.h"
#include "dataplane/engine/engine.h"
#include "dataplane/engine/limits.h"
#include "dataplane/engine/listen.h"
#include "dataplane/engine/wheel.h"
#include "dataplane/sys/uring.h"
#include "dataplane/tls/record.h"
#include "dataplane/worker/worker.h"

#include <sys/socket.h>

/* Receiving: provided buffers, small, so that an idle connection holds none. */
#define SGD_UE_RECV_BYTES    2048u
#define SGD_UE_RECV_COUNT    2048u
#define SGD_UE_RECV_STEP     256u /* given to the kernel at first, and each time it ran out */
#define SGD_UE_RECV_HELD_MAX 4u   /* a paused connection's share that is never questioned */
/* Sending. See docs/engine.md for how these were measured. */
#define SGD_UE_SMALL_BYTES  (16u * 1024 + 512)
#define SGD_UE_SMALL_COUNT  1024u
#define SGD_UE_RECORD_PLAIN (512u * 1024 + 4096u) /* sealed at a time, and what that takes: */
#define SGD_UE_RECORD_BYTES (SGD_UE_RECORD_PLAIN + 4096u)
#define SGD_UE_RECORD_COUNT 32u
#define SGD_UE_BATCH_SLICES 8u
#define SGD_UE_BATCH_COUNT  16384u
#define SGD_UE_ZC_MIN       (32u * 1024)
/* Pulled at a time: where nothing is copied, half of what may be in flight, so that the wire never
 * waits; where the kernel copies, the more the better. */
#define SGD_UE_CHUNK_BYTES (512u * 1024)
#define SGD_UE_COPY_BYTES  (1024u * 1024)
#define SGD_UE_HEAD_BYTES  (4u * 1024)  /* more, for the head in front of a block of that size */
#define SGD_UE_BOUND_MIN   (64u * 1024) /* in flight, however small the congestion window */
#define SGD_UE_BOUND_FIRST (256u * 1024)
/* Work a turn. */
#define SGD_UE_RING_ENTRIES  2048u
#define SGD_UE_CQES_A_TURN   1024u
#define SGD_UE_RUNS_A_TURN   1024u
#define SGD_UE_TIMERS_A_TURN 512u
/* Times of the engine's own. */
#define SGD_UE_LINGER_NS         (2 * SG_NS_PER_SEC)
#define SGD_UE_LINGER_BYTES      (1024u * 1024)
#define SGD_UE_ACCEPT_BACKOFF_NS (100 * SG_NS_PER_MS)
#define SGD_UE_RATE_CHECK_NS     (30 * SG_NS_PER_SEC)
#define SGD_UE_BLOCKED_NS        SG_NS_PER_SEC /* others starve: who is stuck that long goes */

/* Those of a snapshot, and of as many as a node keeps for what is under way (node.c); besides what
 * was handed over at start. */
#define SGD_UE_LISTENERS_MAX (SG_CONF_LISTENERS_MAX * 17 + SGD_LISTEN_PASSED_MAX)
#define SGD_UE_LEAVE_NS      (50 * SG_NS_PER_MS) /* what the kernel accepted is on its way still */
#define SGD_UE_LEAVE_TURN_NS (10 * SG_NS_PER_MS)
#define SGD_UE_BUFFERS_MAX   1024u /* registered ones: a region takes one a GiB */
#define SGD_UE_BUFFER_BYTES  ((size_t)1 << 30)

/* What a completion is about: the low bits of its tag; the rest is the object's address. */
enum sgd_ue_tag {
    SGD_UE_TAG_NONE,
    SGD_UE_TAG_ACCEPT,
    SGD_UE_TAG_WAKE,
    SGD_UE_TAG_RECV,
    SGD_UE_TAG_SEND,
    SGD_UE_TAG_POLL,
    SGD_UE_TAG_MASK = 7
};

enum sgd_ue_state {
    SGD_UE_PROXY,   /* a PROXY header is due; no protocol yet */
    SGD_UE_OPEN,    /* bytes go both ways */
    SGD_UE_CLOSING, /* what pull() still gives is sent; input is dropped */
    SGD_UE_LINGER,  /* FIN sent, closed() called; waits for the peer's FIN, drops what comes */
    SGD_UE_DEAD, /* operations are cancelled, then the descriptor closed, then the rest awaited */
};

enum sgd_ue_recv { SGD_UE_RECV_OFF, SGD_UE_RECV_ARMED, SGD_UE_RECV_CANCELLED, SGD_UE_RECV_STARVED };

/* Slices on their way: pulled together, given up together. Pool item. */
struct sgd_ue_batch {
    SG_MAGIC_FIELD;
    uint8_t count, next;  /* slices, and the first not wholly sent */
    bool op;              /* a send of it is in the kernel's hands */
    bool soon;            /* what the next batch has may go in the same segment */
    uint8_t pool;         /* whose `memory` is: enum sgd_ue_memory */
    uint8_t record_type;  /* kTLS: `memory` is a record of this type; 0: data */
    uint16_t notifs;      /* zero-copy sends done, whose memory is still in use */
    uint32_t next_offset; /* within slice `next` */
    uint32_t bytes;       /* of payload, counted in conn->inflight */
    uint32_t memory_len, memory_sent;
    uint32_t op_len;
    uint8_t *memory; /* gathered or sealed bytes; NULL: the slices themselves are sent */
    struct sgd_conn *conn;
    struct sg_list sending; /* engine->sending, while op */
    uint64_t op_begin_ns;
    uint64_t op_wait; /* engine->waits when it was, or will be, submitted */
    struct sg_slice slices[SGD_UE_BATCH_SLICES];
    struct iovec parts[SGD_UE_BATCH_SLICES]; /* of slices; good until the ring was entered */
    struct msghdr message;
};
#define sgd_ue_batch_MAGIC 0x75626174u

enum sgd_ue_memory { SGD_UE_MEMORY_NONE, SGD_UE_MEMORY_SMALL, SGD_UE_MEMORY_RECORD };

/* What a connection has once its handshake is done. Pool item. */
struct sgd_ue_tls {
    struct sgd_tlsrec rec;
    uint8_t *lent; /* opened, not yet consumed; lies in a received buffer or in rec */
    size_t lent_len;
    bool failed;   /* the peer broke the rules: only the alert still goes out */
    bool ended;    /* close_notify was sealed */
    bool cut;      /* the peer's FIN came without its close_notify, and nothing was sent since */
    bool told_end; /* the protocol knows that the key is near its end */
    bool ktls_due; /* as soon as all that came before is with the kernel */
    bool ktls;     /* the kernel seals */
};

struct sgd_conn {
    SG_MAGIC_FIELD;
    int fd;
    struct sgd_engine *engine;
    const struct sgd_proto *proto;
    void *self;
    struct sg_list all;   /* engine->conns_live */
    struct sg_list ready; /* engine->ready */
    struct sg_list starved_recv, starved_send;
    struct sgd_timer wake;      /* the protocol's */
    struct sgd_timer guard;     /* the engine's: lingering, slow readers */
    struct sgd_ue_batch *batch; /* the one being sent, or NULL */
    struct sgd_ue_tls *tls;     /* NULL: bytes go as they are */
    uint8_t state;              /* enum sgd_ue_state */
    uint8_t recv;               /* enum sgd_ue_recv */
    uint8_t ops;                /* receive, send, poll in the kernel's hands */
    uint8_t why;                /* enum sgd_close, once closing */
    bool paused;                /* by the protocol, or because it took less than it was given */
    bool fin_in;                /* the peer's FIN came */
    bool fin_told;              /* ... and input_end() was called */
    bool want_send;
    bool pull_end; /* pull() said END */
    bool want_close, want_abort;
    bool blocked;     /* the last send had to wait for room in the socket ... */
    bool polling;     /* ... so that is awaited before more is pulled: it would only hold memory */
    bool writable;    /* there is */
    bool zc_useless;  /* on this path the kernel copies what should not be */
    bool rate_waited; /* bytes were waiting at the last check */
    uint16_t batches; /* of this connection, in any state */
    uint16_t held_first, held_last, held_count; /* received buffers not yet consumed */
    uint32_t inflight;                          /* payload bytes the transport has not given up */
    uint32_t bound;                             /* for inflight */
    uint32_t linger_bytes;
    uint64_t sent_bytes;
    uint64_t bound_next; /* sent_bytes at which the bound is looked at again */
    uint64_t rate_bytes; /* acknowledged at the last check */
    struct sgd_limits_ticket ticket;
    struct sgd_peer peer;
};
#define sgd_conn_MAGIC 0x75636f6eu

/* A received buffer somebody holds. */
struct sgd_ue_recv_buffer {
    uint16_t next, offset, len;
};
#define SGD_UE_RECV_END UINT16_MAX

struct sgd_ue_listener {
    struct sgd_listener listener; /* fd: -1 once it was let go of */
    struct sgd_engine *engine;    /* NULL: a free place */
    uint64_t leave_at_ns;         /* taken away by a reload: accepts no more from then on */
    uint32_t send_timeout_ms;     /* what accepted connections inherit */
    uint32_t conns, conns_told;   /* of it; and of those, what its snapshot says */
    bool armed;
} SG_ALIGNED;

struct sgd_ue_region {
    const uint8_t *base;
    size_t bytes;
    uint32_t first_buffer; /* SGD_RING_NO_BUFFER: not registered */
};

struct sgd_engine {
    SG_MAGIC_FIELD;
    struct sgd_worker *worker;
    struct sgd_ring *ring;
    bool accepting, waking, closing;
    bool accept_failing; /* and said so */
    bool zc_reports;     /* zero-copy sends tell whether they were */
    bool ktls_none;      /* it was tried: this kernel has no TLS */
    uint64_t now_ns;
    uint64_t waits; /* how often the ring was entered */
    /* memory */
    struct sg_pool conns, tls, batches, small, records;
    uint32_t record_buffer; /* the records are registered as, or SGD_RING_NO_BUFFER */
    uint8_t *recv_memory;
    struct sgd_ue_recv_buffer *recv_buffers;
    uint32_t recv_provided, recv_held; /* that the kernel or we have; that we have */
    uint64_t pinned; /* payload of all connections that the transport has not given up */
    struct sgd_ue_region *regions;
    size_t regions_count;
    /* connections */
    uint32_t conns_count;
    struct sg_list conns_live;
    struct sg_list ready;        /* to be run this turn */
    struct sg_list starved_recv; /* no provided buffer was left */
    struct sg_list starved_send; /* no batch or send memory was left */
    struct sg_list sending;      /* batches in the kernel's hands, the longest first */
    struct sgd_wheel wheel;
    struct sgd_timer accept_again;
    struct sgd_ue_listener *listeners; /* SGD_UE_LISTENERS_MAX places: they never move */
    size_t listeners_count;            /* places up to the last one in use */
    uint32_t listeners_leaving;
    struct sgd_cqe cqes[256];
};
#define sgd_engine_MAGIC 0x75656e67u

static inline uint64_t sgd_ue_tag_of(const void *object, enum sgd_ue_tag tag)
{
    SG_DASSERT(((uintptr_t)object & SGD_UE_TAG_MASK) == 0);
    return (uintptr_t)object | tag;
}

/* accept.c */
SG_MUST_USE enum sg_err sgd_ue_accept_open(struct sgd_engine *engine,
                                           const struct sgd_listener *listeners, size_t count);
void sgd_ue_accept_close(struct sgd_engine *engine); /* every connection is gone */
void sgd_ue_accept_listen(struct sgd_engine *engine, const struct sgd_listener *listeners,
                          size_t count);
void sgd_ue_accept_stop(struct sgd_engine *engine);
/* Before the wait: has every listener accept, those that leave for the last time. Returns when to
 * come again, or SG_NEVER. */
uint64_t sgd_ue_accept_turn(struct sgd_engine *engine);
void sgd_ue_accept_done(struct sgd_ue_listener *listener, const struct sgd_cqe *cqe);
void sgd_ue_accept_left(struct sgd_ue_listener *listener); /* one connection of it is gone */

/* conn.c */
void sgd_ue_conn_ready(struct sgd_conn *conn); /* has it run before the next wait */
void sgd_ue_conn_run(struct sgd_conn *conn);
void sgd_ue_conn_opened(struct sgd_ue_listener *listener, int fd);
/* Cancels all, tells the protocol. The memory goes later, in sgd_ue_conn_run(), once nothing of it
 * is in the kernel's hands. */
void sgd_ue_conn_die(struct sgd_conn *conn, enum sgd_close why, bool reset);
void sgd_ue_conn_timer(struct sgd_engine *engine, struct sgd_timer *timer);

/* A peer that nothing is known against: a protocol starts. False: it was refused. */
bool sgd_ue_conn_start(struct sgd_conn *conn);

/* proxy.c */
void sgd_ue_proxy_begin(struct sgd_conn *conn);
void sgd_ue_proxy_feed(struct sgd_conn *conn); /* looks at what was received so far */

/* recv.c */
SG_MUST_USE enum sg_err sgd_ue_recv_open(struct sgd_engine *engine);
void sgd_ue_recv_close(struct sgd_engine *engine);
void sgd_ue_recv_arm(struct sgd_conn *conn);
void sgd_ue_recv_cancel(struct sgd_conn *conn);
void sgd_ue_recv_done(struct sgd_conn *conn, const struct sgd_cqe *cqe);
void sgd_ue_recv_feed(struct sgd_conn *conn);
/* The first `bytes` of what is held are not for the protocol. */
void sgd_ue_recv_skip(struct sgd_conn *conn, size_t bytes);
/* Copies up to `max` bytes of what is held, without taking them. */
size_t sgd_ue_recv_peek(const struct sgd_conn *conn, uint8_t *out, size_t max);
void sgd_ue_recv_upkeep(struct sgd_engine *engine); /* lets those try again who found none */
void sgd_ue_recv_drop(struct sgd_conn *conn);       /* gives back every buffer it holds */

/* send.c */
void sgd_ue_send_more(struct sgd_conn *conn);
void sgd_ue_send_polled(struct sgd_conn *conn);
void sgd_ue_send_done(struct sgd_ue_batch *batch, const struct sgd_cqe *cqe);
void sgd_ue_send_upkeep(struct sgd_engine *engine); /* lets those try again who found no memory */
void sgd_ue_send_abandon(struct sgd_conn *conn);    /* dead: what no operation uses goes */
bool sgd_ue_send_drained(const struct sgd_conn *conn); /* all that was pulled was taken */

/* tls.c */
void sgd_ue_tls_end(struct sgd_conn *conn); /* wipes the keys; harmless without */
/* Hands on what was opened, or opens a record of `bytes`, and says in *len how many are left.
 * False: neither was there. */
bool sgd_ue_tls_step(struct sgd_conn *conn, uint8_t *bytes, size_t *len);
/* How much sgd_ue_tls_seal() could take now; 0: there is no memory. */
size_t sgd_ue_tls_budget(const struct sgd_conn *conn);
/* To be called when all that was sent so far is with the kernel: it seals from here on, if it can.
 */
void sgd_ue_tls_try_kernel(struct sgd_conn *conn);
/* Turns the batch's slices, and control records due, into records in memory of its own; where the
 * kernel seals the slices stay, and what is due comes in a batch without any. `last`: close_notify
 * behind them. False: the key would not take them all. */
SG_MUST_USE bool sgd_ue_tls_seal(struct sgd_ue_batch *batch, bool last);
bool sgd_ue_tls_control_due(const struct sgd_conn *conn);
/* Why a connection ends for which the protocol gives `why`: it may have been told to, for a key. */
enum sgd_close sgd_ue_tls_why(const struct sgd_conn *conn, enum sgd_close why);

#endif
