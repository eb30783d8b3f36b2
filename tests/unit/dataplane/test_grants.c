#include "tests/sgt.h"

#include "base/alloc.h"
#include "dataplane/gate/grants.h"
#include "tests/unit/dataplane/signin_world.h"

#include <poll.h>
#include <semaphore.h>
#include <unistd.h>

/* One worker (mail id 0) before a pool of two threads and those that ask chains. */
#define THREADS 2
#define JOBS    32

struct pool_world {
    struct signin_world *viewer;
    struct sg_mail *mail;
    struct sgd_grants *grants;
    struct sgd_signin_job *jobs;
};

static int set_up(void **fixture)
{
    static struct pool_world world;
    void *viewer;
    struct pool_world *w = &world;
    if (signin_set_up(&viewer) != 0)
        return 1;
    *w = (struct pool_world){.viewer = viewer};
    w->jobs = sg_boot_alloc_array(JOBS, sizeof(*w->jobs));
    *fixture = w;
    return w->jobs == NULL ||
           sg_mail_open(1 + THREADS + SGD_GRANTS_ASKERS, 64, &w->mail) != SG_OK ||
           sgd_grants_open(w->mail, w->viewer->gate.state, 1, THREADS, &w->grants) != SG_OK;
}

static int tear_down(void **fixture)
{
    struct pool_world *w = *fixture;
    void *viewer = w->viewer;
    sgd_grants_close(w->grants);
    sg_mail_close(w->mail);
    sg_boot_free(w->jobs);
    return signin_tear_down(&viewer);
}

static struct sgd_signin_job *post(struct pool_world *w, uint32_t i, struct sgd_signin_ask ask)
{
    struct sgd_signin_job *job = &w->jobs[i];
    ask.gate = w->viewer->gate.gate;
    ask.site = w->viewer->gate.site;
    ask.https = true;
    ask.authority = SG_STR("video.example:8443");
    ask.wall_ns = w->viewer->gate.now_s * SG_NS_PER_SEC;
    *job = (struct sgd_signin_job){.magic = sgd_signin_job_MAGIC, .from = 0, .ask = ask};
    assert_true(sgd_grants_post(w->grants, job));
    return job;
}

/* As many as are asked for, in whatever order they come. Returns how many of them ended so: only
 * what came back may be looked at. */
static uint32_t take(struct pool_world *w, uint32_t count, enum sgd_grant_verdict verdict)
{
    struct sg_msg messages[JOBS];
    struct pollfd wake = {sg_mail_wake_fd(w->mail, 0), POLLIN, 0};
    uint64_t ignored;
    uint32_t ended = 0;
    while (count > 0) {
        uint32_t came = sg_mail_take(w->mail, 0, messages, count);
        for (uint32_t i = 0; i < came; i++)
            ended += SG_CAST(sgd_signin_job, messages[i].ptr[0])->answer.verdict == verdict;
        count -= came;
        if (count > 0 && !sg_mail_sleep_begin(w->mail, 0)) {
            assert_int_equal(poll(&wake, 1, 20000), 1);
            assert_true(read(wake.fd, &ignored, sizeof(ignored)) == sizeof(ignored));
            sg_mail_sleep_end(w->mail, 0);
        }
    }
    return ended;
}

static struct sgd_signin_ask grant_of(struct signin_world *viewer)
{
    static char proof[4096];
    struct sg_str said = signin_proof(viewer, "grant", NULL);
    memcpy(proof, said.ptr, said.len);
    return (struct sgd_signin_ask){.kind = SGD_SIGNIN_GRANT,
                                   .path = SG_STR(SIGNIN_ROOT "grant"),
                                   .proof = {proof, said.len},
                                   .body = sg_str_from(viewer->body),
                                   .body_is_json = true};
}

static void what_is_posted_comes_back_answered(void **fixture)
{
    struct pool_world *w = *fixture;
    assert_int_equal(signin_challenge(w->viewer, ""), SGD_GRANT_allowed);
    signin_make_body(w->viewer);
    struct sgd_signin_job *good = post(w, 0, grant_of(w->viewer));
    assert_int_equal(take(w, 1, SGD_GRANT_allowed), 1);
    assert_true(good->answer.json.len > 100 && good->busy_us > 0);
}

static void of_many_at_once_with_one_proof_or_one_nonce_one_is_let_in(void **fixture)
{
    struct pool_world *w = *fixture;
    assert_int_equal(signin_challenge(w->viewer, ""), SGD_GRANT_allowed);
    signin_make_body(w->viewer);
    struct sgd_signin_ask ask = grant_of(w->viewer);
    for (uint32_t i = 0; i < JOBS; i++)
        post(w, i, ask);
    assert_int_equal(take(w, JOBS, SGD_GRANT_allowed), 1);
    for (uint32_t i = 0; i < JOBS; i++)
        assert_true(w->jobs[i].answer.verdict == SGD_GRANT_allowed ||
                    w->jobs[i].answer.verdict == SGD_GRANT_proof_replayed);
}

/* ---- chains ---- */

static sem_t chain_gate;

static enum sg_err chain_waits(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                               uint8_t out[64])
{
    (void)ctx, (void)grant, (void)timeout_ms, (void)out;
    while (sem_wait(&chain_gate) != 0)
        continue;
    return SG_EAUTH;
}

static void whoever_waits_for_a_chain_is_in_nobodys_way(void **fixture)
{
    struct pool_world *w = *fixture;
    const struct sgd_onchain hook = {NULL, chain_waits};
    sem_init(&chain_gate, 0, 0);
    sgd_grants_set_onchain(w->grants, &hook);
    w->viewer->alg = "on-chain";
    assert_int_equal(signin_challenge(w->viewer, ""), SGD_GRANT_allowed);
    signin_make_body(w->viewer);
    struct sgd_signin_ask slow = grant_of(w->viewer);
    char body[SGD_SIGNIN_BODY_BYTES], proof[4096];
    slow.body.ptr = memcpy(body, slow.body.ptr, slow.body.len);
    slow.proof.ptr = memcpy(proof, slow.proof.ptr, slow.proof.len);
    for (uint32_t i = 0; i < 20; i++)
        post(w, i, slow);
    assert_int_equal(take(w, 4, SGD_GRANT_busy), 4); /* 16 wait; for more there is no room */
    w->viewer->alg = "siwe";
    assert_int_equal(signin_challenge(w->viewer, ""), SGD_GRANT_allowed);
    signin_make_body(w->viewer);
    post(w, 20, grant_of(w->viewer));
    assert_int_equal(take(w, 1, SGD_GRANT_allowed), 1);
    for (int i = 0; i < 16; i++)
        sem_post(&chain_gate);
    assert_int_equal(take(w, 16, SGD_GRANT_signature), 16);
    sem_destroy(&chain_gate);
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct pool_world *w = *fixture;
    enum sg_err err = SG_ENOMEM;
    sgd_grants_close(w->grants);
    w->grants = NULL;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_grants_open(w->mail, w->viewer->gate.state, 1, THREADS, &w->grants);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? w->grants != NULL : w->grants == NULL && err == SG_ENOMEM);
    }
}

static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    T(what_is_posted_comes_back_answered),
    T(of_many_at_once_with_one_proof_or_one_nonce_one_is_let_in),
    T(whoever_waits_for_a_chain_is_in_nobodys_way),
    T(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("grants", tests)
