/* chains - the followers of a node: one for each of the configuration's `chains`, with the
 * contracts that its rules and `chains[].contracts` name. Opened, changed and closed by the control
 * thread, which alone asks what they do. */
#ifndef SGC_CHAIN_CHAINS_H
#define SGC_CHAIN_CHAINS_H

#include "base/config.h"
#include "base/json.h"
#include "controlplane/chain/ledger.h"

struct sgc_chains;
struct sgc_chains_options {
    const struct sg_config *config; /* for the call only */
    struct sgc_ledger *ledger;      /* borrowed */
    struct sge_state *state;        /* borrowed: is told of each head */
    const char *lock_dir;           /* copied: who follows a chain has a file there */
};
/* A rule on a chain that is not followed is a line in `report`, and no mistake. */
SG_MUST_USE enum sg_err sgc_chains_open(const struct sgc_chains_options *options,
                                        struct sg_out *report, struct sgc_chains **out);
/* Of another configuration: followers start, end and change as it says; those that it leaves as
 * they are go on undisturbed. On failure all is as it was, but where the ledger
 * can't be written. */
SG_MUST_USE enum sg_err sgc_chains_reload(struct sgc_chains *chains,
                                          const struct sgc_chains_options *options,
                                          struct sg_out *report);
/* Accepts NULL. */
void sgc_chains_close(struct sgc_chains *chains);
/* SG_ENOENT: that chain is not followed. */
SG_MUST_USE enum sg_err sgc_chains_rebuild(struct sgc_chains *chains, struct sg_str name);
/* An array of objects, as member `name`; empty for NULL. */
void sgc_chains_status(struct sgc_chains *chains, struct sg_json *json);
/* Prometheus text; nothing for NULL. */
void sgc_chains_metrics(struct sgc_chains *chains, struct sg_out *out);

#endif
