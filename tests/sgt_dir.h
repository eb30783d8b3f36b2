/* sgt_dir - a folder of a test's own, under $TMPDIR, and its removal with all that is in it. */
#ifndef SGT_DIR_H
#define SGT_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SGT_DIR_BYTES 512

/* Makes it; the name is written to `dir`, which is also the answer. Aborts when it can't. */
static inline const char *sgt_dir_make(char dir[SGT_DIR_BYTES])
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, SGT_DIR_BYTES, "%s/sgt.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        abort();
    return dir;
}

/* The same in memory, where the machine has such a place: for what commits hundreds of times and is
 * not about disks, which others may keep busy. */
static inline const char *sgt_dir_make_light(char dir[SGT_DIR_BYTES])
{
    snprintf(dir, SGT_DIR_BYTES, "/dev/shm/sgt.XXXXXX");
    return mkdtemp(dir) != NULL ? dir : sgt_dir_make(dir);
}

static inline int sgt_dir_remove_one(const char *path, const struct stat *st, int kind,
                                     struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void sgt_dir_remove(const char *dir)
{
    nftw(dir, sgt_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
