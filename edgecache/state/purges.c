#include "edgecache/state/purges.h"

#include "base/alloc.h"
#include "base/log.h"

#define BATCH 256

/* A worker's own: nothing here is shared. */
struct purge_view {
    SG_ALIGNED struct sge_state_reader *reader;
    struct sge_purgetable *table;
    uint64_t version; /* of the state that the table is as new as */
    bool failing;     /* the state can't be read: said once */
};

struct sge_purges {
    struct sge_state *state;
    uint32_t workers;
    struct purge_view *views;
};

/* ---- keeping up with the state ---- */

static enum sg_err view_read(struct purge_view *view)
{
    struct sge_purge batch[BATCH];
    uint32_t count;
    enum sg_err err = sge_state_begin(view->reader);
    if (err != SG_OK)
        return err;
    do {
        count =
            sge_state_purges_after(view->reader, sge_purgetable_newest(view->table), batch, BATCH);
        for (uint32_t i = 0; i < count; i++)
            sge_purgetable_add(view->table, &batch[i]);
    } while (count == BATCH);
    view->version = sge_state_reader_version(view->reader);
    sge_state_end(view->reader);
    return SG_OK;
}

static bool view_refresh(struct sge_purges *purges, struct purge_view *view)
{
    if (view->version == sge_state_version(purges->state))
        return true;
    enum sg_err err = view_read(view);
    if (err != SG_OK && !view->failing)
        sg_error("purges: the state can't be read (%s): nothing stored is used", sg_err_text(err));
    view->failing = err != SG_OK;
    return err == SG_OK;
}

uint64_t sge_purges_seq(struct sge_purges *purges, uint16_t worker)
{
    SG_ASSERT(worker < purges->workers);
    struct purge_view *view = &purges->views[worker];
    (void)view_refresh(purges, view); /* an older number only means more checks */
    return sge_purgetable_newest(view->table);
}

enum sge_purged sge_purges_check(struct sge_purges *purges, uint16_t worker,
                                 struct sge_object *object)
{
    SG_ASSERT(worker < purges->workers);
    struct purge_view *view = &purges->views[worker];
    if (!view_refresh(purges, view))
        return SGE_PURGED_HARD;
    uint64_t since = atomic_load_explicit(&object->purge_checked_seq, memory_order_acquire);
    uint64_t newest = sge_purgetable_newest(view->table);
    if (since >= newest)
        return SGE_PURGED_NOT;
    enum sge_purged got = sge_purgetable_check(view->table, &object->meta, since);
    if (got == SGE_PURGED_HARD)
        return got;
    if (got == SGE_PURGED_SOFT)
        atomic_store_explicit(&object->stale_forced, true, memory_order_relaxed);
    /* Release: who sees this number sees stale_forced too. Another worker may have gone further. */
    while (since < newest &&
           !atomic_compare_exchange_weak_explicit(&object->purge_checked_seq, &since, newest,
                                                  memory_order_release, memory_order_acquire)) {
    }
    return got;
}

/* ---- open, close ---- */

static enum sg_err view_init(struct sge_purges *purges, struct purge_view *view)
{
    enum sg_err err = sge_state_reader_open(purges->state, &view->reader);
    if (err != SG_OK)
        return err;
    err = sge_purgetable_open(&view->table);
    return err == SG_OK ? view_read(view) : err;
}

static void view_fini(struct purge_view *view)
{
    sge_purgetable_close(view->table);
    sge_state_reader_close(view->reader);
}

enum sg_err sge_purges_open(struct sge_state *state, uint32_t workers, struct sge_purges **out)
{
    SG_ASSERT(state != NULL);
    SG_ASSERT(workers > 0 && workers <= SGE_WORKERS_MAX);
    struct sge_purges *purges = sg_boot_alloc(sizeof(*purges));
    if (purges == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ENOMEM;
    purges->state = state;
    purges->workers = workers;
    purges->views = sg_boot_alloc_array(workers, sizeof(*purges->views));
    if (purges->views == NULL)
        goto out;
    err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < workers; i++)
        err = view_init(purges, &purges->views[i]);
    if (err == SG_OK)
        *out = SG_TAKE(purges);
out:
    sge_purges_close(purges);
    return err;
}

void sge_purges_close(struct sge_purges *purges)
{
    if (purges == NULL)
        return;
    for (uint32_t i = 0; purges->views != NULL && i < purges->workers; i++)
        view_fini(&purges->views[i]);
    sg_boot_free(purges->views);
    sg_boot_free(purges);
}
