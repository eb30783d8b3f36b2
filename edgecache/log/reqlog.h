/* reqlog - the ring of finished requests in shared memory: a worker writes fixed-size records and
 * never waits; readers (sgctl log, the access-log reader, analytics) in any process follow and are
 * told how many they missed. No token and no full wallet is ever in it; addresses are cut unless
 * the operator asked for them whole. */
#ifndef SGE_REQLOG_H
#define SGE_REQLOG_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What the cache did (RFC 9211 words). */
enum sge_cache_result {
    SGE_CACHE_NONE, /* not asked */
    SGE_CACHE_HIT,
    SGE_CACHE_STALE, /* served stale (RFC 5861) */
    SGE_CACHE_REVALIDATED,
    SGE_CACHE_MISS,      /* fwd=uri-miss, vary-miss */
    SGE_CACHE_EXPIRED,   /* fwd=stale */
    SGE_CACHE_COLLAPSED, /* waited for another's fetch */
    SGE_CACHE_PASS,      /* fwd=bypass, method, request */
};
/* Every step of the decision, for `sgctl explain`. */
struct sge_record {
    uint64_t id;       /* the X-Request-Id: worker, start, count; never 0 */
    uint64_t start_ns; /* Unix */
    uint32_t duration_us, first_byte_us;
    uint16_t status;
    uint16_t close;        /* enum sgd_close */
    uint16_t site, tenant; /* index in the configuration */
    uint16_t worker;
    uint16_t listener;                        /* UINT16_MAX: one that a reload had taken away */
    uint8_t method, cache, gate_verdict, tls; /* enums of their rooms; tls: 0, 12, 13 */
    uint8_t engine_path;                      /* 0 plain, 1 own records, 2 kTLS; + 16 for dpdk */
    uint8_t carrier;                          /* where the token was: enum sgd_carrier */
    uint8_t http;                             /* 11, 2, 3 */
    uint8_t grant;                            /* of a sign-in: 1 + enum sgd_grant_verdict */
    uint64_t sent_bytes, request_bytes;
    uint64_t key_hash; /* first half of the cache key's */
    uint32_t age_s, ttl_s;
    uint8_t remote[16];                 /* cut as configured; IPv4 mapped */
    uint8_t cti[16];                    /* the token's id; zero without */
    uint64_t fact_key, fact_generation; /* the fact that decided, when one did */
    uint32_t rule_version;
    uint32_t config_serial;
    uint32_t origin_us; /* until the origin's head; 0: not asked */
    uint16_t origin_status;
    uint16_t origin_error; /* RFC 9209 error type: enum sgd_origin_error */
    uint16_t host_len, path_len, agent_len, referer_len; /* in text[], in that order */
    uint16_t why_len; /* the condition of a rule that decided on a sign-in */
    uint16_t zero[3];
    char text[504]; /* truncated to fit; the path never has a token in it */
};

#define SGE_REQLOG_WORKERS_MAX 64

struct sge_reqlog;
/* Makes (replaces) `path` in shared memory with a ring a worker. Control thread, at start. */
SG_MUST_USE enum sg_err sge_reqlog_create(const char *path, uint32_t workers,
                                          uint32_t records_per_worker, struct sge_reqlog **out);
/* For readers in any process. */
SG_MUST_USE enum sg_err sge_reqlog_open(const char *path, struct sge_reqlog **out);
void sge_reqlog_close(struct sge_reqlog *log);
/* False once a restarted node put another ring at `path`: open that one. */
bool sge_reqlog_is_current(const struct sge_reqlog *log, const char *path);

/* The slot for worker's next record, zeroed head; fill it, then commit. Never NULL, never waits. */
struct sge_record *sge_reqlog_begin(struct sge_reqlog *log, uint16_t worker);
void sge_reqlog_commit(struct sge_reqlog *log, uint16_t worker);

struct sge_reqlog_cursor {
    uint64_t next[SGE_REQLOG_WORKERS_MAX];
};
/* From now on (from_start: from the oldest that is still there). */
void sge_reqlog_seek(const struct sge_reqlog *log, struct sge_reqlog_cursor *cursor,
                     bool from_start);
/* The next record of any worker in *out; false: none now. *missed counts what was overwritten. */
bool sge_reqlog_next(const struct sge_reqlog *log, struct sge_reqlog_cursor *cursor,
                     struct sge_record *out, uint64_t *missed);
/* The record of request `id`, where it is still in the ring. Reads the whole ring. */
bool sge_reqlog_find(const struct sge_reqlog *log, uint64_t id, struct sge_record *out);

#endif
