#include "edgecache/content/object.h"

#include "base/clock.h"
#include "edgecache/content/body.h"
#include "edgecache/content/invalid.h"
#include "edgecache/content/tier.h"
#include "edgecache/content/volume.h"

#include <string.h>

static uint64_t object_hash(const struct sge_key *key)
{
    return key->hash[0];
}

static bool object_is(const struct sg_rcuhash_node *node, const void *arg)
{
    const struct sge_object_cell *cell = (const struct sge_object_cell *)(const void *)node;
    const struct sge_key *key = arg;
    if (!atomic_load_explicit(&cell->published, memory_order_acquire))
        return false;
    const struct sge_key *own = &cell->object.key;
    return own->hash[0] == key->hash[0] && own->hash[1] == key->hash[1] &&
           sg_str_eq(own->bytes, key->bytes);
}

struct sge_object *sge_content_find(struct sge_content *content, const struct sge_key *key)
{
    struct sg_rcuhash_node *node =
        sg_rcuhash_find(content->index, object_hash(key), object_is, key);
    if (node == NULL)
        return NULL;
    struct sge_object_cell *cell = (struct sge_object_cell *)(void *)node;
    if (!sg_hold_try_ref(&cell->object.hold))
        return NULL;
    sge_entry_use(&cell->entry);
    return &cell->object;
}

bool sge_object_listed(struct sge_content *content, const struct sge_key *key)
{
    return sg_rcuhash_find(content->index, object_hash(key), object_is, key) != NULL;
}

static bool object_is_named(const struct sg_rcuhash_node *node, const void *arg)
{
    const struct sge_object_cell *cell = (const struct sge_object_cell *)(const void *)node;
    const uint64_t *hash = arg;
    return atomic_load_explicit(&cell->published, memory_order_acquire) &&
           cell->object.key.hash[0] == hash[0] && cell->object.key.hash[1] == hash[1];
}

struct sge_object *sge_object_named(struct sge_content *content, const uint64_t hash[2])
{
    struct sg_rcuhash_node *node = sg_rcuhash_find(content->index, hash[0], object_is_named, hash);
    return node == NULL ? NULL : &((struct sge_object_cell *)(void *)node)->object;
}

void sge_content_invalidate(struct sge_content *content, const struct sge_key *key)
{
    struct sge_object *object = sge_object_named(content, key->hash);
    if (object != NULL)
        atomic_store_explicit(&object->stale_forced, true, memory_order_release);
    if (content->volume != NULL)
        sge_invalid_tell(sge_volume_invalid(content->volume), key, sg_clock_wall_ns());
}

/* ---- for the disk ---- */

uint32_t sge_object_slices(const struct sge_object *object)
{
    if (object->body == NULL)
        return 0;
    uint64_t bytes = sge_body_bytes(object->body);
    uint64_t slices = (bytes + object->body->slice_bytes - 1) / object->body->slice_bytes;
    return (uint32_t)SG_MIN(slices, (uint64_t)SGE_CARD_SLICES_MAX + 1);
}

struct sge_card sge_object_card(const struct sge_object *object)
{
    struct sge_card card = {.key = object->key,
                            .meta = object->meta,
                            .head = object->head,
                            .slices = sge_object_slices(object)};
    if (object->body != NULL) {
        card.body_id = sge_body_disk_id(object->body);
        card.slice_bytes = object->body->slice_bytes;
        card.meta.body_bytes = sge_body_bytes(object->body);
    }
    return card;
}

/* ---- life ---- */

static void object_free(struct sg_rcu_head *head)
{
    struct sge_object_cell *cell = SG_CONTAINER_OF(head, struct sge_object_cell, rcu);
    sg_hold_unref(&cell->cell->hold);
}

static void object_release(struct sg_hold *hold)
{
    struct sge_object *object = SG_CONTAINER_OF(hold, struct sge_object, hold);
    if (object->body != NULL)
        sg_hold_unref(sge_body_hold(object->body));
    sg_rcu_defer(&sge_object_cell(object)->rcu, object_free);
}

static const struct sg_hold_ops object_ops = {.release = object_release};

static void object_fill(struct sge_object *object, const struct sge_object_new *from, char *bytes)
{
    memcpy(bytes, from->key->bytes.ptr, from->key->bytes.len);
    object->key = *from->key;
    object->key.bytes.ptr = bytes;
    bytes += from->key->bytes.len;
    if (from->head.len > 0)
        memcpy(bytes, from->head.ptr, from->head.len);
    object->head = (struct sg_str){bytes, from->head.len};
    object->meta = *from->meta;
    object->body = from->body;
    if (object->body != NULL)
        sg_hold_ref(sge_body_hold(object->body));
}

struct sge_object *sge_object_make(struct sge_shard *shard, const struct sge_object_new *from)
{
    SG_ASSERT(from->key->bytes.len > 0 && from->key->bytes.len <= SGE_KEY_BYTES_MAX);
    SG_ASSERT(from->head.len <= SGE_HEAD_BYTES_MAX);
    SG_ASSERT(from->meta->tags_count <= SGE_TAGS_MAX);
    SG_ASSERT(from->meta->prefixes_count <= SGE_PREFIXES_MAX);
    size_t bytes = sizeof(struct sge_object_cell) + from->key->bytes.len + from->head.len;
    struct sge_cell *cell = sge_shard_take(shard, (uint32_t)bytes, SGE_CELL_OBJECT, NULL);
    if (cell == NULL)
        return NULL;
    struct sge_object_cell *made = (struct sge_object_cell *)(void *)sge_cell_memory(cell);
    memset(made, 0, sizeof(*made));
    sge_entry_init(&made->entry, SGE_ENTRY_OBJECT);
    sg_list_init(&made->waiting);
    made->cell = cell;
    sg_hold_init(&made->object.hold, &object_ops);
    made->object.shard = shard->id;
    atomic_store_explicit(&made->object.purge_checked_seq, from->meta->birth_purge_seq,
                          memory_order_relaxed);
    object_fill(&made->object, from, (char *)(made + 1));
    return &made->object;
}

/* ---- in the index and out of it ---- */

/* After the index let it go. */
static void object_unlisted(struct sge_shard *shard, struct sge_object *object)
{
    struct sge_object_cell *cell = sge_object_cell(object);
    SG_ASSERT(cell->listed);
    cell->listed = false;
    cell->cell->user = NULL;
    sge_policy_remove(shard->policy, &cell->entry);
    sg_list_remove(&cell->waiting);
    if (object->body != NULL && object->body->object == object)
        object->body->object = NULL;
    shard->objects--;
    sg_hold_unref(&object->hold);
}

void sge_object_unlist(struct sge_shard *shard, struct sge_object *object)
{
    struct sge_object_cell *cell = sge_object_cell(object);
    SG_ASSERT(object->shard == shard->id);
    if (!cell->listed)
        return;
    bool removed = sg_rcuhash_remove(shard->content->index, &cell->node);
    SG_ASSERT(removed); /* only the owner removes */
    object_unlisted(shard, object);
}

void sge_object_evict(struct sge_shard *shard, struct sge_object *object)
{
    sge_policy_ghost(shard->policy, object->key.hash[0]);
    shard->counts.evicted_objects++;
    sge_tier_evicted(shard, object);
    sge_object_unlist(shard, object);
}

bool sge_object_idle(struct sge_object *object)
{
    struct sge_body *body = object->body;
    if (atomic_load_explicit(&object->hold.refs, memory_order_relaxed) > 1)
        return false;
    return body == NULL ||
           atomic_load_explicit(&body->state, memory_order_relaxed) != SGE_BODY_OPEN ||
           atomic_load_explicit(&body->hold.refs, memory_order_relaxed) == 1;
}

/* The store is bounded by objects too, not only by bytes. */
static void object_make_way(struct sge_shard *shard)
{
    for (int i = 0; i < 64 && shard->objects >= shard->content->objects_max; i++)
        if (!sge_shard_evict_one(shard))
            return;
}

static void object_enlist(struct sge_shard *shard, struct sge_object_cell *cell)
{
    struct sge_object *object = &cell->object;
    atomic_store_explicit(&cell->published, true, memory_order_release);
    struct sg_rcuhash_node *old = sg_rcuhash_replace(
        shard->content->index, object_hash(&object->key), object_is, &object->key, &cell->node);
    cell->listed = true;
    cell->cell->user = object;
    shard->objects++;
    if (old != NULL)
        object_unlisted(shard, &((struct sge_object_cell *)(void *)old)->object);
    if (object->body != NULL) {
        object->body->object = object;
        memcpy(object->body->key_hash, object->key.hash, sizeof(object->key.hash));
    }
    uint8_t group = sge_shares_group(&shard->content->shares, object->meta.tenant);
    sge_policy_insert(shard->policy, &cell->entry, sge_cell_bytes(cell->cell), group,
                      object->key.hash[0]);
}

void sge_object_list(struct sge_shard *shard, struct sge_object *object)
{
    SG_ASSERT(object->shard == shard->id);
    SG_ASSERT(sge_key_owner(shard->content, &object->key) == shard->id);
    SG_ASSERT(!sge_object_cell(object)->listed);
    object_make_way(shard);
    object_enlist(shard, sge_object_cell(object));
}

void sge_object_publish(struct sge_shard *shard, struct sge_object *object, bool keep)
{
    bool freshened = object->body != NULL && object->body->object != NULL;
    sge_object_list(shard, object);
    sge_tier_published(shard, object, keep, freshened);
}

void sge_object_withdraw(struct sge_shard *shard, struct sge_object *object)
{
    sge_tier_withdrawn(shard, object);
    sge_object_unlist(shard, object);
}

void sge_key_withdraw(struct sge_shard *shard, const struct sge_key *key)
{
    struct sge_object *object = sge_content_find(shard->content, key);
    if (object == NULL) {
        sge_tier_forget(shard, key->hash);
        return;
    }
    sge_object_withdraw(shard, object);
    sg_hold_unref(&object->hold);
}
