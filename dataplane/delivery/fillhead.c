#include "base/clock.h"
#include "dataplane/delivery/cachekey.h"
#include "dataplane/delivery/filling.h"
#include "dataplane/delivery/reuse.h"
#include "dataplane/delivery/stored.h"

/* How long "this is not for sharing" is remembered: requests for it are not made to wait for each
 * other meanwhile. */
#define PASS_MARK_NS (30 * SG_NS_PER_SEC)
/* A marker lives as long as there is room for it: its variants have their own freshness. */
#define MARKER_NS (365ull * 24 * 3600 * SG_NS_PER_SEC)

struct verdict {
    struct sge_meta meta;
    struct sgd_fresh fresh;
    struct sg_str lines; /* of the fetch */
    uint64_t asked_ns, came_ns;
};

static uint64_t seconds(uint64_t s)
{
    return s * SG_NS_PER_SEC;
}

static struct sgd_fresh_policy policy_of(const struct sg_conf_site *site, uint16_t status)
{
    const struct sg_conf_site_cache *c = &site->cache;
    struct sgd_fresh_policy p = {
        .default_ttl_ns = seconds(c->default_ttl_s),
        .min_ttl_ns = seconds(c->min_ttl_s),
        .max_ttl_ns = seconds(c->max_ttl_s),
        .swr_ns = seconds(c->stale_while_revalidate_s),
        .sie_ns = seconds(c->stale_if_error_s),
    };
    for (uint32_t i = 0; i < c->negative_count; i++)
        if (c->negative[i].status == status)
            p.negative_ttl_ns = seconds(c->negative[i].ttl_s);
    return p;
}

/* What HTTP says of a response of `status` with `lines` (the stored ones after a 304). */
static void judge(const struct sgd_fill *fill, const struct sgd_request *req, uint16_t status,
                  struct sg_str lines, struct verdict *v)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    struct sgd_fresh_policy policy = policy_of(fill->site, status);
    struct sgd_request asked = *req;
    if (!fill->solo)
        asked.method = SGD_METHOD_GET; /* that is what was sent for a HEAD, too */
    v->asked_ns = fetch->begin_wall_ns;
    v->came_ns = fetch->head_wall_ns;
    sgd_fresh_of_response(&asked, status, lines, &policy, v->asked_ns, v->came_ns, &v->fresh);
    v->meta.status = status;
    v->meta.flags = v->fresh.flags;
    v->meta.birth_purge_seq = fill->purge_seq;
    v->meta.response_ns = v->came_ns;
    v->meta.initial_age_ns = v->fresh.initial_age_ns;
    v->meta.lifetime_ns = v->fresh.lifetime_ns;
    v->meta.stale_while_ns = v->fresh.swr_ns;
    v->meta.stale_error_ns = v->fresh.sie_ns;
    sgd_cachekey_purge_marks(fill->site, (struct sg_str){fill->key.bytes.ptr, fill->primary_len},
                             lines, &v->meta);
}

static struct sg_str fetched_lines(const struct sgd_fill *fill)
{
    return (struct sg_str){fill->fetch.head, fill->fetch.head_bytes};
}

static bool has_body(const struct sgd_fill *fill)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    if (fetch->status == 204 || fetch->status == 304 || sg_str_eq(fetch->method, SG_STR("HEAD")))
        return false;
    return !(fetch->length_known && fetch->length == 0);
}

/* No room for it: the viewers are told, the fetch ends. */
static void give_up(struct sgd_fill *fill)
{
    sgd_fill_answer_all(fill, SGD_GOT_FULL);
    sgd_fill_abandon(fill);
}

/* The body that the fetch will fill. False: no room. */
static bool open_body(struct sgd_fill *fill, uint32_t tenant, bool once)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    uint64_t bytes = fetch->length_known ? fetch->length : SGE_LENGTH_UNKNOWN;
    if (!has_body(fill))
        return true;
    fill->body = sge_body_make(fill->d->worker->shard, bytes, tenant, once);
    if (fill->body == NULL)
        return false;
    fill->end_slice = UINT32_MAX;
    if (bytes != SGE_LENGTH_UNKNOWN) {
        bool ours = sge_body_slice_claim(fill->d->worker->shard, fill->body, SGE_SLICES_ALL);
        SG_ASSERT(ours);
        fill->end_slice = (uint32_t)((bytes - 1) / sge_body_slice_bytes(fill->body) + 1);
    }
    return true;
}

static struct sge_object *make_object(struct sgd_fill *fill, const struct sge_key *key,
                                      struct verdict *v)
{
    char memory[SGE_HEAD_BYTES_MAX];
    struct sg_out head = sg_out_init(memory, sizeof(memory));
    const struct sgd_fetch *fetch = &fill->fetch;
    sgd_stored_head(fill->site, v->lines, fetch->status == 206 && v->meta.status == 200, v->came_ns,
                    &head);
    if (head.full)
        return NULL;
    v->meta.body_bytes = fetch->length_known  ? fetch->length
                         : fill->body != NULL ? SGE_LENGTH_UNKNOWN
                                              : 0;
    struct sge_object_new from = {key, &v->meta, sg_out_view(&head), fill->body};
    return sge_object_make(fill->d->worker->shard, &from);
}

/* What the response says is for one viewer, to the one who was the reason for it. */
static void keep_named(struct sgd_fill *fill, struct sgd_want *want, const struct verdict *v)
{
    char memory[SGD_FETCH_HEAD_BYTES];
    struct sg_out named = sg_out_init(memory, sizeof(memory));
    if (!(v->fresh.flags & SGD_STORE_PRIVATE_FIELDS))
        return;
    sgd_stored_named(fetched_lines(fill), &named);
    char *at = named.len > 0 ? sgd_want_memory(want, named.len) : NULL;
    if (at == NULL)
        return;
    memcpy(at, memory, named.len);
    want->named = (struct sg_str){at, named.len};
}

/* ---- for the store ---- */

/* An object of no use to viewers, at the primary key or the fill's: a Vary or a pass mark. */
static struct sge_object *publish_mark(struct sgd_fill *fill, const struct sge_key *key,
                                       uint16_t flag, uint64_t lifetime_ns, struct sg_str head)
{
    struct sge_meta meta = {
        .flags = flag,
        .birth_purge_seq = fill->purge_seq,
        .response_ns = fill->fetch.head_wall_ns,
        .lifetime_ns = lifetime_ns,
    };
    struct sge_object_new from = {key, &meta, head, NULL};
    struct sge_object *mark = NULL;
    sgd_cachekey_purge_marks(fill->site, (struct sg_str){fill->key.bytes.ptr, fill->primary_len},
                             SG_STR_NONE, &meta);
    mark = sge_object_make(fill->d->worker->shard, &from);
    if (mark != NULL) {
        sg_hold_ref(&mark->hold);
        sge_object_publish(fill->d->worker->shard, mark, flag == SGD_STORE_VARY_MARK);
    }
    return mark;
}

static void primary_key(const struct sgd_fill *fill, struct sge_key *key)
{
    sge_key_make(fill->d->worker->content, (struct sg_str){fill->key.bytes.ptr, fill->primary_len},
                 fill->primary_len, key);
}

/* The marker at the primary key that lists `names`: the one that is there, or a new one. */
static struct sge_object *marker_for(struct sgd_fill *fill, struct sg_str names)
{
    struct sge_key key;
    primary_key(fill, &key);
    struct sge_object *marker = sge_content_find(fill->d->worker->content, &key);
    if (marker != NULL && (marker->meta.flags & SGD_STORE_VARY_MARK) &&
        sg_str_eq(sgd_cachekey_marker_names(marker->head), names))
        return marker;
    if (marker != NULL)
        sg_hold_unref(&marker->hold);
    char memory[SGE_KEY_BYTES_MAX];
    struct sg_out head = sg_out_init(memory, sizeof(memory));
    sgd_cachekey_marker(fill->d->salt++ ^ fill->fetch.head_wall_ns, names, &head);
    return head.full ? NULL
                     : publish_mark(fill, &key, SGD_STORE_VARY_MARK, MARKER_NS, sg_out_view(&head));
}

/* Where the response belongs: the primary key, or its variant's, written to `memory`. */
static bool place(struct sgd_fill *fill, const struct sgd_request *req, struct sg_str lines,
                  char *memory, struct sge_object **marker, struct sge_key *key)
{
    char names_memory[1024];
    struct sg_out names = sg_out_init(names_memory, sizeof(names_memory));
    struct sg_out text = sg_out_init(memory, SGE_KEY_BYTES_MAX);
    bool star = false;
    *marker = NULL;
    if (!sgd_vary_names(lines, &names, &star)) {
        primary_key(fill, key);
        return true;
    }
    if (star || names.full)
        return false;
    *marker = marker_for(fill, sg_out_view(&names));
    if (*marker == NULL)
        return false;
    sgd_cachekey_variant((struct sg_str){fill->key.bytes.ptr, fill->primary_len}, (*marker)->head,
                         req, &text);
    if (!text.full)
        sge_key_make(fill->d->worker->content, sg_out_view(&text), fill->primary_len, key);
    return !text.full;
}

static bool same_variant(const struct sgd_fill *fill, const struct sge_object *marker,
                         const struct sgd_want *want)
{
    char memory[SGE_KEY_BYTES_MAX];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    if (marker == NULL)
        return true;
    sgd_cachekey_variant((struct sg_str){fill->key.bytes.ptr, fill->primary_len}, marker->head,
                         &want->req, &text);
    return !text.full && sg_str_eq(sg_out_view(&text), fill->object->key.bytes);
}

/* The leader and all whom the response fits have it; the others begin anew. */
static void give_all(struct sgd_fill *fill, const struct sge_object *marker,
                     enum sge_cache_result how)
{
    struct sgd_delivery *d = fill->d;
    struct sg_list others;
    sg_list_init(&others);
    for (struct sgd_want *want; (want = sgd_fill_pop(fill)) != NULL;) {
        if (same_variant(fill, marker, want)) {
            sgd_fill_give(fill, want, fill->object, how);
            if (how == SGE_CACHE_MISS || how == SGE_CACHE_EXPIRED)
                how = SGE_CACHE_COLLAPSED;
        } else {
            sg_list_push_back(&others, &want->node);
        }
    }
    sgd_wants_begin_anew(d, &others);
}

static void publish(struct sgd_fill *fill)
{
    sg_hold_ref(&fill->object->hold);
    sge_object_publish(fill->d->worker->shard, fill->object, true);
    fill->published = true;
}

static void head_shared(struct sgd_fill *fill, struct verdict *v, const struct sge_key *key,
                        struct sge_object *marker)
{
    bool expired = fill->base != NULL;
    if (!open_body(fill, v->meta.tenant, false) ||
        (fill->object = make_object(fill, key, v)) == NULL) {
        give_up(fill);
        return;
    }
    publish(fill);
    sgd_fill_close_door(fill);
    sgd_fill_enter(fill, SGD_FILL_BODY);
    keep_named(fill, sgd_fill_first(fill), v);
    give_all(fill, marker, expired ? SGE_CACHE_EXPIRED : SGE_CACHE_MISS);
    sgd_fill_pump(fill);
}

/* ---- for one viewer ---- */

static void head_private(struct sgd_fill *fill, struct verdict *v)
{
    struct sgd_want *leader = sgd_fill_pop(fill);
    SG_ASSERT(leader != NULL);
    sgd_fill_close_door(fill);
    sgd_fill_answer_all(fill, SGD_GOT_SOLO); /* the rest go on alone */
    if (!open_body(fill, v->meta.tenant, true) ||
        (fill->object = make_object(fill, &fill->key, v)) == NULL) {
        leader->got = SGD_GOT_FULL;
        sgd_want_answer(fill->d, leader);
        sgd_fill_abandon(fill);
        return;
    }
    sgd_fill_enter(fill, SGD_FILL_BODY);
    leader->lease = fill;
    leader->lease_serial = fill->serial;
    keep_named(fill, leader, v);
    sgd_fill_give(fill, leader, fill->object,
                  fill->solo ? SGE_CACHE_PASS
                             : (fill->base != NULL ? SGE_CACHE_EXPIRED : SGE_CACHE_MISS));
    sgd_fill_pump(fill);
}

static bool fits_store(const struct sgd_fill *fill)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    uint64_t most = fill->snapshot->config->cache.object_bytes;
    if (fill->solo || fetch->status == 206 || fetch->status == 304)
        return false;
    return most == 0 || !fetch->length_known || fetch->length <= most;
}

/* What the response says of sharing is said of the resource, not of this viewer's way of asking. */
static bool is_for_all(const struct sgd_request *req)
{
    struct sgd_cc cc;
    sgd_cc_of_request(req, &cc);
    return !(cc.flags & SGD_CC_NO_STORE) &&
           sgd_request_field(req, SG_STR("authorization"), NULL).ptr == NULL;
}

/* For a while nobody waits for another's fetch of this. */
static void remember_pass(struct sgd_fill *fill, const struct sgd_request *req)
{
    struct sge_object *mark = NULL;
    if (is_for_all(req))
        mark = publish_mark(fill, &fill->key, SGD_STORE_PASS_MARK, PASS_MARK_NS, SG_STR_NONE);
    if (mark != NULL)
        sg_hold_unref(&mark->hold);
}

static void head_new(struct sgd_fill *fill)
{
    char memory[SGE_KEY_BYTES_MAX];
    struct verdict v = {.lines = fetched_lines(fill)};
    struct sgd_want *leader = sgd_fill_first(fill);
    struct sge_object *marker = NULL;
    struct sge_key key;
    SG_ASSERT(leader != NULL);
    judge(fill, &leader->req, fill->fetch.status, v.lines, &v);
    if (fits_store(fill) && v.fresh.storable &&
        place(fill, &leader->req, v.lines, memory, &marker, &key)) {
        head_shared(fill, &v, &key, marker);
    } else {
        if (fill->base != NULL) /* what replaced it may not be kept; it is not valid any more */
            sge_object_withdraw(fill->d->worker->shard, fill->base);
        if (!fill->solo && fill->fetch.status < 500)
            remember_pass(fill, &leader->req);
        head_private(fill, &v);
    }
    if (marker != NULL)
        sg_hold_unref(&marker->hold);
}

/* ---- validation ---- */

/* A 304 about another representation than ours (RFC 9111 section 4.3.4): what has a strong
 * validator is what has that very one. One that says nothing of itself is believed. */
static bool is_other(const struct sgd_fill *fill)
{
    struct sg_str base = fill->base->head, lines = fetched_lines(fill);
    struct sg_str ours = sgd_lines_field(base, SG_STR("etag"), NULL);
    struct sg_str theirs = sgd_lines_field(lines, SG_STR("etag"), NULL);
    if (ours.ptr != NULL && theirs.ptr != NULL)
        return sg_str_starts(theirs, SG_STR("W/")) ? !sgd_etag_same(ours, theirs)
                                                   : !sg_str_eq(ours, theirs);
    ours = sgd_lines_field(base, SG_STR("last-modified"), NULL);
    theirs = sgd_lines_field(lines, SG_STR("last-modified"), NULL);
    return ours.ptr != NULL && theirs.ptr != NULL && !sg_str_eq(ours, theirs);
}

/* Both select by the same request fields: the stored response's key is right for the new one. */
static bool same_vary(struct sg_str a, struct sg_str b)
{
    char memory[2][1024];
    bool star_a = false, star_b = false;
    struct sg_out names_a = sg_out_init(memory[0], sizeof(memory[0]));
    struct sg_out names_b = sg_out_init(memory[1], sizeof(memory[1]));
    sgd_vary_names(a, &names_a, &star_a);
    sgd_vary_names(b, &names_b, &star_b);
    return !star_a && !star_b && !names_a.full && !names_b.full &&
           sg_str_eq(sg_out_view(&names_a), sg_out_view(&names_b));
}

/* What the stored head says with the 304's fields. Its Age counts, and is not kept. */
static void judge_freshened(struct sgd_fill *fill, const struct sgd_request *req,
                            struct sg_out *head, struct verdict *v)
{
    const struct sge_object *base = fill->base;
    struct sg_str age = sgd_lines_field(fetched_lines(fill), SG_STR("age"), NULL);
    sgd_stored_freshen(fill->site, base->head, fetched_lines(fill), fill->fetch.head_wall_ns, head);
    size_t kept = head->len;
    if (age.ptr != NULL) {
        sg_out_lit(head, "age: ");
        sg_out_str(head, age);
        sg_out_lit(head, "\r\n");
    }
    judge(fill, req, base->meta.status, sg_out_view(head), v);
    head->len = kept;
    v->lines = sg_out_view(head);
    v->meta.body_bytes = base->body != NULL ? sge_body_bytes(base->body) : base->meta.body_bytes;
}

/* What was stored is not for sharing any more, or not under this key: the one who led to that has
 * it, the rest begin anew. */
static void freshened_private(struct sgd_fill *fill, struct sgd_want *leader)
{
    struct sgd_delivery *d = fill->d;
    struct sg_list others;
    sge_object_withdraw(d->worker->shard, fill->base);
    sgd_fill_take_all(fill, &others);
    sgd_fill_give(fill, leader, fill->object, SGE_CACHE_REVALIDATED);
    sgd_wants_begin_anew(d, &others);
}

static void head_freshen(struct sgd_fill *fill)
{
    char memory[SGE_HEAD_BYTES_MAX];
    struct sg_out head = sg_out_init(memory, sizeof(memory));
    struct sge_object *base = fill->base;
    struct verdict v = {0};
    judge_freshened(fill, &sgd_fill_first(fill)->req, &head, &v);
    struct sge_object_new from = {&base->key, &v.meta, v.lines, base->body};
    fill->object = head.full ? NULL : sge_object_make(fill->d->worker->shard, &from);
    if (fill->object == NULL) {
        give_up(fill);
        return;
    }
    sgd_fill_close_door(fill);
    sgd_fill_enter(fill, SGD_FILL_BODY);
    keep_named(fill, sgd_fill_first(fill), &v);
    if (v.fresh.storable && same_vary(base->head, v.lines)) {
        publish(fill);
        give_all(fill, NULL, SGE_CACHE_REVALIDATED);
    } else {
        freshened_private(fill, sgd_fill_pop(fill));
    }
}

/* What came is of no use to anyone: all ask again. */
static void begin_anew(struct sgd_fill *fill)
{
    struct sgd_delivery *d = fill->d;
    struct sg_list wants;
    sgd_fill_take_all(fill, &wants);
    sgd_fill_enter(fill, SGD_FILL_BODY);
    sgd_fill_abandon(fill);
    sgd_wants_begin_anew(d, &wants);
}

/* What counts as one for stale-if-error (RFC 5861 section 4). */
static bool is_error(uint16_t status)
{
    return status == 500 || (status >= 502 && status <= 504);
}

static bool give_stale(struct sgd_fill *fill)
{
    const struct sgd_want *leader = sgd_fill_first(fill);
    uint64_t wall_ns = fill->d->worker->wall_ns;
    if (fill->base == NULL || fill->slice_fill || leader == NULL ||
        !sgd_reuse_on_error(&fill->base->meta, &leader->cc, wall_ns))
        return false;
    for (struct sgd_want *want; (want = sgd_fill_pop(fill)) != NULL;)
        sgd_fill_give(fill, want, fill->base, SGE_CACHE_STALE);
    return true;
}

/* ---- a slice of something stored ---- */

void sgd_fill_unclaim(struct sgd_fill *fill)
{
    struct sge_shard *shard = fill->d->worker->shard;
    for (; fill->body != NULL && fill->fill_slice < fill->end_slice; fill->fill_slice++)
        sge_body_slice_abandon(shard, fill->body, fill->fill_slice);
}

/* The 206 starts where we asked (RFC 9110 section 14.4): "bytes first-last/total". */
static bool is_our_range(const struct sgd_fill *fill, uint64_t *last, uint64_t *total)
{
    char want[40];
    struct sg_out out = sg_out_init(want, sizeof(want));
    struct sg_str range = sgd_lines_field(fetched_lines(fill), SG_STR("content-range"), NULL);
    uint64_t first = (uint64_t)fill->fill_slice * sge_content_slice_bytes(fill->d->worker->content);
    sg_out_lit(&out, "bytes ");
    sg_out_u64(&out, first);
    sg_out_char(&out, '-');
    if (fill->fetch.status != 206 || !sg_str_starts(range, sg_out_view(&out)))
        return false;
    range = sg_str_skip(range, out.len);
    const char *slash = range.len == 0 ? NULL : memchr(range.ptr, '/', range.len);
    if (slash == NULL)
        return false;
    size_t n = (size_t)(slash - range.ptr);
    return sg_str_to_u64((struct sg_str){range.ptr, n}, last) &&
           sg_str_to_u64(sg_str_skip(range, n + 1), total) && first <= *last && *last < *total;
}

/* The part is of what we have the rest of: only a strong validator tells (RFC 9111 section 3.4). */
static bool is_same(const struct sgd_fill *fill, uint64_t total)
{
    struct sg_str etag = sgd_lines_field(fetched_lines(fill), SG_STR("etag"), NULL);
    return total == sge_body_bytes(fill->body) && sgd_stored_strong(fill->base->head) &&
           sg_str_eq(etag, sgd_lines_field(fill->base->head, SG_STR("etag"), NULL));
}

/* An origin that knows no ranges gives the whole: its front is read past. */
static bool open_skip(struct sgd_fill *fill)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    uint64_t total = fetch->length_known ? fetch->length : sge_body_bytes(fill->body);
    if (fetch->status != 200 || !is_same(fill, total))
        return false;
    fill->upload = sg_pool_take(&fill->d->uploads);
    fill->skip_bytes = (uint64_t)fill->fill_slice * sge_body_slice_bytes(fill->body);
    return fill->upload != NULL;
}

static void head_slice(struct sgd_fill *fill)
{
    uint64_t last, total;
    bool part = is_our_range(fill, &last, &total) && is_same(fill, total);
    if (!part && !open_skip(fill)) { /* it changed: what we have is no longer whole */
        sge_object_withdraw(fill->d->worker->shard, fill->base);
        sgd_fill_answer_all(fill, SGD_GOT_ERROR);
        sgd_fill_enter(fill, SGD_FILL_BODY);
        sgd_fill_abandon(fill);
        return;
    }
    sgd_fill_enter(fill, SGD_FILL_BODY);
    sgd_fill_answer_all(fill, SGD_GOT_SLICE);
    sgd_fill_pump(fill);
}

/* ---- a part of something new ---- */

/* A body of which only some slices come, each claimed. */
static bool open_part(struct sgd_fill *fill, uint64_t last, uint64_t total, uint32_t tenant)
{
    struct sge_shard *shard = fill->d->worker->shard;
    fill->body = sge_body_make(shard, total, tenant, false);
    if (fill->body == NULL)
        return false;
    fill->end_slice = (uint32_t)(last / sge_body_slice_bytes(fill->body)) + 1;
    for (uint32_t slice = fill->fill_slice; slice < fill->end_slice; slice++)
        if (!sge_body_slice_claim(shard, fill->body, slice))
            return false;
    return true;
}

/* What may not be stored, or is no part of ours: each viewer asks for his own range. */
static void refuse_part(struct sgd_fill *fill)
{
    sgd_fill_enter(fill, SGD_FILL_BODY);
    sgd_fill_answer_all(fill, SGD_GOT_SOLO);
    sgd_fill_abandon(fill);
}

/* Its other parts could not be told to belong to it: the whole is fetched. */
static void ask_whole(struct sgd_fill *fill)
{
    sg_list_for_each_safe(it, &fill->wants)
    {
        sg_list_entry(it, struct sgd_want, node)->whole = true;
    }
    begin_anew(fill);
}

static void head_part(struct sgd_fill *fill)
{
    uint64_t last, total;
    struct sge_key key;
    struct verdict v = {.lines = fetched_lines(fill)};
    judge(fill, &sgd_fill_first(fill)->req, 200, v.lines, &v);
    bool ours = is_our_range(fill, &last, &total) && v.fresh.storable &&
                sgd_lines_field(v.lines, SG_STR("vary"), NULL).ptr == NULL;
    if (ours && !sgd_stored_strong(v.lines)) {
        ask_whole(fill);
        return;
    }
    if (fill->fetch.status == 206 && !v.fresh.storable)
        remember_pass(fill, &sgd_fill_first(fill)->req);
    if (!ours || !open_part(fill, last, total, v.meta.tenant)) {
        refuse_part(fill);
        return;
    }
    primary_key(fill, &key);
    fill->fetch.length = total; /* of the whole, which the object is */
    v.meta.flags |= SGD_STORE_PARTIAL;
    fill->object = make_object(fill, &key, &v);
    if (fill->object == NULL) {
        refuse_part(fill);
        return;
    }
    publish(fill);
    sgd_fill_close_door(fill);
    sgd_fill_enter(fill, SGD_FILL_BODY);
    give_all(fill, NULL, SGE_CACHE_MISS);
    sgd_fill_pump(fill);
}

/* ---- ---- */

void sgd_fill_on_head(struct sgd_fill *fill)
{
    uint16_t status = fill->fetch.status;
    SG_ASSERT(fill->state == SGD_FILL_FETCH);
    if (fill->slice_fill) {
        head_slice(fill);
    } else if (status == 304 && fill->base != NULL) {
        if (!is_other(fill)) {
            head_freshen(fill);
            return;
        }
        sge_object_withdraw(fill->d->worker->shard, fill->base); /* we do not have what it has */
        begin_anew(fill);
    } else if (fill->range_fill && (status == 206 || status == 416)) {
        head_part(fill);
    } else if (is_error(status) && give_stale(fill)) {
        sgd_fill_abandon(fill);
    } else {
        fill->range_fill = false; /* the whole came */
        fill->fill_slice = fill->next_slice = 0;
        head_new(fill);
    }
}

void sgd_fill_on_failure(struct sgd_fill *fill)
{
    sgd_fill_close_door(fill);
    if (fill->slice_fill)
        sgd_fill_unclaim(fill);
    if (!give_stale(fill))
        sgd_fill_answer_all(fill, SGD_GOT_ERROR);
}
