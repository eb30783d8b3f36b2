#include "dataplane/delivery/filling.h"

/* Windows of whole slices given ahead: one is written while the next is on its way. With no length
 * known one is enough, since a small answer would leave the second unused. */
#define WINDOWS_AHEAD 2
/* What a viewer's own answer may run ahead of him. */
#define UNREAD_SLICES 2

static bool may_grant(const struct sgd_fill *fill)
{
    uint32_t ahead = fill->fetch.length_known ? WINDOWS_AHEAD : 1;
    if (fill->windows >= ahead || fill->next_slice >= fill->end_slice)
        return false;
    return fill->published || fill->slice_fill ||
           sge_body_unread(fill->body) < (uint64_t)UNREAD_SLICES * sge_body_slice_bytes(fill->body);
}

/* The origin knows no ranges: what comes before the part is read past. */
static void pump_skip(struct sgd_fill *fill)
{
    uint32_t bytes = (uint32_t)SG_MIN(fill->skip_bytes, (uint64_t)SGD_UPLOAD_BYTES);
    if (fill->skip_window != 0)
        return;
    if (!sgd_fetch_window(fill->d->worker->fetchers, &fill->fetch, fill->upload->bytes, bytes)) {
        sgd_fill_set_stuck(fill);
        return;
    }
    fill->skip_window = bytes;
    fill->windows++;
}

static void on_skipped(struct sgd_fill *fill)
{
    fill->skip_bytes -= fill->skip_window;
    fill->skip_window = 0;
    fill->windows--;
    sgd_fill_pump(fill);
}

void sgd_fill_pump(struct sgd_fill *fill)
{
    struct sgd_worker *w = fill->d->worker;
    if (fill->state != SGD_FILL_BODY || fill->body == NULL)
        return;
    if (fill->skip_bytes > 0) {
        pump_skip(fill);
        return;
    }
    while (may_grant(fill)) {
        uint8_t *memory;
        uint32_t bytes;
        if (!sge_body_window(w->shard, fill->body, fill->next_slice, &memory, &bytes) ||
            !sgd_fetch_window(w->fetchers, &fill->fetch, memory, bytes)) {
            sgd_fill_set_stuck(fill);
            return;
        }
        fill->windows++;
        fill->next_slice++;
    }
    if (fill->windows == 0 && fill->next_slice < fill->end_slice)
        sgd_fill_set_stuck(fill); /* the viewer will read on; nobody tells us when */
}

void sgd_fill_on_data(struct sgd_fill *fill, uint32_t bytes, bool window_full)
{
    SG_ASSERT(fill->state == SGD_FILL_BODY);
    SG_ASSERT(fill->windows > 0);
    if (fill->skip_bytes > 0) {
        if (window_full)
            on_skipped(fill);
        return;
    }
    if (bytes > 0)
        sge_body_filled(fill->d->worker->shard, fill->body, fill->fill_slice, bytes);
    if (!window_full)
        return;
    fill->windows--;
    fill->fill_slice++;
    if (fill->slice_fill && fill->fetch.status == 200 && fill->fill_slice == fill->end_slice)
        sgd_fill_abandon(fill); /* the rest is there, or nobody asked for it */
    else
        sgd_fill_pump(fill);
}

/* ---- the request's body ---- */

/* One piece is under way at a time, and the next is all that came meanwhile: however small a
 * viewer's chunks are, the fetch never has more pieces than it can hold. */
void sgd_fill_pump_upload(struct sgd_fill *fill)
{
    struct sgd_upload *up = fill->upload;
    struct sgd_fetchers *fetchers = fill->d->worker->fetchers;
    if (up == NULL || fill->slice_fill || fill->abandoned || fill->due == SGD_FILL_DUE_START ||
        fill->state == SGD_FILL_ENDING)
        return;
    if (up->given < up->in && up->given == up->taken) {
        size_t at = up->given % SGD_UPLOAD_BYTES;
        size_t len = SG_MIN(up->in - up->given, SGD_UPLOAD_BYTES - at);
        if (!sgd_fetch_body(fetchers, &fill->fetch, up->bytes + at, (uint32_t)len, false)) {
            sgd_fill_set_stuck(fill);
            return;
        }
        up->given += len;
    }
    if (up->ended && !up->end_given && up->given == up->in) {
        up->end_given = sgd_fetch_body(fetchers, &fill->fetch, NULL, 0, true);
        if (!up->end_given)
            sgd_fill_set_stuck(fill);
    }
    if (up->wanted && up->in - up->taken < SGD_UPLOAD_BYTES) {
        up->wanted = false;
        sgd_exchange_body_wanted(fill->upload_x);
    }
}

size_t sgd_fill_upload(struct sgd_fill *fill, const uint8_t *bytes, size_t len)
{
    struct sgd_upload *up = fill->upload;
    size_t done = 0;
    SG_ASSERT(up != NULL && !up->ended);
    while (done < len && up->in - up->taken < SGD_UPLOAD_BYTES) {
        size_t at = up->in % SGD_UPLOAD_BYTES;
        size_t room = SG_MIN(SGD_UPLOAD_BYTES - (up->in - up->taken), SGD_UPLOAD_BYTES - at);
        size_t n = SG_MIN(room, len - done);
        memcpy(up->bytes + at, bytes + done, n);
        up->in += n;
        done += n;
    }
    up->wanted = done < len;
    sgd_fill_pump_upload(fill);
    return done;
}

void sgd_fill_upload_end(struct sgd_fill *fill)
{
    if (fill->upload == NULL || fill->upload->ended)
        return;
    fill->upload->ended = true;
    sgd_fill_pump_upload(fill);
}
