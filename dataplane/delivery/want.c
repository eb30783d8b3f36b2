#include "dataplane/delivery/want.h"

#include "dataplane/delivery/core.h"
#include "dataplane/delivery/fill.h"

char *sgd_want_memory(struct sgd_want *want, size_t len)
{
    if (len > SGD_WANT_BYTES - want->used)
        return NULL;
    char *at = want->memory + want->used;
    want->used += len;
    return at;
}

/* A copy in the want; an absent string stays absent. */
static bool copy_str(struct sgd_want *want, struct sg_str from, struct sg_str *to)
{
    *to = SG_STR_NONE;
    if (from.ptr == NULL)
        return true;
    char *at = sgd_want_memory(want, from.len);
    if (at == NULL)
        return false;
    if (from.len > 0)
        memcpy(at, from.ptr, from.len);
    *to = (struct sg_str){at, from.len};
    return true;
}

static bool copy_request(struct sgd_want *want, const struct sgd_request *req)
{
    want->req = *req;
    want->req.peer = NULL; /* not the origin's business, and gone before us */
    want->req.fields = want->fields;
    bool ok = copy_str(want, req->method_text, &want->req.method_text) &&
              copy_str(want, req->authority, &want->req.authority) &&
              copy_str(want, req->path, &want->req.path) &&
              copy_str(want, req->query, &want->req.query);
    for (uint16_t i = 0; ok && i < req->fields_count; i++)
        ok = copy_str(want, req->fields[i].name, &want->fields[i].name) &&
             copy_str(want, req->fields[i].value, &want->fields[i].value);
    return ok;
}

struct sgd_want *sgd_want_make(struct sgd_delivery *d, const struct sgd_want_ask *ask)
{
    struct sgd_want *want = sg_pool_take(&d->wants);
    struct sg_str primary;
    if (want == NULL) {
        sge_stat_add(d->worker->stats, SGE_STAT_pool_empty, 1);
        return NULL;
    }
    memset(want, 0, offsetof(struct sgd_want, fields));
    want->magic = sgd_want_MAGIC;
    want->from = d->worker->id;
    want->cc = *ask->cc;
    want->site = ask->site;
    sg_list_init(&want->node);
    if (!copy_request(want, ask->req) || !copy_str(want, ask->path, &want->path) ||
        !copy_str(want, ask->query, &want->query) || !copy_str(want, ask->cookie, &want->cookie) ||
        !copy_str(want, ask->primary, &primary)) {
        sg_pool_give(&d->wants, want);
        return NULL;
    }
    sge_key_make(d->worker->content, primary, primary.len, &want->primary);
    want->snapshot = ask->snapshot;
    sgd_snapshot_hold(want->snapshot, d->worker->id);
    return want;
}

void sgd_want_free(struct sgd_delivery *d, struct sgd_want *want)
{
    SG_ASSERT(want->from == d->worker->id);
    SG_ASSERT(sg_list_empty(&want->node));
    if (want->have != NULL)
        sg_hold_unref(&want->have->hold);
    if (want->object != NULL)
        sg_hold_unref(&want->object->hold);
    sgd_snapshot_release(want->snapshot, d->worker->id);
    want->magic = 0;
    sg_pool_give(&d->wants, want);
}

static uint16_t owner_of(struct sgd_delivery *d, const struct sgd_want *want)
{
    return sge_key_owner(d->worker->content, &want->primary);
}

/* To where it goes next: the asking worker's thread has it as a request, the owner's as an answer.
 */
static bool post(struct sgd_delivery *d, struct sgd_want *want, enum sgd_delivery_msg type)
{
    uint16_t to = type == SGD_MSG_GOT ? want->from : owner_of(d, want);
    struct sg_msg msg = {.type = (uint16_t)type, .ptr = {want}};
    return sg_mail_send(d->worker->mail, d->worker->id, to, &msg);
}

static void send_or_keep(struct sgd_delivery *d, struct sgd_want *want, enum sgd_delivery_msg type)
{
    if (!post(d, want, type))
        sg_list_push_back(&d->outbox, &want->node);
}

void sgd_want_send(struct sgd_delivery *d, struct sgd_want *want)
{
    SG_ASSERT(want->from == d->worker->id);
    if (owner_of(d, want) == d->worker->id)
        sgd_fill_want(d, want);
    else
        send_or_keep(d, want, SGD_MSG_WANT);
}

void sgd_want_hint(struct sgd_delivery *d, struct sgd_want *want)
{
    struct sg_msg msg = {.type = SGD_MSG_HINTS, .ptr = {want}};
    if (want->from == d->worker->id)
        sgd_exchange_hinted(d, want);
    else
        (void)!sg_mail_send(d->worker->mail, d->worker->id, want->from, &msg);
}

void sgd_want_answer(struct sgd_delivery *d, struct sgd_want *want)
{
    SG_ASSERT(sg_list_empty(&want->node));
    if (want->from == d->worker->id)
        sgd_exchange_got(d, want);
    else
        send_or_keep(d, want, SGD_MSG_GOT);
}

void sgd_want_outbox(struct sgd_delivery *d)
{
    sg_list_for_each_safe(it, &d->outbox)
    {
        struct sgd_want *want = sg_list_entry(it, struct sgd_want, node);
        sg_list_remove(it);
        if (!post(d, want, want->from == d->worker->id ? SGD_MSG_WANT : SGD_MSG_GOT)) {
            sg_list_push_front(&d->outbox, it);
            return; /* in order, and no further than there is room */
        }
    }
}
