/* agent - keeps a node's state in step with its region's ownership stream: applies every entry
 * once and in order, loads a copy when entries are missing or the stream is another one, and says
 * that the state is fed (sge_state_heartbeat) only for a time up to which it has applied all there
 * was. While the bus is away, or the agent is behind, the state grows old, and the gate does what
 * the tenant chose. */
#ifndef SGC_FEED_AGENT_H
#define SGC_FEED_AGENT_H

#include "controlplane/feed/feed.h"

struct sgc_agent;
struct sgc_agent_options {
    const struct sgc_feed *feed;
    struct sge_state *state;
    const char *name; /* of this node, in its reports */
    bool first;       /* it makes the stream: where there is none it begins with an empty state */
};
/* Borrows all it is given. */
SG_MUST_USE enum sg_err sgc_agent_open(const struct sgc_agent_options *options,
                                       struct sgc_agent **out);
/* Accepts NULL. */
void sgc_agent_close(struct sgc_agent *agent);

enum sgc_agent_phase { SGC_AGENT_SEEKING, SGC_AGENT_COPYING, SGC_AGENT_FOLLOWING };
const char *sgc_agent_phase_name(enum sgc_agent_phase phase);

/* From an entry's append to its place in the state; the last bucket is all above. */
#define SGC_APPLY_BUCKETS 12
extern const uint32_t sgc_apply_bucket_ms[SGC_APPLY_BUCKETS - 1];

struct sgc_agent_view {
    enum sgc_agent_phase phase;
    struct sge_mark mark; /* what is applied */
    uint64_t known;       /* the last number that it heard of */
    uint64_t applied, copies, beats;
    uint64_t apply_buckets[SGC_APPLY_BUCKETS];
    uint64_t apply_sum_ns;
    enum sg_err trouble; /* why it does not follow, or can't apply; SG_OK: nothing */
};
void sgc_agent_view(struct sgc_agent *agent, struct sgc_agent_view *out);

#endif
