/* Messages and requests of the embedded bus: each listener has a queue and a thread of its own. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/bus/embedded.h"

#define QUEUE_BYTES_MAX (64u << 20) /* of one listener; what comes beyond is lost, and told */

/* A request under way; on its caller's stack. Under the bus's lock. */
struct call {
    struct listener *by; /* whose thread answers it just now */
    struct letter *letter;
    struct sg_out *reply;
    enum sg_err err;
    bool done;
};

struct letter {
    struct sg_list node;
    struct call *call; /* NULL: nobody waits for an answer */
    size_t subject_len, data_len;
    char bytes[];
};

struct listener {
    struct sgc_sub sub;
    void (*got)(void *ctx, const struct sgc_msg *msg); /* or else: */
    enum sg_err (*answer)(void *ctx, struct sg_str request, struct sg_out *reply);
    void *ctx;
    struct sg_list queue; /* under the bus's lock, as is the rest */
    size_t queued_bytes;
    uint64_t lost;
    struct call *answering; /* NULL too when its caller gave up */
    char *reply;            /* SGC_MESSAGE_BYTES_MAX, of one that answers; its thread's */
    char filter[SGC_SUBJECT_BYTES_MAX + 1];
};

/* ---- a listener's thread ---- */

/* Waits for the next letter. NULL: the listener is ended. */
static struct letter *letter_next(struct listener *listener)
{
    struct sgc_bus *bus = listener->sub.bus;
    struct letter *letter = NULL;
    pthread_mutex_lock(&bus->lock);
    while (!listener->sub.ended && sg_list_empty(&listener->queue))
        (void)sgc_bus_wait(bus, SG_NEVER);
    if (!listener->sub.ended) {
        letter = sg_list_entry(sg_list_pop_front(&listener->queue), struct letter, node);
        listener->queued_bytes -= letter->subject_len + letter->data_len;
        listener->answering = letter->call;
        if (letter->call != NULL)
            letter->call->by = listener;
    }
    pthread_mutex_unlock(&bus->lock);
    return letter;
}

static void call_done(struct sgc_bus *bus, struct call *call, enum sg_err err)
{
    call->err = err;
    call->done = true;
    call->letter = NULL;
    call->by = NULL;
    pthread_cond_broadcast(&bus->changed);
}

static void letter_answer(struct listener *listener, struct sg_str request)
{
    struct sgc_bus *bus = listener->sub.bus;
    struct sg_out reply = sg_out_init(listener->reply, SGC_MESSAGE_BYTES_MAX);
    enum sg_err err = listener->answer(listener->ctx, request, &reply);
    pthread_mutex_lock(&bus->lock);
    struct call *call = SG_TAKE(listener->answering);
    if (call != NULL) {
        if (err == SG_OK)
            sg_out_str(call->reply, sg_out_view(&reply));
        if (err == SG_OK && (reply.full || call->reply->full))
            err = SG_EMSGSIZE;
        call_done(bus, call, err);
    }
    pthread_mutex_unlock(&bus->lock);
}

static void listener_run(struct sgc_sub *sub)
{
    struct listener *listener = SG_CONTAINER_OF(sub, struct listener, sub);
    for (struct letter *letter; (letter = letter_next(listener)) != NULL; sg_boot_free(letter)) {
        struct sgc_msg msg = {
            .subject = {letter->bytes, letter->subject_len},
            .data = {letter->bytes + letter->subject_len, letter->data_len},
        };
        if (listener->answer != NULL)
            letter_answer(listener, msg.data);
        else
            listener->got(listener->ctx, &msg);
    }
    pthread_mutex_lock(&sub->bus->lock);
    sg_list_for_each_safe(node, &listener->queue)
    {
        struct letter *letter = sg_list_entry(node, struct letter, node);
        if (letter->call != NULL)
            call_done(sub->bus, letter->call, SG_ENOENT);
        sg_list_remove(&letter->node);
        sg_boot_free(letter);
    }
    pthread_mutex_unlock(&sub->bus->lock);
}

static void listener_free(struct sgc_sub *sub)
{
    struct listener *listener = SG_CONTAINER_OF(sub, struct listener, sub);
    if (listener->lost > 0)
        sg_warn("bus: %llu messages to %s were lost: it was too slow",
                (unsigned long long)listener->lost, listener->filter);
    sg_boot_free(listener->reply);
    sg_boot_free(listener);
}

static const struct sgc_sub_driver listener_driver = {listener_run, NULL, listener_free};

static enum sg_err listener_open(const char *filter, bool answers, struct listener **out)
{
    struct listener *listener = sg_boot_alloc(sizeof(*listener));
    if (listener == NULL)
        return SG_ENOMEM;
    sg_list_init(&listener->queue);
    memcpy(listener->filter, filter, strlen(filter) + 1);
    listener->reply = answers ? sg_boot_alloc(SGC_MESSAGE_BYTES_MAX) : NULL;
    if (answers && listener->reply == NULL) {
        sg_boot_free(listener);
        return SG_ENOMEM;
    }
    *out = listener;
    return SG_OK;
}

enum sg_err sgc_post_subscribe(struct sgc_bus *bus, const char *filter,
                               void (*got)(void *ctx, const struct sgc_msg *msg), void *ctx,
                               struct sgc_sub **out)
{
    struct listener *listener;
    enum sg_err err = listener_open(filter, false, &listener);
    if (err != SG_OK)
        return err;
    listener->got = got;
    listener->ctx = ctx;
    return sgc_sub_start(bus, &listener_driver, &listener->sub, out);
}

enum sg_err sgc_post_serve(struct sgc_bus *bus, const char *subject,
                           enum sg_err (*answer)(void *ctx, struct sg_str request,
                                                 struct sg_out *reply),
                           void *ctx, struct sgc_sub **out)
{
    struct listener *listener;
    enum sg_err err = listener_open(subject, true, &listener);
    if (err != SG_OK)
        return err;
    listener->answer = answer;
    listener->ctx = ctx;
    return sgc_sub_start(bus, &listener_driver, &listener->sub, out);
}

/* ---- those who send ---- */

static struct letter *letter_new(struct sg_str subject, struct sg_str data, struct call *call)
{
    struct letter *letter = sg_boot_alloc(sizeof(*letter) + subject.len + data.len);
    if (letter == NULL)
        return NULL;
    sg_list_init(&letter->node);
    letter->call = call;
    letter->subject_len = subject.len;
    letter->data_len = data.len;
    memcpy(letter->bytes, subject.ptr, subject.len);
    if (data.len > 0)
        memcpy(letter->bytes + subject.len, data.ptr, data.len);
    return letter;
}

static enum sg_err letter_post(struct listener *listener, struct sg_str subject, struct sg_str data,
                               struct call *call)
{
    if (listener->queued_bytes + subject.len + data.len > QUEUE_BYTES_MAX) {
        listener->lost++;
        return SG_EFULL;
    }
    struct letter *letter = letter_new(subject, data, call);
    if (letter == NULL)
        return SG_ENOMEM;
    if (call != NULL)
        call->letter = letter;
    listener->queued_bytes += subject.len + data.len;
    sg_list_push_back(&listener->queue, &letter->node);
    pthread_cond_broadcast(&listener->sub.bus->changed);
    return SG_OK;
}

/* NULL: `sub` listens no more, or to something else. */
static struct listener *listener_of(struct sgc_sub *sub, bool answers, struct sg_str subject)
{
    if (sub->driver != &listener_driver || sub->ended)
        return NULL;
    struct listener *listener = SG_CONTAINER_OF(sub, struct listener, sub);
    bool right = (listener->answer != NULL) == answers &&
                 sgc_subject_matches(sg_str_from(listener->filter), subject);
    return right ? listener : NULL;
}

enum sg_err sgc_post_publish(struct sgc_bus *bus, const char *subject, struct sg_str data)
{
    enum sg_err err = SG_OK;
    pthread_mutex_lock(&bus->lock);
    sg_list_for_each_safe(node, &bus->subs)
    {
        struct listener *listener =
            listener_of(sg_list_entry(node, struct sgc_sub, node), false, sg_str_from(subject));
        if (listener != NULL &&
            letter_post(listener, sg_str_from(subject), data, NULL) == SG_ENOMEM)
            err = SG_ENOMEM;
    }
    pthread_mutex_unlock(&bus->lock);
    return err;
}

/* Of those who answer, the one with the least to do. */
static struct listener *answerer(struct sgc_bus *bus, struct sg_str subject)
{
    struct listener *best = NULL;
    sg_list_for_each_safe(node, &bus->subs)
    {
        struct listener *it = listener_of(sg_list_entry(node, struct sgc_sub, node), true, subject);
        if (it != NULL && (best == NULL || it->queued_bytes + (it->answering != NULL) <
                                               best->queued_bytes + (best->answering != NULL)))
            best = it;
    }
    return best;
}

/* The caller waits no longer: nobody may write to its stack from here on. */
static void call_give_up(struct call *call)
{
    if (call->by != NULL)
        call->by->answering = NULL;
    else if (call->letter != NULL)
        call->letter->call = NULL; /* it is answered all the same */
    call->err = SG_ETIMEDOUT;
}

enum sg_err sgc_post_request(struct sgc_bus *bus, const char *subject, struct sg_str request,
                             uint32_t timeout_ms, struct sg_out *reply)
{
    struct call call = {.reply = reply};
    uint64_t until_ns = sg_clock_mono_ns() + timeout_ms * SG_NS_PER_MS;
    pthread_mutex_lock(&bus->lock);
    struct listener *listener = answerer(bus, sg_str_from(subject));
    enum sg_err err =
        listener == NULL ? SG_ENOENT : letter_post(listener, sg_str_from(subject), request, &call);
    if (err == SG_OK) {
        while (!call.done && sgc_bus_wait(bus, until_ns))
            ;
        if (!call.done)
            call_give_up(&call);
        err = call.err;
    }
    pthread_mutex_unlock(&bus->lock);
    return err;
}
