#include "controlplane/chain/subs.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys/crypto.h"
#include "controlplane/chain/wsframe.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
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

/* What is to be subscribed to, with the lock held; and what the server was asked, the thread's. */
struct place {
    const char *method; /* NULL: nothing */
    char params[SGC_SUB_PARAMS_MAX];
    uint32_t params_len;
    uint32_t serial; /* another with each _put() */

    const char *asked; /* the method that was; NULL: nothing */
    uint32_t asked_serial;
    uint32_t request;      /* its JSON-RPC id */
    bool is_refused;       /* by this server */
    char id[ID_BYTES_MAX]; /* JSON: what the server calls it; "": not yet */
};

struct sgc_subs {
    struct sgc_subs_options options;
    struct server *servers;
    pthread_t thread;
    bool has_thread;
    atomic_bool over;
    int wake_fd; /* readable: over, or places changed */
    pthread_mutex_t lock;
    struct place *places; /* subs_count of them */
    uint32_t next_request;
    bool is_woken; /* places changed while something was sent */
    struct sgc_curl_conn *conn;
    struct sgc_ws_reader reader;
    uint8_t *message, *received;
    /* Atomic. */
    bool is_up;
    uint32_t asked, heard;
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

/* SG_ECANCELED: we are to end. SG_EAGAIN: we were woken. SG_ETIMEDOUT. */
static enum sg_err wait_for(struct sgc_subs *subs, short events, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = sgc_curl_conn_fd(subs->conn), .events = events},
                           {.fd = subs->wake_fd, .events = POLLIN}};
    eventfd_t wakes;
    int ready = poll(fds, 2, timeout_ms);
    if (ready <= 0 || fds[1].revents == 0)
        return ready == 0 ? SG_ETIMEDOUT : SG_OK;
    (void)eventfd_read(subs->wake_fd, &wakes);
    return atomic_load(&subs->over) ? SG_ECANCELED : SG_EAGAIN;
}

static bool send_all(struct sgc_subs *subs, struct sg_str bytes)
{
    while (bytes.len > 0) {
        size_t len = 0;
        enum sg_err err = sgc_curl_conn_send(subs->conn, bytes.ptr, bytes.len, &len);
        if (err == SG_EAGAIN) {
            err = wait_for(subs, POLLOUT, SEND_TIMEOUT_MS);
            subs->is_woken |= err == SG_EAGAIN;
            err = err == SG_EAGAIN ? SG_OK : err;
        }
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

/* More bytes to received[used ..]. SG_ETIMEDOUT: none came. SG_EAGAIN: we were woken. Else the
 * connection, or our time, is over. */
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
        enum sg_err err = used == RECEIVE_BYTES
                              ? SG_EMSGSIZE
                              : receive(subs, used, (int)server->connect_timeout_ms, &len);
        if (err != SG_OK && err != SG_EAGAIN)
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

static bool request(struct sgc_subs *subs, struct sg_str method, struct sg_str params)
{
    char memory[SEND_BYTES];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    sg_out_u64(&out, ++subs->next_request);
    sg_out_lit(&out, ",\"method\":\"");
    sg_out_str(&out, method);
    sg_out_lit(&out, "\",\"params\":");
    sg_out_str(&out, params);
    sg_out_char(&out, '}');
    return !out.full && send_frame(subs, SGC_WS_OP_TEXT, sg_out_view(&out));
}

/* accountUnsubscribe for accountSubscribe, eth_unsubscribe for eth_subscribe. */
static bool unsubscribe(struct sgc_subs *subs, struct place *place)
{
    char method[64], params[ID_BYTES_MAX + 2];
    const char *word = strcasestr(place->asked, "subscribe");
    SG_ASSERT(word != NULL);
    snprintf(method, sizeof(method), "%.*s%s", (int)(word - place->asked), place->asked,
             *word == 'S' ? "Unsubscribe" : "unsubscribe");
    snprintf(params, sizeof(params), "[%s]", place->id);
    place->asked = NULL;
    place->id[0] = '\0';
    return request(subs, sg_str_from(method), sg_str_from(params));
}

/* What there is to be, as it is now; its params go to `memory`. */
static struct sgc_sub wanted_of(struct sgc_subs *subs, const struct place *place,
                                char memory[SGC_SUB_PARAMS_MAX], uint32_t *serial)
{
    pthread_mutex_lock(&subs->lock);
    struct sgc_sub sub = {place->method, {memory, place->params_len}};
    memcpy(memory, place->params, place->params_len);
    *serial = place->serial;
    pthread_mutex_unlock(&subs->lock);
    return sub;
}

static bool place_ask(struct sgc_subs *subs, struct place *place)
{
    char memory[SGC_SUB_PARAMS_MAX];
    uint32_t serial;
    struct sgc_sub sub = wanted_of(subs, place, memory, &serial);
    bool is_answered = place->asked == NULL || place->is_refused || place->id[0] != '\0';
    if (serial == place->asked_serial || !is_answered)
        return true; /* another answer will bring us back */
    if (place->id[0] != '\0' && !unsubscribe(subs, place))
        return false;
    place->asked = sub.method;
    place->asked_serial = serial;
    place->is_refused = false;
    if (sub.method == NULL)
        return true;
    bool sent = request(subs, sg_str_from(sub.method), sub.params);
    place->request = subs->next_request;
    return sent;
}

/* Tells what changed, and counts. False: the connection is of no use. */
static bool ask_all(struct sgc_subs *subs)
{
    uint32_t asked = 0, heard = 0, refused = 0;
    subs->is_woken = false;
    for (uint32_t i = 0; i < subs->options.subs_count; i++) {
        struct place *place = &subs->places[i];
        if (!place_ask(subs, place))
            return false;
        asked += place->asked != NULL;
        heard += place->id[0] != '\0';
        refused += place->asked != NULL && place->is_refused;
    }
    __atomic_store_n(&subs->asked, asked, __ATOMIC_RELAXED);
    __atomic_store_n(&subs->heard, heard, __ATOMIC_RELAXED);
    __atomic_store_n(&subs->is_up, heard == asked, __ATOMIC_RELAXED);
    return asked == 0 || refused < asked;
}

/* With a new connection nothing is asked yet. */
static void places_clear(struct sgc_subs *subs)
{
    for (uint32_t i = 0; i < subs->options.subs_count; i++) {
        struct place *place = &subs->places[i];
        place->asked = NULL;
        place->asked_serial = 0;
        place->is_refused = false;
        place->id[0] = '\0';
    }
    __atomic_store_n(&subs->heard, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&subs->is_up, false, __ATOMIC_RELAXED);
}

/* ---- what is heard ---- */

static struct place *place_find(struct sgc_subs *subs, uint64_t request)
{
    for (uint32_t i = 0; i < subs->options.subs_count; i++)
        if (subs->places[i].asked != NULL && subs->places[i].request == request)
            return &subs->places[i];
    return NULL;
}

/* The answer to a subscription: the name that the server gives it, or a refusal, which leaves the
 * others. False: no such answer, or none was taken. */
static bool answer_take(struct sgc_subs *subs, struct sg_jsonread whole)
{
    struct sg_jsonread id, result, error;
    uint64_t request;
    if (!sg_jsonread_member(whole, "id", &id) || !sg_jsonread_u64(id, &request) || request == 0 ||
        request > subs->next_request)
        return false;
    struct place *place = place_find(subs, request);
    if (place == NULL)
        return true; /* to the end of one */
    if (sg_jsonread_member(whole, "result", &result) && result.len < ID_BYTES_MAX) {
        memcpy(place->id, result.ptr, result.len);
        place->id[result.len] = '\0';
    } else if (sg_jsonread_member(whole, "error", &error)) {
        place->is_refused = true;
    } else {
        return false;
    }
    return ask_all(subs);
}

static void notice_take(struct sgc_subs *subs, struct sg_jsonread params)
{
    struct sg_jsonread id, result;
    if (sg_jsonread_kind(params) != SG_JSONREAD_OBJECT ||
        !sg_jsonread_member(params, "subscription", &id) ||
        !sg_jsonread_member(params, "result", &result))
        return;
    for (uint32_t i = 0; i < subs->options.subs_count; i++) {
        if (!sg_str_eq(sg_str_from(subs->places[i].id), (struct sg_str){id.ptr, id.len}))
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
    if (!ask_all(subs))
        return;
    while (bytes_take(subs, (struct sg_str){(char *)subs->received, len})) {
        len = 0;
        enum sg_err err = subs->is_woken ? SG_EAGAIN : receive(subs, 0, quiet_ms, &len);
        if (err == SG_EAGAIN ? !ask_all(subs)
                             : err != SG_OK && (err != SG_ETIMEDOUT || pinged ||
                                                !send_frame(subs, SGC_WS_OP_PING, SG_STR_NONE)))
            return;
        pinged = err == SG_ETIMEDOUT || (pinged && err == SG_EAGAIN);
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
    places_clear(subs);
    sgc_curl_conn_close(SG_TAKE(subs->conn));
    return subs->notices != notices;
}

/* Until the time is over, or we are to end. */
static void rest(struct sgc_subs *subs, uint32_t ms)
{
    uint64_t until_ns = sg_clock_mono_ns() + ms * SG_NS_PER_MS, now_ns;
    struct pollfd fd = {.fd = subs->wake_fd, .events = POLLIN};
    eventfd_t wakes;
    while (!atomic_load(&subs->over) && (now_ns = sg_clock_mono_ns()) < until_ns)
        if (poll(&fd, 1, (int)((until_ns - now_ns) / SG_NS_PER_MS) + 1) > 0)
            (void)eventfd_read(subs->wake_fd, &wakes);
}

static void *subs_run(void *arg)
{
    struct sgc_subs *subs = arg;
    uint32_t at = subs->options.first_server % subs->options.servers_count, row = 0;
    while (!atomic_load(&subs->over)) {
        const struct server *server = &subs->servers[at];
        row = server_try(subs, server) ? 0 : row + 1;
        if (atomic_load(&subs->over))
            break;
        uint32_t doublings = SG_MIN(row / subs->options.servers_count, 8u);
        uint32_t ms = SG_MIN(OUT_FIRST_MS << doublings, OUT_MAX_MS);
        if (row <= 1)
            sg_warn("chain server %.*s: no subscription; another try in %u ms",
                    SG_STR_ARG(server->host), ms);
        __atomic_add_fetch(&subs->failures, 1, __ATOMIC_RELAXED);
        rest(subs, ms);
        at = (at + 1) % subs->options.servers_count;
    }
    return NULL;
}

/* ---- open ---- */

static void place_put(struct place *place, const struct sgc_sub *sub)
{
    SG_ASSERT(sub->params.len <= sizeof(place->params));
    place->method = sub->method;
    place->params_len = (uint32_t)sub->params.len;
    if (sub->params.len > 0)
        memcpy(place->params, sub->params.ptr, sub->params.len);
    place->serial++;
}

void sgc_subs_put(struct sgc_subs *subs, uint32_t index, const struct sgc_sub *sub)
{
    SG_ASSERT(subs != NULL && sub != NULL && index < subs->options.subs_count);
    pthread_mutex_lock(&subs->lock);
    place_put(&subs->places[index], sub);
    pthread_mutex_unlock(&subs->lock);
    eventfd_write(subs->wake_fd, 1);
}

static enum sg_err subs_set_up(struct sgc_subs *subs)
{
    const struct sgc_subs_options *options = &subs->options;
    subs->places = sg_boot_alloc_array(options->subs_count, sizeof(subs->places[0]));
    subs->servers = sg_boot_alloc_array(subs->options.servers_count, sizeof(subs->servers[0]));
    subs->message = sg_boot_alloc(MESSAGE_BYTES_MAX);
    subs->received = sg_boot_alloc(RECEIVE_BYTES);
    if (subs->places == NULL || subs->servers == NULL || subs->message == NULL ||
        subs->received == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < options->subs_count; i++)
        place_put(&subs->places[i], &options->subs[i]);
    for (uint32_t i = 0; i < subs->options.servers_count; i++) {
        enum sg_err err = server_make(&subs->servers[i], &subs->options.servers[i]);
        if (err != SG_OK)
            return err;
    }
    subs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
    pthread_mutex_init(&subs->lock, NULL);
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
        atomic_store(&subs->over, true);
        eventfd_write(subs->wake_fd, 1);
        pthread_join(subs->thread, NULL);
    }
    if (subs->wake_fd >= 0)
        close(subs->wake_fd);
    if (subs->servers != NULL)
        sg_wipe(subs->servers, subs->options.servers_count * sizeof(subs->servers[0]));
    sg_boot_free(subs->servers);
    sg_boot_free(subs->places);
    sg_boot_free(subs->message);
    sg_boot_free(subs->received);
    pthread_mutex_destroy(&subs->lock);
    sg_boot_free(subs);
}

void sgc_subs_stats(const struct sgc_subs *subs, struct sgc_subs_stats *out)
{
    out->is_up = __atomic_load_n(&subs->is_up, __ATOMIC_RELAXED);
    out->asked = __atomic_load_n(&subs->asked, __ATOMIC_RELAXED);
    out->heard = __atomic_load_n(&subs->heard, __ATOMIC_RELAXED);
    out->connects = __atomic_load_n(&subs->connects, __ATOMIC_RELAXED);
    out->failures = __atomic_load_n(&subs->failures, __ATOMIC_RELAXED);
    out->notices = __atomic_load_n(&subs->notices, __ATOMIC_RELAXED);
}
