#include "dataplane/node/purge.h"

#include "base/clock.h"
#include "dataplane/delivery/cachekey.h"
#include "dataplane/delivery/route.h"
#include "dataplane/http/target.h"

#include <ctype.h>

#define AUTHORITY_MAX 256

struct purge_url {
    char authority[AUTHORITY_MAX];
    char path[SGE_KEY_BYTES_MAX]; /* normalised */
    struct sg_str path_view, query;
};

/* "scheme://authority/path?query": a fragment is no part of what was fetched. */
static bool purge_split(struct sg_str text, struct purge_url *url)
{
    static const struct sg_str schemes[] = {{"https://", 8}, {"http://", 7}};
    size_t at = 0;
    for (size_t i = 0; i < SG_COUNT(schemes) && at == 0; i++)
        at = sg_str_starts(text, schemes[i]) ? schemes[i].len : 0;
    struct sg_str rest = sg_str_skip(text, at);
    const char *slash = at != 0 && rest.len != 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - rest.ptr) : 0;
    if (len == 0 || len >= sizeof(url->authority))
        return false;
    for (size_t i = 0; i < len; i++)
        url->authority[i] = (char)tolower((unsigned char)rest.ptr[i]);
    url->authority[len] = '\0';
    struct sg_str path = sg_str_skip(rest, len);
    const char *hash = memchr(path.ptr, '#', path.len);
    path.len = hash != NULL ? (size_t)(hash - path.ptr) : path.len;
    const char *mark = memchr(path.ptr, '?', path.len);
    url->query = SG_STR_NONE;
    if (mark != NULL) {
        url->query = (struct sg_str){mark + 1, path.len - (size_t)(mark + 1 - path.ptr)};
        path.len = (size_t)(mark - path.ptr);
    }
    struct sg_out normal = sg_out_init(url->path, sizeof(url->path));
    bool ok = sgd_target_normalise(path, &normal) && !normal.full;
    url->path_view = sg_out_view(&normal);
    return ok;
}

static enum sg_err purge_write(struct sge_state *state, const struct sgd_purge_ask *ask,
                               uint32_t tenant, struct sg_str key, uint64_t *seq)
{
    const struct sge_purge purge = {
        .tenant = tenant,
        .scope = (uint8_t)ask->scope,
        .soft = ask->soft,
        .match = sge_purge_hash(ask->scope, tenant, key),
        .at_ns = sg_clock_wall_ns(),
    };
    return sge_state_purge(state, &purge, seq);
}

static enum sg_err purge_site(struct sge_state *state, const struct sg_conf_site *site,
                              const struct sgd_purge_ask *ask, const struct purge_url *url,
                              uint64_t *seq)
{
    char memory[SGE_KEY_BYTES_MAX];
    struct sg_out key = sg_out_init(memory, sizeof(memory));
    bool ok = ask->scope == SGE_PURGE_URL
                  ? sgd_cachekey_of_url(site, url->path_view, url->query, &key)
                  : sgd_cachekey_of_prefix(site, url->path_view, &key);
    if (!ok)
        return SG_EINVAL;
    uint32_t tenant = sge_tenant_id(sg_str_from(site->tenant));
    return purge_write(state, ask, tenant, sg_out_view(&key), seq);
}

/* Is what site `i` serves to that host below the prefix, or the prefix within the site? */
static bool purge_concerns(const struct sgd_snapshot *snapshot, const struct purge_url *url,
                           uint32_t i, uint32_t found, enum sge_purge_scope scope)
{
    if (i == found)
        return true;
    bool host_known;
    struct sg_str path = sg_str_from(snapshot->config->sites[i].path);
    return scope == SGE_PURGE_PREFIX && sg_str_starts(path, url->path_view) &&
           sgd_routes_find(snapshot->routes, sg_str_from(url->authority), path, &host_known) == i;
}

static enum sg_err purge_urls(struct sge_state *state, const struct sgd_snapshot *snapshot,
                              const struct sgd_purge_ask *ask, struct sg_out *report, uint64_t *seq)
{
    struct purge_url url;
    if (!purge_split(ask->text, &url)) {
        sg_out_fmt(report, "\"%.*s\" is no URL; right would be \"https://host/path\"\n",
                   SG_STR_ARG(ask->text));
        return SG_EINVAL;
    }
    enum sg_err err = SG_ENOENT;
    bool host_known;
    uint32_t found =
        sgd_routes_find(snapshot->routes, sg_str_from(url.authority), url.path_view, &host_known);
    for (uint32_t i = 0; i < snapshot->config->sites_count; i++) {
        if (!purge_concerns(snapshot, &url, i, found, ask->scope))
            continue;
        err = purge_site(state, &snapshot->config->sites[i], ask, &url, seq);
        if (err != SG_OK)
            break;
    }
    if (err == SG_ENOENT)
        sg_out_fmt(report, "no site serves \"%.*s\"\n", SG_STR_ARG(ask->text));
    return err;
}

static enum sg_err purge_tenant_id(const struct sg_config *config, struct sg_str name,
                                   struct sg_out *report, uint32_t *out)
{
    for (uint32_t i = 0; i < config->tenants_count; i++) {
        struct sg_str known = sg_str_from(config->tenants[i].name);
        if (sg_str_eq(known, name) || (name.len == 0 && config->tenants_count == 1)) {
            *out = sge_tenant_id(known);
            return SG_OK;
        }
    }
    if (name.len == 0)
        sg_out_lit(report, "there are several tenants: name one\n");
    else
        sg_out_fmt(report, "\"%.*s\" is no tenant\n", SG_STR_ARG(name));
    return name.len == 0 ? SG_EINVAL : SG_ENOENT;
}

enum sg_err sgd_purge(struct sge_state *state, const struct sgd_snapshot *snapshot,
                      const struct sgd_purge_ask *ask, struct sg_out *report, uint64_t *seq)
{
    SG_ASSERT(state != NULL && snapshot != NULL);
    SG_ASSERT(ask != NULL && seq != NULL);
    uint32_t tenant = 0;
    if (ask->scope == SGE_PURGE_URL || ask->scope == SGE_PURGE_PREFIX)
        return purge_urls(state, snapshot, ask, report, seq);
    enum sg_err err = purge_tenant_id(snapshot->config, ask->tenant, report, &tenant);
    if (err == SG_OK && ask->scope == SGE_PURGE_TAG && ask->text.len == 0) {
        sg_out_lit(report, "the tag is missing\n");
        err = SG_EINVAL;
    }
    if (err == SG_OK)
        err = purge_write(state, ask, tenant, ask->text, seq);
    return err;
}
