#include "dataplane/worker/snapshot.h"

#include "base/alloc.h"
#include "dataplane/delivery/route.h"
#include "dataplane/gate/gate.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/tls/ctx.h"
#include "edgecache/content/content.h"

static void snapshot_end(struct sgd_snapshot *snapshot)
{
    for (uint32_t i = 0; snapshot->tls != NULL && i < snapshot->config->listeners_count; i++)
        sgd_tls_ctx_unref(snapshot->tls[i]);
    sg_boot_free(snapshot->tls);
    if (snapshot->uses != NULL) {
        sg_boot_free(snapshot->uses[0].tenant_busy);
        sg_boot_free(snapshot->uses[0].listener_conns);
    }
    sg_boot_free(snapshot->uses);
    sg_boot_free(snapshot->site_tenants);
    sgd_gate_close(snapshot->gate);
    if (snapshot->pools != NULL)
        sgd_pools_unref(snapshot->pools);
    sgd_routes_close(snapshot->routes);
    sg_config_free(snapshot->config);
}

/* Rows of counters a worker, on cache lines of their own. */
static bool snapshot_open_uses(struct sgd_snapshot *snapshot)
{
    size_t tenants = (snapshot->config->tenants_count + 15u) & ~15u;
    size_t listeners = (snapshot->config->listeners_count + 15u) & ~15u;
    uint32_t *busy = sg_boot_alloc_array(SGE_WORKERS_MAX, tenants * sizeof(*busy));
    _Atomic uint32_t *conns = sg_boot_alloc_array(SGE_WORKERS_MAX, listeners * sizeof(*conns));
    snapshot->uses = sg_boot_alloc_array(SGE_WORKERS_MAX, sizeof(*snapshot->uses));
    if (snapshot->uses == NULL || busy == NULL || conns == NULL) {
        sg_boot_free(busy);
        sg_boot_free(conns);
        return false;
    }
    for (uint32_t i = 0; i < SGE_WORKERS_MAX; i++) {
        snapshot->uses[i].tenant_busy = busy + i * tenants;
        snapshot->uses[i].listener_conns = conns + i * listeners;
    }
    return true;
}

static bool snapshot_open_tenants(struct sgd_snapshot *snapshot)
{
    const struct sg_config *config = snapshot->config;
    snapshot->site_tenants = sg_boot_alloc_array(config->sites_count, sizeof(uint32_t));
    if (snapshot->site_tenants == NULL)
        return false;
    for (uint32_t s = 0; s < config->sites_count; s++)
        for (uint32_t t = 0; t < config->tenants_count; t++)
            if (strcmp(config->sites[s].tenant, config->tenants[t].name) == 0)
                snapshot->site_tenants[s] = t;
    return true;
}

enum sg_err sgd_snapshot_open(const struct sgd_snapshot *parts, uint32_t serial,
                              struct sgd_snapshot **out)
{
    SG_ASSERT(parts != NULL && parts->config != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_snapshot copy = *parts, *snapshot = sg_boot_alloc(sizeof(*snapshot));
    if (snapshot == NULL || !snapshot_open_uses(&copy) || !snapshot_open_tenants(&copy)) {
        snapshot_end(&copy);
        sg_boot_free(snapshot);
        return SG_ENOMEM;
    }
    *snapshot = copy;
    snapshot->serial = serial;
    atomic_init(&snapshot->refs, 1);
    *out = snapshot;
    return SG_OK;
}

void sgd_snapshot_ref(struct sgd_snapshot *snapshot)
{
    uint32_t was = atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    SG_ASSERT(was != 0 && was < UINT32_MAX / 2);
}

void sgd_snapshot_unref(struct sgd_snapshot *snapshot)
{
    uint32_t was = atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel);
    SG_ASSERT(was != 0);
    if (was > 1)
        return;
    snapshot_end(snapshot);
    sg_boot_free(snapshot);
}

void sgd_snapshot_hold(struct sgd_snapshot *snapshot, uint16_t worker)
{
    SG_ASSERT(worker < SGE_WORKERS_MAX);
    if (snapshot->uses[worker].holds++ == 0)
        sgd_snapshot_ref(snapshot);
}

void sgd_snapshot_release(struct sgd_snapshot *snapshot, uint16_t worker)
{
    SG_ASSERT(worker < SGE_WORKERS_MAX);
    SG_ASSERT(snapshot->uses[worker].holds > 0);
    if (--snapshot->uses[worker].holds == 0)
        sgd_snapshot_unref(snapshot);
}
