/* arena - the RAM tier's memory: one memfd, mapped, in blocks of 1 MiB. Each block belongs to one
 * shard for good; a block in use is cut into cells of one size class, 512 B .. 1 MiB. A cell is
 * counted by its hold, which lies in a side table, never in the cell: the bytes are all payload.
 *
 * Only the owner's thread takes cells, and without locks. The last reference may be dropped by any
 * thread: the cell then goes onto its owner's list (lock-free, many push, one takes all), and
 * sge_arena_collect() makes it free. Side tables are never unmapped while the arena is open: a
 * reader may try a reference on a cell that was freed under it (and must look again whether it got
 * the cell that it meant).
 *
 * hold.region is the number of the region in which the cell lies: region k is bytes k GiB ..
 * (k + 1) GiB of the arena. No cell crosses a region's border. */
#ifndef SGE_CONTENT_ARENA_H
#define SGE_CONTENT_ARENA_H

#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"

#define SGE_BLOCK_BYTES     (1u << 20)
#define SGE_CELL_BYTES_MIN  512u
#define SGE_CELLS_PER_BLOCK (SGE_BLOCK_BYTES / SGE_CELL_BYTES_MIN)
#define SGE_REGION_BYTES    (1ull << 30)
#define SGE_CELL_CLASSES    20

/* What a cell is used for: so that the owner, looking at a block, knows what to evict. */
enum sge_cell_kind {
    SGE_CELL_FREE,
    SGE_CELL_SLICE,  /* user: struct sge_slot */
    SGE_CELL_OBJECT, /* user: struct sge_object */
    SGE_CELL_BODY,   /* user: struct sge_body: the body itself, or a part of its slice table */
};
struct sge_cell {
    struct sg_hold hold;
    void *user;    /* the owner's; NULL once it left */
    uint32_t next; /* in its block's free list, or in the list of those let go */
    uint8_t kind;  /* enum sge_cell_kind */
};

struct sge_arena;
struct sge_arena_part; /* one shard's blocks */

/* `bytes` is rounded up to a block a shard. hugepages: hugetlb if it can be had, else pages. */
SG_MUST_USE enum sg_err sge_arena_open(uint64_t bytes, bool hugepages, uint32_t shards,
                                       struct sge_arena **out);
/* No cell may be held any more. Accepts NULL. */
void sge_arena_close(struct sge_arena *arena);
uint8_t *sge_arena_base(const struct sge_arena *arena);
uint64_t sge_arena_bytes(const struct sge_arena *arena);
int sge_arena_fd(const struct sge_arena *arena);
const char *sge_arena_kind(const struct sge_arena *arena); /* "hugetlb", "shmem-thp", "shmem" */
struct sge_arena_part *sge_arena_part(struct sge_arena *arena, uint32_t shard);

/* Any thread. */
uint8_t *sge_cell_memory(const struct sge_cell *cell);
uint32_t sge_cell_bytes(const struct sge_cell *cell);
/* The cell whose memory begins at `memory`. */
struct sge_cell *sge_cell_of(struct sge_arena *arena, const void *memory);
/* What a cell for `bytes` really takes. */
uint32_t sge_cell_bytes_for(uint32_t bytes);

/* ---- the owner's thread ---- */

/* A cell of at least `bytes` (1 .. 1 MiB) with one reference, or NULL. */
struct sge_cell *sge_arena_take(struct sge_arena_part *part, uint32_t bytes,
                                enum sge_cell_kind kind, void *user);
/* The owner drops its reference: the cell is free as soon as its readers let it go too. */
void sge_cell_leave(struct sge_cell *cell);
/* Frees what was let go since the last call. Returns how many cells. */
uint32_t sge_arena_collect(struct sge_arena_part *part);
uint32_t sge_arena_blocks(const struct sge_arena_part *part);
uint32_t sge_arena_blocks_free(const struct sge_arena_part *part);
/* Bytes of cells in use. */
uint64_t sge_arena_used(const struct sge_arena_part *part);
/* The cells in the block of `cell` that their user has not left: writes up to `max`, returns how
 * many. */
uint32_t sge_arena_mates(const struct sge_cell *cell, struct sge_cell **out, uint32_t max);

#endif
