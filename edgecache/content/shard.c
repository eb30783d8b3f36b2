#include "edgecache/content/store.h"

#include "edgecache/content/body.h"
#include "edgecache/content/object.h"
#include "edgecache/content/tier.h"

#define EVICT_ROUNDS  32 /* victims for one allocation */
#define ROUNDS_SINGLE 4  /* of these, before a victim's whole block is cleared */
#define MATES_MAX     256
#define TURN_ROUNDS   8 /* victims a turn, to keep blocks in reserve */

static struct sge_slot *entry_slot(const struct sge_entry *entry)
{
    SG_ASSERT(entry->kind == SGE_ENTRY_SLICE);
    return SG_CONTAINER_OF(entry, struct sge_slot, entry);
}

static struct sge_object_cell *entry_object(const struct sge_entry *entry)
{
    SG_ASSERT(entry->kind == SGE_ENTRY_OBJECT);
    return SG_CONTAINER_OF(entry, struct sge_object_cell, entry);
}

static bool cell_idle(const struct sge_cell *cell)
{
    return atomic_load_explicit(&cell->hold.refs, memory_order_relaxed) == 1;
}

/* Whether the rest of its object would be of little use without this slice: nothing but the origin
 * could bring it back. */
static bool slot_tears(const struct sge_slot *slot)
{
    const struct sge_body *body = slot->body;
    return atomic_load_explicit(&body->state, memory_order_relaxed) != SGE_BODY_OPEN &&
           !atomic_load_explicit(&body->on_disk, memory_order_acquire);
}

/* What can go without anybody missing it now. */
static bool entry_idle(const struct sge_entry *entry)
{
    if (entry->kind == SGE_ENTRY_OBJECT)
        return sge_object_idle(&entry_object(entry)->object);
    const struct sge_slot *slot = entry_slot(entry);
    if (!cell_idle(atomic_load_explicit(&slot->cell, memory_order_relaxed)))
        return false;
    return !slot_tears(slot) || (slot->body->object != NULL && sge_object_idle(slot->body->object));
}

/* What can go at all: readers of a torn object ask the origin for the rest, or are cut. */
static bool entry_spare(const struct sge_entry *entry)
{
    if (entry->kind == SGE_ENTRY_OBJECT)
        return false;
    return cell_idle(atomic_load_explicit(&entry_slot(entry)->cell, memory_order_relaxed));
}

static struct sge_entry *shard_victim(struct sge_shard *shard)
{
    struct sge_entry *entry = sge_policy_victim(shard->policy, entry_idle);
    return entry != NULL ? entry : sge_policy_victim(shard->policy, entry_spare);
}

static struct sge_cell *entry_cell(const struct sge_entry *entry)
{
    if (entry->kind == SGE_ENTRY_OBJECT)
        return entry_object(entry)->cell;
    return atomic_load_explicit(&entry_slot(entry)->cell, memory_order_relaxed);
}

/* A slice takes its object along rather than tear it, if nobody uses that. */
static void shard_evict_slot(struct sge_shard *shard, struct sge_slot *slot)
{
    struct sge_object *object = slot->body->object;
    if (slot_tears(slot) && object != NULL && sge_object_idle(object))
        sge_object_evict(shard, object);
    else
        sge_slot_evict(slot);
}

static void shard_evict(struct sge_shard *shard, struct sge_entry *entry)
{
    if (entry->kind == SGE_ENTRY_OBJECT)
        sge_object_evict(shard, &entry_object(entry)->object);
    else
        shard_evict_slot(shard, entry_slot(entry));
}

static void shard_collect(struct sge_shard *shard)
{
    sge_bodies_bury(shard);
    sge_arena_collect(shard->part);
}

bool sge_shard_evict_one(struct sge_shard *shard)
{
    struct sge_entry *entry = sge_policy_victim(shard->policy, entry_idle);
    if (entry == NULL)
        return false;
    shard_evict(shard, entry);
    return true;
}

void sge_shard_empty(struct sge_shard *shard)
{
    struct sge_entry *entry;
    while ((entry = sge_policy_any(shard->policy)) != NULL) {
        if (entry->kind == SGE_ENTRY_OBJECT)
            sge_object_unlist(shard, &entry_object(entry)->object); /* the disk keeps it */
        else
            sge_slot_evict(entry_slot(entry));
    }
}

/* New cells often lie beside the victims that made room for them: those stay. */
static bool body_filling(const struct sge_body *body)
{
    return atomic_load_explicit(&body->state, memory_order_relaxed) == SGE_BODY_OPEN;
}

/* What lies in a cell goes, if nobody uses it. */
static void shard_evict_cell(struct sge_shard *shard, struct sge_cell *cell)
{
    if (cell->user == NULL) /* an earlier eviction took it along */
        return;
    switch ((enum sge_cell_kind)cell->kind) {
    case SGE_CELL_SLICE: {
        struct sge_slot *slot = cell->user;
        if (sge_entry_queued(&slot->entry) && entry_idle(&slot->entry) && !body_filling(slot->body))
            shard_evict_slot(shard, slot);
        break;
    }
    case SGE_CELL_OBJECT:
        if (sge_object_idle(cell->user))
            sge_object_evict(shard, cell->user);
        break;
    case SGE_CELL_BODY: {
        struct sge_object *object = ((struct sge_body *)cell->user)->object;
        if (object != NULL && sge_object_idle(object))
            sge_object_evict(shard, object);
        break;
    }
    case SGE_CELL_FREE:
        break;
    }
}

static void shard_clear_block(struct sge_shard *shard, struct sge_cell *cell)
{
    struct sge_cell *mates[MATES_MAX];
    uint32_t count = sge_arena_mates(cell, mates, MATES_MAX);
    for (uint32_t i = 0; i < count; i++)
        shard_evict_cell(shard, mates[i]);
}

struct sge_cell *sge_shard_take(struct sge_shard *shard, uint32_t bytes, enum sge_cell_kind kind,
                                void *user)
{
    struct sge_cell *cell = sge_arena_take(shard->part, bytes, kind, user);
    for (int round = 0; cell == NULL && round < EVICT_ROUNDS; round++) {
        shard_collect(shard);
        cell = sge_arena_take(shard->part, bytes, kind, user);
        if (cell != NULL)
            break;
        struct sge_entry *entry = shard_victim(shard);
        if (entry == NULL)
            break;
        struct sge_cell *victim = entry_cell(entry);
        shard_evict(shard, entry);
        if (round >= ROUNDS_SINGLE)
            shard_clear_block(shard, victim);
        shard_collect(shard);
        cell = sge_arena_take(shard->part, bytes, kind, user);
    }
    if (cell == NULL)
        shard->counts.no_room++;
    return cell;
}

void sge_shard_turn(struct sge_shard *shard)
{
    uint32_t reserve = sge_arena_blocks(shard->part) / 64;
    shard_collect(shard);
    if (!sg_list_empty(&shard->untold))
        sge_bodies_tell(shard);
    sge_tier_turn(shard);
    /* Objects need a grace period to become free: start early. */
    for (int i = 0; i < TURN_ROUNDS && sge_arena_blocks_free(shard->part) < reserve; i++) {
        if (!sge_shard_evict_one(shard))
            break;
        shard_collect(shard);
    }
}

void sge_shard_counts(const struct sge_shard *shard, struct sge_shard_counts *out)
{
    *out = shard->counts;
    out->objects = shard->objects;
    out->used_bytes = sge_arena_used(shard->part);
}
