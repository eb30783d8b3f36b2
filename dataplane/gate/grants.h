/* grants - the threads that check what wallets signed, so that no delivery worker does: a worker
 * fills a job, posts it by mail, and gets it back by mail when it is answered. Queues are bounded
 * by the jobs that a worker has; the threads are nicer than the workers, so a flood of bad grants
 * takes no time from a segment. What must ask a chain goes on to one of a few more threads, each
 * tenant's always to the same one, and waits there without being in the way of others. */
#ifndef SGD_GATE_GRANTS_H
#define SGD_GATE_GRANTS_H

#include "base/mail.h"
#include "dataplane/gate/signin.h"

#define SGD_GRANTS_ASKERS      4 /* threads for chains */
#define SGD_GRANTS_THREADS_MAX (16 + SGD_GRANTS_ASKERS)

enum sgd_grants_msg {
    SGD_MSG_SIGNIN = 0x500, /* ptr[0] job: to a thread, or back to the worker it came from */
};

struct sgd_snapshot;

/* One sign-in. The worker's until it is posted and from when it is back; `owner` is its own. */
struct sgd_signin_job {
    SG_MAGIC_FIELD;
#define sgd_signin_job_MAGIC 0x7369676e
    uint16_t from; /* worker */
    void *owner;
    struct sgd_snapshot *snapshot; /* whose gate it is; the worker holds it */
    struct sgd_signin_ask ask;     /* its texts lie in texts[] */
    struct sgd_signin_answer answer;
    uint32_t busy_us;        /* that the threads worked on it */
    uint64_t chain_until_ns; /* so long it waits for a chain, once it must */
    char cookie[SGD_TOKEN_TEXT_MAX + 4096];
    char json[SGD_SIGNIN_TEXT_BYTES];
    size_t texts_used;
    char texts[SGD_SIGNIN_BODY_BYTES + 24 * 1024];
};

struct sgd_grants;
/* Mail ids from `first_mail_id` on, `threads` and SGD_GRANTS_ASKERS of them, are the pool's. */
SG_MUST_USE enum sg_err sgd_grants_open(struct sg_mail *mail, struct sge_state *state,
                                        uint16_t first_mail_id, uint32_t threads,
                                        struct sgd_grants **out);
/* After the workers stopped: jobs under way are left as they are. Accepts NULL. */
void sgd_grants_close(struct sgd_grants *grants);
/* Who asks chains, from now on; must outlive the pool. Any thread. */
void sgd_grants_set_onchain(struct sgd_grants *grants, const struct sgd_onchain *onchain);

/* On worker job->from. False: the thread's mailbox is full. */
SG_MUST_USE bool sgd_grants_post(struct sgd_grants *grants, struct sgd_signin_job *job);
struct sgd_budget *sgd_grants_budget(struct sgd_grants *grants);

#endif
