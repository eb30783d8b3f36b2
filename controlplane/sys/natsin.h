/* natsin - what the files behind the door to NATS share. Only for them. */
#ifndef SGC_SYS_NATSIN_H
#define SGC_SYS_NATSIN_H

#include "controlplane/bus/driver.h"

#include <nats/nats.h>
#include <pthread.h>

#define SGC_NATS_LEFT_MAX 64

struct sgc_nats {
    struct sgc_bus bus;
    natsConnection *nc;
    jsCtx *js;
    uint32_t replicas; /* 0: as many as the servers allow */
    char *creds;       /* what was sealed: secret memory; NULL: none */
    pthread_mutex_t lock;
    natsSubscription *left[SGC_NATS_LEFT_MAX]; /* ended, and perhaps still being delivered to */
    uint32_t left_count;
};
static inline struct sgc_nats *sgc_nats_of(struct sgc_bus *bus)
{
    return SG_CONTAINER_OF(bus, struct sgc_nats, bus);
}

enum sg_err sgc_nats_err(natsStatus status, jsErrCode code);
/* After a call that failed: sleeps a little when it is worth another attempt before `until_ns`
 * (monotonic). `harmless`: doing it twice is doing it once. */
bool sgc_nats_again(natsStatus status, jsErrCode code, bool harmless, uint64_t until_ns);
uint64_t sgc_nats_until(const struct sgc_nats *nats);
/* For one JetStream call of those that are made until `until_ns`. */
void sgc_nats_js_options(jsOptions *options, uint64_t until_ns);
/* Makes the stream, or changes it to what `config` says; its replicas are chosen here. */
enum sg_err sgc_nats_stream_make(struct sgc_nats *nats, jsStreamConfig *config);

/* Ends a subscription; a consumer that the library made for it would go, too. Up to nats.c 3.5 the
 * thread that reads may still be delivering to one that is destroyed, and aborts (nats.c issue
 * 637): so it is destroyed when that thread is known to have gone by. Takes `sub`; accepts NULL. */
void sgc_nats_leave(struct sgc_nats *nats, natsSubscription *sub);

/* natsstream.c: rows of the driver's table */
enum sg_err sgc_nats_stream_open(struct sgc_bus *bus, const struct sgc_stream_options *options);
enum sg_err sgc_nats_stream_append(struct sgc_bus *bus, const char *subject, const char *id,
                                   uint64_t after, struct sg_str data, uint64_t *seq);
/* Takes `msg`. `options`: NULL or what the append expects. */
enum sg_err sgc_nats_append(struct sgc_nats *nats, natsMsg *msg, jsPubOptions *options,
                            uint64_t *seq);
enum sg_err sgc_nats_stream_info(struct sgc_bus *bus, const char *stream,
                                 struct sgc_stream_info *out);

/* natsfollow.c: rows of the driver's table */
enum sg_err sgc_nats_follow(struct sgc_bus *bus, const struct sgc_consume_options *options,
                            enum sg_err (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                            struct sgc_sub **out);
enum sg_err sgc_nats_watch(struct sgc_bus *bus, const char *bucket, const char *filter,
                           void (*changed)(void *ctx, const char *key, struct sg_str value,
                                           uint64_t revision),
                           void *ctx, struct sgc_sub **out);

/* natskv.c: rows of the driver's table. A bucket is what other clients of NATS call one. */
#define SGC_NATS_KV_STREAM  "KV_"
#define SGC_NATS_KV_SUBJECT "$KV."
enum sg_err sgc_nats_kv_open(struct sgc_bus *bus, const char *bucket);
enum sg_err sgc_nats_kv_get(struct sgc_bus *bus, const char *bucket, const char *key,
                            struct sg_out *value, uint64_t *revision);
enum sg_err sgc_nats_kv_put(struct sgc_bus *bus, const char *bucket, const char *key,
                            uint64_t expected, struct sg_str value, uint64_t *revision);
bool sgc_nats_kv_deleted(natsMsg *msg);

#endif
