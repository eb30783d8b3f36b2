/* b64url - base64url without padding (RFC 4648 section 5), read strictly: one spelling a value. */
#ifndef SG_BASE_B64URL_H
#define SG_BASE_B64URL_H

#include "base/out.h"

/* How many characters `len` bytes become. */
static inline size_t sg_b64url_chars(size_t len)
{
    return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

void sg_b64url_put(struct sg_out *out, const void *bytes, size_t len);
/* False, with *len untouched: another character (padding and blanks too), a length that no bytes
 * give, bits set that belong to none, or more than `cap` bytes. */
bool sg_b64url_read(struct sg_str text, uint8_t *out, size_t cap, size_t *len);
/* Base64 with its padding (RFC 4648 section 4), as JSON of other systems has it; as strict. */
bool sg_b64_read(struct sg_str text, uint8_t *out, size_t cap, size_t *len);
/* The characters of the alphabet, and at least one: a question of shape, before anything is read.
 */
bool sg_b64url_is(struct sg_str text);

#endif
