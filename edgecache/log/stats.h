/* stats - counters in shared memory, one block a worker, written by that worker with plain stores
 * of relaxed atomics, read by anyone. */
#ifndef SGE_STATS_H
#define SGE_STATS_H

#include "base/assert.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum sge_stat {
#define STAT(name, kind, help) SGE_STAT_##name,
#include "edgecache/log/stats.def"
#undef STAT
    SGE_STAT_COUNT
};

#define SGE_CLOSE_REASONS_MAX 96
#define SGE_GATE_REASONS_MAX  48
#define SGE_GRANT_REASONS_MAX 48

/* One worker's block. */
struct sge_stats {
    SG_ALIGNED _Atomic uint64_t value[SGE_STAT_COUNT];
    _Atomic uint64_t close[SGE_CLOSE_REASONS_MAX]; /* by enum sgd_close */
    _Atomic uint64_t gate[SGE_GATE_REASONS_MAX];   /* by enum sgd_gate_verdict */
    _Atomic uint64_t ttfb_us_log2[32];             /* histogram: time to first byte */
    _Atomic uint64_t grant[SGE_GRANT_REASONS_MAX]; /* by enum sgd_grant_verdict */
    _Atomic uint64_t grant_us_log2[32];            /* histogram: work on one sign-in */
};

static inline void sge_stat_add(struct sge_stats *stats, enum sge_stat which, uint64_t n)
{
    _Atomic uint64_t *v = &stats->value[which];
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void sge_stat_set(struct sge_stats *stats, enum sge_stat which, uint64_t n)
{
    atomic_store_explicit(&stats->value[which], n, memory_order_relaxed);
}

static inline void sge_stat_row_add(_Atomic uint64_t *row)
{
    atomic_store_explicit(row, atomic_load_explicit(row, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The file that holds all blocks. */
struct sge_statsfile;
SG_MUST_USE enum sg_err sge_statsfile_create(const char *path, uint32_t workers,
                                             struct sge_statsfile **out);
SG_MUST_USE enum sg_err sge_statsfile_open(const char *path, struct sge_statsfile **out);
void sge_statsfile_close(struct sge_statsfile *file);
uint32_t sge_statsfile_workers(const struct sge_statsfile *file);
struct sge_stats *sge_statsfile_worker(struct sge_statsfile *file, uint32_t worker);

/* "connections_open"; static. */
const char *sge_stat_name(enum sge_stat which);
const char *sge_stat_help(enum sge_stat which);
bool sge_stat_is_gauge(enum sge_stat which);

#endif
