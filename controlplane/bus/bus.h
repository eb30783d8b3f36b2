/* bus - how the parts of the control plane talk, in one process or across regions: messages to whom
 * it may concern, requests, durable streams with acknowledgement, and small values with
 * compare-and-set. Two implementations behind it, which pass one suite of tests: embedded (this
 * process, LMDB) and NATS JetStream.
 * Subjects are words with dots between; a filter may have "*" for one word and end in ">" for the
 * rest. Callbacks run on threads of the bus, one at a time for each subscription; they may block.
 * Any thread may call anything; calls block, bounded by the bus's time-out. SG_ETIMEDOUT: nobody
 * answered, and what was asked may have happened; SG_ENOTCONN: the server is away (the bus goes on
 * trying; streams go on where they were). */
#ifndef SGC_BUS_H
#define SGC_BUS_H

#include "base/err.h"
#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

struct sgc_bus;
struct sgc_sub;

#define SGC_MESSAGE_BYTES_MAX  ((1u << 20) - 4096) /* SG_EMSGSIZE beyond it; so is a value */
#define SGC_SUBJECTS_BYTES_MAX 1024                /* of a stream */

struct sgc_bus_options {
    const char *url;  /* "embedded:" or "nats://host:port[,host:port]" */
    const char *dir;  /* of embedded: where streams and values are kept */
    const char *name; /* of this node, for the server's log */
    const char *creds_file, *ca_file, *cert_file, *key_file; /* of nats; NULL: none */
    uint32_t replicas;   /* of streams and values; 0: as many as the servers allow, up to 3 */
    uint32_t timeout_ms; /* of one call; 0: 5000 */
};
SG_MUST_USE enum sg_err sgc_bus_open(const struct sgc_bus_options *options, struct sg_out *report,
                                     struct sgc_bus **out);
/* Ends all subscriptions first. Accepts NULL. */
void sgc_bus_close(struct sgc_bus *bus);
/* For status: "embedded", "nats"; connected now? */
const char *sgc_bus_kind(const struct sgc_bus *bus);
bool sgc_bus_connected(const struct sgc_bus *bus);

struct sgc_msg {
    struct sg_str subject;
    struct sg_str data; /* borrowed for the call */
    uint64_t seq;       /* of a stream: its number there, from 1; else 0 */
    uint64_t at_ns;     /* of a stream: Unix time of its append */
    bool again;         /* of a stream: it was delivered before and not acknowledged */
};

/* ---- to whom it may concern: at most once, nobody need be there ---- */
SG_MUST_USE enum sg_err sgc_bus_publish(struct sgc_bus *bus, const char *subject,
                                        struct sg_str data);
SG_MUST_USE enum sg_err sgc_bus_subscribe(struct sgc_bus *bus, const char *filter,
                                          void (*got)(void *ctx, const struct sgc_msg *msg),
                                          void *ctx, struct sgc_sub **out);
/* No callback runs, or will run, when it returns (unless called from it). Accepts NULL. */
void sgc_sub_end(struct sgc_sub *sub);

/* ---- requests: one of those who serve `subject` answers ---- */
SG_MUST_USE enum sg_err sgc_bus_serve(struct sgc_bus *bus, const char *subject,
                                      enum sg_err (*answer)(void *ctx, struct sg_str request,
                                                            struct sg_out *reply),
                                      void *ctx, struct sgc_sub **out);
/* SG_ENOENT: nobody serves it. What `answer` returned, when that was not SG_OK. */
SG_MUST_USE enum sg_err sgc_bus_request(struct sgc_bus *bus, const char *subject,
                                        struct sg_str request, uint32_t timeout_ms,
                                        struct sg_out *reply);

/* ---- durable streams ---- */
struct sgc_stream_options {
    const char *name;      /* letters, digits, - and _ */
    const char *subjects;  /* filters, by a comma */
    uint64_t messages_max; /* the oldest go first; 0: no bound */
    uint64_t bytes_max;
    uint32_t age_s_max;
    uint32_t dedup_s; /* how long an id is remembered; 0: 120 */
};
/* Makes it, or finds it made; SG_EEXIST: it is there with other subjects. */
SG_MUST_USE enum sg_err sgc_stream_open(struct sgc_bus *bus,
                                        const struct sgc_stream_options *options);
/* Durable when it returns SG_OK. A message with an `id` (NULL: none) that was appended already is
 * not appended again: *seq is then the first one's. `after`: only if the stream's last number is
 * that one (SG_ESTALE if not); SGC_ANY: always. SG_ENOENT: no stream takes the subject. */
#define SGC_ANY UINT64_MAX
SG_MUST_USE enum sg_err sgc_stream_append(struct sgc_bus *bus, const char *subject, const char *id,
                                          uint64_t after, struct sg_str data, uint64_t *seq);
struct sgc_stream_info {
    uint64_t first, last; /* numbers still there; last = first - 1: empty */
    uint64_t made_ns;     /* Unix time it was made: with the name it tells streams apart */
};
SG_MUST_USE enum sg_err sgc_stream_info(struct sgc_bus *bus, const char *stream,
                                        struct sgc_stream_info *out);
struct sgc_consume_options {
    const char *stream;
    const char *filter;  /* NULL: all of it */
    const char *durable; /* a name whose position outlives us, shared by all who give it;
                            NULL: `from` says where we begin, and nothing is remembered */
    uint64_t from;       /* a number; 0: the oldest there is */
    uint32_t ack_wait_s; /* of a durable: when it is delivered again; 0: 30 */
};
/* In the order of the stream, one at a time. The callback's SG_OK acknowledges; anything else has
 * it delivered again. Missed ones are fetched by the bus itself; a gap that can't be filled (they
 * are gone) shows in seq. */
SG_MUST_USE enum sg_err sgc_stream_consume(struct sgc_bus *bus,
                                           const struct sgc_consume_options *options,
                                           enum sg_err (*got)(void *ctx, const struct sgc_msg *msg),
                                           void *ctx, struct sgc_sub **out);

/* ---- values: by bucket and key ---- */
SG_MUST_USE enum sg_err sgc_kv_open(struct sgc_bus *bus, const char *bucket);
/* SG_ENOENT: none, or deleted. *revision: for sgc_kv_swap(). */
SG_MUST_USE enum sg_err sgc_kv_get(struct sgc_bus *bus, const char *bucket, const char *key,
                                   struct sg_out *value, uint64_t *revision);
SG_MUST_USE enum sg_err sgc_kv_put(struct sgc_bus *bus, const char *bucket, const char *key,
                                   struct sg_str value, uint64_t *revision);
/* Only if the value has that revision still; 0: only if there is none. SG_ESTALE otherwise. */
SG_MUST_USE enum sg_err sgc_kv_swap(struct sgc_bus *bus, const char *bucket, const char *key,
                                    uint64_t expected, struct sg_str value, uint64_t *revision);
SG_MUST_USE enum sg_err sgc_kv_delete(struct sgc_bus *bus, const char *bucket, const char *key);
/* First every value that is there, then every change; `value.ptr` NULL: deleted. */
SG_MUST_USE enum sg_err sgc_kv_watch(struct sgc_bus *bus, const char *bucket, const char *filter,
                                     void (*changed)(void *ctx, const char *key,
                                                     struct sg_str value, uint64_t revision),
                                     void *ctx, struct sgc_sub **out);

#endif
