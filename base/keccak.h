/* keccak - Keccak-256 as Ethereum uses it: the sponge of FIPS 202 with the padding of the original
 * submission (0x01, not SHA-3's 0x06). No allocation, any thread, never fails. */
#ifndef SG_BASE_KECCAK_H
#define SG_BASE_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define SG_KECCAK256_BYTES 32
#define SG_KECCAK256_RATE  136

struct sg_keccak256 {
    uint64_t lanes[25];
    uint32_t filled; /* bytes of the block under way: 0 .. SG_KECCAK256_RATE - 1 */
};

void sg_keccak256_init(struct sg_keccak256 *hash);
void sg_keccak256_add(struct sg_keccak256 *hash, const void *bytes, size_t len);
/* *hash must be begun anew afterwards. */
void sg_keccak256_final(struct sg_keccak256 *hash, uint8_t out[SG_KECCAK256_BYTES]);
void sg_keccak256(const void *bytes, size_t len, uint8_t out[SG_KECCAK256_BYTES]);

#endif
