/* proxyv2 - the PROXY protocol's version 2 header (haproxy's proxy-protocol.txt), which a load
 * balancer puts in front of a connection. Pure: bytes in, addresses out. Version 1 is refused. */
#ifndef SGD_PROXYV2_H
#define SGD_PROXYV2_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_PROXYV2_HEAD_BYTES 16u
/* With its TLVs; longer ones are refused. */
#define SGD_PROXYV2_BYTES_MAX 4096u

struct sgd_proxyv2 {
    bool local; /* the balancer speaks for itself: the addresses are its own */
    struct sockaddr_in6 remote, local_address; /* IPv4 mapped; valid when !local */
};

/* SG_OK: *header_len bytes (<= len) were the header. SG_EAGAIN: right so far, more is needed.
 * SG_EPROTO: no such header. Outputs are written only with SG_OK. */
SG_MUST_USE enum sg_err sgd_proxyv2_parse(const uint8_t *bytes, size_t len, struct sgd_proxyv2 *out,
                                          size_t *header_len);

#endif
