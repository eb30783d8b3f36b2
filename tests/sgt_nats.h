/* sgt_nats - a real nats-server with JetStream, or three of them as a cluster, for one test. The
 * ports are free ones of the loopback address; the server says which. */
#ifndef SGT_NATS_H
#define SGT_NATS_H

#include "tests/sgt_dir.h"
#include "tests/sgt_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct sgt_nats {
    pid_t pid;
    uint16_t port, cluster_port;
    char dir[SGT_DIR_BYTES];
};

static inline bool sgt_nats_here(void)
{
    return access("/usr/sbin/nats-server", X_OK) == 0;
}

static inline bool sgt_port_open(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return open;
}

static inline _Noreturn void sgt_nats_become(const struct sgt_nats *server, const char *name,
                                             const char *routes)
{
    char port[8], cluster[64], store[SGT_DIR_BYTES + 8], log[SGT_DIR_BYTES + 8];
    snprintf(port, sizeof(port), "%u", server->port);
    snprintf(cluster, sizeof(cluster), "nats://127.0.0.1:%u", server->cluster_port);
    snprintf(store, sizeof(store), "%s/store", server->dir);
    snprintf(log, sizeof(log), "%s/log", server->dir);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it ends with the test, however that ends */
    int fd = open("/dev/null", O_RDWR);
    dup2(fd, 0), dup2(fd, 1), dup2(fd, 2);
    if (routes == NULL)
        execl("/usr/sbin/nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd",
              store, "-l", log, (char *)NULL);
    else
        execl("/usr/sbin/nats-server", "nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd",
              store, "-l", log, "-n", name, "--cluster_name", "test", "--cluster", cluster,
              "--routes", routes, (char *)NULL);
    _exit(127);
}

/* (Again) on the ports and the folder that `server` has. Ready for clients when it returns. */
static inline void sgt_nats_run(struct sgt_nats *server, const char *name, const char *routes)
{
    server->pid = fork();
    if (server->pid == 0)
        sgt_nats_become(server, name, routes);
    for (int i = 0; i < 1000 && !sgt_port_open(server->port); i++)
        usleep(10000);
}

static inline void sgt_nats_start(struct sgt_nats *server)
{
    sgt_dir_make(server->dir);
    server->port = sgt_port_free();
    sgt_nats_run(server, NULL, NULL);
}

static inline void sgt_nats_stop(struct sgt_nats *server, int signal)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline void sgt_nats_end(struct sgt_nats *server)
{
    sgt_nats_stop(server, SIGKILL);
    sgt_dir_remove(server->dir);
}

#endif
