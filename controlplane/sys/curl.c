#include "controlplane/sys/curl.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <pthread.h>

#define ANSWER_BYTES_FIRST 16384u
#define BUFFER_BYTES       131072L
#define IDLE_CONN_S        55L /* below the 60 to 75 s after which common servers close */
#define FIELD_BYTES_MAX    8192u
#define POLL_MS            1000

struct sgc_curl {
    CURLM *multi;
    bool cancelled; /* atomic */
};

struct sgc_curl_peer {
    struct sgc_curl *curl;
    CURL *easy; /* never started: 7.88 keeps a pointer to a transfer's last field, and follows it
                 * when the next one's head begins with a folded line */
    CURL *copy; /* of it, for `post` */
    struct curl_slist *fields;
    size_t answer_bytes_max;
    char *answer;
    size_t answer_cap, answer_len;
    bool too_large, no_memory;
    struct sgc_curl_post *post; /* under way */
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void global_init(void)
{
    global_code = curl_global_init(CURL_GLOBAL_ALL);
}

enum sg_err sgc_curl_open(struct sgc_curl **out)
{
    SG_ASSERT(out != NULL);
    pthread_once(&global_once, global_init);
    if (global_code != CURLE_OK)
        return SG_ETLS;
    struct sgc_curl *curl = sg_boot_alloc(sizeof(*curl));
    if (curl == NULL)
        return SG_ENOMEM;
    curl->multi = curl_multi_init();
    if (curl->multi == NULL) {
        sg_boot_free(curl);
        return SG_ENOMEM;
    }
    *out = curl;
    return SG_OK;
}

void sgc_curl_close(struct sgc_curl *curl)
{
    if (curl == NULL)
        return;
    curl_multi_cleanup(curl->multi);
    sg_boot_free(curl);
}

void sgc_curl_cancel(struct sgc_curl *curl)
{
    __atomic_store_n(&curl->cancelled, true, __ATOMIC_RELEASE);
    curl_multi_wakeup(curl->multi);
}

/* ---- peers ---- */

static bool answer_grow(struct sgc_curl_peer *peer, size_t need)
{
    size_t cap = SG_MAX(peer->answer_cap, (size_t)ANSWER_BYTES_FIRST);
    while (cap < need)
        cap *= 2;
    if (cap == peer->answer_cap)
        return true;
    char *grown = sg_boot_alloc(cap);
    if (grown == NULL)
        return false;
    if (peer->answer_len != 0)
        memcpy(grown, peer->answer, peer->answer_len);
    sg_boot_free(peer->answer);
    peer->answer = grown;
    peer->answer_cap = cap;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *self)
{
    struct sgc_curl_peer *peer = self;
    size_t len = size * count;
    if (len > peer->answer_bytes_max - peer->answer_len) {
        peer->too_large = true;
        return len + 1; /* any other count is a write error */
    }
    if (!answer_grow(peer, peer->answer_len + len)) {
        peer->no_memory = true;
        return len + 1;
    }
    if (len != 0)
        memcpy(peer->answer + peer->answer_len, bytes, len);
    peer->answer_len += len;
    return len;
}

static enum sg_err fields_add(struct sgc_curl_peer *peer, const char *line)
{
    struct curl_slist *grown = curl_slist_append(peer->fields, line);
    if (grown == NULL)
        return SG_ENOMEM;
    peer->fields = grown;
    return SG_OK;
}

/* A line is a field, or empty; without the blanks around it. */
static enum sg_err fields_add_line(struct sgc_curl_peer *peer, struct sg_str line)
{
    char text[FIELD_BYTES_MAX];
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    line = sg_str_trim(line);
    if (line.len == 0)
        return SG_OK;
    const char *colon = memchr(line.ptr, ':', line.len);
    if (line.len >= sizeof(text) || colon == NULL || colon == line.ptr ||
        memchr(line.ptr, '\0', line.len) != NULL || memchr(line.ptr, '\r', line.len) != NULL)
        return SG_EINVAL;
    memcpy(text, line.ptr, line.len);
    text[line.len] = '\0';
    enum sg_err err = fields_add(peer, text);
    explicit_bzero(text, sizeof(text));
    return err;
}

static enum sg_err fields_set(struct sgc_curl_peer *peer, struct sg_str fields)
{
    enum sg_err err = fields_add(peer, "Content-Type: application/json");
    if (err == SG_OK)
        err = fields_add(peer, "Expect:"); /* what libcurl would add unasked */
    while (err == SG_OK && fields.len > 0) {
        const char *end = memchr(fields.ptr, '\n', fields.len);
        size_t len = end != NULL ? (size_t)(end - fields.ptr) : fields.len;
        err = fields_add_line(peer, (struct sg_str){fields.ptr, len});
        fields = sg_str_skip(fields, len + 1);
    }
    return err;
}

static void set_manners(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONN_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never waits for a resolver's thread */
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
}

static bool set_ca(CURL *easy, struct sg_str pem)
{
    struct curl_blob blob = {(void *)(uintptr_t)pem.ptr, pem.len, CURL_BLOB_COPY};
    return pem.len == 0 || curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK;
}

static enum sg_err peer_set_up(struct sgc_curl_peer *peer, const struct sgc_curl_target *target)
{
    peer->easy = curl_easy_init();
    if (peer->easy == NULL)
        return SG_ENOMEM;
    set_manners(peer->easy);
    enum sg_err err = fields_set(peer, target->fields);
    if (err != SG_OK)
        return err;
    curl_easy_setopt(peer->easy, CURLOPT_PRIVATE, peer);
    curl_easy_setopt(peer->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(peer->easy, CURLOPT_WRITEDATA, peer);
    curl_easy_setopt(peer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)target->connect_timeout_ms);
    /* What comes out of it is what answer_bytes_max bounds. */
    return curl_easy_setopt(peer->easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK &&
                   curl_easy_setopt(peer->easy, CURLOPT_HTTPHEADER, peer->fields) == CURLE_OK &&
                   curl_easy_setopt(peer->easy, CURLOPT_URL, target->url) == CURLE_OK &&
                   set_ca(peer->easy, target->ca)
               ? SG_OK
               : SG_ENOMEM;
}

static bool url_ok(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

enum sg_err sgc_curl_peer_open(struct sgc_curl *curl, const struct sgc_curl_target *target,
                               struct sgc_curl_peer **out)
{
    SG_ASSERT(target->url != NULL && target->answer_bytes_max > 0);
    SG_ASSERT(out != NULL);
    if (!url_ok(target->url))
        return SG_EINVAL;
    struct sgc_curl_peer *peer = sg_boot_alloc(sizeof(*peer));
    if (peer == NULL)
        return SG_ENOMEM;
    peer->curl = curl;
    peer->answer_bytes_max = target->answer_bytes_max;
    enum sg_err err = peer_set_up(peer, target);
    if (err == SG_OK)
        *out = SG_TAKE(peer);
    sgc_curl_peer_close(peer);
    return err;
}

void sgc_curl_peer_close(struct sgc_curl_peer *peer)
{
    if (peer == NULL)
        return;
    curl_easy_cleanup(peer->easy);
    curl_slist_free_all(peer->fields);
    sg_boot_free(peer->answer);
    sg_boot_free(peer);
}

/* ---- asking ---- */

static enum sgc_curl_end end_of(const struct sgc_curl_peer *peer, CURLcode code)
{
    switch ((int)code) { /* as int: later versions have codes that this one has not */
    case CURLE_OK:
        return SGC_CURL_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT:
        return SGC_CURL_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
        return SGC_CURL_TLS;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, HTTP/7 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
        return SGC_CURL_GARBAGE;
    case CURLE_WRITE_ERROR:
        return peer->too_large ? SGC_CURL_TOO_LARGE : SGC_CURL_NO_MEMORY;
    case CURLE_OUT_OF_MEMORY:
        return SGC_CURL_NO_MEMORY;
    default:
        return SGC_CURL_UNREACHABLE;
    }
}

static void post_done(struct sgc_curl_peer *peer, enum sgc_curl_end end)
{
    struct sgc_curl_post *post = SG_TAKE(peer->post);
    long status = 0;
    curl_off_t retry_s = 0, took_us = 0;
    curl_easy_getinfo(peer->copy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(peer->copy, CURLINFO_RETRY_AFTER, &retry_s);
    curl_easy_getinfo(peer->copy, CURLINFO_TOTAL_TIME_T, &took_us);
    curl_multi_remove_handle(peer->curl->multi, peer->copy);
    curl_easy_cleanup(SG_TAKE(peer->copy));
    post->end = end;
    post->status = (uint16_t)status;
    post->retry_after_s = retry_s > 0 ? (uint32_t)SG_MIN(retry_s, (curl_off_t)86400) : 0;
    post->took_us = (uint32_t)SG_MIN(took_us, (curl_off_t)UINT32_MAX);
    if (end == SGC_CURL_ANSWERED)
        post->answer = (struct sg_str){peer->answer, peer->answer_len};
}

static bool post_begin(struct sgc_curl *curl, struct sgc_curl_post *post)
{
    struct sgc_curl_peer *peer = post->peer;
    SG_ASSERT(peer->curl == curl && peer->post == NULL);
    peer->answer_len = 0;
    peer->too_large = peer->no_memory = false;
    post->end = SGC_CURL_NO_MEMORY;
    post->status = 0;
    post->retry_after_s = post->took_us = 0;
    post->answer = SG_STR_NONE;
    CURL *copy = curl_easy_duphandle(peer->easy);
    if (copy == NULL)
        return false;
    curl_easy_setopt(copy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.len);
    curl_easy_setopt(copy, CURLOPT_POSTFIELDS, post->body.ptr); /* not copied */
    curl_easy_setopt(copy, CURLOPT_TIMEOUT_MS, (long)post->timeout_ms);
    if (curl_multi_add_handle(curl->multi, copy) != CURLM_OK) {
        curl_easy_cleanup(copy);
        return false;
    }
    peer->copy = copy;
    peer->post = post;
    return true;
}

static uint32_t reap(struct sgc_curl *curl)
{
    uint32_t done = 0;
    int left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(curl->multi, &left)) != NULL;) {
        struct sgc_curl_peer *peer = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&peer);
        post_done(peer, end_of(peer, msg->data.result));
        done++;
    }
    return done;
}

void sgc_curl_post(struct sgc_curl *curl, struct sgc_curl_post *posts, uint32_t count)
{
    uint32_t under_way = 0;
    int running;
    for (uint32_t i = 0; i < count; i++)
        under_way += post_begin(curl, &posts[i]);
    while (under_way > 0 && !__atomic_load_n(&curl->cancelled, __ATOMIC_ACQUIRE)) {
        curl_multi_perform(curl->multi, &running);
        under_way -= reap(curl);
        if (under_way > 0)
            curl_multi_poll(curl->multi, NULL, 0, POLL_MS, NULL);
    }
    for (uint32_t i = 0; under_way > 0 && i < count; i++) {
        if (posts[i].peer->post == &posts[i])
            post_done(posts[i].peer, SGC_CURL_CANCELLED);
    }
}

/* ---- a connection for another protocol ---- */

struct sgc_curl_conn {
    CURL *easy;
    curl_socket_t fd;
};

static enum sg_err conn_set_up(struct sgc_curl_conn *conn, const struct sgc_curl_target *target)
{
    conn->easy = curl_easy_init();
    if (conn->easy == NULL)
        return SG_ENOMEM;
    set_manners(conn->easy);
    curl_easy_setopt(conn->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(conn->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(conn->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)target->connect_timeout_ms);
    if (curl_easy_setopt(conn->easy, CURLOPT_URL, target->url) != CURLE_OK ||
        !set_ca(conn->easy, target->ca))
        return SG_ENOMEM;
    CURLcode code = curl_easy_perform(conn->easy);
    if (code == CURLE_OK &&
        curl_easy_getinfo(conn->easy, CURLINFO_ACTIVESOCKET, &conn->fd) == CURLE_OK &&
        conn->fd != CURL_SOCKET_BAD)
        return SG_OK;
    return code == CURLE_OPERATION_TIMEDOUT ? SG_ETIMEDOUT
           : code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR
               ? SG_ETLS
               : SG_ECONNREFUSED;
}

enum sg_err sgc_curl_conn_open(const struct sgc_curl_target *target, struct sgc_curl_conn **out)
{
    SG_ASSERT(target->url != NULL);
    SG_ASSERT(out != NULL);
    pthread_once(&global_once, global_init);
    if (global_code != CURLE_OK)
        return SG_ETLS;
    if (!url_ok(target->url))
        return SG_EINVAL;
    struct sgc_curl_conn *conn = sg_boot_alloc(sizeof(*conn));
    if (conn == NULL)
        return SG_ENOMEM;
    enum sg_err err = conn_set_up(conn, target);
    if (err == SG_OK)
        *out = SG_TAKE(conn);
    sgc_curl_conn_close(conn);
    return err;
}

void sgc_curl_conn_close(struct sgc_curl_conn *conn)
{
    if (conn == NULL)
        return;
    curl_easy_cleanup(conn->easy);
    sg_boot_free(conn);
}

int sgc_curl_conn_fd(const struct sgc_curl_conn *conn)
{
    return conn->fd;
}

enum sg_err sgc_curl_conn_recv(struct sgc_curl_conn *conn, void *out, size_t max, size_t *len)
{
    size_t got = 0;
    CURLcode code = curl_easy_recv(conn->easy, out, max, &got);
    if (code == CURLE_AGAIN)
        return SG_EAGAIN;
    if (code != CURLE_OK || got == 0)
        return SG_ECONNRESET;
    *len = got;
    return SG_OK;
}

enum sg_err sgc_curl_conn_send(struct sgc_curl_conn *conn, const void *bytes, size_t bytes_len,
                               size_t *len)
{
    size_t sent = 0;
    CURLcode code = curl_easy_send(conn->easy, bytes, bytes_len, &sent);
    if (code == CURLE_AGAIN)
        return SG_EAGAIN;
    if (code != CURLE_OK)
        return SG_ECONNRESET;
    *len = sent;
    return SG_OK;
}
