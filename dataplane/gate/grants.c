#include "dataplane/gate/grants.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/gate/gate.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICE         10 /* a tenth of a worker's weight where there is not enough for both */
#define MESSAGES_MAX 16
#define CHAIN_MAX    16       /* that wait at one asker: the others' jobs are not for them */
#define FULL_NS      1000000l /* until a full ring is tried again */

struct verifier {
    struct sgd_grants *grants;
    uint16_t index;
    struct sgd_signin_clerk clerk;
    pthread_t thread;
    bool running;
};

struct sgd_grants {
    struct sg_mail *mail;
    uint16_t first_mail_id;
    uint32_t threads; /* the last SGD_GRANTS_ASKERS ask chains */
    _Atomic uint32_t next;
    _Atomic uint32_t asked[SGD_GRANTS_ASKERS]; /* jobs with each of these */
    _Atomic bool stop;
    struct sgd_signin_desk desk;
    struct verifier *verifiers;
};

/* ---- a thread ---- */

static uint16_t mail_id_of(const struct sgd_grants *grants, uint32_t index)
{
    return (uint16_t)(grants->first_mail_id + index);
}

/* A ring is only full while a worker stands still: its jobs are fewer than a ring's messages. */
static void tell(struct verifier *v, uint16_t to, struct sgd_signin_job *job)
{
    const struct timespec pause = {0, FULL_NS};
    const struct sg_msg msg = {.type = SGD_MSG_SIGNIN, .ptr = {job}};
    while (!sg_mail_send(v->grants->mail, mail_id_of(v->grants, v->index), to, &msg))
        if (atomic_load_explicit(&v->grants->stop, memory_order_acquire) ||
            nanosleep(&pause, NULL) != 0)
            return;
}

static uint32_t checkers(const struct sgd_grants *grants)
{
    return grants->threads - SGD_GRANTS_ASKERS;
}

/* One for each tenant, so that no tenant's chain is in the way of most others. */
static uint32_t asker_of(const struct sgd_signin_job *job)
{
    struct sgd_gate_terms terms;
    bool open = sgd_gate_terms(job->ask.gate, job->ask.site, &terms);
    SG_ASSERT(open); /* or no chain would be asked */
    return terms.tenant_id % SGD_GRANTS_ASKERS;
}

/* To the thread that may wait for a chain. False: too many wait there. */
static bool pass_on(struct verifier *v, struct sgd_signin_job *job)
{
    uint32_t asker = asker_of(job);
    _Atomic uint32_t *asked = &v->grants->asked[asker];
    if (atomic_fetch_add_explicit(asked, 1, memory_order_relaxed) >= CHAIN_MAX) {
        atomic_fetch_sub_explicit(asked, 1, memory_order_relaxed);
        return false;
    }
    job->chain_until_ns = sg_clock_mono_ns() + SGD_SIGNIN_CHAIN_MS * SG_NS_PER_MS;
    tell(v, mail_id_of(v->grants, checkers(v->grants) + asker), job);
    return true;
}

static void work(struct verifier *v, struct sgd_signin_job *job)
{
    uint64_t began_ns = sg_clock_mono_ns();
    job->answer.json = sg_out_init(job->json, sizeof(job->json));
    job->answer.cookie = sg_out_init(job->cookie, sizeof(job->cookie));
    bool asks = v->index >= checkers(v->grants);
    v->clerk.wait_until_ns = asks ? job->chain_until_ns : 0;
    sgd_signin(&v->clerk, &job->ask, &job->answer);
    job->busy_us += (uint32_t)((sg_clock_mono_ns() - began_ns) / SG_NS_PER_US);
    if (asks) {
        SG_ASSERT(job->answer.verdict != SGD_GRANT_on_chain);
        atomic_fetch_sub_explicit(&v->grants->asked[v->index - checkers(v->grants)], 1,
                                  memory_order_relaxed);
    } else if (job->answer.verdict == SGD_GRANT_on_chain) {
        if (pass_on(v, job))
            return;
        job->answer.verdict = SGD_GRANT_busy;
    }
    tell(v, job->from, job);
}

static void sleep_for_mail(struct verifier *v)
{
    struct sg_mail *mail = v->grants->mail;
    uint16_t me = mail_id_of(v->grants, v->index);
    struct pollfd wake = {.fd = sg_mail_wake_fd(mail, me), .events = POLLIN};
    uint64_t ignored;
    if (sg_mail_sleep_begin(mail, me) || atomic_load(&v->grants->stop))
        return;
    (void)poll(&wake, 1, -1);
    while (read(wake.fd, &ignored, sizeof(ignored)) > 0)
        continue;
    sg_mail_sleep_end(mail, me);
}

static void *verifier_main(void *arg)
{
    struct verifier *v = arg;
    struct sg_msg messages[MESSAGES_MAX];
    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE) != 0)
        sg_warn("a verifying thread runs at the workers' priority");
    while (!atomic_load_explicit(&v->grants->stop, memory_order_acquire)) {
        uint16_t me = mail_id_of(v->grants, v->index);
        uint32_t count = sg_mail_take(v->grants->mail, me, messages, MESSAGES_MAX);
        for (uint32_t i = 0; i < count; i++)
            work(v, SG_CAST(sgd_signin_job, messages[i].ptr[0]));
        if (count == 0)
            sleep_for_mail(v);
    }
    return NULL;
}

/* ---- opening ---- */

static enum sg_err verifier_start(struct verifier *v)
{
    sigset_t all, before;
    char name[16];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int failed = pthread_create(&v->thread, NULL, verifier_main, v);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return sg_err_from_errno(failed);
    v->running = true;
    snprintf(name, sizeof(name), "sg-grant-%u", v->index);
    pthread_setname_np(v->thread, name);
    return SG_OK;
}

static enum sg_err verifier_open(struct sgd_grants *grants, struct sge_state *state, uint16_t index)
{
    struct verifier *v = &grants->verifiers[index];
    v->grants = grants;
    v->index = index;
    v->clerk.desk = &grants->desk;
    v->clerk.geo = sg_boot_alloc(sizeof(*v->clerk.geo));
    if (v->clerk.geo == NULL)
        return SG_ENOMEM;
    return sge_state_reader_open(state, &v->clerk.reader);
}

enum sg_err sgd_grants_open(struct sg_mail *mail, struct sge_state *state, uint16_t first_mail_id,
                            uint32_t threads, struct sgd_grants **out)
{
    SG_ASSERT(mail != NULL && state != NULL && out != NULL);
    SG_ASSERT(threads > 0 && threads <= SGD_GRANTS_THREADS_MAX - SGD_GRANTS_ASKERS);
    struct sgd_grants *grants = sg_boot_alloc(sizeof(*grants));
    if (grants == NULL)
        return SG_ENOMEM;
    grants->mail = mail;
    grants->first_mail_id = first_mail_id;
    grants->threads = threads + SGD_GRANTS_ASKERS;
    enum sg_err err = sgd_signin_desk_init(&grants->desk);
    if (err == SG_OK) {
        grants->verifiers = sg_boot_alloc_array(grants->threads, sizeof(*grants->verifiers));
        err = grants->verifiers == NULL ? SG_ENOMEM : SG_OK;
    }
    for (uint16_t i = 0; i < grants->threads && err == SG_OK; i++)
        err = verifier_open(grants, state, i);
    for (uint16_t i = 0; i < grants->threads && err == SG_OK; i++)
        err = verifier_start(&grants->verifiers[i]);
    if (err == SG_OK)
        *out = SG_TAKE(grants);
    sgd_grants_close(grants);
    return err;
}

void sgd_grants_close(struct sgd_grants *grants)
{
    if (grants == NULL)
        return;
    atomic_store_explicit(&grants->stop, true, memory_order_release);
    for (uint32_t i = 0; grants->verifiers != NULL && i < grants->threads; i++) {
        struct verifier *v = &grants->verifiers[i];
        if (v->running) {
            sg_mail_wake(grants->mail, mail_id_of(grants, i));
            pthread_join(v->thread, NULL);
        }
        sge_state_reader_close(v->clerk.reader);
        sg_boot_free(v->clerk.geo);
    }
    sg_boot_free(grants->verifiers);
    sgd_signin_desk_fini(&grants->desk);
    sg_boot_free(grants);
}

void sgd_grants_set_onchain(struct sgd_grants *grants, const struct sgd_onchain *onchain)
{
    atomic_store(&grants->desk.onchain, onchain);
}

bool sgd_grants_post(struct sgd_grants *grants, struct sgd_signin_job *job)
{
    const struct sg_msg msg = {.type = SGD_MSG_SIGNIN, .ptr = {job}};
    uint32_t turn = atomic_fetch_add_explicit(&grants->next, 1, memory_order_relaxed);
    return sg_mail_send(grants->mail, job->from, mail_id_of(grants, turn % checkers(grants)), &msg);
}

struct sgd_budget *sgd_grants_budget(struct sgd_grants *grants)
{
    return grants->desk.budget;
}
