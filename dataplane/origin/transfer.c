#include "dataplane/origin/transfer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/origin/pools.h"
#include "dataplane/origin/request.h"

#define STATE(name) SG_BIT(SGD_TRANSFER_##name)

static const uint8_t transfer_edges[SGD_TRANSFER_STATE_COUNT] = {
    [SGD_TRANSFER_QUEUED] = STATE(CONNECT) | STATE(ENDED),
    [SGD_TRANSFER_CONNECT] = STATE(QUEUED) | STATE(ANSWER) | STATE(ENDED),
    [SGD_TRANSFER_ANSWER] = STATE(QUEUED) | STATE(BODY) | STATE(ENDED),
    [SGD_TRANSFER_BODY] = STATE(DRAIN) | STATE(ENDED),
    [SGD_TRANSFER_DRAIN] = STATE(ENDED),
    [SGD_TRANSFER_ENDED] = 0,
};

static void transfer_enter(struct sgd_transfer *transfer, enum sgd_transfer_state to)
{
    SG_ASSERT(transfer_edges[transfer->state] & SG_BIT(to));
    transfer->state = to;
}

static void transfer_say(struct sgd_transfer *transfer)
{
    if (sg_list_empty(&transfer->untold))
        sg_list_push_back(&transfer->fetcher->untold, &transfer->untold);
}

/* ---- finding ---- */

/* A command may cross DONE on its way: by then the fetch is the worker's again, perhaps another
 * request already. So no command's pointer is followed before it was found here. */
static struct sgd_transfer **bucket_of(struct sgd_fetcher *fetcher, const struct sgd_fetch *fetch)
{
    uint64_t hash = (uint64_t)(uintptr_t)fetch * 0x9e3779b97f4a7c15ull;
    return &fetcher->buckets[hash >> 54];
}
_Static_assert(SGD_FETCHER_BUCKETS == 1u << (64 - 54), "the hash's upper bits choose the bucket");

struct sgd_transfer *sgd_transfer_find(struct sgd_fetcher *fetcher, struct sgd_fetch *fetch,
                                       uint16_t worker)
{
    struct sgd_transfer *transfer = *bucket_of(fetcher, fetch);
    while (transfer != NULL && (transfer->fetch != fetch || transfer->worker != worker))
        transfer = transfer->next;
    return transfer;
}

static void transfer_free(struct sgd_transfer *transfer)
{
    struct sgd_transfer **at = bucket_of(transfer->fetcher, transfer->fetch);
    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    sg_list_remove(&transfer->all);
    sg_list_remove(&transfer->untold);
    sg_boot_free(transfer);
}

/* ---- ends ---- */

static void transfer_end(struct sgd_transfer *transfer, enum sgd_origin_error error)
{
    if (transfer->xfer != NULL)
        sgd_curl_stop(SG_TAKE(transfer->xfer));
    transfer->error = error;
    transfer_enter(transfer, SGD_TRANSFER_ENDED);
    transfer_say(transfer);
}

/* The attempt's connection has ended, or is ended here: what the pool should make of it. */
static void attempt_over(struct sgd_transfer *transfer, enum sgd_outcome outcome)
{
    if (transfer->xfer != NULL)
        sgd_curl_stop(SG_TAKE(transfer->xfer));
    sgd_pool_result(transfer->pool, transfer->url, outcome, transfer->fetcher->now_ns);
}

static bool is_idempotent(struct sg_str method)
{
    static const struct sg_str safe[] = {{"GET", 3}, {"HEAD", 4},   {"OPTIONS", 7},
                                         {"PUT", 3}, {"DELETE", 6}, {"TRACE", 5}};
    for (size_t i = 0; i < SG_COUNT(safe); i++)
        if (sg_str_eq(method, safe[i]))
            return true;
    return false;
}

/* RFC 9110 section 9.2.2; a request that never left may go elsewhere whatever its method. A body
 * that was read from is gone. */
static bool may_retry(const struct sgd_transfer *transfer)
{
    if (transfer->attempts > transfer->pool->retries || transfer->sent_bytes > 0)
        return false;
    return transfer->state == SGD_TRANSFER_CONNECT ||
           (transfer->state == SGD_TRANSFER_ANSWER && is_idempotent(transfer->fetch->method));
}

static void attempt_start(struct sgd_transfer *transfer);

static void attempt_failed(struct sgd_transfer *transfer, enum sgd_origin_error error)
{
    attempt_over(transfer, SGD_OUTCOME_FAILED);
    if (!may_retry(transfer)) {
        transfer_end(transfer, error);
        return;
    }
    transfer->error = error; /* told if nobody else can be asked */
    transfer_enter(transfer, SGD_TRANSFER_QUEUED);
    attempt_start(transfer);
}

/* ---- what libcurl tells ---- */

static void on_sending(void *self)
{
    struct sgd_transfer *transfer = self;
    if (transfer->state == SGD_TRANSFER_CONNECT)
        transfer_enter(transfer, SGD_TRANSFER_ANSWER);
    transfer->moved_ns = sg_clock_mono_ns();
}

static bool is_bodyless(const struct sgd_transfer *transfer)
{
    return sg_str_eq(transfer->fetch->method, SG_STR("HEAD")) || transfer->head.status == 304 ||
           transfer->head.status == 204;
}

static bool head_whole(struct sgd_transfer *transfer)
{
    struct sgd_fetch *fetch = transfer->fetch;
    const struct sgd_head *head = &transfer->head;
    if (head->length_known && !is_bodyless(transfer) && head->length > fetch->body_bytes_max) {
        transfer->error = SGD_ORIGIN_body_too_large;
        return false;
    }
    struct sgd_url *url = &transfer->pool->urls[transfer->url];
    atomic_store_explicit(&url->h2, head->version == 20, memory_order_relaxed);
    fetch->status = head->status;
    fetch->length_known = head->length_known && head->status != 204;
    fetch->length = fetch->length_known ? head->length : 0;
    fetch->head_bytes = (uint32_t)head->lines.len;
    fetch->from_shield = transfer->pool->shield;
    fetch->head_mono_ns = sg_clock_mono_ns();
    fetch->head_wall_ns = sg_clock_wall_ns();
    memset(fetch->upstream, 0, sizeof(fetch->upstream));
    strncpy(fetch->upstream, url->host, sizeof(fetch->upstream) - 1);
    transfer_enter(transfer, SGD_TRANSFER_BODY);
    transfer_say(transfer);
    return true;
}

static bool on_line(void *self, const char *line, size_t len)
{
    struct sgd_transfer *transfer = self;
    transfer->moved_ns = transfer->fetcher->now_ns;
    if (transfer->state == SGD_TRANSFER_BODY)
        return true; /* trailers */
    enum sgd_origin_error error = sgd_head_line(&transfer->head, line, len);
    if (error != SGD_ORIGIN_none) {
        transfer->error = error;
        return false;
    }
    return transfer->head.state != SGD_HEAD_WHOLE || head_whole(transfer);
}

static uint32_t windows_put(struct sgd_transfer *transfer, const uint8_t *bytes, uint32_t len)
{
    uint32_t put = 0;
    for (uint32_t i = 0; i < transfer->windows_count && put < len; i++) {
        struct sgd_window *window =
            &transfer->windows[(transfer->windows_first + i) % SGD_FETCH_WINDOWS];
        uint32_t n = SG_MIN(window->bytes - window->filled, len - put);
        memcpy(window->memory + window->filled, bytes + put, n);
        window->filled += n;
        put += n;
    }
    if (put > 0)
        transfer_say(transfer);
    return put;
}

static bool windows_full(const struct sgd_transfer *transfer)
{
    for (uint32_t i = 0; i < transfer->windows_count; i++) {
        const struct sgd_window *window =
            &transfer->windows[(transfer->windows_first + i) % SGD_FETCH_WINDOWS];
        if (window->filled < window->bytes)
            return false;
    }
    return true;
}

static enum sgd_curl_take on_body(void *self, const uint8_t *bytes, size_t len)
{
    struct sgd_transfer *transfer = self;
    SG_ASSERT(transfer->state == SGD_TRANSFER_BODY);
    SG_ASSERT(len <= sizeof(transfer->stash));
    if (transfer->stash_len > 0 || windows_full(transfer)) {
        transfer->body_held = true;
        return SGD_CURL_LATER;
    }
    transfer->moved_ns = transfer->fetcher->now_ns;
    if (len > transfer->fetch->body_bytes_max - transfer->fetch->received_bytes) {
        transfer->error = SGD_ORIGIN_body_too_large;
        return SGD_CURL_FAIL;
    }
    transfer->fetch->received_bytes += len;
    uint32_t put = windows_put(transfer, bytes, (uint32_t)len);
    transfer->stash_at = 0;
    transfer->stash_len = (uint32_t)len - put;
    memcpy(transfer->stash, bytes + put, transfer->stash_len);
    return SGD_CURL_TAKEN;
}

static size_t on_upload(void *self, uint8_t *out, size_t max)
{
    struct sgd_transfer *transfer = self;
    size_t put = 0;
    while (put < max && transfer->spans_count > 0) {
        struct sgd_span *span = &transfer->spans[transfer->spans_first];
        size_t n = SG_MIN(max - put, (size_t)(span->len - span->sent));
        memcpy(out + put, span->bytes + span->sent, n);
        put += n;
        span->sent += (uint32_t)n;
        if (span->sent < span->len)
            break;
        transfer->spans_first = (transfer->spans_first + 1) % SGD_FETCH_SPANS;
        transfer->spans_count--;
    }
    if (put == 0)
        return transfer->spans_last ? 0 : SGD_CURL_PAUSE;
    transfer->moved_ns = transfer->fetcher->now_ns;
    transfer->sent_bytes += put;
    transfer_say(transfer);
    return put;
}

static void on_done(void *self, enum sgd_origin_error error, const char *text)
{
    struct sgd_transfer *transfer = self;
    transfer->xfer = NULL;
    if (error == SGD_ORIGIN_aborted) /* by one of ours, which said why */
        error = transfer->error;
    else if (error == SGD_ORIGIN_none && transfer->state != SGD_TRANSFER_BODY)
        error = SGD_ORIGIN_connection_terminated;
    if (error != SGD_ORIGIN_none) {
        sg_debug("origin %s: %s: %s", transfer->pool->name, sgd_origin_error_type(error), text);
        attempt_failed(transfer, error);
        return;
    }
    attempt_over(transfer, SGD_OUTCOME_GOOD);
    if (transfer->stash_len > 0)
        transfer_enter(transfer, SGD_TRANSFER_DRAIN);
    else
        transfer_end(transfer, SGD_ORIGIN_none);
}

static const struct sgd_curl_ops transfer_ops = {
    .sending = on_sending,
    .line = on_line,
    .body = on_body,
    .upload = on_upload,
    .done = on_done,
};

/* ---- attempts ---- */

static struct sg_str host_of(const struct sgd_transfer *transfer, const struct sgd_url *url)
{
    if (transfer->pool->host_header != NULL)
        return sg_str_from(transfer->pool->host_header);
    /* A shield finds the site by the viewer's host, as we did. */
    if (transfer->pool->shield && transfer->fetch->host.len > 0)
        return transfer->fetch->host;
    return sg_str_from(url->host);
}

static bool copy_text(struct sg_str prefix, struct sg_str text, char *out, size_t bytes)
{
    struct sg_out o = sg_out_init(out, bytes);
    sg_out_str(&o, prefix);
    sg_out_str(&o, text);
    sg_out_char(&o, 0);
    return !o.full && memchr(text.ptr, 0, text.len) == NULL;
}

static bool is_target(struct sg_str path)
{
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.ptr[i] <= 0x20 || (unsigned char)path.ptr[i] >= 0x7f)
            return false;
    return path.len > 0 && path.ptr[0] == '/';
}

static enum sgd_origin_error attempt_begin(struct sgd_transfer *transfer)
{
    struct sgd_fetch *fetch = transfer->fetch;
    struct sgd_url *url = &transfer->pool->urls[transfer->url];
    char method[32], target[SGD_FETCH_TARGET_BYTES];
    bool loops = false;
    struct sg_out fields = sg_out_init(transfer->fetcher->fields, SGD_FETCHER_FIELD_BYTES);
    if (!is_target(fetch->path) || !copy_text(SG_STR_NONE, fetch->method, method, sizeof(method)) ||
        !copy_text(sg_str_from(url->base), fetch->path, target, sizeof(target)) ||
        !sgd_origin_request_fields(fetch->fields, host_of(transfer, url), fetch->pools->node,
                                   &fields, &loops))
        return SGD_ORIGIN_internal;
    if (loops)
        return SGD_ORIGIN_loop;
    struct sgd_curl_request req = {
        .url = url->authority,
        .target = target,
        .method = method,
        .fields = fields.ptr,
        .has_body = fetch->body_bytes != 0,
        .body_bytes = fetch->body_bytes,
        .fresh = !is_idempotent(fetch->method) || fetch->body_bytes != 0,
        .expect_h2 = atomic_load_explicit(&url->h2, memory_order_relaxed),
        .connect_timeout_ms = transfer->pool->connect_timeout_ms,
        .tls = &transfer->pool->tls,
    };
    sgd_head_begin(&transfer->head, fetch->head, sizeof(fetch->head));
    fetch->begin_mono_ns = sg_clock_mono_ns();
    fetch->begin_wall_ns = sg_clock_wall_ns();
    transfer_enter(transfer, SGD_TRANSFER_CONNECT);
    enum sg_err err =
        sgd_curl_start(transfer->fetcher->curl, &req, &transfer_ops, transfer, &transfer->xfer);
    return err == SG_OK ? SGD_ORIGIN_none : SGD_ORIGIN_internal;
}

static void attempt_start(struct sgd_transfer *transfer)
{
    uint32_t url = sgd_pool_pick(transfer->pool, transfer->tried, transfer->fetcher->now_ns);
    if (url == SGD_POOL_URL_NONE) {
        transfer_end(transfer,
                     transfer->error != SGD_ORIGIN_none ? transfer->error : SGD_ORIGIN_unavailable);
        return;
    }
    transfer->url = url;
    transfer->tried |= SG_BIT(url);
    transfer->attempts++;
    enum sgd_origin_error error = attempt_begin(transfer);
    if (error != SGD_ORIGIN_none) {
        attempt_over(transfer, SGD_OUTCOME_UNUSED);
        transfer_end(transfer, error);
    }
}

/* The fetch's own part from the last request that used this memory. */
static void fetch_clear(struct sgd_fetch *fetch)
{
    fetch->status = 0;
    fetch->error = SGD_ORIGIN_none;
    fetch->from_shield = fetch->length_known = false;
    fetch->length = fetch->received_bytes = 0;
    fetch->begin_mono_ns = sg_clock_mono_ns();
    fetch->begin_wall_ns = sg_clock_wall_ns();
    fetch->head_mono_ns = fetch->head_wall_ns = fetch->done_mono_ns = 0;
    fetch->head_bytes = 0;
    fetch->upstream[0] = 0;
}

void sgd_transfer_start(struct sgd_fetcher *fetcher, struct sgd_fetch *fetch)
{
    struct sgd_transfer **bucket = bucket_of(fetcher, fetch);
    struct sgd_transfer *transfer = sg_boot_alloc(sizeof(*transfer));
    SG_ASSERT(transfer != NULL); /* 17 KiB on a thread that libcurl allocates on all the time */
    transfer->fetcher = fetcher;
    transfer->fetch = fetch;
    transfer->worker = fetch->worker;
    transfer->pools = fetch->pools;
    transfer->pool = &fetch->pools->pools[fetch->origin];
    sg_list_init(&transfer->all);
    sg_list_init(&transfer->untold);
    sg_list_push_back(&fetcher->transfers, &transfer->all);
    transfer->next = *bucket;
    *bucket = transfer;
    fetch_clear(fetch);
    attempt_start(transfer);
}

/* ---- what the worker tells ---- */

static void drain_stash(struct sgd_transfer *transfer)
{
    uint32_t put = windows_put(transfer, transfer->stash + transfer->stash_at, transfer->stash_len);
    transfer->stash_at += put;
    transfer->stash_len -= put;
    if (transfer->stash_len > 0)
        return;
    if (transfer->state == SGD_TRANSFER_DRAIN)
        transfer_end(transfer, SGD_ORIGIN_none);
}

void sgd_transfer_window(struct sgd_transfer *transfer, uint8_t *memory, uint32_t bytes)
{
    SG_ASSERT(transfer->windows_count < SGD_FETCH_WINDOWS);
    uint32_t at = (transfer->windows_first + transfer->windows_count++) % SGD_FETCH_WINDOWS;
    transfer->windows[at] = (struct sgd_window){memory, bytes, 0, 0};
    if (transfer->state == SGD_TRANSFER_ENDED)
        return;
    drain_stash(transfer);
    if (transfer->body_held && !windows_full(transfer) && transfer->xfer != NULL) {
        transfer->body_held = false;
        transfer->moved_ns = transfer->fetcher->now_ns; /* the wait was ours */
        sgd_curl_resume_body(transfer->xfer);
    }
}

void sgd_transfer_body(struct sgd_transfer *transfer, const uint8_t *bytes, uint32_t len, bool last)
{
    SG_ASSERT(transfer->spans_count < SGD_FETCH_SPANS);
    if (len > 0) {
        uint32_t at = (transfer->spans_first + transfer->spans_count++) % SGD_FETCH_SPANS;
        transfer->spans[at] = (struct sgd_span){bytes, len, 0};
    }
    transfer->spans_last |= last;
    if (transfer->xfer != NULL) {
        transfer->moved_ns = transfer->fetcher->now_ns;
        sgd_curl_resume_upload(transfer->xfer);
    }
}

void sgd_transfer_abort(struct sgd_transfer *transfer)
{
    if (transfer->state == SGD_TRANSFER_ENDED)
        return;
    if (transfer->xfer != NULL)
        attempt_over(transfer, SGD_OUTCOME_UNUSED);
    transfer_end(transfer, SGD_ORIGIN_aborted);
}

/* Who is waited for, and for how long already. SGD_ORIGIN_none: nobody, or it is us. */
static enum sgd_origin_error waited_too_long(const struct sgd_transfer *transfer)
{
    const struct sgd_pool *pool = transfer->pool;
    uint64_t waited_ms = (transfer->fetcher->now_ns - transfer->moved_ns) / SG_NS_PER_MS;
    bool uploading =
        transfer->fetch->body_bytes != 0 && !(transfer->spans_last && transfer->spans_count == 0);
    if (transfer->state != SGD_TRANSFER_ANSWER && transfer->state != SGD_TRANSFER_BODY)
        return SGD_ORIGIN_none;
    if (uploading && transfer->spans_count == 0)
        return SGD_ORIGIN_none;
    if (uploading)
        return waited_ms > pool->idle_timeout_ms ? SGD_ORIGIN_write_timeout : SGD_ORIGIN_none;
    if (transfer->state == SGD_TRANSFER_ANSWER)
        return waited_ms > pool->first_byte_timeout_ms ? SGD_ORIGIN_first_byte_timeout
                                                       : SGD_ORIGIN_none;
    if (transfer->body_held)
        return SGD_ORIGIN_none;
    return waited_ms > pool->idle_timeout_ms ? SGD_ORIGIN_read_timeout : SGD_ORIGIN_none;
}

void sgd_transfer_tick(struct sgd_transfer *transfer)
{
    if (transfer->moved_ns >= transfer->fetcher->now_ns)
        return;
    enum sgd_origin_error error = waited_too_long(transfer);
    if (error != SGD_ORIGIN_none)
        attempt_failed(transfer, error);
}

/* ---- what the worker is told ---- */

static bool tell(struct sgd_transfer *transfer, struct sg_msg msg)
{
    msg.ptr[0] = transfer->fetch;
    return sg_mail_send(transfer->fetcher->mail, transfer->fetcher->mail_id, transfer->worker,
                        &msg);
}

static bool tell_windows(struct sgd_transfer *transfer)
{
    while (transfer->windows_count > 0) {
        struct sgd_window *window = &transfer->windows[transfer->windows_first];
        bool full = window->filled == window->bytes;
        if (window->filled == window->told)
            return true;
        if (!tell(transfer, (struct sg_msg){.type = SGD_FETCH_DATA,
                                            .arg32 = window->filled - window->told,
                                            .arg64 = full}))
            return false;
        window->told = window->filled;
        if (!full)
            return true;
        transfer->windows_first = (transfer->windows_first + 1) % SGD_FETCH_WINDOWS;
        transfer->windows_count--;
    }
    return true;
}

static bool tell_done(struct sgd_transfer *transfer)
{
    struct sgd_pools *pools = transfer->pools;
    transfer->fetch->error = (uint16_t)transfer->error;
    transfer->fetch->done_mono_ns = sg_clock_mono_ns();
    if (!tell(transfer, (struct sg_msg){.type = SGD_FETCH_DONE}))
        return false;
    transfer_free(transfer);
    sgd_pools_unref(pools);
    return true;
}

bool sgd_transfer_tell(struct sgd_transfer *transfer)
{
    bool has_head = transfer->head.state == SGD_HEAD_WHOLE && transfer->fetch->status != 0;
    if (has_head && !transfer->head_told) {
        if (!tell(transfer, (struct sg_msg){.type = SGD_FETCH_HEAD}))
            return false;
        transfer->head_told = true;
    }
    if (!tell_windows(transfer))
        return false;
    if (transfer->sent_told != transfer->sent_bytes) {
        if (!tell(transfer,
                  (struct sg_msg){.type = SGD_FETCH_BODY_TAKEN, .arg64 = transfer->sent_bytes}))
            return false;
        transfer->sent_told = transfer->sent_bytes;
    }
    if (transfer->state == SGD_TRANSFER_ENDED)
        return tell_done(transfer);
    sg_list_remove(&transfer->untold);
    return true;
}
