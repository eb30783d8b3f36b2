/* publisher - brings what the ledger has for the ownership stream into it, entry by entry and each
 * once, and beats: tells all edges up to where the stream is whole, and where the chains' heads
 * are. A thread of its own. One publisher a region: its ledger is the only one that writes facts.
 */
#ifndef SGC_FEED_PUBLISHER_H
#define SGC_FEED_PUBLISHER_H

#include "controlplane/chain/ledger.h"
#include "controlplane/feed/feed.h"

struct sgc_publisher;
struct sgc_publisher_options {
    const struct sgc_feed *feed;
    struct sgc_ledger *ledger; /* NULL: no chain is followed; beats only */
    struct sge_state *state;   /* where the followers say how far the chains are; an agent of this
                                  node brings the stream into it */
    uint32_t beat_ms;          /* 0: SGC_FEED_BEAT_MS */
};
/* Borrows all it is given. */
SG_MUST_USE enum sg_err sgc_publisher_open(const struct sgc_publisher_options *options,
                                           struct sgc_publisher **out);
/* Accepts NULL. What is in the outbox still goes at the next start. */
void sgc_publisher_close(struct sgc_publisher *publisher);

/* The stream gets no further ahead of our own state than that. Edges that come load copies of it,
 * and a copy that ends where the stream no longer reaches would be of use to nobody. */
#define SGC_PUBLISHER_AHEAD_MAX 256

struct sgc_publisher_view {
    bool ready;              /* the stream is there, and the outbox was empty at the last look */
    uint64_t entries, beats; /* since the start */
    uint64_t last;           /* number of the stream's last entry */
    enum sg_err trouble;     /* why it waits; SG_OK: it does not */
};
void sgc_publisher_view(struct sgc_publisher *publisher, struct sgc_publisher_view *out);

#endif
