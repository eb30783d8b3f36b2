#include "dataplane/delivery/record.h"

#include "base/clock.h"
#include "dataplane/delivery/reuse.h"
#include "dataplane/delivery/route.h"
#include "dataplane/http/exchange.h"

static void count(const struct sgd_exchange *x, uint64_t sent_bytes)
{
    static const uint16_t by_result[] = {
        [SGE_CACHE_HIT] = SGE_STAT_cache_hits,
        [SGE_CACHE_STALE] = SGE_STAT_cache_stale,
        [SGE_CACHE_REVALIDATED] = SGE_STAT_cache_revalidated,
        [SGE_CACHE_MISS] = SGE_STAT_cache_misses,
        [SGE_CACHE_EXPIRED] = SGE_STAT_cache_misses,
        [SGE_CACHE_COLLAPSED] = SGE_STAT_cache_collapsed,
        [SGE_CACHE_PASS] = SGE_STAT_cache_passed,
    };
    struct sge_stats *stats = x->d->worker->stats;
    if (x->status >= 100 && x->status < 600)
        sge_stat_add(stats, SGE_STAT_responses_1xx + x->status / 100 - 1, 1);
    if (x->from.how != SGE_CACHE_NONE)
        sge_stat_add(stats, by_result[x->from.how], 1);
    if (x->from.how == SGE_CACHE_HIT)
        sge_stat_add(stats, SGE_STAT_cache_body_bytes_hit, sent_bytes);
    if (x->first_ns >= x->start_ns) {
        uint64_t us = (x->first_ns - x->start_ns) / SG_NS_PER_US;
        sge_stat_row_add(&stats->ttfb_us_log2[SG_MIN(63 - __builtin_clzll(us | 1), 31)]);
    }
}

/* IPv4 keeps /24, IPv6 /48, unless the operator wants them whole. */
static void put_address(const struct sgd_peer *peer, bool whole, uint8_t out[16])
{
    static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(out, &peer->remote.sin6_addr, 16);
    if (whole)
        return;
    bool is_v4 = memcmp(out, v4, sizeof(v4)) == 0;
    memset(out + (is_v4 ? 15 : 6), 0, is_v4 ? 1 : 10);
}

static void put_peer(const struct sgd_snapshot *snapshot, const struct sgd_peer *peer,
                     struct sge_record *record)
{
    if (peer == NULL)
        return;
    record->tls = peer->tls;
    record->engine_path = peer->path;
    put_address(peer, snapshot->config->log.addresses, record->remote);
}

static uint16_t put_text(struct sge_record *record, size_t *at, struct sg_str text)
{
    size_t n = SG_MIN(text.len, sizeof(record->text) - *at);
    if (n > 0)
        memcpy(record->text + *at, text.ptr, n);
    *at += n;
    return (uint16_t)n;
}

static void put_texts(const struct sgd_exchange *x, struct sge_record *record)
{
    size_t at = 0;
    record->host_len = put_text(record, &at, x->req->authority);
    record->path_len = put_text(record, &at, x->path);
    record->agent_len =
        put_text(record, &at, sgd_request_field(x->req, SG_STR("user-agent"), NULL));
    record->referer_len = put_text(record, &at, sgd_request_field(x->req, SG_STR("referer"), NULL));
    record->why_len = put_text(record, &at, x->signin.why);
}

static uint32_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    return (uint32_t)SG_MIN((to_ns - from_ns) / SG_NS_PER_US, (uint64_t)UINT32_MAX);
}

static void put_decision(const struct sgd_exchange *x, struct sge_record *record)
{
    record->gate_verdict = (uint8_t)x->gate.verdict;
    record->grant = x->signin.verdict;
    record->carrier = (uint8_t)x->stripped.carrier;
    memcpy(record->cti, x->gate.cti, sizeof(record->cti));
    record->fact_key = x->gate.fact_key;
    record->fact_generation = x->gate.fact_generation;
    record->rule_version = x->gate.rule_version;
    record->cache = (uint8_t)x->from.how;
    record->key_hash = x->primary.hash[0];
    record->origin_us = x->from.origin_us;
    record->origin_status = x->from.origin_status;
    record->origin_error = x->from.origin_error;
    if (x->object != NULL) {
        uint64_t age_ns = sgd_reuse_age_ns(&x->object->meta, x->start_wall_ns);
        uint64_t life_ns = x->object->meta.lifetime_ns;
        record->age_s = (uint32_t)(age_ns / SG_NS_PER_SEC);
        record->ttl_s = life_ns > age_ns ? (uint32_t)((life_ns - age_ns) / SG_NS_PER_SEC) : 0;
    }
}

void sgd_record_write(const struct sgd_exchange *x, enum sgd_close why, uint64_t sent_bytes,
                      uint64_t now_ns)
{
    struct sgd_worker *w = x->d->worker;
    struct sge_record *record = sge_reqlog_begin(w->reqlog, w->id);
    count(x, sent_bytes);
    record->id = x->id;
    record->start_ns = x->start_wall_ns;
    record->duration_us = us_between(x->start_ns, now_ns);
    if (x->first_ns > x->start_ns)
        record->first_byte_us = (uint32_t)((x->first_ns - x->start_ns) / SG_NS_PER_US);
    record->status = x->status;
    record->close = (uint16_t)why;
    record->site = (uint16_t)x->site_index;
    if (x->site_index != SGD_SITE_NONE)
        record->tenant = (uint16_t)x->snapshot->site_tenants[x->site_index];
    record->worker = w->id;
    record->method = (uint8_t)x->req->method;
    record->http = x->req->version[0] == '1' ? 11 : (uint8_t)(x->req->version[0] - '0');
    put_peer(x->snapshot, x->req->peer, record);
    record->listener = x->listener;
    record->sent_bytes = sent_bytes;
    record->request_bytes = x->request_bytes;
    record->config_serial = x->snapshot->serial;
    put_decision(x, record);
    put_texts(x, record);
    sge_reqlog_commit(w->reqlog, w->id);
}

uint64_t sgd_exchange_refused(struct sgd_worker *worker, const struct sgd_refused *refused,
                              uint64_t now_ns)
{
    uint64_t id = worker->delivery->request_serial++;
    struct sge_record *record = sge_reqlog_begin(worker->reqlog, worker->id);
    SG_ASSERT(refused->since_ns <= now_ns);
    record->id = id;
    record->start_ns = worker->wall_ns - (now_ns - refused->since_ns);
    record->duration_us = us_between(refused->since_ns, now_ns);
    record->status = refused->status;
    record->close = (uint16_t)refused->why;
    record->site = (uint16_t)SGD_SITE_NONE;
    record->worker = worker->id;
    record->method = (uint8_t)refused->method;
    record->http = 11;
    record->request_bytes = refused->request_bytes;
    record->config_serial = worker->snapshot->serial;
    put_peer(worker->snapshot, refused->peer, record);
    if (refused->peer != NULL)
        record->listener = sgd_listener_index(refused->peer->listener);
    sge_reqlog_commit(worker->reqlog, worker->id);
    return id;
}
