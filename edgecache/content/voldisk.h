/* voldisk - the file or block device under the volume: a page that says what it is, and segments of
 * one size. O_DIRECT where it can be had. Blocking calls only here; the volume's threads read
 * and write slices through sge_aio on the same descriptor. */
#ifndef SGE_CONTENT_VOLDISK_H
#define SGE_CONTENT_VOLDISK_H

#include "base/err.h"
#include "edgecache/content/record.h"

#include <stdbool.h>

#define SGE_DISK_FRONT_BYTES  (1u << 20) /* before the first segment */
#define SGE_SEGMENT_BYTES_MIN (4u << 20)
#define SGE_SEGMENT_BYTES_MAX (64u << 20)
#define SGE_SEGMENTS_MIN      4u
#define SGE_DISK_BYTES_MIN    (SGE_DISK_FRONT_BYTES + SGE_SEGMENTS_MIN * SGE_SEGMENT_BYTES_MIN)

struct sge_voldisk {
    int fd;
    bool direct; /* O_DIRECT is on */
    bool fresh;  /* it was made or formatted at this open */
    uint64_t id; /* drawn when it was formatted */
    uint32_t segment_bytes;
    uint32_t segments;
};

/* Opens `path`, made and preallocated when absent; of another size or damaged, it is formatted
 * anew: what was on it is lost, and the log says so. SG_ENOSPC and the like: there is no disk.
 * SG_EBUSY: another process has it, and kept it for the seconds that this waits. */
SG_MUST_USE enum sg_err sge_voldisk_open(const char *path, uint64_t bytes, struct sge_voldisk *out);
/* Flushes and closes. */
void sge_voldisk_close(struct sge_voldisk *disk);
/* Where page `page` of the volume lies: pages are counted from the first segment. */
uint64_t sge_voldisk_offset(uint32_t page);
uint32_t sge_voldisk_segment(const struct sge_voldisk *disk, uint32_t page);
/* Whether a record of `bytes` at `page` lies within one segment of this disk. */
bool sge_voldisk_within(const struct sge_voldisk *disk, uint32_t page, uint32_t bytes);

#endif
