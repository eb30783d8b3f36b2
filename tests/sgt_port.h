/* sgt_port - a port of the loopback address that is free, and that nobody is given by chance before
 * it is used: it lies below those that the kernel gives to whoever asks for any. */
#ifndef SGT_PORT_H
#define SGT_PORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define SGT_PORT_FIRST 20000
#define SGT_PORT_COUNT 12000 /* net.ipv4.ip_local_port_range begins at 32768 */

static inline bool sgt_port_bind(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return bound;
}

static inline uint16_t sgt_port_free(void)
{
    for (int i = 0; i < 1000; i++) {
        uint16_t draw;
        if (getrandom(&draw, sizeof(draw), 0) != sizeof(draw))
            break;
        uint16_t port = (uint16_t)(SGT_PORT_FIRST + draw % SGT_PORT_COUNT);
        if (sgt_port_bind(port))
            return port;
    }
    abort();
}

#endif
