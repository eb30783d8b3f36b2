#include "edgecache/content/volread.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "edgecache/content/volinside.h"

#include <string.h>
#include <unistd.h>

#define IDLE_NS      (10 * SG_NS_PER_SEC)
#define NOT_STANDING UINT64_MAX
#define PASS_WAIT_US 50

struct sge_volread {
    struct sge_volume *volume;
    struct sge_volindex_view *view;
    struct sge_aio *aio;
    pthread_t thread;
    bool running;
    uint16_t mail_id;
    _Atomic bool stop, let_go, gone;
    _Atomic uint64_t reads;
    struct sge_voljobs jobs;
    struct sge_ask *answers; /* whose shards' mailboxes were full */
    /* The commit of the index in which a job's read was found; 0: it is being looked for. */
    _Atomic uint64_t stands_on[SGE_VOLJOBS];
};

static bool read_lets_go(const struct sge_volread *read)
{
    return atomic_load_explicit(&read->let_go, memory_order_acquire);
}

/* ---- answers ---- */

static void read_answer(struct sge_volread *read, struct sge_ask *ask)
{
    struct sg_msg msg = {.type = SGE_MSG_ANSWER, .ptr = {ask}};
    if (sg_mail_send(read->volume->mail, read->mail_id, ask->shard, &msg))
        return;
    ask->next = read->answers;
    read->answers = ask;
}

static void read_answer_again(struct sge_volread *read)
{
    struct sge_ask *ask = SG_TAKE(read->answers);
    while (ask != NULL) {
        struct sge_ask *next = ask->next;
        read_answer(read, ask);
        ask = next;
    }
}

/* ---- looking up ---- */

/* Tells the one who may change the index. Not told for lack of room: it will be found bad again. */
static void read_tell_bad(struct sge_volread *read, const uint64_t hash[2], uint64_t body_id)
{
    struct sg_msg msg = {.type = SGE_MSG_BAD,
                         .arg64 = body_id,
                         .ptr = {(void *)(uintptr_t)hash[0], (void *)(uintptr_t)hash[1]}};
    (void)!sg_mail_send(read->volume->mail, read->mail_id, read->volume->mail_id, &msg);
}

/* The card of `hash`, if there is a whole one. Borrowed until sge_volindex_view_end(). */
static bool read_card(struct sge_volread *read, const uint64_t hash[2], struct sg_str *bytes,
                      struct sge_card *card)
{
    /* In this order: who clears forget_all has set blind before. */
    if (atomic_load_explicit(&read->volume->forget_all, memory_order_acquire) ||
        atomic_load_explicit(&read->volume->blind, memory_order_acquire))
        return false;
    enum sg_err err = sge_volindex_view_find(read->view, hash, bytes);
    if (err == SG_ENOENT)
        return false;
    if (err == SG_OK)
        err = sge_card_parse(bytes->ptr, bytes->len, card);
    if (err == SG_OK)
        return true;
    sge_trouble(&read->volume->troubles, SGE_TROUBLE_INDEX, SGE_TROUBLE_NOWHERE, err);
    read_tell_bad(read, hash, 0);
    return false;
}

static void read_look_up(struct sge_volread *read, struct sge_ask *ask)
{
    struct sge_card card;
    struct sg_str bytes;
    if (read_card(read, ask->hash, &bytes, &card) && sg_str_eq(card.key.bytes, ask->key) &&
        (card.slices == 0 || card.slice_bytes == read->volume->content->slice_bytes)) {
        ask->card = sg_boot_alloc(bytes.len);
        if (ask->card != NULL)
            memcpy(ask->card, bytes.ptr, bytes.len);
        ask->card_bytes = bytes.len;
        ask->ok = ask->card != NULL;
        sge_volused_mark(&read->volume->used, ask->hash);
    }
    sge_volindex_view_end(read->view);
    read_answer(read, ask);
}

/* ---- loading ---- */

static _Atomic uint64_t *job_stands_on(struct sge_volread *read, const struct sge_voljob *job)
{
    return &read->stands_on[job - read->jobs.all];
}

static void job_end(struct sge_volread *read, struct sge_voljob *job)
{
    atomic_store_explicit(job_stands_on(read, job), NOT_STANDING, memory_order_release);
    sge_voljobs_give(&read->jobs, job);
}

/* Where the asked slice lies; false: nowhere. */
static bool load_aim(struct sge_volread *read, struct sge_ask *ask, struct sge_voljob *job,
                     uint32_t *page)
{
    struct sge_card card;
    struct sg_str bytes;
    if (!read_card(read, ask->hash, &bytes, &card) || card.body_id != sge_body_disk_id(ask->body) ||
        ask->slice >= card.slices)
        return false;
    uint32_t length = sge_card_slice_bytes(&card, ask->slice);
    atomic_store_explicit(job_stands_on(read, job), sge_volindex_view_commit(read->view),
                          memory_order_release);
    *page = sge_card_place(&card, ask->slice);
    job->record = (struct sge_record){.volume = read->volume->disk.id,
                                      .key_hash = {ask->hash[0], ask->hash[1]},
                                      .body_id = card.body_id,
                                      .slice = ask->slice,
                                      .length = length};
    return length <= sge_cell_bytes(ask->cell) && *page != SGE_PLACE_NONE &&
           sge_voldisk_within(&read->volume->disk, *page, sge_record_bytes(length));
}

static void load_begin(struct sge_volread *read, struct sge_ask *ask)
{
    uint32_t page;
    struct sge_voljob *job = sge_voljobs_take(&read->jobs);
    job->user = ask;
    /* Before the index is looked at: pairs with sge_volread_pass(). */
    atomic_store_explicit(job_stands_on(read, job), 0, memory_order_seq_cst);
    bool there = load_aim(read, ask, job, &page);
    sge_volindex_view_end(read->view);
    if (!there) {
        job_end(read, job);
        read_answer(read, ask);
        return;
    }
    uint32_t parts = sge_voljob_aim(job, page, sge_cell_memory(ask->cell));
    sge_volused_mark(&read->volume->used, ask->hash);
    sge_aio_read(read->aio, read->volume->disk.fd, job->iov, parts, sge_voldisk_offset(page), job);
}

static void load_failed(struct sge_volread *read, const struct sge_voljob *job, int32_t result,
                        enum sg_err record)
{
    struct sge_ask *ask = job->user;
    uint64_t offset = sge_voldisk_offset(job->page);
    if (result == (int32_t)job->bytes)
        sge_trouble(&read->volume->troubles, SGE_TROUBLE_RECORD, offset, record);
    else
        sge_trouble(&read->volume->troubles, SGE_TROUBLE_READ, offset,
                    result < 0 ? sg_err_from_errno(-result) : SG_EIO);
    /* Not to be trusted again. */
    atomic_store_explicit(&ask->body->on_disk, false, memory_order_relaxed);
    atomic_store_explicit(&ask->body->part_on_disk, false, memory_order_relaxed);
    read_tell_bad(read, ask->hash, job->record.body_id);
}

static void load_done(struct sge_volread *read, struct sge_voljob *job, int32_t result)
{
    struct sge_ask *ask = job->user;
    uint8_t *memory = sge_cell_memory(ask->cell);
    uint32_t pages = sge_record_pages_bytes(job->record.length);
    enum sg_err err = SG_EIO;
    sge_volume_count(&read->reads);
    if (result == (int32_t)job->bytes)
        err = sge_record_check(&job->record, memory, job->rest, job->bytes - pages);
    if (err == SG_OK)
        memcpy(memory + pages, job->rest, job->record.length - pages);
    else
        load_failed(read, job, result, err);
    ask->ok = err == SG_OK;
    job_end(read, job);
    read_answer(read, ask);
}

/* ---- for the volume ---- */

void sge_volread_pass(const struct sge_volread *read)
{
    uint64_t commits = sge_volindex_commits(read->volume->index);
    for (uint32_t i = 0; i < SGE_VOLJOBS; i++)
        while (atomic_load_explicit(&read->stands_on[i], memory_order_seq_cst) < commits)
            usleep(PASS_WAIT_US); /* a read of the disk at most */
}

bool sge_volread_let_go(struct sge_volread *read)
{
    if (!read_lets_go(read)) {
        atomic_store_explicit(&read->let_go, true, memory_order_release);
        sg_mail_wake(read->volume->mail, read->mail_id);
    }
    return atomic_load_explicit(&read->gone, memory_order_acquire);
}

uint64_t sge_volread_count(const struct sge_volread *read)
{
    return atomic_load_explicit(&read->reads, memory_order_relaxed);
}

/* ---- the loop ---- */

static void read_ask(struct sge_volread *read, struct sge_ask *ask)
{
    ask->ok = false;
    if (read_lets_go(read))
        read_answer(read, ask);
    else if (ask->kind == SGE_ASK_LOOK_UP)
        read_look_up(read, ask);
    else
        load_begin(read, ask);
}

static uint32_t read_take_mail(struct sge_volread *read)
{
    struct sg_msg msgs[SGE_VOLJOBS];
    uint32_t room = SGE_VOLJOBS - read->jobs.under_way; /* each message may become a job */
    if (room == 0)
        return 0;
    uint32_t n = sg_mail_take(read->volume->mail, read->mail_id, msgs, room);
    for (uint32_t i = 0; i < n; i++) {
        SG_ASSERT(msgs[i].type == SGE_MSG_ASK);
        read_ask(read, msgs[i].ptr[0]);
    }
    return n;
}

static void read_wait(struct sge_volread *read, uint64_t rest_ns)
{
    struct sge_aio_done done[SGE_VOLJOBS];
    bool full = read->jobs.under_way == SGE_VOLJOBS; /* then mail waits, and does not wake */
    bool asleep = rest_ns > 0 && !full;
    if (asleep && sg_mail_sleep_begin(read->volume->mail, read->mail_id)) {
        asleep = false;
        rest_ns = 0;
    }
    uint32_t n = sge_aio_wait(read->aio, rest_ns, done, SGE_VOLJOBS);
    if (asleep)
        sg_mail_sleep_end(read->volume->mail, read->mail_id);
    for (uint32_t i = 0; i < n; i++)
        load_done(read, done[i].tag, done[i].result);
}

/* Index and disk are touched no more. */
static void read_leave(struct sge_volread *read)
{
    if (read->jobs.under_way > 0 || atomic_load_explicit(&read->gone, memory_order_relaxed))
        return;
    sge_volindex_view_close(SG_TAKE(read->view));
    atomic_store_explicit(&read->gone, true, memory_order_release);
    sg_mail_wake(read->volume->mail, read->volume->mail_id);
}

static void *read_run(void *arg)
{
    struct sge_volread *read = arg;
    for (;;) {
        bool stop = atomic_load_explicit(&read->stop, memory_order_acquire);
        bool lets_go = read_lets_go(read);
        bool busy = read_take_mail(read) > 0;
        read_answer_again(read);
        if (lets_go)
            read_leave(read);
        if (stop && !busy && read->jobs.under_way == 0)
            break;
        read_wait(read, busy ? 0 : read->answers != NULL ? SG_NS_PER_MS : IDLE_NS);
    }
    return NULL;
}

/* ---- open, close ---- */

enum sg_err sge_volread_open(struct sge_volume *volume, struct sge_volread **out)
{
    struct sge_volread *read = sg_boot_alloc(sizeof(*read));
    if (read == NULL)
        return SG_ENOMEM;
    read->volume = volume;
    read->mail_id = (uint16_t)(volume->mail_id + 1);
    for (uint32_t i = 0; i < SGE_VOLJOBS; i++)
        atomic_store_explicit(&read->stands_on[i], NOT_STANDING, memory_order_relaxed);
    enum sg_err err = sge_voljobs_init(&read->jobs);
    if (err == SG_OK)
        err = sge_volindex_view_open(volume->index, &read->view);
    if (err == SG_OK)
        err = sge_aio_open(SGE_VOLJOBS, sg_mail_wake_fd(volume->mail, read->mail_id), &read->aio);
    if (err == SG_OK)
        err = sge_volume_thread(&read->thread, read_run, read, "sg-volread");
    read->running = err == SG_OK;
    if (err == SG_OK)
        *out = SG_TAKE(read);
    sge_volread_close(read);
    return err;
}

void sge_volread_close(struct sge_volread *read)
{
    if (read == NULL)
        return;
    if (read->running) {
        atomic_store_explicit(&read->stop, true, memory_order_release);
        sg_mail_wake(read->volume->mail, read->mail_id);
        pthread_join(read->thread, NULL);
    }
    sge_aio_close(read->aio);
    sge_volindex_view_close(read->view);
    sge_voljobs_fini(&read->jobs);
    sg_boot_free(read);
}
