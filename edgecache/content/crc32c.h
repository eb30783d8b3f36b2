/* crc32c - the checksum of what lies on disk (Castagnoli, as iSCSI's): by the processor's own
 * instruction where it has one. */
#ifndef SGE_CONTENT_CRC32C_H
#define SGE_CONTENT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of `bytes`, going on from `crc`: 0 to begin with. */
uint32_t sge_crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
