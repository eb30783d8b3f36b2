/* say - a word by hand to the state: a revocation, a raised epoch or rule version, an allow list.
 * Where a stream
 * feeds the node it goes that way, to all edges; else it is written to this machine's state, whose
 * nodes see it with their next request. */
#ifndef SGT_SAY_H
#define SGT_SAY_H

#include "edgecache/state/facts.h"
#include "tools/sgctl/access.h"

struct sgt_saying {
    const char *tenant;
    const char *list; /* of SGE_WORD_ROOT; else NULL */
    const struct sge_word *word;
    uint32_t wait_ms; /* for other edges to confirm it */
};
/* Returns when it counts here; waits up to `wait_ms` more for the edges to confirm. What became of
 * it is added to `told`: seq, and edges with whether each has it. False, and says so. */
bool sgt_say(const struct sg_config *config, struct sge_state *state,
             const struct sgt_saying *saying, json_t *told);

#endif
