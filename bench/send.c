/* send - what sending costs on this kernel and this path, by size and way: the CPU seconds of one
 * sender a GB, with 16 connections and one send each under way.
 *   send [-s SECONDS] [HOST PORT]     without HOST: to a sink of its own, over the loopback
 *   send -l PORT                      be the sink, for a sender on another machine
 * Ways: copy (one send), gather (sendmsg of a 300 byte head and the rest), zc (SEND_ZC out of
 * registered memory; "kernel copied" when it told that it did). docs/engine.md has what was found
 * and what the engine makes of it. */
#include "base/assert.h"
#include "base/clock.h"
#include "dataplane/sys/uring.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNS        16
#define HEAD_BYTES   300
#define MEMORY_BYTES (32u << 20)
#define NOTIFS_MAX   4u /* sent, and not yet given up by the kernel, a connection */

enum way { COPY, GATHER, ZC };
static const char *const way_names[] = {"copy", "gather", "zc"};
static const uint32_t sizes[] = {4096, 16384, 32768, 65536, 131072, 262144, 524288, 1048576};

struct conn {
    int fd;
    uint32_t notifs;
    size_t offset; /* where in the memory the next send begins */
    struct iovec parts[2];
    struct msghdr message;
};

struct sender {
    struct sgd_ring *ring;
    uint8_t *memory;
    struct conn conns[CONNS];
    enum way way;
    uint32_t size;
    uint64_t bytes, notifs, copied;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void pin(size_t core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        perror("sched_setaffinity"); /* one core only: the figures are then worth little */
}

/* ---- the sink: drops what comes, without copying it ---- */

static int sink_listen(uint16_t port, struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    address->sin_addr.s_addr = htonl(port == 0 ? INADDR_LOOPBACK : INADDR_ANY);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)address, len) != 0 || listen(fd, CONNS) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) != 0)
        fail("listen");
    return fd;
}

/* Until the senders are gone. */
static void sink_run(int listener)
{
    struct pollfd fds[CONNS];
    for (int i = 0; i < CONNS; i++) {
        fds[i] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
        if (fds[i].fd < 0)
            fail("accept");
    }
    for (int open = CONNS; open > 0 && poll(fds, CONNS, -1) > 0;)
        for (int i = 0; i < CONNS; i++)
            if (fds[i].revents != 0 && recv(fds[i].fd, NULL, 1 << 20, MSG_TRUNC) <= 0) {
                close(fds[i].fd);
                fds[i].fd = -1;
                open--;
            }
}

/* ---- the sender ---- */

static void sender_submit(struct sender *s, struct conn *conn)
{
    const uint8_t *bytes = s->memory + conn->offset;
    uint64_t tag = (uint64_t)(conn - s->conns) + 1;
    conn->offset = (conn->offset + s->size) % (MEMORY_BYTES - s->size);
    switch (s->way) {
    case COPY:
        sgd_ring_send(s->ring, conn->fd, bytes, s->size, MSG_WAITALL, tag);
        break;
    case GATHER:
        conn->parts[0] = (struct iovec){s->memory, HEAD_BYTES};
        conn->parts[1] = (struct iovec){(void *)(uintptr_t)bytes, s->size - HEAD_BYTES};
        conn->message = (struct msghdr){.msg_iov = conn->parts, .msg_iovlen = 2};
        sgd_ring_sendmsg(s->ring, conn->fd, &conn->message, MSG_WAITALL, tag);
        break;
    case ZC:
        sgd_ring_send_zc(s->ring, conn->fd, bytes, s->size, MSG_WAITALL, 0, tag);
        break;
    }
}

static void sender_completed(struct sender *s, const struct sgd_cqe *cqe)
{
    struct conn *conn = &s->conns[cqe->tag - 1];
    bool waited = conn->notifs == NOTIFS_MAX;
    if (cqe->notif) {
        conn->notifs--;
        s->notifs++;
        s->copied += cqe->result < 0;
        if (waited)
            sender_submit(s, conn);
        return;
    }
    if (cqe->result <= 0) {
        fprintf(stderr, "send: %s\n", strerror(-cqe->result));
        exit(1);
    }
    s->bytes += (uint32_t)cqe->result;
    conn->notifs += cqe->more;
    if (conn->notifs < NOTIFS_MAX)
        sender_submit(s, conn);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void sender_run(struct sender *s, const struct sockaddr_in *to, double seconds)
{
    struct sgd_cqe cqes[64];
    struct iovec registered = {s->memory, MEMORY_BYTES};
    if (sgd_ring_open(256, &s->ring) != SG_OK ||
        sgd_ring_register(s->ring, &registered, 1) != SG_OK)
        fail("io_uring");
    for (int i = 0; i < CONNS; i++) {
        s->conns[i] = (struct conn){.fd = socket(AF_INET, SOCK_STREAM, 0)};
        if (connect(s->conns[i].fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
            fail("connect");
        sender_submit(s, &s->conns[i]);
    }
    uint64_t begin_ns = sg_clock_mono_ns(), length_ns = (uint64_t)(seconds * 1e9);
    double cpu = cpu_seconds();
    while (sg_clock_mono_ns() - begin_ns < length_ns) {
        sgd_ring_wait(s->ring, SG_NS_PER_SEC);
        uint32_t count = sgd_ring_take(s->ring, cqes, SG_COUNT(cqes));
        for (uint32_t i = 0; i < count; i++)
            sender_completed(s, &cqes[i]);
    }
    cpu = cpu_seconds() - cpu;
    double wall = (double)(sg_clock_mono_ns() - begin_ns) / 1e9, gb = (double)s->bytes / 1e9;
    printf("%8u %-7s %8.3f CPU-s/GB %7.1f Gb/s%s\n", s->size, way_names[s->way], cpu / gb,
           gb * 8 / wall, s->notifs > 0 && s->copied * 2 > s->notifs ? "  kernel copied" : "");
    fflush(stdout);
    for (int i = 0; i < CONNS; i++)
        shutdown(s->conns[i].fd, SHUT_RDWR);
    sgd_ring_close(s->ring);
    for (int i = 0; i < CONNS; i++)
        close(s->conns[i].fd);
}

/* One cell of the table, in processes of its own: the sink's, and where it is ours the sender's. */
static void measure(enum way way, uint32_t size, const struct sockaddr_in *remote, double seconds)
{
    struct sockaddr_in to;
    struct sender sender = {.way = way, .size = size};
    int listener = remote == NULL ? sink_listen(0, &to) : -1;
    pid_t sink = remote == NULL ? fork() : 0;
    if (remote == NULL && sink == 0) {
        pin(1);
        sink_run(listener);
        _exit(0);
    }
    sender.memory =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sender.memory == MAP_FAILED)
        fail("mmap");
    (void)madvise(sender.memory, MEMORY_BYTES, MADV_HUGEPAGE);
    memset(sender.memory, 'x', MEMORY_BYTES);
    sender_run(&sender, remote != NULL ? remote : &to, seconds);
    munmap(sender.memory, MEMORY_BYTES);
    if (sink > 0)
        waitpid(sink, NULL, 0);
    if (listener >= 0)
        close(listener);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    double seconds = 0.5;
    int option, port = 0;
    while ((option = getopt(argc, argv, "s:l:")) != -1) {
        if (option == 's')
            seconds = atof(optarg);
        else if (option == 'l')
            port = atoi(optarg);
        else
            return 2;
    }
    if (port != 0)
        for (int listener = sink_listen((uint16_t)port, &address);;)
            sink_run(listener);
    bool remote = argc - optind == 2;
    if (remote && inet_pton(AF_INET, argv[optind], &address.sin_addr) != 1)
        return 2;
    if (remote)
        address.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
    signal(SIGPIPE, SIG_IGN);
    pin(0);
    for (size_t i = 0; i < SG_COUNT(sizes); i++)
        for (enum way way = COPY; way <= ZC; way++)
            measure(way, sizes[i], remote ? &address : NULL, seconds);
    return 0;
}
