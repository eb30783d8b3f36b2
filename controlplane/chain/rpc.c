#include "controlplane/chain/rpc.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <fcntl.h>
#include <unistd.h>

#define TIMEOUT_MS         10000u
#define CONNECT_TIMEOUT_MS 3000u
#define ANSWER_BYTES_MAX   (64u << 20)
#define NAME_BYTES_MAX     128u
#define ENVELOPE_BYTES     96u /* of one ask, around method and params */
#define SERVERS_MAX        16u

struct sgc_rpc {
    struct sgc_curl *curl;
    struct sgc_curl_peer *peer;
    uint32_t timeout_ms;
    uint32_t next_id;
    char *body;
    size_t body_cap;
    char name[NAME_BYTES_MAX];
};

static const struct {
    const char *name;
    bool is_fault;
    const char *text;
} ends[] = {
#define RPC(name, fault, text) [SGC_RPC_##name] = {#name, fault, text},
#include "controlplane/chain/rpc.def"
#undef RPC
};

const char *sgc_rpc_end_name(enum sgc_rpc_end end)
{
    SG_ASSERT(end < SGC_RPC_ENDS);
    return ends[end].name;
}

const char *sgc_rpc_end_text(enum sgc_rpc_end end)
{
    SG_ASSERT(end < SGC_RPC_ENDS);
    return ends[end].text;
}

bool sgc_rpc_end_is_fault(enum sgc_rpc_end end)
{
    SG_ASSERT(end < SGC_RPC_ENDS);
    return ends[end].is_fault;
}

/* ---- opening ---- */

enum sg_err sgc_rpc_read_file(const char *path, char *memory, struct sg_str *out)
{
    if (path == NULL) {
        *out = SG_STR_NONE;
        return SG_OK;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sg_err_from_errno(errno);
    ssize_t len = read(fd, memory, SGC_RPC_FILE_BYTES_MAX);
    enum sg_err err = len < 0 ? sg_err_from_errno(errno) : SG_OK;
    close(fd);
    if (err == SG_OK && (size_t)len == SGC_RPC_FILE_BYTES_MAX)
        err = SG_EMSGSIZE;
    if (err == SG_OK)
        *out = (struct sg_str){memory, (size_t)len};
    return err;
}

/* Up to the path, without what stands before an '@'. */
static void name_set(struct sgc_rpc *rpc, const char *url)
{
    struct sg_out out = sg_out_init(rpc->name, sizeof(rpc->name) - 1);
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', len);
    sg_out_bytes(&out, url, (size_t)(host - url));
    if (at != NULL) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    sg_out_bytes(&out, host, SG_MIN(len, out.cap - out.len));
}

static enum sg_err rpc_set_up(struct sgc_rpc *rpc, const struct sgc_rpc_options *options,
                              char *memory)
{
    struct sgc_curl_target target = {
        .url = options->url,
        .connect_timeout_ms =
            options->connect_timeout_ms != 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS,
        .answer_bytes_max =
            options->answer_bytes_max != 0 ? options->answer_bytes_max : ANSWER_BYTES_MAX,
    };
    enum sg_err err = sgc_rpc_read_file(options->fields_file, memory, &target.fields);
    if (err == SG_OK)
        err = sgc_rpc_read_file(options->ca_file, memory + SGC_RPC_FILE_BYTES_MAX, &target.ca);
    if (err == SG_OK)
        err = sgc_curl_peer_open(rpc->curl, &target, &rpc->peer);
    return err;
}

enum sg_err sgc_rpc_open(struct sgc_curl *curl, const struct sgc_rpc_options *options,
                         struct sgc_rpc **out)
{
    SG_ASSERT(options->url != NULL);
    SG_ASSERT(out != NULL);
    char *memory = sg_boot_alloc(2 * SGC_RPC_FILE_BYTES_MAX);
    struct sgc_rpc *rpc = memory != NULL ? sg_boot_alloc(sizeof(*rpc)) : NULL;
    enum sg_err err = SG_ENOMEM;
    if (rpc == NULL)
        goto out;
    rpc->curl = curl;
    rpc->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS;
    rpc->next_id = 1;
    name_set(rpc, options->url);
    err = rpc_set_up(rpc, options, memory);
    if (err == SG_OK)
        *out = SG_TAKE(rpc);
out:
    if (memory != NULL)
        explicit_bzero(memory, SGC_RPC_FILE_BYTES_MAX);
    sg_boot_free(memory);
    sgc_rpc_close(rpc);
    return err;
}

void sgc_rpc_close(struct sgc_rpc *rpc)
{
    if (rpc == NULL)
        return;
    sgc_curl_peer_close(rpc->peer);
    sg_boot_free(rpc->body);
    sg_boot_free(rpc);
}

const char *sgc_rpc_name(const struct sgc_rpc *rpc)
{
    return rpc->name;
}

/* ---- what an error means: servers agree on few codes, so their words count too ---- */

static bool says(struct sg_str message, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        for (size_t at = 0; at + len <= message.len; at++) {
            if (strncasecmp(message.ptr + at, words[i], len) == 0)
                return true;
        }
    }
    return false;
}

static const char *const too_many_words[] = {
    "block range",
    "more than 10000 results",
    "query returned more than",
    "response size",
    "range is too large",
    "range too large",
    "query timeout",
    "logs matched by query",
    "blocks range",
    "result set too large",
    "exceeds max results",
    "too many results",
    "too many logs",
    "limited to a",
    "batch too large",
    "exceeds the range",
    "maximum block",
    "max block",
    "limit the query",
    "less number of address",
};
static const char *const limited_words[] = {
    "rate limit",    "too many requests", "request limit",     "requests per",  "capacity",
    "quota",         "throttl",           "request rate",      "request count", "rps limit",
    "compute units", "call rate",         "requests exceeded",
};
static const char *const behind_words[] = {
    "header not found",  "block not found",     "unknown block",
    "missing trie node", "not available",       "not find block",
    "out of range",      "cannot be found",     "pruned",
    "is behind",         "unhealthy",           "header for hash not found",
    "last accepted",     "not yet available",   "state not found",
    "blockoutofrange",   "future block",        "no state available",
    "state unavailable", "history unavailable", "proof window",
    "archive",           "is not canonical",    "history has been pruned",
    "invalid block tag",
};
static const char *const reverted_words[] = {
    "revert",          "invalid opcode",    "out of gas", "vm execution error",
    "stack underflow", "execution aborted",
};

/* -32005, "limit exceeded", is of the rate, or of what eth_getLogs would find. */
static enum sgc_rpc_end limit_end(const char *method)
{
    return strcmp(method, "eth_getLogs") == 0 ? SGC_RPC_too_many : SGC_RPC_limited;
}

static enum sgc_rpc_end error_end(const char *method, int64_t code, struct sg_str message)
{
    if (code == 3 || says(message, reverted_words, SG_COUNT(reverted_words)))
        return SGC_RPC_reverted;
    if (code == -32601 || code == -32004) /* Geth: "does not exist/is not available"; EIP-1474 */
        return SGC_RPC_method;
    if (says(message, limited_words, SG_COUNT(limited_words)) || code == 429)
        return SGC_RPC_limited;
    if (says(message, too_many_words, SG_COUNT(too_many_words)))
        return SGC_RPC_too_many;
    if (says(message, behind_words, SG_COUNT(behind_words)) || code == -32001 || code == 4444)
        return SGC_RPC_behind;
    if (code == -32005)
        return limit_end(method);
    /* -32700, a parse error: of a param that it has no form for, since what we send is JSON. */
    return code == -32602 || code == -32700 ? SGC_RPC_params : SGC_RPC_refused;
}

/* ---- answers ---- */

static void all_end(struct sgc_rpc_ask *asks, uint32_t count, enum sgc_rpc_end end)
{
    for (uint32_t i = 0; i < count; i++)
        asks[i].end = end;
}

static void error_read(struct sg_jsonread error, struct sgc_rpc_ask *ask)
{
    struct sg_jsonread value;
    ask->end = SGC_RPC_garbage;
    if (sg_jsonread_kind(error) != SG_JSONREAD_OBJECT ||
        !sg_jsonread_member(error, "code", &value) || !sg_jsonread_i64(value, &ask->code))
        return;
    if (sg_jsonread_member(error, "message", &value) &&
        sg_jsonread_kind(value) == SG_JSONREAD_STRING)
        ask->message = (struct sg_str){value.ptr + 1, value.len - 2};
    ask->end = error_end(ask->method, ask->code, ask->message);
    if (ask->end == SGC_RPC_reverted && sg_jsonread_member(error, "data", &value))
        ask->result = value;
}

/* One answer's object, whoever it belongs to. */
static void answer_read(struct sg_jsonread object, struct sgc_rpc_ask *ask)
{
    struct sg_jsonread value;
    ask->end = SGC_RPC_garbage;
    if (sg_jsonread_member(object, "error", &value) && !sg_jsonread_is_null(value)) {
        error_read(value, ask);
    } else if (sg_jsonread_member(object, "result", &value)) {
        ask->result = value;
        ask->end = SGC_RPC_ok;
    }
}

static bool id_read(struct sg_jsonread object, uint64_t *out)
{
    struct sg_jsonread value;
    return sg_jsonread_kind(object) == SG_JSONREAD_OBJECT &&
           sg_jsonread_member(object, "id", &value) && sg_jsonread_u64(value, out);
}

static void batch_read(struct sg_jsonread array, uint32_t first_id, struct sgc_rpc_ask *asks,
                       uint32_t count)
{
    struct sg_jsonread_walk walk = sg_jsonread_walk(array);
    struct sg_jsonread object;
    uint64_t id;
    while (sg_jsonread_next(&walk, NULL, &object)) {
        if (id_read(object, &id) && id >= first_id && id - first_id < count)
            answer_read(object, &asks[id - first_id]);
    }
}

static enum sgc_rpc_end status_end(uint16_t status)
{
    if (status == 429)
        return SGC_RPC_limited;
    if (status == 401 || status == 403)
        return SGC_RPC_forbidden;
    return status >= 200 && status < 300 ? SGC_RPC_garbage : SGC_RPC_http;
}

/* An error for the whole: without an id, or with another status. */
static void whole_error_read(struct sg_jsonread value, uint16_t status, struct sgc_rpc_ask *asks,
                             uint32_t count)
{
    struct sg_jsonread error;
    struct sgc_rpc_ask said = {.method = asks[0].method, .end = status_end(status)};
    if (sg_jsonread_kind(value) == SG_JSONREAD_OBJECT &&
        sg_jsonread_member(value, "error", &error) && !sg_jsonread_is_null(error)) {
        error_read(error, &said);
        if (said.end == SGC_RPC_garbage || said.end == SGC_RPC_refused)
            said.end = status_end(status) == SGC_RPC_garbage ? said.end : status_end(status);
    }
    for (uint32_t i = 0; i < count; i++) {
        asks[i].end = said.end;
        asks[i].code = said.code;
        asks[i].message = said.message;
        asks[i].result = said.result;
    }
}

void sgc_rpc_read(struct sg_str answer, uint16_t status, uint32_t first_id,
                  struct sgc_rpc_ask *asks, uint32_t count)
{
    SG_ASSERT(count > 0 && count <= SGC_RPC_BATCH_MAX);
    struct sg_jsonread value;
    uint64_t id;
    for (uint32_t i = 0; i < count; i++) {
        asks[i].end = status_end(status);
        asks[i].result = (struct sg_jsonread){NULL, 0};
        asks[i].code = 0;
        asks[i].message = SG_STR_NONE;
    }
    if (!sg_jsonread_check(answer, SGC_RPC_DEPTH_MAX, &value))
        return;
    if (status < 200 || status > 299)
        whole_error_read(value, status, asks, count);
    else if (count == 1 && id_read(value, &id) && id == first_id)
        answer_read(value, asks);
    else if (count > 1 && sg_jsonread_kind(value) == SG_JSONREAD_ARRAY)
        batch_read(value, first_id, asks, count);
    else if (!id_read(value, &id)) /* null, or none: it did not get as far as our id */
        whole_error_read(value, status, asks, count);
}

/* ---- asking ---- */

static bool body_make(struct sgc_rpc_job *job, struct sg_str *out)
{
    struct sgc_rpc *rpc = job->rpc;
    size_t need = 2;
    for (uint32_t i = 0; i < job->asks_count; i++)
        need += ENVELOPE_BYTES + strlen(job->asks[i].method) + job->asks[i].params.len;
    if (need > rpc->body_cap) {
        char *grown = sg_boot_alloc(need);
        if (grown == NULL)
            return false;
        sg_boot_free(rpc->body);
        rpc->body = grown;
        rpc->body_cap = need;
    }
    struct sg_out body = sg_out_init(rpc->body, rpc->body_cap);
    for (uint32_t i = 0; i < job->asks_count; i++) {
        sg_out_str(&body, i > 0 ? SG_STR(",") : job->asks_count > 1 ? SG_STR("[") : SG_STR_NONE);
        sg_out_lit(&body, "{\"jsonrpc\":\"2.0\",\"id\":");
        sg_out_u64(&body, rpc->next_id + i);
        sg_out_lit(&body, ",\"method\":\"");
        sg_out_str(&body, sg_str_from(job->asks[i].method));
        sg_out_lit(&body, "\",\"params\":");
        sg_out_str(&body, job->asks[i].params);
        sg_out_char(&body, '}');
    }
    sg_out_str(&body, job->asks_count > 1 ? SG_STR("]") : SG_STR_NONE);
    SG_ASSERT(!body.full);
    *out = sg_out_view(&body);
    return true;
}

static enum sgc_rpc_end transport_end(enum sgc_curl_end end)
{
    switch (end) {
    case SGC_CURL_ANSWERED:
        return SGC_RPC_ok;
    case SGC_CURL_UNREACHABLE:
        return SGC_RPC_unreachable;
    case SGC_CURL_TIMEOUT:
        return SGC_RPC_timeout;
    case SGC_CURL_TLS:
        return SGC_RPC_tls;
    case SGC_CURL_TOO_LARGE:
        return SGC_RPC_too_large;
    case SGC_CURL_GARBAGE:
        return SGC_RPC_garbage;
    case SGC_CURL_CANCELLED:
        return SGC_RPC_cancelled;
    case SGC_CURL_NO_MEMORY:
        return SGC_RPC_no_memory;
    }
    SG_UNREACHABLE();
}

static void job_end(struct sgc_rpc_job *job, const struct sgc_curl_post *post)
{
    uint32_t first_id = job->rpc->next_id;
    job->took_us = post->took_us;
    job->retry_after_s = post->retry_after_s;
    job->answer_bytes = post->answer.len;
    job->rpc->next_id = (first_id + job->asks_count) & 0x3fffffff; /* far below 2^53 and 2^31 */
    if (post->end == SGC_CURL_ANSWERED)
        sgc_rpc_read(post->answer, post->status, first_id, job->asks, job->asks_count);
    else
        all_end(job->asks, job->asks_count, transport_end(post->end));
}

void sgc_rpc_each(struct sgc_rpc_job *jobs, uint32_t count)
{
    SG_ASSERT(count <= SERVERS_MAX);
    struct sgc_curl_post posts[SERVERS_MAX];
    uint32_t posted[SERVERS_MAX], posts_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sgc_rpc_job *job = &jobs[i];
        struct sg_str body;
        SG_ASSERT(job->asks_count > 0 && job->asks_count <= SGC_RPC_BATCH_MAX);
        SG_ASSERT(job->rpc->curl == jobs[0].rpc->curl);
        job->took_us = job->retry_after_s = 0;
        job->answer_bytes = 0;
        all_end(job->asks, job->asks_count, SGC_RPC_no_memory);
        if (!body_make(job, &body))
            continue;
        posted[posts_count] = i;
        posts[posts_count++] = (struct sgc_curl_post){
            .peer = job->rpc->peer,
            .body = body,
            .timeout_ms = job->timeout_ms != 0 ? job->timeout_ms : job->rpc->timeout_ms};
    }
    if (posts_count > 0)
        sgc_curl_post(jobs[0].rpc->curl, posts, posts_count);
    for (uint32_t i = 0; i < posts_count; i++)
        job_end(&jobs[posted[i]], &posts[i]);
}

enum sgc_rpc_end sgc_rpc_call(struct sgc_rpc *rpc, struct sgc_rpc_ask *ask)
{
    struct sgc_rpc_job job = {.rpc = rpc, .asks = ask, .asks_count = 1};
    sgc_rpc_each(&job, 1);
    return ask->end;
}

void sgc_rpc_batch(struct sgc_rpc *rpc, struct sgc_rpc_ask *asks, uint32_t count)
{
    struct sgc_rpc_job job = {.rpc = rpc, .asks = asks, .asks_count = count};
    sgc_rpc_each(&job, 1);
}
