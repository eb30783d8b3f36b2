/* volindex - the content index: an LMDB environment that says of every object on the volume what
 * it is and where (its card), and of every segment which objects lie in it. The volume's thread
 * changes it. Changes gather in one write transaction that is committed now and then: what that
 * thread finds includes them, what a crash loses is at most them. Another thread may have a view:
 * it finds what was committed. */
#ifndef SGE_CONTENT_VOLINDEX_H
#define SGE_CONTENT_VOLINDEX_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sge_volindex;
/* Where the log goes on; kept with each commit. */
struct sge_volhead {
    uint32_t segment;
    uint32_t page;     /* within it */
    uint64_t body_ids; /* the next one; gaps are allowed, repetition is not */
};

/* In `dir`/content, both made when absent: others keep things in `dir` too. `volume` is the id of
 * the disk: an index of another disk is emptied. `hash_key`: the store's key for hashing, kept here
 * since cards are found by it. Damaged: made anew, and said. Blocks. */
SG_MUST_USE enum sg_err sge_volindex_open(const char *dir, uint64_t map_bytes, uint64_t volume,
                                          struct sge_volindex **out);
/* Commits. Accepts NULL. */
void sge_volindex_close(struct sge_volindex *index);
const uint8_t *sge_volindex_hash_key(const struct sge_volindex *index);
struct sge_volhead sge_volindex_head(const struct sge_volindex *index);

/* The card's bytes, borrowed until the next change or commit. SG_ENOENT: none. */
SG_MUST_USE enum sg_err sge_volindex_get(struct sge_volindex *index, const uint64_t hash[2],
                                         struct sg_str *card);
SG_MUST_USE enum sg_err sge_volindex_put(struct sge_volindex *index, const uint64_t hash[2],
                                         struct sg_str card);
/* Notes that the object lies in `segment` too. */
SG_MUST_USE enum sg_err sge_volindex_note(struct sge_volindex *index, uint32_t segment,
                                          const uint64_t hash[2]);
/* Harmless for what is not there. */
SG_MUST_USE enum sg_err sge_volindex_del(struct sge_volindex *index, const uint64_t hash[2]);
/* Takes the next note of `segment`, in any order. SG_ENOENT: there are no more. */
SG_MUST_USE enum sg_err sge_volindex_take_note(struct sge_volindex *index, uint32_t segment,
                                               uint64_t hash[2]);
/* Forgets all objects; committed when it returns. */
SG_MUST_USE enum sg_err sge_volindex_drop(struct sge_volindex *index);
/* Changes since the last commit. */
uint32_t sge_volindex_changes(const struct sge_volindex *index);
/* On a failure (SG_ENOSPC, SG_EFULL, SG_EIO) all since the last commit is lost. Also after any
 * failure above: then nothing can be changed until it was called. */
SG_MUST_USE enum sg_err sge_volindex_commit(struct sge_volindex *index,
                                            const struct sge_volhead *head);
/* The number of the last commit. */
uint64_t sge_volindex_commits(const struct sge_volindex *index);
/* Gives up all since the last commit. */
void sge_volindex_abort(struct sge_volindex *index);
uint64_t sge_volindex_objects(struct sge_volindex *index);
/* What the tenant's objects take on the volume: kept up to date for the first 64 tenants. */
uint64_t sge_volindex_tenant_bytes(const struct sge_volindex *index, uint32_t tenant);

/* ---- on one other thread ---- */

/* Reads the index as of its newest commit. Ends before the index does. */
struct sge_volindex_view;
SG_MUST_USE enum sg_err sge_volindex_view_open(struct sge_volindex *index,
                                               struct sge_volindex_view **out);
void sge_volindex_view_close(struct sge_volindex_view *view);
/* As sge_volindex_get(); borrowed until _end(), which must follow, whatever this returned. */
SG_MUST_USE enum sg_err sge_volindex_view_find(struct sge_volindex_view *view,
                                               const uint64_t hash[2], struct sg_str *card);
void sge_volindex_view_end(struct sge_volindex_view *view);
/* Between the two: the number of the commit that it sees. */
uint64_t sge_volindex_view_commit(const struct sge_volindex_view *view);

#endif
