#include "dataplane/delivery/delivery.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "dataplane/delivery/core.h"
#include "dataplane/delivery/fill.h"
#include "dataplane/delivery/filling.h"
#include "dataplane/delivery/prefetch.h"
#include "dataplane/delivery/wellknown.h"

/* Of the exchanges that may run at once, how many may wait for content, and how many fetches and
 * uploads may run for them. Memory is touched only when used. */
#define WANTS_OF(exchanges)   ((exchanges) / 2 + 64)
#define FILLS_OF(exchanges)   ((exchanges) / 8 + 64)
#define UPLOADS_OF(exchanges) ((exchanges) / 32 + 16)

static enum sg_err open_pools(struct sgd_delivery *d, uint32_t exchanges)
{
    enum sg_err err = sg_pool_init(&d->exchanges, exchanges, sgd_exchange_bytes());
    if (err == SG_OK)
        err = sg_pool_init(&d->wants, WANTS_OF(exchanges), sizeof(struct sgd_want));
    if (err == SG_OK)
        err = sg_pool_init(&d->fills, FILLS_OF(exchanges), sgd_fill_bytes());
    if (err == SG_OK)
        err = sg_pool_init(&d->uploads, UPLOADS_OF(exchanges), sizeof(struct sgd_upload));
    if (err == SG_OK)
        err = sg_pool_init(&d->signins, SG_MAX(d->worker->snapshot->config->gate.verify_queue, 1u),
                           sizeof(struct sgd_signin_job));
    return err;
}

enum sg_err sgd_delivery_open(struct sgd_worker *worker, uint32_t exchanges_max,
                              struct sgd_delivery **out)
{
    SG_ASSERT(worker != NULL);
    SG_ASSERT(out != NULL);
    SG_ASSERT(exchanges_max > 0);
    struct sgd_delivery *d = sg_boot_alloc(sizeof(*d));
    if (d == NULL)
        return SG_ENOMEM;
    d->worker = worker;
    for (size_t i = 0; i < SGD_FILL_BUCKETS; i++)
        sg_list_init(&d->fills_by_key[i]);
    for (size_t i = 0; i < SGD_WAIT_BUCKETS; i++)
        sg_list_init(&d->waiting[i]);
    sg_list_init(&d->outbox);
    sg_list_init(&d->stuck);
    sg_list_init(&d->alive);
    sg_list_init(&d->patient);
    d->salt = sg_clock_wall_ns() ^ (uint64_t)worker->id << 56;
    d->request_serial = (uint64_t)worker->id << 56 | sg_clock_wall_ns() / SG_NS_PER_MS << 14;
    enum sg_err err = open_pools(d, exchanges_max);
    if (err == SG_OK)
        err = sgd_prefetch_open(&d->prefetch);
    if (err != SG_OK)
        goto out;
    *out = SG_TAKE(d);
out:
    sgd_delivery_close(d);
    return err;
}

void sgd_delivery_close(struct sgd_delivery *d)
{
    if (d == NULL)
        return;
    sgd_prefetch_close(d->prefetch);
    sg_pool_fini(&d->exchanges);
    sg_pool_fini(&d->wants);
    sg_pool_fini(&d->fills);
    sg_pool_fini(&d->uploads);
    sg_pool_fini(&d->signins);
    sg_boot_free(d);
}

void sgd_delivery_message(struct sgd_delivery *d, const struct sg_msg *msg)
{
    struct sge_event event;
    if (msg->type == SGE_MSG_BODY_MOVED) {
        sgd_exchange_body_moved(d, msg->ptr[0]);
    } else if (msg->type >= SGE_MSG_FIRST && msg->type <= SGE_MSG_LAST) {
        if (sge_shard_message(d->worker->shard, msg, &event))
            sgd_fill_store_event(d, &event);
    } else if (msg->type >= SGD_FETCH_HEAD && msg->type < SGD_FETCH_LAST) {
        sgd_fill_fetch_event(d, msg);
    } else if (msg->type == SGD_MSG_SIGNIN) {
        sgd_wellknown_got(d, SG_CAST(sgd_signin_job, msg->ptr[0]));
    } else if (msg->type == SGD_MSG_HINTS) {
        sgd_exchange_hinted(d, SG_CAST(sgd_want, msg->ptr[0]));
    } else if (msg->type == SGD_MSG_WANT) {
        sgd_fill_want(d, SG_CAST(sgd_want, msg->ptr[0]));
    } else {
        SG_ASSERT(msg->type == SGD_MSG_GOT);
        sgd_exchange_got(d, SG_CAST(sgd_want, msg->ptr[0]));
    }
}

/* The volume is one for all workers: the first one's counters show it. */
static void set_volume_gauges(struct sgd_delivery *d)
{
    struct sge_stats *stats = d->worker->stats;
    struct sge_volume_counts counts;
    if (!sge_content_volume_counts(d->worker->content, &counts))
        return;
    sge_stat_set(stats, SGE_STAT_disk_objects, counts.objects);
    sge_stat_set(stats, SGE_STAT_disk_kept, counts.kept);
    sge_stat_set(stats, SGE_STAT_disk_dropped, counts.dropped);
    sge_stat_set(stats, SGE_STAT_disk_readmitted, counts.readmitted);
    sge_stat_set(stats, SGE_STAT_disk_reads, counts.reads);
    sge_stat_set(stats, SGE_STAT_disk_writes, counts.writes);
    sge_stat_set(stats, SGE_STAT_disk_errors,
                 counts.read_errors + counts.write_errors + counts.record_errors +
                     counts.index_errors);
    sge_stat_set(stats, SGE_STAT_disk_read_errors, counts.read_errors);
    sge_stat_set(stats, SGE_STAT_disk_write_errors, counts.write_errors);
    sge_stat_set(stats, SGE_STAT_disk_record_errors, counts.record_errors);
    sge_stat_set(stats, SGE_STAT_disk_index_errors, counts.index_errors);
}

static void set_gauges(struct sgd_delivery *d, uint64_t now_ns)
{
    struct sge_stats *stats = d->worker->stats;
    struct sge_shard_counts counts;
    if (now_ns - d->gauges_ns < 100 * SG_NS_PER_MS)
        return;
    d->gauges_ns = now_ns;
    sge_shard_counts(d->worker->shard, &counts);
    sge_stat_set(stats, SGE_STAT_arena_used_bytes, counts.used_bytes);
    sge_stat_set(stats, SGE_STAT_arena_no_room, counts.no_room);
    sge_stat_set(stats, SGE_STAT_stored_objects, counts.objects);
    sge_stat_set(stats, SGE_STAT_evicted_objects, counts.evicted_objects);
    sge_stat_set(stats, SGE_STAT_evicted_slices, counts.evicted_slices);
    sge_stat_set(stats, SGE_STAT_disk_look_ups, counts.looks);
    sge_stat_set(stats, SGE_STAT_disk_found, counts.looked_up);
    sge_stat_set(stats, SGE_STAT_disk_not_kept, counts.not_kept);
    if (d->worker->id == 0)
        set_volume_gauges(d);
}

uint64_t sgd_delivery_turn(struct sgd_delivery *d, uint64_t now_ns)
{
    set_gauges(d, now_ns);
    sgd_want_outbox(d);
    uint64_t wake_ns = sgd_fill_turn(d, now_ns);
    sgd_exchange_timeouts(d, now_ns);
    if (!sg_list_empty(&d->outbox))
        wake_ns = SG_MIN(wake_ns, now_ns + SG_NS_PER_MS);
    if (!sg_list_empty(&d->patient))
        wake_ns = SG_MIN(wake_ns, now_ns + SG_NS_PER_SEC);
    return wake_ns;
}

uint32_t sgd_delivery_busy(const struct sgd_delivery *d)
{
    return sg_pool_in_use(&d->exchanges) + sg_pool_in_use(&d->wants) + sg_pool_in_use(&d->fills) +
           sg_pool_in_use(&d->signins);
}

void sgd_delivery_abort(struct sgd_delivery *d)
{
    sgd_fill_abandon_all(d);
}
