/* body - a response's bytes in slices: a table of slots that grows without moving, so that readers
 * on other threads walk it while the owner adds to it. The public part is in content.h.
 *
 * A slot's cell and fill change only so: cell set, fill grows; or cell cleared, fill zeroed, and
 * only then the cell's reference dropped. A reader takes its reference in between and looks at the
 * cell again after it read the fill: what it then has belongs together. */
#ifndef SGE_CONTENT_BODY_H
#define SGE_CONTENT_BODY_H

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
    bool once;
    uint8_t group;
    uint32_t slice_bytes;
    /* the owner's */
    uint64_t filled_bytes;
    uint64_t name;             /* its key's hash, for ghosts; 0: not published yet */
    struct sge_object *object; /* the published one, or NULL; not a reference */
    struct sg_list untold;
    uint64_t untold_mask;
    struct sge_body *gone_next;
    _Atomic(struct sge_slot *) tables[SGE_TABLES_MAX];
    struct sge_slot first[SGE_SLOTS_INLINE];
};

/* ---- the owner's thread ---- */

/* The slice leaves RAM. */
void sge_slot_evict(struct sge_slot *slot);
/* Frees the bodies nobody holds. */
void sge_bodies_bury(struct sge_shard *shard);
/* Tries again to tell those whose mailbox was full. */
void sge_bodies_tell(struct sge_shard *shard);

#endif
