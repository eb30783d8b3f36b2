#include "dataplane/delivery/fill.h"

#include "base/clock.h"
#include "dataplane/delivery/cachekey.h"
#include "dataplane/delivery/filling.h"
#include "dataplane/delivery/lookup.h"
#include "dataplane/delivery/refs.h"
#include "dataplane/delivery/upstream.h"
#include "dataplane/http/cond.h"

/* How often an owner begins anew with a want (a marker was found, a variant did not match) before
 * it stops being clever and lets the viewer fetch alone. */
#define WANT_ROUNDS_MAX 6

static const uint8_t fill_edges[] = {
    [SGD_FILL_LOOKUP] = SG_BIT(SGD_FILL_FETCH) | SG_BIT(SGD_FILL_ENDING),
    [SGD_FILL_FETCH] = SG_BIT(SGD_FILL_BODY) | SG_BIT(SGD_FILL_ENDING),
    [SGD_FILL_BODY] = SG_BIT(SGD_FILL_ENDING),
    [SGD_FILL_ENDING] = 0,
};

size_t sgd_fill_bytes(void)
{
    return sizeof(struct sgd_fill);
}

void sgd_fill_enter(struct sgd_fill *fill, enum sgd_fill_state to)
{
    SG_ASSERT(fill_edges[fill->state] & SG_BIT(to));
    fill->state = to;
}

/* ---- its wants ---- */

struct sgd_want *sgd_fill_first(struct sgd_fill *fill)
{
    return sg_list_empty(&fill->wants) ? NULL
                                       : sg_list_entry(fill->wants.next, struct sgd_want, node);
}

struct sgd_want *sgd_fill_pop(struct sgd_fill *fill)
{
    struct sg_list *node = sg_list_pop_front(&fill->wants);
    if (node == NULL)
        return NULL;
    fill->wants_count--;
    return sg_list_entry(node, struct sgd_want, node);
}

static void join(struct sgd_fill *fill, struct sgd_want *want)
{
    sg_list_push_back(&fill->wants, &want->node);
    fill->wants_count++;
}

void sgd_fill_take_all(struct sgd_fill *fill, struct sg_list *wants)
{
    sg_list_init(wants);
    for (struct sgd_want *want; (want = sgd_fill_pop(fill)) != NULL;)
        sg_list_push_back(wants, &want->node);
}

void sgd_wants_begin_anew(struct sgd_delivery *d, struct sg_list *wants)
{
    for (struct sg_list *node; (node = sg_list_pop_front(wants)) != NULL;) {
        struct sgd_want *want = sg_list_entry(node, struct sgd_want, node);
        want->rounds++;
        sgd_fill_want(d, want);
    }
}

void sgd_fill_answer_all(struct sgd_fill *fill, enum sgd_got got)
{
    for (struct sgd_want *want; (want = sgd_fill_pop(fill)) != NULL;) {
        want->got = got;
        want->origin_status = fill->fetch.status;
        want->origin_error = fill->error;
        memcpy(want->upstream, fill->fetch.upstream, sizeof(want->upstream));
        sgd_want_answer(fill->d, want);
    }
}

void sgd_fill_give(struct sgd_fill *fill, struct sgd_want *want, struct sge_object *object,
                   enum sge_cache_result how)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    sg_hold_ref(&object->hold);
    want->got = SGD_GOT_OBJECT;
    want->object = object;
    want->how = how;
    want->stored = fill->published;
    want->origin_status = fetch->status;
    want->origin_error = fill->error;
    if (fetch->head_mono_ns > fetch->begin_mono_ns)
        want->origin_us = (uint32_t)((fetch->head_mono_ns - fetch->begin_mono_ns) / SG_NS_PER_US);
    memcpy(want->upstream, fetch->upstream, sizeof(want->upstream));
    sgd_want_answer(fill->d, want);
}

/* ---- its life ---- */

void sgd_fill_set_stuck(struct sgd_fill *fill)
{
    if (sg_list_empty(&fill->stuck))
        sg_list_push_back(&fill->d->stuck, &fill->stuck);
}

void sgd_fill_close_door(struct sgd_fill *fill)
{
    sg_list_remove(&fill->by_key);
}

static char *fill_copy(struct sgd_fill *fill, struct sg_str text)
{
    if (text.len > SGD_FILL_BYTES - fill->used)
        return NULL;
    char *at = fill->memory + fill->used;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    fill->used += text.len;
    return at;
}

static void fill_free(struct sgd_fill *fill)
{
    struct sgd_delivery *d = fill->d;
    SG_ASSERT(sg_list_empty(&fill->wants));
    SG_ASSERT(fill->windows == 0);
    sg_list_remove(&fill->by_key);
    sg_list_remove(&fill->stuck);
    sg_list_remove(&fill->alive);
    if (fill->body != NULL)
        sg_hold_unref(sge_body_hold(fill->body));
    if (fill->object != NULL)
        sg_hold_unref(&fill->object->hold);
    if (fill->base != NULL)
        sg_hold_unref(&fill->base->hold);
    sg_pool_give(&d->uploads, fill->upload);
    sgd_snapshot_release(fill->snapshot, d->worker->id);
    fill->magic = 0;
    sg_pool_give(&d->fills, fill);
}

/* A fill for `key`, led by `want`, which joins it. NULL: none is free. */
static struct sgd_fill *fill_make(struct sgd_delivery *d, struct sgd_want *want,
                                  const struct sge_key *key)
{
    struct sgd_fill *fill = sg_pool_take(&d->fills);
    if (fill == NULL) {
        sge_stat_add(d->worker->stats, SGE_STAT_pool_empty, 1);
        return NULL;
    }
    memset(fill, 0, offsetof(struct sgd_fill, fetch));
    memset(&fill->fetch, 0, offsetof(struct sgd_fetch, head));
    memset(fill->fetch.upstream, 0, sizeof(fill->fetch.upstream));
    memset(fill->fetch.priv, 0, sizeof(fill->fetch.priv));
    fill->magic = sgd_fill_MAGIC;
    fill->d = d;
    fill->serial = ++d->fill_serial;
    fill->used = 0;
    fill->snapshot = want->snapshot;
    sgd_snapshot_hold(fill->snapshot, d->worker->id);
    fill->site = &want->snapshot->config->sites[want->site];
    fill->key = *key;
    fill->key.bytes.ptr = fill_copy(fill, key->bytes);
    SG_ASSERT(fill->key.bytes.ptr != NULL);
    sg_list_init(&fill->by_key);
    sg_list_init(&fill->stuck);
    sg_list_init(&fill->wants);
    sg_list_init(&fill->alive);
    sg_list_push_back(&d->alive, &fill->alive);
    join(fill, want);
    return fill;
}

static struct sg_list *bucket_of(struct sgd_delivery *d, const struct sge_key *key)
{
    return &d->fills_by_key[key->hash[0] % SGD_FILL_BUCKETS];
}

static struct sgd_fill *fill_find(struct sgd_delivery *d, const struct sge_key *key)
{
    struct sg_list *bucket = bucket_of(d, key);
    sg_list_for_each_safe(it, bucket)
    {
        struct sgd_fill *fill = sg_list_entry(it, struct sgd_fill, by_key);
        if (fill->key.hash[1] == key->hash[1] && sg_str_eq(fill->key.bytes, key->bytes))
            return fill;
    }
    return NULL;
}

/* ---- the fetch ---- */

static struct sgd_upstream_conditions conditions_of(const struct sgd_fill *fill)
{
    struct sgd_upstream_conditions c = {.range = fill->slice_fill || fill->range_fill};
    uint64_t slice_bytes = sge_content_slice_bytes(fill->d->worker->content);
    c.first = fill->fill_slice * slice_bytes;
    c.last = fill->end_slice * slice_bytes - 1;
    if (fill->base == NULL)
        return c;
    c.etag = sgd_lines_field(fill->base->head, SG_STR("etag"), NULL);
    c.last_modified = sgd_lines_field(fill->base->head, SG_STR("last-modified"), NULL);
    return c;
}

/* Fills in the fetch's asking part. False: the request is larger than a fill holds. */
static bool compose(struct sgd_fill *fill, const struct sgd_want *want)
{
    struct sgd_fetch *fetch = &fill->fetch;
    struct sg_out out = sg_out_init(fill->memory + fill->used, SGD_FILL_BYTES - fill->used);
    struct sgd_upstream_conditions conditions = conditions_of(fill);
    bool as_asked = fill->solo;
    sgd_upstream_target(fill->site, want->path, want->query, &out);
    fetch->path = sg_out_view(&out);
    size_t mark = out.len;
    sgd_upstream_fields(fill->site, &want->req, want->cookie, as_asked, &conditions, &out);
    fetch->fields = (struct sg_str){out.ptr + mark, out.len - mark};
    mark = out.len;
    sg_out_str(&out, as_asked ? want->req.method_text : SG_STR("GET"));
    fetch->method = (struct sg_str){out.ptr + mark, out.len - mark};
    mark = out.len;
    sg_out_str(&out, want->req.authority);
    fetch->host = (struct sg_str){out.ptr + mark, out.len - mark};
    fill->used += out.len;
    fetch->version = want->req.version;
    fetch->pools = fill->snapshot->pools;
    for (uint32_t i = 0; i < fill->snapshot->config->origins_count; i++)
        if (strcmp(fill->snapshot->config->origins[i].name, fill->site->origin) == 0)
            fetch->origin = i;
    fetch->body_bytes = as_asked && sgd_request_uploads(&want->req) ? want->req.body_bytes : 0;
    fetch->body_bytes_max = UINT64_MAX;
    fetch->user = fill;
    fetch->worker = fill->d->worker->id;
    return !out.full;
}

static void start(struct sgd_fill *fill)
{
    bool told = sgd_fetch_start(fill->d->worker->fetchers, &fill->fetch);
    fill->due = told ? SGD_FILL_DUE_NOTHING : SGD_FILL_DUE_START;
    if (!told)
        sgd_fill_set_stuck(fill);
}

static void refuse(struct sgd_fill *fill)
{
    sgd_fill_close_door(fill);
    sgd_fill_answer_all(fill, SGD_GOT_FULL);
    fill_free(fill);
}

/* Something new of which only a part was asked for: fetch whole slices around it. */
static void ask_part(struct sgd_fill *fill, const struct sgd_want *leader)
{
    uint64_t first, last;
    uint64_t slice_bytes = sge_content_slice_bytes(fill->d->worker->content);
    if (fill->solo || fill->base != NULL || leader->whole || !fill->site->cache.range_fill ||
        !sgd_range_hint(&leader->req, &first, &last) || (first == 0 && last == UINT64_MAX) ||
        first / slice_bytes > UINT32_MAX - SGD_FILL_SLICES_MAX - 1)
        return;
    uint64_t slices = last / slice_bytes - first / slice_bytes + 1;
    fill->range_fill = true;
    fill->fill_slice = fill->next_slice = (uint32_t)(first / slice_bytes);
    fill->end_slice = fill->fill_slice + (uint32_t)SG_MIN(slices, (uint64_t)SGD_FILL_SLICES_MAX);
}

static void begin_fetch(struct sgd_fill *fill)
{
    struct sgd_worker *w = fill->d->worker;
    struct sgd_want *leader = sgd_fill_first(fill);
    SG_ASSERT(leader != NULL);
    fill->purge_seq = sge_purges_seq(w->purges, w->id);
    ask_part(fill, leader);
    if (!compose(fill, leader)) {
        refuse(fill);
        return;
    }
    sgd_fill_enter(fill, SGD_FILL_FETCH);
    sge_stat_add(w->stats, SGE_STAT_origin_fetches, 1);
    start(fill);
}

void sgd_fill_abandon(struct sgd_fill *fill)
{
    sgd_fill_close_door(fill);
    fill->abandoned = true;
    if (fill->due == SGD_FILL_DUE_START) { /* it never began */
        sgd_fill_enter(fill, SGD_FILL_ENDING);
        sgd_fill_answer_all(fill, SGD_GOT_ERROR);
        fill_free(fill);
        return;
    }
    bool told = sgd_fetch_abort(fill->d->worker->fetchers, &fill->fetch);
    fill->due = told ? SGD_FILL_DUE_NOTHING : SGD_FILL_DUE_ABORT;
    if (!told)
        sgd_fill_set_stuck(fill);
}

void sgd_fill_abandon_all(struct sgd_delivery *d)
{
    sg_list_for_each_safe(it, &d->alive)
    {
        struct sgd_fill *fill = sg_list_entry(it, struct sgd_fill, alive);
        if (fill->state != SGD_FILL_LOOKUP && !fill->abandoned)
            sgd_fill_abandon(fill);
    }
}

void sgd_fill_release(struct sgd_fill *fill, uint64_t serial)
{
    if (fill->magic == sgd_fill_MAGIC && fill->serial == serial && !fill->abandoned)
        sgd_fill_abandon(fill);
}

/* ---- wants come ---- */

static void give_found(struct sgd_delivery *d, struct sgd_want *want, struct sge_object *object)
{
    want->got = SGD_GOT_OBJECT;
    want->object = object; /* its reference goes along */
    want->how = want->rounds > 0 ? SGE_CACHE_COLLAPSED : SGE_CACHE_HIT;
    want->stored = true;
    sgd_want_answer(d, want);
}

static void answer_simply(struct sgd_delivery *d, struct sgd_want *want, enum sgd_got got)
{
    want->got = got;
    sgd_want_answer(d, want);
}

/* Nobody fetches that key yet: look into the volume, or go to the origin. Takes found->object's
 * reference. What is known not to be for sharing is not waited for, but stored if that changed. */
static void open_fill(struct sgd_delivery *d, struct sgd_want *want, const struct sgd_lookup *found)
{
    struct sge_object *base = found->object;
    struct sgd_fill *fill = fill_make(d, want, &found->key);
    if (fill == NULL) {
        if (base != NULL)
            sg_hold_unref(&base->hold);
        answer_simply(d, want, SGD_GOT_FULL);
        return;
    }
    fill->base = base;
    fill->primary_len = (uint32_t)want->primary.bytes.len;
    if (!found->pass)
        sg_list_push_back(bucket_of(d, &fill->key), &fill->by_key);
    if (base == NULL && !found->pass &&
        sge_shard_look_up(d->worker->shard, &fill->key, (uint64_t)(uintptr_t)fill))
        return; /* SGE_EVENT_LOOKED_UP goes on */
    begin_fetch(fill);
}

/* Of what is not for sharing nobody fetches more than he asked for. */
static bool goes_alone(const struct sgd_lookup *found, const struct sgd_want *want)
{
    uint64_t first, last;
    return found->pass && !want->background && sgd_range_hint(&want->req, &first, &last);
}

static void want_object(struct sgd_delivery *d, struct sgd_want *want)
{
    char variant[SGE_KEY_BYTES_MAX];
    bool ignore = want->snapshot->config->sites[want->site].cache.ignore_client_no_cache;
    struct sgd_lookup_ask ask = {&want->req, ignore ? NULL : &want->cc, want->primary, variant};
    struct sgd_lookup found;
    sgd_lookup(d->worker, &ask, &found);
    want->vary_miss = found.vary && found.object == NULL;
    if (found.object != NULL && found.reuse != SGD_REUSE_VALIDATE && !want->background) {
        give_found(d, want, found.object);
        return;
    }
    if (found.object != NULL && found.reuse == SGD_REUSE_FRESH) { /* background: someone did it */
        sg_hold_unref(&found.object->hold);
        answer_simply(d, want, SGD_GOT_SOLO);
        return;
    }
    if (goes_alone(&found, want)) {
        answer_simply(d, want, SGD_GOT_SOLO);
        return;
    }
    struct sgd_fill *fill = found.pass ? NULL : fill_find(d, &found.key);
    if (fill == NULL) {
        open_fill(d, want, &found);
        return;
    }
    if (found.object != NULL)
        sg_hold_unref(&found.object->hold);
    if (fill->wants_count < SGD_FILL_WANTS_MAX)
        join(fill, want);
    else
        answer_simply(d, want, SGD_GOT_FULL);
}

static void want_slice(struct sgd_delivery *d, struct sgd_want *want)
{
    struct sge_body *body = want->have->body;
    if (!sge_body_slice_claim(d->worker->shard, body, want->slice)) {
        answer_simply(d, want, SGD_GOT_SLICE);
        return;
    }
    if (sge_body_load(d->worker->shard, body, want->slice, (uint64_t)(uintptr_t)want | 1))
        return; /* SGE_EVENT_LOADED goes on */
    sgd_fill_slices(d, want);
}

void sgd_fill_slices(struct sgd_delivery *d, struct sgd_want *want)
{
    struct sgd_fill *fill = fill_make(d, want, &want->primary);
    if (fill == NULL) {
        sge_body_slice_abandon(d->worker->shard, want->have->body, want->slice);
        answer_simply(d, want, SGD_GOT_FULL);
        return;
    }
    fill->base = want->have;
    sg_hold_ref(&fill->base->hold);
    fill->body = want->have->body;
    sg_hold_ref(sge_body_hold(fill->body));
    fill->slice_fill = true;
    fill->next_slice = fill->fill_slice = want->slice;
    fill->end_slice = want->slice + 1;
    while (fill->end_slice - want->slice < SG_MIN(want->slices, (uint32_t)SGD_FILL_SLICES_MAX) &&
           sge_body_slice_claim(d->worker->shard, fill->body, fill->end_slice))
        fill->end_slice++;
    begin_fetch(fill);
}

/* A new marker with a new salt leaves all variants behind; a plain object just goes. */
static void invalidate(struct sgd_delivery *d, struct sgd_want *want)
{
    sge_key_withdraw(d->worker->shard, &want->primary);
    answer_simply(d, want, SGD_GOT_SOLO);
}

void sgd_fill_want(struct sgd_delivery *d, struct sgd_want *want)
{
    switch (want->kind) {
    case SGD_WANT_OBJECT:
        if (want->rounds < WANT_ROUNDS_MAX)
            want_object(d, want);
        else
            answer_simply(d, want, SGD_GOT_SOLO);
        return;
    case SGD_WANT_SLICE:
        want_slice(d, want);
        return;
    case SGD_WANT_INVALIDATE:
        invalidate(d, want);
        return;
    case SGD_WANT_RELEASE:
        sgd_fill_release(want->lease, want->lease_serial);
        answer_simply(d, want, SGD_GOT_SOLO);
        return;
    }
    SG_UNREACHABLE();
}

void sgd_fill_solo(struct sgd_delivery *d, struct sgd_want *want)
{
    struct sgd_fill *fill = fill_make(d, want, &want->primary);
    if (fill == NULL) {
        answer_simply(d, want, SGD_GOT_FULL);
        return;
    }
    fill->solo = true;
    if (sgd_request_uploads(&want->req)) {
        fill->upload = sg_pool_take(&d->uploads);
        if (fill->upload == NULL) {
            refuse(fill);
            return;
        }
        memset(fill->upload, 0, offsetof(struct sgd_upload, bytes));
        fill->upload_x = want->x; /* he releases the fill before he goes */
    }
    want->lease = fill;
    want->lease_serial = fill->serial;
    begin_fetch(fill);
}

/* ---- events ---- */

/* All wants begin anew: what was found may be a marker, stale, or gone again. */
static void restart_wants(struct sgd_fill *fill)
{
    struct sgd_delivery *d = fill->d;
    struct sg_list wants;
    sgd_fill_close_door(fill);
    sgd_fill_take_all(fill, &wants);
    fill_free(fill);
    sgd_wants_begin_anew(d, &wants);
}

void sgd_fill_store_event(struct sgd_delivery *d, const struct sge_event *event)
{
    if (event->kind == SGE_EVENT_LOADED) {
        struct sgd_want *want =
            SG_CAST(sgd_want, (void *)(uintptr_t)(event->cookie & ~(uint64_t)1));
        if (event->ok)
            answer_simply(d, want, SGD_GOT_SLICE);
        else
            sgd_fill_slices(d, want);
        return;
    }
    struct sgd_fill *fill = SG_CAST(sgd_fill, (void *)(uintptr_t)event->cookie);
    SG_ASSERT(fill->state == SGD_FILL_LOOKUP);
    if (event->object != NULL) {
        sg_hold_unref(&event->object->hold);
        restart_wants(fill);
    } else {
        begin_fetch(fill);
    }
}

/* Whole slices are worth having, whatever became of the others. */
static void end_parts(struct sgd_fill *fill)
{
    sgd_fill_unclaim(fill);
    if (fill->body != NULL)
        sge_body_parts_filled(fill->d->worker->shard, fill->body);
}

static void on_done(struct sgd_fill *fill)
{
    struct sgd_worker *w = fill->d->worker;
    fill->error = fill->fetch.error;
    bool whole = fill->error == SGD_ORIGIN_none && !fill->abandoned;
    fill->windows = 0;
    if (fill->error != SGD_ORIGIN_none && !fill->abandoned)
        sge_stat_add(w->stats, SGE_STAT_origin_errors, 1);
    if (fill->state == SGD_FILL_FETCH && !fill->abandoned)
        sgd_fill_on_failure(fill);
    else if (fill->slice_fill || fill->range_fill)
        end_parts(fill);
    else if (fill->body != NULL)
        sge_body_finish(w->shard, fill->body, whole);
    if (fill->published && whole)
        sgd_refs_check(fill);
    if (fill->published && !whole)
        sge_object_withdraw(w->shard, fill->object); /* nothing half is ever found as whole */
    sgd_fill_answer_all(fill, SGD_GOT_ERROR);
    sgd_fill_enter(fill, SGD_FILL_ENDING);
    fill_free(fill);
}

/* To all who wait: each gets a copy, since the fetch may be over before he reads it. */
static void give_hints(struct sgd_fill *fill)
{
    const struct sgd_fetch *fetch = &fill->fetch;
    sg_list_for_each_safe(it, &fill->wants)
    {
        struct sgd_want *want = sg_list_entry(it, struct sgd_want, node);
        if (want->background || want->hints.len > 0)
            continue;
        char *memory = sgd_want_memory(want, fetch->hints_bytes);
        if (memory == NULL)
            continue;
        memcpy(memory, fetch->hints, fetch->hints_bytes);
        want->hints = (struct sg_str){memory, fetch->hints_bytes};
        sgd_want_hint(fill->d, want);
    }
}

void sgd_fill_fetch_event(struct sgd_delivery *d, const struct sg_msg *msg)
{
    const struct sgd_fetch *fetch = msg->ptr[0];
    struct sgd_fill *fill = SG_CAST(sgd_fill, fetch->user);
    SG_ASSERT(fill->d == d);
    switch (msg->type) {
    case SGD_FETCH_HEAD:
        if (!fill->abandoned)
            sgd_fill_on_head(fill);
        return;
    case SGD_FETCH_HINTS:
        give_hints(fill);
        return;
    case SGD_FETCH_DATA:
        sge_stat_add(d->worker->stats, SGE_STAT_origin_bytes, msg->arg32);
        if (!fill->abandoned)
            sgd_fill_on_data(fill, msg->arg32, msg->arg64 == 1);
        return;
    case SGD_FETCH_BODY_TAKEN:
        if (fill->upload != NULL)
            fill->upload->taken = msg->arg64;
        sgd_fill_pump_upload(fill);
        return;
    case SGD_FETCH_DONE:
        on_done(fill);
        return;
    default:
        SG_UNREACHABLE();
    }
}

static void unstick(struct sgd_fill *fill)
{
    switch (fill->due) {
    case SGD_FILL_DUE_START:
        start(fill);
        return;
    case SGD_FILL_DUE_ABORT:
        sgd_fill_abandon(fill);
        return;
    case SGD_FILL_DUE_NOTHING:
        break;
    }
    if (!fill->abandoned) {
        sgd_fill_pump(fill);
        sgd_fill_pump_upload(fill);
    }
}

uint64_t sgd_fill_turn(struct sgd_delivery *d, uint64_t now_ns)
{
    struct sg_list due;
    sg_list_init(&due);
    while (!sg_list_empty(&d->stuck))
        sg_list_push_back(&due, sg_list_pop_front(&d->stuck));
    for (struct sg_list *node; (node = sg_list_pop_front(&due)) != NULL;)
        unstick(sg_list_entry(node, struct sgd_fill, stuck));
    return sg_list_empty(&d->stuck) ? SG_NEVER : now_ns + 2 * SG_NS_PER_MS;
}
