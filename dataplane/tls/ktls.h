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

/* Sends one control record (alert) of `len` <= 2 bytes. SG_EAGAIN: the socket is full, again. */
SG_MUST_USE enum sg_err sgd_ktls_send_control(int fd, uint8_t type, const uint8_t *bytes,
                                              uint32_t len);

#endif
