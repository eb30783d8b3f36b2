#include "dataplane/node/recordjson.h"

#include "dataplane/close.h"
#include "dataplane/gate/grant.h"
#include "dataplane/http/message.h"
#include "dataplane/origin/fetch.h"

#include <arpa/inet.h>

_Static_assert(INET6_ADDRSTRLEN == 46, "the room that sgd_record_address() asks for");

const char *sgd_record_method(uint8_t method)
{
    static const char *const words[] = {
        [SGD_METHOD_GET] = "GET",     [SGD_METHOD_HEAD] = "HEAD",
        [SGD_METHOD_POST] = "POST",   [SGD_METHOD_OPTIONS] = "OPTIONS",
        [SGD_METHOD_PUT] = "PUT",     [SGD_METHOD_DELETE] = "DELETE",
        [SGD_METHOD_PATCH] = "PATCH", [SGD_METHOD_OTHER] = "other",
    };
    return method < SG_COUNT(words) ? words[method] : "?";
}

const char *sgd_record_cache(uint8_t cache)
{
    static const char *const words[] = {
        [SGE_CACHE_NONE] = "none",           [SGE_CACHE_HIT] = "hit",
        [SGE_CACHE_STALE] = "stale",         [SGE_CACHE_REVALIDATED] = "revalidated",
        [SGE_CACHE_MISS] = "miss",           [SGE_CACHE_EXPIRED] = "expired",
        [SGE_CACHE_COLLAPSED] = "collapsed", [SGE_CACHE_PASS] = "pass",
    };
    return cache < SG_COUNT(words) ? words[cache] : "?";
}

static const char *carrier_word(uint8_t carrier)
{
    static const char *const words[] = {
        [SGD_CARRIER_NONE] = "none",     [SGD_CARRIER_HEADER] = "header",
        [SGD_CARRIER_COOKIE] = "cookie", [SGD_CARRIER_PATH] = "path",
        [SGD_CARRIER_QUERY] = "query",
    };
    return carrier < SG_COUNT(words) ? words[carrier] : "?";
}

const char *sgd_record_verdict(enum sgd_gate_verdict verdict)
{
    static const char *const words[] = {
#define GATE(name, status, reason) #name,
#include "dataplane/gate/verdict.def"
#undef GATE
    };
    return (size_t)verdict < SG_COUNT(words) ? words[verdict] : "?";
}

const char *sgd_record_grant(uint8_t grant)
{
    if (grant == 0)
        return NULL;
    if (grant > SGD_GRANT_VERDICTS)
        return "?";
    enum sgd_grant_verdict verdict = (enum sgd_grant_verdict)(grant - 1);
    return verdict == SGD_GRANT_allowed ? "allowed" : sgd_grant_reason(verdict);
}

static const char *engine_path_word(uint8_t engine_path)
{
    static const char *const words[] = {"uring plain", "uring own-records", "uring ktls"};
    return engine_path < SG_COUNT(words) ? words[engine_path] : "?";
}

void sgd_record_address(const struct sge_record *record, char out[46])
{
    struct in6_addr v6;
    memcpy(&v6, record->remote, sizeof(v6));
    bool v4 = IN6_IS_ADDR_V4MAPPED(&v6);
    const char *text =
        v4 ? inet_ntop(AF_INET, record->remote + 12, out, 46) : inet_ntop(AF_INET6, &v6, out, 46);
    SG_ASSERT(text != NULL);
}

static void put_name(struct sg_json *json, const char *key, const char *name, uint16_t index)
{
    if (name != NULL)
        sg_json_text(json, key, name);
    else
        sg_json_u64(json, key, index);
}

static void put_request(const struct sge_record *r, const struct sgd_record_names *names,
                        struct sg_json *json)
{
    char address[46], id[17];
    size_t at = 0;
    struct sg_out id_out = sg_out_init(id, sizeof(id));
    sg_out_fmt(&id_out, "%016llx", (unsigned long long)r->id);
    sgd_record_address(r, address);
    sg_json_str(json, "id", (struct sg_str){id, 16});
    sg_json_time(json, "time", r->start_ns);
    sg_json_text(json, "client", address);
    sg_json_text(json, "method", sgd_record_method(r->method));
    sg_json_str(json, "host", (struct sg_str){r->text, r->host_len});
    at += r->host_len;
    sg_json_str(json, "path", (struct sg_str){r->text + at, r->path_len});
    at += r->path_len;
    sg_json_str(json, "user_agent", (struct sg_str){r->text + at, r->agent_len});
    at += r->agent_len;
    sg_json_str(json, "referer", (struct sg_str){r->text + at, r->referer_len});
    put_name(json, "site", names->site, r->site);
    put_name(json, "tenant", names->tenant, r->tenant);
    if (r->listener == SGD_LISTENER_GONE)
        sg_json_text(json, "listener", NULL);
    else
        put_name(json, "listener", names->listener, r->listener);
    sg_json_text(json, "http", r->http == 11 ? "1.1" : r->http == 2 ? "2" : "3");
    sg_json_text(json, "tls", r->tls == 13 ? "1.3" : r->tls == 12 ? "1.2" : NULL);
}

static void put_answer(const struct sge_record *r, struct sg_json *json)
{
    sg_json_u64(json, "status", r->status);
    sg_json_text(json, "end",
                 sgd_close_name((enum sgd_close)SG_MIN(r->close, (uint16_t)(SGD_CLOSE_COUNT - 1))));
    sg_json_u64(json, "sent_bytes", r->sent_bytes);
    sg_json_u64(json, "request_bytes", r->request_bytes);
    sg_json_u64(json, "duration_us", r->duration_us);
    sg_json_u64(json, "first_byte_us", r->first_byte_us);
    sg_json_text(json, "cache", sgd_record_cache(r->cache));
    sg_json_hex(json, "key_hash", &r->key_hash, sizeof(r->key_hash));
    sg_json_u64(json, "age_s", r->age_s);
    sg_json_u64(json, "ttl_s", r->ttl_s);
    sg_json_u64(json, "origin_status", r->origin_status);
    sg_json_u64(json, "origin_us", r->origin_us);
    uint32_t error = SG_MIN((uint32_t)r->origin_error, SGD_ORIGIN_ERROR_COUNT - 1u);
    sg_json_text(json, "origin_error",
                 error != SGD_ORIGIN_none ? sgd_origin_error_type((enum sgd_origin_error)error)
                                          : NULL);
}

static void put_decision(const struct sge_record *r, struct sg_json *json)
{
    static const uint8_t no_cti[sizeof(r->cti)];
    bool token = memcmp(r->cti, no_cti, sizeof(no_cti)) != 0;
    const char *grant = sgd_record_grant(r->grant); /* who signs in is asked by no gate */
    sg_json_text(json, "gate",
                 grant != NULL ? NULL : sgd_record_verdict((enum sgd_gate_verdict)r->gate_verdict));
    sg_json_text(json, "grant", grant);
    if (r->why_len > 0)
        sg_json_str(
            json, "why",
            (struct sg_str){r->text + r->host_len + r->path_len + r->agent_len + r->referer_len,
                            r->why_len});
    sg_json_text(json, "carrier", carrier_word(r->carrier));
    if (token)
        sg_json_hex(json, "cti", r->cti, sizeof(r->cti));
    else
        sg_json_text(json, "cti", NULL);
    const uint64_t fact_key = __builtin_bswap64(r->fact_key); /* as sgctl own takes it */
    sg_json_hex(json, "fact_key", &fact_key, sizeof(fact_key));
    sg_json_u64(json, "fact_generation", r->fact_generation);
    sg_json_u64(json, "rule_version", r->rule_version);
    sg_json_text(json, "engine_path", engine_path_word(r->engine_path));
    sg_json_u64(json, "worker", r->worker);
    sg_json_u64(json, "config_serial", r->config_serial);
}

void sgd_record_json(const struct sge_record *record, const struct sgd_record_names *names,
                     struct sg_json *json, const char *key)
{
    SG_ASSERT(record != NULL && names != NULL);
    sg_json_object(json, key);
    put_request(record, names, json);
    put_answer(record, json);
    put_decision(record, json);
    sg_json_object_end(json);
}
