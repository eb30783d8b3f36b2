/* ktls - sending by the kernel's TLS: is it there, and switching a socket to it. Receiving stays
 * ours (dataplane/tls/record.h). Any thread; never blocks. */
#ifndef SGD_TLS_KTLS_H
#define SGD_TLS_KTLS_H

#include "base/err.h"
#include "dataplane/tls/keys.h"

#include <stdbool.h>
#include <stdint.h>

/* Tries it on a connection of the loopback, once at start: SG_OK, or why not (SG_ENOENT: no tls.ko;
 * SG_ENOTSUP: not AES-128-GCM). */
SG_MUST_USE enum sg_err sgd_ktls_probe(void);

/* Gives `keys->tx` to the kernel for the TCP socket `fd`: what is written to it from now on are
 * TLS records of application data. SG_ENOTSUP: this kernel does not know this cipher; the socket is
 * as it was and our own records go on. */
SG_MUST_USE enum sg_err sgd_ktls_install(int fd, const struct sgd_tls_keys *keys);

/* Ancillary data by which a sendmsg() sends one record of type `type` that is not data (an alert).
 * Written to `out`, which is aligned to 8. */
#define SGD_KTLS_TYPE_BYTES 24u
void sgd_ktls_put_type(uint8_t type, uint8_t out[SGD_KTLS_TYPE_BYTES]);

#endif
