#include "controlplane/admin/answers.h"

#include "base/caip.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "controlplane/admin/metrics.h"
#include "controlplane/node/reload.h"
#include "dataplane/node/purge.h"
#include "dataplane/node/recordjson.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/tls/ctx.h"
#include "edgecache/state/bytes.h"

#include <stdlib.h>
#include <unistd.h>

#define REPORT_BYTES 65536
#define URLS_MAX     64
#define JSON         "application/json"
#define TEXT         "text/plain; charset=utf-8"
#define PROMETHEUS   "text/plain; version=0.0.4; charset=utf-8"

struct ask {
    struct sgd_node *node;
    struct sgc_control *control;
    const struct sgc_request *request;
    struct sg_out *body;
    struct sgd_node_view view;
};

static struct sgc_answer answer(uint16_t status, const char *type)
{
    return (struct sgc_answer){status, type};
}

/* {"ok":...,"report":[lines]} */
static struct sgc_answer answer_report(struct ask *ask, enum sg_err err, struct sg_out *report)
{
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sg_json_bool(&json, "ok", err == SG_OK);
    if (err != SG_OK)
        sg_json_text(&json, "error", sg_err_text(err));
    sg_json_u64(&json, "config_serial", ask->view.snapshot->serial);
    sg_json_array(&json, "report");
    for (struct sg_str rest = sg_out_view(report); rest.len != 0;) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
        sg_json_str(&json, NULL, (struct sg_str){rest.ptr, len});
        rest = sg_str_skip(rest, len + 1);
    }
    sg_json_array_end(&json);
    sg_json_object_end(&json);
    return answer(err == SG_OK ? 200 : 409, JSON);
}

static struct sgc_answer answer_error(struct ask *ask, uint16_t status, const char *text)
{
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sg_json_bool(&json, "ok", false);
    sg_json_text(&json, "error", text);
    sg_json_object_end(&json);
    return answer(status, JSON);
}

static bool hex_read(const char *text, uint8_t *out, size_t bytes)
{
    if (strlen(text) != 2 * bytes)
        return false;
    for (size_t i = 0; i < 2 * bytes; i++) {
        static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
        const char *digit = strchr(digits, text[i]); /* text[i] is not its end */
        if (digit == NULL)
            return false;
        uint8_t value = (uint8_t)((digit - digits) / 2);
        out[i / 2] = i % 2 == 0 ? (uint8_t)(value << 4) : out[i / 2] | value;
    }
    return true;
}

/* ---- watching ---- */

static struct sgc_answer answer_metrics(struct ask *ask)
{
    sgc_metrics_write(&ask->view, ask->body);
    sgc_control_metrics(ask->control, ask->body);
    return answer(200, PROMETHEUS);
}

static struct sgc_answer answer_health(struct ask *ask)
{
    sg_out_lit(ask->body, "ok\n");
    return answer(200, TEXT);
}

static struct sgc_answer answer_ready(struct ask *ask)
{
    bool draining = sgd_node_draining(ask->node);
    bool ready = !draining && ask->view.workers_running == ask->view.workers;
    if (ready)
        sg_out_lit(ask->body, "ready\n");
    else if (draining)
        sg_out_lit(ask->body, "draining\n");
    else
        sg_out_fmt(ask->body, "%u of %u workers run\n", ask->view.workers_running,
                   ask->view.workers);
    return answer(ready ? 200 : 503, TEXT);
}

static void put_paths(const struct sgd_node_view *view, struct sg_json *json)
{
    sg_json_array(json, "paths");
    for (uint32_t i = 0; i < SGD_NODE_PATHS; i++) {
        sg_json_object(json, NULL);
        sg_json_text(json, "what", view->paths[i].what);
        sg_json_text(json, "used", view->paths[i].used);
        sg_json_bool(json, "fallback", view->paths[i].fallback);
        sg_json_text(json, "why", view->paths[i].why);
        sg_json_object_end(json);
    }
    sg_json_array_end(json);
}

static void put_certificates(struct sgd_tls_ctx *tls, struct sg_json *json)
{
    sg_json_array(json, "certificates");
    for (uint32_t c = 0; tls != NULL && c < sgd_tls_ctx_certs(tls); c++) {
        struct sgd_tls_cert_info cert;
        sgd_tls_ctx_cert(tls, c, &cert);
        sg_json_object(json, NULL);
        sg_json_text(json, "file", cert.path);
        sg_json_text(json, "subject", cert.subject);
        sg_json_text(json, "kind", cert.kind);
        sg_json_time(json, "not_after", (uint64_t)cert.not_after_s * SG_NS_PER_SEC);
        sg_json_bool(json, "stapled", cert.stapled);
        sg_json_object_end(json);
    }
    sg_json_array_end(json);
}

static uint32_t listener_conns(const struct sgd_node_view *view,
                               const struct sgd_snapshot *snapshot, uint32_t listener)
{
    uint32_t sum = 0;
    for (uint32_t w = 0; w < view->workers; w++)
        sum +=
            atomic_load_explicit(&snapshot->uses[w].listener_conns[listener], memory_order_relaxed);
    return sum;
}

/* `gone`: only those that a reload took away, and that still have connections. */
static void put_listeners_of(const struct sgd_node_view *view, const struct sgd_snapshot *snapshot,
                             bool gone, struct sg_json *json)
{
    for (uint32_t i = 0; i < snapshot->config->listeners_count; i++) {
        uint32_t conns = listener_conns(view, snapshot, i);
        if (gone && conns == 0)
            continue;
        sg_json_object(json, NULL);
        sg_json_text(json, "address", snapshot->config->listeners[i].address);
        sg_json_bool(json, "tls", snapshot->tls[i] != NULL);
        sg_json_bool(json, "removed", gone);
        sg_json_u64(json, "connections", conns);
        put_certificates(snapshot->tls[i], json);
        sg_json_object_end(json);
    }
}

static void put_listeners(const struct sgd_node_view *view, struct sg_json *json)
{
    sg_json_array(json, "listeners");
    if (!view->deaf)
        put_listeners_of(view, view->snapshot, false, json);
    for (uint32_t i = 0; i < view->retired_count; i++)
        put_listeners_of(view, view->retired[i], true, json);
    sg_json_array_end(json);
}

static void put_counters(const struct sgd_node_view *view, struct sg_json *json)
{
    sg_json_object(json, "counters");
    for (int i = 0; i < SGE_STAT_COUNT; i++) {
        uint64_t sum = 0;
        for (uint32_t w = 0; w < view->workers; w++)
            sum += atomic_load_explicit(&sge_statsfile_worker(view->stats, w)->value[i],
                                        memory_order_relaxed);
        sg_json_u64(json, sge_stat_name((enum sge_stat)i), sum);
    }
    sg_json_object_end(json);
}

static struct sgc_answer answer_status(struct ask *ask)
{
    const struct sgd_node_view *view = &ask->view;
    const struct sg_config *config = view->snapshot->config;
    uint64_t fed_ns = sge_state_fed_ns(view->state);
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sg_json_text(&json, "version", SG_VERSION);
    sg_json_text(&json, "node", config->node.name);
    sg_json_text(&json, "region", config->node.region);
    sg_json_text(&json, "pop", config->node.pop);
    sg_json_u64(&json, "pid", (uint64_t)getpid());
    sg_json_text(&json, "state", sgd_node_draining(ask->node) ? "draining" : "serving");
    sg_json_time(&json, "started", view->started_ns);
    sg_json_text(&json, "config_file", view->file);
    sg_json_u64(&json, "config_serial", view->snapshot->serial);
    sg_json_time(&json, "config_loaded", view->loaded_ns);
    sg_json_u64(&json, "sites_unreadable", sgd_gate_unreadable(view->snapshot->gate));
    sg_json_u64(&json, "workers", view->workers);
    sg_json_u64(&json, "workers_running", view->workers_running);
    sg_json_u64(&json, "ram_bytes", config->cache.ram_bytes);
    sg_json_u64(&json, "disk_bytes", config->cache.disk_bytes);
    sg_json_text(&json, "run_dir", config->node.run_dir);
    if (fed_ns != 0)
        sg_json_time(&json, "ownership_feed", fed_ns);
    else
        sg_json_text(&json, "ownership_feed", NULL);
    put_paths(view, &json);
    put_listeners(view, &json);
    put_counters(view, &json);
    sg_json_object_end(&json);
    return answer(200, JSON);
}

static void put_url(const struct sgd_url_status *url, struct sg_json *json)
{
    sg_json_object(json, NULL);
    sg_json_text(json, "url", url->url);
    sg_json_bool(json, "up", url->up);
    sg_json_u64(json, "weight", url->weight);
    sg_json_u64(json, "fetches", url->fetches);
    sg_json_u64(json, "errors", url->errors);
    sg_json_u64(json, "latency_us", url->latency_us);
    sg_json_text(json, "last_error", url->last_error[0] != '\0' ? url->last_error : NULL);
    sg_json_object_end(json);
}

static struct sgc_answer answer_origins(struct ask *ask)
{
    const struct sgd_snapshot *snapshot = ask->view.snapshot;
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sg_json_array(&json, "origins");
    for (uint32_t i = 0; i < snapshot->config->origins_count; i++) {
        struct sgd_url_status urls[URLS_MAX];
        uint32_t count = sgd_pools_status(snapshot->pools, i, urls, URLS_MAX);
        sg_json_object(&json, NULL);
        sg_json_text(&json, "name", snapshot->config->origins[i].name);
        sg_json_array(&json, "urls");
        for (uint32_t u = 0; u < count; u++)
            put_url(&urls[u], &json);
        sg_json_array_end(&json);
        sg_json_object_end(&json);
    }
    sg_json_array_end(&json);
    sg_json_object_end(&json);
    return answer(200, JSON);
}

/* What the record's site was, when the configuration is still the same. */
static void put_rule(const struct sgd_node_view *view, const struct sge_record *record,
                     struct sg_json *json)
{
    static const char *const access[] = {"public", "token", "closed"};
    const struct sg_config *config = view->snapshot->config;
    if (record->config_serial != view->snapshot->serial || record->site >= config->sites_count)
        return;
    const struct sg_conf_site *site = &config->sites[record->site];
    sg_json_object(json, "rule");
    sg_json_text(json, "access", access[site->access]);
    sg_json_text(json, "path", site->path);
    sg_json_text(json, "origin", site->origin);
    sg_json_text(json, "tenant", site->tenant);
    sg_json_bool(json, "cache", site->cache.enabled);
    sg_json_object_end(json);
}

/* Where the fact that the request rested on comes from. Its token named a generation: when the
 * fact has another by now, the token is refused from here on. */
static void put_fact(const struct sgd_node_view *view, const struct sge_record *record,
                     struct sg_json *json)
{
    struct sge_state_reader *reader = NULL;
    struct sge_fact fact;
    struct sge_chain chain;
    bool watched = false;
    if (record->fact_key == 0 || sge_state_reader_open(view->state, &reader) != SG_OK)
        return;
    enum sg_err err = sge_state_begin(reader);
    if (err == SG_OK) {
        err = sge_state_fact(reader, record->fact_key, &fact);
        watched = err == SG_OK && sge_state_fact_is_watched(reader, &fact);
        sge_state_end(reader);
    }
    sge_state_reader_close(reader);
    if (err != SG_OK)
        return;
    sg_json_object(json, "fact");
    if (sge_state_chain(view->state, fact.chain, &chain) == SG_OK)
        sg_json_text(json, "chain", chain.name);
    sg_json_u64(json, "block", fact.block);
    sg_json_u64(json, "log", fact.log);
    sg_json_u64(json, "generation", fact.generation);
    sg_json_bool(json, "same", fact.generation == record->fact_generation);
    sg_json_bool(json, "followed", watched);
    sg_json_object_end(json);
}

static struct sgc_answer answer_explain(struct ask *ask)
{
    char id[32];
    uint8_t bytes[8];
    struct sge_record record;
    if (!sgc_request_param(ask->request, "id", id, sizeof(id)) ||
        !hex_read(id, bytes, sizeof(bytes)))
        return answer_error(ask, 400, "id is no request id: 16 hexadecimal digits");
    if (!sge_reqlog_find(ask->view.reqlog, sge_be64_get(bytes), &record))
        return answer_error(ask, 404,
                            "that request is not in the ring: overwritten, under way, or "
                            "of another node");
    const struct sg_config *config = ask->view.snapshot->config;
    struct sgd_record_names names = {0};
    if (record.config_serial == ask->view.snapshot->serial) {
        if (record.site < config->sites_count) {
            names.site = config->sites[record.site].name;
            names.tenant = config->sites[record.site].tenant;
        }
        if (record.listener < config->listeners_count)
            names.listener = config->listeners[record.listener].address;
    }
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sgd_record_json(&record, &names, &json, "request");
    put_rule(&ask->view, &record, &json);
    put_fact(&ask->view, &record, &json);
    sg_json_text(
        &json, "end_text",
        sgd_close_text((enum sgd_close)SG_MIN(record.close, (uint16_t)(SGD_CLOSE_COUNT - 1))));
    sg_json_object_end(&json);
    return answer(200, JSON);
}

/* ---- the feed ---- */

static struct sgc_answer answer_feed(struct ask *ask)
{
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sgc_control_status(ask->control, &json);
    sg_json_object_end(&json);
    return answer(200, JSON);
}

/* ---- chains ---- */

static struct sgc_answer answer_chains(struct ask *ask)
{
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sgc_control_chains(ask->control, &json);
    sg_json_object_end(&json);
    return answer(200, JSON);
}

static struct sgc_answer answer_rebuild(struct ask *ask)
{
    char chain[64];
    struct sg_caip_chain known;
    struct sg_out report = sg_out_init(NULL, 0);
    if (!sgc_request_param(ask->request, "chain", chain, sizeof(chain)))
        return answer_error(ask, 400, "chain is missing: its CAIP-2 name");
    if (!sg_caip_chain_read(sg_str_from(chain), &known))
        return answer_error(ask, 400, "chain is no CAIP-2 name, such as eip155:1");
    if (sgc_control_rebuild(ask->control, sg_str_from(chain)) != SG_OK)
        return answer_error(ask, 404, "that chain is not followed here");
    return answer_report(ask, SG_OK, &report);
}

static uint64_t param_number(const struct ask *ask, const char *name)
{
    char text[32];
    uint64_t number = 0;
    if (sgc_request_param(ask->request, name, text, sizeof(text)) &&
        !sg_str_to_u64(sg_str_from(text), &number))
        return 0;
    return number;
}

/* NULL: *out is the word; else what is wrong. */
static const char *word_read(const struct ask *ask, struct sge_word *out)
{
    static const char *const kinds[] = {"cti", "index", "epoch", "rule", "root"};
    char tenant[80], kind[8], cti[40], list[80], root[72];
    uint64_t number = param_number(ask, "number");
    uint32_t at = 0;
    if (!sgc_request_param(ask->request, "tenant", tenant, sizeof(tenant)))
        return "tenant is missing";
    if (!sgc_request_param(ask->request, "kind", kind, sizeof(kind)))
        return "kind is missing";
    while (at < SG_COUNT(kinds) && strcmp(kinds[at], kind) != 0)
        at++;
    if (at == SG_COUNT(kinds))
        return "kind must be cti, index, epoch, rule or root";
    *out = (struct sge_word){.kind = (enum sge_word_kind)at,
                             .tenant = sge_tenant_id(sg_str_from(tenant)),
                             .number = (uint32_t)number,
                             .until_ns = param_number(ask, "until_s") * SG_NS_PER_SEC};
    if (number > UINT32_MAX)
        return "number is too large";
    if (out->kind == SGE_WORD_CTI && (!sgc_request_param(ask->request, "cti", cti, sizeof(cti)) ||
                                      !hex_read(cti, out->cti, sizeof(out->cti))))
        return "cti must be 32 hex digits";
    if (out->kind != SGE_WORD_ROOT)
        return NULL;
    if (!sgc_request_param(ask->request, "list", list, sizeof(list)) ||
        !sgc_request_param(ask->request, "root", root, sizeof(root)) ||
        !hex_read(root, out->root, sizeof(out->root)))
        return "list must be a name, root 64 hex digits";
    sge_fact_root(out->tenant, sg_str_from(list), &out->list);
    return NULL;
}

static struct sgc_answer answer_say(struct ask *ask)
{
    struct sge_word word;
    uint64_t ticket = 0;
    if (!sgc_control_is_fed(ask->control))
        return answer_error(ask, 409, "no stream feeds this node: write to its state");
    const char *wrong = word_read(ask, &word);
    if (wrong != NULL)
        return answer_error(ask, 400, wrong);
    enum sg_err err = sgc_control_say(ask->control, &word, &ticket);
    if (err != SG_OK)
        return answer_error(ask, 503, sg_err_text(err));
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sg_json_bool(&json, "ok", true);
    sg_json_u64(&json, "ticket", ticket);
    sg_json_object_end(&json);
    return answer(200, JSON);
}

static struct sgc_answer answer_said(struct ask *ask)
{
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    enum sg_err err = !sgc_control_is_fed(ask->control)
                          ? SG_ENOENT
                          : sgc_control_said(ask->control, param_number(ask, "ticket"), &json);
    if (err != SG_OK) {
        ask->body->len = 0;
        return answer_error(ask, 404, "no such ticket, or it is forgotten");
    }
    sg_json_object_end(&json);
    return answer(200, JSON);
}

/* ---- commands ---- */

static struct sgc_answer answer_reload(struct ask *ask)
{
    char *memory = malloc(REPORT_BYTES);
    if (memory == NULL)
        return answer_error(ask, 500, "no memory");
    struct sg_out report = sg_out_init(memory, REPORT_BYTES);
    struct sgc_reloaded done = sgc_reload(ask->node, ask->control, &report);
    sgd_node_view(ask->node, &ask->view);
    struct sgc_answer told = answer_report(ask, done.err, &report);
    free(memory);
    return told;
}

static bool purge_scope(const char *word, enum sge_purge_scope *scope)
{
    static const char *const words[] = {"url", "prefix", "tag", "tenant"};
    for (size_t i = 0; i < SG_COUNT(words); i++)
        if (strcmp(words[i], word) == 0) {
            *scope = (enum sge_purge_scope)i;
            return true;
        }
    return false;
}

static struct sgc_answer answer_purge(struct ask *ask)
{
    char scope[16], text[SGE_KEY_BYTES_MAX] = "", tenant[80] = "", soft[8];
    char line[SGE_KEY_BYTES_MAX + 80];
    struct sg_out report = sg_out_init(line, sizeof(line));
    struct sgd_purge_ask purge = {0};
    uint64_t seq = 0;
    if (!sgc_request_param(ask->request, "scope", scope, sizeof(scope)) ||
        !purge_scope(scope, &purge.scope))
        return answer_error(ask, 400, "scope must be url, prefix, tag or tenant");
    if (!sgc_request_optional(ask->request, "text", text, sizeof(text)) ||
        !sgc_request_optional(ask->request, "tenant", tenant, sizeof(tenant)) ||
        !sgc_request_optional(ask->request, "soft", soft, sizeof(soft)))
        return answer_error(ask, 400, "text, tenant or soft is malformed, or too long");
    purge.soft = soft[0] != '\0';
    purge.text = sg_str_from(text);
    purge.tenant = sg_str_from(tenant);
    enum sg_err err = sgd_purge(ask->view.state, ask->view.snapshot, &purge, &report, &seq);
    if (err != SG_OK && report.len == 0)
        return answer_error(ask, 409, sg_err_text(err));
    if (err != SG_OK) { /* the line says it all: "no such file" beside it would mislead */
        line[report.len - 1] = '\0';
        return answer_error(ask, err == SG_EINVAL ? 400 : 409, line);
    }
    sg_info("purge %llu: %s%s %s%s", (unsigned long long)seq, purge.soft ? "soft " : "", scope,
            text, tenant);
    struct sg_json json = sg_json_init(ask->body);
    sg_json_object(&json, NULL);
    sg_json_bool(&json, "ok", true);
    sg_json_u64(&json, "seq", seq);
    sg_json_object_end(&json);
    return answer(200, JSON);
}

static struct sgc_answer answer_drain(struct ask *ask)
{
    struct sg_out report = sg_out_init(NULL, 0);
    sg_info("drain: asked for by sgctl");
    sgd_node_drain(ask->node);
    return answer_report(ask, SG_OK, &report);
}

static const struct {
    struct sg_str path;
    bool post, command; /* command: not on the loopback address */
    struct sgc_answer (*fn)(struct ask *ask);
} routes[] = {
    {SG_STR("/metrics"), false, false, answer_metrics},
    {SG_STR("/healthz"), false, false, answer_health},
    {SG_STR("/readyz"), false, false, answer_ready},
    {SG_STR("/v1/status"), false, true, answer_status},
    {SG_STR("/v1/origins"), false, true, answer_origins},
    {SG_STR("/v1/explain"), false, true, answer_explain},
    {SG_STR("/v1/chains"), false, true, answer_chains},
    {SG_STR("/v1/chains/rebuild"), true, true, answer_rebuild},
    {SG_STR("/v1/feed"), false, true, answer_feed},
    {SG_STR("/v1/feed/said"), false, true, answer_said},
    {SG_STR("/v1/feed/say"), true, true, answer_say},
    {SG_STR("/v1/reload"), true, true, answer_reload},
    {SG_STR("/v1/purge"), true, true, answer_purge},
    {SG_STR("/v1/drain"), true, true, answer_drain},
};

struct sgc_answer sgc_answer_request(struct sgd_node *node, struct sgc_control *control,
                                     const struct sgc_request *request, bool trusted,
                                     struct sg_out *body)
{
    SG_ASSERT(node != NULL && request != NULL);
    struct ask ask = {.node = node, .control = control, .request = request, .body = body};
    sgd_node_view(node, &ask.view);
    for (size_t i = 0; i < SG_COUNT(routes); i++) {
        if (!sg_str_eq(routes[i].path, request->path))
            continue;
        if (routes[i].command && !trusted)
            return answer_error(&ask, 403,
                                "only on the admin socket, for root, the node's user "
                                "and its group");
        if (routes[i].post != request->post)
            return answer_error(&ask, 405, routes[i].post ? "POST it" : "GET it");
        return routes[i].fn(&ask);
    }
    return answer_error(&ask, 404, "there is nothing here");
}
