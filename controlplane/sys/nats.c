#include "controlplane/sys/nats.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/sys/crypto.h"
#include "base/sys/pkey.h"
#include "controlplane/sys/natsin.h"

#include <stdlib.h>
#include <unistd.h>

#define SERVERS_MAX      16
#define CONNECT_MS       2000
#define RECONNECT_MS     250
#define RECONNECT_JITTER 100
#define PING_MS          2000 /* a server that is silent for three of them is left */
#define PINGS_MAX        2
#define AGAIN_US         100000
#define ATTEMPT_MS       2000 /* of a JetStream call: then its leader may be another */
#define ERROR_HEADER     "Streamgate-Error"
#define SERVE_QUEUE      "serve"
#define TEXT_BYTES       (SG_SECRET_FILE_MAX + 1)
#define SEED_BYTES_MAX   128

enum sg_err sgc_nats_err(natsStatus status, jsErrCode code)
{
    if (status == NATS_NO_RESPONDERS) /* the library's code for it says JetStream is off */
        return SG_ENOENT;
    if (code == JSStreamWrongLastSequenceErr)
        return SG_ESTALE;
    if (code == JSStreamNotFoundErr || code == JSNoMessageFoundErr)
        return SG_ENOENT;
    if (code == JSNotEnabledErr || code == JSNotEnabledForAccountErr)
        return SG_ENOTSUP;
    if (code == JSStorageResourcesExceededErr || code == JSAccountResourcesExceededErr)
        return SG_ENOSPC;
    switch ((int)status) {
    case NATS_OK:
        return SG_OK;
    case NATS_NO_MEMORY:
        return SG_ENOMEM;
    case NATS_TIMEOUT:
        return SG_ETIMEDOUT;
    case NATS_NOT_FOUND:
        return SG_ENOENT;
    case NATS_MAX_PAYLOAD:
        return SG_EMSGSIZE;
    case NATS_NOT_PERMITTED:
    case NATS_CONNECTION_AUTH_FAILED:
        return SG_EACCES;
    case NATS_SSL_ERROR:
        return SG_ETLS;
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NOT_YET_CONNECTED:
    case NATS_NO_SERVER:
    case NATS_STALE_CONNECTION:
    case NATS_IO_ERROR:            /* it ended under our hands */
    case NATS_INSUFFICIENT_BUFFER: /* the one that waits for the server to come back */
        return SG_ENOTCONN;
    default:
        return SG_EIO;
    }
}

bool sgc_nats_again(natsStatus status, jsErrCode code, bool harmless, uint64_t until_ns)
{
    bool away = status == NATS_NO_RESPONDERS || status == NATS_CONNECTION_DISCONNECTED ||
                status == NATS_NOT_YET_CONNECTED || code == JSClusterNotAvailErr ||
                code == JSClusterNotLeaderErr || code == JSClusterNoPeersErr ||
                code == JSStreamOfflineErr;
    bool unknown = status == NATS_TIMEOUT || status == NATS_IO_ERROR ||
                   status == NATS_STALE_CONNECTION || code == JSRaftGeneralErr;
    if (!away && !(harmless && unknown)) /* it may have been done */
        return false;
    if (sg_clock_mono_ns() + AGAIN_US * SG_NS_PER_US >= until_ns)
        return false;
    usleep(AGAIN_US);
    return true;
}

uint64_t sgc_nats_until(const struct sgc_nats *nats)
{
    return sg_clock_mono_ns() + nats->bus.timeout_ms * SG_NS_PER_MS;
}

void sgc_nats_js_options(jsOptions *options, uint64_t until_ns)
{
    uint64_t now_ns = sg_clock_mono_ns();
    uint64_t left_ms = until_ns > now_ns ? (until_ns - now_ns) / SG_NS_PER_MS : 0;
    jsOptions_Init(options);
    options->Wait = (int64_t)SG_MIN(left_ms, (uint64_t)ATTEMPT_MS);
    if (options->Wait == 0)
        options->Wait = 1; /* 0 is the library's own idea of long */
}

/* ---- leaving ---- */

/* A PONG to a PING of now comes to the thread that reads when all that was before it is delivered.
 */
static bool reader_went_by(struct sgc_nats *nats)
{
    return natsConnection_Status(nats->nc) == NATS_CONN_STATUS_CONNECTED &&
           natsConnection_FlushTimeout(nats->nc, nats->bus.timeout_ms) == NATS_OK;
}

/* Those that wait with the connection, and `sub`. */
static uint32_t left_take(struct sgc_nats *nats, natsSubscription *sub,
                          natsSubscription *out[SGC_NATS_LEFT_MAX + 1])
{
    pthread_mutex_lock(&nats->lock);
    uint32_t count = nats->left_count;
    memcpy(out, nats->left, count * sizeof(out[0]));
    nats->left_count = 0;
    pthread_mutex_unlock(&nats->lock);
    out[count] = sub;
    return count + 1;
}

static void left_put(struct sgc_nats *nats, natsSubscription *sub)
{
    pthread_mutex_lock(&nats->lock);
    if (nats->left_count < SGC_NATS_LEFT_MAX)
        nats->left[nats->left_count++] = sub;
    else /* rather lost than freed under its reader */
        sg_warn("bus: the server is away: what was a subscription stays in memory");
    pthread_mutex_unlock(&nats->lock);
}

void sgc_nats_leave(struct sgc_nats *nats, natsSubscription *sub)
{
    natsSubscription *left[SGC_NATS_LEFT_MAX + 1];
    if (sub == NULL)
        return;
    (void)natsSubscription_Unsubscribe(sub);
    uint32_t count = left_take(nats, sub, left);
    bool went_by = reader_went_by(nats);
    for (uint32_t i = 0; i < count; i++)
        if (went_by)
            natsSubscription_Destroy(left[i]);
        else
            left_put(nats, left[i]);
}

/* ---- messages and requests ---- */

struct listener {
    struct sgc_sub sub;
    natsSubscription *from;
    void (*got)(void *ctx, const struct sgc_msg *msg); /* or else: */
    enum sg_err (*answer)(void *ctx, struct sg_str request, struct sg_out *reply);
    void *ctx;
    char *reply; /* SGC_MESSAGE_BYTES_MAX, of one that answers */
};

static struct sg_str data_of(natsMsg *msg)
{
    return (struct sg_str){natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)};
}

static void listener_answer(struct listener *listener, natsMsg *request)
{
    struct sgc_nats *nats = sgc_nats_of(listener->sub.bus);
    struct sg_out reply = sg_out_init(listener->reply, SGC_MESSAGE_BYTES_MAX);
    natsMsg *msg = NULL;
    char code[16];
    enum sg_err err = listener->answer(listener->ctx, data_of(request), &reply);
    if (natsMsg_GetReply(request) == NULL)
        return;
    if (reply.full && err == SG_OK)
        err = SG_EMSGSIZE;
    natsStatus s = natsMsg_Create(&msg, natsMsg_GetReply(request), NULL, reply.ptr,
                                  err == SG_OK ? (int)reply.len : 0);
    if (s == NATS_OK && err != SG_OK) {
        snprintf(code, sizeof(code), "%d", (int)err);
        s = natsMsgHeader_Set(msg, ERROR_HEADER, code);
    }
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(nats->nc, msg);
    if (s != NATS_OK)
        sg_warn("bus: an answer could not be sent: %s", natsStatus_GetText(s));
    natsMsg_Destroy(msg);
}

static void listener_run(struct sgc_sub *sub)
{
    struct listener *listener = SG_CONTAINER_OF(sub, struct listener, sub);
    while (!sgc_sub_ended(sub)) {
        natsMsg *msg = NULL;
        natsStatus s = natsSubscription_NextMsg(&msg, listener->from, 1000);
        if (s == NATS_OK && listener->answer != NULL) {
            listener_answer(listener, msg);
        } else if (s == NATS_OK) {
            const struct sgc_msg got = {.subject = sg_str_from(natsMsg_GetSubject(msg)),
                                        .data = data_of(msg)};
            listener->got(listener->ctx, &got);
        } else if (s != NATS_TIMEOUT) {
            sgc_sub_pause(sub, 100);
        }
        natsMsg_Destroy(msg);
    }
}

static void listener_wake(struct sgc_sub *sub)
{
    natsSubscription_Unsubscribe(SG_CONTAINER_OF(sub, struct listener, sub)->from);
}

static void listener_free(struct sgc_sub *sub)
{
    struct listener *listener = SG_CONTAINER_OF(sub, struct listener, sub);
    sgc_nats_leave(sgc_nats_of(listener->sub.bus), listener->from);
    sg_boot_free(listener->reply);
    sg_boot_free(listener);
}

static const struct sgc_sub_driver listener_driver = {listener_run, listener_wake, listener_free};

/* Subscribed for good when it returns, as far as there is a server. */
static enum sg_err listener_start(struct sgc_nats *nats, struct listener *listener, natsStatus s,
                                  struct sgc_sub **out)
{
    if (s != NATS_OK) {
        listener_free(&listener->sub);
        return sgc_nats_err(s, 0);
    }
    if (natsConnection_Status(nats->nc) == NATS_CONN_STATUS_CONNECTED)
        natsConnection_FlushTimeout(nats->nc, nats->bus.timeout_ms);
    return sgc_sub_start(&nats->bus, &listener_driver, &listener->sub, out);
}

static enum sg_err nats_subscribe(struct sgc_bus *bus, const char *filter,
                                  void (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                                  struct sgc_sub **out)
{
    struct sgc_nats *nats = sgc_nats_of(bus);
    struct listener *listener = sg_boot_alloc(sizeof(*listener));
    if (listener == NULL)
        return SG_ENOMEM;
    listener->got = got;
    listener->ctx = ctx;
    natsStatus s = natsConnection_SubscribeSync(&listener->from, nats->nc, filter);
    return listener_start(nats, listener, s, out);
}

static enum sg_err nats_serve(struct sgc_bus *bus, const char *subject,
                              enum sg_err (*answer)(void *ctx, struct sg_str request,
                                                    struct sg_out *reply),
                              void *ctx, struct sgc_sub **out)
{
    struct sgc_nats *nats = sgc_nats_of(bus);
    struct listener *listener = sg_boot_alloc(sizeof(*listener));
    if (listener == NULL)
        return SG_ENOMEM;
    listener->answer = answer;
    listener->ctx = ctx;
    listener->reply = sg_boot_alloc(SGC_MESSAGE_BYTES_MAX);
    natsStatus s =
        listener->reply == NULL
            ? NATS_NO_MEMORY
            : natsConnection_QueueSubscribeSync(&listener->from, nats->nc, subject, SERVE_QUEUE);
    return listener_start(nats, listener, s, out);
}

static bool nats_connected(const struct sgc_bus *bus)
{
    struct sgc_nats *nats = SG_CONTAINER_OF((struct sgc_bus *)(uintptr_t)bus, struct sgc_nats, bus);
    return natsConnection_Status(nats->nc) == NATS_CONN_STATUS_CONNECTED;
}

static enum sg_err nats_publish(struct sgc_bus *bus, const char *subject, struct sg_str data)
{
    if (!nats_connected(bus))
        return SG_ENOTCONN; /* and not kept until it is: what concerned them then is old by then */
    return sgc_nats_err(
        natsConnection_Publish(sgc_nats_of(bus)->nc, subject, data.ptr, (int)data.len), 0);
}

/* What the other side's answer() returned, when that was no reply. */
static enum sg_err reply_err(natsMsg *msg)
{
    const char *code = NULL;
    if (natsMsgHeader_Get(msg, ERROR_HEADER, &code) != NATS_OK)
        return SG_OK;
    long err = strtol(code, NULL, 10);
    return err < 0 && err >= SG_ECONFIG ? (enum sg_err)err : SG_EPROTO;
}

static enum sg_err nats_request(struct sgc_bus *bus, const char *subject, struct sg_str request,
                                uint32_t timeout_ms, struct sg_out *reply)
{
    natsMsg *msg = NULL;
    if (!nats_connected(bus))
        return SG_ENOTCONN;
    natsStatus s = natsConnection_Request(&msg, sgc_nats_of(bus)->nc, subject, request.ptr,
                                          (int)request.len, timeout_ms);
    enum sg_err err = s == NATS_OK ? reply_err(msg) : sgc_nats_err(s, 0);
    if (err == SG_OK) {
        sg_out_str(reply, data_of(msg));
        err = reply->full ? SG_EMSGSIZE : SG_OK;
    }
    natsMsg_Destroy(msg);
    return err;
}

/* ---- opening ---- */

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *ctx)
{
    sg_warn("bus: %s", natsStatus_GetText(s));
    (void)nc, (void)sub, (void)ctx;
}

static void on_away(natsConnection *nc, void *ctx)
{
    const char *why = NULL;
    (void)natsConnection_GetLastError(nc, &why);
    if (!natsConnection_IsClosed(nc))
        sg_warn("bus: the server is away: %s", why != NULL && why[0] != '\0' ? why : "it left");
    (void)ctx;
}

static void on_back(natsConnection *nc, void *ctx)
{
    char url[256] = "";
    (void)natsConnection_GetConnectedUrl(nc, url, sizeof(url));
    const char *at = strrchr(url, '@');
    sg_info("bus: connected to %s", at != NULL ? at + 1 : url);
    (void)ctx;
}

static natsStatus set_servers(natsOptions *opts, const char *urls)
{
    const char *servers[SERVERS_MAX];
    char memory[2048];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_str rest = sg_str_from(urls), url;
    int count = 0;
    struct sg_str scheme =
        sg_str_starts(rest, SG_STR("tls://")) ? SG_STR("tls://") : SG_STR("nats://");
    while (sgc_filters_next(&rest, &url) && count < SERVERS_MAX) {
        servers[count++] = out.ptr + out.len;
        if (!sg_str_starts(url, scheme))
            sg_out_str(&out, scheme);
        sg_out_str(&out, url);
        sg_out_char(&out, '\0');
    }
    return out.full || rest.ptr != NULL ? NATS_INVALID_ARG
                                        : natsOptions_SetServers(opts, servers, count);
}

/* ---- who we are ---- */

/* The line under a heading of a file with credentials. */
static struct sg_str creds_part(const char *creds, const char *heading)
{
    const char *at = strstr(creds, heading);
    at = at != NULL ? strchr(at, '\n') : NULL;
    return at != NULL ? (struct sg_str){at + 1, strcspn(at + 1, "\r\n")} : SG_STR_NONE;
}

/* A natsUserJWTHandler. */
static natsStatus give_jwt(char **jwt, char **fault, void *creds)
{
    struct sg_str part = creds_part(creds, "BEGIN NATS USER JWT");
    (void)fault;
    *jwt = part.ptr != NULL ? strndup(part.ptr, part.len) : NULL;
    return *jwt != NULL ? NATS_OK : NATS_INVALID_ARG;
}

/* A natsSignatureHandler. */
static natsStatus sign_nonce(char **fault, unsigned char **signature, int *len, const char *nonce,
                             void *creds)
{
    char seed[SEED_BYTES_MAX + 1];
    struct sg_str part = creds_part(creds, "BEGIN USER NKEY SEED");
    (void)fault;
    if (part.ptr == NULL || part.len > SEED_BYTES_MAX)
        return NATS_INVALID_ARG;
    memcpy(seed, part.ptr, part.len);
    seed[part.len] = '\0';
    natsStatus s = nats_Sign(seed, nonce, signature, len);
    sg_wipe(seed, sizeof(seed));
    return s;
}

/* A text in secret memory, to be ended by sg_secret_free(text, TEXT_BYTES). NULL, and says so. */
static char *secret_text(const char *key, const char *file, struct sg_out *report)
{
    size_t len = 0;
    char *text = sg_secret_alloc(TEXT_BYTES);
    enum sg_err err = text == NULL ? SG_ENOMEM : sg_secret_read(file, text, TEXT_BYTES - 1, &len);
    if (err == SG_OK)
        return text;
    sg_out_fmt(report, "bus.%s: %s: %s\n", key, file, sg_secret_fault(err));
    sg_secret_free(text, TEXT_BYTES);
    return NULL;
}

/* From the file, which the library reads again at each connection; one that is sealed is read now.
 */
static natsStatus set_creds(struct sgc_nats *nats, natsOptions *opts, const char *file,
                            struct sg_out *report)
{
    if (!sg_secret_file_is_sealed(file))
        return natsOptions_SetUserCredentialsFromFiles(opts, file, NULL);
    nats->creds = secret_text("creds_file", file, report);
    return nats->creds == NULL ? NATS_INVALID_ARG
                               : natsOptions_SetUserCredentialsCallbacks(
                                     opts, give_jwt, nats->creds, sign_nonce, nats->creds);
}

static natsStatus set_certificate(natsOptions *opts, const struct sgc_bus_options *options,
                                  struct sg_out *report)
{
    if (options->key_file == NULL || !sg_secret_file_is_sealed(options->key_file))
        return natsOptions_LoadCertificatesChain(opts, options->cert_file, options->key_file);
    char *cert = secret_text("cert_file", options->cert_file, report);
    char *key = secret_text("key_file", options->key_file, report);
    natsStatus s = NATS_INVALID_ARG;
    sg_pkey_begin();
    if (cert != NULL && key != NULL)
        s = natsOptions_SetCertificatesChain(opts, cert, key);
    sg_pkey_end();
    sg_secret_free(cert, TEXT_BYTES);
    sg_secret_free(key, TEXT_BYTES);
    return s;
}

static natsStatus set_identity(struct sgc_nats *nats, natsOptions *opts,
                               const struct sgc_bus_options *options, struct sg_out *report)
{
    natsStatus s = natsOptions_SetName(opts, options->name);
    if (s == NATS_OK && options->creds_file != NULL)
        s = set_creds(nats, opts, options->creds_file, report);
    if (s == NATS_OK && options->ca_file != NULL)
        s = natsOptions_SetSecure(opts, true);
    if (s == NATS_OK && options->ca_file != NULL)
        s = natsOptions_LoadCATrustedCertificates(opts, options->ca_file);
    if (s == NATS_OK && options->cert_file != NULL)
        s = set_certificate(opts, options, report);
    return s;
}

static natsStatus set_patience(natsOptions *opts)
{
    natsStatus s = natsOptions_SetTimeout(opts, CONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(opts, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(opts, RECONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectJitter(opts, RECONNECT_JITTER, RECONNECT_JITTER);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(opts, PING_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(opts, PINGS_MAX);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(opts, true);
    if (s == NATS_OK)
        s = natsOptions_SetFailRequestsOnDisconnect(opts, true);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(opts, on_error, NULL);
    if (s == NATS_OK)
        s = natsOptions_SetDisconnectedCB(opts, on_away, NULL);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(opts, on_back, NULL);
    if (s == NATS_OK)
        s = natsOptions_SetRetryOnFailedConnect(opts, true, on_back, NULL);
    return s;
}

static natsStatus connect_to(struct sgc_nats *nats, const struct sgc_bus_options *options,
                             struct sg_out *report)
{
    natsOptions *opts = NULL;
    jsOptions js;
    natsStatus s = natsOptions_Create(&opts);
    if (s == NATS_OK)
        s = set_servers(opts, options->url);
    if (s == NATS_OK)
        s = set_identity(nats, opts, options, report);
    if (s == NATS_OK)
        s = set_patience(opts);
    if (s == NATS_OK)
        s = natsConnection_Connect(&nats->nc, opts);
    if (s == NATS_NOT_YET_CONNECTED) {
        sg_warn("bus: no server of bus.url answers yet"); /* which may have a password in it */
        s = NATS_OK;
    }
    natsOptions_Destroy(opts);
    jsOptions_Init(&js);
    return s != NATS_OK ? s : natsConnection_JetStream(&nats->js, nats->nc, &js);
}

static void nats_close(struct sgc_bus *bus)
{
    struct sgc_nats *nats = sgc_nats_of(bus);
    natsConnection_Close(nats->nc); /* after which nobody reads */
    for (uint32_t i = 0; i < nats->left_count; i++)
        natsSubscription_Destroy(nats->left[i]);
    jsCtx_Destroy(nats->js);
    natsConnection_Destroy(nats->nc);
    pthread_mutex_destroy(&nats->lock);
    sg_secret_free(nats->creds, TEXT_BYTES);
    sgc_bus_fini(bus);
    sg_boot_free(nats);
}

static const struct sgc_bus_driver nats_driver = {
    .kind = "nats",
    .close = nats_close,
    .connected = nats_connected,
    .publish = nats_publish,
    .subscribe = nats_subscribe,
    .serve = nats_serve,
    .request = nats_request,
    .stream_open = sgc_nats_stream_open,
    .stream_append = sgc_nats_stream_append,
    .stream_info = sgc_nats_stream_info,
    .stream_consume = sgc_nats_follow,
    .kv_open = sgc_nats_kv_open,
    .kv_get = sgc_nats_kv_get,
    .kv_put = sgc_nats_kv_put,
    .kv_watch = sgc_nats_watch,
};

enum sg_err sgc_nats_open(const struct sgc_bus_options *options, struct sg_out *report,
                          struct sgc_bus **out)
{
    struct sgc_nats *nats = sg_boot_alloc(sizeof(*nats));
    if (nats == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgc_bus_init(&nats->bus, &nats_driver, options);
    if (err != SG_OK) {
        sg_boot_free(nats);
        return err;
    }
    nats->replicas = options->replicas;
    pthread_mutex_init(&nats->lock, NULL);
    natsStatus s = connect_to(nats, options, report);
    if (s == NATS_OK) {
        *out = &nats->bus;
        return SG_OK;
    }
    sg_out_fmt(report, "bus.url: %s\n", natsStatus_GetText(s));
    nats_close(&nats->bus);
    return sgc_nats_err(s, 0);
}
