#include "dataplane/delivery/wellknown.h"

#include "base/clock.h"
#include "base/json.h"
#include "dataplane/delivery/core.h"
#include "dataplane/delivery/route.h"
#include "dataplane/http/params.h"
#include "dataplane/http/target.h"

#define ROOT "/.well-known/streamgate/"
/* Where sign-ins come from (budget.h). */
#define NETWORK_ADDRESSES 8 /* a network may ask for what so many of its addresses may */
#define TENANT_BLOCKS     4 /* a block may have one such part of a tenant's sign-ins */

/* ---- answering ---- */

static void answer(struct sgd_exchange *x, const struct sgd_answer_own *own)
{
    struct sgd_answer_ask ask = sgd_exchange_ask(x);
    sgd_plan_init(&x->plan, NULL, &x->hold);
    sgd_answer_own(&x->d->answer, &ask, own, &x->plan);
    sgd_exchange_answer(x);
}

/* RFC 9457; the title is the status's own. */
static void refuse(struct sgd_exchange *x, uint16_t status, const char *reason, const char *detail)
{
    struct sg_out body = sg_out_init(x->part_text, sizeof(x->part_text));
    struct sg_json json = sg_json_init(&body);
    uint64_t now_s = x->d->worker->wall_ns / SG_NS_PER_SEC;
    sg_json_object(&json, NULL);
    sg_json_str(&json, "title", sgd_status_reason(status));
    sg_json_u64(&json, "status", status);
    sg_json_text(&json, "reason", reason);
    if (detail != NULL)
        sg_json_text(&json, "detail", detail);
    sg_json_object_end(&json);
    answer(x, &(struct sgd_answer_own){
                  .status = status,
                  .reason = reason,
                  .type = SG_STR("application/problem+json"),
                  .body = sg_out_view(&body),
                  .retry_after_s = status == 429 ? sgd_budget_wait_s(now_s) : status == 503,
                  .allow = x->signin.kind == SGD_SIGNIN_CHALLENGE ? SG_STR("GET, OPTIONS")
                                                                  : SG_STR("POST, OPTIONS"),
              });
}

static void verdict_note(struct sgd_exchange *x, enum sgd_grant_verdict verdict)
{
    sge_stat_row_add(&x->d->worker->stats->grant[verdict]);
    x->signin.verdict = (uint8_t)(1 + verdict);
}

static void refuse_grant(struct sgd_exchange *x, enum sgd_grant_verdict verdict, const char *detail)
{
    verdict_note(x, verdict);
    refuse(x, sgd_grant_status(verdict), sgd_grant_reason(verdict), detail);
}

static void answer_options(struct sgd_exchange *x)
{
    struct sgd_answer_ask ask = sgd_exchange_ask(x);
    ask.allow =
        x->signin.kind == SGD_SIGNIN_CHALLENGE ? SG_STR("GET, OPTIONS") : SG_STR("POST, OPTIONS");
    sgd_plan_init(&x->plan, NULL, &x->hold);
    sgd_answer_options(&x->d->answer, &ask);
    sgd_exchange_answer(x);
}

/* ---- what is asked ---- */

bool sgd_wellknown_is(struct sg_str path)
{
    return sg_str_starts(path, SG_STR(ROOT));
}

static bool kind_of(struct sg_str path, enum sgd_signin_kind *kind)
{
    static const struct sg_str names[] = {{"challenge", 9}, {"grant", 5}, {"renew", 5}};
    struct sg_str name = sg_str_skip(path, sizeof(ROOT) - 1);
    for (size_t i = 0; i < SG_COUNT(names); i++)
        if (sg_str_eq(name, names[i])) {
            *kind = (enum sgd_signin_kind)i;
            return true;
        }
    return false;
}

static bool may_sign_in(const struct sgd_exchange *x, uint32_t site)
{
    if (site == SGD_SITE_NONE || x->d->worker->grants == NULL)
        return false;
    const struct sg_conf_site *conf = &x->snapshot->config->sites[site];
    return conf->access == SG_CONF_ACCESS_TOKEN && conf->sign_in != SG_CONF_SIGN_IN_OFF;
}

/* The site of the path that is wanted; where none is named, the host's widest that takes tokens. */
static uint32_t site_of(struct sgd_exchange *x)
{
    char memory[2048], normal[4096];
    struct sg_out scratch = sg_out_init(memory, sizeof(memory));
    struct sg_out path = sg_out_init(normal, sizeof(normal));
    struct sg_str wanted;
    bool known;
    switch (sgd_param_get(x->stripped.query, SG_STR("path"), &scratch, &wanted)) {
    case SGD_PARAM_ABSENT:
        return sgd_routes_gated(x->snapshot->routes, x->snapshot->config, x->req->authority);
    case SGD_PARAM_BAD:
        return SGD_SITE_NONE;
    case SGD_PARAM_FOUND:
        break;
    }
    if (wanted.len == 0 || wanted.ptr[0] != '/' || !sgd_target_normalise(wanted, &path) ||
        path.full)
        return SGD_SITE_NONE;
    return sgd_routes_find(x->snapshot->routes, x->req->authority, sg_out_view(&path), &known);
}

/* Of the address; the tenant's is asked where it is known what the request is worth (signin.h).
 * Renewals are many, of a carrier's whole block, and nobody without a token takes any of their
 * tenant's: no part is kept from it. */
static bool within_budget(struct sgd_exchange *x)
{
    const struct sg_conf_limits *limits = &x->snapshot->config->limits;
    const bool renews = x->signin.kind == SGD_SIGNIN_RENEW;
    const uint32_t address = limits->grants_per_address_per_minute,
                   tenant = limits->grants_per_tenant_per_minute;
    const struct sgd_budget_most most = {
        .address = address,
        .network = SG_MIN(address, UINT32_MAX / NETWORK_ADDRESSES) * NETWORK_ADDRESSES,
        .block = renews ? tenant : tenant / TENANT_BLOCKS + (tenant % TENANT_BLOCKS != 0),
    };
    return x->req->peer == NULL ||
           sgd_budget_address(sgd_grants_budget(x->d->worker->grants),
                              renews ? SGD_BUDGET_RENEWALS : SGD_BUDGET_REQUESTS,
                              &x->req->peer->remote.sin6_addr, &most,
                              x->d->worker->wall_ns / SG_NS_PER_SEC);
}

void sgd_wellknown_open(struct sgd_exchange *x)
{
    SG_ASSERT(x->state == SGD_X_HEAD && x->site == NULL);
    x->signin.on = true;
    if (!kind_of(x->path, &x->signin.kind)) {
        refuse(x, 404, "not_found", "there are challenge, grant and renew");
        return;
    }
    uint32_t site = site_of(x);
    if (!may_sign_in(x, site)) {
        refuse(x, 404, "no_sign_in", "no site of this host and path takes sign-ins");
        return;
    }
    x->site_index = site;
    x->site = &x->snapshot->config->sites[site];
    bool reads = x->signin.kind == SGD_SIGNIN_CHALLENGE;
    if (x->req->method == SGD_METHOD_OPTIONS)
        answer_options(x);
    else if (x->req->method != (reads ? SGD_METHOD_GET : SGD_METHOD_POST))
        refuse(x, 405, "method_not_allowed", NULL);
    else if (!within_budget(x))
        refuse_grant(x, SGD_GRANT_busy,
                     "too many sign-ins from this address, or from those around it");
}

/* ---- the body, and on to the threads ---- */

void sgd_wellknown_body(struct sgd_exchange *x, const uint8_t *bytes, size_t len)
{
    if (x->state != SGD_X_HEAD)
        return; /* answered already */
    if (len > SGD_SIGNIN_BODY_BYTES - x->signin.body_len) {
        refuse_grant(x, SGD_GRANT_too_large, NULL);
        return;
    }
    memcpy(x->decoded_memory + x->signin.body_len, bytes, len);
    x->signin.body_len += len;
}

static bool is_json(const struct sgd_exchange *x)
{
    struct sg_str type = sgd_request_field(x->req, SG_STR("content-type"), NULL);
    struct sg_str json = SG_STR("application/json");
    return type.len >= json.len && sg_str_eq_nocase((struct sg_str){type.ptr, json.len}, json);
}

/* The field of that name when there is exactly one; two could be read as either. */
static struct sg_str only_field(const struct sgd_exchange *x, struct sg_str name)
{
    bool repeated = false;
    struct sg_str value = sgd_request_field(x->req, name, &repeated);
    return repeated ? SG_STR_NONE : value;
}

/* The job's own copy; an absent text stays absent. False: there is no room. */
static bool job_copy(struct sgd_signin_job *job, struct sg_str text, struct sg_str *out)
{
    if (text.ptr == NULL) {
        *out = SG_STR_NONE;
        return true;
    }
    if (text.len > sizeof(job->texts) - job->texts_used)
        return false;
    char *at = job->texts + job->texts_used;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    job->texts_used += text.len;
    *out = (struct sg_str){at, text.len};
    return true;
}

static bool fill_job(struct sgd_exchange *x, struct sgd_signin_job *job)
{
    struct sgd_signin_ask *ask = &job->ask;
    const struct sg_str body = {x->decoded_memory, x->signin.body_len};
    *ask = (struct sgd_signin_ask){
        .kind = x->signin.kind,
        .gate = x->snapshot->gate,
        .site = x->site_index,
        .https = x->req->https,
        .body_is_json = is_json(x),
        .has_address = x->req->peer != NULL,
        .tenant_most = x->snapshot->config->limits.grants_per_tenant_per_minute,
        .chain_most = x->snapshot->config->gate.on_chain_per_tenant_per_minute,
        .wall_ns = x->d->worker->wall_ns,
    };
    if (ask->has_address)
        ask->address = x->req->peer->remote.sin6_addr;
    return job_copy(job, x->req->authority, &ask->authority) &&
           job_copy(job, x->path, &ask->path) && job_copy(job, x->stripped.query, &ask->query) &&
           job_copy(job, only_field(x, SG_STR("origin")), &ask->origin) &&
           job_copy(job, only_field(x, SG_STR("dpop")), &ask->proof) &&
           job_copy(job, x->stripped.token, &ask->token) && job_copy(job, body, &ask->body);
}

static void job_free(struct sgd_delivery *d, struct sgd_signin_job *job)
{
    sgd_snapshot_release(job->snapshot, d->worker->id);
    job->magic = 0;
    sg_pool_give(&d->signins, job);
    sge_stat_set(d->worker->stats, SGE_STAT_grants_waiting, sg_pool_in_use(&d->signins));
}

static struct sgd_signin_job *job_make(struct sgd_exchange *x)
{
    struct sgd_delivery *d = x->d;
    struct sgd_signin_job *job = sg_pool_take(&d->signins);
    if (job == NULL)
        return NULL;
    memset(job, 0, offsetof(struct sgd_signin_job, cookie));
    job->magic = sgd_signin_job_MAGIC;
    job->texts_used = 0;
    job->from = d->worker->id;
    job->owner = x;
    job->snapshot = x->snapshot;
    sgd_snapshot_hold(job->snapshot, d->worker->id);
    sge_stat_set(d->worker->stats, SGE_STAT_grants_waiting, sg_pool_in_use(&d->signins));
    return job;
}

void sgd_wellknown_body_end(struct sgd_exchange *x)
{
    if (x->state != SGD_X_HEAD)
        return;
    struct sgd_signin_job *job = job_make(x);
    if (job == NULL) {
        refuse_grant(x, SGD_GRANT_busy, "too many sign-ins at the moment");
        return;
    }
    bool fits = fill_job(x, job);
    if (fits && sgd_grants_post(x->d->worker->grants, job)) {
        sgd_exchange_wait(x);
        x->signin.job = job;
        return;
    }
    job_free(x->d, job);
    refuse_grant(x, fits ? SGD_GRANT_busy : SGD_GRANT_too_large, NULL);
}

void sgd_wellknown_leave(struct sgd_exchange *x)
{
    if (x->signin.job != NULL)
        x->signin.job->owner = NULL;
    x->signin.job = NULL;
}

/* ---- and back ---- */

static void count(struct sge_stats *stats, const struct sgd_signin_job *job)
{
    uint32_t us = job->busy_us;
    sge_stat_row_add(&stats->grant_us_log2[SG_MIN(31 - __builtin_clz(us | 1), 31)]);
}

/* Beside the answer's body: for the log. */
static void why_keep(struct sgd_exchange *x, const struct sgd_signin_answer *said)
{
    size_t at = said->verdict == SGD_GRANT_allowed ? said->json.len : 0, len = strlen(said->why);
    if (len > sizeof(x->decoded_memory) - SG_MIN(at, sizeof(x->decoded_memory)))
        return;
    memcpy(x->decoded_memory + at, said->why, len);
    x->signin.why = (struct sg_str){x->decoded_memory + at, len};
}

static void serve(struct sgd_exchange *x, const struct sgd_signin_answer *granted)
{
    size_t len = granted->json.len;
    SG_ASSERT(len <= sizeof(x->decoded_memory));
    memcpy(x->decoded_memory, granted->json.ptr, len); /* the body that came is used up */
    memcpy(x->gate.cti, granted->cti, sizeof(x->gate.cti));
    verdict_note(x, SGD_GRANT_allowed);
    answer(x, &(struct sgd_answer_own){
                  .status = 200,
                  .type = SG_STR("application/json"),
                  .body = {x->decoded_memory, len},
                  .cookie = sg_out_view(&granted->cookie),
              });
}

void sgd_wellknown_got(struct sgd_delivery *d, struct sgd_signin_job *job)
{
    struct sgd_exchange *x = job->owner;
    const struct sgd_signin_answer *said = &job->answer;
    count(d->worker->stats, job);
    if (x != NULL) {
        SG_ASSERT(x->signin.job == job);
        x->signin.job = NULL;
        memcpy(x->gate.cti, said->cti, sizeof(x->gate.cti));
        why_keep(x, said);
        if (said->verdict == SGD_GRANT_allowed && !said->json.full && !said->cookie.full)
            serve(x, said);
        else
            refuse_grant(x,
                         said->verdict == SGD_GRANT_allowed ? SGD_GRANT_too_large : said->verdict,
                         said->detail);
    }
    job_free(d, job);
}
