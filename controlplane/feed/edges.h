/* edges - who follows a region's stream, and how far each is: from what they report when they have
 * applied an entry. Any thread. */
#ifndef SGC_FEED_EDGES_H
#define SGC_FEED_EDGES_H

#include "controlplane/feed/feed.h"

#define SGC_EDGES_MAX 1024 /* the one heard of last makes room */

struct sgc_edges;
SG_MUST_USE enum sg_err sgc_edges_open(const struct sgc_feed *feed, struct sgc_edges **out);
/* Accepts NULL. */
void sgc_edges_close(struct sgc_edges *edges);

struct sgc_edge {
    char name[80];
    uint64_t seq;        /* the last entry it applied */
    uint64_t took_ns;    /* that entry, from the stream to its state, by its clock */
    uint64_t applied_ns; /* Unix: when; 0: it has applied none since it is known here */
    uint64_t seen_ns;    /* Unix, by our clock: when it last said something */
};
/* Up to `max` of them, by name; returns how many. */
uint32_t sgc_edges_list(struct sgc_edges *edges, struct sgc_edge *out, uint32_t max);

#endif
