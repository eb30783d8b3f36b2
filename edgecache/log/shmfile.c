#include "edgecache/log/shmfile.h"

#include "base/assert.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Readable by all: the records hold no secret, and a reader (the access log's) needs no rights. */
#define SHMFILE_MODE 0644

static enum sg_err shmfile_new_name(const char *path, char name[PATH_MAX])
{
    int n = snprintf(name, PATH_MAX, "%s.new", path);
    return n > 0 && n < PATH_MAX ? SG_OK : SG_EINVAL;
}

static enum sg_err shmfile_map(int fd, size_t bytes, int prot, int flags, struct sge_shmfile *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return sg_err_from_errno(errno);
    void *memory = mmap(NULL, bytes, prot, MAP_SHARED | flags, fd, 0);
    if (memory == MAP_FAILED)
        return sg_err_from_errno(errno);
    *out = (struct sge_shmfile){memory, bytes, st.st_ino, st.st_dev};
    return SG_OK;
}

enum sg_err sge_shmfile_create(const char *path, size_t bytes, struct sge_shmfile *out)
{
    SG_ASSERT(path != NULL && out != NULL);
    SG_ASSERT(bytes > 0);
    char name[PATH_MAX];
    enum sg_err err = shmfile_new_name(path, name);
    if (err != SG_OK)
        return err;
    unlink(name); /* of a start that was cut short */
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, SHMFILE_MODE);
    if (fd < 0)
        return sg_err_from_errno(errno);
    int full = posix_fallocate(fd, 0, (off_t)bytes);
    err = full == 0 ? shmfile_map(fd, bytes, PROT_READ | PROT_WRITE, MAP_POPULATE, out)
                    : sg_err_from_errno(full);
    close(fd);
    if (err != SG_OK)
        unlink(name);
    return err;
}

enum sg_err sge_shmfile_publish(const char *path)
{
    char name[PATH_MAX];
    enum sg_err err = shmfile_new_name(path, name);
    if (err != SG_OK)
        return err;
    return rename(name, path) == 0 ? SG_OK : sg_err_from_errno(errno);
}

enum sg_err sge_shmfile_open(const char *path, size_t bytes_min, struct sge_shmfile *out)
{
    SG_ASSERT(path != NULL && out != NULL);
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_err_from_errno(errno);
    enum sg_err err = fstat(fd, &st) == 0 ? SG_OK : sg_err_from_errno(errno);
    if (err == SG_OK && (st.st_size < 0 || (size_t)st.st_size < bytes_min))
        err = SG_ECORRUPT;
    if (err == SG_OK)
        err = shmfile_map(fd, (size_t)st.st_size, PROT_READ, 0, out);
    close(fd);
    return err;
}

void sge_shmfile_close(struct sge_shmfile *file)
{
    if (file->memory != NULL)
        munmap(file->memory, file->bytes);
    *file = (struct sge_shmfile){0};
}

bool sge_shmfile_is_current(const struct sge_shmfile *file, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_ino == file->inode && st.st_dev == file->device;
}
