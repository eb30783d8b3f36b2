/* tcpinfo - what the kernel knows of a TCP connection: a door of its own, since linux/tcp.h and
 * netinet/tcp.h can't stand side by side and only the former is complete. */
#ifndef SGD_SYS_TCPINFO_H
#define SGD_SYS_TCPINFO_H

#include <stdbool.h>
#include <stdint.h>

struct sgd_tcpinfo {
    uint32_t rtt_us;
    uint32_t cwnd_bytes;
    uint32_t mss;
    uint32_t retransmits;
    uint64_t acked_bytes; /* since the connection's beginning */
};

/* False: the socket is none, or gone; *out is untouched. */
bool sgd_tcpinfo_read(int fd, struct sgd_tcpinfo *out);

#endif
