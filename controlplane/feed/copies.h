/* copies - a node's state for those who begin from nothing, or missed too much: given out in pieces
 * over the bus, all of one mark. copies.c serves, copy.c fetches. */
#ifndef SGC_FEED_COPIES_H
#define SGC_FEED_COPIES_H

#include "controlplane/feed/feed.h"

struct sgc_copies;
/* Serves copies of `state`, a few at a time, until it is closed. Borrows both. */
SG_MUST_USE enum sg_err sgc_copies_open(const struct sgc_feed *feed, struct sge_state *state,
                                        struct sgc_copies **out);
/* Accepts NULL. */
void sgc_copies_close(struct sgc_copies *copies);
uint64_t sgc_copies_given(struct sgc_copies *copies);

/* Fetches one from somebody who serves them and puts it in the place of what `state` has. Blocks,
 * for as long as pieces come. SG_ENOENT: nobody serves any. SG_ESTALE: theirs is of another stream
 * than `stream`. */
SG_MUST_USE enum sg_err sgc_copy_fetch(const struct sgc_feed *feed, struct sge_state *state,
                                       const uint8_t stream[16], struct sge_mark *mark);

/* What goes between the two. */
struct sgc_copy_begun {
    uint64_t session;
    struct sge_mark mark;
    char subject[128]; /* where its pieces are asked for */
};
#define SGC_COPY_BEGUN_BYTES 256
SG_MUST_USE bool sgc_copy_begun_write(const struct sgc_copy_begun *begun, struct sg_out *out);
SG_MUST_USE enum sg_err sgc_copy_begun_read(struct sg_str bytes, struct sgc_copy_begun *out);
#define SGC_COPY_ASK_BYTES 16
bool sgc_copy_ask_write(uint64_t session, uint32_t piece, struct sg_out *out);
SG_MUST_USE enum sg_err sgc_copy_ask_read(struct sg_str bytes, uint64_t *session, uint32_t *piece);
/* A piece begins with one of these. */
#define SGC_COPY_MORE 'm'
#define SGC_COPY_LAST 'l'

#endif
