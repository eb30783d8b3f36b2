/* prefetch - what a player will ask for next is fetched before he does: when a segment is answered,
 * the playlist that was last served beside it (or else the number in its name) tells what follows.
 * Bounded: a few segments, so many fetches at a time, each segment looked at once. */
#ifndef SGD_PREFETCH_H
#define SGD_PREFETCH_H

#include "dataplane/delivery/exchange.h"

struct sgd_prefetch; /* one worker's memory of playlists and of what was looked at */
SG_MUST_USE enum sg_err sgd_prefetch_open(struct sgd_prefetch **out);
void sgd_prefetch_close(struct sgd_prefetch *prefetch);
/* `x` was answered with 200 or 206 from an object of the store. Only for sites with
 * cache.prefetch_segments. */
void sgd_prefetch_after(struct sgd_exchange *x);
/* A want of ours came back. */
void sgd_prefetch_done(struct sgd_prefetch *prefetch);

#endif
