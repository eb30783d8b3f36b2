/* drain - an HTTP/1.1 client so cheap that the server on the other core is what saturates.
 *
 * Keep-alive: every connection asks again as soon as its answer is over. Bodies are discarded in
 * the kernel (recv with MSG_TRUNC). Over TLS only the five bytes of each record's header are read:
 * the first answer of a connection is decrypted, and its length tells how many record bytes the
 * later ones have. Requests do go through SSL_write().
 *
 * With -n every request is a new connection (over TLS a full handshake), read to its end.
 *
 * usage: drain [-t] [-n] [-c CONNECTIONS] [-d SECONDS] [-H 'Name: value'] HOST PORT PATH
 * prints: requests N bytes N seconds S client_cpu S
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, FIRST_BYTES = 65536, RECORD_HEAD = 5, EVENTS = 256 };

/* A TLS 1.3 record carries a tag of 16 bytes and one byte of inner type beside the data. */
enum { RECORD_EXTRA = 17 };
/* Fields such as Age and Server-Timing may change the head's length from one answer to the next. */
enum { HEAD_SLACK = 64 };

struct conn {
    int fd;
    int head_bytes; /* of `head` in use */
    SSL *ssl;
    long
        left; /* plain: body bytes to come, 0 in the head; TLS: data bytes of this answer to come */
    long skip; /* TLS: bytes of the current record still to be thrown away */
    unsigned char head[HEAD_BYTES];
};

static struct {
    struct sockaddr_in address;
    SSL_CTX *tls; /* NULL: plain */
    char request[8192];
    int request_bytes;
    bool new_each;
    int connections;
    double seconds;
    int epoll;
    long answer_bytes; /* head and body, as learnt */
    long requests, bytes;
} drain = {.connections = 16, .seconds = 5};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The whole length of the answer whose head starts at `bytes`, or 0 when the head is not whole. */
static long answer_length(unsigned char *bytes, int count)
{
    unsigned char *end = memmem(bytes, (size_t)count, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    *end = 0;
    const char *length = strcasestr((char *)bytes, "content-length:");
    if (count < 12 || strncmp((char *)bytes + 8, " 200", 4) != 0 || length == NULL) {
        fprintf(stderr, "not a 200 with a length: %s\n", (char *)bytes);
        exit(1);
    }
    return (end - bytes) + 4 + atol(length + strlen("content-length:"));
}

static void ask(struct conn *conn)
{
    int sent = conn->ssl ? SSL_write(conn->ssl, drain.request, drain.request_bytes)
                         : (int)send(conn->fd, drain.request, (size_t)drain.request_bytes, 0);
    if (sent != drain.request_bytes)
        die("request");
    conn->left = conn->ssl ? drain.answer_bytes : 0;
}

static void finish(struct conn *conn)
{
    drain.requests++;
    drain.bytes += drain.answer_bytes;
    ask(conn);
}

/* Reads one whole answer for real, blocking. */
static void read_answer(struct conn *conn)
{
    static unsigned char buf[FIRST_BYTES];
    long got = 0, total = 0;
    while (total == 0 || got < total) {
        long at = total ? 0 : got;
        long n = conn->ssl ? SSL_read(conn->ssl, buf + at, (int)(FIRST_BYTES - at))
                           : recv(conn->fd, buf + at, (size_t)(FIRST_BYTES - at), 0);
        if (n <= 0)
            die("answer");
        got += n;
        if (total == 0)
            total = answer_length(buf, (int)got);
    }
    drain.answer_bytes = total;
}

static void new_step(struct conn *conn);

static void conn_open(struct conn *conn)
{
    int one = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(conn->fd, (struct sockaddr *)&drain.address, sizeof(drain.address)) != 0)
        die("connect");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (drain.tls == NULL)
        return;
    conn->ssl = SSL_new(drain.tls);
    SSL_set_fd(conn->ssl, conn->fd);
    SSL_set_tlsext_host_name(conn->ssl, "localhost");
}

static void drain_plain(struct conn *conn)
{
    for (;;) {
        bool in_head = conn->left == 0;
        long n = in_head ? recv(conn->fd, conn->head + conn->head_bytes,
                                sizeof(conn->head) - (size_t)conn->head_bytes, MSG_DONTWAIT)
                         : recv(conn->fd, NULL, (size_t)conn->left, MSG_TRUNC | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("recv");
        if (in_head) {
            conn->head_bytes += (int)n;
            long total = answer_length(conn->head, conn->head_bytes);
            if (total == 0)
                continue;
            conn->left = total - conn->head_bytes;
        } else {
            conn->left -= n;
        }
        if (conn->left == 0) {
            conn->head_bytes = 0;
            finish(conn);
            return;
        }
    }
}

static void drain_tls(struct conn *conn)
{
    for (;;) {
        if (conn->skip > 0) {
            long n = recv(conn->fd, NULL, (size_t)conn->skip, MSG_TRUNC | MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN)
                return;
            if (n <= 0)
                die("recv");
            conn->skip -= n;
            if (conn->skip > 0)
                return;
            if (conn->left <= HEAD_SLACK) {
                finish(conn);
                return;
            }
        }
        long n = recv(conn->fd, conn->head + conn->head_bytes,
                      (size_t)(RECORD_HEAD - conn->head_bytes), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("recv");
        conn->head_bytes += (int)n;
        if (conn->head_bytes < RECORD_HEAD)
            return;
        conn->head_bytes = 0;
        if (conn->head[0] != 23) {
            fprintf(stderr, "a record of type %d\n", conn->head[0]);
            exit(1);
        }
        conn->skip = conn->head[3] << 8 | conn->head[4];
        conn->left -= conn->skip - RECORD_EXTRA;
    }
}

static void watch(struct conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (epoll_ctl(drain.epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0)
        die("epoll");
}

static void new_start(struct conn *conn)
{
    conn_open(conn);
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    conn->head_bytes = 0;
    conn->left = 0;
    watch(conn);
    if (conn->ssl == NULL)
        ask(conn);
    else
        new_step(conn); /* the ClientHello */
}

static void new_end(struct conn *conn)
{
    drain.requests++;
    drain.bytes += drain.answer_bytes;
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    close(conn->fd);
    new_start(conn);
}

/* True when something came; false when there is nothing yet. */
static bool new_read(struct conn *conn, void *buf, size_t size, long *got)
{
    if (conn->ssl == NULL) {
        *got = recv(conn->fd, buf, size, 0);
        if (*got < 0 && errno == EAGAIN)
            return false;
    } else {
        *got = SSL_read(conn->ssl, buf, (int)size);
        if (*got <= 0 && SSL_get_error(conn->ssl, (int)*got) == SSL_ERROR_WANT_READ)
            return false;
    }
    if (*got <= 0)
        die("answer on a new connection");
    return true;
}

/* Goes on with a new connection: handshake, request, answer, and the next one. */
static void new_step(struct conn *conn)
{
    static unsigned char buf[FIRST_BYTES];
    long got;
    if (conn->ssl != NULL && !SSL_is_init_finished(conn->ssl)) {
        int done = SSL_connect(conn->ssl);
        if (done != 1 && SSL_get_error(conn->ssl, done) == SSL_ERROR_WANT_READ)
            return;
        if (done != 1)
            die("handshake");
        ask(conn);
        conn->left = 0;
    }
    while (conn->left == 0) { /* the head */
        if (!new_read(conn, conn->head + conn->head_bytes,
                      sizeof(conn->head) - (size_t)conn->head_bytes, &got))
            return;
        conn->head_bytes += (int)got;
        drain.answer_bytes = answer_length(conn->head, conn->head_bytes);
        if (drain.answer_bytes == 0)
            continue;
        conn->left = drain.answer_bytes - conn->head_bytes;
        if (conn->left == 0) {
            new_end(conn);
            return;
        }
    }
    while (conn->left > 0) {
        if (!new_read(conn, buf, sizeof(buf), &got))
            return;
        conn->left -= got;
    }
    new_end(conn);
}

static void keep_start(struct conn *conn)
{
    conn_open(conn);
    if (conn->ssl != NULL && SSL_connect(conn->ssl) != 1)
        die("handshake");
    ask(conn);
    read_answer(conn);
    watch(conn);
}

static void options(int argc, char **argv)
{
    const char *field = "";
    bool tls = false;
    for (int opt; (opt = getopt(argc, argv, "tnc:d:H:")) != -1;) {
        switch (opt) {
        case 't':
            tls = true;
            break;
        case 'n':
            drain.new_each = true;
            break;
        case 'c':
            drain.connections = atoi(optarg);
            break;
        case 'd':
            drain.seconds = atof(optarg);
            break;
        case 'H':
            field = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: drain [-t] [-n] [-c N] [-d SECONDS] [-H FIELD] HOST PORT PATH\n");
        exit(2);
    }
    drain.address.sin_family = AF_INET;
    drain.address.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
    inet_pton(AF_INET, argv[optind], &drain.address.sin_addr);
    drain.request_bytes =
        snprintf(drain.request, sizeof(drain.request), "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n",
                 argv[optind + 2], argv[optind], field, field[0] ? "\r\n" : "");
    if (tls) {
        drain.tls = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(drain.tls, TLS1_3_VERSION);
        SSL_CTX_set_ciphersuites(drain.tls, "TLS_AES_128_GCM_SHA256");
        SSL_CTX_set1_groups_list(drain.tls, "X25519");
    }
}

int main(int argc, char **argv)
{
    options(argc, argv);
    drain.epoll = epoll_create1(0);
    struct conn *conns = calloc((size_t)drain.connections, sizeof(*conns));
    if (conns == NULL)
        die("memory");
    for (int i = 0; i < drain.connections; i++)
        drain.new_each ? new_start(&conns[i]) : keep_start(&conns[i]);
    for (int i = 0; i < drain.connections && !drain.new_each; i++)
        ask(&conns[i]);
    double start = seconds_of(CLOCK_MONOTONIC), now;
    while ((now = seconds_of(CLOCK_MONOTONIC)) - start < drain.seconds) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(drain.epoll, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            struct conn *conn = events[i].data.ptr;
            drain.new_each ? new_step(conn) : drain.tls ? drain_tls(conn) : drain_plain(conn);
        }
    }
    printf("requests %ld bytes %ld seconds %.3f client_cpu %.2f\n", drain.requests, drain.bytes,
           now - start, seconds_of(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
