#include "controlplane/bus/embedded.h"

#include "base/alloc.h"

/* Something is in the store that was not before: whoever follows it looks again. */
static enum sg_err changed(struct sgc_bus *bus, enum sg_err err)
{
    if (err != SG_OK)
        return err;
    pthread_mutex_lock(&bus->lock);
    sgc_embedded_of(bus)->changes++;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    return SG_OK;
}

static enum sg_err stream_open(struct sgc_bus *bus, const struct sgc_stream_options *options)
{
    return sgc_store_stream(sgc_embedded_of(bus)->store, options);
}

static enum sg_err stream_append(struct sgc_bus *bus, const char *subject, const char *id,
                                 uint64_t after, struct sg_str data, uint64_t *seq)
{
    return changed(bus,
                   sgc_store_append(sgc_embedded_of(bus)->store, subject, id, after, data, seq));
}

static enum sg_err stream_info(struct sgc_bus *bus, const char *stream, struct sgc_stream_info *out)
{
    return sgc_store_info(sgc_embedded_of(bus)->store, stream, out);
}

static enum sg_err kv_open(struct sgc_bus *bus, const char *bucket)
{
    return sgc_store_bucket(sgc_embedded_of(bus)->store, bucket);
}

static enum sg_err kv_get(struct sgc_bus *bus, const char *bucket, const char *key,
                          struct sg_out *value, uint64_t *revision)
{
    struct sgc_found found = {0};
    enum sg_err err = sgc_store_get(sgc_embedded_of(bus)->store, bucket, key, &found);
    if (err == SG_OK) {
        sg_out_str(value, found.data);
        err = value->full ? SG_EMSGSIZE : SG_OK;
    }
    if (err == SG_OK)
        *revision = found.seq;
    sg_boot_free(found.memory);
    return err;
}

static enum sg_err kv_put(struct sgc_bus *bus, const char *bucket, const char *key,
                          uint64_t expected, struct sg_str value, uint64_t *revision)
{
    return changed(
        bus, sgc_store_put(sgc_embedded_of(bus)->store, bucket, key, expected, value, revision));
}

static bool connected(const struct sgc_bus *bus)
{
    return bus != NULL; /* to itself */
}

static void embedded_close(struct sgc_bus *bus)
{
    struct sgc_embedded *embedded = sgc_embedded_of(bus);
    SG_ASSERT(sg_list_empty(&embedded->durables));
    sgc_store_close(embedded->store);
    sgc_bus_fini(bus);
    sg_boot_free(embedded);
}

static const struct sgc_bus_driver embedded_driver = {
    .kind = "embedded",
    .close = embedded_close,
    .connected = connected,
    .publish = sgc_post_publish,
    .subscribe = sgc_post_subscribe,
    .serve = sgc_post_serve,
    .request = sgc_post_request,
    .stream_open = stream_open,
    .stream_append = stream_append,
    .stream_info = stream_info,
    .stream_consume = sgc_follow_stream,
    .kv_open = kv_open,
    .kv_get = kv_get,
    .kv_put = kv_put,
    .kv_watch = sgc_follow_values,
};

enum sg_err sgc_embedded_open(const struct sgc_bus_options *options, struct sg_out *report,
                              struct sgc_bus **out)
{
    SG_ASSERT(options->dir != NULL);
    struct sgc_embedded *embedded = sg_boot_alloc(sizeof(*embedded));
    if (embedded == NULL)
        return SG_ENOMEM;
    sg_list_init(&embedded->durables);
    enum sg_err err = sgc_bus_init(&embedded->bus, &embedded_driver, options);
    if (err != SG_OK) {
        sg_boot_free(embedded);
        return err;
    }
    err = sgc_store_open(options->dir, &embedded->store);
    if (err == SG_OK) {
        *out = &embedded->bus;
        return SG_OK;
    }
    sg_out_fmt(report, "bus: %s: %s\n", options->dir, sg_err_text(err));
    embedded_close(&embedded->bus);
    return err;
}
