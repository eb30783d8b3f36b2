/* body - a response's bytes in slices: a table of slots that grows without moving, so that readers
 * on other threads walk it while the owner adds to it. The public part is in content.h.
 *
 * A slot's cell and fill change only so: cell set, fill grows; or cell cleared, fill zeroed, and
 * only then the cell's reference dropped. A reader takes its reference in between and looks at the
 * cell again after it read the fill: what it then has belongs together. */
#ifndef SGE_CONTENT_BODY_H
#define SGE_CONTENT_BODY_H

#include "edgecache/content/card.h"
#include "edgecache/content/store.h"

#define SGE_TABLES_MAX   14 /* table t has 2 << t slots */
#define SGE_SLOTS_INLINE 2
#define SGE_SLOTS_MAX    (2u * ((1u << SGE_TABLES_MAX) - 1))

enum sge_slot_state { SGE_SLOT_ABSENT, SGE_SLOT_CLAIMED, SGE_SLOT_FULL };
struct sge_slot {
    struct sge_entry entry;
    struct sge_body *body;
    _Atomic(struct sge_cell *) cell;
    _Atomic uint32_t filled;
    _Atomic uint8_t state; /* enum sge_slot_state */
    uint32_t number;
};

enum sge_body_state { SGE_BODY_OPEN, SGE_BODY_WHOLE, SGE_BODY_FAILED };
struct sge_body {
    struct sg_hold hold;
    struct sge_shard *shard;
    _Atomic uint64_t bytes;    /* SGE_LENGTH_UNKNOWN until known */
    _Atomic uint64_t watchers; /* a bit a worker */
    _Atomic uint64_t read_to;  /* once: readers are done with all before */
    _Atomic uint8_t state;     /* enum sge_body_state */
    _Atomic bool filling_all;  /* the fill of everything is under way */
    _Atomic bool lossy;        /* a slice left RAM and is on no disk */
    bool once;
    bool brims; /* the owner's: every byte is there, and its fill is not told to be over yet */
    uint8_t group;
    uint32_t slice_bytes;
    /* the owner's */
    uint64_t filled_bytes;
    uint64_t key_hash[2];      /* of the object that was published with it; 0: not yet */
    struct sge_object *object; /* the published one, or NULL; not a reference */
    struct sg_list untold;
    uint64_t untold_mask;
    /* the volume's, but for a body that was made from a card */
    _Atomic uint64_t disk_id;
    _Atomic bool on_disk;      /* all of it */
    _Atomic bool part_on_disk; /* or only some slices */
    struct sge_body *gone_next;
    _Atomic(struct sge_slot *) tables[SGE_TABLES_MAX];
    struct sge_slot first[SGE_SLOTS_INLINE];
};

/* ---- any thread ---- */

/* What its records on disk name it by; 0: there are none. */
static inline uint64_t sge_body_disk_id(const struct sge_body *body)
{
    return atomic_load_explicit(&body->disk_id, memory_order_relaxed);
}

/* Slice `number` if all of it is in RAM, with a reference; no use for eviction. */
bool sge_body_slice_whole(struct sge_body *body, uint32_t number, struct sg_slice *out);

/* ---- the owner's thread ---- */

/* A body that the card says is on disk, or a part of it, and of which nothing is in RAM yet. */
struct sge_body *sge_body_make_on_disk(struct sge_shard *shard, const struct sge_card *card);
/* A cell for the claimed slice to be loaded into, of *bytes; NULL: there is no room. */
struct sge_cell *sge_body_load_begin(struct sge_body *body, uint32_t slice);
/* The cell's bytes are the slice's; or not, and it goes. Tells watchers. */
void sge_body_load_end(struct sge_body *body, uint32_t slice, struct sge_cell *cell, bool ok);
/* The slice leaves RAM. */
void sge_slot_evict(struct sge_slot *slot);
/* Frees the bodies nobody holds. */
void sge_bodies_bury(struct sge_shard *shard);
/* Tries again to tell those whose mailbox was full. */
void sge_bodies_tell(struct sge_shard *shard);

#endif
