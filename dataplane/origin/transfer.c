#include "dataplane/origin/transfer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/http/date.h"
#include "dataplane/http/fresh.h"
#include "dataplane/http/head1.h"
#include "dataplane/origin/pools.h"
#include "dataplane/origin/request.h"

#include <stdio.h>

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

/* ---- connections ---- */

static bool lane_take(struct sgd_transfer *transfer)
{
    struct sgd_lane *lane = transfer->lane;
    SG_ASSERT(!transfer->has_slot);
    if (lane->active >= lane->limit)
        return false;
    lane->active++;
    transfer->has_slot = true;
    return true;
}

static void lane_give(struct sgd_transfer *transfer)
{
    struct sgd_lane *lane = transfer->lane;
    if (!transfer->has_slot)
        return;
    transfer->has_slot = false;
    lane->active--;
    if (!sg_list_empty(&lane->waiting) && sg_list_empty(&lane->ready))
        sg_list_push_back(&transfer->fetcher->ready, &lane->ready);
}

static void lane_wait(struct sgd_transfer *transfer)
{
    transfer->lane->waiting_count++;
    sg_list_push_back(&transfer->lane->waiting, &transfer->waiting);
}

static void lane_leave(struct sgd_transfer *transfer)
{
    if (sg_list_empty(&transfer->waiting))
        return;
    transfer->lane->waiting_count--;
    sg_list_remove(&transfer->waiting);
}

/* ---- ends ---- */

static void transfer_end(struct sgd_transfer *transfer, enum sgd_origin_error error)
{
    SG_ASSERT(transfer->xfer == NULL);
    lane_leave(transfer);
    lane_give(transfer);
    transfer->error = error;
    transfer_enter(transfer, SGD_TRANSFER_ENDED);
    transfer_say(transfer);
}

static enum sgd_outcome outcome_of(const struct sgd_transfer *transfer, enum sgd_origin_error error)
{
    bool answered = transfer->head.state == SGD_HEAD_WHOLE;
    enum sgd_outcome said =
        answered ? sgd_outcome_of_status(transfer->head.status) : SGD_OUTCOME_UNUSED;
    switch ((int)error) {
    case SGD_ORIGIN_none:
        return said;
    case SGD_ORIGIN_aborted: /* a worker need not read a 503 to its end */
        return said == SGD_OUTCOME_GOOD ? SGD_OUTCOME_UNUSED : said;
    case SGD_ORIGIN_body_too_large:
    case SGD_ORIGIN_internal:
    case SGD_ORIGIN_loop:
        return SGD_OUTCOME_UNUSED; /* ours, not the origin's */
    case SGD_ORIGIN_connection_terminated:
    case SGD_ORIGIN_protocol:
    case SGD_ORIGIN_head_too_large:
    case SGD_ORIGIN_incomplete:
    case SGD_ORIGIN_transfer_coding:
        return SGD_OUTCOME_BROKEN; /* it is there, and may do better with another request */
    default:
        return SGD_OUTCOME_FAILED;
    }
}

/* The attempt has ended or is ended here: what the pool should make of it. */
static void attempt_over(struct sgd_transfer *transfer, enum sgd_origin_error error,
                         const char *text)
{
    if (transfer->xfer != NULL)
        sgd_curl_stop(SG_TAKE(transfer->xfer));
    struct sgd_attempt attempt = {
        .outcome = outcome_of(transfer, error),
        .retry_after_s = transfer->retry_after_s,
    };
    char status[32];
    snprintf(status, sizeof(status), "status %u", transfer->head.status);
    if (attempt.outcome == SGD_OUTCOME_FAILED ||
        (attempt.outcome == SGD_OUTCOME_BROKEN && error != SGD_ORIGIN_none))
        attempt.error = text;
    else if (attempt.outcome == SGD_OUTCOME_BUSY || attempt.outcome == SGD_OUTCOME_BROKEN)
        attempt.error = status;
    sgd_pool_result(transfer->pool, transfer->url, &attempt, transfer->fetcher->now_ns);
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

/* Another URL; or, when a connection was lost and there is no other, the same again. */
static uint32_t pick_again(struct sgd_transfer *transfer, enum sgd_origin_error error)
{
    uint64_t now_ns = transfer->fetcher->now_ns;
    uint32_t url = sgd_pool_pick(transfer->pool, transfer->tried, now_ns);
    if (url == SGD_POOL_URL_NONE && error == SGD_ORIGIN_connection_terminated)
        url = sgd_pool_pick(transfer->pool, 0, now_ns);
    return url;
}

static void attempt_start(struct sgd_transfer *transfer, uint32_t url);

static void attempt_failed(struct sgd_transfer *transfer, enum sgd_origin_error error,
                           const char *text)
{
    uint32_t url = transfer->next_url;
    sg_debug("origin %s: %s: %s: %s", transfer->pool->name,
             transfer->pool->urls[transfer->url].text, sgd_origin_error_type(error), text);
    attempt_over(transfer, error, text);
    bool ours = error == SGD_ORIGIN_body_too_large || error == SGD_ORIGIN_internal;
    if (url == SGD_POOL_URL_NONE && may_retry(transfer) && !ours)
        url = pick_again(transfer, error);
    if (url == SGD_POOL_URL_NONE) {
        transfer_end(transfer, error);
        return;
    }
    transfer_enter(transfer, SGD_TRANSFER_QUEUED);
    attempt_start(transfer, url);
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

static uint32_t retry_after_s(const struct sgd_head *head)
{
    struct sg_str value = sgd_lines_field(sg_out_view(&head->lines), SG_STR("retry-after"), NULL);
    uint64_t seconds;
    int64_t at_s, now_s = (int64_t)(sg_clock_wall_ns() / SG_NS_PER_SEC);
    if (sg_str_to_u64(value, &seconds))
        return (uint32_t)SG_MIN(seconds, (uint64_t)UINT32_MAX);
    if (!sgd_http_date(value, &at_s) || at_s <= now_s)
        return 0;
    return (uint32_t)SG_MIN(at_s - now_s, (int64_t)UINT32_MAX);
}

static void fetch_head(struct sgd_transfer *transfer)
{
    struct sgd_fetch *fetch = transfer->fetch;
    const struct sgd_head *head = &transfer->head;
    struct sgd_url *url = &transfer->pool->urls[transfer->url];
    atomic_store_explicit(&url->h2, head->version == 20, memory_order_relaxed);
    fetch->status = head->status;
    fetch->length_known = head->length_known && head->status != 204;
    fetch->length = fetch->length_known ? head->length : 0;
    fetch->head_bytes = (uint32_t)head->lines.len;
    fetch->head_mono_ns = sg_clock_mono_ns();
    fetch->head_wall_ns = sg_clock_wall_ns();
    snprintf(fetch->upstream, sizeof(fetch->upstream), "%s", url->host);
}

static bool is_uploading(const struct sgd_transfer *transfer)
{
    return transfer->fetch->body_bytes != 0 && !transfer->upload_over &&
           !(transfer->spans_last && transfer->spans_count == 0);
}

/* False: this answer is not for the worker; error or next_url says why. */
static bool head_whole(struct sgd_transfer *transfer)
{
    const struct sgd_head *head = &transfer->head;
    uint64_t now_ns = sg_clock_mono_ns();
    enum sgd_outcome outcome = sgd_outcome_of_status(head->status);
    if (outcome == SGD_OUTCOME_BUSY)
        transfer->retry_after_s = retry_after_s(head);
    if (outcome != SGD_OUTCOME_GOOD && may_retry(transfer)) {
        transfer->next_url = sgd_pool_pick(transfer->pool, transfer->tried, now_ns);
        transfer->error = SGD_ORIGIN_none;
        if (transfer->next_url != SGD_POOL_URL_NONE)
            return false;
    }
    if (outcome == SGD_OUTCOME_GOOD)
        sgd_pool_answered(transfer->pool, transfer->url, now_ns - transfer->fetch->begin_mono_ns);
    if (head->length_known && !is_bodyless(transfer) &&
        head->length > transfer->fetch->body_bytes_max) {
        transfer->error = SGD_ORIGIN_body_too_large;
        return false;
    }
    fetch_head(transfer);
    if (head->status == 204 && (head->chunked || (head->length_known && head->length != 0)))
        sgd_curl_part(transfer->xfer); /* what follows it could be read as the next answer */
    transfer->upload_over = is_uploading(transfer) && head->status >= 400;
    transfer->moved_ns = now_ns;
    transfer_enter(transfer, SGD_TRANSFER_BODY);
    transfer_say(transfer);
    return true;
}

static bool on_line(void *self, const char *line, size_t len)
{
    struct sgd_transfer *transfer = self;
    if (transfer->state == SGD_TRANSFER_BODY)
        return true; /* trailers */
    enum sgd_origin_error error = sgd_head_line(&transfer->head, line, len);
    if (error != SGD_ORIGIN_none) {
        transfer->error = error;
        return false;
    }
    if (transfer->fetch->hints_bytes == 0 && transfer->head.hints.len > 0) {
        transfer->fetch->hints_bytes = (uint32_t)transfer->head.hints.len;
        transfer_say(transfer);
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
        return transfer->spans_last || transfer->fetch->body_bytes == 0 ? 0 : SGD_CURL_PAUSE;
    transfer->moved_ns = transfer->fetcher->now_ns;
    transfer->sent_bytes += put;
    transfer_say(transfer);
    return put;
}

static void on_done(void *self, enum sgd_origin_error error, const char *text)
{
    struct sgd_transfer *transfer = self;
    transfer->xfer = NULL;
    if (error == SGD_ORIGIN_aborted) { /* by one of ours, which said why */
        error = transfer->error;
        text = sgd_origin_error_type(error);
    } else if (error == SGD_ORIGIN_head_too_large) {
        text = "a field line is too long";
    } else if (error == SGD_ORIGIN_none && transfer->state != SGD_TRANSFER_BODY) {
        error = SGD_ORIGIN_connection_terminated;
        text = "closed without an answer";
    }
    if (error != SGD_ORIGIN_none || transfer->next_url != SGD_POOL_URL_NONE) {
        attempt_failed(transfer, error, text);
        return;
    }
    attempt_over(transfer, SGD_ORIGIN_none, NULL);
    if (transfer->stash_len == 0) {
        transfer_end(transfer, SGD_ORIGIN_none);
        return;
    }
    lane_give(transfer);
    transfer_enter(transfer, SGD_TRANSFER_DRAIN);
}

static const struct sgd_curl_ops transfer_ops = {
    .sending = on_sending,
    .line = on_line,
    .body = on_body,
    .upload = on_upload,
    .done = on_done,
};

/* ---- attempts ---- */

static enum sgd_origin_error ask_write(const struct sgd_transfer *transfer, char *method,
                                       size_t method_bytes)
{
    const struct sgd_fetch *fetch = transfer->fetch;
    struct sg_out target = sg_out_init(transfer->fetcher->target, SGD_FETCHER_TARGET_BYTES);
    struct sg_out fields = sg_out_init(transfer->fetcher->fields, SGD_FETCHER_FIELD_BYTES);
    struct sg_out name = sg_out_init(method, method_bytes);
    struct sgd_ask ask = {
        .pool = transfer->pool,
        .url = &transfer->pool->urls[transfer->url],
        .node_id = transfer->pools->node,
        .method = fetch->method,
        .path = fetch->path,
        .viewer_host = fetch->host,
        .version = fetch->version != NULL ? fetch->version : "1.1",
        .fields = fetch->fields,
        .has_body = fetch->body_bytes != 0,
        .wall_s = sg_clock_wall_ns() / SG_NS_PER_SEC,
    };
    sg_out_str(&name, fetch->method);
    sg_out_char(&name, 0);
    if (name.full)
        return SGD_ORIGIN_internal;
    return sgd_ask_write(&ask, &target, &fields);
}

static enum sgd_origin_error attempt_begin(struct sgd_transfer *transfer)
{
    struct sgd_fetch *fetch = transfer->fetch;
    const struct sgd_url *url = &transfer->pool->urls[transfer->url];
    char method[SGD_HEAD1_METHOD_MAX + 1];
    enum sgd_origin_error error = ask_write(transfer, method, sizeof(method));
    if (error != SGD_ORIGIN_none)
        return error;
    struct sgd_curl_request req = {
        .url = url->authority,
        .connect_to = url->connect_to,
        .target = transfer->fetcher->target,
        .method = method,
        .fields = transfer->fetcher->fields,
        .body_bytes = fetch->body_bytes,
        .fresh = !is_idempotent(fetch->method) || fetch->body_bytes != 0,
        .expect_h2 = atomic_load_explicit(&url->h2, memory_order_relaxed),
        .connect_timeout_ms = transfer->pool->connect_timeout_ms,
        .tls = &transfer->pool->tls,
    };
    enum sg_err err =
        sgd_curl_start(transfer->fetcher->curl, &req, &transfer_ops, transfer, &transfer->xfer);
    return err == SG_OK ? SGD_ORIGIN_none : SGD_ORIGIN_internal;
}

static void attempt_start(struct sgd_transfer *transfer, uint32_t url)
{
    SG_ASSERT(transfer->has_slot);
    if (url == SGD_POOL_URL_NONE) {
        transfer_end(transfer, SGD_ORIGIN_unavailable);
        return;
    }
    transfer->url = url;
    transfer->next_url = SGD_POOL_URL_NONE;
    transfer->tried |= SG_BIT(url);
    transfer->attempts++;
    transfer->retry_after_s = 0;
    transfer->error = SGD_ORIGIN_none;
    transfer->fetch->begin_mono_ns = sg_clock_mono_ns();
    transfer->fetch->begin_wall_ns = sg_clock_wall_ns();
    sgd_head_begin(&transfer->head, transfer->fetch->head, sizeof(transfer->fetch->head));
    if (transfer->fetch->hints_bytes == 0) /* else the worker reads an earlier attempt's */
        transfer->head.hints = sg_out_init(transfer->fetch->hints, SGD_FETCH_HINTS_BYTES);
    transfer_enter(transfer, SGD_TRANSFER_CONNECT);
    enum sgd_origin_error error = attempt_begin(transfer);
    if (error == SGD_ORIGIN_none)
        return;
    attempt_over(transfer, error, NULL);
    transfer_end(transfer, error);
}

static void first_attempt(struct sgd_transfer *transfer)
{
    attempt_start(transfer, sgd_pool_pick(transfer->pool, 0, transfer->fetcher->now_ns));
}

void sgd_lanes_turn(struct sgd_fetcher *fetcher)
{
    struct sg_list *node;
    while ((node = sg_list_pop_front(&fetcher->ready)) != NULL) {
        struct sgd_lane *lane = sg_list_entry(node, struct sgd_lane, ready);
        while (lane->active < lane->limit && !sg_list_empty(&lane->waiting)) {
            struct sgd_transfer *transfer =
                sg_list_entry(lane->waiting.next, struct sgd_transfer, waiting);
            lane_leave(transfer);
            if (lane_take(transfer))
                first_attempt(transfer);
        }
    }
}

/* The fetch's own part from the last request that used this memory. */
static void fetch_clear(struct sgd_fetch *fetch)
{
    fetch->status = 0;
    fetch->error = SGD_ORIGIN_none;
    fetch->length_known = false;
    fetch->length = fetch->received_bytes = 0;
    fetch->begin_mono_ns = sg_clock_mono_ns();
    fetch->begin_wall_ns = sg_clock_wall_ns();
    fetch->head_mono_ns = fetch->head_wall_ns = 0;
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
    transfer->lane = sgd_pools_lane(fetch->pools, fetch->origin, fetch->worker);
    transfer->next_url = SGD_POOL_URL_NONE;
    transfer->moved_ns = fetcher->now_ns;
    sg_list_init(&transfer->all);
    sg_list_init(&transfer->untold);
    sg_list_init(&transfer->waiting);
    sg_list_push_back(&fetcher->transfers, &transfer->all);
    transfer->next = *bucket;
    *bucket = transfer;
    fetch_clear(fetch);
    if (lane_take(transfer))
        first_attempt(transfer);
    else if (transfer->lane->waiting_count < SGD_POOL_QUEUE_MAX)
        lane_wait(transfer);
    else
        transfer_end(transfer, SGD_ORIGIN_limit);
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

static void resumed(struct sgd_transfer *transfer, enum sgd_origin_error error)
{
    if (error == SGD_ORIGIN_aborted)
        error = transfer->error;
    if (error != SGD_ORIGIN_none)
        attempt_failed(transfer, error, sgd_origin_error_type(error));
}

void sgd_transfer_window(struct sgd_transfer *transfer, uint8_t *memory, uint32_t bytes)
{
    SG_ASSERT(transfer->windows_count < SGD_FETCH_WINDOWS);
    uint32_t at = (transfer->windows_first + transfer->windows_count++) % SGD_FETCH_WINDOWS;
    transfer->windows[at] = (struct sgd_window){memory, bytes, 0, 0};
    if (transfer->state == SGD_TRANSFER_ENDED)
        return;
    drain_stash(transfer);
    if (!transfer->body_held || transfer->xfer == NULL || windows_full(transfer))
        return;
    transfer->body_held = false;
    transfer->moved_ns = transfer->fetcher->now_ns; /* the wait was ours */
    resumed(transfer, sgd_curl_resume_body(transfer->xfer));
}

/* What follows the last piece in memory becomes part of it: a ring of the worker's is two pieces at
 * most, however small the steps that fill it. */
static bool spans_put(struct sgd_transfer *transfer, const uint8_t *bytes, uint32_t len)
{
    if (transfer->spans_count > 0) {
        uint32_t at = (transfer->spans_first + transfer->spans_count - 1) % SGD_FETCH_SPANS;
        struct sgd_span *last = &transfer->spans[at];
        if (last->bytes + last->len == bytes && len <= UINT32_MAX - last->len) {
            last->len += len;
            return true;
        }
    }
    if (transfer->spans_count == SGD_FETCH_SPANS)
        return false;
    uint32_t at = (transfer->spans_first + transfer->spans_count++) % SGD_FETCH_SPANS;
    transfer->spans[at] = (struct sgd_span){bytes, len, 0};
    return true;
}

void sgd_transfer_body(struct sgd_transfer *transfer, const uint8_t *bytes, uint32_t len, bool last)
{
    if (transfer->state == SGD_TRANSFER_ENDED || transfer->upload_over)
        return;
    bool fits = len == 0 || spans_put(transfer, bytes, len);
    SG_ASSERT(fits); /* SGD_FETCH_SPANS is the contract */
    transfer->spans_last |= last;
    if (transfer->xfer == NULL)
        return;
    transfer->moved_ns = transfer->fetcher->now_ns;
    resumed(transfer, sgd_curl_resume_upload(transfer->xfer));
}

void sgd_transfer_abort(struct sgd_transfer *transfer)
{
    if (transfer->state == SGD_TRANSFER_ENDED)
        return;
    SG_ASSERT(transfer->next_url == SGD_POOL_URL_NONE); /* a pick lasts within one turn */
    if (transfer->xfer != NULL)
        attempt_over(transfer, SGD_ORIGIN_aborted, NULL);
    transfer_end(transfer, SGD_ORIGIN_aborted);
}

/* How long what is waited for may take, and what it is if it takes longer. NO_LIMIT: nothing is
 * waited for, or it is our own side. Connecting is libcurl's to watch. */
#define NO_LIMIT UINT32_MAX
static uint32_t patience_ms(const struct sgd_transfer *transfer, enum sgd_origin_error *error)
{
    const struct sgd_pool *pool = transfer->pool;
    bool answering = transfer->state == SGD_TRANSFER_ANSWER;
    if (!sg_list_empty(&transfer->waiting)) {
        *error = SGD_ORIGIN_limit;
        return pool->connect_timeout_ms;
    }
    if (!answering && transfer->state != SGD_TRANSFER_BODY)
        return NO_LIMIT;
    if (is_uploading(transfer)) {
        *error = SGD_ORIGIN_write_timeout;
        return transfer->spans_count > 0 ? pool->idle_timeout_ms : NO_LIMIT;
    }
    *error = answering ? SGD_ORIGIN_first_byte_timeout : SGD_ORIGIN_read_timeout;
    if (transfer->body_held)
        return NO_LIMIT;
    return answering ? pool->first_byte_timeout_ms : pool->idle_timeout_ms;
}

void sgd_transfer_tick(struct sgd_transfer *transfer)
{
    enum sgd_origin_error error = SGD_ORIGIN_none;
    uint32_t limit_ms = patience_ms(transfer, &error);
    uint64_t now_ns = transfer->fetcher->now_ns;
    if (limit_ms == NO_LIMIT || now_ns < transfer->moved_ns + limit_ms * SG_NS_PER_MS)
        return;
    if (error == SGD_ORIGIN_limit)
        transfer_end(transfer, error);
    else
        attempt_failed(transfer, error, sgd_origin_error_type(error));
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
    if (!tell(transfer, (struct sg_msg){.type = SGD_FETCH_DONE}))
        return false;
    transfer_free(transfer);
    sgd_pools_unref(pools);
    return true;
}

bool sgd_transfer_tell(struct sgd_transfer *transfer)
{
    /* libcurl 7.88 sends no more after an error, but would wait for the pause to end. */
    if (transfer->upload_over && transfer->xfer != NULL)
        resumed(transfer, sgd_curl_resume_upload(transfer->xfer));
    if (transfer->fetch->hints_bytes != 0 && !transfer->hints_told) {
        if (!tell(transfer, (struct sg_msg){.type = SGD_FETCH_HINTS}))
            return false;
        transfer->hints_told = true;
    }
    if (transfer->fetch->status != 0 && !transfer->head_told) {
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
