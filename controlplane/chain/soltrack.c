#include "controlplane/chain/soltrack.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/chain/chainlock.h"
#include "controlplane/chain/solask.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WAIT_CLOSED_MS 5000 /* where the last turn showed that something can't be right */
#define QUORUM_TRIES   10   /* a wake-up comes from the quickest server: the others follow */
#define QUORUM_STEP_MS 100

struct sgc_soltrack {
    struct sgc_soltrack_options options;
    struct sgc_solwant *wants;
    struct sgc_servers *servers;
    struct sgc_solfollow *follow; /* NULL until the lock is ours, and after a rebuild */
    struct sgc_solhear *hear;     /* NULL: it polls */
    bool is_new;                  /* `follow`, to `hear` */
    bool is_behind;               /* the next turn is due at once */
    char dir[PATH_MAX], lock_file[PATH_MAX];
    int lock_fd;
    uint64_t slot, slot_s; /* the last head, and when it first was one */
    uint64_t turns, turns_failed;

    pthread_t thread;
    bool running;
    atomic_bool stop, rebuild;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t wake;
    uint64_t woken_slot; /* 0: nobody woke us */
    bool discover;
    struct sgc_follow_status status;
};

/* ---- a turn ---- */

static enum sg_err take_lock(struct sgc_soltrack *track)
{
    if (track->lock_fd >= 0 || track->lock_file[0] == '\0')
        return SG_OK;
    /* In an upgrade the old process follows until it drains. */
    return sgc_chainlock_take(track->lock_file, &track->stop, &track->lock_fd);
}

static enum sg_err begin(struct sgc_soltrack *track)
{
    const struct sgc_solfollow_options options = {.chain = track->options.chain,
                                                  .servers = track->servers,
                                                  .ledger = track->options.ledger,
                                                  .dir = track->dir,
                                                  .wants = track->wants,
                                                  .wants_count = track->options.wants_count};
    enum sg_err err = take_lock(track);
    if (err == SG_OK && atomic_exchange(&track->rebuild, false)) {
        sg_warn("chain %s: forgotten, as asked; it is seen anew", track->status.chain);
        sgc_solfollow_close(SG_TAKE(track->follow));
        err = sgc_ledger_forget_chain(track->options.ledger, &track->options.chain);
    }
    if (err != SG_OK || track->follow != NULL)
        return err;
    track->is_new = true;
    return sgc_solfollow_open(&options, &track->follow);
}

/* A head that does not move has its own time from when it came: late_s sees a chain that stands. */
static void tell(struct sgc_soltrack *track, const struct sgc_solfollow_stats *stats)
{
    uint64_t now_ns = sg_clock_wall_ns();
    if (stats->head != track->slot) {
        track->slot = stats->head;
        track->slot_s = now_ns / SG_NS_PER_SEC;
    }
    struct sge_chain chain = {.id = sge_chain_id(&track->options.chain),
                              .head = stats->head,
                              .safe = stats->safe,
                              .head_s = track->slot_s,
                              .heard_ns = now_ns,
                              .late_s = track->options.late_s};
    memcpy(chain.name, track->status.chain, sizeof(chain.name));
    track->options.heard(track->options.ctx, &chain);
}

static enum sgc_follow_state state_after(enum sg_err err)
{
    if (err == SG_EAGAIN || err == SG_ETIMEDOUT || err == SG_ESTALE)
        return SGC_FOLLOW_WAITING;
    return err == SG_OK ? SGC_FOLLOW_FOLLOWING : SGC_FOLLOW_CLOSED;
}

static const char *reason(enum sg_err err)
{
    switch ((int)err) {
    case SG_OK:
        return "";
    case SG_EAGAIN:
        return "too few servers say the same, or another process follows it";
    case SG_EINVAL:
        return "the servers are of another chain";
    default:
        return sg_err_text(err);
    }
}

static void note(struct sgc_soltrack *track, enum sg_err err,
                 const struct sgc_solfollow_stats *stats)
{
    struct sgc_follow_status *status = &track->status;
    enum sgc_follow_state was = status->state;
    track->turns++;
    track->turns_failed += err != SG_OK;
    pthread_mutex_lock(&track->lock);
    status->state = state_after(err);
    snprintf(status->why, sizeof(status->why), "%s", reason(err));
    status->head = status->latest = stats->head;
    status->safe = stats->safe;
    status->head_s = track->slot_s;
    status->heard_ns = err == SG_OK ? sg_clock_wall_ns() : status->heard_ns;
    status->contracts = track->options.wants_count;
    status->joined = stats->turns > 0 ? track->options.wants_count : 0;
    status->refused = stats->not_one;
    status->counts.turns = track->turns;
    status->counts.turns_failed = track->turns_failed;
    status->counts.events = stats->changes;
    status->solana.mints = stats->mints;
    status->solana.holders = stats->holders;
    status->solana.pending = stats->pending;
    status->solana.lookups = stats->lookups;
    sgc_servers_stats(track->servers, &status->servers);
    pthread_mutex_unlock(&track->lock);
    if (was == status->state)
        return;
    if (status->state == SGC_FOLLOW_FOLLOWING)
        sg_info("chain %s: following at slot %llu", status->chain,
                (unsigned long long)status->head);
    else
        sg_warn("chain %s: %s: %s", status->chain, sgc_follow_state_text(status->state),
                status->why);
}

static void take_wake(struct sgc_soltrack *track, uint64_t *slot, bool *discover)
{
    pthread_mutex_lock(&track->lock);
    *slot = track->woken_slot;
    *discover = track->discover;
    track->woken_slot = 0;
    track->discover = false;
    pthread_mutex_unlock(&track->lock);
}

/* Until a quorum is where the one is that woke us: servers that are a slot apart would seem to
 * disagree. What none of them reaches is looked at all the same. */
static enum sg_err await_slot(struct sgc_soltrack *track, uint64_t slot, bool is_final)
{
    enum sgc_sol_commitment commitment = is_final ? SGC_SOL_FINALIZED : SGC_SOL_CONFIRMED;
    uint64_t reached = 0;
    for (uint32_t i = 0; i < QUORUM_TRIES && slot != 0 && !atomic_load(&track->stop); i++) {
        enum sg_err err = sgc_solask_slot(track->servers, commitment, &reached);
        if (err != SG_OK || reached >= slot)
            return err;
        nanosleep(&(struct timespec){.tv_nsec = QUORUM_STEP_MS * (long)SG_NS_PER_MS}, NULL);
    }
    return SG_OK;
}

static enum sg_err turn(struct sgc_soltrack *track)
{
    struct sgc_solfollow_stats stats = {.head = 0};
    uint64_t slot;
    bool discover;
    enum sg_err err = begin(track);
    take_wake(track, &slot, &discover);
    if (err == SG_OK && discover)
        sgc_solfollow_discover(track->follow);
    if (err == SG_OK)
        err = await_slot(track, slot, discover);
    if (err == SG_OK)
        err = sgc_solfollow_turn(track->follow, sg_clock_mono_ns());
    if (track->follow != NULL)
        sgc_solfollow_stats(track->follow, &stats);
    track->is_behind = stats.is_behind;
    if (err == SG_OK && track->hear != NULL) {
        sgc_solhear_accounts(track->hear, sgc_solfollow_watch(track->follow), track->is_new);
        track->is_new = false;
    }
    if (err == SG_OK)
        tell(track, &stats);
    if (err != SG_ECANCELED)
        note(track, err, &stats);
    return err;
}

/* ---- the thread ---- */

static uint64_t rest_ms(const struct sgc_soltrack *track, enum sg_err err)
{
    if (state_after(err) == SGC_FOLLOW_CLOSED)
        return WAIT_CLOSED_MS;
    return track->woken_slot != 0 || track->is_behind
               ? SG_MIN(track->options.poll_ms, (uint32_t)SGC_SOLTRACK_WAKE_MS)
               : track->options.poll_ms;
}

static void rest(struct sgc_soltrack *track, enum sg_err err, uint64_t began_ns)
{
    pthread_mutex_lock(&track->lock);
    while (!atomic_load(&track->stop) && !atomic_load(&track->rebuild)) {
        uint64_t until_ns = began_ns + rest_ms(track, err) * SG_NS_PER_MS;
        struct timespec until = {.tv_sec = (time_t)(until_ns / SG_NS_PER_SEC),
                                 .tv_nsec = (long)(until_ns % SG_NS_PER_SEC)};
        if (sg_clock_mono_ns() >= until_ns)
            break;
        (void)pthread_cond_timedwait(&track->wake, &track->lock, &until);
    }
    pthread_mutex_unlock(&track->lock);
}

static void *track_main(void *arg)
{
    struct sgc_soltrack *track = arg;
    (void)pthread_setname_np(pthread_self(), "sg-soltrack");
    while (!atomic_load(&track->stop)) {
        uint64_t began_ns = sg_clock_mono_ns();
        enum sg_err err = turn(track);
        if (err == SG_ECANCELED)
            break;
        rest(track, err, began_ns);
    }
    return NULL;
}

void sgc_soltrack_wake(struct sgc_soltrack *track, uint64_t slot, bool discover)
{
    pthread_mutex_lock(&track->lock);
    track->woken_slot = SG_MAX(slot, 1ull);
    track->discover |= discover;
    pthread_cond_signal(&track->wake);
    pthread_mutex_unlock(&track->lock);
}

static void on_heard(void *ctx, uint64_t slot, bool discover)
{
    sgc_soltrack_wake(ctx, slot, discover);
}

bool sgc_soltrack_hearing(struct sgc_soltrack *track, struct sgc_solhear_stats *out)
{
    if (track->hear != NULL)
        sgc_solhear_stats(track->hear, out);
    return track->hear != NULL;
}

static void wake(struct sgc_soltrack *track, atomic_bool *why)
{
    pthread_mutex_lock(&track->lock);
    atomic_store(why, true);
    pthread_cond_signal(&track->wake);
    pthread_mutex_unlock(&track->lock);
}

void sgc_soltrack_rebuild(struct sgc_soltrack *track)
{
    wake(track, &track->rebuild);
}

void sgc_soltrack_status(struct sgc_soltrack *track, struct sgc_follow_status *out)
{
    pthread_mutex_lock(&track->lock);
    *out = track->status;
    pthread_mutex_unlock(&track->lock);
}

/* ---- open ---- */

static enum sg_err hear_open(struct sgc_soltrack *track, const struct sgc_soltrack_options *options)
{
    const struct sgc_solhear_options hear = {.servers = options->ws_servers,
                                             .servers_count = options->ws_servers_count,
                                             .wants = options->wants,
                                             .wants_count = options->wants_count,
                                             .wake = on_heard,
                                             .ctx = track};
    return sgc_solhear_open(&hear, &track->hear);
}

static enum sg_err track_init(struct sgc_soltrack *track,
                              const struct sgc_soltrack_options *options)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&track->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&track->wake, &attr);
    pthread_condattr_destroy(&attr);
    struct sg_out name = sg_out_init(track->status.chain, sizeof(track->status.chain) - 1);
    track->options = *options;
    track->lock_fd = -1;
    sg_caip_chain_put(&name, &options->chain);
    const char *lock_file = options->lock_file != NULL ? options->lock_file : "";
    if (snprintf(track->dir, sizeof(track->dir), "%s", options->dir) >= (int)sizeof(track->dir) ||
        snprintf(track->lock_file, sizeof(track->lock_file), "%s", lock_file) >=
            (int)sizeof(track->lock_file))
        return SG_EMSGSIZE;
    track->wants = sg_boot_alloc_array(options->wants_count, sizeof(*track->wants));
    if (track->wants == NULL)
        return SG_ENOMEM;
    memcpy(track->wants, options->wants, options->wants_count * sizeof(*track->wants));
    enum sg_err err = sgc_servers_open(&options->servers, &track->servers);
    return err == SG_OK && options->ws_servers_count > 0 ? hear_open(track, options) : err;
}

/* All signals are the main thread's. */
static enum sg_err thread_start(struct sgc_soltrack *track)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err_no = pthread_create(&track->thread, NULL, track_main, track);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    track->running = err_no == 0;
    return err_no == 0 ? SG_OK : sg_err_from_errno(err_no);
}

enum sg_err sgc_soltrack_open(const struct sgc_soltrack_options *options, struct sgc_soltrack **out)
{
    SG_ASSERT(options->chain.ns == SG_CAIP_SOLANA && options->heard != NULL);
    SG_ASSERT(options->wants_count > 0 && options->wants_count <= SGC_SOLWANTS_MAX);
    struct sgc_soltrack *track = sg_boot_alloc(sizeof(*track));
    if (track == NULL)
        return SG_ENOMEM;
    enum sg_err err = track_init(track, options);
    if (err == SG_OK)
        err = thread_start(track);
    if (err == SG_OK)
        *out = SG_TAKE(track);
    sgc_soltrack_close(track);
    return err;
}

void sgc_soltrack_close(struct sgc_soltrack *track)
{
    if (track == NULL)
        return;
    if (track->running) {
        sgc_servers_cancel(track->servers);
        wake(track, &track->stop);
        pthread_join(track->thread, NULL);
    }
    sgc_solhear_close(track->hear);
    sgc_solfollow_close(track->follow);
    if (track->servers != NULL)
        sgc_servers_close(track->servers);
    if (track->lock_fd >= 0)
        close(track->lock_fd);
    pthread_cond_destroy(&track->wake);
    pthread_mutex_destroy(&track->lock);
    sg_boot_free(track->wants);
    sg_boot_free(track);
}
