#include "dataplane/http/exchange.h"

#include "base/clock.h"
#include "dataplane/delivery/cachekey.h"
#include "dataplane/delivery/core.h"
#include "dataplane/delivery/exchange.h"
#include "dataplane/delivery/fill.h"
#include "dataplane/delivery/lookup.h"
#include "dataplane/delivery/methods.h"
#include "dataplane/delivery/prefetch.h"
#include "dataplane/delivery/record.h"
#include "dataplane/delivery/route.h"
#include "dataplane/delivery/wellknown.h"
#include "dataplane/http/target.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/origin/request.h"

/* A viewer who waits for another's fetch waits no longer than this. */
#define WANT_PATIENCE_NS (120 * SG_NS_PER_SEC)
#define MISSING_ASKS_MAX 4
#define HINTS_MAX        32 /* fields of a 103 that are passed on */

static const uint8_t exchange_edges[] = {
    [SGD_X_HEAD] = SG_BIT(SGD_X_WAIT) | SG_BIT(SGD_X_SEND) | SG_BIT(SGD_X_DONE),
    [SGD_X_WAIT] = SG_BIT(SGD_X_WAIT) | SG_BIT(SGD_X_SEND) | SG_BIT(SGD_X_DONE),
    [SGD_X_SEND] = SG_BIT(SGD_X_DONE),
    [SGD_X_DONE] = 0,
};

static void enter(struct sgd_exchange *x, enum sgd_exchange_state to)
{
    SG_ASSERT(exchange_edges[x->state] & SG_BIT(to));
    x->state = to;
}

size_t sgd_exchange_bytes(void)
{
    return sizeof(struct sgd_exchange);
}

/* ---- answering ---- */

struct sgd_answer_ask sgd_exchange_ask(const struct sgd_exchange *x)
{
    return (struct sgd_answer_ask){
        .req = x->req,
        .site = x->site,
        .gate = x->site != NULL ? &x->gate : NULL,
        .from = x->from,
        .request_id = x->id,
        .wall_ns = x->d->worker->wall_ns,
        .named = x->named,
    };
}

void sgd_exchange_answer(struct sgd_exchange *x)
{
    struct sgd_response *response = &x->d->answer.response;
    x->status = response->status;
    x->first_ns = sg_clock_mono_ns();
    enter(x, SGD_X_SEND);
    x->reply->ops->head(x->reply, response);
}

void sgd_exchange_wait(struct sgd_exchange *x)
{
    enter(x, SGD_X_WAIT);
}

static void refuse(struct sgd_exchange *x, uint16_t status, const char *code, const char *what)
{
    struct sgd_answer_ask ask = sgd_exchange_ask(x);
    sgd_plan_init(&x->plan, NULL, &x->hold);
    sgd_answer_refusal(&x->d->answer, &ask, status, code, what, &x->plan, x->part_text);
    sgd_exchange_answer(x);
}

static void serve(struct sgd_exchange *x)
{
    struct sgd_answer_ask ask = sgd_exchange_ask(x);
    SG_ASSERT(x->object != NULL);
    sgd_plan_init(&x->plan, x->object->body, &x->hold);
    sgd_answer_object(&x->d->answer, &ask, x->object, &x->plan, x->part_text);
    sgd_exchange_answer(x);
    if (x->site->cache.prefetch_segments > 0 && (x->status == 200 || x->status == 206))
        sgd_prefetch_after(x);
}

static void redirect(struct sgd_exchange *x, struct sg_str location)
{
    struct sgd_answer_ask ask = sgd_exchange_ask(x);
    sgd_plan_init(&x->plan, NULL, &x->hold);
    sgd_answer_redirect(&x->d->answer, &ask, location);
    sgd_exchange_answer(x);
}

static void answer_options(struct sgd_exchange *x)
{
    struct sgd_answer_ask ask = sgd_exchange_ask(x);
    sgd_plan_init(&x->plan, NULL, &x->hold);
    sgd_answer_options(&x->d->answer, &ask);
    sgd_exchange_answer(x);
}

/* ---- asking ---- */

static struct sgd_want *make_want_for(struct sgd_exchange *x, struct sg_str primary)
{
    struct sgd_want_ask ask = {
        .req = x->req,
        .cc = &x->cc,
        .path = x->path,
        .query = x->stripped.query,
        .cookie = x->stripped.cookie,
        .primary = primary,
        .snapshot = x->snapshot,
        .site = x->site_index,
    };
    return sgd_want_make(x->d, &ask);
}

static struct sgd_want *make_want(struct sgd_exchange *x)
{
    return make_want_for(x, x->primary.bytes);
}

static void wait_for(struct sgd_exchange *x, struct sgd_want *want)
{
    want->x = x;
    x->want = want;
    x->want_since_ns = x->d->worker->now_ns;
    sg_list_push_back(&x->d->patient, &x->patient);
}

static void refuse_full(struct sgd_exchange *x)
{
    refuse(x, 503, "overloaded", "the node is out of a bounded resource; try again");
}

static void ask_owner(struct sgd_exchange *x)
{
    struct sgd_want *want = make_want(x);
    if (want == NULL) {
        refuse_full(x);
        return;
    }
    want->kind = SGD_WANT_OBJECT;
    enter(x, SGD_X_WAIT);
    wait_for(x, want);
    sgd_want_send(x->d, want);
}

static void go_alone(struct sgd_exchange *x)
{
    struct sgd_want *want = make_want(x);
    if (want == NULL) {
        refuse_full(x);
        return;
    }
    want->kind = SGD_WANT_OBJECT;
    want->pass = true;
    enter(x, SGD_X_WAIT);
    wait_for(x, want);
    sgd_fill_solo(x->d, want);
}

static void revalidate_behind(struct sgd_exchange *x)
{
    struct sgd_want *want = make_want(x);
    if (want == NULL)
        return; /* another request will see to it */
    want->kind = SGD_WANT_OBJECT;
    want->background = true;
    sgd_want_send(x->d, want);
}

/* RFC 9111 section 4.4: what changed the resource makes what is stored of it invalid, for every
 * worker, in every process that serves (upgrade), and before the viewer hears of the change; its
 * owner then takes it away. */
static void invalidate(struct sgd_exchange *x, struct sg_str primary)
{
    struct sgd_want *want = make_want_for(x, primary);
    if (want == NULL)
        return;
    sge_content_invalidate(x->d->worker->content, &want->primary);
    want->kind = SGD_WANT_INVALIDATE;
    want->background = true;
    sgd_want_send(x->d, want);
}

/* What Location or Content-Location names, if it is of the same origin. */
static void invalidate_named(struct sgd_exchange *x, struct sg_str reference)
{
    char key[SGE_KEY_BYTES_MAX], path_memory[SGE_KEY_BYTES_MAX];
    struct sg_out path = sg_out_init(path_memory, sizeof(path_memory));
    struct sg_out out = sg_out_init(key, sizeof(key));
    struct sg_str query;
    if (reference.ptr == NULL ||
        !sgd_target_resolve(x->req->https, x->req->authority, x->path, reference, &path, &query))
        return;
    sgd_cachekey_primary(x->site, sg_out_view(&path), query, &out);
    if (!out.full)
        invalidate(x, sg_out_view(&out));
}

static void invalidate_all(struct sgd_exchange *x)
{
    invalidate(x, x->primary.bytes);
    invalidate_named(x, sgd_lines_field(x->object->head, SG_STR("location"), NULL));
    invalidate_named(x, sgd_lines_field(x->object->head, SG_STR("content-location"), NULL));
}

/* ---- deciding ---- */

/* These conditions are the origin's to judge (RFC 9110 sections 13.1.1 and 13.1.4), and what it
 * answers is for this request. */
static bool is_for_origin(const struct sgd_request *req)
{
    return sgd_request_field(req, SG_STR("if-match"), NULL).ptr != NULL ||
           sgd_request_field(req, SG_STR("if-unmodified-since"), NULL).ptr != NULL;
}

static void look_up(struct sgd_exchange *x)
{
    char variant[SGE_KEY_BYTES_MAX];
    bool ignore = x->site->cache.ignore_client_no_cache;
    struct sgd_lookup_ask ask = {x->req, ignore ? NULL : &x->cc, x->primary, variant};
    struct sgd_lookup found;
    sgd_lookup(x->d->worker, &ask, &found);
    x->from.vary_miss = found.vary && found.object == NULL;
    if (found.object != NULL && found.reuse != SGD_REUSE_VALIDATE) {
        x->object = found.object;
        x->from.how = found.reuse == SGD_REUSE_FRESH ? SGE_CACHE_HIT : SGE_CACHE_STALE;
        if (found.reuse == SGD_REUSE_WHILE_REVALIDATE)
            revalidate_behind(x);
        serve(x);
        return;
    }
    x->from.client_asked =
        found.object != NULL &&
        sgd_reuse_check(&found.object->meta, false, NULL, x->d->worker->wall_ns) == SGD_REUSE_FRESH;
    if (found.object != NULL)
        sg_hold_unref(&found.object->hold);
    x->from.expired = found.object != NULL;
    if (!ignore && (x->cc.flags & SGD_CC_ONLY_IF_CACHED)) {
        refuse(x, 504, "only_if_cached", "it is not stored here, or not fresh");
        return;
    }
    if (is_for_origin(x->req))
        go_alone(x);
    else
        ask_owner(x);
}

/* The key, if the request may use the store at all. */
static bool make_key(struct sgd_exchange *x)
{
    struct sg_out out = sg_out_init(x->key_memory, sizeof(x->key_memory));
    sgd_cachekey_primary(x->site, x->path, x->stripped.query, &out);
    if (out.full) /* longer than any key: past the store, under a key that is never looked up */
        out.full = false;
    sge_key_make(x->d->worker->content, sg_out_view(&out), out.len, &x->primary);
    return !out.full;
}

static void answer(struct sgd_exchange *x)
{
    bool keyed = make_key(x);
    switch (x->req->method) {
    case SGD_METHOD_GET:
    case SGD_METHOD_HEAD:
        if (keyed && x->site->cache.enabled)
            look_up(x);
        else
            go_alone(x);
        return;
    case SGD_METHOD_OPTIONS:
        if (sgd_methods_options_pass(x->site, x->req))
            go_alone(x);
        else
            answer_options(x);
        return;
    case SGD_METHOD_POST:
    case SGD_METHOD_PUT:
    case SGD_METHOD_DELETE:
    case SGD_METHOD_PATCH:
        if (sgd_methods_pass(x->site, x->req))
            go_alone(x);
        else
            refuse(x, 405, "method_not_allowed", "the methods of this resource are in Allow");
        return;
    case SGD_METHOD_OTHER:
        if (sgd_methods_pass(x->site, x->req))
            go_alone(x);
        else
            refuse(x, 501, "method_unknown", "this method is not known here");
        return;
    }
    SG_UNREACHABLE();
}

static void decide_gate(struct sgd_exchange *x)
{
    struct sgd_worker *w = x->d->worker;
    struct sgd_gate_request in = {
        .req = x->req,
        .stripped = &x->stripped,
        .path = x->decoded,
        .site = x->site_index,
        .wall_ns = w->wall_ns,
        .viewers = w->viewers,
    };
    bool state =
        x->site->access != SG_CONF_ACCESS_TOKEN || sge_state_begin(w->state_reader) == SG_OK;
    if (!state) {
        x->gate.verdict = SGD_GATE_state;
        return;
    }
    sgd_gate_decide(x->snapshot->gate, w->gate_core, w->state_reader, w->stats, &in, &x->gate);
    if (x->site->access == SG_CONF_ACCESS_TOKEN)
        sge_state_end(w->state_reader);
}

/* All tokens of one grant count as one. */
static bool enter_token(struct sgd_exchange *x)
{
    static const uint8_t none[sizeof(x->gate.cti)];
    struct sgd_limits *limits = x->d->worker->limits;
    uint32_t most = x->snapshot->config->limits.requests_per_token;
    struct sg_str id = {(const char *)x->gate.cti, sizeof(x->gate.cti)};
    if (most == 0 || limits == NULL || !x->gate.token_used)
        return true;
    if (memcmp(x->gate.cti, none, sizeof(none)) == 0)
        id = x->stripped.token;
    return sgd_limits_enter_token(limits, id, most, &x->token_ticket);
}

static void pass_gate(struct sgd_exchange *x)
{
    if (sgd_methods_preflight(x->req) && !sgd_methods_options_pass(x->site, x->req)) {
        answer_options(x);
        return;
    }
    if (x->stripped.redirect && x->site->access == SG_CONF_ACCESS_TOKEN) {
        redirect(x, x->stripped.location);
        return;
    }
    decide_gate(x);
    uint16_t status = sgd_gate_status(x->gate.verdict);
    if (status == 200 && !enter_token(x))
        refuse(x, 429, "token_requests", "too many requests of this token at the same time");
    else if (status == 200)
        answer(x);
    else if (x->gate.renewable)
        redirect(x, sg_str_from(x->gate.location));
    else
        refuse(x, status, sgd_gate_reason(x->gate.verdict), "access to this resource is refused");
}

static bool normalise(struct sgd_exchange *x)
{
    struct sg_out path = sg_out_init(x->path_memory, sizeof(x->path_memory));
    struct sg_out decoded = sg_out_init(x->decoded_memory, sizeof(x->decoded_memory));
    if (!sgd_target_normalise(x->stripped.path, &path) || path.full ||
        !sgd_target_decode(sg_out_view(&path), &decoded) || decoded.full)
        return false;
    x->path = sg_out_view(&path);
    x->decoded = sg_out_view(&decoded);
    return true;
}

/* Each worker has its part of what a tenant may have at once, so that no worker waits for another's
 * count. */
static bool enter_tenant(struct sgd_exchange *x)
{
    uint32_t most = x->snapshot->config->limits.connections_per_tenant;
    uint32_t workers = x->d->worker->workers_count;
    uint32_t tenant = x->snapshot->site_tenants[x->site_index];
    uint32_t *busy = &x->snapshot->uses[x->d->worker->id].tenant_busy[tenant];
    if (most != 0 && *busy >= (most + workers - 1) / workers)
        return false;
    ++*busy;
    x->tenant_busy = busy;
    return true;
}

/* Behind a proxy of ours the connections are the proxy's: its viewers' requests count instead. */
static bool enter_address(struct sgd_exchange *x)
{
    struct sgd_limits *limits = x->d->worker->limits;
    const struct sgd_peer *peer = x->req->peer;
    if (limits == NULL || peer == NULL || !peer->forwarded_ok)
        return true;
    return sgd_limits_enter_address(limits, &peer->remote.sin6_addr,
                                    x->snapshot->config->limits.connections_per_address,
                                    &x->address_ticket) == SGD_CLOSE_none;
}

static void leave_limits(struct sgd_exchange *x)
{
    sgd_limits_leave(x->d->worker->limits, &x->address_ticket);
    sgd_limits_leave(x->d->worker->limits, &x->token_ticket);
}

static void route(struct sgd_exchange *x)
{
    bool host_known;
    enum sg_err err = sgd_token_strip(x->req, x->strip_memory, &x->stripped);
    if (err != SG_OK) {
        refuse(x, 431, "token_too_large", "the access token is larger than any may be");
        return;
    }
    /* Here, not only at the fetch: it might join the fill that waits for it, and wait for itself.
     */
    if (sgd_origin_loops(x->req->fields, x->req->fields_count, x->snapshot->config->node.name)) {
        refuse(x, 508, "loop", "this request has been through this node before");
        return;
    }
    if (sg_str_eq(x->req->path, SG_STR("*"))) {
        answer_options(x);
        return;
    }
    if (!normalise(x)) {
        refuse(x, 400, "bad_path", "the path is malformed or climbs over its root");
        return;
    }
    if (sgd_wellknown_is(x->path)) {
        sgd_wellknown_open(x);
        return;
    }
    x->site_index = sgd_routes_find(x->snapshot->routes, x->req->authority, x->path, &host_known);
    if (x->site_index == SGD_SITE_NONE) {
        if (host_known)
            refuse(x, 404, "no_site", "no site of this host serves this path");
        else
            refuse(x, 421, "unknown_host", "this node serves no site of that name");
        return;
    }
    x->site = &x->snapshot->config->sites[x->site_index];
    if (!enter_address(x))
        refuse(x, 429, "address_full", "too many requests of this address at the same time");
    else if (enter_tenant(x))
        pass_gate(x);
    else
        refuse(x, 503, "tenant_full", "too many requests of this tenant at the same time");
}

/* ---- answers of the owner ---- */

static void got_object(struct sgd_exchange *x, struct sgd_want *want)
{
    x->object = SG_TAKE(want->object);
    x->named = want->named;
    x->lease = want->lease;
    x->lease_serial = want->lease_serial;
    x->from.how = want->how;
    x->from.stored = want->stored;
    x->from.collapsed = want->how == SGE_CACHE_COLLAPSED;
    x->from.vary_miss |= want->vary_miss;
    x->from.origin_status = want->origin_status;
    x->from.origin_error = want->origin_error;
    x->from.origin_us = want->origin_us;
    memcpy(x->upstream, want->upstream, sizeof(x->upstream));
    x->from.upstream = sg_str_from(x->upstream);
    if (want->pass && x->req->method > SGD_METHOD_OPTIONS && x->object->meta.status < 400)
        invalidate_all(x);
}

static void got_error(struct sgd_exchange *x, const struct sgd_want *want)
{
    enum sgd_origin_error error = (enum sgd_origin_error)want->origin_error;
    memcpy(x->upstream, want->upstream, sizeof(x->upstream));
    x->from.upstream = sg_str_from(x->upstream);
    if (error == SGD_ORIGIN_none)
        error = SGD_ORIGIN_incomplete;
    x->from.origin_error = (uint16_t)error;
    if (x->req->method > SGD_METHOD_HEAD)
        x->from.how = SGE_CACHE_PASS;
    else
        x->from.how = x->from.expired ? SGE_CACHE_EXPIRED : SGE_CACHE_MISS;
    refuse(x, sgd_origin_error_status(error), sgd_origin_error_type(error),
           "the origin did not answer as it should");
}

/* In the middle of a body: the slice is there or on its way, or there is no more. */
static void got_slice(struct sgd_exchange *x, enum sgd_got got)
{
    if (got == SGD_GOT_SLICE)
        x->reply->ops->body_ready(x->reply);
    else
        x->reply->ops->fail(x->reply, SGD_CLOSE_answer_cut);
}

void sgd_exchange_hinted(struct sgd_delivery *d, const struct sgd_want *want)
{
    struct sgd_exchange *x = want->x;
    struct sgd_field fields[HINTS_MAX];
    struct sgd_response response = {.status = 103, .fields = fields};
    struct sg_str rest = want->hints;
    (void)d;
    if (x == NULL || x->want != want || x->state != SGD_X_WAIT)
        return;
    while (response.fields_count < HINTS_MAX &&
           sgd_lines_next(&rest, &fields[response.fields_count]))
        response.fields_count++;
    x->reply->ops->interim(x->reply, &response);
}

void sgd_exchange_got(struct sgd_delivery *d, struct sgd_want *want)
{
    struct sgd_exchange *x = want->x;
    if (x == NULL) { /* he left, or nobody ever waited */
        if (want->prefetch)
            sgd_prefetch_done(d->prefetch);
        want->prefetch = false;
        if (want->lease != NULL && want->got == SGD_GOT_OBJECT && want->kind == SGD_WANT_OBJECT) {
            want->kind = SGD_WANT_RELEASE;
            sgd_want_send(d, want);
        } else {
            sgd_want_free(d, want);
        }
        return;
    }
    SG_ASSERT(x->want == want);
    x->want = NULL;
    sg_list_remove(&x->patient);
    if (x->state == SGD_X_SEND) {
        got_slice(x, want->got);
    } else {
        switch (want->got) {
        case SGD_GOT_OBJECT:
            got_object(x, want);
            serve(x);
            x->named = SG_STR_NONE; /* it lies in the want */
            break;
        case SGD_GOT_SOLO:
            go_alone(x);
            break;
        case SGD_GOT_ERROR:
            got_error(x, want);
            break;
        case SGD_GOT_FULL:
        case SGD_GOT_SLICE:
            refuse_full(x);
            break;
        }
    }
    sgd_want_free(d, want);
}

void sgd_exchange_timeouts(struct sgd_delivery *d, uint64_t now_ns)
{
    while (!sg_list_empty(&d->patient)) {
        struct sgd_exchange *x = sg_list_entry(d->patient.next, struct sgd_exchange, patient);
        if (now_ns - x->want_since_ns < WANT_PATIENCE_NS)
            return;
        sg_list_remove(&x->patient);
        x->want->x = NULL;
        x->want = NULL;
        if (x->state == SGD_X_SEND) {
            x->reply->ops->fail(x->reply, SGD_CLOSE_answer_cut);
        } else {
            x->from.origin_error = SGD_ORIGIN_first_byte_timeout;
            refuse(x, 504, "wait_timeout", "the fetch this request waited for took too long");
        }
    }
}

/* ---- body ---- */

static struct sg_list *waiters_of(struct sgd_delivery *d, const void *body)
{
    return &d->waiting[((uintptr_t)body >> 6) % SGD_WAIT_BUCKETS];
}

void sgd_exchange_body_moved(struct sgd_delivery *d, const void *body)
{
    struct sg_list *bucket = waiters_of(d, body);
    sg_list_for_each_safe(it, bucket)
    {
        struct sgd_exchange *x = sg_list_entry(it, struct sgd_exchange, waiting);
        if (x->plan.body != body)
            continue;
        sg_list_remove(it);
        x->reply->ops->body_ready(x->reply);
    }
}

/* False: it moved on meanwhile, read again. */
static bool wait_for_body(struct sgd_exchange *x)
{
    if (sge_body_watch(x->plan.body, x->d->worker->id))
        return false;
    if (sg_list_empty(&x->waiting))
        sg_list_push_back(waiters_of(x->d, x->plan.body), &x->waiting);
    return true;
}

/* An origin whose answers never bring what is missing is not asked for ever. */
static bool may_ask(struct sgd_exchange *x, uint64_t first)
{
    x->missing_asks = x->missing_asks > 0 && x->missing_at == first ? x->missing_asks + 1 : 1;
    x->missing_at = first;
    return x->missing_asks <= MISSING_ASKS_MAX;
}

static void ask_slice(struct sgd_exchange *x)
{
    uint64_t slice_bytes = sge_body_slice_bytes(x->plan.body), first, end;
    sgd_plan_body_rest(&x->plan, &first, &end);
    if (x->want != NULL)
        return; /* on its way */
    if (!may_ask(x, first)) {
        x->reply->ops->fail(x->reply, SGD_CLOSE_answer_cut);
        return;
    }
    struct sgd_want *want = make_want(x);
    if (want == NULL) {
        x->reply->ops->fail(x->reply, SGD_CLOSE_no_memory);
        return;
    }
    want->kind = SGD_WANT_SLICE;
    want->have = x->object;
    sg_hold_ref(&x->object->hold);
    want->slice = (uint32_t)(first / slice_bytes);
    want->slices = (uint32_t)((end - 1) / slice_bytes) - want->slice + 1;
    wait_for(x, want);
    sgd_want_send(x->d, want);
}

size_t sgd_exchange_pull(struct sgd_exchange *x, size_t budget, struct sg_slice *out, size_t max,
                         enum sgd_pull_more *more, uint64_t now_ns)
{
    (void)now_ns;
    SG_ASSERT(x->state == SGD_X_SEND);
    for (;;) {
        size_t count = 0;
        enum sge_read read = sgd_plan_pull(&x->plan, budget, out, max, &count);
        *more = SGD_PULL_IDLE;
        switch (read) {
        case SGE_READ_OK:
            *more = sgd_plan_done(&x->plan) ? SGD_PULL_END : SGD_PULL_MORE;
            return count;
        case SGE_READ_END:
            *more = SGD_PULL_END;
            return 0;
        case SGE_READ_WAIT:
            if (wait_for_body(x))
                return 0;
            break; /* read again */
        case SGE_READ_MISSING:
            ask_slice(x);
            return 0;
        case SGE_READ_FAILED:
            x->reply->ops->fail(x->reply, SGD_CLOSE_answer_cut);
            return 0;
        }
    }
}

/* ---- the request's body ---- */

void sgd_exchange_body_wanted(struct sgd_exchange *x)
{
    SG_ASSERT(x != NULL);
    if (x->reply->ops->body_wanted != NULL)
        x->reply->ops->body_wanted(x->reply);
}

/* The fill that takes this exchange's body, while it does. */
static struct sgd_fill *upload_of(struct sgd_exchange *x)
{
    if (!sgd_request_uploads(x->req))
        return NULL;
    if (x->want != NULL && x->want->pass)
        return x->want->lease;
    return x->lease;
}

size_t sgd_exchange_body(struct sgd_exchange *x, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    (void)now_ns;
    struct sgd_fill *fill = upload_of(x);
    x->request_bytes += len;
    if (x->signin.on)
        sgd_wellknown_body(x, bytes, len);
    if (fill == NULL)
        return len; /* a refused or meaningless body is read past */
    size_t taken = sgd_fill_upload(fill, bytes, len);
    x->request_bytes -= len - taken;
    return taken;
}

void sgd_exchange_body_end(struct sgd_exchange *x, uint64_t now_ns)
{
    (void)now_ns;
    struct sgd_fill *fill = upload_of(x);
    if (x->signin.on)
        sgd_wellknown_body_end(x);
    if (fill != NULL)
        sgd_fill_upload_end(fill);
}

/* ---- open and close ---- */

static void exchange_release(struct sg_hold *hold)
{
    struct sgd_exchange *x = SG_CONTAINER_OF(hold, struct sgd_exchange, hold);
    SG_ASSERT(x->magic == sgd_exchange_MAGIC);
    x->magic = 0;
    sg_pool_give(&x->d->exchanges, x);
}

static const struct sg_hold_ops exchange_hold_ops = {exchange_release};

struct sgd_exchange *sgd_exchange_open(struct sgd_worker *worker, const struct sgd_request *request,
                                       struct sgd_reply *reply, uint64_t now_ns)
{
    struct sgd_delivery *d = worker->delivery;
    struct sgd_exchange *x = sg_pool_take(&d->exchanges);
    if (x == NULL) {
        sge_stat_add(worker->stats, SGE_STAT_pool_empty, 1);
        return NULL;
    }
    memset(x, 0, offsetof(struct sgd_exchange, part_text));
    x->magic = sgd_exchange_MAGIC;
    sg_hold_init(&x->hold, &exchange_hold_ops);
    x->d = d;
    x->req = request;
    x->reply = reply;
    x->snapshot = worker->snapshot;
    sgd_snapshot_hold(x->snapshot, x->d->worker->id);
    x->listener = sgd_listener_index(request->peer->listener);
    x->start_ns = now_ns;
    x->start_wall_ns = worker->wall_ns;
    x->id = d->request_serial++;
    x->site_index = SGD_SITE_NONE;
    sg_list_init(&x->waiting);
    sg_list_init(&x->patient);
    sgd_cc_of_request(request, &x->cc);
    route(x);
    return x;
}

/* A fill that feeds this viewer alone has nobody left. */
static void release_lease(struct sgd_exchange *x)
{
    if (x->lease == NULL)
        return;
    if (x->object != NULL && x->object->shard == x->d->worker->id) {
        sgd_fill_release(x->lease, x->lease_serial);
        return;
    }
    struct sgd_want *want = make_want(x);
    if (want == NULL)
        return; /* the fetch's own idle timeout ends it */
    want->kind = SGD_WANT_RELEASE;
    want->lease = x->lease;
    want->lease_serial = x->lease_serial;
    sgd_want_send(x->d, want);
}

static void leave_want(struct sgd_exchange *x)
{
    struct sgd_want *want = SG_TAKE(x->want);
    if (want == NULL)
        return;
    sg_list_remove(&x->patient);
    want->x = NULL;
    if (want->pass && want->lease != NULL)
        sgd_fill_release(want->lease, want->lease_serial);
}

void sgd_exchange_close(struct sgd_exchange *x, enum sgd_close why, uint64_t sent_bytes,
                        uint64_t now_ns)
{
    SG_ASSERT(x->magic == sgd_exchange_MAGIC);
    enter(x, SGD_X_DONE);
    leave_want(x);
    sgd_wellknown_leave(x);
    release_lease(x);
    sg_list_remove(&x->waiting);
    sgd_record_write(x, why, sent_bytes, now_ns);
    if (x->object != NULL)
        sg_hold_unref(&x->object->hold);
    x->object = NULL;
    x->plan.body = NULL;
    if (x->tenant_busy != NULL)
        --*x->tenant_busy;
    if (x->d->worker->limits != NULL)
        leave_limits(x);
    sgd_snapshot_release(x->snapshot, x->d->worker->id);
    sg_hold_unref(&x->hold);
}
