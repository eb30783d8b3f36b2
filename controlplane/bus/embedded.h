/* embedded - the bus within one process: messages and requests go through memory (post.c), streams
 * and values through the store, which followers read (follow.c). Only for these. */
#ifndef SGC_BUS_EMBEDDED_H
#define SGC_BUS_EMBEDDED_H

#include "controlplane/bus/driver.h"
#include "controlplane/bus/store.h"

struct sgc_embedded {
    struct sgc_bus bus;
    struct sgc_store *store;
    uint64_t changes;        /* of the store, under the bus's lock: followers wait for it to move */
    struct sg_list durables; /* under the lock */
};
static inline struct sgc_embedded *sgc_embedded_of(struct sgc_bus *bus)
{
    return SG_CONTAINER_OF(bus, struct sgc_embedded, bus);
}

/* post.c: rows of the driver's table */
enum sg_err sgc_post_publish(struct sgc_bus *bus, const char *subject, struct sg_str data);
enum sg_err sgc_post_subscribe(struct sgc_bus *bus, const char *filter,
                               void (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                               struct sgc_sub **out);
enum sg_err sgc_post_serve(struct sgc_bus *bus, const char *subject,
                           enum sg_err (*answer)(void *ctx, struct sg_str request,
                                                 struct sg_out *reply),
                           void *ctx, struct sgc_sub **out);
enum sg_err sgc_post_request(struct sgc_bus *bus, const char *subject, struct sg_str request,
                             uint32_t timeout_ms, struct sg_out *reply);

/* follow.c: rows of the driver's table */
enum sg_err sgc_follow_stream(struct sgc_bus *bus, const struct sgc_consume_options *options,
                              enum sg_err (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                              struct sgc_sub **out);
enum sg_err sgc_follow_values(struct sgc_bus *bus, const char *bucket, const char *filter,
                              void (*changed)(void *ctx, const char *key, struct sg_str value,
                                              uint64_t revision),
                              void *ctx, struct sgc_sub **out);

#endif
