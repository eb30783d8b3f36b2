#include "dataplane/sys/curl.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys/pkey.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <openssl/ssl.h> /* of libcurl's contexts */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX      64
#define BUFFER_BYTES    131072L /* what one recv() may bring */
#define IDLE_CONN_S     55L     /* below the 60 to 75 s after which common servers close */
#define CONNECTIONS_MAX 512L    /* kept open, idle ones included, a loop */
#define SOCKETS_MAX     4096    /* open at once, a loop */

_Static_assert(SGD_CURL_PIECE_BYTES == CURL_MAX_WRITE_SIZE, "what libcurl hands over at most");

struct curl_socket {
    int fd;
    int local_port; /* 0: not looked up yet */
};

struct sgd_curl {
    CURLM *multi;
    CURLSH *share; /* TLS sessions */
    int epoll_fd;
    int wake_fd;
    uint64_t due_ns; /* when libcurl wants to run without an event */
    int events_count;
    struct epoll_event events[EVENTS_MAX];
    uint32_t sockets_count;
    struct curl_socket sockets[SOCKETS_MAX];
};

struct sgd_curl_xfer {
    struct sgd_curl *curl;
    CURL *easy;
    struct curl_slist *fields;
    struct curl_slist *connect_to;
    const struct sgd_curl_ops *ops;
    void *self;
    bool expect_h2;
    bool body_paused, upload_paused;
    char text[CURL_ERROR_SIZE];
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void global_init(void)
{
    global_code = curl_global_init(CURL_GLOBAL_ALL);
}

/* ---- the loop ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct sgd_curl *curl = user;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(curl->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    event.events =
        ((what & CURL_POLL_IN) ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0u);
    if (epoll_ctl(curl->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0 &&
        epoll_ctl(curl->epoll_fd, known == NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        return -1;
    curl_multi_assign(curl->multi, fd, curl);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct sgd_curl *curl = user;
    (void)multi;
    curl->due_ns =
        timeout_ms < 0 ? SG_NEVER : sg_clock_mono_ns() + (uint64_t)timeout_ms * SG_NS_PER_MS;
    return 0;
}

void sgd_curl_close(struct sgd_curl *curl)
{
    if (curl == NULL)
        return;
    if (curl->multi != NULL)
        curl_multi_cleanup(curl->multi);
    if (curl->share != NULL)
        curl_share_cleanup(curl->share);
    if (curl->epoll_fd > 0)
        close(curl->epoll_fd);
    sg_boot_free(curl);
}

static enum sg_err curl_set_up(struct sgd_curl *curl, int wake_fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = wake_fd};
    curl->wake_fd = wake_fd;
    curl->due_ns = SG_NEVER;
    curl->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (curl->epoll_fd < 0)
        return sg_err_from_errno(errno);
    if (epoll_ctl(curl->epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0)
        return sg_err_from_errno(errno);
    curl->multi = curl_multi_init();
    curl->share = curl_share_init();
    if (curl->multi == NULL || curl->share == NULL)
        return SG_ENOMEM;
    curl_share_setopt(curl->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    curl_multi_setopt(curl->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    return SG_OK;
}

enum sg_err sgd_curl_open(int wake_fd, struct sgd_curl **out)
{
    SG_ASSERT(wake_fd >= 0);
    SG_ASSERT(out != NULL);
    pthread_once(&global_once, global_init);
    if (global_code != CURLE_OK)
        return SG_ETLS;
    struct sgd_curl *curl = sg_boot_alloc(sizeof(*curl));
    if (curl == NULL)
        return SG_ENOMEM;
    enum sg_err err = curl_set_up(curl, wake_fd);
    if (err == SG_OK)
        *out = SG_TAKE(curl);
    sgd_curl_close(curl);
    return err;
}

void sgd_curl_wait(struct sgd_curl *curl, uint64_t until_ns)
{
    uint64_t now_ns = sg_clock_mono_ns();
    uint64_t at_ns = SG_MIN(until_ns, curl->due_ns);
    int timeout_ms = -1;
    if (at_ns <= now_ns)
        timeout_ms = 0;
    else if (at_ns != SG_NEVER) /* rounded up: waking early would spin */
        timeout_ms = (int)SG_MIN((at_ns - now_ns + SG_NS_PER_MS - 1) / SG_NS_PER_MS, 60000ull);
    curl->events_count =
        SG_MAX(epoll_wait(curl->epoll_fd, curl->events, EVENTS_MAX, timeout_ms), 0);
}

static void wake_drain(struct sgd_curl *curl)
{
    uint64_t count;
    if (read(curl->wake_fd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: somebody read it before */
}

static int action_bits(uint32_t events)
{
    return ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
           ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
           ((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
}

/* ---- what an end means ---- */

static enum sgd_origin_error connect_error(CURL *easy)
{
    long os_errno = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    switch (os_errno) {
    case ETIMEDOUT:
        return SGD_ORIGIN_connection_timeout;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EACCES:
        return SGD_ORIGIN_ip_unroutable;
    default:
        return SGD_ORIGIN_connection_refused;
    }
}

/* Only connecting has a time limit of libcurl's; the rest is the caller's to watch. */
static enum sgd_origin_error timeout_error(CURL *easy)
{
    curl_off_t looked_up_us = 0;
    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up_us);
    return looked_up_us == 0 ? SGD_ORIGIN_dns_timeout : SGD_ORIGIN_connection_timeout;
}

/* A reset and a broken chunk are one code; only the text tells them apart. */
static enum sgd_origin_error receive_error(const struct sgd_curl_xfer *xfer)
{
    return strstr(xfer->text, "chunk") != NULL ? SGD_ORIGIN_transfer_coding
                                               : SGD_ORIGIN_connection_terminated;
}

static enum sgd_origin_error origin_error(struct sgd_curl_xfer *xfer, CURLcode code)
{
    switch ((int)code) { /* as int: later versions have codes that this one has not */
    case CURLE_OK:
        return SGD_ORIGIN_none;
    case CURLE_COULDNT_RESOLVE_HOST:
        return SGD_ORIGIN_dns_error;
    case CURLE_COULDNT_CONNECT:
        return connect_error(xfer->easy);
    case CURLE_OPERATION_TIMEDOUT:
        return timeout_error(xfer->easy);
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2_STREAM:
        return SGD_ORIGIN_incomplete;
    case CURLE_RECV_ERROR:
        return receive_error(xfer);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
        return SGD_ORIGIN_connection_terminated;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return SGD_ORIGIN_tls_certificate;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CLIENTCERT:
        return SGD_ORIGIN_tls_protocol;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, HTTP/7 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_UPLOAD_FAILED:         /* chunked, to a server that spoke HTTP/1.0 */
    case CURLE_BAD_FUNCTION_ARGUMENT: /* a head that begins with a folded line, since 8.2 */
        return SGD_ORIGIN_protocol;
    case CURLE_BAD_CONTENT_ENCODING:
        return SGD_ORIGIN_transfer_coding;
    case CURLE_OUT_OF_MEMORY: /* 7.88's word for a field line over 100 KiB */
    case 100:                 /* CURLE_TOO_LARGE, since 8.6 */
        return SGD_ORIGIN_head_too_large;
    case CURLE_WRITE_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
        return SGD_ORIGIN_aborted;
    default:
        return SGD_ORIGIN_internal;
    }
}

/* ---- sockets ---- */

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *addr)
{
    struct sgd_curl *curl = user;
    (void)purpose;
    if (curl->sockets_count == SOCKETS_MAX)
        return CURL_SOCKET_BAD;
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    curl->sockets[curl->sockets_count++] = (struct curl_socket){fd, 0};
    return fd;
}

static int on_close_socket(void *user, curl_socket_t fd)
{
    struct sgd_curl *curl = user;
    for (uint32_t i = 0; i < curl->sockets_count; i++)
        if (curl->sockets[i].fd == fd)
            curl->sockets[i] = curl->sockets[--curl->sockets_count];
    return close(fd);
}

static bool socket_is(struct curl_socket *s, int local_port, const char *remote_ip, int remote_port)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char host[INET6_ADDRSTRLEN], port[8];
    if (s->local_port == 0 && getsockname(s->fd, (struct sockaddr *)&addr, &len) == 0)
        s->local_port = ntohs(((struct sockaddr_in *)&addr)->sin_port); /* as in sockaddr_in6 */
    len = sizeof(addr);
    return s->local_port == local_port && getpeername(s->fd, (struct sockaddr *)&addr, &len) == 0 &&
           getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
           strcmp(host, remote_ip) == 0 && atoi(port) == remote_port;
}

/* Whoever answered more than it announced has the rest waiting here, to be taken for the answer to
 * what we ask next. libcurl 7.88 looks only whether the connection was closed. So it is closed
 * now, and the send that then fails makes libcurl take another one. */
static void refuse_leftovers(struct sgd_curl *curl, int local_port, const char *remote_ip,
                             int remote_port)
{
    char rest[4096];
    for (uint32_t i = 0; i < curl->sockets_count; i++) {
        struct curl_socket *s = &curl->sockets[i];
        if (!socket_is(s, local_port, remote_ip, remote_port) ||
            recv(s->fd, rest, sizeof(rest), MSG_PEEK | MSG_DONTWAIT) <= 0)
            continue;
        for (int n = 0; n < 64 && recv(s->fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; n++)
            ;
        shutdown(s->fd, SHUT_RDWR);
    }
}

/* ---- transfers ---- */

/* No handle is used again: 7.88 keeps a pointer to the last field of the transfer before, and adds
 * to it when a head begins with a folded line. Connections are the multi handle's. */
static void xfer_free(struct sgd_curl_xfer *xfer)
{
    curl_slist_free_all(xfer->fields);
    curl_slist_free_all(xfer->connect_to);
    curl_easy_cleanup(xfer->easy);
    sg_boot_free(xfer);
}

static void xfer_done(struct sgd_curl *curl, CURL *easy, CURLcode code)
{
    struct sgd_curl_xfer *xfer = NULL;
    char text[CURL_ERROR_SIZE];
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&xfer);
    curl_multi_remove_handle(curl->multi, easy);
    enum sgd_origin_error error = origin_error(xfer, code);
    const struct sgd_curl_ops *ops = xfer->ops;
    void *self = xfer->self;
    if (xfer->text[0] == 0)
        strncat(xfer->text, curl_easy_strerror(code), sizeof(xfer->text) - 1);
    memcpy(text, xfer->text, sizeof(text));
    xfer_free(xfer);
    ops->done(self, error, text);
}

void sgd_curl_turn(struct sgd_curl *curl)
{
    int running, left;
    for (int i = 0; i < curl->events_count; i++) {
        const struct epoll_event *event = &curl->events[i];
        if (event->data.fd == curl->wake_fd)
            wake_drain(curl);
        else
            curl_multi_socket_action(curl->multi, event->data.fd, action_bits(event->events),
                                     &running);
    }
    curl->events_count = 0;
    if (curl->due_ns <= sg_clock_mono_ns()) {
        curl->due_ns = SG_NEVER;
        curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (CURLMsg *msg; (msg = curl_multi_info_read(curl->multi, &left)) != NULL;)
        if (msg->msg == CURLMSG_DONE)
            xfer_done(curl, msg->easy_handle, msg->data.result);
}

static int on_sending(void *self, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct sgd_curl_xfer *xfer = self;
    long connects = 0;
    (void)local_ip;
    curl_easy_getinfo(xfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects == 0 && !xfer->expect_h2) /* HTTP/2 says what each frame belongs to */
        refuse_leftovers(xfer->curl, local_port, remote_ip, remote_port);
    xfer->ops->sending(xfer->self);
    return CURL_PREREQFUNC_OK;
}

static size_t on_line(char *line, size_t size, size_t count, void *self)
{
    struct sgd_curl_xfer *xfer = self;
    return xfer->ops->line(xfer->self, line, size * count) ? size * count : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *self)
{
    struct sgd_curl_xfer *xfer = self;
    SG_ASSERT(size * count <= SGD_CURL_PIECE_BYTES);
    switch (xfer->ops->body(xfer->self, (const uint8_t *)bytes, size * count)) {
    case SGD_CURL_TAKEN:
        return size * count;
    case SGD_CURL_LATER:
        xfer->body_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    case SGD_CURL_FAIL:
        break;
    }
    return size * count + 1; /* any other count is a write error */
}

static size_t on_upload(char *out, size_t size, size_t count, void *self)
{
    struct sgd_curl_xfer *xfer = self;
    size_t n = xfer->ops->upload(xfer->self, (uint8_t *)out, size * count);
    if (n != SGD_CURL_PAUSE)
        return n;
    xfer->upload_paused = true;
    return CURL_READFUNC_PAUSE;
}

/* An empty value is "Name;" in libcurl's language: "Name:" would take the field away. */
static bool fields_add(struct sgd_curl_xfer *xfer, const char *line)
{
    struct curl_slist *grown = curl_slist_append(xfer->fields, line);
    if (grown == NULL)
        return false;
    xfer->fields = grown;
    return true;
}

static bool fields_set(struct sgd_curl_xfer *xfer, char *fields)
{
    char *end;
    for (char *line = fields; (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
        char *colon = memchr(line, ':', (size_t)(end - line));
        SG_ASSERT(colon != NULL);
        *end = 0;
        if (colon[1 + strspn(colon + 1, " \t")] == 0) {
            colon[0] = ';';
            colon[1] = 0;
        }
        if (!fields_add(xfer, line))
            return false;
    }
    /* What libcurl would add unasked. */
    return fields_add(xfer, "Accept:") && fields_add(xfer, "Expect:") &&
           curl_easy_setopt(xfer->easy, CURLOPT_HTTPHEADER, xfer->fields) == CURLE_OK;
}

static void set_manners(CURL *easy, CURLSH *share)
{
    curl_easy_setopt(easy, CURLOPT_SHARE, share);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONN_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* Otherwise ending a transfer that still resolves a name waits for the resolver, and all
     * others of this thread with it. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static bool set_blob(CURL *easy, CURLoption option, struct sg_str pem, unsigned int how)
{
    struct curl_blob blob = {(void *)(uintptr_t)pem.ptr, pem.len, how};
    return pem.len == 0 || curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

/* libcurl has read the key into the ordinary heap, for this connection: which lets go of it, and
 * wipes it, as ours takes its place. */
static CURLcode on_context(CURL *easy, void *ctx, void *key)
{
    (void)easy;
    return SSL_CTX_use_PrivateKey(ctx, key) == 1 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static bool set_tls(CURL *easy, const struct sgd_curl_tls *tls)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
    if (tls->key != NULL) {
        sg_pkey_wipe();
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, tls->key);
    }
    return set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca, CURL_BLOB_COPY) &&
           set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->client_cert, CURL_BLOB_COPY) &&
           set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->client_key, CURL_BLOB_NOCOPY); /* a secret */
}

static void set_callbacks(struct sgd_curl_xfer *xfer)
{
    CURL *easy = xfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, xfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, xfer->text);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, xfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, xfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, xfer);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, xfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, xfer->curl);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, xfer->curl); /* outlives all sockets */
}

/* RFC 9110 section 8.6: these say how long their body is even when there is none. */
static bool says_length(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* "::host:" stands for any host and port, and the same port there. */
static bool set_connect_to(struct sgd_curl_xfer *xfer, const char *host)
{
    char rule[300];
    if (host == NULL)
        return true;
    int len = snprintf(rule, sizeof(rule), "::%s:", host);
    if (len < 0 || (size_t)len >= sizeof(rule))
        return false;
    xfer->connect_to = curl_slist_append(NULL, rule);
    return xfer->connect_to != NULL &&
           curl_easy_setopt(xfer->easy, CURLOPT_CONNECT_TO, xfer->connect_to) == CURLE_OK;
}

static bool set_request(struct sgd_curl_xfer *xfer, const struct sgd_curl_request *req)
{
    CURL *easy = xfer->easy;
    curl_off_t body_bytes = req->body_bytes == UINT64_MAX ? -1 : (curl_off_t)req->body_bytes;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, req->fresh ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, req->expect_h2 ? 1L : 0L);
    if (strcmp(req->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (body_bytes != 0 || says_length(req->method)) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, body_bytes);
    }
    return set_connect_to(xfer, req->connect_to) &&
           curl_easy_setopt(easy, CURLOPT_URL, req->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, req->target) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method) == CURLE_OK;
}

enum sg_err sgd_curl_start(struct sgd_curl *curl, const struct sgd_curl_request *req,
                           const struct sgd_curl_ops *ops, void *self, struct sgd_curl_xfer **out)
{
    SG_ASSERT(req->url != NULL && req->target != NULL);
    SG_ASSERT(req->method != NULL && req->fields != NULL && req->tls != NULL);
    struct sgd_curl_xfer *xfer = sg_boot_alloc(sizeof(*xfer));
    if (xfer == NULL)
        return SG_ENOMEM;
    xfer->curl = curl;
    xfer->ops = ops;
    xfer->self = self;
    xfer->expect_h2 = req->expect_h2;
    xfer->easy = curl_easy_init();
    if (xfer->easy == NULL) {
        sg_boot_free(xfer);
        return SG_ENOMEM;
    }
    set_manners(xfer->easy, curl->share);
    set_callbacks(xfer);
    if (!set_tls(xfer->easy, req->tls) || !set_request(xfer, req) ||
        !fields_set(xfer, req->fields) ||
        curl_multi_add_handle(curl->multi, xfer->easy) != CURLM_OK) {
        xfer_free(xfer);
        return SG_ENOMEM;
    }
    *out = xfer;
    return SG_OK;
}

void sgd_curl_stop(struct sgd_curl_xfer *xfer)
{
    curl_multi_remove_handle(xfer->curl->multi, xfer->easy);
    xfer_free(xfer);
}

static enum sgd_origin_error xfer_resume(struct sgd_curl_xfer *xfer)
{
    int held =
        (xfer->body_paused ? CURLPAUSE_RECV : 0) | (xfer->upload_paused ? CURLPAUSE_SEND : 0);
    return origin_error(xfer, curl_easy_pause(xfer->easy, held));
}

enum sgd_origin_error sgd_curl_resume_body(struct sgd_curl_xfer *xfer)
{
    if (!xfer->body_paused)
        return SGD_ORIGIN_none;
    xfer->body_paused = false; /* before the call: body() may pause it again in there */
    return xfer_resume(xfer);
}

enum sgd_origin_error sgd_curl_resume_upload(struct sgd_curl_xfer *xfer)
{
    if (!xfer->upload_paused)
        return SGD_ORIGIN_none;
    xfer->upload_paused = false;
    return xfer_resume(xfer);
}

void sgd_curl_part(struct sgd_curl_xfer *xfer)
{
    SG_ASSERT(xfer != NULL);
    curl_easy_setopt(xfer->easy, CURLOPT_FORBID_REUSE, 1L);
}
