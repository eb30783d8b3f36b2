/* Fetching a copy, and what goes between the two sides of it. */
#include "base/alloc.h"
#include "base/log.h"
#include "controlplane/bus/subject.h"
#include "controlplane/feed/copies.h"
#include "controlplane/feed/wire.h"

#define VERSION    1
#define TRIES      3
#define PIECE_MS   5000
#define PIECES_MAX 1000000u

/* ---- the words between ---- */

bool sgc_copy_begun_write(const struct sgc_copy_begun *begun, struct sg_out *out)
{
    sgc_wire_put(out, VERSION, 1);
    sgc_wire_put(out, begun->session, 8);
    sg_out_bytes(out, begun->mark.stream, sizeof(begun->mark.stream));
    sgc_wire_put(out, begun->mark.seq, 8);
    sgc_wire_put(out, strlen(begun->subject), 1);
    sg_out_bytes(out, begun->subject, strlen(begun->subject));
    return !out->full;
}

enum sg_err sgc_copy_begun_read(struct sg_str bytes, struct sgc_copy_begun *out)
{
    struct sgc_wire in = {.rest = bytes};
    uint64_t version = sgc_wire_number(&in, 1);
    if (version != VERSION)
        return !in.bad && version > VERSION ? SG_EVERSION : SG_ECORRUPT;
    out->session = sgc_wire_number(&in, 8);
    sgc_wire_bytes(&in, out->mark.stream, sizeof(out->mark.stream));
    out->mark.seq = sgc_wire_number(&in, 8);
    uint32_t len = sgc_wire_below(&in, 1, sizeof(out->subject) - 1);
    sgc_wire_bytes(&in, out->subject, len);
    out->subject[len] = '\0';
    if (in.bad || in.rest.len != 0 || !sgc_subject_right((struct sg_str){out->subject, len}))
        return SG_ECORRUPT;
    return SG_OK;
}

bool sgc_copy_ask_write(uint64_t session, uint32_t piece, struct sg_out *out)
{
    sgc_wire_put(out, session, 8);
    sgc_wire_put(out, piece, 4);
    return !out->full;
}

enum sg_err sgc_copy_ask_read(struct sg_str bytes, uint64_t *session, uint32_t *piece)
{
    struct sgc_wire in = {.rest = bytes};
    *session = sgc_wire_number(&in, 8);
    *piece = (uint32_t)sgc_wire_number(&in, 4);
    return in.bad || in.rest.len != 0 ? SG_ECORRUPT : SG_OK;
}

/* ---- fetching ---- */

static enum sg_err begin(const struct sgc_feed *feed, struct sgc_copy_begun *begun)
{
    char memory[SGC_COPY_BEGUN_BYTES];
    struct sg_out reply = sg_out_init(memory, sizeof(memory));
    enum sg_err err = sgc_bus_request(feed->bus, feed->copies, SG_STR(""), PIECE_MS, &reply);
    return err != SG_OK ? err : sgc_copy_begun_read(sg_out_view(&reply), begun);
}

/* Asks again where no answer came: the other side has the piece still. */
static enum sg_err piece_get(const struct sgc_feed *feed, const struct sgc_copy_begun *begun,
                             uint32_t piece, struct sg_out *reply)
{
    char memory[SGC_COPY_ASK_BYTES];
    struct sg_out ask = sg_out_init(memory, sizeof(memory));
    enum sg_err err = SG_ETIMEDOUT;
    (void)sgc_copy_ask_write(begun->session, piece, &ask);
    for (int i = 0; i < TRIES && (err == SG_ETIMEDOUT || err == SG_ENOTCONN); i++) {
        reply->len = 0;
        err = sgc_bus_request(feed->bus, begun->subject, sg_out_view(&ask), PIECE_MS, reply);
    }
    return err;
}

static enum sg_err pieces_load(const struct sgc_feed *feed, const struct sgc_copy_begun *begun,
                               struct sge_load *load, struct sg_out *reply)
{
    for (uint32_t piece = 0; piece < PIECES_MAX; piece++) {
        enum sg_err err = piece_get(feed, begun, piece, reply);
        if (err != SG_OK)
            return err;
        if (reply->len == 0)
            return SG_ECORRUPT;
        bool last = reply->ptr[0] == SGC_COPY_LAST;
        if (reply->len > 1)
            err = sge_state_load_add(load, sg_str_skip(sg_out_view(reply), 1));
        if (err != SG_OK || last)
            return err;
    }
    return SG_EMSGSIZE;
}

enum sg_err sgc_copy_fetch(const struct sgc_feed *feed, struct sge_state *state,
                           const uint8_t stream[16], struct sge_mark *mark)
{
    struct sgc_copy_begun begun;
    struct sge_load *load = NULL;
    enum sg_err err = begin(feed, &begun);
    if (err == SG_OK && memcmp(begun.mark.stream, stream, sizeof(begun.mark.stream)) != 0)
        err = SG_ESTALE;
    char *memory = err == SG_OK ? sg_boot_alloc(SGC_MESSAGE_BYTES_MAX) : NULL;
    if (err == SG_OK && memory == NULL)
        err = SG_ENOMEM;
    if (err == SG_OK)
        err = sge_state_load_begin(state, &begun.mark, &load);
    if (err == SG_OK) {
        struct sg_out reply = sg_out_init(memory, SGC_MESSAGE_BYTES_MAX);
        err = pieces_load(feed, &begun, load, &reply);
        if (err == SG_OK)
            err = sge_state_load_end(load);
        else
            sge_state_load_abandon(load);
    }
    sg_boot_free(memory);
    if (err == SG_OK)
        *mark = begun.mark;
    return err;
}
