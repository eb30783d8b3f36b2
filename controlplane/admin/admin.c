#include "controlplane/admin/admin.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/admin/answers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS_MAX    32
#define ANSWER_BYTES (4u << 20) /* 64 workers' metrics take less than one */
#define HEAD_BYTES   256
#define SILENCE_NS   (10 * SG_NS_PER_SEC)

/* One connection: reads a request, then writes its answer, then is closed. */
struct peer {
    int fd; /* -1: free */
    bool trusted;
    uint64_t moved_ns;
    size_t in_len;
    char in[SGC_REQUEST_BYTES_MAX];
    char *answer; /* NULL: still reading */
    size_t answer_len, answer_at;
};

struct sgc_admin {
    struct sgd_node *node;
    struct sgc_control *control;
    int epoll_fd;
    int socket_fd, address_fd; /* address_fd: -1 when off */
    ino_t socket_inode;
    char socket_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    struct peer peers[PEERS_MAX];
};

/* ---- listening ---- */

static enum sg_err watch(struct sgc_admin *admin, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    return epoll_ctl(admin->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? SG_OK
                                                                      : sg_err_from_errno(errno);
}

static enum sg_err listen_on(struct sgc_admin *admin, int family, const void *address,
                             socklen_t len, int *out)
{
    int on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sg_err_from_errno(errno);
    *out = fd;
    if ((family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, address, len) != 0 || listen(fd, PEERS_MAX) != 0)
        return sg_err_from_errno(errno);
    return watch(admin, fd, EPOLLIN, out);
}

static enum sg_err listen_socket(struct sgc_admin *admin, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof(address.sun_path))
        return SG_EMSGSIZE;
    memcpy(address.sun_path, path, strlen(path));
    memcpy(admin->socket_path, path, strlen(path));
    unlink(path); /* of a process that is gone, or that this one follows */
    mode_t was = umask(0117);
    enum sg_err err = listen_on(admin, AF_UNIX, &address, sizeof(address), &admin->socket_fd);
    umask(was);
    if (err == SG_OK && stat(path, &st) == 0)
        admin->socket_inode = st.st_ino;
    return err;
}

static enum sg_err listen_address(struct sgc_admin *admin, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char host[INET6_ADDRSTRLEN] = "";
    const char *port = strrchr(text, ':'); /* its form was checked with the configuration */
    bool v6 = text[0] == '[';
    SG_ASSERT(port != NULL && (size_t)(port - text) < sizeof(host));
    memcpy(host, text + v6, (size_t)(port - text) - (v6 ? 2 : 0));
    in.sin_port = in6.sin6_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host,
                  v6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr) != 1)
        return SG_EINVAL;
    return v6 ? listen_on(admin, AF_INET6, &in6, sizeof(in6), &admin->address_fd)
              : listen_on(admin, AF_INET, &in, sizeof(in), &admin->address_fd);
}

enum sg_err sgc_admin_open(struct sgd_node *node, struct sgc_control *control,
                           struct sg_out *report, struct sgc_admin **out)
{
    SG_ASSERT(node != NULL && out != NULL);
    struct sgd_node_view view;
    struct sgc_admin *admin = sg_boot_alloc(sizeof(*admin));
    if (admin == NULL)
        return SG_ENOMEM;
    sgd_node_view(node, &view);
    const struct sg_conf_admin *conf = &view.snapshot->config->admin;
    admin->node = node;
    admin->control = control;
    admin->socket_fd = admin->address_fd = -1;
    for (int i = 0; i < PEERS_MAX; i++)
        admin->peers[i].fd = -1;
    admin->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum sg_err err = admin->epoll_fd >= 0 ? SG_OK : sg_err_from_errno(errno);
    if (err == SG_OK) {
        err = listen_socket(admin, conf->socket);
        if (err != SG_OK)
            sg_out_fmt(report, "admin.socket: %s: %s\n", conf->socket, sg_err_text(err));
    }
    if (err == SG_OK && conf->address != NULL) {
        err = listen_address(admin, conf->address);
        if (err != SG_OK)
            sg_out_fmt(report, "admin.address: %s: %s\n", conf->address, sg_err_text(err));
    }
    if (err == SG_OK)
        *out = SG_TAKE(admin);
    sgc_admin_close(admin);
    return err;
}

static void peer_end(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    sg_boot_free(peer->answer);
    peer->fd = -1;
    peer->answer = NULL;
}

void sgc_admin_close(struct sgc_admin *admin)
{
    struct stat st;
    if (admin == NULL)
        return;
    for (int i = 0; i < PEERS_MAX; i++)
        peer_end(&admin->peers[i]);
    if (admin->socket_fd >= 0 && stat(admin->socket_path, &st) == 0 &&
        st.st_ino == admin->socket_inode)
        unlink(admin->socket_path);
    int fds[] = {admin->socket_fd, admin->address_fd, admin->epoll_fd};
    for (size_t i = 0; i < SG_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    sg_boot_free(admin);
}

void sgc_admin_leave(struct sgc_admin *admin)
{
    admin->control = NULL;
}

void sgc_admin_yield(struct sgc_admin *admin)
{
    if (admin->address_fd >= 0)
        close(admin->address_fd);
    admin->address_fd = -1;
}

int sgc_admin_fd(const struct sgc_admin *admin)
{
    return admin->epoll_fd;
}

/* ---- peers ---- */

/* Over the socket, from root, our user or our group: the socket's mode says the same, but may have
 * been changed. */
static bool peer_is_trusted(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof(cred))
        return false;
    return cred.pid != 0 && (cred.uid == 0 || cred.uid == geteuid() || cred.gid == getegid());
}

static struct peer *peer_free(struct sgc_admin *admin, uint64_t now_ns)
{
    for (int i = 0; i < PEERS_MAX; i++)
        if (admin->peers[i].fd >= 0 && now_ns - admin->peers[i].moved_ns > SILENCE_NS)
            peer_end(&admin->peers[i]);
    for (int i = 0; i < PEERS_MAX; i++)
        if (admin->peers[i].fd < 0)
            return &admin->peers[i];
    return NULL;
}

static void admin_accept(struct sgc_admin *admin, int listen_fd, uint64_t now_ns)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct peer *peer = peer_free(admin, now_ns);
    if (peer == NULL || watch(admin, fd, EPOLLIN, peer) != SG_OK) {
        close(fd);
        return;
    }
    peer->fd = fd;
    peer->trusted = listen_fd == admin->socket_fd && peer_is_trusted(fd);
    peer->moved_ns = now_ns;
    peer->in_len = peer->answer_len = peer->answer_at = 0;
}

static const char *reason_of(uint16_t status)
{
    return status == 200   ? "OK"
           : status == 400 ? "Bad Request"
           : status == 403 ? "Forbidden"
           : status == 404 ? "Not Found"
           : status == 405 ? "Method Not Allowed"
           : status == 409 ? "Conflict"
           : status == 503 ? "Service Unavailable"
                           : "Internal Server Error";
}

/* The body is written first, behind room for the head, whose length field then fits it. */
static bool peer_answer(struct sgc_admin *admin, struct peer *peer,
                        const struct sgc_request *request, enum sgc_parse parse)
{
    char *memory = sg_boot_alloc(ANSWER_BYTES);
    if (memory == NULL)
        return false;
    struct sg_out body = sg_out_init(memory + HEAD_BYTES, ANSWER_BYTES - HEAD_BYTES);
    struct sgc_answer answer = {parse == SGC_PARSE_METHOD ? 405 : 400, "text/plain"};
    if (parse == SGC_PARSE_OK)
        answer = sgc_answer_request(admin->node, admin->control, request, peer->trusted, &body);
    if (body.full) {
        body.len = 0;
        answer.status = 500;
    }
    char head[HEAD_BYTES];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                     answer.status, reason_of(answer.status), answer.type, body.len);
    SG_ASSERT(n > 0 && n < HEAD_BYTES);
    memcpy(memory + HEAD_BYTES - n, head, (size_t)n);
    peer->answer = memory;
    peer->answer_at = HEAD_BYTES - (size_t)n;
    peer->answer_len = HEAD_BYTES + body.len;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = peer};
    return epoll_ctl(admin->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event) == 0;
}

/* False: done with, well or not. */
static bool peer_read(struct sgc_admin *admin, struct peer *peer)
{
    size_t room = sizeof(peer->in) - peer->in_len;
    ssize_t n = recv(peer->fd, peer->in + peer->in_len, room, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    peer->in_len += (size_t)n;
    struct sgc_request request;
    enum sgc_parse parse = sgc_request_parse((struct sg_str){peer->in, peer->in_len}, &request);
    if (parse == SGC_PARSE_MORE)
        return peer->in_len < sizeof(peer->in);
    return peer_answer(admin, peer, &request, parse);
}

static bool peer_write(struct peer *peer)
{
    ssize_t n = send(peer->fd, peer->answer + peer->answer_at, peer->answer_len - peer->answer_at,
                     MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN;
    peer->answer_at += (size_t)n;
    return peer->answer_at < peer->answer_len;
}

void sgc_admin_turn(struct sgc_admin *admin)
{
    struct epoll_event events[16];
    uint64_t now_ns = sg_clock_mono_ns();
    int count = epoll_wait(admin->epoll_fd, events, SG_COUNT(events), 0);
    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;
        if (what == &admin->socket_fd || what == &admin->address_fd) {
            admin_accept(admin, *(int *)what, now_ns);
            continue;
        }
        struct peer *peer = what;
        peer->moved_ns = now_ns;
        if (!(peer->answer == NULL ? peer_read(admin, peer) : peer_write(peer)))
            peer_end(peer);
    }
}
