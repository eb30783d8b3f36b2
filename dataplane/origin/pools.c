#include "dataplane/origin/pools.h"

#include "base/alloc.h"
#include "dataplane/origin/fetcher.h"
#include "dataplane/origin/request.h"

#include <stdio.h>

static char *copy_text(struct sg_str text)
{
    char *copy = sg_boot_alloc(text.len + 1);
    if (copy != NULL && text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

static char *copy_optional(const char *text, bool *failed)
{
    char *copy = text != NULL ? copy_text(sg_str_from(text)) : NULL;
    *failed |= text != NULL && copy == NULL;
    return copy;
}

/* scheme://host[:port][/base] */
static bool cut_url(const char *text, struct sg_str *authority, struct sg_str *host,
                    struct sg_str *base)
{
    struct sg_str all = sg_str_from(text), rest;
    if (sg_str_starts(all, SG_STR("http://")))
        rest = sg_str_skip(all, 7);
    else if (sg_str_starts(all, SG_STR("https://")))
        rest = sg_str_skip(all, 8);
    else
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.ptr[i] <= 0x20 || (unsigned char)rest.ptr[i] >= 0x7f ||
            strchr("@?#\\", rest.ptr[i]) != NULL)
            return false;
    const char *slash = memchr(rest.ptr, '/', rest.len);
    host->ptr = rest.ptr;
    host->len = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
    *base = sg_str_skip(rest, host->len);
    while (base->len > 0 && base->ptr[base->len - 1] == '/')
        base->len--;
    *authority = (struct sg_str){all.ptr, (size_t)(host->ptr - all.ptr) + host->len};
    return host->len > 0 && host->ptr[0] != ':';
}

static enum sg_err url_init(struct sgd_url *url, const struct sg_conf_origin_url *conf)
{
    struct sg_str authority, host, base;
    if (!cut_url(conf->url, &authority, &host, &base))
        return SG_ECONFIG;
    url->text = copy_text(sg_str_from(conf->url));
    url->authority = copy_text(authority);
    url->host = copy_text(host);
    url->base = copy_text(base);
    url->weight = conf->weight;
    url->backup = conf->backup;
    if (url->text == NULL || url->authority == NULL || url->host == NULL || url->base == NULL)
        return SG_ENOMEM;
    return SG_OK;
}

static enum sg_err pool_init(struct sgd_pool *pool, const struct sg_conf_origin *conf,
                             struct sg_out *report)
{
    bool failed = false;
    pool->name = copy_optional(conf->name, &failed);
    pool->host_header = copy_optional(conf->host_header, &failed);
    pool->connect_timeout_ms = conf->connect_timeout_ms;
    pool->first_byte_timeout_ms = conf->first_byte_timeout_ms;
    pool->idle_timeout_ms = conf->idle_timeout_ms;
    pool->retries = conf->retries;
    pool->connections_max = conf->connections_max;
    pool->shield = conf->shield;
    pool->tls.verify = conf->tls_verify;
    pool->urls = sg_boot_alloc_array(conf->urls_count, sizeof(*pool->urls));
    if (failed || pool->urls == NULL)
        return SG_ENOMEM;
    pool->urls_count = conf->urls_count;
    for (uint32_t i = 0; i < conf->urls_count; i++) {
        enum sg_err err = url_init(&pool->urls[i], &conf->urls[i]);
        if (err == SG_ECONFIG)
            sg_out_fmt(report, "origin %s: url %s: not of the form http[s]://host[:port][/path]\n",
                       conf->name, conf->urls[i].url);
        if (err != SG_OK)
            return err;
    }
    return SG_OK;
}

static void pool_fini(struct sgd_pool *pool)
{
    for (uint32_t i = 0; pool->urls != NULL && i < pool->urls_count; i++) {
        sg_boot_free(pool->urls[i].text);
        sg_boot_free(pool->urls[i].authority);
        sg_boot_free(pool->urls[i].host);
        sg_boot_free(pool->urls[i].base);
    }
    sg_boot_free(pool->urls);
    sg_boot_free(pool->name);
    sg_boot_free(pool->host_header);
}

void sgd_pools_free(struct sgd_pools *pools)
{
    for (uint32_t i = 0; pools->pools != NULL && i < pools->count; i++)
        pool_fini(&pools->pools[i]);
    atomic_fetch_sub(&pools->fetchers->pools_alive, 1);
    sg_boot_free(pools->pools);
    sg_boot_free(pools->node);
    sg_boot_free(pools);
}

static enum sg_err pools_fill(struct sgd_pools *pools, const struct sg_config *config,
                              struct sg_out *report)
{
    char node[SGD_ORIGIN_NODE_BYTES];
    sgd_origin_node_id(config->node.name != NULL ? config->node.name : "node", node);
    pools->node = copy_text(sg_str_from(node));
    pools->pools = sg_boot_alloc_array(config->origins_count, sizeof(*pools->pools));
    if (pools->node == NULL || pools->pools == NULL)
        return SG_ENOMEM;
    pools->count = config->origins_count;
    for (uint32_t i = 0; i < pools->count; i++) {
        enum sg_err err = pool_init(&pools->pools[i], &config->origins[i], report);
        if (err != SG_OK)
            return err;
    }
    return SG_OK;
}

enum sg_err sgd_pools_open(struct sgd_fetchers *fetchers, const struct sg_config *config,
                           struct sgd_pools *old, struct sg_out *report, struct sgd_pools **out)
{
    (void)old;
    struct sgd_pools *pools = sg_boot_alloc(sizeof(*pools));
    if (pools == NULL)
        return SG_ENOMEM;
    pools->fetchers = fetchers;
    atomic_init(&pools->refs, 1);
    atomic_fetch_add(&fetchers->pools_alive, 1);
    enum sg_err err = pools_fill(pools, config, report);
    if (err == SG_OK)
        *out = pools;
    else
        sgd_pools_free(pools);
    return err;
}

void sgd_pools_ref(struct sgd_pools *pools)
{
    uint32_t was = atomic_fetch_add_explicit(&pools->refs, 1, memory_order_relaxed);
    SG_ASSERT(was != 0 && was < UINT32_MAX / 2);
}

void sgd_pools_unref(struct sgd_pools *pools)
{
    if (pools == NULL)
        return;
    struct sgd_fetchers *fetchers = pools->fetchers;
    uint32_t was = atomic_fetch_sub_explicit(&pools->refs, 1, memory_order_acq_rel);
    SG_ASSERT(was != 0);
    if (was > 1)
        return;
    pools->next = atomic_load_explicit(&fetchers->dead, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&fetchers->dead, &pools->next, pools,
                                                  memory_order_release, memory_order_relaxed))
        ;
    sg_mail_wake(fetchers->mail, fetchers->first_mail_id);
}

uint32_t sgd_pools_thread(const struct sgd_pools *pools, uint32_t origin, uint16_t worker)
{
    SG_ASSERT(origin < pools->count);
    return (origin + worker) % pools->fetchers->threads;
}

uint32_t sgd_pools_status(struct sgd_pools *pools, uint32_t origin, struct sgd_url_status *out,
                          uint32_t max)
{
    SG_ASSERT(origin < pools->count);
    const struct sgd_pool *pool = &pools->pools[origin];
    uint32_t count = SG_MIN(pool->urls_count, max);
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct sgd_url_status){
            .url = pool->urls[i].text, .up = true, .weight = pool->urls[i].weight};
    return count;
}
