/* Accepting: one multishot accept a listener. Where descriptors or memory run out it pauses, and
 * the connections that exist go on. */
#include "dataplane/engine/uring/uring_engine.h"

#include "base/log.h"

#include <string.h>
#include <unistd.h>

void sgd_ue_accept_arm(struct sgd_ue_listener *listener)
{
    if (listener->armed || !listener->engine->accepting)
        return;
    listener->armed = true;
    sgd_ring_accept_multishot(listener->engine->ring, listener->listener.fd,
                              sgd_ue_tag_of(listener, SGD_UE_TAG_ACCEPT));
}

/* What is wrong with one connection is no reason to stop taking others. */
static bool accept_error_is_the_peers(int32_t result)
{
    return result == -ECONNABORTED || result == -EINTR || result == -EPROTO || result == -EAGAIN ||
           result == -ENETDOWN || result == -EHOSTUNREACH || result == -ENETUNREACH ||
           result == -ETIMEDOUT;
}

void sgd_ue_accept_done(struct sgd_ue_listener *listener, const struct sgd_cqe *cqe)
{
    struct sgd_engine *engine = listener->engine;
    if (!cqe->more)
        listener->armed = false;
    if (cqe->result >= 0)
        engine->accept_failing = false;
    if (cqe->result >= 0 && engine->closing)
        close(cqe->result);
    else if (cqe->result >= 0)
        sgd_ue_conn_opened(engine, cqe->result, listener->listener.index);
    if (!engine->accepting || listener->armed)
        return;
    if (cqe->result >= 0 || accept_error_is_the_peers(cqe->result)) {
        sgd_ue_accept_arm(listener);
        return;
    }
    if (!engine->accept_failing)
        sg_warn("accept: %s; what is connected goes on", strerror(-cqe->result));
    engine->accept_failing = true;
    if (engine->accept_again.due_ns == SG_NEVER)
        sgd_wheel_set(&engine->wheel, &engine->accept_again,
                      engine->now_ns + SGD_UE_ACCEPT_BACKOFF_NS);
}
