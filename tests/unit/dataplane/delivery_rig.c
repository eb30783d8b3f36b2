#include "tests/sgt.h"

#include "tests/unit/dataplane/delivery_rig.h"

#include "base/clock.h"
#include "base/sys/rcu.h"
#include "dataplane/delivery/delivery.h"
#include "dataplane/delivery/route.h"
#include "dataplane/gate/grants.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VIEWERS 64
#define FETCHES 64

struct rig_window {
    uint8_t *memory;
    uint32_t bytes, written;
};

/* What the fake origin knows of a fetch. */
struct rig_origin {
    struct sgd_fetch *fetch; /* NULL: free */
    bool headed, aborted;
    struct rig_window windows[SGD_FETCH_WINDOWS];
    uint32_t count;
    size_t sent;
};

struct sgd_worker rig_workers[RIG_WORKERS];
struct sg_conf_site rig_site;
enum sge_purged rig_purged;
uint64_t rig_purge_seq;
uint32_t rig_fetches;

static struct rig_viewer viewers[VIEWERS];
static struct rig_origin origins[FETCHES];
static struct sge_stats stats[RIG_WORKERS];
static struct sg_mail *mail;
static struct sge_content *content;
static struct sgd_routes *routes;
static struct sgd_snapshot *snapshot;
static const struct sgd_listener listener;
static struct sge_reqlog *reqlog;
struct sg_config rig_config;
static char log_path[64];

/* ---- what the rig stands in for ---- */

enum sge_purged sge_purges_check(struct sge_purges *purges, uint16_t worker,
                                 struct sge_object *object)
{
    (void)purges, (void)worker;
    return object->meta.birth_purge_seq < rig_purge_seq ? rig_purged : SGE_PURGED_NOT;
}

uint64_t sge_purges_seq(struct sge_purges *purges, uint16_t worker)
{
    (void)purges, (void)worker;
    return rig_purge_seq;
}

enum sg_err sgd_token_strip(const struct sgd_request *req, char *memory, struct sgd_stripped *out)
{
    (void)memory;
    *out = (struct sgd_stripped){.path = req->path, .query = req->query};
    return SG_OK;
}

void sgd_gate_decide(struct sgd_gate *gate, struct sgd_gate_core *core,
                     struct sge_state_reader *reader, struct sge_stats *st,
                     const struct sgd_gate_request *in, struct sgd_gate_answer *out)
{
    (void)gate, (void)core, (void)reader, (void)st, (void)in;
    *out = (struct sgd_gate_answer){.verdict = SGD_GATE_public};
}

/* ---- sign-ins: what the threads would be asked ---- */

struct sgd_signin_job *rig_signin;
uint32_t rig_signins;
bool rig_signin_full;
static struct sgd_budget *budget;

bool sgd_grants_post(struct sgd_grants *grants, struct sgd_signin_job *job)
{
    rig_signin = job;
    rig_signins++;
    (void)grants;
    return !rig_signin_full;
}

void rig_signin_answer(struct sgd_signin_job *job, enum sgd_grant_verdict verdict, const char *json)
{
    const struct sg_msg msg = {.type = SGD_MSG_SIGNIN, .ptr = {job}};
    job->answer.verdict = verdict;
    job->answer.json = sg_out_init(job->json, sizeof(job->json));
    job->answer.cookie = sg_out_init(job->cookie, sizeof(job->cookie));
    sg_out_str(&job->answer.json, sg_str_from(json));
    assert_true(sg_mail_send(mail, RIG_WORKERS, job->from, &msg));
    rig_crank();
}

struct sgd_budget *sgd_grants_budget(struct sgd_grants *grants)
{
    (void)grants;
    return budget;
}

uint16_t sgd_gate_status(enum sgd_gate_verdict verdict)
{
    return verdict == SGD_GATE_public ? 200 : 403;
}

const char *sgd_gate_reason(enum sgd_gate_verdict verdict)
{
    return verdict == SGD_GATE_public ? "public" : "refused";
}

void sgd_snapshot_hold(struct sgd_snapshot *s, uint16_t worker)
{
    s->uses[worker].holds++;
}

void sgd_snapshot_release(struct sgd_snapshot *s, uint16_t worker)
{
    assert_true(s->uses[worker].holds-- > 0);
}

/* ---- the origin ---- */

static struct rig_origin *origin_of(const struct sgd_fetch *fetch)
{
    for (int i = 0; i < FETCHES; i++)
        if (origins[i].fetch == fetch && fetch != NULL)
            return &origins[i];
    fail_msg("no such fetch");
    return NULL;
}

bool sgd_fetch_start(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch)
{
    (void)fetchers;
    for (int i = 0; i < FETCHES; i++) {
        if (origins[i].fetch != NULL)
            continue;
        origins[i] = (struct rig_origin){.fetch = fetch};
        fetch->begin_mono_ns = rig_workers[0].now_ns;
        fetch->begin_wall_ns = rig_workers[0].wall_ns;
        rig_fetches++;
        return true;
    }
    return false;
}

bool sgd_fetch_window(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch, uint8_t *memory,
                      uint32_t bytes)
{
    (void)fetchers;
    struct rig_origin *o = origin_of(fetch);
    assert_true(o->count < SGD_FETCH_WINDOWS);
    o->windows[o->count++] = (struct rig_window){memory, bytes, 0};
    return true;
}

bool sgd_fetch_body(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch, const uint8_t *bytes,
                    uint32_t len, bool last)
{
    (void)fetchers, (void)bytes, (void)last;
    struct sg_msg msg = {.type = SGD_FETCH_BODY_TAKEN, .ptr = {fetch}};
    fetch->priv[0] = (void *)((uintptr_t)fetch->priv[0] + len);
    msg.arg64 = (uintptr_t)fetch->priv[0];
    return sg_mail_send(mail, RIG_WORKERS, fetch->worker, &msg);
}

bool sgd_fetch_abort(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch)
{
    (void)fetchers;
    origin_of(fetch)->aborted = true;
    return true;
}

struct sgd_fetch *rig_fetch(void)
{
    for (int i = 0; i < FETCHES; i++)
        if (origins[i].fetch != NULL && !origins[i].headed)
            return origins[i].fetch;
    return NULL;
}

bool rig_aborted(const struct sgd_fetch *fetch)
{
    return origin_of(fetch)->aborted;
}

uint8_t rig_byte(size_t at)
{
    return (uint8_t)(at * 131 + (at >> 8));
}

static void tell(struct sgd_fetch *fetch, struct sg_msg msg)
{
    msg.ptr[0] = fetch;
    assert_true(sg_mail_send(mail, RIG_WORKERS, fetch->worker, &msg));
    rig_crank();
}

void rig_head(struct sgd_fetch *fetch, uint16_t status, const char *lines, uint64_t length)
{
    origin_of(fetch)->headed = true;
    fetch->status = status;
    fetch->head_bytes = (uint32_t)strlen(lines);
    memcpy(fetch->head, lines, fetch->head_bytes);
    fetch->length_known = length != SGD_LENGTH_UNKNOWN;
    fetch->length = fetch->length_known ? length : 0;
    fetch->head_mono_ns = fetch->begin_mono_ns + 1000000;
    fetch->head_wall_ns = rig_workers[0].wall_ns;
    tell(fetch, (struct sg_msg){.type = SGD_FETCH_HEAD});
}

size_t rig_data(struct sgd_fetch *fetch, size_t len)
{
    struct rig_origin *o = origin_of(fetch);
    size_t done = 0;
    while (done < len && o->count > 0) {
        struct rig_window *w = &o->windows[0];
        uint32_t n = (uint32_t)SG_MIN(len - done, (size_t)(w->bytes - w->written));
        for (uint32_t i = 0; i < n; i++)
            w->memory[w->written + i] = rig_byte(o->sent + i);
        w->written += n;
        o->sent += n;
        done += n;
        bool full = w->written == w->bytes;
        if (full)
            memmove(w, w + 1, --o->count * sizeof(*w));
        tell(fetch, (struct sg_msg){.type = SGD_FETCH_DATA, .arg32 = n, .arg64 = full});
    }
    return done;
}

void rig_text(struct sgd_fetch *fetch, const char *lines, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    assert_non_null(fetch);
    rig_head(fetch, 200, lines, len);
    struct rig_origin *o = origin_of(fetch);
    assert_true(o->count == 1 && o->windows[0].bytes == len);
    memcpy(o->windows[0].memory, text, len);
    o->count = 0;
    tell(fetch, (struct sg_msg){.type = SGD_FETCH_DATA, .arg32 = len, .arg64 = 1});
    rig_done(fetch, SGD_ORIGIN_none);
}

void rig_done(struct sgd_fetch *fetch, enum sgd_origin_error error)
{
    fetch->error = (uint16_t)error;
    origin_of(fetch)->fetch = NULL;
    tell(fetch, (struct sg_msg){.type = SGD_FETCH_DONE});
}

void rig_answer(struct sgd_fetch *fetch, uint16_t status, const char *lines, size_t length)
{
    assert_non_null(fetch);
    rig_head(fetch, status, lines, length);
    assert_int_equal(rig_data(fetch, length), length);
    rig_done(fetch, SGD_ORIGIN_none);
}

const char *rig_fetch_field(const struct sgd_fetch *fetch, const char *name)
{
    static char value[256];
    char line[64];
    int n = snprintf(line, sizeof(line), "%s: ", name);
    const char *at = memmem(fetch->fields.ptr, fetch->fields.len, line, (size_t)n);
    if (at == NULL)
        return NULL;
    at += n;
    n = (int)(strchr(at, '\r') - at);
    snprintf(value, sizeof(value), "%.*s", n, at);
    return value;
}

/* ---- viewers ---- */

static void viewer_head(struct sgd_reply *reply, const struct sgd_response *response)
{
    struct rig_viewer *v = (struct rig_viewer *)reply;
    size_t at = 0;
    assert_int_equal(v->status, 0);
    v->status = response->status;
    v->length = response->body_bytes;
    v->ended = response->no_body;
    for (uint16_t i = 0; i < response->fields_count; i++)
        at += (size_t)snprintf(v->head + at, sizeof(v->head) - at, "%.*s: %.*s\n",
                               SG_STR_ARG(response->fields[i].name),
                               SG_STR_ARG(response->fields[i].value));
}

static void viewer_ready(struct sgd_reply *reply)
{
    ((struct rig_viewer *)reply)->ready = true;
}

static void viewer_wanted(struct sgd_reply *reply)
{
    (void)reply;
}

static void viewer_fail(struct sgd_reply *reply, enum sgd_close why)
{
    (void)why;
    ((struct rig_viewer *)reply)->failed = true;
}

static const struct sgd_reply_ops viewer_ops = {
    .head = viewer_head,
    .body_ready = viewer_ready,
    .body_wanted = viewer_wanted,
    .fail = viewer_fail,
};

static enum sgd_method method_of(const char *text)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < SG_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0)
            return (enum sgd_method)i;
    return SGD_METHOD_OTHER;
}

static struct rig_viewer *ask(uint16_t worker, const char *method, const char *path, va_list args)
{
    struct rig_viewer *v = viewers;
    while (v->x != NULL)
        v++;
    assert_true(v < viewers + VIEWERS);
    free(v->body);
    *v = (struct rig_viewer){
        .worker = worker, .body = malloc(8 << 20), .peer = {.listener = &listener}};
    const char *query = strchr(path, '?');
    v->reply.ops = &viewer_ops;
    v->req = (struct sgd_request){
        .method = method_of(method),
        .method_text = sg_str_from(method),
        .authority = SG_STR("media.test"),
        .path = {path, query != NULL ? (size_t)(query - path) : strlen(path)},
        .query = sg_str_from(query != NULL ? query + 1 : NULL),
        .fields = v->fields,
        .version = "1.1",
        .peer = &v->peer,
    };
    for (const char *name; (name = va_arg(args, const char *)) != NULL;)
        v->fields[v->req.fields_count++] =
            (struct sgd_field){sg_str_from(name), sg_str_from(va_arg(args, const char *))};
    v->x = sgd_exchange_open(&rig_workers[worker], &v->req, &v->reply, rig_workers[0].now_ns);
    assert_non_null(v->x);
    rig_crank();
    return v;
}

struct rig_viewer *rig_get(uint16_t worker, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    struct rig_viewer *v = ask(worker, "GET", path, args);
    va_end(args);
    return v;
}

struct rig_viewer *rig_ask(uint16_t worker, const char *method, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    struct rig_viewer *v = ask(worker, method, path, args);
    va_end(args);
    return v;
}

void rig_read(struct rig_viewer *v)
{
    enum sgd_pull_more more = SGD_PULL_MORE;
    while (v->status != 0 && !v->ended && !v->failed && more == SGD_PULL_MORE) {
        struct sg_slice slices[4];
        size_t n = sgd_exchange_pull(v->x, 100000, slices, 4, &more, rig_workers[0].now_ns);
        for (size_t i = 0; i < n; i++) {
            assert_true(v->got + slices[i].len <= 8 << 20);
            memcpy(v->body + v->got, slices[i].bytes, slices[i].len);
            v->got += slices[i].len;
            sg_slice_drop(&slices[i]);
        }
        v->ended = more == SGD_PULL_END;
        rig_crank();
    }
}

void rig_leave(struct rig_viewer *v)
{
    sgd_exchange_close(v->x, v->ended ? SGD_CLOSE_none : SGD_CLOSE_peer_closed, v->got,
                       rig_workers[0].now_ns);
    v->x = NULL;
    free(v->body);
    v->body = NULL;
    rig_crank();
}

const char *rig_field(const struct rig_viewer *v, const char *name)
{
    static char value[512];
    char line[64];
    snprintf(line, sizeof(line), "%s: ", name);
    const char *at = strncmp(v->head, line, strlen(line)) == 0 ? v->head : NULL;
    if (at == NULL) {
        snprintf(line, sizeof(line), "\n%s: ", name);
        at = strstr(v->head, line);
    }
    if (at == NULL)
        return NULL;
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)(strchr(at, '\n') - at), at);
    return value;
}

/* ---- the crank ---- */

static bool turn(struct sgd_worker *w)
{
    struct sg_msg messages[16];
    uint32_t n = sg_mail_take(mail, w->id, messages, 16);
    for (uint32_t i = 0; i < n; i++)
        sgd_delivery_message(w->delivery, &messages[i]);
    sge_shard_turn(w->shard);
    sgd_delivery_turn(w->delivery, w->now_ns);
    return n > 0;
}

void rig_crank(void)
{
    bool busy = true;
    for (int i = 0; busy && i < 10000; i++) {
        busy = false;
        for (int w = 0; w < RIG_WORKERS; w++)
            busy |= turn(&rig_workers[w]);
        sg_rcu_quiescent();
    }
}

void rig_sleep_s(uint64_t s)
{
    for (int w = 0; w < RIG_WORKERS; w++) {
        rig_workers[w].now_ns += s * SG_NS_PER_SEC;
        rig_workers[w].wall_ns += s * SG_NS_PER_SEC;
    }
    rig_crank();
}

static void open_worker(uint16_t id)
{
    struct sgd_worker *w = &rig_workers[id];
    *w = (struct sgd_worker){
        .id = id,
        .workers_count = RIG_WORKERS,
        .mail = mail,
        .snapshot = snapshot,
        .content = content,
        .shard = sge_content_shard(content, id),
        .reqlog = reqlog,
        .stats = &stats[id],
        .grants = (struct sgd_grants *)&rig_signin, /* never looked into: see above */
        .now_ns = SG_NS_PER_SEC,
        .wall_ns = 1800000000 * SG_NS_PER_SEC,
    };
    assert_int_equal(sgd_delivery_open(w, 256, &w->delivery), SG_OK);
}

void rig_open(void)
{
    static const char *hosts[] = {"*"};
    static struct sg_conf_origin conf_origin = {.name = "origin"};
    static struct sgd_snapshot the_snapshot;
    rig_site = (struct sg_conf_site){
        .name = "films",
        .tenant = "acme",
        .hosts = hosts,
        .hosts_count = 1,
        .path = "/",
        .origin = "origin",
        .cache = {.enabled = true},
    };
    rig_config = (struct sg_config){.limits = {.grants_per_address_per_minute = 5},
                                    .gate = {.verify_queue = 2},
                                    .sites = &rig_site,
                                    .sites_count = 1,
                                    .origins = &conf_origin,
                                    .origins_count = 1};
    rig_purged = SGE_PURGED_NOT;
    rig_purge_seq = 0;
    rig_fetches = 0;
    memset(stats, 0, sizeof(stats));
    sg_rcu_register();
    assert_int_equal(sg_mail_open(RIG_WORKERS + SGE_VOLUME_MAILS, 64, &mail), SG_OK);
    struct sge_content_conf conf = {.ram_bytes = 64 << 20,
                                    .slice_bytes = RIG_SLICE,
                                    .workers = RIG_WORKERS,
                                    .mail = mail,
                                    .volume_mail_id = RIG_WORKERS};
    assert_int_equal(sge_content_open(&conf, &content), SG_OK);
    assert_int_equal(sgd_routes_open(&rig_config, &routes), SG_OK);
    snprintf(log_path, sizeof(log_path), "/tmp/sgt-rig-%d", (int)getpid());
    assert_int_equal(sge_reqlog_create(log_path, RIG_WORKERS, 64, &reqlog), SG_OK);
    snapshot = &the_snapshot;
    static uint32_t busy[RIG_WORKERS], site_tenants[1];
    static struct sgd_snapshot_use uses[RIG_WORKERS] = {{.tenant_busy = &busy[0]},
                                                        {.tenant_busy = &busy[1]}};
    *snapshot = (struct sgd_snapshot){.config = &rig_config,
                                      .routes = routes,
                                      .serial = 1,
                                      .site_tenants = site_tenants,
                                      .uses = uses};
    rig_signin = NULL;
    rig_signins = 0;
    assert_int_equal(sgd_budget_open(&budget), SG_OK);
    for (uint16_t i = 0; i < RIG_WORKERS; i++)
        open_worker(i);
}

void rig_close(void)
{
    for (struct rig_viewer *v = viewers; v < viewers + VIEWERS; v++)
        if (v->x != NULL)
            rig_leave(v);
    for (int i = 0; i < FETCHES; i++)
        if (origins[i].fetch != NULL)
            rig_done(origins[i].fetch, SGD_ORIGIN_aborted);
    for (int i = 0; i < RIG_WORKERS; i++) {
        assert_int_equal(snapshot->uses[i].holds, 0); /* nobody keeps a configuration alive */
        assert_int_equal(*snapshot->uses[i].tenant_busy, 0);
        assert_int_equal(sgd_delivery_busy(rig_workers[i].delivery), 0);
        sgd_delivery_close(rig_workers[i].delivery);
    }
    sgd_budget_close(budget);
    sgd_routes_close(routes);
    sge_content_close(content);
    sge_reqlog_close(reqlog);
    unlink(log_path);
    sg_mail_close(mail);
    sg_rcu_unregister();
}
