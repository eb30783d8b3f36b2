#include "base/alloc.h"
#include "dataplane/delivery/route.h"
#include "dataplane/gate/gate.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/tls/ctx.h"
#include "dataplane/worker/worker.h"

static void snapshot_end(struct sgd_snapshot *snapshot)
{
    for (uint32_t i = 0; snapshot->tls != NULL && i < snapshot->config->listeners_count; i++)
        sgd_tls_ctx_unref(snapshot->tls[i]);
    sg_boot_free(snapshot->tls);
    sgd_gate_close(snapshot->gate);
    if (snapshot->pools != NULL)
        sgd_pools_unref(snapshot->pools);
    sgd_routes_close(snapshot->routes);
    sg_config_free(snapshot->config);
}

enum sg_err sgd_snapshot_open(const struct sgd_snapshot *parts, uint32_t serial,
                              struct sgd_snapshot **out)
{
    SG_ASSERT(parts != NULL && parts->config != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_snapshot copy = *parts, *snapshot = sg_boot_alloc(sizeof(*snapshot));
    if (snapshot == NULL) {
        snapshot_end(&copy);
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
