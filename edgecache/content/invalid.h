/* invalid - what was made invalid (RFC 9111 section 4.4), told from one process to the next while
 * both serve: a ring in a small file beside the content index, that both map. Keys are named by
 * their hashes, which are the same in both since the hash key is kept with the index.
 *
 * A word is seen by the other process with its next look, before the viewer hears that his change
 * was made. The newest SGE_INVALID_WORDS are there; who did not look for so many must take all that
 * it has for invalid. A killed process loses none of them, a power cut may. */
#ifndef SGE_CONTENT_INVALID_H
#define SGE_CONTENT_INVALID_H

#include "edgecache/content/content.h"

#define SGE_INVALID_WORDS 16384u

struct sge_invalid;
struct sge_invalid_word {
    uint64_t hash[2], owner_hash;
    uint64_t at_ns; /* Unix */
};

/* In `dir`, which exists. */
SG_MUST_USE enum sg_err sge_invalid_open(const char *dir, struct sge_invalid **out);
void sge_invalid_close(struct sge_invalid *invalid);

/* ---- any thread; none blocks ---- */
void sge_invalid_tell(struct sge_invalid *invalid, const struct sge_key *key, uint64_t now_ns);
/* How many words were told ever. */
uint64_t sge_invalid_end(const struct sge_invalid *invalid);
enum sge_invalid_got {
    SGE_INVALID_WORD, /* *out */
    SGE_INVALID_OWN,  /* this process told it itself */
    SGE_INVALID_NONE, /* it is being written, or its writer was killed over it */
    SGE_INVALID_LOST, /* overwritten by a newer one */
};
enum sge_invalid_got sge_invalid_get(const struct sge_invalid *invalid, uint64_t number,
                                     struct sge_invalid_word *out);

#endif
