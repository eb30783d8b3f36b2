/* u256 - the 256-bit unsigned numbers of the EVM, as 32 bytes big-endian: how they lie in logs, in
 * state and in memory alike, so memcmp() orders them. No allocation, any thread. */
#ifndef SG_BASE_U256_H
#define SG_BASE_U256_H

#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

struct sg_u256 {
    uint8_t bytes[32];
};

struct sg_u256 sg_u256_of(uint64_t v);
bool sg_u256_is_zero(const struct sg_u256 *v);
/* < 0, 0, > 0, as memcmp(). */
int sg_u256_cmp(const struct sg_u256 *a, const struct sg_u256 *b);
/* False: it overflowed (went below zero); *out is then untouched. *out may be a or b. */
bool sg_u256_add(const struct sg_u256 *a, const struct sg_u256 *b, struct sg_u256 *out);
bool sg_u256_sub(const struct sg_u256 *a, const struct sg_u256 *b, struct sg_u256 *out);
/* Decimal, or hexadecimal after 0x; no sign, no blanks, no empty text. False: not that, or above
 * 2^256 - 1. */
bool sg_u256_read(struct sg_str text, struct sg_u256 *out);
/* In decimal, without leading zeros. */
void sg_u256_put(struct sg_out *out, const struct sg_u256 *v);

#endif
