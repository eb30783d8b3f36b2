#include "dataplane/origin/fetch.h"

#include "dataplane/origin/fetcher.h"
#include "dataplane/origin/pools.h"

/* Its thread is settled at the start: later commands must find the same one. */
static bool tell_thread(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch, struct sg_msg *msg)
{
    msg->ptr[0] = fetch;
    return sg_mail_send(fetchers->mail, fetch->worker, (uint16_t)(uintptr_t)fetch->priv[0], msg);
}

bool sgd_fetch_start(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch)
{
    SG_ASSERT(fetch->pools != NULL);
    SG_ASSERT(fetch->method.len > 0 && fetch->path.len > 0);
    struct sg_msg msg = {.type = SGD_FETCHER_START};
    uint32_t thread = sgd_pools_thread(fetch->pools, fetch->origin, fetch->worker);
    fetch->priv[0] = (void *)(uintptr_t)(fetchers->first_mail_id + thread);
    sgd_pools_ref(fetch->pools); /* given back with DONE */
    if (tell_thread(fetchers, fetch, &msg))
        return true;
    sgd_pools_unref(fetch->pools);
    return false;
}

bool sgd_fetch_window(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch, uint8_t *memory,
                      uint32_t bytes)
{
    SG_ASSERT(memory != NULL && bytes > 0);
    struct sg_msg msg = {.type = SGD_FETCHER_WINDOW, .arg32 = bytes, .ptr = {NULL, memory}};
    return tell_thread(fetchers, fetch, &msg);
}

bool sgd_fetch_body(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch, const uint8_t *bytes,
                    uint32_t len, bool last)
{
    SG_ASSERT(bytes != NULL || len == 0);
    struct sg_msg msg = {.type = SGD_FETCHER_BODY,
                         .arg32 = len,
                         .arg64 = last,
                         .ptr = {NULL, (void *)(uintptr_t)bytes}};
    return tell_thread(fetchers, fetch, &msg);
}

bool sgd_fetch_abort(struct sgd_fetchers *fetchers, struct sgd_fetch *fetch)
{
    struct sg_msg msg = {.type = SGD_FETCHER_ABORT};
    return tell_thread(fetchers, fetch, &msg);
}
