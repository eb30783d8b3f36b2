/* entry - one entry of a region's ownership stream as bytes: the changes of facts and the words
 * that become one batch of the state. A version, two counts, rows of fixed form: strict, bounded,
 * the same bytes for the same entry. */
#ifndef SGC_FEED_ENTRY_H
#define SGC_FEED_ENTRY_H

#include "base/err.h"
#include "base/out.h"
#include "edgecache/state/facts.h"

#define SGC_ENTRY_CHANGES_MAX 1024
#define SGC_ENTRY_WORDS_MAX   1024
#define SGC_ENTRY_BYTES_MAX   (320u << 10)

/* Writes the batch's changes and words; its stream and number are the stream's to say. False: more
 * than the maxima, or `out` is too small. */
SG_MUST_USE bool sgc_entry_write(const struct sge_batch *batch, struct sg_out *out);

/* Room for what is read, allocated once and used again. */
struct sgc_entry_room {
    struct sge_change changes[SGC_ENTRY_CHANGES_MAX];
    struct sge_word words[SGC_ENTRY_WORDS_MAX];
};
/* Fills in the batch's changes and words, which lie in `room`. SG_EVERSION: written by a newer
 * version of us. SG_ECORRUPT: no entry. */
SG_MUST_USE enum sg_err sgc_entry_read(struct sg_str bytes, struct sgc_entry_room *room,
                                       struct sge_batch *out);

#endif
