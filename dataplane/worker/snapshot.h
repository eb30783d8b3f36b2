/* snapshot - everything that follows from one configuration file: immutable, counted, shared by all
 * workers. A reload makes a new one; each worker switches at the top of a loop turn, exchanges
 * under way keep the one they began with. */
#ifndef SGD_WORKER_SNAPSHOT_H
#define SGD_WORKER_SNAPSHOT_H

#include "base/assert.h"
#include "base/config.h"

#include <stdatomic.h>

struct sgd_gate;    /* rules and keys: dataplane/gate/gate.h */
struct sgd_pools;   /* origins' servers: dataplane/origin/fetch.h */
struct sgd_routes;  /* host and path to site: dataplane/delivery/route.h */
struct sgd_tls_ctx; /* a listener's certificates and ticket keys: dataplane/tls/ctx.h */

/* One worker's part of a snapshot: nobody else writes here. */
struct sgd_snapshot_use {
    SG_ALIGNED uint32_t holds;
    uint32_t *tenant_busy;            /* by tenant: exchanges under way */
    _Atomic uint32_t *listener_conns; /* by listener: connections of it; control reads it */
};

struct sgd_snapshot {
    _Atomic uint32_t refs;
    uint32_t serial; /* 1, 2, 3 ... */
    struct sg_config *config;
    struct sgd_routes *routes;
    struct sgd_gate *gate;
    struct sgd_pools *pools;
    struct sgd_tls_ctx **tls; /* by listener; NULL for a plain one */
    /* made by sgd_snapshot_open() */
    uint32_t *site_tenants;        /* by site: its tenant's index */
    struct sgd_snapshot_use *uses; /* by worker, SGE_WORKERS_MAX of them */
};
/* Takes over everything in `parts` but refs and serial, also when it fails. The caller holds the
 * one reference. */
SG_MUST_USE enum sg_err sgd_snapshot_open(const struct sgd_snapshot *parts, uint32_t serial,
                                          struct sgd_snapshot **out);
void sgd_snapshot_ref(struct sgd_snapshot *snapshot);
/* The last one frees it; any thread. */
void sgd_snapshot_unref(struct sgd_snapshot *snapshot);
/* The same for what lives on one worker, without a write that workers share: only the first hold
 * and the last release touch the count. On that worker's thread. */
void sgd_snapshot_hold(struct sgd_snapshot *snapshot, uint16_t worker);
void sgd_snapshot_release(struct sgd_snapshot *snapshot, uint16_t worker);

#endif
