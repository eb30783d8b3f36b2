#include "dataplane/delivery/cachekey.h"

#include "dataplane/http/fresh.h"
#include "dataplane/http/target.h"
#include "edgecache/state/state.h"

static const enum sgd_query_policy policy_of[] = {
    [SG_CONF_QUERY_ALL] = SGD_QUERY_ALL,
    [SG_CONF_QUERY_NONE] = SGD_QUERY_NONE,
    [SG_CONF_QUERY_LISTED] = SGD_QUERY_LISTED,
    [SG_CONF_QUERY_SORTED] = SGD_QUERY_SORTED,
};

void sgd_cachekey_primary(const struct sg_conf_site *site, struct sg_str path, struct sg_str query,
                          struct sg_out *out)
{
    sg_out_str(out, sg_str_from(site->name));
    sg_out_char(out, '\n');
    sg_out_str(out, path);
    if (query.ptr == NULL || site->cache.query == SG_CONF_QUERY_NONE)
        return;
    size_t mark = out->len;
    sg_out_char(out, '?');
    size_t empty = out->len;
    sgd_target_query_key(query, policy_of[site->cache.query], site->cache.query_params,
                         site->cache.query_params_count, out);
    if (out->len == empty && site->cache.query != SG_CONF_QUERY_ALL)
        out->len = mark; /* nothing significant was left */
}

void sgd_cachekey_marker(uint64_t salt, struct sg_str names, struct sg_out *out)
{
    sg_out_hex(out, &salt, sizeof(salt));
    sg_out_char(out, '\n');
    sg_out_str(out, names);
}

static struct sg_str marker_salt(struct sg_str head)
{
    const char *end = head.len == 0 ? NULL : memchr(head.ptr, '\n', head.len);
    return end == NULL ? SG_STR_NONE : (struct sg_str){head.ptr, (size_t)(end - head.ptr)};
}

struct sg_str sgd_cachekey_marker_names(struct sg_str head)
{
    struct sg_str salt = marker_salt(head);
    return salt.ptr == NULL ? SG_STR_NONE : sg_str_skip(head, salt.len + 1);
}

void sgd_cachekey_variant(struct sg_str primary, struct sg_str marker_head,
                          const struct sgd_request *req, struct sg_out *out)
{
    sg_out_str(out, primary);
    sg_out_char(out, '\n');
    sg_out_str(out, marker_salt(marker_head));
    sgd_vary_key(req, sgd_cachekey_marker_names(marker_head), out);
}

static bool add_tag(struct sge_meta *meta, struct sg_str tag)
{
    if (tag.len == 0)
        return true;
    if (meta->tags_count == SGE_TAGS_MAX)
        return false;
    meta->tags[meta->tags_count++] = sge_purge_hash(SGE_PURGE_TAG, meta->tenant, tag);
    return true;
}

/* Tokens between blanks and commas; quotes around one (RFC 9875 lists strings) are dropped. */
static bool add_tags(struct sge_meta *meta, struct sg_str value)
{
    bool all = true;
    for (size_t at = 0; at < value.len;) {
        size_t from = at;
        while (at < value.len && strchr(" \t,", value.ptr[at]) == NULL)
            at++;
        struct sg_str tag = {value.ptr + from, at - from};
        if (tag.len >= 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"')
            tag = (struct sg_str){tag.ptr + 1, tag.len - 2};
        all &= add_tag(meta, tag);
        at++;
    }
    return all;
}

static bool is_tag_header(const struct sg_conf_site *site, struct sg_str name)
{
    if (sg_str_eq(name, SG_STR("cache-groups")))
        return true;
    for (uint32_t i = 0; i < site->cache.tag_headers_count; i++)
        if (sg_str_eq_nocase(name, sg_str_from(site->cache.tag_headers[i])))
            return true;
    return false;
}

static void add_prefix(struct sge_meta *meta, enum sge_purge_scope scope, struct sg_str text)
{
    if (meta->prefixes_count < SGE_PREFIXES_MAX)
        meta->prefixes[meta->prefixes_count++] = sge_purge_hash(scope, meta->tenant, text);
}

bool sgd_cachekey_purge_marks(const struct sg_conf_site *site, struct sg_str primary,
                              struct sg_str lines, struct sge_meta *meta)
{
    struct sgd_field field;
    bool all = true;
    meta->tenant = sge_tenant_id(sg_str_from(site->tenant));
    meta->tags_count = meta->prefixes_count = 0;
    while (sgd_lines_next(&lines, &field))
        if (is_tag_header(site, field.name))
            all &= add_tags(meta, field.value);
    add_prefix(meta, SGE_PURGE_URL, primary);
    size_t path_at = strlen(site->name) + 1;
    for (size_t i = path_at; i <= primary.len; i++) {
        bool end = i == primary.len || primary.ptr[i] == '?';
        if (end || primary.ptr[i] == '/')
            add_prefix(meta, SGE_PURGE_PREFIX, (struct sg_str){primary.ptr, i});
        if (end)
            break;
    }
    return all;
}

bool sgd_cachekey_of_url(const struct sg_conf_site *site, struct sg_str path, struct sg_str query,
                         struct sg_out *out)
{
    char memory[SGE_KEY_BYTES_MAX];
    struct sg_out normal = sg_out_init(memory, sizeof(memory));
    if (!sgd_target_normalise(path, &normal) || normal.full)
        return false;
    sgd_cachekey_primary(site, sg_out_view(&normal), query, out);
    return !out->full;
}

bool sgd_cachekey_of_prefix(const struct sg_conf_site *site, struct sg_str path, struct sg_out *out)
{
    if (!sgd_cachekey_of_url(site, path, SG_STR_NONE, out))
        return false;
    if (out->ptr[out->len - 1] == '/')
        out->len--;
    return true;
}
