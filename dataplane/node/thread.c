#include "dataplane/node/thread.h"

#include "base/log.h"
#include "dataplane/delivery/delivery.h"
#include "dataplane/gate/gate.h"
#include "dataplane/http/http1.h"
#include "dataplane/tls/handshake.h"
#include "dataplane/tls/record.h"

#include <sched.h>
#include <stdio.h>

#define HANDSHAKES_MAX 2048u /* under way at once, a worker */
#define PARTIALS_MAX   4096u

static const struct sgd_handshake_next protocols = {.http1 = sgd_http1_start};

static void thread_pin(const struct sgd_thread *thread)
{
    cpu_set_t set;
    if (thread->core < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)thread->core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        sg_warn("worker %u: not bound to core %d", thread->worker.id, thread->core);
}

/* Step by step; what was opened is closed by thread_close() whatever came of the rest. */
static enum sg_err thread_open(struct sgd_thread *thread)
{
    struct sgd_worker *w = &thread->worker;
    const struct sg_config *config = w->snapshot->config;
    uint32_t conns = config->limits.connections;
    thread->failed_at = "state";
    enum sg_err err = sge_state_reader_open(w->state, &w->state_reader);
    if (err == SG_OK) {
        thread->failed_at = "gate";
        err = sgd_gate_core_open(config->gate.verdict_cache_entries, &w->gate_core);
    }
    if (err == SG_OK) {
        thread->failed_at = "delivery";
        err = sgd_delivery_open(w, conns, &w->delivery);
    }
    if (err == SG_OK) {
        thread->failed_at = "TLS record crypto";
        enum sg_conf_record_crypto wanted = SG_CONF_CRYPTO_AUTO;
        for (uint32_t i = 0; i < config->listeners_count; i++)
            if (config->listeners[i].tls != NULL)
                wanted = config->listeners[i].tls->record_crypto;
        err = sgd_tlscrypto_open(wanted, PARTIALS_MAX, &w->tls_crypto);
    }
    if (err == SG_OK) {
        thread->failed_at = "TLS handshakes";
        err = sgd_handshakes_open(w, SG_MIN(conns, HANDSHAKES_MAX), &w->handshakes);
    }
    if (err == SG_OK) {
        thread->failed_at = "HTTP/1.1";
        err = sgd_http1s_open(w, &config->limits, &w->http1s);
    }
    if (err == SG_OK) {
        thread->failed_at = w->engine_ops->name;
        err = w->engine_ops->open(w, &thread->arena, 1, thread->listeners, thread->listeners_count,
                                  &w->engine);
    }
    return err;
}

static void thread_close(struct sgd_thread *thread)
{
    struct sgd_worker *w = &thread->worker;
    w->engine_ops->close(w->engine); /* every connection is closed from here on */
    sgd_http1s_close(w->http1s);
    sgd_handshakes_close(w->handshakes);
    sgd_tlscrypto_close(w->tls_crypto);
    sgd_gate_core_close(w->gate_core);
    sge_state_reader_close(w->state_reader);
    sgd_snapshot_unref(w->snapshot);
}

static void *thread_main(void *arg)
{
    struct sgd_thread *thread = arg;
    char name[16];
    snprintf(name, sizeof(name), "sg-worker-%u", thread->worker.id);
    (void)pthread_setname_np(pthread_self(), name);
    thread_pin(thread);
    thread->opened = thread_open(thread);
    if (thread->opened == SG_OK)
        thread->crypto = sgd_tlscrypto_name(thread->worker.tls_crypto, SGD_TLS_AES_128_GCM);
    sem_post(thread->ready);
    if (thread->opened == SG_OK)
        sgd_worker_run(&thread->worker);
    thread_close(thread);
    atomic_store(&thread->ended, true);
    return NULL;
}

enum sg_err sgd_thread_start(struct sgd_thread *thread)
{
    SG_ASSERT(!thread->started && thread->worker.snapshot != NULL);
    thread->worker.protocols = &protocols;
    sgd_snapshot_ref(thread->worker.snapshot); /* the worker's own; thread_close() ends it */
    int failed = pthread_create(&thread->id, NULL, thread_main, thread);
    if (failed != 0) {
        sgd_snapshot_unref(thread->worker.snapshot);
        return sg_err_from_errno(failed);
    }
    thread->started = true;
    return SG_OK;
}

void sgd_thread_join(struct sgd_thread *thread)
{
    if (thread->started)
        pthread_join(thread->id, NULL);
    thread->started = false;
}

void sgd_thread_fini(struct sgd_thread *thread)
{
    SG_ASSERT(!thread->started);
    sgd_delivery_close(thread->worker.delivery);
    thread->worker.delivery = NULL;
}
