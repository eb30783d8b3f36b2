/* counters - the sums of all workers' counters at one moment, from shared memory. */
#ifndef SGT_COUNTERS_H
#define SGT_COUNTERS_H

#include "edgecache/log/stats.h"
#include "tools/sgctl/client.h"

struct sgt_counters {
    uint64_t taken_ns; /* monotonic */
    uint32_t workers;
    uint64_t value[SGE_STAT_COUNT];
    uint64_t close[SGE_CLOSE_REASONS_MAX];
    uint64_t gate[SGE_GATE_REASONS_MAX];
};

/* An exit status: SGT_UNREACHABLE, and says so, where no node has run. */
int sgt_counters_take(const struct sgt_call *call, struct sgt_counters *out);

#endif
