#include "controlplane/chain/followin.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/chain/chainlock.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_CLOSED_MS 5000 /* where the last turn showed that something can't be right */

const char *sgc_follow_state_text(enum sgc_follow_state state)
{
    static const char *const texts[] = {
#define SGC_FOLLOW_STATE_TEXT(name, text) [SGC_FOLLOW_##name] = text,
        SGC_FOLLOW_STATES(SGC_FOLLOW_STATE_TEXT)
#undef SGC_FOLLOW_STATE_TEXT
    };
    SG_ASSERT((size_t)state < sizeof(texts) / sizeof(texts[0]));
    return texts[state];
}

enum sg_err sgc_follow_fault(struct sgc_follow *follow, enum sg_err err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(follow->why, sizeof(follow->why), fmt, args);
    va_end(args);
    return err;
}

/* ---- a turn ---- */

/* Contracts that nobody asks about any more are not read further, and say so in the ledger. */
static enum sg_err leave_others(struct sgc_follow *follow)
{
    uint64_t sources[SGC_FOLLOW_CONTRACTS_MAX];
    uint32_t count = sgc_ledger_sources(follow->options.ledger, &follow->options.chain, sources,
                                        SGC_FOLLOW_CONTRACTS_MAX);
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < count && err == SG_OK; i++) {
        bool asked = false;
        for (uint32_t j = 0; j < follow->contracts_count && !asked; j++)
            asked = follow->contracts[j].contract.source == sources[i];
        if (!asked)
            err = sgc_ledger_leave(follow->options.ledger, &follow->options.chain, sources[i]);
    }
    return err;
}

/* In an upgrade the old process follows until it drains. */
static enum sg_err take_lock(struct sgc_follow *follow)
{
    enum sg_err err = sgc_chainlock_take(follow->lock_file, &follow->stop, &follow->lock_fd);
    if (err == SG_EAGAIN)
        return sgc_follow_fault(follow, err, "another process follows it");
    return err == SG_OK
               ? SG_OK
               : sgc_follow_fault(follow, err, "%s: %s", follow->lock_file, sg_err_text(err));
}

/* Once, before anything else. */
static enum sg_err begin(struct sgc_follow *follow)
{
    enum sg_err err = SG_OK;
    if (follow->begun)
        return SG_OK;
    if (follow->lock_file != NULL)
        err = take_lock(follow);
    if (err == SG_OK)
        err = leave_others(follow);
    follow->begun = err == SG_OK;
    return err;
}

static enum sg_err check_chain(struct sgc_follow *follow)
{
    uint64_t id;
    if (follow->right_chain)
        return SG_OK;
    enum sg_err err = sgc_agreed_chain_id(follow->servers, &id);
    if (err == SG_OK && id != follow->options.chain.evm_id)
        err = sgc_follow_fault(follow, SG_EINVAL, "the servers are of chain eip155:%llu",
                               (unsigned long long)id);
    follow->right_chain = err == SG_OK;
    return err;
}

static enum sg_err rebuild(struct sgc_follow *follow)
{
    if (!atomic_exchange(&follow->rebuild, false))
        return SG_OK;
    sg_warn("chain %s: forgotten, as asked; it is read anew", follow->status.chain);
    for (uint32_t i = 0; i < follow->contracts_count; i++) {
        follow->contracts[i].known = follow->contracts[i].refused = false;
        follow->contracts[i].to = 0;
    }
    return sgc_ledger_forget_chain(follow->options.ledger, &follow->options.chain);
}

static enum sg_err turn(struct sgc_follow *follow)
{
    bool more = true;
    enum sg_err err = begin(follow);
    if (err == SG_OK)
        err = check_chain(follow);
    follow->turn_until_ns = sg_clock_mono_ns() + (uint64_t)follow->options.poll_ms * SG_NS_PER_MS;
    if (err == SG_OK)
        err = rebuild(follow);
    if (err == SG_OK)
        err = sgc_followhead_turn(follow);
    while (err == SG_OK && more && !atomic_load(&follow->stop) &&
           sg_clock_mono_ns() < follow->turn_until_ns)
        err = sgc_history_turn(follow, &more);
    return err;
}

/* ---- what others see ---- */

static enum sgc_follow_state state_after(const struct sgc_follow *follow, enum sg_err err)
{
    if (err == SG_EAGAIN || err == SG_ETIMEDOUT || err == SG_ESTALE)
        return SGC_FOLLOW_WAITING;
    if (err != SG_OK)
        return SGC_FOLLOW_CLOSED;
    for (uint32_t i = 0; i < follow->contracts_count; i++)
        if (follow->contracts[i].told && follow->contracts[i].to != SGC_LEDGER_JOINED &&
            !follow->contracts[i].refused)
            return SGC_FOLLOW_READING;
    return SGC_FOLLOW_FOLLOWING;
}

static void count_contracts(const struct sgc_follow *follow, struct sgc_follow_status *status)
{
    status->contracts = follow->contracts_count;
    status->joined = status->refused = 0;
    status->history_to = 0;
    for (uint32_t i = 0; i < follow->contracts_count; i++) {
        const struct sgc_followed *followed = &follow->contracts[i];
        bool joined = followed->known && followed->to == SGC_LEDGER_JOINED;
        status->refused += followed->refused;
        status->joined += !followed->refused && joined;
        if (!followed->refused && !joined &&
            (status->history_to == 0 || followed->to < status->history_to))
            status->history_to = followed->to;
    }
}

static void tell_state(struct sgc_follow *follow, enum sgc_follow_state was)
{
    const struct sgc_follow_status *status = &follow->status;
    if (status->state == SGC_FOLLOW_CLOSED)
        sg_error("chain %s: closed: %s", status->chain, status->why);
    else if (status->state == SGC_FOLLOW_WAITING)
        sg_warn("chain %s: waits: %s", status->chain, status->why);
    else
        sg_info("chain %s: %s at block %llu (was %s)", status->chain,
                sgc_follow_state_text(status->state), (unsigned long long)status->head,
                sgc_follow_state_text(was));
}

static void note(struct sgc_follow *follow, enum sg_err err)
{
    struct sgc_follow_status *status = &follow->status;
    follow->counts.turns++;
    follow->counts.turns_failed += err != SG_OK;
    follow->right_chain &= err == SG_OK; /* what is there may be another by now */
    pthread_mutex_lock(&follow->lock);
    enum sgc_follow_state was = status->state;
    status->state = state_after(follow, err);
    status->why[0] = '\0';
    if (err != SG_OK)
        snprintf(status->why, sizeof(status->why), "%s",
                 follow->why[0] != '\0' ? follow->why
                 : err == SG_EAGAIN     ? "too few servers say the same"
                                        : sg_err_text(err));
    status->head = follow->at.head;
    status->safe = follow->at.safe;
    status->head_s = follow->at.head_s;
    status->latest = follow->latest.number;
    status->heard_ns = follow->heard_ns;
    status->odd = follow->at.odd;
    status->undone = follow->at.undone;
    status->counts = follow->counts;
    count_contracts(follow, status);
    sgc_servers_stats(follow->servers, &status->servers);
    pthread_mutex_unlock(&follow->lock);
    follow->why[0] = '\0';
    if (was != status->state)
        tell_state(follow, was);
}

void sgc_follow_status(struct sgc_follow *follow, struct sgc_follow_status *out)
{
    pthread_mutex_lock(&follow->lock);
    *out = follow->status;
    pthread_mutex_unlock(&follow->lock);
}

/* ---- the thread ---- */

/* Until it is time, or somebody wakes us; a quorum that was missing is back as soon as a server
 * that was left out may be asked again. */
static void rest(struct sgc_follow *follow, enum sg_err err)
{
    struct timespec until;
    uint64_t at_ns = follow->turn_until_ns, now_ns = sg_clock_mono_ns();
    if (err != SG_OK && state_after(follow, err) == SGC_FOLLOW_CLOSED)
        at_ns = now_ns + WAIT_CLOSED_MS * SG_NS_PER_MS;
    else if (err == SG_EAGAIN)
        at_ns = SG_MIN(at_ns, sgc_servers_due_ns(follow->servers));
    until.tv_sec = (time_t)(at_ns / SG_NS_PER_SEC);
    until.tv_nsec = (long)(at_ns % SG_NS_PER_SEC);
    pthread_mutex_lock(&follow->lock);
    while (!follow->woken && !atomic_load(&follow->stop) && sg_clock_mono_ns() < at_ns)
        (void)pthread_cond_timedwait(&follow->wake, &follow->lock, &until);
    follow->woken = false;
    pthread_mutex_unlock(&follow->lock);
}

static void *follow_main(void *arg)
{
    struct sgc_follow *follow = arg;
    (void)pthread_setname_np(pthread_self(), "sg-follow");
    while (!atomic_load(&follow->stop)) {
        enum sg_err turned = turn(follow);
        if (turned == SG_ECANCELED)
            break;
        note(follow, turned);
        rest(follow, turned);
    }
    return NULL;
}

void sgc_follow_wake(struct sgc_follow *follow)
{
    pthread_mutex_lock(&follow->lock);
    follow->woken = true;
    pthread_cond_signal(&follow->wake);
    pthread_mutex_unlock(&follow->lock);
}

void sgc_follow_rebuild(struct sgc_follow *follow)
{
    atomic_store(&follow->rebuild, true);
    sgc_follow_wake(follow);
}

/* ---- open ---- */

static void name_chain(struct sgc_follow *follow)
{
    struct sg_out out = sg_out_init(follow->status.chain, sizeof(follow->status.chain) - 1);
    sg_caip_chain_put(&out, &follow->options.chain);
}

static enum sg_err follow_init(struct sgc_follow *follow, const struct sgc_follow_options *options)
{
    uint32_t count = options->contracts_count;
    follow->options = *options;
    follow->options.contracts = NULL; /* they are ours now */
    follow->options.lock_file = NULL;
    if (options->lock_file != NULL) {
        size_t bytes = strlen(options->lock_file) + 1;
        follow->lock_file = sg_boot_alloc(bytes);
        if (follow->lock_file == NULL)
            return SG_ENOMEM;
        memcpy(follow->lock_file, options->lock_file, bytes);
    }
    follow->contracts = sg_boot_alloc_array(count != 0 ? count : 1, sizeof(*follow->contracts));
    if (follow->contracts == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        follow->contracts[i].contract = options->contracts[i];
    follow->contracts_count = count;
    sgc_evm_init(&follow->evm);
    name_chain(follow);
    return sgc_servers_open(&options->servers, &follow->servers);
}

/* All signals are the main thread's. */
static enum sg_err thread_start(struct sgc_follow *follow)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err_no = pthread_create(&follow->thread, NULL, follow_main, follow);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err_no != 0)
        return sg_err_from_errno(err_no);
    follow->running = true;
    return SG_OK;
}

static void locks_init(struct sgc_follow *follow)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&follow->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&follow->wake, &attr);
    pthread_condattr_destroy(&attr);
}

enum sg_err sgc_follow_open(const struct sgc_follow_options *options, struct sgc_follow **out)
{
    SG_ASSERT(options->chain.ns == SG_CAIP_EIP155 && options->heard != NULL);
    SG_ASSERT(options->contracts_count <= SGC_FOLLOW_CONTRACTS_MAX);
    struct sgc_follow *follow = sg_boot_alloc(sizeof(*follow));
    if (follow == NULL)
        return SG_ENOMEM;
    locks_init(follow);
    follow->lock_fd = -1;
    enum sg_err err = follow_init(follow, options);
    if (err == SG_OK)
        err = thread_start(follow);
    if (err != SG_OK)
        goto out;
    *out = SG_TAKE(follow);
out:
    sgc_follow_close(follow);
    return err;
}

void sgc_follow_close(struct sgc_follow *follow)
{
    if (follow == NULL)
        return;
    if (follow->running) {
        atomic_store(&follow->stop, true);
        sgc_servers_cancel(follow->servers);
        sgc_follow_wake(follow);
        pthread_join(follow->thread, NULL);
    }
    if (follow->servers != NULL)
        sgc_servers_close(follow->servers);
    if (follow->lock_fd >= 0)
        close(follow->lock_fd);
    sg_boot_free(follow->lock_file);
    pthread_cond_destroy(&follow->wake);
    pthread_mutex_destroy(&follow->lock);
    sg_boot_free(follow->contracts);
    sg_boot_free(follow);
}
