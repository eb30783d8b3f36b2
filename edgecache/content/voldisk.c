#include "edgecache/content/voldisk.h"

#include "base/assert.h"
#include "base/log.h"
#include "edgecache/content/crc32c.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRONT_MAGIC   0x53474556u
#define FRONT_VERSION 1
#define LOCK_TRIES    30
#define LOCK_WAIT_US  100000

/* The first page of the disk; little-endian. */
struct front {
    uint32_t magic;
    uint32_t version;
    uint64_t id;
    uint32_t segment_bytes;
    uint32_t segments;
    uint32_t crc; /* of all before */
    uint32_t end;
};

/* ---- geometry ---- */

/* About 256 segments, so that one is a small part of all. */
static void disk_cut(struct sge_voldisk *disk, uint64_t bytes)
{
    uint64_t segment = SGE_SEGMENT_BYTES_MIN;
    while (segment < SGE_SEGMENT_BYTES_MAX && bytes / segment > 256)
        segment *= 2;
    uint64_t pages_max = (uint64_t)UINT32_MAX; /* pages are numbered in 32 bits: 16 TiB */
    uint64_t segments = (bytes - SGE_DISK_FRONT_BYTES) / segment;
    disk->segment_bytes = (uint32_t)segment;
    disk->segments = (uint32_t)SG_MIN(segments, pages_max / (segment / SGE_PAGE_BYTES));
}

uint64_t sge_voldisk_offset(uint32_t page)
{
    return SGE_DISK_FRONT_BYTES + (uint64_t)page * SGE_PAGE_BYTES;
}

uint32_t sge_voldisk_segment(const struct sge_voldisk *disk, uint32_t page)
{
    return page / (disk->segment_bytes / SGE_PAGE_BYTES);
}

bool sge_voldisk_within(const struct sge_voldisk *disk, uint32_t page, uint32_t bytes)
{
    uint32_t segment = sge_voldisk_segment(disk, page);
    uint64_t end = ((uint64_t)segment + 1) * disk->segment_bytes;
    return segment < disk->segments && (uint64_t)page * SGE_PAGE_BYTES + bytes <= end;
}

/* ---- the front page ---- */

static bool front_read(struct sge_voldisk *disk)
{
    static _Alignas(SGE_PAGE_BYTES) uint8_t page[SGE_PAGE_BYTES]; /* open and close: one thread */
    struct front front;
    if (pread(disk->fd, page, sizeof(page), 0) != sizeof(page))
        return false;
    memcpy(&front, page, sizeof(front));
    if (front.magic != FRONT_MAGIC || front.version != FRONT_VERSION ||
        front.crc != sge_crc32c(0, &front, offsetof(struct front, crc)) ||
        front.segment_bytes != disk->segment_bytes || front.segments != disk->segments)
        return false;
    disk->id = front.id;
    return true;
}

static enum sg_err front_write(struct sge_voldisk *disk)
{
    static _Alignas(SGE_PAGE_BYTES) uint8_t page[SGE_PAGE_BYTES];
    struct front front = {.magic = FRONT_MAGIC,
                          .version = FRONT_VERSION,
                          .segment_bytes = disk->segment_bytes,
                          .segments = disk->segments};
    if (getrandom(&front.id, sizeof(front.id), 0) != sizeof(front.id))
        return SG_EIO;
    front.crc = sge_crc32c(0, &front, offsetof(struct front, crc));
    memset(page, 0, sizeof(page));
    memcpy(page, &front, sizeof(front));
    errno = EIO; /* for a short write */
    if (pwrite(disk->fd, page, sizeof(page), 0) != sizeof(page) || fdatasync(disk->fd) != 0)
        return sg_err_from_errno(errno);
    disk->id = front.id;
    return SG_OK;
}

/* ---- open, close ---- */

/* Some file systems (tmpfs of old, FUSE) know no O_DIRECT. */
static int disk_open_fd(const char *path, bool *direct)
{
    int flags = O_RDWR | O_CLOEXEC;
    if (strncmp(path, "/dev/", 5) != 0) /* a device that is missing is not made as a file */
        flags |= O_CREAT;
    int fd = open(path, flags | O_DIRECT, 0640);
    *direct = fd >= 0;
    if (fd < 0 && errno == EINVAL)
        fd = open(path, flags, 0640);
    return fd;
}

/* One process at a time: the one before us may still be about to end. */
static enum sg_err disk_lock(int fd)
{
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK)
            return sg_err_from_errno(errno);
        if (tries == LOCK_TRIES)
            return SG_EBUSY;
        usleep(LOCK_WAIT_US);
    }
    return SG_OK;
}

/* A block device is as large as it is; a file is preallocated, so that it can't run out later. */
static enum sg_err disk_allocate(struct sge_voldisk *disk, uint64_t bytes, uint64_t *got)
{
    struct stat st;
    uint64_t device = 0;
    if (fstat(disk->fd, &st) != 0)
        return sg_err_from_errno(errno);
    if (S_ISBLK(st.st_mode)) {
        if (ioctl(disk->fd, BLKGETSIZE64, &device) != 0)
            return sg_err_from_errno(errno);
        *got = SG_MIN(bytes, device);
        return *got < SGE_DISK_BYTES_MIN ? SG_EINVAL : SG_OK;
    }
    if (!S_ISREG(st.st_mode))
        return SG_EINVAL;
    int rc = posix_fallocate(disk->fd, 0, (off_t)bytes);
    if (rc != 0)
        return sg_err_from_errno(rc);
    *got = bytes;
    return ftruncate(disk->fd, (off_t)bytes) == 0 ? SG_OK : sg_err_from_errno(errno);
}

enum sg_err sge_voldisk_open(const char *path, uint64_t bytes, struct sge_voldisk *out)
{
    SG_ASSERT(path != NULL);
    struct sge_voldisk disk = {0};
    if (bytes < SGE_DISK_BYTES_MIN)
        return SG_EINVAL;
    disk.fd = disk_open_fd(path, &disk.direct);
    if (disk.fd < 0)
        return sg_err_from_errno(errno);
    enum sg_err err = disk_lock(disk.fd);
    if (err == SG_OK)
        err = disk_allocate(&disk, bytes, &bytes);
    if (err == SG_OK) {
        disk_cut(&disk, bytes);
        disk.fresh = !front_read(&disk);
        if (disk.fresh)
            err = front_write(&disk);
    }
    if (err != SG_OK) {
        close(disk.fd);
        return err;
    }
    if (disk.fresh)
        sg_info("volume: %s formatted, %u segments of %u MiB", path, disk.segments,
                disk.segment_bytes >> 20);
    *out = disk;
    return SG_OK;
}

void sge_voldisk_close(struct sge_voldisk *disk)
{
    if (disk->fd <= 0)
        return;
    if (fdatasync(disk->fd) != 0)
        sg_warn("volume: flushing failed: %s", strerrordesc_np(errno));
    close(disk->fd);
    disk->fd = -1;
}
