/* osslhmac - HMAC with SHA-256 or SHA-384, as TLS's key schedules use it: another key each time,
 * over a few pieces. Any thread; neither allocates nor fails. */
#ifndef SGD_SYS_OSSLHMAC_H
#define SGD_SYS_OSSLHMAC_H

#include "dataplane/tls/span.h"

#include <stddef.h>
#include <stdint.h>

/* `hash_len` is 32 or 48, and the length of `out`, which may be one of the spans or the key; the
 * key has at most 64 bytes. */
void sgd_hmac(uint8_t hash_len, struct sgd_span key, const struct sgd_span *spans, size_t count,
              uint8_t *out);

#endif
