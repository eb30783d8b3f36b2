/* siphash - SipHash-2-4 (Aumasson and Bernstein, 2012), 64 and 128 bits: hashing of what peers
 * choose. The key is drawn at start, or stored beside what was hashed. */
#ifndef SG_BASE_SIPHASH_H
#define SG_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t sg_siphash64(const uint8_t key[16], const void *bytes, size_t len);
void sg_siphash128(const uint8_t key[16], const void *bytes, size_t len, uint64_t out[2]);

#endif
