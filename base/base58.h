/* base58 - bytes in Bitcoin's alphabet, as Solana writes them; up to 128. No allocation, any
 * thread.
 */
#ifndef SG_BASE_BASE58_H
#define SG_BASE_BASE58_H

#include "base/out.h"

/* False: not exactly `len` bytes in base58; *out is then untouched. */
bool sg_base58_read(struct sg_str text, uint8_t *out, size_t len);
/* Letters of the alphabet and nothing else: a question of shape, for parts of such texts. */
bool sg_base58_is(struct sg_str text);
void sg_base58_put(struct sg_out *out, const uint8_t *bytes, size_t len);

#endif
