/* speaker - says words by hand (revocations, raised epochs and rule versions) to the stream, for
 * those who can't wait for it: they get a ticket, and ask later what became of it. A thread of its
 * own; any thread may call. */
#ifndef SGC_FEED_SPEAKER_H
#define SGC_FEED_SPEAKER_H

#include "controlplane/feed/feed.h"

#define SGC_TICKETS_KEPT 64 /* the oldest are forgotten */

struct sgc_speaker;
SG_MUST_USE enum sg_err sgc_speaker_open(const struct sgc_feed *feed, struct sgc_speaker **out);
/* Accepts NULL. */
void sgc_speaker_close(struct sgc_speaker *speaker);
/* SG_EFULL: too many wait. */
SG_MUST_USE enum sg_err sgc_speaker_say(struct sgc_speaker *speaker, const struct sge_word *word,
                                        uint64_t *ticket);
struct sgc_said {
    bool done;       /* the stream has it, or it failed: */
    enum sg_err err; /* of one that is done */
    uint64_t seq;    /* its entry */
};
/* SG_ENOENT: no such ticket, or forgotten. */
SG_MUST_USE enum sg_err sgc_speaker_said(struct sgc_speaker *speaker, uint64_t ticket,
                                         struct sgc_said *out);

#endif
