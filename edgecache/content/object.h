/* object - a stored response: the public struct sge_object (content.h), and before it what only the
 * store sees. Lies in one cell with its key and head behind it.
 *
 * The index holds one reference while it is published. When the last one is gone its memory waits
 * for a grace period, since others may be looking at its key that very moment. */
#ifndef SGE_CONTENT_OBJECT_H
#define SGE_CONTENT_OBJECT_H

#include "base/sys/rcu.h"
#include "edgecache/content/card.h"
#include "edgecache/content/store.h"

struct sge_object_cell {
    struct sg_rcuhash_node node; /* first: the index knows it by this */
    struct sg_rcu_head rcu;
    struct sge_entry entry;
    struct sge_cell *cell;
    _Atomic bool published; /* release before it enters the index: what a finder sees is whole */
    bool listed;            /* the owner's: it is in the index */
    bool keep;              /* the owner's: wanted on disk */
    bool maybe_on_disk;     /* the owner's: it came from there or was sent there */
    struct sg_list waiting; /* the owner's: for a second use, before it is kept */
    struct sge_object object;
};

static inline struct sge_object_cell *sge_object_cell(struct sge_object *object)
{
    return SG_CONTAINER_OF(object, struct sge_object_cell, object);
}

/* On a thread registered with RCU: whether `key` is in RAM. No use for eviction. */
bool sge_object_listed(struct sge_content *content, const struct sge_key *key);

/* The same, by the key's hash alone: the object in RAM until the thread's next quiescent state, or
 * NULL. */
struct sge_object *sge_object_named(struct sge_content *content, const uint64_t hash[2]);

/* By holders of a reference, when its body is whole: how many slices it has (more than
 * SGE_CARD_SLICES_MAX: too many), and its card, borrowing from it; the places are the caller's. */
uint32_t sge_object_slices(const struct sge_object *object);
struct sge_card sge_object_card(const struct sge_object *object);

/* ---- the owner's thread ---- */

/* Findable in RAM, in place of what had its key; takes the caller's reference. */
void sge_object_list(struct sge_shard *shard, struct sge_object *object);
/* No longer findable in RAM; harmless for one that is not. */
void sge_object_unlist(struct sge_shard *shard, struct sge_object *object);
/* Leaves RAM to make room, and is remembered. */
void sge_object_evict(struct sge_shard *shard, struct sge_object *object);
/* Whether evicting it would free anything: nobody uses or fills it. */
bool sge_object_idle(struct sge_object *object);

#endif
