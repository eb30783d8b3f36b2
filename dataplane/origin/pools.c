#include "dataplane/origin/pools.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/sys/crypto.h"
#include "base/sys/pkey.h"
#include "dataplane/origin/fetcher.h"
#include "dataplane/origin/health.h"
#include "dataplane/origin/request.h"

#include <fcntl.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024u * 1024)
#define SECRET_BYTES   (SG_SECRET_FILE_MAX + 1)
#define FALL_DEFAULT   3 /* passive health works without a health section too */
#define RISE_DEFAULT   2

/* What a pool is made from, and where to tell what is wrong with it. */
struct maker {
    const struct sg_conf_origin *conf;
    struct sg_out *report;
};

/* ---- text and files ---- */

static char *copy_text(struct sg_str text)
{
    char *copy = sg_boot_alloc(text.len + 1);
    if (copy != NULL && text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

static enum sg_err copy_optional(const char *text, char **out)
{
    *out = text != NULL ? copy_text(sg_str_from(text)) : NULL;
    return text != NULL && *out == NULL ? SG_ENOMEM : SG_OK;
}

static enum sg_err read_all(int fd, struct sg_str *out)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || size > FILE_BYTES_MAX)
        return SG_EMSGSIZE;
    char *bytes = sg_boot_alloc((size_t)size + 1);
    if (bytes == NULL)
        return SG_ENOMEM;
    if (pread(fd, bytes, (size_t)size, 0) != size) {
        sg_boot_free(bytes);
        return SG_EIO;
    }
    *out = (struct sg_str){bytes, (size_t)size};
    return SG_OK;
}

static enum sg_err told(const struct maker *maker, const char *key, const char *path,
                        enum sg_err err)
{
    if (err == SG_OK || err == SG_ENOMEM)
        return err;
    sg_out_fmt(maker->report, "origin %s: %s: %s: %s\n", maker->conf->name, key, path,
               sg_secret_fault(err));
    return SG_ECONFIG;
}

/* Files are read at load: what they hold is then part of this configuration, and the node may have
 * dropped the right to read them later. */
static enum sg_err read_file(const struct maker *maker, const char *key, const char *path,
                             struct sg_str *out)
{
    if (path == NULL)
        return SG_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum sg_err err = fd < 0 ? sg_err_from_errno(errno) : read_all(fd, out);
    if (fd >= 0)
        close(fd);
    return told(maker, key, path, err);
}

/* Into memory that secret_free() ends; a zero follows. */
static enum sg_err read_secret(const struct maker *maker, const char *key, const char *path,
                               struct sg_str *out)
{
    size_t len = 0;
    if (path == NULL)
        return SG_OK;
    char *bytes = sg_secret_alloc(SECRET_BYTES);
    if (bytes == NULL)
        return SG_ENOMEM;
    enum sg_err err = sg_secret_read(path, bytes, SECRET_BYTES - 1, &len);
    *out = (struct sg_str){bytes, len};
    return told(maker, key, path, err);
}

static void secret_free(const char *secret)
{
    sg_secret_free((void *)(uintptr_t)secret, SECRET_BYTES);
}

/* The first line, without its end. */
static enum sg_err read_line(const struct maker *maker, const char *key, const char *path,
                             char **out)
{
    struct sg_str text = SG_STR_NONE;
    SG_ASSERT(path != NULL); /* the schema wants it */
    enum sg_err err = read_secret(maker, key, path, &text);
    char *line = (char *)(uintptr_t)text.ptr;
    *out = line;
    if (err != SG_OK)
        return err;
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] != 0 && strlen(line) <= SGD_SIGN_SECRET_BYTES)
        return SG_OK;
    sg_out_fmt(maker->report, "origin %s: %s: want one line of 1 to %d bytes\n", maker->conf->name,
               key, SGD_SIGN_SECRET_BYTES);
    return SG_ECONFIG;
}

/* ---- URLs ---- */

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
    const char *slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
    host->ptr = rest.ptr;
    host->len = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
    *base = sg_str_skip(rest, host->len);
    while (base->len > 0 && base->ptr[base->len - 1] == '/')
        base->len--;
    *authority = (struct sg_str){all.ptr, (size_t)(host->ptr - all.ptr) + host->len};
    return host->len > 0 && host->ptr[0] != ':';
}

/* The host of host[:port], brackets of IPv6 included; *port is ":port" or empty. */
static struct sg_str cut_port(struct sg_str host, struct sg_str *port)
{
    size_t at = host.len;
    while (at > 0 && host.ptr[at - 1] != ':' && host.ptr[at - 1] != ']')
        at--;
    if (at == 0 || host.ptr[at - 1] == ']')
        at = host.len + 1;
    *port = sg_str_skip(host, at - 1);
    return (struct sg_str){host.ptr, at - 1};
}

/* With a host_header the server is to be that host, in SNI and certificate too, and the URL only
 * says where to find it. */
static enum sg_err name_server(struct sgd_url *url, const char *host_header,
                               struct sg_str authority, struct sg_str host)
{
    struct sg_str url_port, ignored;
    struct sg_str name = cut_port(sg_str_from(host_header), &ignored);
    struct sg_str scheme = {authority.ptr, authority.len - host.len};
    struct sg_str url_host = cut_port(host, &url_port);
    size_t bytes = scheme.len + name.len + url_port.len + 1;
    url->connect_to = copy_text(url_host);
    url->authority = sg_boot_alloc(bytes);
    if (url->connect_to == NULL || url->authority == NULL)
        return SG_ENOMEM;
    struct sg_out out = sg_out_init(url->authority, bytes);
    sg_out_str(&out, scheme);
    sg_out_str(&out, name);
    sg_out_str(&out, url_port);
    return SG_OK;
}

static enum sg_err url_init(const struct maker *maker, struct sgd_url *url,
                            const struct sg_conf_origin_url *conf)
{
    struct sg_str authority, host, base;
    if (!cut_url(conf->url, &authority, &host, &base)) {
        sg_out_fmt(maker->report, "origin %s: url %s: want http[s]://host[:port][/path]\n",
                   maker->conf->name, conf->url);
        return SG_ECONFIG;
    }
    url->weight = SG_MAX(conf->weight, 1u);
    url->backup = conf->backup;
    url->text = copy_text(sg_str_from(conf->url));
    url->host = copy_text(host);
    url->base = copy_text(base);
    if (url->text == NULL || url->host == NULL || url->base == NULL)
        return SG_ENOMEM;
    if (maker->conf->host_header != NULL)
        return name_server(url, maker->conf->host_header, authority, host);
    url->authority = copy_text(authority);
    return url->authority != NULL ? SG_OK : SG_ENOMEM;
}

static enum sg_err urls_init(const struct maker *maker, struct sgd_pool *pool)
{
    const struct sg_conf_origin *conf = maker->conf;
    if (conf->urls_count == 0 || conf->urls_count > SGD_POOL_URLS_MAX) {
        sg_out_fmt(maker->report, "origin %s: urls: want 1 to %d\n", conf->name, SGD_POOL_URLS_MAX);
        return SG_ECONFIG;
    }
    pool->urls = sg_boot_alloc_array(conf->urls_count, sizeof(*pool->urls));
    if (pool->urls == NULL)
        return SG_ENOMEM;
    pool->urls_count = conf->urls_count;
    for (uint32_t i = 0; i < conf->urls_count; i++) {
        enum sg_err err = url_init(maker, &pool->urls[i], &conf->urls[i]);
        if (err != SG_OK)
            return err;
    }
    return SG_OK;
}

/* ---- pools ---- */

static enum sg_err tls_init(const struct maker *maker, struct sgd_curl_tls *tls)
{
    const struct sg_conf_origin *conf = maker->conf;
    tls->verify = conf->tls_verify;
    enum sg_err err = read_file(maker, "ca_file", conf->ca_file, &tls->ca);
    if (err == SG_OK)
        err = read_file(maker, "client_cert_file", conf->client_cert_file, &tls->client_cert);
    if (err == SG_OK)
        err = read_secret(maker, "client_key_file", conf->client_key_file, &tls->client_key);
    if (err == SG_OK && conf->client_key_file != NULL)
        err = told(maker, "client_key_file", conf->client_key_file,
                   sg_pkey_read(conf->client_key_file, &tls->key));
    return err;
}

static enum sg_err sign_init(const struct maker *maker, struct sgd_pool *pool)
{
    const struct sg_conf_signing *conf = maker->conf->signing;
    if (conf == NULL)
        return SG_OK;
    pool->signs = true;
    enum sg_err err =
        read_line(maker, "signing.access_key_file", conf->access_key_file, &pool->sign.access_key);
    if (err == SG_OK)
        err = read_line(maker, "signing.secret_key_file", conf->secret_key_file,
                        &pool->sign.secret_key);
    if (err == SG_OK)
        err = copy_optional(conf->region, &pool->sign.region);
    if (err == SG_OK)
        err = copy_optional(conf->service != NULL ? conf->service : "s3", &pool->sign.service);
    if (err == SG_OK && pool->sign.region == NULL) {
        sg_out_fmt(maker->report, "origin %s: signing.region: want one, as \"us-east-1\"\n",
                   maker->conf->name);
        err = SG_ECONFIG;
    }
    return err;
}

/* The limit holds exactly: each lane, that is each fetch thread in use, has a part of its own. */
static enum sg_err lanes_init(struct sgd_pool *pool, uint32_t connections_max, uint32_t threads)
{
    uint32_t count = connections_max != 0 ? SG_MIN(threads, connections_max) : threads;
    pool->lanes = sg_boot_alloc_array(count, sizeof(*pool->lanes));
    if (pool->lanes == NULL)
        return SG_ENOMEM;
    pool->lanes_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct sgd_lane *lane = &pool->lanes[i];
        sg_list_init(&lane->ready);
        sg_list_init(&lane->waiting);
        lane->limit = connections_max == 0
                          ? UINT32_MAX
                          : connections_max / count + (i < connections_max % count);
    }
    return SG_OK;
}

static enum sg_err pool_init(const struct maker *maker, struct sgd_pool *pool, uint32_t threads)
{
    const struct sg_conf_origin *conf = maker->conf;
    pthread_mutex_init(&pool->lock, NULL);
    sg_random(&pool->random, sizeof(pool->random));
    pool->random |= 1;
    pool->connect_timeout_ms = conf->connect_timeout_ms;
    pool->first_byte_timeout_ms = conf->first_byte_timeout_ms;
    pool->idle_timeout_ms = conf->idle_timeout_ms;
    pool->retries = conf->retries;
    pool->fall = conf->health.fall != 0 ? conf->health.fall : FALL_DEFAULT;
    pool->rise = conf->health.rise != 0 ? conf->health.rise : RISE_DEFAULT;
    pool->shield = conf->shield;
    enum sg_err err = copy_optional(conf->name, &pool->name);
    if (err == SG_OK)
        err = copy_optional(conf->host_header, &pool->host_header);
    if (err == SG_OK)
        err = lanes_init(pool, conf->connections_max, threads);
    if (err == SG_OK)
        err = tls_init(maker, &pool->tls);
    if (err == SG_OK)
        err = sign_init(maker, pool);
    if (err == SG_OK)
        err = urls_init(maker, pool);
    return err;
}

static void pool_fini(struct sgd_pool *pool)
{
    for (uint32_t i = 0; pool->urls != NULL && i < pool->urls_count; i++) {
        sg_boot_free(pool->urls[i].text);
        sg_boot_free(pool->urls[i].authority);
        sg_boot_free(pool->urls[i].connect_to);
        sg_boot_free(pool->urls[i].host);
        sg_boot_free(pool->urls[i].base);
    }
    for (uint32_t i = 0; pool->lanes != NULL && i < pool->lanes_count; i++)
        SG_ASSERT(pool->lanes[i].active == 0);
    sg_boot_free(pool->urls);
    sg_boot_free(pool->lanes);
    sg_boot_free((char *)(uintptr_t)pool->tls.ca.ptr);
    sg_boot_free((char *)(uintptr_t)pool->tls.client_cert.ptr);
    sg_pkey_close(pool->tls.key);
    secret_free(pool->tls.client_key.ptr);
    secret_free(pool->sign.access_key);
    secret_free(pool->sign.secret_key);
    sg_boot_free(pool->sign.region);
    sg_boot_free(pool->sign.service);
    sg_boot_free(pool->name);
    sg_boot_free(pool->host_header);
    pthread_mutex_destroy(&pool->lock);
}

void sgd_pools_free(struct sgd_pools *pools)
{
    sgd_health_close(pools->health);
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
    sgd_origin_node_id(config->node.name, node);
    pools->node = copy_text(sg_str_from(node));
    pools->pools = sg_boot_alloc_array(SG_MAX(config->origins_count, 1u), sizeof(*pools->pools));
    if (pools->node == NULL || pools->pools == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < config->origins_count; i++) {
        struct maker maker = {&config->origins[i], report};
        pools->count = i + 1;
        enum sg_err err = pool_init(&maker, &pools->pools[i], pools->fetchers->threads);
        if (err != SG_OK)
            return err;
    }
    return sgd_health_open(pools, config, &pools->health);
}

static void pools_inherit(struct sgd_pools *pools, struct sgd_pools *old)
{
    for (uint32_t i = 0; i < pools->count; i++)
        for (uint32_t k = 0; k < old->count; k++)
            if (strcmp(pools->pools[i].name, old->pools[k].name) == 0)
                sgd_pool_inherit(&pools->pools[i], &old->pools[k]);
}

enum sg_err sgd_pools_open(struct sgd_fetchers *fetchers, const struct sg_config *config,
                           struct sgd_pools *old, struct sg_out *report, struct sgd_pools **out)
{
    SG_ASSERT(fetchers != NULL && config != NULL);
    SG_ASSERT(report != NULL && out != NULL);
    struct sgd_pools *pools = sg_boot_alloc(sizeof(*pools));
    if (pools == NULL)
        return SG_ENOMEM;
    pools->fetchers = fetchers;
    sg_list_init(&pools->alive);
    atomic_init(&pools->refs, 1);
    atomic_fetch_add(&fetchers->pools_alive, 1);
    enum sg_err err = pools_fill(pools, config, report);
    if (err != SG_OK) {
        sgd_pools_free(pools);
        return err;
    }
    if (old != NULL)
        pools_inherit(pools, old);
    sgd_fetchers_welcome(fetchers, pools);
    *out = pools;
    return SG_OK;
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
    uint32_t was = atomic_fetch_sub_explicit(&pools->refs, 1, memory_order_acq_rel);
    SG_ASSERT(was != 0);
    if (was == 1)
        sgd_fetchers_bury(pools->fetchers, pools);
}

/* ---- questions ---- */

uint32_t sgd_pools_thread(const struct sgd_pools *pools, uint32_t origin, uint16_t worker)
{
    SG_ASSERT(origin < pools->count);
    return (origin + worker % pools->pools[origin].lanes_count) % pools->fetchers->threads;
}

struct sgd_lane *sgd_pools_lane(const struct sgd_pools *pools, uint32_t origin, uint16_t worker)
{
    struct sgd_pool *pool = &pools->pools[origin];
    return &pool->lanes[worker % pool->lanes_count];
}

uint32_t sgd_pools_status(struct sgd_pools *pools, uint32_t origin, struct sgd_url_status *out,
                          uint32_t max)
{
    SG_ASSERT(origin < pools->count);
    return sgd_pool_status(&pools->pools[origin], out, max);
}
