/* The uring engine's frame: memory, the ring, and one turn. */
#include "dataplane/engine/uring/uring_engine.h"

#include "base/alloc.h"
#include "base/log.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- opening ---- */

static enum sg_err engine_pool(struct sg_pool *pool, uint32_t count, size_t bytes)
{
    enum sg_err err = sg_pool_init(pool, count, bytes);
    if (err == SG_OK) /* large pages make fewer fragments; not having them is no error */
        (void)madvise(pool->memory, count * bytes, MADV_HUGEPAGE);
    return err;
}

static enum sg_err engine_memory(struct sgd_engine *engine)
{
    uint32_t conns = engine->worker->snapshot->config->limits.connections;
    SG_ASSERT(conns > 0);
    enum sg_err err = sg_pool_init(&engine->conns, conns, sizeof(struct sgd_conn));
    if (err == SG_OK)
        err = sg_pool_init(&engine->tls, conns, sizeof(struct sgd_ue_tls));
    if (err == SG_OK)
        err = sg_pool_init(&engine->batches, SGD_UE_BATCH_COUNT, sizeof(struct sgd_ue_batch));
    if (err == SG_OK)
        err = engine_pool(&engine->small, SGD_UE_SMALL_COUNT, SGD_UE_SMALL_BYTES);
    if (err == SG_OK)
        err = engine_pool(&engine->records, SGD_UE_RECORD_COUNT, SGD_UE_RECORD_BYTES);
    return err;
}

static uint32_t buffers_add(struct iovec *buffers, uint32_t *count, const uint8_t *base,
                            size_t bytes)
{
    uint32_t first = *count;
    for (size_t at = 0; at < bytes; at += SGD_UE_BUFFER_BYTES) {
        if (*count == SGD_UE_BUFFERS_MAX) {
            *count = first;
            return SGD_RING_NO_BUFFER;
        }
        size_t len = SG_MIN(bytes - at, SGD_UE_BUFFER_BYTES);
        buffers[(*count)++] = (struct iovec){(void *)(uintptr_t)(base + at), len};
    }
    return first;
}

static void engine_unregistered(struct sgd_engine *engine)
{
    engine->record_buffer = SGD_RING_NO_BUFFER;
    for (size_t i = 0; i < engine->regions_count; i++)
        engine->regions[i].first_buffer = SGD_RING_NO_BUFFER;
}

/* Registers what may be sent without copies. Where that is refused, sends copy: slower, and said.
 */
static void engine_register(struct sgd_engine *engine)
{
    struct iovec buffers[SGD_UE_BUFFERS_MAX];
    uint32_t count = 0;
    engine->record_buffer = buffers_add(buffers, &count, engine->records.memory,
                                        engine->records.item_count * engine->records.item_bytes);
    for (size_t i = 0; i < engine->regions_count; i++) {
        struct sgd_ue_region *region = &engine->regions[i];
        region->first_buffer = buffers_add(buffers, &count, region->base, region->bytes);
    }
    enum sg_err err = sgd_ring_register(engine->ring, buffers, count);
    if (err == SG_OK)
        return;
    sg_warn("engine: memory for sending without copies was not registered (%s): sends copy; raise "
            "the limit of locked memory",
            sg_err_text(err));
    engine_unregistered(engine);
}

static enum sg_err engine_regions(struct sgd_engine *engine, const struct sgd_region *regions,
                                  size_t count)
{
    engine->regions = sg_boot_alloc_array(SG_MAX(count, (size_t)1), sizeof(*engine->regions));
    if (engine->regions == NULL)
        return SG_ENOMEM;
    engine->regions_count = count;
    for (size_t i = 0; i < count; i++)
        engine->regions[i] =
            (struct sgd_ue_region){regions[i].base, regions[i].bytes, SGD_RING_NO_BUFFER};
    return SG_OK;
}

static void engine_init(struct sgd_engine *engine, struct sgd_worker *worker)
{
    engine->magic = sgd_engine_MAGIC;
    engine->worker = worker;
    engine->now_ns = sg_clock_mono_ns();
    engine->accepting = engine->zc_reports = true;
    sg_list_init(&engine->conns_live);
    sg_list_init(&engine->ready);
    sg_list_init(&engine->starved_recv);
    sg_list_init(&engine->starved_send);
    sg_list_init(&engine->sending);
    sgd_wheel_init(&engine->wheel, engine->now_ns);
    sgd_timer_init(&engine->accept_again);
}

static void engine_free(struct sgd_engine *engine)
{
    if (engine == NULL)
        return;
    sgd_ring_close(engine->ring);
    sgd_ue_recv_close(engine);
    sg_pool_fini(&engine->conns);
    sg_pool_fini(&engine->tls);
    sg_pool_fini(&engine->batches);
    sg_pool_fini(&engine->small);
    sg_pool_fini(&engine->records);
    sg_boot_free(engine->regions);
    sgd_ue_accept_close(engine);
    sg_boot_free(engine);
}

static enum sg_err engine_open(struct sgd_worker *worker, const struct sgd_region *regions,
                               size_t regions_count, const struct sgd_listener *listeners,
                               size_t listeners_count, struct sgd_engine **out)
{
    SG_ASSERT(worker != NULL && worker->snapshot != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_engine *engine = sg_boot_alloc(sizeof(*engine));
    if (engine == NULL)
        return SG_ENOMEM;
    engine_init(engine, worker);
    enum sg_err err = sgd_ring_open(SGD_UE_RING_ENTRIES, &engine->ring);
    if (err == SG_OK)
        err = engine_memory(engine);
    if (err == SG_OK)
        err = engine_regions(engine, regions, regions_count);
    if (err == SG_OK)
        err = sgd_ue_accept_open(engine, listeners, listeners_count);
    if (err == SG_OK)
        err = sgd_ue_recv_open(engine);
    if (err != SG_OK)
        goto out;
    engine_register(engine);
    *out = SG_TAKE(engine);
out:
    engine_free(engine);
    return err;
}

/* ---- a turn ---- */

static void engine_run_ready(struct sgd_engine *engine)
{
    struct sg_list *node;
    for (uint32_t i = 0; i < SGD_UE_RUNS_A_TURN; i++) {
        if ((node = sg_list_pop_front(&engine->ready)) == NULL)
            return;
        sgd_ue_conn_run(sg_list_entry(node, struct sgd_conn, ready));
    }
}

static void engine_arm(struct sgd_engine *engine)
{
    if (engine->waking)
        return;
    engine->waking = true;
    sgd_ring_poll_multishot(engine->ring, sg_mail_wake_fd(engine->worker->mail, engine->worker->id),
                            POLLIN, sgd_ue_tag_of(engine, SGD_UE_TAG_WAKE));
}

static void engine_woken(struct sgd_engine *engine, const struct sgd_cqe *cqe)
{
    uint64_t count;
    ssize_t n =
        read(sg_mail_wake_fd(engine->worker->mail, engine->worker->id), &count, sizeof(count));
    (void)n; /* EAGAIN: read before */
    if (!cqe->more)
        engine->waking = false;
}

static void engine_dispatch(struct sgd_engine *engine, const struct sgd_cqe *cqe)
{
    void *object = (void *)(uintptr_t)(cqe->tag & ~(uint64_t)SGD_UE_TAG_MASK);
    switch ((enum sgd_ue_tag)(cqe->tag & SGD_UE_TAG_MASK)) {
    case SGD_UE_TAG_NONE: /* a cancellation that found nothing */
        break;
    case SGD_UE_TAG_ACCEPT:
        sgd_ue_accept_done(object, cqe);
        break;
    case SGD_UE_TAG_WAKE:
        engine_woken(engine, cqe);
        break;
    case SGD_UE_TAG_RECV:
        sgd_ue_recv_done(SG_CAST(sgd_conn, object), cqe);
        break;
    case SGD_UE_TAG_SEND:
        sgd_ue_send_done(SG_CAST(sgd_ue_batch, object), cqe);
        break;
    case SGD_UE_TAG_POLL:
        sgd_ue_send_polled(SG_CAST(sgd_conn, object));
        break;
    case SGD_UE_TAG_MASK:
        SG_UNREACHABLE();
    }
}

static uint32_t engine_completions(struct sgd_engine *engine)
{
    uint32_t total = 0, taken;
    do {
        taken = sgd_ring_take(engine->ring, engine->cqes, SG_COUNT(engine->cqes));
        for (uint32_t i = 0; i < taken; i++)
            engine_dispatch(engine, &engine->cqes[i]);
        total += taken;
    } while (taken == SG_COUNT(engine->cqes) && total < SGD_UE_CQES_A_TURN);
    return total;
}

static uint32_t engine_timers(struct sgd_engine *engine)
{
    uint32_t count = 0;
    struct sgd_timer *timer;
    while (count < SGD_UE_TIMERS_A_TURN &&
           (timer = sgd_wheel_expire(&engine->wheel, engine->now_ns)) != NULL) {
        sgd_ue_conn_timer(engine, timer);
        count++;
    }
    return count;
}

/* Sleeps only where nobody wrote to us meanwhile. */
static void engine_wait(struct sgd_engine *engine, uint64_t wake_at_ns)
{
    struct sgd_worker *worker = engine->worker;
    uint64_t now_ns = sg_clock_mono_ns();
    uint64_t until_ns = SG_MIN(wake_at_ns, sgd_wheel_next_ns(&engine->wheel));
    if (!sg_list_empty(&engine->ready) || until_ns <= now_ns ||
        sg_mail_sleep_begin(worker->mail, worker->id)) {
        sgd_ring_wait(engine->ring, 0);
        return;
    }
    sgd_worker_offline(worker);
    sgd_ring_wait(engine->ring, SG_MIN(until_ns - now_ns, SG_NS_PER_SEC));
    sgd_worker_online(worker);
    sg_mail_sleep_end(worker->mail, worker->id);
}

static uint32_t engine_turn(struct sgd_engine *engine, uint64_t wake_at_ns)
{
    uint64_t accept_at_ns = sgd_ue_accept_turn(engine);
    engine_arm(engine);
    engine_run_ready(engine);
    engine->waits++;
    engine_wait(engine, SG_MIN(wake_at_ns, accept_at_ns));
    sgd_worker_tick(engine->worker);
    engine->now_ns = engine->worker->now_ns;
    uint32_t events = engine_completions(engine);
    events += engine_timers(engine);
    sgd_ue_recv_upkeep(engine);
    sgd_ue_send_upkeep(engine);
    engine_run_ready(engine);
    return events;
}

/* ---- the rest of the table ---- */

static bool engine_letting_go(const struct sgd_engine *engine)
{
    return engine->listeners_leaving > 0;
}

static void engine_each_conn(struct sgd_engine *engine,
                             void (*visit)(struct sgd_conn *conn, const struct sgd_proto *proto,
                                           void *self, void *arg),
                             void *arg)
{
    sg_list_for_each_safe(node, &engine->conns_live)
    {
        struct sgd_conn *conn = sg_list_entry(node, struct sgd_conn, all);
        if (conn->proto != NULL)
            visit(conn, conn->proto, conn->self, arg);
    }
}

static uint32_t engine_conn_count(const struct sgd_engine *engine)
{
    return engine->conns_count;
}

/* Aborts all, and gives the kernel a while to let go of the memory: it must, before that goes. */
static void engine_close(struct sgd_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->accepting)
        sgd_ue_accept_stop(engine);
    engine->closing = true;
    sg_list_for_each_safe(node, &engine->conns_live)
    {
        struct sgd_conn *conn = sg_list_entry(node, struct sgd_conn, all);
        sgd_ue_conn_die(conn, SGD_CLOSE_drained, true);
    }
    for (int i = 0; i < 1000 && sg_pool_in_use(&engine->conns) > 0; i++) {
        engine_run_ready(engine);
        sgd_ring_wait(engine->ring, 10 * SG_NS_PER_MS);
        engine_completions(engine);
    }
    engine_run_ready(engine);
    engine_free(engine);
}

const struct sgd_engine_ops sgd_engine_uring = {
    .name = "uring",
    .open = engine_open,
    .turn = engine_turn,
    .listen = sgd_ue_accept_listen,
    .letting_go = engine_letting_go,
    .stop_accepting = sgd_ue_accept_stop,
    .each_conn = engine_each_conn,
    .conn_count = engine_conn_count,
    .close = engine_close,
};
