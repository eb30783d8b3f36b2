/* node - the dataplane put together: opens everything a configuration asks for in order, runs a
 * worker a core as threads, takes new configurations without dropping a connection, drains, closes.
 * What watches and steers it (signals, sgctl, metrics) is outside and calls in from one control
 * thread: every function here is that thread's, and may block. */
#ifndef SGD_NODE_H
#define SGD_NODE_H

#include "base/config.h"
#include "base/out.h"
#include "dataplane/engine/listen.h"
#include "dataplane/worker/worker.h"

struct sgd_node;

struct sgd_node_start {
    bool follows; /* the process that this one takes over from still runs, and has run_dir: that is
                     taken when it ended. If it has the disk tier still, that is waited for, some
                     seconds; then this one serves from RAM until its next start. */
    const char *trust_file; /* the public key by which this and every later configuration must be
                               signed (trust.h); NULL: none need be */
    bool deaf; /* no viewers: no listener is opened, no disk tier; there is one worker */
};
/* Loads `file`, binds, drops root, opens all stores, starts the workers. They serve when it returns
 * SG_OK. Otherwise `report` says why, a line a mistake. */
SG_MUST_USE enum sg_err sgd_node_open(const char *file, const struct sgd_node_start *how,
                                      struct sg_out *report, struct sgd_node **out);
/* Stops what still runs (cutting what is under way: drain first), closes all. Accepts NULL. */
void sgd_node_close(struct sgd_node *node);
/* Everything that sgd_node_open() would refuse in the file, without changing anything. */
SG_MUST_USE enum sg_err sgd_node_check(const char *file, const char *trust_file,
                                       struct sg_out *report);

/* Reads the file again. On SG_OK requests that begin from now on follow it, and `report` names the
 * keys that count only from the next start; otherwise nothing changed and `report` says why. */
SG_MUST_USE enum sg_err sgd_node_reload(struct sgd_node *node, struct sg_out *report);
/* No new connections; what is under way may finish for node.drain_s. */
void sgd_node_drain(struct sgd_node *node);
bool sgd_node_draining(const struct sgd_node *node);
/* Before another process follows this one: the disk tier is one process's, and goes to that one.
 * This one goes on in RAM. Blocks, seconds at most; a disk that is slower is let go by a later
 * sgd_node_tick(). */
void sgd_node_give_up_disk(struct sgd_node *node);
/* To be asked every few ms while draining. True: nothing is under way any more, sgd_node_close()
 * now cuts nothing; or it is some seconds after drain_s, whatever hangs. */
bool sgd_node_drained(struct sgd_node *node);
/* Who asks chains about signatures (dataplane/gate/onchain.h), from now on; must outlive the node.
 * Until then grants that need a chain are refused. */
struct sgd_onchain;
void sgd_node_set_onchain(struct sgd_node *node, const struct sgd_onchain *onchain);
/* Every second or so: ticket keys, staples, snapshots nobody uses any more. */
void sgd_node_tick(struct sgd_node *node);

/* Which of several ways something goes here, told at start, in status and in a metric. */
struct sgd_node_path {
    const char *what; /* "arena", "disk", "state_memory" ...: docs/operations.md has all */
    const char *used; /* "hugetlb", "own-records" ... */
    bool fallback;    /* not what was asked for, or not the best there is */
    const char *why;  /* of a fallback; "" otherwise */
};
#define SGD_NODE_PATHS 8

/* What the node is made of, for those who show it; all borrowed. The snapshot is good until the
 * next call of sgd_node_reload() or sgd_node_tick(). */
struct sgd_node_view {
    const char *file;
    const struct sgd_snapshot *snapshot;
    struct sgd_snapshot *const *retired; /* earlier ones, which something under way still uses */
    uint32_t retired_count;
    struct sge_state *state;
    struct sge_statsfile *stats;
    struct sge_reqlog *reqlog;
    const struct sgd_listen *listen;
    struct sge_content *content;
    uint64_t started_ns, loaded_ns; /* Unix: of the process, of the configuration */
    uint32_t workers, workers_running;
    bool deaf; /* the configuration's listeners are not open here */
    struct sgd_node_path paths[SGD_NODE_PATHS];
};
void sgd_node_view(const struct sgd_node *node, struct sgd_node_view *out);

#endif
