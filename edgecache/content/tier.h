/* tier - a shard's side of the disk tier: what it asks of the volume, what it hands it to keep, and
 * what must be forgotten there before anything else is said. On the owner's thread; with no volume
 * all of it does nothing. sge_shard_look_up(), sge_body_load(), sge_shard_heed() and
 * sge_shard_message() of content.h are here too. */
#ifndef SGE_CONTENT_TIER_H
#define SGE_CONTENT_TIER_H

#include "edgecache/content/store.h"

SG_MUST_USE enum sg_err sge_tier_open(struct sge_shard *shard);
void sge_tier_close(struct sge_tier *tier);

/* `object` was just published; `freshened`: over a body that was published before. */
void sge_tier_published(struct sge_shard *shard, struct sge_object *object, bool keep,
                        bool freshened);
/* `body` was finished, and well. */
void sge_tier_whole(struct sge_shard *shard, struct sge_body *body);
/* Some more slices of `body` came by ranges. */
void sge_tier_parts(struct sge_shard *shard, struct sge_body *body);
/* Before it leaves RAM for lack of room. */
void sge_tier_evicted(struct sge_shard *shard, struct sge_object *object);
/* Before it is taken from the index. */
void sge_tier_withdrawn(struct sge_shard *shard, struct sge_object *object);
/* Whatever the disk has under that key's hash is not to be found again. */
void sge_tier_forget(struct sge_shard *shard, const uint64_t hash[2]);
/* Once a turn. */
void sge_tier_turn(struct sge_shard *shard);

#endif
