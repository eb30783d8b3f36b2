#include "tests/unit/dataplane/origin/liar.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define HEAD_BYTES      65536

struct sgt_liar {
    int fd;
    uint16_t port;
    const struct sgt_liar_script *scripts;
    _Atomic bool stop;
    _Atomic unsigned connections, requests;
    pthread_t acceptor;
    pthread_t threads[CONNECTIONS_MAX];
    unsigned threads_count;
    pthread_mutex_t lock; /* for last_head */
    char last_head[HEAD_BYTES];
};

struct peer {
    struct sgt_liar *liar;
    int fd;
    size_t have; /* of head: bytes read and not yet used */
    char head[HEAD_BYTES];
};

/* False: the peer closed, or the liar stops. */
static bool peer_wait(struct peer *peer, short events, int ms)
{
    while (!atomic_load(&peer->liar->stop)) {
        struct pollfd pfd = {peer->fd, events, 0};
        int step = ms < 0 || ms > 20 ? 20 : ms;
        int n = poll(&pfd, 1, step);
        if (n > 0)
            return !(pfd.revents & (POLLERR | POLLHUP)) || (pfd.revents & POLLIN);
        if (ms >= 0 && (ms -= step) <= 0)
            return false;
    }
    return false;
}

static bool peer_send(struct peer *peer, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(peer->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && !peer_wait(peer, POLLOUT, -1))
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool peer_fill(struct peer *peer, uint64_t count)
{
    char piece[16384];
    for (uint64_t at = 0; at < count;) {
        size_t n = count - at < sizeof(piece) ? (size_t)(count - at) : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = (char)sgt_liar_pattern(at + i);
        if (!peer_send(peer, piece, n))
            return false;
        at += n;
    }
    return true;
}

static bool peer_more(struct peer *peer)
{
    if (peer->have >= HEAD_BYTES - 1 || !peer_wait(peer, POLLIN, -1))
        return false;
    ssize_t n = recv(peer->fd, peer->head + peer->have, HEAD_BYTES - 1 - peer->have, 0);
    if (n <= 0)
        return false;
    peer->have += (size_t)n;
    peer->head[peer->have] = 0;
    return true;
}

static const struct sgt_liar_step *peer_request(struct peer *peer)
{
    char *end;
    peer->head[peer->have] = 0;
    while ((end = strstr(peer->head, "\r\n\r\n")) == NULL)
        if (!peer_more(peer))
            return NULL;
    size_t head_len = (size_t)(end - peer->head) + 4;
    struct sgt_liar *liar = peer->liar;
    pthread_mutex_lock(&liar->lock);
    memcpy(liar->last_head, peer->head, head_len);
    liar->last_head[head_len] = 0;
    pthread_mutex_unlock(&liar->lock);
    atomic_fetch_add(&liar->requests, 1);
    char *path = strchr(peer->head, ' ') + 1;
    size_t path_len = strcspn(path, " ");
    const struct sgt_liar_script *script = liar->scripts;
    while (script->path != NULL &&
           (strlen(script->path) != path_len || strncmp(script->path, path, path_len) != 0))
        script++;
    peer->have -= head_len;
    memmove(peer->head, peer->head + head_len, peer->have);
    return script->steps; /* the last row's are for any other path */
}

static bool peer_read(struct peer *peer, uint64_t count)
{
    while (count > 0) {
        if (peer->have == 0 && !peer_more(peer))
            return false;
        size_t n = peer->have < count ? peer->have : (size_t)count;
        peer->have -= n;
        memmove(peer->head, peer->head + n, peer->have);
        count -= n;
    }
    return true;
}

/* False: the connection is over. */
static bool peer_step(struct peer *peer, const struct sgt_liar_step **at)
{
    const struct sgt_liar_step *step = (*at)++;
    static const struct linger at_once = {1, 0};
    switch (step->kind) {
    case SGT_LIAR_SEND:
        return peer_send(peer, step->text, strlen(step->text));
    case SGT_LIAR_FILL:
        return peer_fill(peer, step->number);
    case SGT_LIAR_WAIT:
        for (uint64_t ms = 0; ms < step->number && !atomic_load(&peer->liar->stop); ms += 10)
            usleep(10000);
        return true;
    case SGT_LIAR_READ:
        return peer_read(peer, step->number);
    case SGT_LIAR_AGAIN:
        *at = peer_request(peer);
        return *at != NULL;
    case SGT_LIAR_RESET:
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        return false;
    case SGT_LIAR_END:
        return false;
    }
    return false;
}

static void *peer_main(void *arg)
{
    struct peer *peer = arg;
    const struct sgt_liar_step *at = peer_request(peer);
    while (at != NULL && peer_step(peer, &at))
        ;
    close(peer->fd);
    free(peer);
    return NULL;
}

static void *acceptor_main(void *arg)
{
    struct sgt_liar *liar = arg;
    while (!atomic_load(&liar->stop)) {
        struct pollfd pfd = {liar->fd, POLLIN, 0};
        if (poll(&pfd, 1, 20) <= 0)
            continue;
        int fd = accept(liar->fd, NULL, NULL);
        if (fd < 0)
            continue;
        struct peer *peer = malloc(sizeof(*peer));
        if (peer == NULL || liar->threads_count == CONNECTIONS_MAX)
            abort();
        peer->liar = liar;
        peer->fd = fd;
        peer->have = 0;
        atomic_fetch_add(&liar->connections, 1);
        if (pthread_create(&liar->threads[liar->threads_count++], NULL, peer_main, peer) != 0)
            abort();
    }
    return NULL;
}

struct sgt_liar *sgt_liar_open(uint16_t port, const struct sgt_liar_script *scripts)
{
    struct sgt_liar *liar = calloc(1, sizeof(*liar));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof(addr);
    int on = 1;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (liar != NULL)
        pthread_mutex_init(&liar->lock, NULL);
    if (liar == NULL || (liar->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        abort();
    setsockopt(liar->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(liar->fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(liar->fd, 256) != 0 ||
        getsockname(liar->fd, (struct sockaddr *)&addr, &len) != 0)
        abort();
    liar->port = ntohs(addr.sin_port);
    liar->scripts = scripts;
    if (pthread_create(&liar->acceptor, NULL, acceptor_main, liar) != 0)
        abort();
    return liar;
}

void sgt_liar_close(struct sgt_liar *liar)
{
    if (liar == NULL)
        return;
    atomic_store(&liar->stop, true);
    pthread_join(liar->acceptor, NULL);
    for (unsigned i = 0; i < liar->threads_count; i++)
        pthread_join(liar->threads[i], NULL);
    close(liar->fd);
    pthread_mutex_destroy(&liar->lock);
    free(liar);
}

uint16_t sgt_liar_port(const struct sgt_liar *liar)
{
    return liar->port;
}

unsigned sgt_liar_connections(const struct sgt_liar *liar)
{
    return atomic_load(&liar->connections);
}

unsigned sgt_liar_requests(const struct sgt_liar *liar)
{
    return atomic_load(&liar->requests);
}

const char *sgt_liar_last_head(struct sgt_liar *liar)
{
    return liar->last_head;
}
