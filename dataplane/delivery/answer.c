#include "dataplane/delivery/answer.h"

#include "dataplane/delivery/methods.h"
#include "dataplane/delivery/reuse.h"
#include "dataplane/http/cond.h"
#include "dataplane/http/fresh.h"
#include "dataplane/origin/fetch.h"

static void begin(struct sgd_answer *answer, uint16_t status)
{
    answer->response = (struct sgd_response){.status = status, .fields = answer->fields};
    answer->text = sg_out_init(answer->memory, sizeof(answer->memory));
}

static void add(struct sgd_answer *answer, struct sg_str name, struct sg_str value)
{
    if (answer->response.fields_count < SGD_FIELDS_MAX)
        answer->fields[answer->response.fields_count++] = (struct sgd_field){name, value};
}

/* The value is what was written to answer->text since `mark`. */
static void add_text(struct sgd_answer *answer, struct sg_str name, size_t mark)
{
    if (!answer->text.full)
        add(answer, name, (struct sg_str){answer->memory + mark, answer->text.len - mark});
}

static void add_number(struct sgd_answer *answer, struct sg_str name, uint64_t value)
{
    size_t mark = answer->text.len;
    sg_out_u64(&answer->text, value);
    add_text(answer, name, mark);
}

/* ---- what every answer says ---- */

static void add_fwd(struct sg_out *text, const struct sgd_answer_ask *ask)
{
    const struct sgd_provenance *from = &ask->from;
    bool readable = ask->req->method == SGD_METHOD_GET || ask->req->method == SGD_METHOD_HEAD;
    switch (from->how) {
    case SGE_CACHE_NONE:
    case SGE_CACHE_HIT:
    case SGE_CACHE_STALE:
        sg_out_lit(text, "; hit");
        break;
    case SGE_CACHE_REVALIDATED:
    case SGE_CACHE_EXPIRED:
        sg_out_str(text, from->client_asked ? SG_STR("; fwd=request") : SG_STR("; fwd=stale"));
        break;
    case SGE_CACHE_MISS:
    case SGE_CACHE_COLLAPSED:
        sg_out_str(text, from->vary_miss ? SG_STR("; fwd=vary-miss") : SG_STR("; fwd=uri-miss"));
        break;
    case SGE_CACHE_PASS:
        sg_out_str(text, readable ? SG_STR("; fwd=bypass") : SG_STR("; fwd=method"));
        break;
    }
}

static void add_cache_status(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                             const struct sge_object *object)
{
    const struct sgd_provenance *from = &ask->from;
    struct sg_out *text = &answer->text;
    if (from->how == SGE_CACHE_NONE)
        return;
    size_t mark = text->len;
    sg_out_lit(text, "streamgate");
    add_fwd(text, ask);
    if (from->origin_status != 0) {
        sg_out_lit(text, "; fwd-status=");
        sg_out_u64(text, from->origin_status);
    }
    if (object != NULL && (from->how == SGE_CACHE_HIT || from->how == SGE_CACHE_STALE)) {
        uint64_t age_s = sgd_reuse_age_ns(&object->meta, ask->wall_ns) / 1000000000u;
        uint64_t life_s = object->meta.lifetime_ns / 1000000000u;
        sg_out_lit(text, "; ttl=");
        if (age_s > life_s)
            sg_out_char(text, '-');
        sg_out_u64(text, age_s > life_s ? age_s - life_s : life_s - age_s);
    }
    if (from->stored && from->how != SGE_CACHE_HIT && from->how != SGE_CACHE_STALE)
        sg_out_lit(text, "; stored");
    if (from->collapsed)
        sg_out_lit(text, "; collapsed");
    if (ask->gate != NULL && ask->gate->stale_knowledge)
        sg_out_lit(text, "; detail=ownership-feed-stale");
    else if (ask->gate != NULL && ask->gate->stale_chain)
        sg_out_lit(text, "; detail=chain-head-stale");
    add_text(answer, SG_STR("cache-status"), mark);
}

static void add_proxy_status(struct sgd_answer *answer, const struct sgd_provenance *from)
{
    struct sg_out *text = &answer->text;
    if (from->origin_error == SGD_ORIGIN_none)
        return;
    size_t mark = text->len;
    sg_out_lit(text, "streamgate; error=");
    sg_out_str(text, sg_str_from(sgd_origin_error_type((enum sgd_origin_error)from->origin_error)));
    if (from->upstream.len > 0) {
        sg_out_lit(text, "; next-hop=\"");
        sg_out_str(text, from->upstream);
        sg_out_char(text, '"');
    }
    add_text(answer, SG_STR("proxy-status"), mark);
}

static void add_server_timing(struct sgd_answer *answer, const struct sgd_provenance *from)
{
    struct sg_out *text = &answer->text;
    if (from->origin_us == 0)
        return;
    size_t mark = text->len;
    sg_out_lit(text, "origin;dur=");
    sg_out_u64(text, from->origin_us / 1000);
    sg_out_char(text, '.');
    sg_out_char(text, (char)('0' + from->origin_us / 100 % 10));
    add_text(answer, SG_STR("server-timing"), mark);
}

/* ---- CORS (Fetch standard) ---- */

static bool cors_allows(const struct sg_conf_cors *cors, struct sg_str origin, bool *any)
{
    for (uint32_t i = 0; i < cors->origins_count; i++) {
        *any = strcmp(cors->origins[i], "*") == 0;
        if (*any || sg_str_eq_nocase(origin, sg_str_from(cors->origins[i])))
            return true;
    }
    return false;
}

/* Does the site's CORS speak for this request? Then the origin server's own fields give way. */
static bool cors_of(const struct sgd_answer_ask *ask, bool *any)
{
    bool ignored;
    if (ask->site == NULL || ask->site->cors == NULL)
        return false;
    struct sg_str origin = sgd_request_field(ask->req, SG_STR("origin"), NULL);
    return origin.ptr != NULL && cors_allows(ask->site->cors, origin, any != NULL ? any : &ignored);
}

static void add_cors(struct sgd_answer *answer, const struct sgd_answer_ask *ask)
{
    bool any = false;
    if (!cors_of(ask, &any))
        return;
    const struct sg_conf_cors *cors = ask->site->cors;
    bool wildcard = any && !cors->credentials;
    add(answer, SG_STR("access-control-allow-origin"),
        wildcard ? SG_STR("*") : sgd_request_field(ask->req, SG_STR("origin"), NULL));
    if (!wildcard)
        add(answer, SG_STR("vary"), SG_STR("Origin"));
    if (cors->credentials)
        add(answer, SG_STR("access-control-allow-credentials"), SG_STR("true"));
    add(answer, SG_STR("access-control-expose-headers"),
        SG_STR("CTA-Common-Access-Token, Content-Length, Content-Range, Date, Age, Cache-Status, "
               "Server-Timing, Retry-After, X-Request-Id"));
}

static void add_site_fields(struct sgd_answer *answer, const struct sg_conf_site *site)
{
    for (uint32_t i = 0; site != NULL && i < site->add_response_headers_count; i++) {
        struct sg_str line = sg_str_from(site->add_response_headers[i]);
        const char *colon = memchr(line.ptr, ':', line.len);
        if (colon == NULL)
            continue; /* the configuration's check refuses it */
        size_t n = (size_t)(colon - line.ptr);
        add(answer, (struct sg_str){line.ptr, n}, sg_str_trim(sg_str_skip(line, n + 1)));
    }
}

static void add_common(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                       const struct sge_object *object)
{
    add_cache_status(answer, ask, object);
    add_proxy_status(answer, &ask->from);
    add_server_timing(answer, &ask->from);
    size_t mark = answer->text.len;
    for (int shift = 60; shift >= 0; shift -= 4)
        sg_out_char(&answer->text, "0123456789abcdef"[ask->request_id >> shift & 15]);
    add_text(answer, SG_STR("x-request-id"), mark);
    add_cors(answer, ask);
    add_site_fields(answer, ask->site);
}

/* ---- answers of our own ---- */

static void add_no_store(struct sgd_answer *answer)
{
    add(answer, SG_STR("cache-control"), SG_STR("no-store"));
    add(answer, SG_STR("referrer-policy"), SG_STR("no-referrer"));
}

static void add_authenticate(struct sgd_answer *answer, const char *code)
{
    size_t mark = answer->text.len;
    sg_out_fmt(&answer->text, "StreamGate realm=\"token\", error=\"%s\"", code);
    add_text(answer, SG_STR("www-authenticate"), mark);
}

void sgd_answer_refusal(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                        uint16_t status, const char *code, const char *what, struct sgd_plan *plan,
                        char *body_text)
{
    struct sg_out body = sg_out_init(body_text, SGD_REFUSAL_BYTES);
    begin(answer, status);
    sg_out_fmt(&body, "%s: %s (request %016llx)\n", code, what,
               (unsigned long long)ask->request_id);
    add(answer, SG_STR("content-type"), SG_STR("text/plain; charset=utf-8"));
    add_no_store(answer);
    if (status == 401)
        add_authenticate(answer, code);
    if (status == 405) {
        size_t mark = answer->text.len;
        sgd_methods_allow(ask->site, &answer->text);
        add_text(answer, SG_STR("allow"), mark);
    }
    if (status == 503 || status == 429)
        add(answer, SG_STR("retry-after"), SG_STR("1"));
    add_common(answer, ask, NULL);
    sgd_plan_text(plan, sg_out_view(&body));
    answer->response.body_bytes = body.len;
    answer->response.no_body = ask->req->method == SGD_METHOD_HEAD;
}

void sgd_answer_own(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                    const struct sgd_answer_own *own, struct sgd_plan *plan)
{
    begin(answer, own->status);
    add(answer, SG_STR("content-type"), own->type);
    add_no_store(answer);
    if (own->status == 401)
        add_authenticate(answer, own->reason);
    if (own->status == 405)
        add(answer, SG_STR("allow"), own->allow);
    if (own->retry_after_s != 0)
        add_number(answer, SG_STR("retry-after"), own->retry_after_s);
    if (own->cookie.len != 0)
        add(answer, SG_STR("set-cookie"), own->cookie);
    add_common(answer, ask, NULL);
    sgd_plan_text(plan, own->body);
    answer->response.body_bytes = own->body.len;
}

void sgd_answer_options(struct sgd_answer *answer, const struct sgd_answer_ask *ask)
{
    begin(answer, 204);
    size_t mark = answer->text.len;
    if (ask->allow.ptr != NULL)
        sg_out_str(&answer->text, ask->allow);
    else
        sgd_methods_allow(ask->site, &answer->text);
    add_text(answer, SG_STR("allow"), mark);
    struct sg_str allow = {answer->memory + mark, answer->text.len - mark};
    add_common(answer, ask, NULL);
    if (ask->site != NULL && ask->site->cors != NULL &&
        sgd_request_field(ask->req, SG_STR("access-control-request-method"), NULL).ptr != NULL) {
        add(answer, SG_STR("access-control-allow-methods"), allow);
        add(answer, SG_STR("access-control-allow-headers"),
            SG_STR("CTA-Common-Access-Token, Range, If-None-Match, If-Modified-Since, DPoP, "
                   "Content-Type"));
        add_number(answer, SG_STR("access-control-max-age"), ask->site->cors->max_age_s);
    }
    answer->response.no_body = true;
}

void sgd_answer_redirect(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                         struct sg_str location)
{
    begin(answer, 307);
    add(answer, SG_STR("location"), location);
    add_no_store(answer);
    add_common(answer, ask, NULL);
}

/* ---- answers from a stored object ---- */

static void read_stored(struct sgd_answer *answer, struct sg_str lines)
{
    answer->stored_count = 0;
    while (answer->stored_count < SGD_FIELDS_MAX &&
           sgd_lines_next(&lines, &answer->stored[answer->stored_count]))
        answer->stored_count++;
}

/* The first of that name; ptr NULL: none. */
static struct sg_str stored(const struct sgd_answer *answer, struct sg_str name)
{
    for (uint16_t i = 0; i < answer->stored_count; i++)
        if (sg_str_eq(answer->stored[i].name, name))
            return answer->stored[i].value;
    return SG_STR_NONE;
}

/* What a 304 says again (RFC 9110 section 15.4.5). */
static bool in_not_modified(struct sg_str name)
{
    static const struct sg_str kept[] = {
        {"cache-control", 13}, {"content-location", 16}, {"date", 4}, {"etag", 4},
        {"expires", 7},        {"last-modified", 13},    {"vary", 4}, {"cdn-cache-control", 17},
        {"set-cookie", 10},
    };
    for (size_t i = 0; i < SG_COUNT(kept); i++)
        if (sg_str_eq(name, kept[i]))
            return true;
    return false;
}

/* To viewers, what a token opened is private (DESIGN section 5): no cache between us shares it. */
static void add_private(struct sgd_answer *answer, struct sg_str lines)
{
    struct sgd_cc cc = {0};
    struct sg_out *text = &answer->text;
    size_t mark = text->len;
    sgd_cc_of_all(lines, &cc);
    sg_out_lit(text, "private");
    if (cc.flags & SGD_CC_MAX_AGE) {
        sg_out_lit(text, ", max-age=");
        sg_out_u64(text, cc.max_age_ns / 1000000000u);
    }
    if (cc.flags & (SGD_CC_NO_CACHE | SGD_CC_MUST_REVALIDATE))
        sg_out_lit(text, ", no-cache");
    add_text(answer, SG_STR("cache-control"), mark);
    add(answer, SG_STR("referrer-policy"), SG_STR("no-referrer"));
}

struct served {
    bool not_modified, multipart, private, cors;
    bool range; /* 206 or 416 is our answer, and Content-Range with it */
};

static bool is_served(const struct served *how, struct sg_str name)
{
    if (how->not_modified && !in_not_modified(name))
        return false;
    if (how->range && sg_str_eq(name, SG_STR("content-range")))
        return false;
    if (how->multipart && sg_str_eq(name, SG_STR("content-type")))
        return false;
    if (sg_str_eq(name, SG_STR("streamgate-cache-control"))) /* said to this node */
        return false;
    if (how->private &&
        (sg_str_eq(name, SG_STR("cache-control")) || sg_str_eq(name, SG_STR("cdn-cache-control")) ||
         sg_str_eq(name, SG_STR("expires"))))
        return false;
    return !(how->cors && sg_str_starts(name, SG_STR("access-control-")));
}

static void add_stored(struct sgd_answer *answer, const struct served *how)
{
    for (uint16_t i = 0; i < answer->stored_count; i++) {
        const struct sgd_field *field = &answer->stored[i];
        if (is_served(how, field->name))
            add(answer, field->name, field->value);
    }
}

static void add_named(struct sgd_answer *answer, const struct served *how, struct sg_str lines)
{
    struct sgd_field field;
    while (sgd_lines_next(&lines, &field))
        if (is_served(how, field.name))
            add(answer, field.name, field.value);
}

/* With the request's id, so that nothing that is stored can hold it. */
#define BOUNDARY "streamgate-%016llx"

static void add_content_range(struct sgd_answer *answer, const struct sgd_range *range,
                              uint64_t length)
{
    struct sg_out *text = &answer->text;
    size_t mark = text->len;
    sg_out_lit(text, "bytes ");
    if (range != NULL) {
        sg_out_u64(text, range->first);
        sg_out_char(text, '-');
        sg_out_u64(text, range->last);
    } else {
        sg_out_char(text, '*');
    }
    sg_out_char(text, '/');
    sg_out_u64(text, length);
    add_text(answer, SG_STR("content-range"), mark);
}

/* Part heads and the plan of a multipart/byteranges body (RFC 9110 section 14.6). */
static bool plan_multipart(struct sgd_plan *plan, const struct sgd_range *ranges, uint32_t count,
                           uint64_t length, struct sg_str type, uint64_t id, char *part_text)
{
    struct sg_out text = sg_out_init(part_text, SGD_PART_TEXT_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        size_t mark = text.len;
        sg_out_fmt(&text, "%s--" BOUNDARY "\r\n", i == 0 ? "" : "\r\n", (unsigned long long)id);
        if (type.ptr != NULL) {
            sg_out_lit(&text, "Content-Type: ");
            sg_out_str(&text, type);
            sg_out_lit(&text, "\r\n");
        }
        sg_out_fmt(&text, "Content-Range: bytes %llu-%llu/%llu\r\n\r\n",
                   (unsigned long long)ranges[i].first, (unsigned long long)ranges[i].last,
                   (unsigned long long)length);
        sgd_plan_text(plan, (struct sg_str){part_text + mark, text.len - mark});
        sgd_plan_body(plan, ranges[i].first, ranges[i].last + 1);
    }
    size_t mark = text.len;
    sg_out_fmt(&text, "\r\n--" BOUNDARY "--\r\n", (unsigned long long)id);
    sgd_plan_text(plan, (struct sg_str){part_text + mark, text.len - mark});
    return !text.full;
}

/* What came without a length has one since it is whole. */
static uint64_t length_of(const struct sge_object *object)
{
    bool told = object->meta.body_bytes != SGE_LENGTH_UNKNOWN || object->body == NULL;
    return told ? object->meta.body_bytes : sge_body_bytes(object->body);
}

/* 200 becomes 206 or 416 where a range was asked for and can be told. */
static void plan_ranges(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                        const struct sge_object *object, struct sgd_plan *plan, char *part_text)
{
    struct sgd_range ranges[SGD_RANGES_MAX];
    uint32_t count = 0;
    uint64_t length = length_of(object);
    enum sgd_ranges some = SGD_RANGES_NONE;
    if (length != SGE_LENGTH_UNKNOWN && ask->req->method == SGD_METHOD_GET)
        some = sgd_ranges_of(ask->req, length, stored(answer, SG_STR("etag")),
                             stored(answer, SG_STR("last-modified")),
                             stored(answer, SG_STR("date")), ranges, &count);
    if (some == SGD_RANGES_UNSATISFIABLE) {
        answer->response.status = 416;
        add_content_range(answer, NULL, length);
        return;
    }
    if (some == SGD_RANGES_SOME && count == 1) {
        answer->response.status = 206;
        add_content_range(answer, &ranges[0], length);
        sgd_plan_body(plan, ranges[0].first, ranges[0].last + 1);
        return;
    }
    if (some == SGD_RANGES_SOME &&
        plan_multipart(plan, ranges, count, length, stored(answer, SG_STR("content-type")),
                       ask->request_id, part_text)) {
        answer->response.status = 206;
        size_t mark = answer->text.len;
        sg_out_fmt(&answer->text, "multipart/byteranges; boundary=" BOUNDARY,
                   (unsigned long long)ask->request_id);
        add_text(answer, SG_STR("content-type"), mark);
        return;
    }
    sgd_plan_init(plan, plan->body, plan->text_hold);
    sgd_plan_body(plan, 0, length == SGE_LENGTH_UNKNOWN ? UINT64_MAX : length);
}

static bool plan_object(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                        const struct sge_object *object, struct sgd_plan *plan, char *part_text)
{
    if (ask->from.how != SGE_CACHE_PASS && object->meta.status == 200) {
        if (sgd_cond_not_modified(ask->req, stored(answer, SG_STR("etag")),
                                  stored(answer, SG_STR("last-modified")),
                                  stored(answer, SG_STR("date")))) {
            answer->response.status = 304;
            return true;
        }
        plan_ranges(answer, ask, object, plan, part_text);
        return false;
    }
    uint64_t length = length_of(object);
    sgd_plan_body(plan, 0, length == SGE_LENGTH_UNKNOWN ? UINT64_MAX : length);
    return object->meta.status == 304;
}

/* It says that the origin did not make this answer for this request (RFC 9111 section 5.1). */
static void add_age(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                    const struct sge_object *object)
{
    uint64_t age_s = sgd_reuse_age_ns(&object->meta, ask->wall_ns) / 1000000000u;
    bool reused = ask->from.how == SGE_CACHE_HIT || ask->from.how == SGE_CACHE_STALE ||
                  ask->from.how == SGE_CACHE_COLLAPSED;
    if (reused || age_s > 0)
        add_number(answer, SG_STR("age"), age_s);
}

void sgd_answer_object(struct sgd_answer *answer, const struct sgd_answer_ask *ask,
                       const struct sge_object *object, struct sgd_plan *plan, char *part_text)
{
    struct served how = {.private = ask->gate != NULL && ask->gate->token_used};
    begin(answer, object->meta.status);
    read_stored(answer, object->head);
    bool bodiless = plan_object(answer, ask, object, plan, part_text);
    how.not_modified = answer->response.status == 304 && object->meta.status == 200;
    how.range = answer->response.status != object->meta.status;
    how.multipart = answer->response.status == 206 && plan->count > 1;
    how.cors = cors_of(ask, NULL);
    add_stored(answer, &how);
    add_named(answer, &how, ask->named);
    if (how.private)
        add_private(answer, object->head);
    if (object->meta.status == 200 && answer->response.status != 304 &&
        stored(answer, SG_STR("accept-ranges")).ptr == NULL)
        add(answer, SG_STR("accept-ranges"), SG_STR("bytes"));
    add(answer, SG_STR("via"), SG_STR("1.1 streamgate")); /* behind those that came */
    add_age(answer, ask, object);
    add_common(answer, ask, object);
    answer->response.body_bytes = sgd_plan_bytes(plan);
    answer->response.no_body =
        bodiless || ask->req->method == SGD_METHOD_HEAD || object->meta.status == 204;
    if (answer->response.no_body && answer->response.status == 304)
        answer->response.body_bytes = SGD_LENGTH_UNKNOWN; /* not 0: RFC 9110 section 8.6 */
}
