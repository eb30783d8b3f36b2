#include "controlplane/chain/subs.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys/crypto.h"
#include "controlplane/chain/wsframe.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUIET_MS           15000u
#define CONNECT_TIMEOUT_MS 3000u
#define MESSAGE_BYTES_MAX  (1u << 20)
#define RECEIVE_BYTES      16384u
#define SEND_BYTES         4096u
#define SEND_TIMEOUT_MS    5000
#define URL_BYTES_MAX      1024u
#define FIELDS_BYTES_MAX   SGC_RPC_FILE_BYTES_MAX
#define OUT_FIRST_MS       250u
#define OUT_MAX_MS         30000u
#define ID_BYTES_MAX       80u

struct server {
    char url[URL_BYTES_MAX]; /* with http for ws: what libcurl knows */
    char fields[FIELDS_BYTES_MAX];
    size_t fields_len;
    char ca[SGC_RPC_FILE_BYTES_MAX];
    size_t ca_len;
    uint32_t connect_timeout_ms;
    struct sg_str host, target; /* within url */
};

struct sgc_subs {
    struct sgc_subs_options options;
    struct sgc_sub subs[SGC_SUBS_MAX];
    char *params; /* of `subs` */
    struct server *servers;
    pthread_t thread;
    bool has_thread;
    int wake_fd; /* readable: end */
    struct sgc_curl_conn *conn;
    struct sgc_ws_reader reader;
    uint8_t *message, *received;
    char ids[SGC_SUBS_MAX][ID_BYTES_MAX]; /* JSON: what the server calls them; "": not yet */
    /* Atomic. */
    bool is_up;
    uint64_t connects, failures, notices;
};

/* ---- servers ---- */

/* Lines of a file become lines of a head. */
static enum sg_err fields_make(struct server *server, struct sg_str text)
{
    struct sg_out out = sg_out_init(server->fields, sizeof(server->fields));
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        struct sg_str line = {text.ptr, len};
        text = sg_str_skip(text, len + 1);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        line = sg_str_trim(line);
        if (line.len == 0)
            continue;
        if (memchr(line.ptr, ':', line.len) == NULL || memchr(line.ptr, '\r', line.len) != NULL ||
            memchr(line.ptr, '\0', line.len) != NULL)
            return SG_EINVAL;
        sg_out_str(&out, line);
        sg_out_lit(&out, "\r\n");
    }
    server->fields_len = out.len;
    return out.full ? SG_EMSGSIZE : SG_OK;
}

/* ws://host/target as http://host/target, in pieces. */
static enum sg_err url_make(struct server *server, const char *url)
{
    struct sg_out out = sg_out_init(server->url, sizeof(server->url) - 1);
    struct sg_str rest = sg_str_from(url);
    if (!sg_str_starts(rest, SG_STR("ws://")) && !sg_str_starts(rest, SG_STR("wss://")))
        return SG_EINVAL;
    sg_out_lit(&out, "http");
    sg_out_str(&out, sg_str_skip(rest, 2));
    const char *host = strstr(server->url, "://") + 3;
    size_t host_len = strcspn(host, "/?#");
    if (out.full || host_len == 0 || memchr(host, '@', host_len) != NULL ||
        strpbrk(host, " \r\n\t#") != NULL || host[host_len] == '?')
        return SG_EINVAL;
    server->host = (struct sg_str){host, host_len};
    server->target = host[host_len] != '\0' ? sg_str_from(host + host_len) : SG_STR("/");
    return SG_OK;
}

static enum sg_err server_make(struct server *server, const struct sgc_rpc_options *options)
{
    struct sg_str fields, ca;
    char *memory = sg_boot_alloc(SGC_RPC_FILE_BYTES_MAX);
    if (memory == NULL)
        return SG_ENOMEM;
    server->connect_timeout_ms =
        options->connect_timeout_ms != 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    enum sg_err err = url_make(server, options->url);
    if (err == SG_OK)
        err = sgc_rpc_read_file(options->fields_file, memory, &fields);
    if (err == SG_OK)
        err = fields_make(server, fields);
    if (err == SG_OK)
        err = sgc_rpc_read_file(options->ca_file, server->ca, &ca);
    if (err == SG_OK)
        server->ca_len = ca.len;
    sg_wipe(memory, SGC_RPC_FILE_BYTES_MAX);
    sg_boot_free(memory);
    return err;
}

/* ---- the connection ---- */

/* SG_ECANCELED: we are to end. SG_ETIMEDOUT. */
static enum sg_err wait_for(struct sgc_subs *subs, short events, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = sgc_curl_conn_fd(subs->conn), .events = events},
                           {.fd = subs->wake_fd, .events = POLLIN}};
    int ready = poll(fds, 2, timeout_ms);
    if (ready > 0 && fds[1].revents != 0)
        return SG_ECANCELED;
    return ready == 0 ? SG_ETIMEDOUT : SG_OK;
}

static bool is_over(const struct sgc_subs *subs)
{
    struct pollfd fd = {.fd = subs->wake_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static bool send_all(struct sgc_subs *subs, struct sg_str bytes)
{
    while (bytes.len > 0) {
        size_t len = 0;
        enum sg_err err = sgc_curl_conn_send(subs->conn, bytes.ptr, bytes.len, &len);
        if (err == SG_EAGAIN && wait_for(subs, POLLOUT, SEND_TIMEOUT_MS) == SG_OK)
            continue;
        if (err != SG_OK)
            return false;
        bytes = sg_str_skip(bytes, len);
    }
    return true;
}

static bool send_frame(struct sgc_subs *subs, enum sgc_ws_opcode opcode, struct sg_str payload)
{
    uint8_t memory[SEND_BYTES + 16], mask[4];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    if (payload.len > SEND_BYTES)
        return false;
    sg_random(mask, sizeof(mask));
    sgc_ws_put(&out, opcode, payload, mask);
    SG_ASSERT(!out.full);
    return send_all(subs, sg_out_view(&out));
}

/* More bytes to received[used ..]. SG_ETIMEDOUT: none came. Else the connection, or our time, is
 * over. */
static enum sg_err receive(struct sgc_subs *subs, size_t used, int timeout_ms, size_t *len)
{
    for (;;) {
        enum sg_err err =
            sgc_curl_conn_recv(subs->conn, subs->received + used, RECEIVE_BYTES - used, len);
        if (err == SG_EAGAIN)
            err = wait_for(subs, POLLIN, timeout_ms);
        else
            return err;
        if (err != SG_OK)
            return err;
    }
}

/* What came behind the server's head is left at the front of `received`. */
static bool shake_hands(struct sgc_subs *subs, const struct server *server, size_t *rest)
{
    uint8_t nonce[16];
    int32_t head = 0;
    size_t used = 0, request_bytes = URL_BYTES_MAX + FIELDS_BYTES_MAX + 512;
    char *memory = sg_boot_alloc(request_bytes);
    if (memory == NULL)
        return false;
    struct sg_out out = sg_out_init(memory, request_bytes);
    sg_random(nonce, sizeof(nonce));
    sgc_ws_put_request(&out, server->host, server->target,
                       (struct sg_str){server->fields, server->fields_len}, nonce);
    bool sent = !out.full && send_all(subs, sg_out_view(&out));
    sg_wipe(memory, request_bytes);
    sg_boot_free(memory);
    while (sent && head == 0) {
        size_t len = 0;
        if (used == RECEIVE_BYTES ||
            receive(subs, used, (int)server->connect_timeout_ms, &len) != SG_OK)
            return false;
        used += len;
        head = sgc_ws_read_response((struct sg_str){(char *)subs->received, used}, nonce);
    }
    if (head <= 0)
        return false;
    *rest = used - (size_t)head;
    memmove(subs->received, subs->received + head, *rest);
    return true;
}

static bool subscribe(struct sgc_subs *subs)
{
    char memory[SEND_BYTES];
    for (uint32_t i = 0; i < subs->options.subs_count; i++) {
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        subs->ids[i][0] = '\0';
        sg_out_lit(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
        sg_out_u64(&out, i);
        sg_out_lit(&out, ",\"method\":\"");
        sg_out_str(&out, sg_str_from(subs->subs[i].method));
        sg_out_lit(&out, "\",\"params\":");
        sg_out_str(&out, subs->subs[i].params);
        sg_out_char(&out, '}');
        if (out.full || !send_frame(subs, SGC_WS_OP_TEXT, sg_out_view(&out)))
            return false;
    }
    return true;
}

/* ---- what is heard ---- */

/* The answer to a subscription: the name that the server gives it. False: it refused. */
static bool answer_take(struct sgc_subs *subs, struct sg_jsonread whole)
{
    struct sg_jsonread id, result;
    uint64_t sub;
    if (!sg_jsonread_member(whole, "id", &id) || !sg_jsonread_u64(id, &sub) ||
        sub >= subs->options.subs_count || !sg_jsonread_member(whole, "result", &result) ||
        result.len >= ID_BYTES_MAX)
        return false;
    memcpy(subs->ids[sub], result.ptr, result.len);
    subs->ids[sub][result.len] = '\0';
    bool all = true;
    for (uint32_t i = 0; i < subs->options.subs_count; i++)
        all = all && subs->ids[i][0] != '\0';
    __atomic_store_n(&subs->is_up, all, __ATOMIC_RELAXED);
    return true;
}

static void notice_take(struct sgc_subs *subs, struct sg_jsonread params)
{
    struct sg_jsonread id, result;
    if (sg_jsonread_kind(params) != SG_JSONREAD_OBJECT ||
        !sg_jsonread_member(params, "subscription", &id) ||
        !sg_jsonread_member(params, "result", &result))
        return;
    for (uint32_t i = 0; i < subs->options.subs_count; i++) {
        if (!sg_str_eq(sg_str_from(subs->ids[i]), (struct sg_str){id.ptr, id.len}))
            continue;
        __atomic_add_fetch(&subs->notices, 1, __ATOMIC_RELAXED);
        subs->options.notice(subs->options.ctx, i, result);
        return;
    }
}

static bool text_take(struct sgc_subs *subs, struct sg_str text)
{
    struct sg_jsonread whole, params;
    if (!sg_jsonread_check(text, SGC_RPC_DEPTH_MAX, &whole) ||
        sg_jsonread_kind(whole) != SG_JSONREAD_OBJECT)
        return false;
    if (!sg_jsonread_member(whole, "params", &params))
        return answer_take(subs, whole);
    notice_take(subs, params);
    return true;
}

static bool bytes_take(struct sgc_subs *subs, struct sg_str bytes)
{
    while (bytes.len > 0) {
        switch (sgc_ws_read(&subs->reader, &bytes)) {
        case SGC_WS_MORE:
        case SGC_WS_PONG:
            break;
        case SGC_WS_TEXT:
            if (!text_take(subs, subs->reader.message))
                return false;
            break;
        case SGC_WS_PING:
            if (!send_frame(subs, SGC_WS_OP_PONG, subs->reader.message))
                return false;
            break;
        case SGC_WS_CLOSE:
        case SGC_WS_BAD:
            return false;
        }
    }
    return true;
}

/* Until the connection ends. After a silence a ping; after a second one the end. */
static void serve(struct sgc_subs *subs, size_t rest)
{
    int quiet_ms = (int)(subs->options.quiet_ms != 0 ? subs->options.quiet_ms : QUIET_MS);
    size_t len = rest;
    bool pinged = false;
    sgc_ws_reader_init(&subs->reader, subs->message, MESSAGE_BYTES_MAX);
    if (!subscribe(subs))
        return;
    while (bytes_take(subs, (struct sg_str){(char *)subs->received, len})) {
        len = 0;
        enum sg_err err = receive(subs, 0, quiet_ms, &len);
        if (err != SG_OK &&
            (err != SG_ETIMEDOUT || pinged || !send_frame(subs, SGC_WS_OP_PING, SG_STR_NONE)))
            return;
        pinged = err == SG_ETIMEDOUT;
    }
}

/* ---- the thread ---- */

static bool server_try(struct sgc_subs *subs, const struct server *server)
{
    const struct sgc_curl_target target = {.url = server->url,
                                           .ca = {server->ca, server->ca_len},
                                           .connect_timeout_ms = server->connect_timeout_ms};
    uint64_t notices = subs->notices;
    size_t rest = 0;
    if (sgc_curl_conn_open(&target, &subs->conn) != SG_OK)
        return false;
    if (shake_hands(subs, server, &rest)) {
        __atomic_add_fetch(&subs->connects, 1, __ATOMIC_RELAXED);
        serve(subs, rest);
    }
    __atomic_store_n(&subs->is_up, false, __ATOMIC_RELAXED);
    sgc_curl_conn_close(SG_TAKE(subs->conn));
    return subs->notices != notices;
}

static void *subs_run(void *arg)
{
    struct sgc_subs *subs = arg;
    struct pollfd fd = {.fd = subs->wake_fd, .events = POLLIN};
    uint32_t at = 0, row = 0;
    while (!is_over(subs)) {
        const struct server *server = &subs->servers[at];
        row = server_try(subs, server) ? 0 : row + 1;
        if (is_over(subs))
            break;
        uint32_t doublings = SG_MIN(row / subs->options.servers_count, 8u);
        uint32_t ms = SG_MIN(OUT_FIRST_MS << doublings, OUT_MAX_MS);
        if (row <= 1)
            sg_warn("chain server %.*s: no subscription; another try in %u ms",
                    SG_STR_ARG(server->host), ms);
        __atomic_add_fetch(&subs->failures, 1, __ATOMIC_RELAXED);
        poll(&fd, 1, (int)ms);
        at = (at + 1) % subs->options.servers_count;
    }
    return NULL;
}

static enum sg_err params_copy(struct sgc_subs *subs)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < subs->options.subs_count; i++)
        bytes += subs->options.subs[i].params.len;
    char *at = subs->params = sg_boot_alloc(bytes);
    if (at == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < subs->options.subs_count; i++) {
        const struct sgc_sub *sub = &subs->options.subs[i];
        memcpy(at, sub->params.ptr, sub->params.len);
        subs->subs[i] = (struct sgc_sub){sub->method, {at, sub->params.len}};
        at += sub->params.len;
    }
    subs->options.subs = subs->subs;
    return SG_OK;
}

static enum sg_err subs_set_up(struct sgc_subs *subs)
{
    if (params_copy(subs) != SG_OK)
        return SG_ENOMEM;
    subs->servers = sg_boot_alloc_array(subs->options.servers_count, sizeof(subs->servers[0]));
    subs->message = sg_boot_alloc(MESSAGE_BYTES_MAX);
    subs->received = sg_boot_alloc(RECEIVE_BYTES);
    if (subs->servers == NULL || subs->message == NULL || subs->received == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < subs->options.servers_count; i++) {
        enum sg_err err = server_make(&subs->servers[i], &subs->options.servers[i]);
        if (err != SG_OK)
            return err;
    }
    subs->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (subs->wake_fd < 0)
        return sg_err_from_errno(errno);
    int failed = pthread_create(&subs->thread, NULL, subs_run, subs);
    subs->has_thread = failed == 0;
    return failed == 0 ? SG_OK : sg_err_from_errno(failed);
}

enum sg_err sgc_subs_open(const struct sgc_subs_options *options, struct sgc_subs **out)
{
    SG_ASSERT(options->servers_count > 0 && options->servers_count <= SGC_SUBS_SERVERS_MAX);
    SG_ASSERT(options->subs_count > 0 && options->subs_count <= SGC_SUBS_MAX);
    SG_ASSERT(options->notice != NULL && out != NULL);
    struct sgc_subs *subs = sg_boot_alloc(sizeof(*subs));
    if (subs == NULL)
        return SG_ENOMEM;
    subs->options = *options;
    subs->wake_fd = -1;
    enum sg_err err = subs_set_up(subs);
    if (err == SG_OK)
        *out = SG_TAKE(subs);
    sgc_subs_close(subs);
    return err;
}

void sgc_subs_close(struct sgc_subs *subs)
{
    if (subs == NULL)
        return;
    if (subs->has_thread) {
        eventfd_write(subs->wake_fd, 1);
        pthread_join(subs->thread, NULL);
    }
    if (subs->wake_fd >= 0)
        close(subs->wake_fd);
    if (subs->servers != NULL)
        sg_wipe(subs->servers, subs->options.servers_count * sizeof(subs->servers[0]));
    sg_boot_free(subs->servers);
    sg_boot_free(subs->params);
    sg_boot_free(subs->message);
    sg_boot_free(subs->received);
    sg_boot_free(subs);
}

void sgc_subs_stats(const struct sgc_subs *subs, struct sgc_subs_stats *out)
{
    out->is_up = __atomic_load_n(&subs->is_up, __ATOMIC_RELAXED);
    out->connects = __atomic_load_n(&subs->connects, __ATOMIC_RELAXED);
    out->failures = __atomic_load_n(&subs->failures, __ATOMIC_RELAXED);
    out->notices = __atomic_load_n(&subs->notices, __ATOMIC_RELAXED);
}
