#include "dataplane/engine/listen.h"

#include "base/alloc.h"
#include "base/log.h"
#include "dataplane/engine/portowner.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_PASSED_FD 3
#define PASSED_MAX      SGD_LISTEN_PASSED_MAX

/* Grouped by worker: those of worker i are sockets[first[i]] up to first[i + 1]. */
struct sgd_listen {
    struct sgd_listener *sockets;
    size_t count;
    uint32_t workers;
    size_t *first;
    struct sockaddr_in6 *addresses; /* by listener */
    uint32_t addresses_count;
};

/* What is handed over at start, until it is given to a worker. */
struct passed {
    struct {
        int fd; /* -1: used */
        struct sockaddr_in6 address;
    } sockets[PASSED_MAX];
    size_t count;
};

/* ---- addresses ---- */

static bool parse_port(const char *text, in_port_t *out)
{
    uint64_t port;
    if (!sg_str_to_u64(sg_str_from(text), &port) || port > UINT16_MAX)
        return false;
    *out = htons((uint16_t)port);
    return true;
}

static void map_v4(const struct in_addr *in4, struct in6_addr *out)
{
    memset(out, 0, sizeof(*out));
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(&out->s6_addr[12], in4, sizeof(*in4));
}

enum sg_err sgd_listen_parse(const char *text, struct sockaddr_in6 *out)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    struct in_addr in4;
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    if (len == 0 || len >= sizeof(host) || !parse_port(colon + 1, &address.sin6_port))
        return SG_EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &address.sin6_addr) != 1)
            return SG_EINVAL;
    } else {
        if (inet_pton(AF_INET, host, &in4) != 1)
            return SG_EINVAL;
        map_v4(&in4, &address.sin6_addr);
    }
    *out = address;
    return SG_OK;
}

/* A socket for all of a machine's addresses takes in those for one of them. */
static bool address_overlaps(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    struct sockaddr_in6 all4;
    memset(&all4, 0, sizeof(all4));
    all4.sin6_addr.s6_addr[10] = all4.sin6_addr.s6_addr[11] = 0xff;
    bool v4 = IN6_IS_ADDR_V4MAPPED(&a->sin6_addr);
    const struct in6_addr *all = v4 ? &all4.sin6_addr : &in6addr_any;
    return a->sin6_port == b->sin6_port && v4 == IN6_IS_ADDR_V4MAPPED(&b->sin6_addr) &&
           (memcmp(&a->sin6_addr, all, sizeof(*all)) == 0) !=
               (memcmp(&b->sin6_addr, all, sizeof(*all)) == 0);
}

static bool address_equal(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port &&
           memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

/* ---- what was handed over ---- */

static bool passed_address(int fd, struct sockaddr_in6 *out)
{
    struct sockaddr_storage any = {0};
    socklen_t len = sizeof(any);
    int listening = 0;
    socklen_t listening_len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) != 0 || !listening ||
        getsockname(fd, (struct sockaddr *)&any, &len) != 0)
        return false;
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6};
    if (any.ss_family == AF_INET6) {
        memcpy(out, &any, sizeof(*out));
        return true;
    }
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)&any;
    out->sin6_port = in4->sin_port;
    map_v4(&in4->sin_addr, &out->sin6_addr);
    return any.ss_family == AF_INET;
}

static uint64_t env_number(const char *name)
{
    uint64_t value = 0;
    const char *text = getenv(name);
    return text != NULL && sg_str_to_u64(sg_str_from(text), &value) ? value : 0;
}

static void passed_collect(struct passed *passed)
{
    passed->count = 0;
    uint64_t count = env_number("LISTEN_FDS");
    if (env_number("LISTEN_PID") != (uint64_t)getpid())
        return;
    for (int fd = FIRST_PASSED_FD; count > 0 && passed->count < PASSED_MAX; fd++, count--) {
        struct sockaddr_in6 address;
        if (!passed_address(fd, &address))
            continue;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0); /* of one who left it */
        passed->sockets[passed->count].fd = fd;
        passed->sockets[passed->count++].address = address;
    }
    unsetenv("LISTEN_PID"); /* not for the processes that this one starts */
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

/* The next one bound to `address`, or -1. */
static int passed_take(struct passed *passed, const struct sockaddr_in6 *address)
{
    for (size_t i = 0; i < passed->count; i++)
        if (passed->sockets[i].fd >= 0 && address_equal(&passed->sockets[i].address, address)) {
            int fd = passed->sockets[i].fd;
            passed->sockets[i].fd = -1;
            return fd;
        }
    return -1;
}

static void passed_close_rest(struct passed *passed)
{
    for (size_t i = 0; i < passed->count; i++)
        if (passed->sockets[i].fd >= 0) {
            sg_warn("listen: a socket that was handed over is no listener's now: closed");
            close(passed->sockets[i].fd);
        }
}

/* ---- making sockets ---- */

static enum sg_err set_int(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) != 0)
        return sg_err_from_errno(errno);
    return SG_OK;
}

static enum sg_err socket_bind(int fd, const struct sockaddr_in6 *address)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = address->sin6_port};
    memcpy(&in4.sin_addr, &address->sin6_addr.s6_addr[12], sizeof(in4.sin_addr));
    bool v4 = IN6_IS_ADDR_V4MAPPED(&address->sin6_addr);
    int res = v4 ? bind(fd, (const struct sockaddr *)&in4, sizeof(in4))
                 : bind(fd, (const struct sockaddr *)address, sizeof(*address));
    return res != 0 ? sg_err_from_errno(errno) : SG_OK;
}

static bool is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

/* A congestion control that paces (BBR) arms a timer for every segment. That is worth it on a path
 * that has queues, and a third of all CPU time on one that is a copy within this machine. Accepted
 * sockets inherit what the listener has; where there is no cubic they keep the system's. */
static void socket_unpace(int fd)
{
    static const char name[] = "cubic";
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name) - 1) != 0)
        sg_debug("TCP_CONGESTION: %s", strerror(errno));
}

/* `shared`: others may listen on the same port, as our workers do. */
static enum sg_err socket_make(const struct sockaddr_in6 *address, int backlog, bool shared,
                               int *out)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(&address->sin6_addr);
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return sg_err_from_errno(errno);
    enum sg_err err = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == SG_OK && shared)
        err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (err == SG_OK && !v4)
        err = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (is_loopback(&address->sin6_addr))
        socket_unpace(fd);
    if (err == SG_OK)
        err = socket_bind(fd, address);
    if (err == SG_OK && listen(fd, backlog) != 0)
        err = sg_err_from_errno(errno);
    if (err == SG_OK)
        *out = fd;
    else
        close(fd);
    return err;
}

/* A shared socket would silently take its part of another process's connections where that one
 * shares too, such as a second node: one that is not shared finds out. */
static enum sg_err socket_probe(const struct sockaddr_in6 *address)
{
    int fd = -1;
    enum sg_err err = socket_make(address, 1, false, &fd);
    if (err == SG_OK)
        close(fd);
    return err;
}

static bool socket_shares_its_port(int fd)
{
    int on = 0;
    socklen_t len = sizeof(on);
    return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &len) == 0 && on != 0;
}

/* ---- the set ---- */

/* Worker by worker each listener; then what else was handed over, to the last worker. */
struct plan {
    const struct sg_config *config;
    struct passed *passed;
    const struct sgd_listen *now; /* NULL: there is none yet */
    struct sgd_listen *set;
};

static int backlog_of(const struct sg_config *config, uint32_t listener)
{
    return (int)SG_MAX(config->listeners[listener].backlog, 16u);
}

/* One of ours has the port already, for other addresses of this machine: a probe would find it. */
static bool plan_overlaps(const struct plan *plan, uint32_t listener)
{
    const struct sockaddr_in6 *address = &plan->set->addresses[listener];
    for (uint32_t i = 0; i < listener; i++)
        if (address_overlaps(&plan->set->addresses[i], address))
            return true;
    for (uint32_t i = 0; plan->now != NULL && i < plan->now->addresses_count; i++)
        if (address_overlaps(&plan->now->addresses[i], address))
            return true;
    for (size_t i = 0; i < plan->passed->count; i++)
        if (address_overlaps(&plan->passed->sockets[i].address, address))
            return true;
    return false;
}

static enum sg_err socket_again(int earlier, int *out)
{
    int fd = fcntl(earlier, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return sg_err_from_errno(errno);
    *out = fd;
    return SG_OK;
}

/* A socket for one worker: handed over, or new, or that of the first worker once more: where it was
 * handed over, and does not share its port, or only with its owner (systemd's is root). */
static enum sg_err plan_socket(const struct plan *plan, uint32_t listener, int earlier, int *out)
{
    const struct sockaddr_in6 *address = &plan->set->addresses[listener];
    int backlog = backlog_of(plan->config, listener);
    int fd = passed_take(plan->passed, address);
    if (fd >= 0) {
        *out = fd;
        return SG_OK;
    }
    if (earlier < 0) {
        enum sg_err err = plan_overlaps(plan, listener) ? SG_OK : socket_probe(address);
        return err == SG_OK ? socket_make(address, backlog, true, out) : err;
    }
    if (!socket_shares_its_port(earlier))
        return socket_again(earlier, out);
    enum sg_err err = socket_make(address, backlog, true, out);
    return err == SG_EADDRINUSE ? socket_again(earlier, out) : err;
}

static enum sg_err plan_add(struct plan *plan, uint32_t listener, int fd)
{
    enum sg_err err = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted ones inherit it */
    if (err != SG_OK) {
        close(fd);
        return err;
    }
    plan->set->sockets[plan->set->count++] =
        (struct sgd_listener){.fd = fd, .index = (uint16_t)listener};
    return SG_OK;
}

static void report_refusal(uint32_t listener, const char *address, enum sg_err err,
                           struct sg_out *report)
{
    char owner[128];
    sg_out_fmt(report, "listeners[%u].address: %s: ", listener, address);
    if (err == SG_EADDRINUSE && sgd_portowner_find(strrchr(address, ':') + 1, owner, sizeof(owner)))
        sg_out_fmt(report, "in use by %s\n", owner);
    else if (err == SG_EACCES)
        sg_out_lit(report, "ports below 1024 need root or CAP_NET_BIND_SERVICE\n");
    else
        sg_out_fmt(report, "%s\n", sg_err_text(err));
}

static enum sg_err plan_new(struct plan *plan, uint32_t worker, uint32_t listener,
                            struct sg_out *report)
{
    struct sgd_listen *set = plan->set;
    int fd = -1, earlier = -1;
    for (size_t i = 0; worker > 0 && i < set->first[1]; i++)
        if (set->sockets[i].index == listener)
            earlier = set->sockets[i].fd;
    enum sg_err err = plan_socket(plan, listener, earlier, &fd);
    if (err == SG_OK)
        err = plan_add(plan, listener, fd);
    if (err != SG_OK)
        report_refusal(listener, plan->config->listeners[listener].address, err, report);
    return err;
}

/* Those that the worker has of this address. False: none. */
static bool plan_keep(struct plan *plan, uint32_t worker, uint32_t listener)
{
    const struct sgd_listen *now = plan->now;
    struct sgd_listen *set = plan->set;
    size_t before = set->count;
    for (size_t i = now != NULL ? now->first[worker] : 0; now != NULL && i < now->first[worker + 1];
         i++)
        if (address_equal(&now->addresses[now->sockets[i].index], &set->addresses[listener]))
            set->sockets[set->count++] =
                (struct sgd_listener){.fd = now->sockets[i].fd, .index = (uint16_t)listener};
    return set->count > before;
}

static enum sg_err plan_worker(struct plan *plan, uint32_t worker, struct sg_out *report)
{
    for (uint32_t i = 0; i < plan->config->listeners_count; i++) {
        enum sg_err err = plan_keep(plan, worker, i) ? SG_OK : plan_new(plan, worker, i, report);
        if (err != SG_OK)
            return err;
    }
    plan->set->first[worker + 1] = plan->set->count;
    return SG_OK;
}

static enum sg_err plan_rest(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->config->listeners_count; i++)
        for (int fd; (fd = passed_take(plan->passed, &plan->set->addresses[i])) >= 0;) {
            enum sg_err err = plan_add(plan, i, fd);
            if (err != SG_OK)
                return err;
        }
    plan->set->first[plan->set->workers] = plan->set->count;
    return SG_OK;
}

static enum sg_err plan_addresses(struct plan *plan, struct sg_out *report)
{
    for (uint32_t i = 0; i < plan->config->listeners_count; i++) {
        const char *text = plan->config->listeners[i].address;
        if (sgd_listen_parse(text, &plan->set->addresses[i]) == SG_OK)
            continue;
        sg_out_fmt(report,
                   "listeners[%u].address: %s: not an address like 0.0.0.0:443 or "
                   "[::]:443\n",
                   i, text);
        return SG_ECONFIG;
    }
    return SG_OK;
}

static enum sg_err listen_alloc(struct plan *plan, uint32_t workers)
{
    size_t listeners = plan->config->listeners_count;
    size_t sockets = listeners * workers + PASSED_MAX;
    struct sgd_listen *set = sg_boot_alloc(sizeof(*set));
    plan->set = set;
    plan->passed = sg_boot_alloc(sizeof(*plan->passed));
    if (set == NULL || plan->passed == NULL)
        return SG_ENOMEM;
    set->workers = workers;
    set->addresses_count = plan->config->listeners_count;
    set->addresses = sg_boot_alloc_array(listeners, sizeof(*set->addresses));
    set->first = sg_boot_alloc_array(workers + 1, sizeof(*set->first));
    set->sockets = sg_boot_alloc_array(sockets, sizeof(*set->sockets));
    bool ok = set->addresses != NULL && set->first != NULL && set->sockets != NULL;
    return ok ? SG_OK : SG_ENOMEM;
}

static enum sg_err listen_open(struct plan *plan, uint32_t workers, struct sg_out *report,
                               struct sgd_listen **out)
{
    enum sg_err err = listen_alloc(plan, workers);
    if (err == SG_OK)
        err = plan_addresses(plan, report);
    if (err != SG_OK)
        goto out;
    if (plan->now == NULL)
        passed_collect(plan->passed);
    for (uint32_t i = 0; i < workers && err == SG_OK; i++)
        err = plan_worker(plan, i, report);
    if (err == SG_OK)
        err = plan_rest(plan);
    passed_close_rest(plan->passed);
    if (err == SG_OK)
        *out = SG_TAKE(plan->set);
out:
    sgd_listen_close_but(plan->set, plan->now);
    sg_boot_free(plan->passed);
    return err;
}

enum sg_err sgd_listen_open(const struct sg_config *config, uint32_t workers, struct sg_out *report,
                            struct sgd_listen **out)
{
    SG_ASSERT(config != NULL && out != NULL);
    SG_ASSERT(workers > 0);
    struct plan plan = {.config = config};
    return listen_open(&plan, workers, report, out);
}

enum sg_err sgd_listen_next(const struct sgd_listen *now, const struct sg_config *config,
                            struct sg_out *report, struct sgd_listen **out)
{
    SG_ASSERT(now != NULL && config != NULL);
    SG_ASSERT(out != NULL);
    struct plan plan = {.config = config, .now = now};
    enum sg_err err = listen_open(&plan, now->workers, report, out);
    if (err != SG_OK)
        return err;
    for (size_t i = 0; i < (*out)->count; i++) /* of those that stay it may be another */
        if (listen((*out)->sockets[i].fd, backlog_of(config, (*out)->sockets[i].index)) != 0)
            sg_warn("listen: backlog: %s", strerror(errno));
    return SG_OK;
}

static bool set_has(const struct sgd_listen *set, int fd)
{
    for (size_t i = 0; set != NULL && i < set->count; i++)
        if (set->sockets[i].fd == fd)
            return true;
    return false;
}

void sgd_listen_close_but(struct sgd_listen *set, const struct sgd_listen *kept)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        if (!set_has(kept, set->sockets[i].fd))
            close(set->sockets[i].fd);
    sg_boot_free(set->sockets);
    sg_boot_free(set->first);
    sg_boot_free(set->addresses);
    sg_boot_free(set);
}

void sgd_listen_close(struct sgd_listen *set)
{
    sgd_listen_close_but(set, NULL);
}

enum sg_err sgd_listen_give(const struct sgd_listen *set, uid_t uid, gid_t gid)
{
    for (size_t i = 0; i < set->count; i++)
        if (fchown(set->sockets[i].fd, uid, gid) != 0)
            return sg_err_from_errno(errno);
    return SG_OK;
}

const struct sgd_listener *sgd_listen_worker(const struct sgd_listen *set, uint32_t worker,
                                             size_t *count)
{
    SG_ASSERT(worker < set->workers);
    *count = set->first[worker + 1] - set->first[worker];
    return &set->sockets[set->first[worker]];
}

enum sg_err sgd_listen_pass(const struct sgd_listen *set)
{
    char number[32];
    /* First out of the way, then to their places: a place may be another one's descriptor. */
    int above = FIRST_PASSED_FD + (int)set->count, high[PASSED_MAX];
    if (set->count > PASSED_MAX)
        return SG_EFULL;
    for (size_t i = 0; i < set->count; i++)
        if ((high[i] = fcntl(set->sockets[i].fd, F_DUPFD_CLOEXEC, above)) < 0)
            return sg_err_from_errno(errno);
    for (size_t i = 0; i < set->count; i++)
        if (dup2(high[i], FIRST_PASSED_FD + (int)i) < 0)
            return sg_err_from_errno(errno);
    snprintf(number, sizeof(number), "%zu", set->count);
    if (setenv("LISTEN_FDS", number, 1) != 0)
        return SG_ENOMEM;
    snprintf(number, sizeof(number), "%d", getpid());
    return setenv("LISTEN_PID", number, 1) != 0 ? SG_ENOMEM : SG_OK;
}
