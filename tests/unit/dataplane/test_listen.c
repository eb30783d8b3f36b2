#include "tests/sgt.h"
#include "tests/sgt_port.h"

#include "base/alloc.h"
#include "dataplane/engine/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sg_conf_listener listeners[2];
static struct sg_config config = {.listeners = listeners};
static char addresses[2][32], text[512];

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 any;
    socklen_t len = sizeof(any);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    return ntohs(any.sin6_port); /* the same place in sockaddr_in */
}

static int setup(void **fixture)
{
    snprintf(addresses[0], sizeof(addresses[0]), "127.0.0.1:%u", sgt_port_free());
    snprintf(addresses[1], sizeof(addresses[1]), "[::1]:%u", sgt_port_free());
    for (int i = 0; i < 2; i++)
        listeners[i] = (struct sg_conf_listener){.address = addresses[i], .backlog = 64};
    config.listeners_count = 2;
    config.limits.send_timeout_ms = 30000;
    (void)fixture;
    return 0;
}

static void open_set(uint32_t workers, struct sgd_listen **set)
{
    struct sg_out report = sg_out_init(text, sizeof(text));
    assert_int_equal(sgd_listen_open(&config, workers, &report, set), SG_OK);
    assert_int_equal(report.len, 0);
}

static void every_worker_gets_a_socket_of_every_listener(void **fixture)
{
    struct sgd_listen *set = NULL;
    open_set(3, &set);
    for (uint32_t worker = 0; worker < 3; worker++) {
        size_t count;
        const struct sgd_listener *mine = sgd_listen_worker(set, worker, &count);
        assert_int_equal(count, 2);
        for (uint16_t i = 0; i < 2; i++) {
            assert_int_equal(mine[i].index, i);
            assert_non_null(strstr(addresses[i], ":"));
            assert_int_equal(port_of(mine[i].fd), atoi(strrchr(addresses[i], ':') + 1));
        }
    }
    sgd_listen_close(set);
    (void)fixture;
}

static void congestion_of(int fd, char name[16])
{
    socklen_t len = 16;
    memset(name, 0, 16);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
}

/* A connection over `address` to itself, as the listener's congestion control has it. */
static void accepted_by(const struct sgd_listener *mine, char name[16])
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(port_of(mine->fd)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int server = accept(mine->fd, NULL, NULL);
    congestion_of(server, name);
    close(server);
    close(client);
}

static void what_stays_on_this_machine_is_not_paced(void **fixture)
{
    struct sgd_listen *set = NULL;
    char system[16], unpaced[16] = "cubic", got[16];
    size_t count;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    congestion_of(fd, system);
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0)
        memcpy(unpaced, system, sizeof(unpaced)); /* not here */
    close(fd);
    snprintf(addresses[1], sizeof(addresses[1]), "0.0.0.0:%u", sgt_port_free());
    open_set(1, &set);
    const struct sgd_listener *mine = sgd_listen_worker(set, 0, &count);
    accepted_by(&mine[0], got);
    assert_string_equal(got, unpaced);
    accepted_by(&mine[1], got);
    assert_string_equal(got, system);
    sgd_listen_close(set);
    (void)fixture;
}

static void an_address_taken_by_others_is_named(void **fixture)
{
    struct sockaddr_in6 address;
    struct sgd_listen *set = NULL;
    struct sg_out report = sg_out_init(text, sizeof(text));
    assert_int_equal(sgd_listen_parse(addresses[1], &address), SG_OK);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(sgd_listen_open(&config, 2, &report, &set), SG_EADDRINUSE);
    assert_null(set);
    text[report.len] = '\0';
    assert_non_null(strstr(text, "listeners[1].address: "));
    assert_non_null(strstr(text, addresses[1]));
    close(fd);
    (void)fixture;
}

/* In a child: what a next process would find. Exits 0 when it got the sockets handed over. */
static void child_takes_over(const struct sgd_listen *set, uint32_t workers)
{
    struct sgd_listen *next = NULL;
    struct sg_out report = sg_out_init(text, sizeof(text));
    size_t total = 0, count;
    if (sgd_listen_pass(set) != SG_OK)
        _exit(10);
    if (sgd_listen_open(&config, workers, &report, &next) != SG_OK)
        _exit(11);
    for (uint32_t i = 0; i < workers; i++) {
        const struct sgd_listener *mine = sgd_listen_worker(next, i, &count);
        total += count;
        for (size_t j = 0; j < count; j++)
            if (fcntl(mine[j].fd, F_GETFD) != FD_CLOEXEC)
                _exit(12);
    }
    if (getenv("LISTEN_FDS") != NULL)
        _exit(13);
    if (total != (workers < 2 ? 4 : 2 * workers)) /* four were handed over, and all are used */
        _exit(14);
    /* The connection that waited before is in one of them. */
    for (uint32_t i = 0; i < workers; i++) {
        const struct sgd_listener *mine = sgd_listen_worker(next, i, &count);
        for (size_t j = 0; j < count; j++) {
            fcntl(mine[j].fd, F_SETFL, O_NONBLOCK);
            if (accept(mine[j].fd, NULL, NULL) >= 0)
                _exit(0);
        }
    }
    _exit(15);
}

static void handed_over_sockets_keep_the_connections_that_wait_in_them(void **fixture)
{
    struct sockaddr_in6 address;
    static const uint32_t workers[] = {1, 2, 3};
    for (size_t i = 0; i < SG_COUNT(workers); i++) {
        struct sgd_listen *set = NULL;
        int status = -1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setup(NULL);
        open_set(2, &set);
        assert_int_equal(sgd_listen_parse(addresses[1], &address), SG_OK);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        pid_t pid = fork();
        if (pid == 0)
            child_takes_over(set, workers[i]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(fd);
        sgd_listen_close(set);
    }
    (void)fixture;
}

/* As systemd does, whose sockets are root's, for a node that never was root. */
static void sockets_of_another_user_are_shared_by_all_workers(void **fixture)
{
    struct sgd_listen *set = NULL;
    int status = -1;
    if (geteuid() != 0)
        SGT_LEAVE("we are not root");
    open_set(1, &set);
    pid_t pid = fork();
    if (pid == 0) {
        struct sgd_listen *next = NULL;
        struct sg_out report = sg_out_init(text, sizeof(text));
        if (sgd_listen_pass(set) != SG_OK || setuid(65534) != 0)
            _exit(1);
        _exit(sgd_listen_open(&config, 3, &report, &next) == SG_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    sgd_listen_close(set);
    (void)fixture;
}

static int first_of(const struct sgd_listen *set, uint32_t worker, uint16_t index)
{
    size_t count;
    const struct sgd_listener *mine = sgd_listen_worker(set, worker, &count);
    for (size_t i = 0; i < count; i++)
        if (mine[i].index == index)
            return mine[i].fd;
    return -1;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void the_next_set_shares_what_stays_and_makes_what_is_new(void **fixture)
{
    struct sgd_listen *now = NULL, *next = NULL;
    struct sg_out report = sg_out_init(text, sizeof(text));
    open_set(2, &now);
    int kept[2] = {first_of(now, 0, 1), first_of(now, 1, 1)}, gone = first_of(now, 0, 0);
    listeners[0] = listeners[1]; /* [::1] moves to the front, 127.0.0.1 goes, another comes */
    snprintf(addresses[0], sizeof(addresses[0]), "127.0.0.1:%u", sgt_port_free());
    listeners[1].address = addresses[0];
    assert_int_equal(sgd_listen_next(now, &config, &report, &next), SG_OK);
    for (uint32_t worker = 0; worker < 2; worker++) {
        assert_int_equal(first_of(next, worker, 0), kept[worker]);
        assert_int_equal(port_of(first_of(next, worker, 1)), atoi(strrchr(addresses[0], ':') + 1));
    }
    sgd_listen_close_but(now, next);
    assert_false(is_open(gone));
    assert_true(is_open(kept[0]) && is_open(kept[1]));
    sgd_listen_close(next);
    assert_false(is_open(kept[0]));
    (void)fixture;
}

static void a_next_set_that_cannot_be_had_leaves_this_one(void **fixture)
{
    struct sgd_listen *now = NULL, *next = NULL;
    struct sg_out report = sg_out_init(text, sizeof(text));
    struct sockaddr_in6 address;
    char fresh[32];
    open_set(2, &now);
    int before = dup(0), taken = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    close(before);
    snprintf(fresh, sizeof(fresh), "[::1]:%u", sgt_port_free());
    assert_int_equal(sgd_listen_parse(fresh, &address), SG_OK);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(taken, 1), 0);
    struct sg_conf_listener three[3] = {
        listeners[0], {.address = "127.0.0.9:0", .backlog = 16}, {.address = fresh, .backlog = 16}};
    struct sg_config wider = {.listeners = three, .listeners_count = 3};
    assert_int_equal(sgd_listen_next(now, &wider, &report, &next), SG_EADDRINUSE);
    assert_null(next);
    text[report.len] = '\0';
    assert_non_null(strstr(text, "listeners[2].address: "));
    close(taken);
    int after = dup(0); /* the lowest that is free: none of the attempt is left */
    assert_int_equal(after, before);
    close(after);
    assert_true(is_open(first_of(now, 0, 0)) && is_open(first_of(now, 1, 1)));
    sgd_listen_close(now);
    (void)fixture;
}

static void one_address_and_all_addresses_of_a_port_follow_each_other(void **fixture)
{
    struct sgd_listen *now = NULL, *next = NULL;
    struct sg_out report = sg_out_init(text, sizeof(text));
    open_set(2, &now);
    uint16_t port = port_of(first_of(now, 0, 0));
    snprintf(addresses[1], sizeof(addresses[1]), "0.0.0.0:%u", port); /* beside 127.0.0.1 */
    assert_int_equal(sgd_listen_next(now, &config, &report, &next), SG_OK);
    sgd_listen_close_but(now, next);
    sgd_listen_close(next);
    next = NULL;
    open_set(2, &now); /* a start takes what a reload takes */
    sgd_listen_close(now);
    (void)fixture;
}

static void addresses_are_read_strictly(void **fixture)
{
    static const char *const wrong[] = {"",         "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536",
                                        "1.2.3:80", "::1:80x", "[::1:80",  "[1.2.3.4]:80",
                                        "host:80",  ":80",     "[]:80",    "1.2.3.4:-1"};
    struct sockaddr_in6 address;
    for (size_t i = 0; i < SG_COUNT(wrong); i++)
        assert_int_equal(sgd_listen_parse(wrong[i], &address), SG_EINVAL);
    assert_int_equal(sgd_listen_parse("0.0.0.0:443", &address), SG_OK);
    assert_int_equal(ntohs(address.sin6_port), 443);
    assert_int_equal(sgd_listen_parse("[::]:443", &address), SG_OK);
    assert_true(IN6_IS_ADDR_UNSPECIFIED(&address.sin6_addr));
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_listen *set = NULL;
        struct sg_out report = sg_out_init(text, sizeof(text));
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sgd_listen_open(&config, 2, &report, &set);
        assert_true(err == SG_OK ? set != NULL : set == NULL && err == SG_ENOMEM);
        sgd_listen_close(set);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(every_worker_gets_a_socket_of_every_listener, setup),
    cmocka_unit_test_setup(what_stays_on_this_machine_is_not_paced, setup),
    cmocka_unit_test_setup(an_address_taken_by_others_is_named, setup),
    cmocka_unit_test_setup(handed_over_sockets_keep_the_connections_that_wait_in_them, setup),
    cmocka_unit_test_setup(sockets_of_another_user_are_shared_by_all_workers, setup),
    cmocka_unit_test_setup(the_next_set_shares_what_stays_and_makes_what_is_new, setup),
    cmocka_unit_test_setup(a_next_set_that_cannot_be_had_leaves_this_one, setup),
    cmocka_unit_test_setup(one_address_and_all_addresses_of_a_port_follow_each_other, setup),
    cmocka_unit_test(addresses_are_read_strictly),
    cmocka_unit_test_setup(open_undoes_itself_at_every_failing_allocation, setup),
};
SGT_MAIN("listen", tests)
