/* store - what the parts of the content store see of each other: the store itself and a shard of
 * it. Not for other modules, which have content.h. */
#ifndef SGE_CONTENT_STORE_H
#define SGE_CONTENT_STORE_H

#include "base/sys/rcuhash.h"
#include "edgecache/content/arena.h"
#include "edgecache/content/content.h"
#include "edgecache/content/policy.h"
#include "edgecache/content/shares.h"

struct sge_content {
    struct sge_arena *arena;
    struct sg_rcuhash *index; /* every published object */
    struct sge_shares shares;
    struct sge_shard *shards;
    struct sg_mail *mail;
    uint32_t workers;
    uint32_t slice_bytes;
    uint32_t objects_max; /* a shard */
    uint8_t hash_key[16];
    struct sge_volume *volume; /* NULL: RAM only */
    bool disk_second_hit;
};

struct sge_shard {
    SG_ALIGNED _Atomic(struct sge_body *) gone; /* bodies nobody holds; any thread pushes */
    SG_ALIGNED struct sge_content *content;
    struct sge_arena_part *part;
    struct sge_policy *policy;
    struct sg_list untold; /* bodies whose watchers' mailboxes were full */
    uint32_t objects;      /* published */
    uint32_t brimming;     /* bodies that have all their bytes and are not finished */
    uint16_t id;
    struct sge_tier *tier; /* NULL: RAM only */
    struct sge_shard_counts counts;
};

/* A cell of at least `bytes`, for which others are evicted if need be. NULL: what could go is in
 * use. `kind` and `user` as in sge_arena_take(). */
struct sge_cell *sge_shard_take(struct sge_shard *shard, uint32_t bytes, enum sge_cell_kind kind,
                                void *user);
/* Evicts one object or slice that nobody uses. False: none can go now. */
bool sge_shard_evict_one(struct sge_shard *shard);
/* Takes everything out of RAM; before closing. */
void sge_shard_empty(struct sge_shard *shard);

#endif
