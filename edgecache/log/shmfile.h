/* shmfile - a file mapped by one writer and any number of readers in other processes. The writer
 * replaces what was there by a rename, so a reader of the old one keeps a whole file and can see
 * that it is superseded. Control threads only: all calls block. */
#ifndef SGE_SHMFILE_H
#define SGE_SHMFILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sge_shmfile {
    void *memory;
    size_t bytes;
    uint64_t inode, device; /* of the file that is mapped */
};

/* A new zeroed file of `bytes` at `path`, mapped for writing, its pages taken already: the writers
 * meet neither a page fault nor SIGBUS on a full file system (SG_ENOSPC says so here). It is not
 * at `path` before sge_shmfile_publish(). */
SG_MUST_USE enum sg_err sge_shmfile_create(const char *path, size_t bytes, struct sge_shmfile *out);
/* Moves what was created in place of what is at `path`. */
SG_MUST_USE enum sg_err sge_shmfile_publish(const char *path);
/* Maps what is at `path`, read only. SG_ECORRUPT: shorter than `bytes_min`. */
SG_MUST_USE enum sg_err sge_shmfile_open(const char *path, size_t bytes_min,
                                         struct sge_shmfile *out);
/* Accepts one that was never opened (all zero). */
void sge_shmfile_close(struct sge_shmfile *file);
/* False once another file is at `path`, or none. */
bool sge_shmfile_is_current(const struct sge_shmfile *file, const char *path);

#endif
