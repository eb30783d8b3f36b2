/* control - what a node runs of the control plane, beside its dataplane: the bus, the agent that
 * keeps the state in step with its region, and, where it is no mere edge, the ledger, the followers
 * of chains, the publisher and copies for others. Opened and closed by the control thread; any
 * thread may ask. */
#ifndef SGC_NODE_CONTROL_H
#define SGC_NODE_CONTROL_H

#include "base/config.h"
#include "base/json.h"
#include "controlplane/feed/speaker.h"

enum sgc_role {
    SGC_ROLE_ALL,    /* both planes in one process */
    SGC_ROLE_EDGE,   /* the dataplane, fed over the bus */
    SGC_ROLE_CONTROL /* feeds others; serves no viewers */
};

/* Whether a node of that role can be opened with it, before anything is: a line a mistake. */
SG_MUST_USE enum sg_err sgc_control_check(const struct sg_config *config, enum sgc_role role,
                                          struct sg_out *report);

struct sgc_control;
/* Where nothing asks for a bus (a single node, whose state is written by hand) it is not fed.
 * `report` gets a line a mistake. Borrows the state, not the configuration. Servers that are away
 * are no failure. */
SG_MUST_USE enum sg_err sgc_control_open(const struct sg_config *config, enum sgc_role role,
                                         struct sge_state *state, struct sg_out *report,
                                         struct sgc_control **out);
/* Accepts NULL. */
void sgc_control_close(struct sgc_control *control);

bool sgc_control_is_fed(const struct sgc_control *control);
/* The chains of another configuration, and the contracts of its rules, are followed from now on,
 * and asked about signatures under its key. A node that was not fed is with its first chain, and
 * stays so. On failure those that were followed are. */
SG_MUST_USE enum sg_err sgc_control_reload(struct sgc_control *control,
                                           const struct sg_config *config, struct sg_out *report);
/* Forgets a chain and reads it anew: after a reorg below safe. SG_ENOENT: it is not followed here.
 */
SG_MUST_USE enum sg_err sgc_control_rebuild(struct sgc_control *control, struct sg_str chain);

/* A word to all edges: through the stream, since the state has no other writer. Only of a node that
 * is fed; sgc_control_said() too. */
SG_MUST_USE enum sg_err sgc_control_say(struct sgc_control *control, const struct sge_word *word,
                                        uint64_t *ticket);
/* What became of it, as members of an object: done, error, seq, applied here, and the edges with
 * whether they have applied it. SG_ENOENT: no such ticket. */
SG_MUST_USE enum sg_err sgc_control_said(struct sgc_control *control, uint64_t ticket,
                                         struct sg_json *json);
/* The feed as members of an object; of a node that is not fed, that there is none. */
void sgc_control_status(struct sgc_control *control, struct sg_json *json);
/* The chains that are followed here, as an array: sgc_chains_status(). */
void sgc_control_chains(struct sgc_control *control, struct sg_json *json);
/* Who asks chains about signatures. From now on it relays what it can't ask itself to the region's
 * control plane, and answers other nodes' questions, where this is no edge. Borrowed; must outlive
 * the control, which may be NULL. */
struct sgc_onchain;
SG_MUST_USE enum sg_err sgc_control_set_onchain(struct sgc_control *control,
                                                struct sgc_onchain *onchain);
/* Prometheus text; nothing of a node that is not fed. */
void sgc_control_metrics(struct sgc_control *control, struct sg_out *out);

#endif
