/* feed - the way from the ledger's outbox to every edge's state: what the parts of it call each
 * other by, and how one says a word to all edges. The stream has every entry under a number without
 * holes; an edge applies them one after another, so its mark says all that it knows. */
#ifndef SGC_FEED_FEED_H
#define SGC_FEED_FEED_H

#include "controlplane/bus/bus.h"
#include "edgecache/state/facts.h"

#define SGC_FEED_BEAT_MS 5000
#define SGC_REGION_MAX   48

/* Of one region. */
struct sgc_feed {
    struct sgc_bus *bus;
    char stream[64];
    char entries[96]; /* subjects */
    char beats[96];
    char applied[96];
    char hellos[96];
    char copies[96];
    char countersign[96]; /* the beginning of such subjects */
};
/* False: the region's name is none that a stream can have (letters, digits, - and _). */
SG_MUST_USE bool sgc_feed_init(struct sgc_feed *feed, struct sgc_bus *bus, const char *region);
/* Makes the stream, or finds it made. */
SG_MUST_USE enum sg_err sgc_feed_stream_open(const struct sgc_feed *feed);
/* Up to where the stream goes, and which it is: one made anew under the same name is another. */
SG_MUST_USE enum sg_err sgc_feed_at(const struct sgc_feed *feed, struct sgc_stream_info *info,
                                    struct sge_mark *last);
/* Appends words to the stream, for all edges; durable when it returns SG_OK. */
SG_MUST_USE enum sg_err sgc_feed_say(const struct sgc_feed *feed, const struct sge_word *words,
                                     uint32_t count, uint64_t *seq);

#endif
