#include "dataplane/tls/file.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sgd_file_stamp stamp_of(const struct stat *st)
{
    return (struct sgd_file_stamp){(uint64_t)st->st_ino, (uint64_t)st->st_size, st->st_mtim.tv_sec,
                                   (uint32_t)st->st_mtim.tv_nsec};
}

/* Until the end of the file or of the room. */
static enum sg_err read_to_end(int fd, uint8_t *out, size_t max, size_t *len)
{
    size_t have = 0;
    while (have < max) {
        ssize_t n = read(fd, out + have, max - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sg_err_from_errno(errno);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *len = have;
    return SG_OK;
}

enum sg_err sgd_file_read(const char *path, uint8_t *out, size_t max, size_t *len,
                          struct sgd_file_stamp *stamp)
{
    SG_ASSERT(path != NULL && out != NULL && len != NULL);
    struct stat st;
    size_t have = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_err_from_errno(errno);
    enum sg_err err = fstat(fd, &st) != 0 ? sg_err_from_errno(errno) : SG_OK;
    if (err == SG_OK && (uint64_t)st.st_size > max)
        err = SG_EMSGSIZE;
    if (err == SG_OK)
        err = read_to_end(fd, out, max, &have);
    close(fd);
    if (err != SG_OK)
        return err;
    *len = have;
    if (stamp != NULL)
        *stamp = stamp_of(&st);
    return SG_OK;
}

struct sgd_file_stamp sgd_file_stamp_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? stamp_of(&st) : (struct sgd_file_stamp){0};
}

bool sgd_file_changed(const char *path, const struct sgd_file_stamp *stamp)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    struct sgd_file_stamp now = stamp_of(&st);
    return now.inode != stamp->inode || now.bytes != stamp->bytes ||
           now.changed_s != stamp->changed_s || now.changed_ns != stamp->changed_ns;
}
