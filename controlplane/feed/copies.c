#include "controlplane/feed/copies.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/sys/crypto.h"

#include <pthread.h>
#include <stdio.h>

#define SESSIONS_MAX 4
#define IDLE_NS      (30 * SG_NS_PER_SEC) /* after which a session makes room for another */
#define PIECE_WANT   (256u << 10)
#define PIECE_BYTES  (768u << 10)

/* One who fetches: a reader that stays begun, and the last piece, in case its answer got lost. */
struct session {
    uint64_t id; /* 0: free */
    uint64_t used_ns;
    struct sge_state_reader *reader;
    struct sge_copy_at at;
    uint32_t next; /* the piece that was not made yet */
    bool done;
    struct sg_out piece;
};

struct sgc_copies {
    struct sgc_feed feed;
    struct sge_state *state;
    struct sgc_sub *begins, *pieces;
    char subject[128];
    pthread_mutex_t lock;
    uint64_t given;
    struct session sessions[SESSIONS_MAX];
};

static void session_end(struct session *session)
{
    if (session->id == 0)
        return;
    sge_state_end(session->reader);
    sge_state_reader_close(session->reader);
    sg_boot_free(session->piece.ptr);
    *session = (struct session){0};
}

static enum sg_err session_begin(struct sgc_copies *copies, struct session *session,
                                 struct sge_mark *mark)
{
    char *memory = sg_boot_alloc(PIECE_BYTES);
    if (memory == NULL)
        return SG_ENOMEM;
    enum sg_err err = sge_state_reader_open(copies->state, &session->reader);
    if (err == SG_OK) {
        err = sge_state_begin(session->reader);
        if (err != SG_OK)
            sge_state_reader_close(session->reader);
    }
    if (err != SG_OK) {
        sg_boot_free(memory);
        *session = (struct session){0};
        return err;
    }
    session->piece = sg_out_init(memory, PIECE_BYTES);
    session->used_ns = sg_clock_mono_ns();
    sg_random(&session->id, sizeof(session->id));
    session->id |= 1; /* not 0 */
    sge_state_mark(session->reader, mark);
    return SG_OK;
}

static struct session *session_free(struct sgc_copies *copies)
{
    uint64_t now_ns = sg_clock_mono_ns();
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &copies->sessions[i];
        if (session->id != 0 && (session->done || now_ns - session->used_ns > IDLE_NS))
            session_end(session);
        if (session->id == 0)
            return session;
    }
    return NULL;
}

static enum sg_err answer_begin(void *ctx, struct sg_str request, struct sg_out *reply)
{
    struct sgc_copies *copies = ctx;
    struct sgc_copy_begun begun = {0};
    pthread_mutex_lock(&copies->lock);
    struct session *session = session_free(copies);
    enum sg_err err = session == NULL ? SG_EBUSY : session_begin(copies, session, &begun.mark);
    if (err == SG_OK)
        begun.session = session->id;
    pthread_mutex_unlock(&copies->lock);
    memcpy(begun.subject, copies->subject, sizeof(begun.subject));
    if (err == SG_OK && !sgc_copy_begun_write(&begun, reply))
        err = SG_EMSGSIZE;
    (void)request;
    return err;
}

static enum sg_err piece_make(struct sgc_copies *copies, struct session *session)
{
    session->piece.len = 0;
    session->piece.full = false;
    sg_out_char(&session->piece, SGC_COPY_MORE);
    enum sg_err err = sge_state_copy(session->reader, &session->at, PIECE_WANT, &session->piece);
    if (err == SG_ENOENT) {
        session->done = true;
        session->piece.ptr[0] = SGC_COPY_LAST;
        copies->given++;
        err = SG_OK;
    }
    session->next += err == SG_OK;
    return err;
}

static enum sg_err session_piece(struct sgc_copies *copies, uint64_t id, uint32_t piece,
                                 struct sg_out *reply)
{
    struct session *session = NULL;
    enum sg_err err = SG_OK;
    for (int i = 0; i < SESSIONS_MAX; i++)
        if (id != 0 && copies->sessions[i].id == id)
            session = &copies->sessions[i];
    if (session == NULL)
        return SG_ENOENT;
    session->used_ns = sg_clock_mono_ns();
    if (piece == session->next && !session->done)
        err = piece_make(copies, session);
    else if (piece + 1 != session->next)
        err = SG_EINVAL;
    if (err == SG_OK)
        sg_out_str(reply, sg_out_view(&session->piece));
    return err;
}

static enum sg_err answer_piece(void *ctx, struct sg_str request, struct sg_out *reply)
{
    struct sgc_copies *copies = ctx;
    uint64_t session;
    uint32_t piece;
    enum sg_err err = sgc_copy_ask_read(request, &session, &piece);
    if (err != SG_OK)
        return err;
    pthread_mutex_lock(&copies->lock);
    err = session_piece(copies, session, piece, reply);
    pthread_mutex_unlock(&copies->lock);
    return err;
}

enum sg_err sgc_copies_open(const struct sgc_feed *feed, struct sge_state *state,
                            struct sgc_copies **out)
{
    SG_ASSERT(feed != NULL && state != NULL && out != NULL);
    uint64_t instance;
    struct sgc_copies *copies = sg_boot_alloc(sizeof(*copies));
    if (copies == NULL)
        return SG_ENOMEM;
    copies->feed = *feed;
    copies->state = state;
    pthread_mutex_init(&copies->lock, NULL);
    sg_random(&instance, sizeof(instance));
    snprintf(copies->subject, sizeof(copies->subject), "%s.%016llx", feed->copies,
             (unsigned long long)instance);
    enum sg_err err =
        sgc_bus_serve(feed->bus, copies->subject, answer_piece, copies, &copies->pieces);
    if (err == SG_OK)
        err = sgc_bus_serve(feed->bus, feed->copies, answer_begin, copies, &copies->begins);
    if (err == SG_OK)
        *out = SG_TAKE(copies);
    sgc_copies_close(copies);
    return err;
}

void sgc_copies_close(struct sgc_copies *copies)
{
    if (copies == NULL)
        return;
    sgc_sub_end(copies->begins);
    sgc_sub_end(copies->pieces);
    for (int i = 0; i < SESSIONS_MAX; i++)
        session_end(&copies->sessions[i]);
    pthread_mutex_destroy(&copies->lock);
    sg_boot_free(copies);
}

uint64_t sgc_copies_given(struct sgc_copies *copies)
{
    pthread_mutex_lock(&copies->lock);
    uint64_t given = copies->given;
    pthread_mutex_unlock(&copies->lock);
    return given;
}
