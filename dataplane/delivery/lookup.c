#include "dataplane/delivery/lookup.h"

#include "dataplane/delivery/cachekey.h"
#include "dataplane/delivery/stored.h"

/* What is missing of it could not be fetched without the risk of mixing two representations. */
static bool is_torn(const struct sge_object *object)
{
    return object->body != NULL && sge_body_lossy(object->body) && !sgd_stored_strong(object->head);
}

static void let_go(struct sgd_worker *worker, struct sge_object *object)
{
    if (object->shard == worker->id)
        sge_object_withdraw(worker->shard, object);
    sg_hold_unref(&object->hold);
}

/* The object at `key`, unless a purge ended it. *soft is set if it may be used, but as stale; what
 * its marker was before stays. */
static struct sge_object *find(struct sgd_worker *worker, const struct sge_key *key, bool *soft)
{
    struct sge_object *object = sge_content_find(worker->content, key);
    if (object == NULL)
        return NULL;
    if (is_torn(object)) {
        let_go(worker, object);
        return NULL;
    }
    *soft |= atomic_load_explicit(&object->stale_forced, memory_order_acquire);
    switch (sge_purges_check(worker->purges, worker->id, object)) {
    case SGE_PURGED_NOT:
        return object;
    case SGE_PURGED_SOFT:
        *soft = true;
        return object;
    case SGE_PURGED_HARD:
        break;
    }
    sge_stat_add(worker->stats, SGE_STAT_purge_refused, 1);
    let_go(worker, object);
    return NULL;
}

/* The variant that the marker leads to; the marker's reference ends here. */
static struct sge_object *find_variant(struct sgd_worker *worker, const struct sgd_lookup_ask *ask,
                                       struct sge_object *marker, struct sgd_lookup *out,
                                       bool *soft)
{
    struct sg_out text = sg_out_init(ask->variant_memory, SGE_KEY_BYTES_MAX);
    sgd_cachekey_variant(ask->primary.bytes, marker->head, ask->req, &text);
    sg_hold_unref(&marker->hold);
    if (text.full) {
        out->pass = true; /* more than a key holds: not for the store */
        return NULL;
    }
    sge_key_make(worker->content, sg_out_view(&text), ask->primary.bytes.len, &out->key);
    out->vary = true;
    return find(worker, &out->key, soft);
}

void sgd_lookup(struct sgd_worker *worker, const struct sgd_lookup_ask *ask, struct sgd_lookup *out)
{
    bool soft = false;
    sge_shard_heed(worker->shard);
    *out = (struct sgd_lookup){.key = ask->primary, .reuse = SGD_REUSE_VALIDATE};
    struct sge_object *object = find(worker, &ask->primary, &soft);
    if (object != NULL && (object->meta.flags & SGD_STORE_VARY_MARK))
        object = find_variant(worker, ask, object, out, &soft);
    if (object == NULL)
        return;
    enum sgd_reuse reuse = sgd_reuse_check(&object->meta, soft, ask->cc, worker->wall_ns);
    if (object->meta.flags & SGD_STORE_PASS_MARK) {
        out->pass = sgd_reuse_check(&object->meta, soft, NULL, worker->wall_ns) == SGD_REUSE_FRESH;
        sg_hold_unref(&object->hold);
        return;
    }
    out->object = object;
    out->reuse = reuse;
}
