/* file - a small file read whole, and whether it is another one by now: what is read again while
 * the node runs. Control threads only. */
#ifndef SGD_TLS_FILE_H
#define SGD_TLS_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which version of a file was read. */
struct sgd_file_stamp {
    uint64_t inode, bytes;
    int64_t changed_s;
    uint32_t changed_ns;
};

/* Reads at most `max` bytes. SG_EMSGSIZE: it is larger; else what open or read said. *len and
 * *stamp are written only on SG_OK; stamp may be NULL. */
SG_MUST_USE enum sg_err sgd_file_read(const char *path, uint8_t *out, size_t max, size_t *len,
                                      struct sgd_file_stamp *stamp);
/* What is there now; zero where it can't be looked at. */
struct sgd_file_stamp sgd_file_stamp_of(const char *path);
/* True when `path` is not what `stamp` saw, and can be looked at. */
bool sgd_file_changed(const char *path, const struct sgd_file_stamp *stamp);

#endif
