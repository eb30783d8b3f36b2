#include "edgecache/state/mapfile.h"

#include "base/assert.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum sg_err sge_mapfile_open(const char *folder, const char *name, size_t bytes, bool writable,
                             void **map, int *fd)
{
    SG_ASSERT(folder != NULL && name != NULL);
    SG_ASSERT(map != NULL && fd != NULL);
    char path[4096];
    struct stat st;
    enum sg_err err = SG_OK;
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
        return SG_EINVAL;
    int file = open(path, (writable ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0640);
    if (file < 0)
        return sg_err_from_errno(errno);
    if (writable && ftruncate(file, (off_t)bytes) != 0)
        err = sg_err_from_errno(errno);
    else if (fstat(file, &st) != 0 || st.st_size < (off_t)bytes)
        err = SG_ECORRUPT; /* a load from beyond its end would be a signal */
    void *at = err != SG_OK ? MAP_FAILED
                            : mmap(NULL, bytes, PROT_READ | (writable ? PROT_WRITE : 0),
                                   MAP_SHARED | MAP_POPULATE, file, 0);
    if (at == MAP_FAILED && err == SG_OK)
        err = sg_err_from_errno(errno);
    if (err != SG_OK) {
        close(file);
        return err;
    }
    *map = at;
    *fd = file;
    return SG_OK;
}
