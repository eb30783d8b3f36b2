#include "base/alloc.h"
#include "base/clock.h"
#include "controlplane/bus/driver.h"
#include "controlplane/sys/nats.h"

#define TIMEOUT_MS 5000

/* ---- opening ---- */

enum sg_err sgc_bus_open(const struct sgc_bus_options *options, struct sg_out *report,
                         struct sgc_bus **out)
{
    SG_ASSERT(options != NULL && options->url != NULL && options->name != NULL);
    SG_ASSERT(report != NULL && out != NULL);
    struct sg_str url = sg_str_from(options->url);
    if (sg_str_eq(url, SG_STR("embedded:")))
        return sgc_embedded_open(options, report, out);
    if (sg_str_starts(url, SG_STR("nats://")) || sg_str_starts(url, SG_STR("tls://")))
        return sgc_nats_open(options, report, out);
    sg_out_lit(report, "bus.url: right would be embedded:, nats://host:port or tls://host:port\n");
    return SG_ECONFIG;
}

enum sg_err sgc_bus_init(struct sgc_bus *bus, const struct sgc_bus_driver *driver,
                         const struct sgc_bus_options *options)
{
    pthread_condattr_t attr;
    bus->driver = driver;
    bus->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS;
    sg_list_init(&bus->subs);
    if (pthread_mutex_init(&bus->lock, NULL) != 0)
        return SG_ENOMEM;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&bus->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (rc == 0)
        return SG_OK;
    pthread_mutex_destroy(&bus->lock);
    return SG_ENOMEM;
}

void sgc_bus_fini(struct sgc_bus *bus)
{
    SG_ASSERT(sg_list_empty(&bus->subs));
    pthread_cond_destroy(&bus->changed);
    pthread_mutex_destroy(&bus->lock);
}

bool sgc_bus_wait(struct sgc_bus *bus, uint64_t until_ns)
{
    struct timespec until = {(time_t)(until_ns / SG_NS_PER_SEC), (long)(until_ns % SG_NS_PER_SEC)};
    if (until_ns == SG_NEVER)
        return pthread_cond_wait(&bus->changed, &bus->lock) == 0;
    return pthread_cond_timedwait(&bus->changed, &bus->lock, &until) == 0;
}

const char *sgc_bus_kind(const struct sgc_bus *bus)
{
    SG_ASSERT(bus != NULL);
    return bus->driver->kind;
}

bool sgc_bus_connected(const struct sgc_bus *bus)
{
    SG_ASSERT(bus != NULL);
    return bus->driver->connected(bus);
}

/* ---- subscriptions ---- */

static void *sub_thread(void *arg)
{
    struct sgc_sub *sub = arg;
    (void)sgc_sub_ended(sub); /* waits until its starter has written down whose thread it is */
    sub->driver->run(sub);
    return NULL;
}

enum sg_err sgc_sub_start(struct sgc_bus *bus, const struct sgc_sub_driver *driver,
                          struct sgc_sub *sub, struct sgc_sub **out)
{
    sub->bus = bus;
    sub->driver = driver;
    sg_list_init(&sub->node);
    pthread_mutex_lock(&bus->lock);
    sg_list_push_back(&bus->subs, &sub->node);
    int rc = pthread_create(&sub->thread, NULL, sub_thread, sub);
    if (rc == 0)
        *out = sub;
    else
        sg_list_remove(&sub->node);
    pthread_mutex_unlock(&bus->lock);
    if (rc == 0)
        return SG_OK;
    driver->free(sub);
    return sg_err_from_errno(rc);
}

bool sgc_sub_ended(struct sgc_sub *sub)
{
    pthread_mutex_lock(&sub->bus->lock);
    bool ended = sub->ended;
    pthread_mutex_unlock(&sub->bus->lock);
    return ended;
}

void sgc_sub_pause(struct sgc_sub *sub, uint32_t ms)
{
    uint64_t until_ns = sg_clock_mono_ns() + ms * SG_NS_PER_MS;
    pthread_mutex_lock(&sub->bus->lock);
    while (!sub->ended && sgc_bus_wait(sub->bus, until_ns))
        ;
    pthread_mutex_unlock(&sub->bus->lock);
}

static void sub_tell(struct sgc_sub *sub)
{
    pthread_mutex_lock(&sub->bus->lock);
    sub->ended = true;
    pthread_cond_broadcast(&sub->bus->changed);
    pthread_mutex_unlock(&sub->bus->lock);
    if (sub->driver->wake != NULL)
        sub->driver->wake(sub);
}

static void sub_reap(struct sgc_sub *sub)
{
    pthread_join(sub->thread, NULL);
    pthread_mutex_lock(&sub->bus->lock);
    sg_list_remove(&sub->node);
    pthread_mutex_unlock(&sub->bus->lock);
    sub->driver->free(sub);
}

void sgc_sub_end(struct sgc_sub *sub)
{
    if (sub == NULL)
        return;
    sub_tell(sub);
    if (!pthread_equal(pthread_self(), sub->thread)) /* else sgc_bus_close() reaps it */
        sub_reap(sub);
}

void sgc_bus_close(struct sgc_bus *bus)
{
    if (bus == NULL)
        return;
    sg_list_for_each_safe(node, &bus->subs)
    {
        struct sgc_sub *sub = sg_list_entry(node, struct sgc_sub, node);
        sub_tell(sub);
    }
    sg_list_for_each_safe(node, &bus->subs) sub_reap(sg_list_entry(node, struct sgc_sub, node));
    bus->driver->close(bus);
}

/* ---- calls: what is wrong with the arguments is found here, once ---- */

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            return SG_EINVAL;                                                                      \
    } while (0)
#define CHECK_SIZE(data)                                                                           \
    do {                                                                                           \
        if ((data).len > SGC_MESSAGE_BYTES_MAX)                                                    \
            return SG_EMSGSIZE;                                                                    \
    } while (0)

enum sg_err sgc_bus_publish(struct sgc_bus *bus, const char *subject, struct sg_str data)
{
    SG_ASSERT(bus != NULL);
    CHECK(sgc_subject_right(sg_str_from(subject)));
    CHECK_SIZE(data);
    return bus->driver->publish(bus, subject, data);
}

enum sg_err sgc_bus_subscribe(struct sgc_bus *bus, const char *filter,
                              void (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                              struct sgc_sub **out)
{
    SG_ASSERT(bus != NULL && got != NULL && out != NULL);
    CHECK(sgc_filter_right(sg_str_from(filter)));
    return bus->driver->subscribe(bus, filter, got, ctx, out);
}

enum sg_err sgc_bus_serve(struct sgc_bus *bus, const char *subject,
                          enum sg_err (*answer)(void *ctx, struct sg_str request,
                                                struct sg_out *reply),
                          void *ctx, struct sgc_sub **out)
{
    SG_ASSERT(bus != NULL && answer != NULL && out != NULL);
    CHECK(sgc_subject_right(sg_str_from(subject)));
    return bus->driver->serve(bus, subject, answer, ctx, out);
}

enum sg_err sgc_bus_request(struct sgc_bus *bus, const char *subject, struct sg_str request,
                            uint32_t timeout_ms, struct sg_out *reply)
{
    SG_ASSERT(bus != NULL && reply != NULL);
    CHECK(sgc_subject_right(sg_str_from(subject)));
    CHECK_SIZE(request);
    return bus->driver->request(bus, subject, request,
                                timeout_ms != 0 ? timeout_ms : bus->timeout_ms, reply);
}

enum sg_err sgc_stream_open(struct sgc_bus *bus, const struct sgc_stream_options *options)
{
    SG_ASSERT(bus != NULL && options != NULL);
    struct sg_str filter, filters = sg_str_from(options->subjects);
    CHECK(sgc_name_right(sg_str_from(options->name)));
    CHECK(filters.len > 0 && filters.len <= SGC_SUBJECTS_BYTES_MAX);
    while (sgc_filters_next(&filters, &filter))
        CHECK(sgc_filter_right(filter));
    return bus->driver->stream_open(bus, options);
}

enum sg_err sgc_stream_append(struct sgc_bus *bus, const char *subject, const char *id,
                              uint64_t after, struct sg_str data, uint64_t *seq)
{
    SG_ASSERT(bus != NULL && seq != NULL);
    CHECK(sgc_subject_right(sg_str_from(subject)));
    CHECK(id == NULL || (id[0] != '\0' && strlen(id) <= SGC_SUBJECT_BYTES_MAX));
    CHECK_SIZE(data);
    return bus->driver->stream_append(bus, subject, id, after, data, seq);
}

enum sg_err sgc_stream_info(struct sgc_bus *bus, const char *stream, struct sgc_stream_info *out)
{
    SG_ASSERT(bus != NULL && out != NULL);
    CHECK(sgc_name_right(sg_str_from(stream)));
    return bus->driver->stream_info(bus, stream, out);
}

enum sg_err sgc_stream_consume(struct sgc_bus *bus, const struct sgc_consume_options *options,
                               enum sg_err (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                               struct sgc_sub **out)
{
    SG_ASSERT(bus != NULL && options != NULL);
    SG_ASSERT(got != NULL && out != NULL);
    CHECK(sgc_name_right(sg_str_from(options->stream)));
    CHECK(options->filter == NULL || sgc_filter_right(sg_str_from(options->filter)));
    CHECK(options->durable == NULL || sgc_name_right(sg_str_from(options->durable)));
    return bus->driver->stream_consume(bus, options, got, ctx, out);
}

enum sg_err sgc_kv_open(struct sgc_bus *bus, const char *bucket)
{
    SG_ASSERT(bus != NULL);
    CHECK(sgc_name_right(sg_str_from(bucket)));
    return bus->driver->kv_open(bus, bucket);
}

enum sg_err sgc_kv_get(struct sgc_bus *bus, const char *bucket, const char *key,
                       struct sg_out *value, uint64_t *revision)
{
    SG_ASSERT(bus != NULL && value != NULL && revision != NULL);
    CHECK(sgc_name_right(sg_str_from(bucket)) && sgc_subject_right(sg_str_from(key)));
    return bus->driver->kv_get(bus, bucket, key, value, revision);
}

static enum sg_err kv_put(struct sgc_bus *bus, const char *bucket, const char *key,
                          uint64_t expected, struct sg_str value, uint64_t *revision)
{
    SG_ASSERT(bus != NULL && revision != NULL);
    CHECK(sgc_name_right(sg_str_from(bucket)) && sgc_subject_right(sg_str_from(key)));
    CHECK_SIZE(value);
    return bus->driver->kv_put(bus, bucket, key, expected, value, revision);
}

enum sg_err sgc_kv_put(struct sgc_bus *bus, const char *bucket, const char *key,
                       struct sg_str value, uint64_t *revision)
{
    CHECK(value.ptr != NULL);
    return kv_put(bus, bucket, key, SGC_ANY, value, revision);
}

enum sg_err sgc_kv_swap(struct sgc_bus *bus, const char *bucket, const char *key, uint64_t expected,
                        struct sg_str value, uint64_t *revision)
{
    CHECK(value.ptr != NULL && expected != SGC_ANY);
    return kv_put(bus, bucket, key, expected, value, revision);
}

enum sg_err sgc_kv_delete(struct sgc_bus *bus, const char *bucket, const char *key)
{
    uint64_t revision;
    return kv_put(bus, bucket, key, SGC_ANY, SG_STR_NONE, &revision);
}

enum sg_err sgc_kv_watch(struct sgc_bus *bus, const char *bucket, const char *filter,
                         void (*changed)(void *ctx, const char *key, struct sg_str value,
                                         uint64_t revision),
                         void *ctx, struct sgc_sub **out)
{
    SG_ASSERT(bus != NULL && changed != NULL && out != NULL);
    CHECK(sgc_name_right(sg_str_from(bucket)) && sgc_filter_right(sg_str_from(filter)));
    return bus->driver->kv_watch(bus, bucket, filter, changed, ctx, out);
}
