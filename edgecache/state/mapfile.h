/* mapfile - a small file of a fixed length that processes share by mapping it: words that come too
 * often to be worth a sync. */
#ifndef SGE_STATE_MAPFILE_H
#define SGE_STATE_MAPFILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* FOLDER/NAME, made of `bytes` zeros when absent and writable; for reading alone its map is too.
 * *fd: the file, for locks; the caller's to close. SG_ECORRUPT: it is shorter. */
SG_MUST_USE enum sg_err sge_mapfile_open(const char *folder, const char *name, size_t bytes,
                                         bool writable, void **map, int *fd);

#endif
