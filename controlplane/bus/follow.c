/* Those who follow the store of the embedded bus: a thread each, which reads what is next, calls
 * back, and waits for the store to change when there is no more. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/bus/embedded.h"

#define ACK_WAIT_S    30
#define RETRY_MS      200 /* after a refusal by one whose position is its own; after an error */
#define SAVE_AT_LEAST 128 /* acknowledgements, or as soon as there is nothing more to do */

/* A position with a name, shared by all who gave it. One message of it is under way at a time.
 * Under the bus's lock, but for `saved`: that belongs to who made it busy. */
struct durable {
    struct sg_list node;
    uint32_t users;
    uint64_t acked, saved;
    uint64_t again_at_ns; /* the next one was refused, and waits until then; 0: it was not */
    bool busy;
    char stream[SGC_NAME_BYTES_MAX + 1], name[SGC_NAME_BYTES_MAX + 1];
};

struct follower {
    struct sgc_sub sub;
    enum sg_err (*got)(void *ctx, const struct sgc_msg *msg);
    void (*changed)(void *ctx, const char *key, struct sg_str value, uint64_t revision);
    void *ctx;
    struct durable *durable; /* NULL: `next` counts */
    uint64_t next;           /* of values: the revision after the last one told */
    uint32_t ack_wait_s;
    bool again, filtered;
    struct sgc_found found;
    char from[SGC_NAME_BYTES_MAX + 1]; /* stream or bucket */
    char filter[SGC_SUBJECT_BYTES_MAX + 1];
};

static struct sgc_store *store_of(const struct follower *follower)
{
    return sgc_embedded_of(follower->sub.bus)->store;
}

static uint64_t changes_seen(struct follower *follower)
{
    struct sgc_bus *bus = follower->sub.bus;
    pthread_mutex_lock(&bus->lock);
    uint64_t seen = sgc_embedded_of(bus)->changes;
    pthread_mutex_unlock(&bus->lock);
    return seen;
}

static void changes_wait(struct follower *follower, uint64_t seen)
{
    struct sgc_bus *bus = follower->sub.bus;
    pthread_mutex_lock(&bus->lock);
    while (!follower->sub.ended && sgc_embedded_of(bus)->changes == seen)
        (void)sgc_bus_wait(bus, SG_NEVER);
    pthread_mutex_unlock(&bus->lock);
}

static void failed(struct follower *follower, enum sg_err err)
{
    sg_error("bus: %s: %s", follower->from, sg_err_text(err));
    sgc_sub_pause(&follower->sub, 1000);
}

static enum sg_err next_find(struct follower *follower, uint64_t from, uint64_t *upto)
{
    return sgc_store_next(store_of(follower), follower->from,
                          follower->filtered ? follower->filter : NULL, from, &follower->found,
                          upto);
}

static enum sg_err deliver(struct follower *follower, bool again)
{
    const struct sgc_msg msg = {
        .subject = follower->found.subject,
        .data = follower->found.data,
        .seq = follower->found.seq,
        .at_ns = follower->found.at_ns,
        .again = again,
    };
    return follower->got(follower->ctx, &msg);
}

/* ---- one whose position is its own ---- */

static void own_turn(struct follower *follower)
{
    uint64_t seen = changes_seen(follower), upto = 0;
    enum sg_err err = next_find(follower, follower->next, &upto);
    if (err == SG_OK) {
        follower->again = deliver(follower, follower->again) != SG_OK;
        if (follower->again)
            sgc_sub_pause(&follower->sub, RETRY_MS);
        else
            follower->next = follower->found.seq + 1;
    } else if (err == SG_ENOENT) {
        follower->next = SG_MAX(follower->next, upto + 1);
        changes_wait(follower, seen);
    } else {
        failed(follower, err);
    }
}

/* ---- those who share a durable ---- */

/* Waits until the durable is ours to move. False: we are ended. */
static bool durable_take(struct follower *follower, uint64_t *next, bool *again)
{
    struct sgc_bus *bus = follower->sub.bus;
    struct durable *durable = follower->durable;
    pthread_mutex_lock(&bus->lock);
    while (!follower->sub.ended && (durable->busy || durable->again_at_ns > sg_clock_mono_ns()))
        (void)sgc_bus_wait(bus, durable->busy ? SG_NEVER : durable->again_at_ns);
    bool ours = !follower->sub.ended;
    if (ours) {
        durable->busy = true;
        *next = durable->acked + 1;
        *again = durable->again_at_ns != 0;
    }
    pthread_mutex_unlock(&bus->lock);
    return ours;
}

static void durable_give(struct follower *follower, uint64_t acked, uint64_t again_at_ns)
{
    struct sgc_bus *bus = follower->sub.bus;
    pthread_mutex_lock(&bus->lock);
    follower->durable->acked = acked;
    follower->durable->again_at_ns = again_at_ns;
    follower->durable->busy = false;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

/* What a crash loses of it is delivered once more. */
static void durable_save(struct follower *follower, uint64_t acked, uint64_t at_least)
{
    struct durable *durable = follower->durable;
    if (acked < durable->saved + at_least)
        return;
    enum sg_err err =
        sgc_store_position_set(store_of(follower), durable->stream, durable->name, acked);
    if (err == SG_OK)
        durable->saved = acked;
    else
        sg_error("bus: the position of %s in %s: %s", durable->name, durable->stream,
                 sg_err_text(err));
}

static void durable_turn(struct follower *follower)
{
    uint64_t seen = changes_seen(follower), next, upto = 0, again_at_ns = 0;
    bool again;
    if (!durable_take(follower, &next, &again))
        return;
    uint64_t acked = next - 1;
    enum sg_err err = next_find(follower, next, &upto);
    if (err == SG_OK && deliver(follower, again) == SG_OK) {
        acked = follower->found.seq;
        durable_save(follower, acked, SAVE_AT_LEAST);
    } else if (err == SG_OK) {
        again_at_ns = sg_clock_mono_ns() + follower->ack_wait_s * SG_NS_PER_SEC;
    } else if (err == SG_ENOENT) {
        acked = SG_MAX(acked, upto);
        durable_save(follower, acked, 1);
    }
    durable_give(follower, acked, again_at_ns);
    if (err == SG_ENOENT)
        changes_wait(follower, seen);
    else if (err != SG_OK)
        failed(follower, err);
}

/* With the lock held. NULL: no memory. */
static struct durable *durable_find(struct sgc_embedded *embedded, const char *stream,
                                    const char *name)
{
    sg_list_for_each_safe(node, &embedded->durables)
    {
        struct durable *it = sg_list_entry(node, struct durable, node);
        if (strcmp(it->stream, stream) == 0 && strcmp(it->name, name) == 0)
            return it;
    }
    struct durable *durable = sg_boot_alloc(sizeof(*durable));
    if (durable == NULL)
        return NULL;
    memcpy(durable->stream, stream, strlen(stream) + 1);
    memcpy(durable->name, name, strlen(name) + 1);
    sg_list_init(&durable->node);
    sg_list_push_back(&embedded->durables, &durable->node);
    return durable;
}

static enum sg_err durable_join(struct sgc_embedded *embedded, struct follower *follower,
                                const char *name)
{
    uint64_t acked = 0;
    enum sg_err err = sgc_store_position(embedded->store, follower->from, name, &acked);
    if (err != SG_OK)
        return err;
    pthread_mutex_lock(&embedded->bus.lock);
    struct durable *durable = durable_find(embedded, follower->from, name);
    if (durable != NULL && durable->users++ == 0)
        durable->acked = durable->saved = acked;
    follower->durable = durable;
    pthread_mutex_unlock(&embedded->bus.lock);
    return durable != NULL ? SG_OK : SG_ENOMEM;
}

static void durable_leave(struct follower *follower)
{
    struct sgc_bus *bus = follower->sub.bus;
    struct durable *durable = follower->durable;
    pthread_mutex_lock(&bus->lock);
    bool last = --durable->users == 0;
    if (last)
        sg_list_remove(&durable->node);
    pthread_mutex_unlock(&bus->lock);
    if (!last)
        return;
    durable_save(follower, durable->acked, 1);
    sg_boot_free(durable);
}

/* ---- streams ---- */

static void follower_run(struct sgc_sub *sub)
{
    struct follower *follower = SG_CONTAINER_OF(sub, struct follower, sub);
    while (!sgc_sub_ended(sub)) {
        if (follower->durable != NULL)
            durable_turn(follower);
        else
            own_turn(follower);
    }
}

static void follower_free(struct sgc_sub *sub)
{
    struct follower *follower = SG_CONTAINER_OF(sub, struct follower, sub);
    if (follower->durable != NULL)
        durable_leave(follower);
    sg_boot_free(follower->found.memory);
    sg_boot_free(follower);
}

static const struct sgc_sub_driver follower_driver = {follower_run, NULL, follower_free};

static struct follower *follower_new(struct sgc_bus *bus, const char *from, const char *filter)
{
    struct follower *follower = sg_boot_alloc(sizeof(*follower));
    if (follower == NULL)
        return NULL;
    follower->sub.bus = bus;
    memcpy(follower->from, from, strlen(from) + 1);
    follower->filtered = filter != NULL;
    if (filter != NULL)
        memcpy(follower->filter, filter, strlen(filter) + 1);
    return follower;
}

enum sg_err sgc_follow_stream(struct sgc_bus *bus, const struct sgc_consume_options *options,
                              enum sg_err (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                              struct sgc_sub **out)
{
    struct sgc_stream_info info;
    enum sg_err err = sgc_store_info(sgc_embedded_of(bus)->store, options->stream, &info);
    if (err != SG_OK)
        return err;
    struct follower *follower = follower_new(bus, options->stream, options->filter);
    if (follower == NULL)
        return SG_ENOMEM;
    follower->got = got;
    follower->ctx = ctx;
    follower->next = options->from;
    follower->ack_wait_s = options->ack_wait_s != 0 ? options->ack_wait_s : ACK_WAIT_S;
    if (options->durable != NULL)
        err = durable_join(sgc_embedded_of(bus), follower, options->durable);
    if (err == SG_OK)
        return sgc_sub_start(bus, &follower_driver, &follower->sub, out);
    sg_boot_free(follower);
    return err;
}

/* ---- values ---- */

static void watcher_run(struct sgc_sub *sub)
{
    struct follower *follower = SG_CONTAINER_OF(sub, struct follower, sub);
    bool first = true; /* what is deleted already is none of our business */
    while (!sgc_sub_ended(sub)) {
        uint64_t seen = changes_seen(follower);
        enum sg_err err = sgc_store_changed(store_of(follower), follower->from, follower->filter,
                                            follower->next, &follower->found);
        if (err == SG_OK) {
            follower->next = follower->found.seq;
            if (!first || follower->found.data.ptr != NULL)
                follower->changed(follower->ctx, follower->found.memory, follower->found.data,
                                  follower->found.seq);
        } else if (err == SG_ENOENT) {
            first = false;
            changes_wait(follower, seen);
        } else {
            failed(follower, err);
        }
    }
}

static const struct sgc_sub_driver watcher_driver = {watcher_run, NULL, follower_free};

enum sg_err sgc_follow_values(struct sgc_bus *bus, const char *bucket, const char *filter,
                              void (*changed)(void *ctx, const char *key, struct sg_str value,
                                              uint64_t revision),
                              void *ctx, struct sgc_sub **out)
{
    struct follower *follower = follower_new(bus, bucket, filter);
    if (follower == NULL)
        return SG_ENOMEM;
    follower->changed = changed;
    follower->ctx = ctx;
    return sgc_sub_start(bus, &watcher_driver, &follower->sub, out);
}
