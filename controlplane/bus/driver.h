/* driver - what the implementations of the bus share: the table of what each does, and a
 * subscription, which is a thread of its own. Only for controlplane/bus and the door to NATS. */
#ifndef SGC_BUS_DRIVER_H
#define SGC_BUS_DRIVER_H

#include "base/list.h"
#include "controlplane/bus/bus.h"
#include "controlplane/bus/subject.h"

#include <pthread.h>

struct sgc_sub;

/* Arguments were checked by bus.c. Subscriptions come as sgc_sub_start()ed ones. */
struct sgc_bus_driver {
    const char *kind;
    void (*close)(struct sgc_bus *bus);
    bool (*connected)(const struct sgc_bus *bus);
    enum sg_err (*publish)(struct sgc_bus *bus, const char *subject, struct sg_str data);
    enum sg_err (*subscribe)(struct sgc_bus *bus, const char *filter,
                             void (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                             struct sgc_sub **out);
    enum sg_err (*serve)(struct sgc_bus *bus, const char *subject,
                         enum sg_err (*answer)(void *ctx, struct sg_str request,
                                               struct sg_out *reply),
                         void *ctx, struct sgc_sub **out);
    enum sg_err (*request)(struct sgc_bus *bus, const char *subject, struct sg_str request,
                           uint32_t timeout_ms, struct sg_out *reply);
    enum sg_err (*stream_open)(struct sgc_bus *bus, const struct sgc_stream_options *options);
    enum sg_err (*stream_append)(struct sgc_bus *bus, const char *subject, const char *id,
                                 uint64_t after, struct sg_str data, uint64_t *seq);
    enum sg_err (*stream_info)(struct sgc_bus *bus, const char *stream,
                               struct sgc_stream_info *out);
    enum sg_err (*stream_consume)(struct sgc_bus *bus, const struct sgc_consume_options *options,
                                  enum sg_err (*got)(void *ctx, const struct sgc_msg *msg),
                                  void *ctx, struct sgc_sub **out);
    enum sg_err (*kv_open)(struct sgc_bus *bus, const char *bucket);
    enum sg_err (*kv_get)(struct sgc_bus *bus, const char *bucket, const char *key,
                          struct sg_out *value, uint64_t *revision);
    /* `expected`: SGC_ANY or of sgc_kv_swap(). `value.ptr` NULL deletes. */
    enum sg_err (*kv_put)(struct sgc_bus *bus, const char *bucket, const char *key,
                          uint64_t expected, struct sg_str value, uint64_t *revision);
    enum sg_err (*kv_watch)(struct sgc_bus *bus, const char *bucket, const char *filter,
                            void (*changed)(void *ctx, const char *key, struct sg_str value,
                                            uint64_t revision),
                            void *ctx, struct sgc_sub **out);
};

/* The first member of an implementation's own struct. */
struct sgc_bus {
    const struct sgc_bus_driver *driver;
    uint32_t timeout_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on the monotonic clock: something that a thread may wait for */
    struct sg_list subs;
};
SG_MUST_USE enum sg_err sgc_bus_init(struct sgc_bus *bus, const struct sgc_bus_driver *driver,
                                     const struct sgc_bus_options *options);
void sgc_bus_fini(struct sgc_bus *bus);
/* Waits for `changed`, with the lock held. False: `until_ns` (monotonic; SG_NEVER) has passed. */
bool sgc_bus_wait(struct sgc_bus *bus, uint64_t until_ns);

struct sgc_sub_driver {
    void (*run)(struct sgc_sub *sub);  /* on its thread, until sgc_sub_ended() */
    void (*wake)(struct sgc_sub *sub); /* NULL, or what beside `changed` makes run() look */
    void (*free)(struct sgc_sub *sub); /* the memory too; after run(), or when it never began */
};
/* The first member of an implementation's own struct. */
struct sgc_sub {
    struct sgc_bus *bus;
    const struct sgc_sub_driver *driver;
    struct sg_list node;
    pthread_t thread;
    bool ended; /* under the bus's lock */
};
/* Starts the thread. Takes `sub` either way. */
SG_MUST_USE enum sg_err sgc_sub_start(struct sgc_bus *bus, const struct sgc_sub_driver *driver,
                                      struct sgc_sub *sub, struct sgc_sub **out);
bool sgc_sub_ended(struct sgc_sub *sub);
/* Sleeps up to `ms`, less when it is ended. */
void sgc_sub_pause(struct sgc_sub *sub, uint32_t ms);

SG_MUST_USE enum sg_err sgc_embedded_open(const struct sgc_bus_options *options,
                                          struct sg_out *report, struct sgc_bus **out);

#endif
