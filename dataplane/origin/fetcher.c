#include "dataplane/origin/fetcher.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/origin/health.h"
#include "dataplane/origin/pools.h"
#include "dataplane/origin/transfer.h"

#include <signal.h>
#include <stdio.h>

#define TICK_NS      (20 * SG_NS_PER_MS) /* how exact a transfer's time limits are */
#define RING_FULL_NS SG_NS_PER_MS        /* until a full ring is tried again */
#define MESSAGES_MAX 64
#define FAREWELL_NS  (200 * SG_NS_PER_MS) /* for the last DONEs when a worker's ring is full */

static void on_message(struct sgd_fetcher *fetcher, const struct sg_msg *msg)
{
    struct sgd_fetch *fetch = msg->ptr[0];
    if (msg->type == SGD_FETCHER_START) {
        sgd_transfer_start(fetcher, fetch);
        return;
    }
    struct sgd_transfer *transfer = sgd_transfer_find(fetcher, fetch, msg->from);
    if (transfer == NULL)
        return; /* it crossed DONE */
    switch ((enum sgd_fetcher_msg)msg->type) {
    case SGD_FETCHER_WINDOW:
        sgd_transfer_window(transfer, msg->ptr[1], msg->arg32);
        return;
    case SGD_FETCHER_BODY:
        sgd_transfer_body(transfer, msg->ptr[1], msg->arg32, msg->arg64 != 0);
        return;
    case SGD_FETCHER_ABORT:
        sgd_transfer_abort(transfer);
        return;
    case SGD_FETCHER_START:
        break;
    }
    SG_UNREACHABLE();
}

/* Returns whether there may be more. */
static bool take_mail(struct sgd_fetcher *fetcher)
{
    struct sg_msg messages[MESSAGES_MAX];
    uint32_t count = sg_mail_take(fetcher->mail, fetcher->mail_id, messages, MESSAGES_MAX);
    for (uint32_t i = 0; i < count; i++)
        on_message(fetcher, &messages[i]);
    return count == MESSAGES_MAX;
}

static void tick(struct sgd_fetcher *fetcher)
{
    if (fetcher->now_ns < fetcher->tick_ns)
        return;
    fetcher->tick_ns = fetcher->now_ns + TICK_NS;
    sg_list_for_each_safe(it, &fetcher->transfers)
        sgd_transfer_tick(sg_list_entry(it, struct sgd_transfer, all));
}

static void tell_workers(struct sgd_fetcher *fetcher)
{
    sg_list_for_each_safe(it, &fetcher->untold)(void)
        sgd_transfer_tell(sg_list_entry(it, struct sgd_transfer, untold));
}

/* ---- pools come and go ---- */

void sgd_fetchers_welcome(struct sgd_fetchers *fetchers, struct sgd_pools *pools)
{
    pools->next_fresh = atomic_load_explicit(&fetchers->fresh, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&fetchers->fresh, &pools->next_fresh, pools,
                                                  memory_order_release, memory_order_relaxed))
        ;
    sg_mail_wake(fetchers->mail, fetchers->first_mail_id);
}

void sgd_fetchers_bury(struct sgd_fetchers *fetchers, struct sgd_pools *pools)
{
    pools->next_dead = atomic_load_explicit(&fetchers->dead, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&fetchers->dead, &pools->next_dead, pools,
                                                  memory_order_release, memory_order_relaxed))
        ;
    sg_mail_wake(fetchers->mail, fetchers->first_mail_id);
}

/* The dead are taken first: each of them is then alive here, or among the fresh. */
static void turn_pools(struct sgd_fetcher *fetcher)
{
    struct sgd_fetchers *all = fetcher->fetchers;
    struct sgd_pools *dead = atomic_exchange_explicit(&all->dead, NULL, memory_order_acquire);
    struct sgd_pools *fresh = atomic_exchange_explicit(&all->fresh, NULL, memory_order_acquire);
    if (fresh != NULL)
        fetcher->health_ns = 0;
    for (; fresh != NULL; fresh = fresh->next_fresh)
        sg_list_push_back(&fetcher->pools, &fresh->alive);
    while (dead != NULL) {
        struct sgd_pools *next = dead->next_dead;
        sgd_health_stop(dead->health);
        sg_list_remove(&dead->alive);
        sgd_pools_free(dead);
        dead = next;
    }
}

static void turn_health(struct sgd_fetcher *fetcher)
{
    if (fetcher->now_ns < fetcher->health_ns)
        return;
    fetcher->health_ns = SG_NEVER;
    sg_list_for_each_safe(it, &fetcher->pools)
    {
        struct sgd_pools *pools = sg_list_entry(it, struct sgd_pools, alive);
        uint64_t due_ns = sgd_health_turn(pools->health, fetcher->curl, fetcher->now_ns);
        fetcher->health_ns = SG_MIN(fetcher->health_ns, due_ns);
    }
}

/* ---- the loop ---- */

static void sleep_until_due(struct sgd_fetcher *fetcher)
{
    uint64_t until_ns = fetcher->health_ns;
    if (!sg_list_empty(&fetcher->untold))
        until_ns = SG_MIN(until_ns, fetcher->now_ns + RING_FULL_NS);
    else if (!sg_list_empty(&fetcher->transfers))
        until_ns = SG_MIN(until_ns, fetcher->tick_ns);
    if (sg_mail_sleep_begin(fetcher->mail, fetcher->mail_id)) {
        sgd_curl_wait(fetcher->curl, 0); /* mail is there: only look */
        return;
    }
    sgd_curl_wait(fetcher->curl, until_ns);
    sg_mail_sleep_end(fetcher->mail, fetcher->mail_id);
}

static void farewell(struct sgd_fetcher *fetcher)
{
    uint64_t until_ns = sg_clock_mono_ns() + FAREWELL_NS;
    sg_list_for_each_safe(it, &fetcher->pools)
        sgd_health_stop(sg_list_entry(it, struct sgd_pools, alive)->health);
    while (take_mail(fetcher)) /* what was started and not seen yet is owed its DONE too */
        ;
    sg_list_for_each_safe(it, &fetcher->transfers)
        sgd_transfer_abort(sg_list_entry(it, struct sgd_transfer, all));
    while (!sg_list_empty(&fetcher->untold) && sg_clock_mono_ns() < until_ns) {
        tell_workers(fetcher);
        sgd_curl_wait(fetcher->curl, sg_clock_mono_ns() + RING_FULL_NS);
    }
}

static void *fetcher_main(void *arg)
{
    struct sgd_fetcher *fetcher = arg;
    for (;;) {
        fetcher->now_ns = sg_clock_mono_ns();
        (void)take_mail(fetcher);
        sgd_curl_turn(fetcher->curl);
        /* Asked after the turn emptied the wake-up: else it could swallow the one that says stop.
         */
        if (atomic_load_explicit(&fetcher->fetchers->stop, memory_order_acquire))
            break;
        tick(fetcher);
        sgd_lanes_turn(fetcher);
        tell_workers(fetcher);
        if (fetcher->index == 0) {
            turn_pools(fetcher);
            turn_health(fetcher);
        }
        sleep_until_due(fetcher);
    }
    farewell(fetcher);
    return NULL;
}

/* All signals are the main thread's; and with SIGPIPE blocked, a write to a connection that is gone
 * is an error and no more. */
static enum sg_err thread_start(struct sgd_fetcher *fetcher)
{
    sigset_t all, before;
    char name[16];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err_no = pthread_create(&fetcher->thread, NULL, fetcher_main, fetcher);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err_no != 0)
        return sg_err_from_errno(err_no);
    fetcher->running = true;
    snprintf(name, sizeof(name), "sg-fetch-%u", fetcher->index);
    pthread_setname_np(fetcher->thread, name);
    return SG_OK;
}

static enum sg_err fetcher_init(struct sgd_fetchers *fetchers, uint16_t index)
{
    struct sgd_fetcher *fetcher = &fetchers->fetchers[index];
    fetcher->fetchers = fetchers;
    fetcher->mail = fetchers->mail;
    fetcher->mail_id = (uint16_t)(fetchers->first_mail_id + index);
    fetcher->index = index;
    sg_list_init(&fetcher->transfers);
    sg_list_init(&fetcher->untold);
    sg_list_init(&fetcher->ready);
    sg_list_init(&fetcher->pools);
    fetcher->health_ns = SG_NEVER;
    fetcher->target = sg_boot_alloc(SGD_FETCHER_TARGET_BYTES);
    fetcher->fields = sg_boot_alloc(SGD_FETCHER_FIELD_BYTES);
    if (fetcher->target == NULL || fetcher->fields == NULL)
        return SG_ENOMEM;
    return sgd_curl_open(sg_mail_wake_fd(fetcher->mail, fetcher->mail_id), &fetcher->curl);
}

static void fetcher_fini(struct sgd_fetcher *fetcher)
{
    sgd_curl_close(fetcher->curl);
    sg_boot_free(fetcher->target);
    sg_boot_free(fetcher->fields);
}

void sgd_fetchers_close(struct sgd_fetchers *fetchers)
{
    if (fetchers == NULL)
        return;
    atomic_store_explicit(&fetchers->stop, true, memory_order_release);
    for (uint32_t i = 0; fetchers->fetchers != NULL && i < fetchers->threads; i++) {
        struct sgd_fetcher *fetcher = &fetchers->fetchers[i];
        if (fetcher->running) {
            sg_mail_wake(fetchers->mail, fetcher->mail_id);
            pthread_join(fetcher->thread, NULL);
        }
        fetcher_fini(fetcher);
    }
    if (fetchers->fetchers != NULL)
        turn_pools(&fetchers->fetchers[0]);
    SG_ASSERT(atomic_load(&fetchers->pools_alive) == 0);
    sg_boot_free(fetchers->fetchers);
    sg_boot_free(fetchers);
}

enum sg_err sgd_fetchers_open(struct sg_mail *mail, uint16_t first_mail_id, uint32_t threads,
                              struct sgd_fetchers **out)
{
    SG_ASSERT(mail != NULL);
    SG_ASSERT(threads > 0 && threads <= SGD_FETCHERS_MAX);
    enum sg_err err = SG_ENOMEM;
    struct sgd_fetchers *fetchers = sg_boot_alloc(sizeof(*fetchers));
    if (fetchers == NULL)
        return SG_ENOMEM;
    fetchers->mail = mail;
    fetchers->first_mail_id = first_mail_id;
    fetchers->threads = threads;
    fetchers->fetchers = sg_boot_alloc_array(threads, sizeof(*fetchers->fetchers));
    if (fetchers->fetchers == NULL)
        goto out;
    for (uint16_t i = 0; i < threads; i++) {
        err = fetcher_init(fetchers, i);
        if (err != SG_OK)
            goto out;
    }
    for (uint16_t i = 0; i < threads; i++) {
        err = thread_start(&fetchers->fetchers[i]);
        if (err != SG_OK)
            goto out;
    }
    *out = SG_TAKE(fetchers);
out:
    sgd_fetchers_close(fetchers);
    return err;
}
