#include "dataplane/sys/tcpinfo.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool sgd_tcpinfo_read(int fd, struct sgd_tcpinfo *out)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return false;
    *out = (struct sgd_tcpinfo){
        .rtt_us = info.tcpi_rtt,
        .cwnd_bytes = info.tcpi_snd_cwnd * info.tcpi_snd_mss,
        .mss = info.tcpi_snd_mss,
        .retransmits = info.tcpi_total_retrans,
        .acked_bytes = info.tcpi_bytes_acked,
    };
    return true;
}
