/* sha1 - SHA-1 by OpenSSL: for the WebSocket handshake, which asks for it, and for nothing that
 * must be safe. Any thread. */
#ifndef SGC_SYS_SHA1_H
#define SGC_SYS_SHA1_H

#include <stddef.h>
#include <stdint.h>

void sgc_sha1(const void *bytes, size_t len, uint8_t out[20]);

#endif
