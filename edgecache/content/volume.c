#include "edgecache/content/volume.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sys/rcu.h"
#include "edgecache/content/body.h"
#include "edgecache/content/card.h"
#include "edgecache/content/object.h"
#include "edgecache/content/vollog.h"
#include "edgecache/sys/aio.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define JOBS            32  /* reads and writes under way */
#define KEEPERS         24  /* objects being written */
#define KEEPS_MAX       512 /* objects waiting to be */
#define COMMIT_CHANGES  1024
#define COMMIT_NS       (200 * SG_NS_PER_MS)
#define IDLE_NS         (10 * SG_NS_PER_SEC)
#define ERRORS_MAX      8 /* in a row, and writing pauses */
#define PAUSE_NS        (10 * SG_NS_PER_SEC)
#define LINGER_NS       (200 * SG_NS_PER_MS) /* of giving up: what ends just now is kept too */
#define INDEX_BYTES_MIN (256ull << 20)

/* One read or write under way. */
struct volume_job {
    struct volume_job *next;
    struct volume_keeper *keeper; /* a write's; NULL: a read for `ask` */
    struct sge_ask *ask;
    struct sge_record record;
    struct sg_slice slice; /* a write's source, held */
    struct iovec iov[2];
    uint8_t *rest; /* SGE_REST_BYTES_MAX, aligned */
    uint32_t bytes;
};

/* One object on its way to disk. */
struct volume_keeper {
    struct sge_object *object; /* NULL: idle */
    uint32_t *places;          /* SGE_CARD_SLICES_MAX */
    uint32_t slices, begun, under_way;
    bool failed; /* or superseded: nothing comes of it */
};

struct sge_volume {
    struct sge_content *content;
    struct sg_mail *mail;
    uint16_t mail_id;
    pthread_t thread;
    bool running;
    _Atomic bool stop, forget_all;
    _Atomic bool let_go; /* asked to give the disk up */
    _Atomic bool gone;   /* it was given up: nothing is there any more */
    struct sge_voldisk disk;
    struct sge_volindex *index;
    struct sge_vollog *log;
    struct sge_aio *aio;
    struct volume_job jobs[JOBS], *free_jobs;
    uint32_t jobs_under_way;
    uint8_t *rests;
    struct volume_keeper keepers[KEEPERS];
    uint32_t *places;
    struct sge_object *keeps[KEEPS_MAX]; /* a ring */
    uint32_t keeps_first, keeps_count;
    struct sge_ask *answers; /* whose shards' mailboxes were full */
    uint8_t *card;           /* a card on its way */
    uint64_t commit_ns;      /* when the changes must be committed; SG_NEVER: none */
    uint64_t paused_until_ns;
    uint64_t linger_end_ns; /* giving up: nothing is kept after it; 0: we don't */
    uint32_t errors_in_a_row;
    bool blind; /* the index could not forget: nothing is found until it is emptied */
    _Atomic uint64_t reads, writes, errors, kept, objects, dropped, readmitted;
};

#define CARD_BYTES_MAX                                                                             \
    (512 + (SGE_TAGS_MAX + SGE_PREFIXES_MAX) * 8 + SGE_CARD_SLICES_MAX * 4 + SGE_KEY_BYTES_MAX +   \
     SGE_HEAD_BYTES_MAX)

static void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static bool volume_is_gone(const struct sge_volume *volume)
{
    return atomic_load_explicit(&volume->gone, memory_order_acquire);
}

static bool volume_lets_go(const struct sge_volume *volume)
{
    return atomic_load_explicit(&volume->let_go, memory_order_acquire);
}

static bool volume_lingered(const struct sge_volume *volume)
{
    return volume->linger_end_ns != 0 && sg_clock_mono_ns() >= volume->linger_end_ns;
}

/* ---- trouble ---- */

static void volume_disk_error(struct sge_volume *volume, const char *what, enum sg_err err)
{
    count(&volume->errors);
    if (++volume->errors_in_a_row < ERRORS_MAX)
        return;
    if (sg_clock_mono_ns() >= volume->paused_until_ns)
        sg_error("volume: %s failed %u times in a row (%s): nothing is written for %u s", what,
                 volume->errors_in_a_row, sg_err_text(err), (unsigned)(PAUSE_NS / SG_NS_PER_SEC));
    volume->paused_until_ns = sg_clock_mono_ns() + PAUSE_NS;
}

/* What was to be forgotten may still be there: look-ups find nothing until the index is empty. */
static void volume_start_over(struct sge_volume *volume, const char *why)
{
    count(&volume->errors);
    sg_error("volume: the index is emptied: %s", why);
    sge_volindex_abort(volume->index);
    volume->blind = true;
    volume->commit_ns = sg_clock_mono_ns() + COMMIT_NS;
}

static void volume_changed(struct sge_volume *volume, enum sg_err err)
{
    if (err != SG_OK)
        volume_start_over(volume, sg_err_text(err));
    else if (volume->commit_ns == SG_NEVER && sge_volindex_changes(volume->index) > 0)
        volume->commit_ns = sg_clock_mono_ns() + COMMIT_NS;
}

static void volume_commit(struct sge_volume *volume)
{
    struct sge_volhead head = sge_vollog_head(volume->log);
    enum sg_err err = volume->blind ? sge_volindex_drop(volume->index)
                                    : sge_volindex_commit(volume->index, &head);
    volume->commit_ns = SG_NEVER;
    if (err != SG_OK && volume->blind)
        volume->commit_ns = sg_clock_mono_ns() + PAUSE_NS; /* said already; again later */
    else if (err != SG_OK)
        volume_start_over(volume, sg_err_text(err));
    else
        volume->blind = false;
    atomic_store_explicit(&volume->objects, sge_volindex_objects(volume->index),
                          memory_order_relaxed);
}

static void volume_forget(struct sge_volume *volume, const uint64_t hash[2])
{
    if (!volume_is_gone(volume))
        volume_changed(volume, sge_volindex_del(volume->index, hash));
}

/* ---- answers ---- */

static void volume_answer(struct sge_volume *volume, struct sge_ask *ask)
{
    struct sg_msg msg = {.type = SGE_MSG_ANSWER, .ptr = {ask}};
    if (sg_mail_send(volume->mail, volume->mail_id, ask->shard, &msg))
        return;
    ask->next = volume->answers;
    volume->answers = ask;
}

static void volume_answer_again(struct sge_volume *volume)
{
    struct sge_ask *ask = volume->answers;
    volume->answers = NULL;
    while (ask != NULL) {
        struct sge_ask *next = ask->next;
        volume_answer(volume, ask);
        ask = next;
    }
}

/* ---- jobs ---- */

static struct volume_job *job_take(struct sge_volume *volume)
{
    struct volume_job *job = volume->free_jobs;
    SG_ASSERT(job != NULL);
    volume->free_jobs = job->next;
    volume->jobs_under_way++;
    return job;
}

static void job_give(struct sge_volume *volume, struct volume_job *job)
{
    job->next = volume->free_jobs;
    volume->free_jobs = job;
    volume->jobs_under_way--;
}

/* Whole pages straight from or to the cell, the rest by way of the job's own two pages. Returns how
 * many parts there are. */
static uint32_t job_parts(struct volume_job *job, uint8_t *memory)
{
    uint32_t pages = sge_record_pages_bytes(job->record.length), n = 0;
    job->bytes = sge_record_bytes(job->record.length);
    if (pages > 0)
        job->iov[n++] = (struct iovec){memory, pages};
    job->iov[n++] = (struct iovec){job->rest, job->bytes - pages};
    return n;
}

/* ---- looking up ---- */

/* The card of `hash`, if it is whole. SG_ENOENT otherwise: a bad one is forgotten. */
static enum sg_err volume_card(struct sge_volume *volume, const uint64_t hash[2],
                               struct sg_str *bytes, struct sge_card *card)
{
    if (volume->blind || volume_is_gone(volume) ||
        atomic_load_explicit(&volume->forget_all, memory_order_acquire))
        return SG_ENOENT;
    enum sg_err err = sge_volindex_get(volume->index, hash, bytes);
    if (err == SG_ENOENT)
        return err;
    if (err == SG_OK)
        err = sge_card_parse(bytes->ptr, bytes->len, card);
    if (err == SG_OK)
        return SG_OK;
    count(&volume->errors);
    volume_forget(volume, hash);
    return SG_ENOENT;
}

static void volume_look_up(struct sge_volume *volume, struct sge_ask *ask)
{
    struct sge_card card;
    struct sg_str bytes;
    ask->ok = false;
    if (volume_card(volume, ask->hash, &bytes, &card) == SG_OK &&
        sg_str_eq(card.key.bytes, ask->key) &&
        (card.slices == 0 || card.slice_bytes == volume->content->slice_bytes)) {
        ask->card = sg_boot_alloc(bytes.len);
        if (ask->card != NULL)
            memcpy(ask->card, bytes.ptr, bytes.len);
        ask->card_bytes = bytes.len;
        ask->ok = ask->card != NULL;
        sge_vollog_used(volume->log, ask->hash);
    }
    volume_answer(volume, ask);
}

/* ---- loading ---- */

static void load_begin(struct sge_volume *volume, struct sge_ask *ask)
{
    struct sge_card card;
    struct sg_str bytes;
    ask->ok = false;
    if (volume_card(volume, ask->hash, &bytes, &card) != SG_OK ||
        card.body_id != ask->body->disk_id || ask->slice >= card.slices ||
        sge_card_slice_bytes(&card, ask->slice) > sge_cell_bytes(ask->cell)) {
        volume_answer(volume, ask);
        return;
    }
    uint32_t page = sge_card_place(&card, ask->slice);
    struct volume_job *job = job_take(volume);
    job->keeper = NULL;
    job->ask = ask;
    job->record = (struct sge_record){.volume = volume->disk.id,
                                      .key_hash = {ask->hash[0], ask->hash[1]},
                                      .body_id = card.body_id,
                                      .slice = ask->slice,
                                      .length = sge_card_slice_bytes(&card, ask->slice)};
    uint32_t parts = job_parts(job, sge_cell_memory(ask->cell));
    sge_vollog_used(volume->log, ask->hash);
    sge_aio_read(volume->aio, volume->disk.fd, job->iov, parts, sge_voldisk_offset(page), job);
}

static void load_done(struct sge_volume *volume, struct volume_job *job, int32_t result)
{
    struct sge_ask *ask = job->ask;
    uint8_t *memory = sge_cell_memory(ask->cell);
    uint32_t pages = sge_record_pages_bytes(job->record.length);
    count(&volume->reads);
    if (result == (int32_t)job->bytes &&
        sge_record_check(&job->record, memory, job->rest, job->bytes - pages) == SG_OK) {
        memcpy(memory + pages, job->rest, job->record.length - pages);
        ask->ok = true;
    } else { /* overwritten, torn, rotten or unreadable: not to be trusted again */
        count(&volume->errors);
        atomic_store_explicit(&ask->body->on_disk, false, memory_order_relaxed);
        volume_forget(volume, ask->hash);
    }
    job_give(volume, job);
    volume_answer(volume, ask);
}

/* ---- keeping ---- */

static void keeper_end(struct volume_keeper *keeper)
{
    sg_hold_unref(&keeper->object->hold);
    keeper->object = NULL;
}

static enum sg_err keeper_put(struct sge_volume *volume, const struct sge_card *card,
                              const uint32_t *places)
{
    struct sg_str bytes = {(const char *)volume->card, sge_card_bytes(card)};
    SG_ASSERT(bytes.len <= CARD_BYTES_MAX);
    sge_card_write(card, places, volume->card);
    enum sg_err err = sge_volindex_put(volume->index, card->key.hash, bytes);
    uint32_t noted = UINT32_MAX;
    for (uint32_t i = 0; err == SG_OK && i < card->slices; i++) {
        uint32_t segment = sge_voldisk_segment(&volume->disk, places[i]);
        if (segment != noted)
            err = sge_volindex_note(volume->index, segment, card->key.hash);
        noted = segment;
    }
    return err;
}

/* All of it is written. */
static void keeper_finish(struct sge_volume *volume, struct volume_keeper *keeper)
{
    if (!keeper->failed) {
        struct sge_card card = sge_object_card(keeper->object);
        enum sg_err err = keeper_put(volume, &card, keeper->places);
        volume_changed(volume, err);
        if (err == SG_OK)
            count(&volume->kept);
        if (err == SG_OK && keeper->object->body != NULL)
            atomic_store_explicit(&keeper->object->body->on_disk, true, memory_order_release);
    }
    keeper_end(keeper);
}

/* A freshened object over a body that is there already: its card alone is written anew. */
static bool keeper_freshen(struct sge_volume *volume, struct volume_keeper *keeper)
{
    struct sge_body *body = keeper->object->body;
    struct sge_card card;
    struct sg_str bytes;
    if (body == NULL || body->disk_id == 0 ||
        volume_card(volume, keeper->object->key.hash, &bytes, &card) != SG_OK ||
        card.body_id != body->disk_id || card.slices != keeper->slices)
        return false;
    for (uint32_t i = 0; i < card.slices; i++)
        keeper->places[i] = sge_card_place(&card, i);
    keeper->begun = keeper->slices;
    return true;
}

static void keeper_begin(struct sge_volume *volume, struct volume_keeper *keeper,
                         struct sge_object *object)
{
    uint64_t bytes_max = (uint64_t)volume->disk.segments * volume->disk.segment_bytes / 4;
    *keeper = (struct volume_keeper){
        .object = object, .places = keeper->places, .slices = sge_object_slices(object)};
    if (keeper->slices > SGE_CARD_SLICES_MAX ||
        (object->body != NULL && sge_body_bytes(object->body) > bytes_max)) {
        keeper->failed = true;
        keeper->begun = keeper->slices;
        return;
    }
    if (object->body != NULL && !keeper_freshen(volume, keeper))
        object->body->disk_id = sge_vollog_body_id(volume->log);
}

static void keeper_fail(struct volume_keeper *keeper)
{
    keeper->failed = true;
    keeper->begun = keeper->slices;
}

static void keeper_write(struct sge_volume *volume, struct volume_keeper *keeper)
{
    struct sge_object *object = keeper->object;
    struct sg_slice slice;
    uint32_t page, number = keeper->begun;
    if (!sge_body_slice_whole(object->body, number, &slice)) {
        keeper_fail(keeper); /* evicted before its turn came */
        return;
    }
    enum sg_err err = sge_vollog_place(volume->log, sge_record_bytes(slice.len), &page);
    if (err != SG_OK) {
        sg_slice_drop(&slice);
        volume_changed(volume, err);
        keeper_fail(keeper);
        return;
    }
    struct volume_job *job = job_take(volume);
    job->keeper = keeper;
    job->slice = slice;
    job->record = (struct sge_record){.volume = volume->disk.id,
                                      .key_hash = {object->key.hash[0], object->key.hash[1]},
                                      .body_id = object->body->disk_id,
                                      .slice = number,
                                      .length = slice.len};
    sge_record_seal(&job->record, slice.bytes, job->rest);
    keeper->places[number] = page;
    keeper->begun++;
    keeper->under_way++;
    uint32_t parts = job_parts(job, (uint8_t *)(uintptr_t)slice.bytes);
    sge_aio_write(volume->aio, volume->disk.fd, job->iov, parts, sge_voldisk_offset(page), job);
}

static void write_done(struct sge_volume *volume, struct volume_job *job, int32_t result)
{
    struct volume_keeper *keeper = job->keeper;
    count(&volume->writes);
    keeper->under_way--;
    if (result == (int32_t)job->bytes) {
        volume->errors_in_a_row = 0;
    } else {
        volume_disk_error(volume, "writing", result < 0 ? sg_err_from_errno(-result) : SG_ENOSPC);
        keeper_fail(keeper);
    }
    sg_slice_drop(&job->slice);
    job_give(volume, job);
}

static bool hash_eq(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

/* What was on its way under that key comes to nothing. */
static void volume_supersede(struct sge_volume *volume, const uint64_t hash[2])
{
    for (int i = 0; i < KEEPERS; i++)
        if (volume->keepers[i].object != NULL && hash_eq(volume->keepers[i].object->key.hash, hash))
            keeper_fail(&volume->keepers[i]);
    for (uint32_t i = 0; i < volume->keeps_count; i++) {
        struct sge_object **at = &volume->keeps[(volume->keeps_first + i) % KEEPS_MAX];
        if (*at != NULL && hash_eq((*at)->key.hash, hash)) {
            sg_hold_unref(&(*at)->hold);
            *at = NULL;
        }
    }
}

static void volume_keep(struct sge_volume *volume, struct sge_object *object)
{
    volume_supersede(volume, object->key.hash);
    if (volume->keeps_count == KEEPS_MAX || volume_lingered(volume) ||
        sg_clock_mono_ns() < volume->paused_until_ns) {
        volume_forget(volume, object->key.hash); /* not an older one in its place */
        sg_hold_unref(&object->hold);
        return;
    }
    volume->keeps[(volume->keeps_first + volume->keeps_count++) % KEEPS_MAX] = object;
}

static struct sge_object *volume_next_keep(struct sge_volume *volume)
{
    while (volume->keeps_count > 0) {
        struct sge_object *object = volume->keeps[volume->keeps_first];
        volume->keeps_first = (volume->keeps_first + 1) % KEEPS_MAX;
        volume->keeps_count--;
        if (object != NULL)
            return object;
    }
    return NULL;
}

/* Reads come first: some jobs are left for them. */
static void keeper_work(struct sge_volume *volume, struct volume_keeper *keeper)
{
    struct sge_object *object;
    if (keeper->object == NULL && (object = volume_next_keep(volume)) != NULL)
        keeper_begin(volume, keeper, object);
    if (keeper->object == NULL)
        return;
    while (keeper->begun < keeper->slices && volume->jobs_under_way < JOBS * 3 / 4)
        keeper_write(volume, keeper);
    if (keeper->begun == keeper->slices && keeper->under_way == 0)
        keeper_finish(volume, keeper);
}

/* ---- the loop ---- */

static void volume_message(struct sge_volume *volume, const struct sg_msg *msg)
{
    switch (msg->type) {
    case SGE_MSG_ASK: {
        struct sge_ask *ask = msg->ptr[0];
        if (ask->kind == SGE_ASK_LOOK_UP)
            volume_look_up(volume, ask);
        else
            load_begin(volume, ask);
        break;
    }
    case SGE_MSG_KEEP:
        volume_keep(volume, msg->ptr[0]);
        break;
    case SGE_MSG_FORGET: {
        uint64_t hash[2] = {(uint64_t)(uintptr_t)msg->ptr[0], (uint64_t)(uintptr_t)msg->ptr[1]};
        volume_supersede(volume, hash);
        volume_forget(volume, hash);
        break;
    }
    default:
        SG_UNREACHABLE();
    }
}

static uint32_t volume_take_mail(struct sge_volume *volume)
{
    struct sg_msg msgs[JOBS];
    uint32_t room = JOBS - volume->jobs_under_way; /* each message may become a job */
    if (room == 0)
        return 0;
    uint32_t n = sg_mail_take(volume->mail, volume->mail_id, msgs, room);
    for (uint32_t i = 0; i < n; i++)
        volume_message(volume, &msgs[i]);
    return n;
}

static bool volume_keeping(const struct sge_volume *volume)
{
    if (volume->keeps_count > 0)
        return true;
    for (int i = 0; i < KEEPERS; i++)
        if (volume->keepers[i].object != NULL)
            return true;
    return false;
}

static void volume_upkeep(struct sge_volume *volume)
{
    if (volume_is_gone(volume)) {
        volume_answer_again(volume);
        return;
    }
    if (atomic_load_explicit(&volume->forget_all, memory_order_relaxed) &&
        atomic_exchange_explicit(&volume->forget_all, false, memory_order_acquire))
        volume_start_over(volume, "more was to be forgotten than could be told");
    for (int i = 0; i < KEEPERS; i++)
        keeper_work(volume, &volume->keepers[i]);
    volume_answer_again(volume);
    atomic_store_explicit(&volume->dropped, sge_vollog_dropped(volume->log), memory_order_relaxed);
    atomic_store_explicit(&volume->readmitted, sge_vollog_readmitted(volume->log),
                          memory_order_relaxed);
    if (volume->commit_ns != SG_NEVER && (sg_clock_mono_ns() >= volume->commit_ns ||
                                          sge_volindex_changes(volume->index) >= COMMIT_CHANGES))
        volume_commit(volume);
}

/* How long there is nothing to do unless something comes. */
static uint64_t volume_rest_ns(struct sge_volume *volume, bool busy)
{
    uint64_t now_ns = sg_clock_mono_ns();
    if (busy || (volume->keeps_count > 0 && volume->jobs_under_way == 0))
        return 0;
    if (volume->answers != NULL || (volume->linger_end_ns != 0 && !volume_is_gone(volume)))
        return SG_NS_PER_MS;
    if (volume->commit_ns == SG_NEVER)
        return IDLE_NS;
    return volume->commit_ns > now_ns ? volume->commit_ns - now_ns : 0;
}

static void volume_wait(struct sge_volume *volume, uint64_t rest_ns)
{
    struct sge_aio_done done[JOBS];
    bool full = volume->jobs_under_way == JOBS; /* then mail waits, and does not wake */
    bool asleep = rest_ns > 0 && !full;
    if (asleep && sg_mail_sleep_begin(volume->mail, volume->mail_id)) {
        asleep = false;
        rest_ns = 0;
    }
    sg_rcu_offline();
    uint32_t n = sge_aio_wait(volume->aio, rest_ns, done, JOBS);
    sg_rcu_online();
    if (asleep)
        sg_mail_sleep_end(volume->mail, volume->mail_id);
    for (uint32_t i = 0; i < n; i++) {
        struct volume_job *job = done[i].tag;
        if (job->keeper != NULL)
            write_done(volume, job, done[i].result);
        else
            load_done(volume, job, done[i].result);
    }
}

/* For the process that takes over: what is on its way is finished, then all is closed. A viewer has
 * the last byte of an object a moment before its fill is told to be over: so we linger. */
static void volume_give_up(struct sge_volume *volume)
{
    if (!volume_lets_go(volume) || volume_is_gone(volume))
        return;
    if (volume->linger_end_ns == 0)
        volume->linger_end_ns = sg_clock_mono_ns() + LINGER_NS;
    if (!volume_lingered(volume) || volume->jobs_under_way > 0 || volume_keeping(volume))
        return;
    volume_commit(volume);
    volume->commit_ns = SG_NEVER;
    sge_vollog_close(volume->log);
    sge_volindex_close(volume->index);
    sge_voldisk_close(&volume->disk);
    volume->log = NULL;
    volume->index = NULL;
    atomic_store_explicit(&volume->gone, true, memory_order_release);
}

/* True: there is more. */
static bool volume_work_ahead(struct sge_volume *volume)
{
    bool more = false;
    if (volume->blind || volume_is_gone(volume))
        return false;
    volume_changed(volume, sge_vollog_work(volume->log, &more));
    return more && !volume->blind;
}

static void *volume_run(void *arg)
{
    struct sge_volume *volume = arg;
    sg_rcu_register();
    volume_commit(volume); /* changes nothing: counts what is there */
    for (;;) {
        bool stop = atomic_load_explicit(&volume->stop, memory_order_acquire);
        bool busy = volume_take_mail(volume) > 0;
        volume_upkeep(volume);
        volume_give_up(volume);
        busy |= !stop && volume_work_ahead(volume);
        if (stop && !busy && volume->jobs_under_way == 0 && !volume_keeping(volume))
            break;
        volume_wait(volume, volume_rest_ns(volume, busy));
    }
    if (!volume_is_gone(volume))
        volume_commit(volume);
    sg_rcu_unregister();
    return NULL;
}

/* ---- open, close ---- */

static enum sg_err volume_take_memory(struct sge_volume *volume)
{
    volume->rests = sg_boot_alloc((size_t)(JOBS + 1) * SGE_REST_BYTES_MAX);
    volume->places = sg_boot_alloc_array((size_t)KEEPERS * SGE_CARD_SLICES_MAX, sizeof(uint32_t));
    volume->card = sg_boot_alloc(CARD_BYTES_MAX);
    if (volume->rests == NULL || volume->places == NULL || volume->card == NULL)
        return SG_ENOMEM;
    uintptr_t rests = ((uintptr_t)volume->rests + SGE_PAGE_BYTES - 1) & ~(SGE_PAGE_BYTES - 1ul);
    for (int i = 0; i < JOBS; i++) {
        volume->jobs[i].rest = (uint8_t *)rests + (size_t)i * SGE_REST_BYTES_MAX;
        volume->jobs[i].next = volume->free_jobs;
        volume->free_jobs = &volume->jobs[i];
    }
    for (int i = 0; i < KEEPERS; i++)
        volume->keepers[i].places = volume->places + (size_t)i * SGE_CARD_SLICES_MAX;
    return SG_OK;
}

static enum sg_err volume_start(struct sge_volume *volume)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&volume->thread, NULL, volume_run, volume);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return sg_err_from_errno(rc);
    volume->running = true;
    pthread_setname_np(volume->thread, "sg-volume");
    return SG_OK;
}

static enum sg_err volume_open_disk(struct sge_volume *volume, const struct sge_content_conf *conf,
                                    uint8_t hash_key[16])
{
    enum sg_err err = sge_voldisk_open(conf->disk_path, conf->disk_bytes, &volume->disk);
    if (err != SG_OK)
        return err;
    uint64_t map_bytes = SG_MAX(conf->disk_bytes / 4, INDEX_BYTES_MIN);
    err = sge_volindex_open(conf->index_dir, map_bytes, volume->disk.id, &volume->index);
    if (err != SG_OK)
        return err;
    memcpy(hash_key, sge_volindex_hash_key(volume->index), 16);
    err = sge_vollog_open(volume->content, &volume->disk, volume->index, &volume->log);
    if (err != SG_OK)
        return err;
    return sge_aio_open(JOBS, sg_mail_wake_fd(volume->mail, volume->mail_id), &volume->aio);
}

enum sg_err sge_volume_open(struct sge_content *content, const struct sge_content_conf *conf,
                            uint8_t hash_key[16], struct sge_volume **out)
{
    SG_ASSERT(conf->disk_path != NULL);
    SG_ASSERT(conf->index_dir != NULL);
    struct sge_volume *volume = sg_boot_alloc(sizeof(*volume));
    if (volume == NULL)
        return SG_ENOMEM;
    volume->content = content;
    volume->mail = conf->mail;
    volume->mail_id = conf->volume_mail_id;
    volume->commit_ns = SG_NEVER;
    enum sg_err err = volume_take_memory(volume);
    if (err == SG_OK)
        err = volume_open_disk(volume, conf, hash_key);
    if (err == SG_OK)
        err = volume_start(volume);
    if (err == SG_OK)
        *out = SG_TAKE(volume);
    sge_volume_close(volume);
    if (err == SG_OK || err == SG_ENOMEM)
        return err;
    sg_error("volume: %s can't be used (%s): the node runs without a disk tier", conf->disk_path,
             sg_err_text(err));
    return SG_OK;
}

void sge_volume_close(struct sge_volume *volume)
{
    if (volume == NULL)
        return;
    if (volume->running) {
        atomic_store_explicit(&volume->stop, true, memory_order_release);
        sg_mail_wake(volume->mail, volume->mail_id);
        pthread_join(volume->thread, NULL);
    }
    sge_aio_close(volume->aio);
    sge_vollog_close(volume->log);
    sge_volindex_close(volume->index);
    sge_voldisk_close(&volume->disk);
    sg_boot_free(volume->rests);
    sg_boot_free(volume->places);
    sg_boot_free(volume->card);
    sg_boot_free(volume);
}

/* ---- the shards' side ---- */

bool sge_volume_ask(struct sge_volume *volume, struct sge_ask *ask)
{
    struct sg_msg msg = {.type = SGE_MSG_ASK, .ptr = {ask}};
    return sg_mail_send(volume->mail, ask->shard, volume->mail_id, &msg);
}

bool sge_volume_keep(struct sge_volume *volume, struct sge_object *object)
{
    struct sg_msg msg = {.type = SGE_MSG_KEEP, .ptr = {object}};
    sg_hold_ref(&object->hold);
    if (sg_mail_send(volume->mail, object->shard, volume->mail_id, &msg))
        return true;
    sg_hold_unref(&object->hold);
    return false;
}

bool sge_volume_forget(struct sge_volume *volume, uint16_t shard, const uint64_t hash[2])
{
    struct sg_msg msg = {.type = SGE_MSG_FORGET,
                         .ptr = {(void *)(uintptr_t)hash[0], (void *)(uintptr_t)hash[1]}};
    return sg_mail_send(volume->mail, shard, volume->mail_id, &msg);
}

void sge_volume_forget_all(struct sge_volume *volume)
{
    atomic_store_explicit(&volume->forget_all, true, memory_order_release);
    sg_mail_wake(volume->mail, volume->mail_id);
}

bool sge_volume_give_up(struct sge_volume *volume, uint64_t patience_ns)
{
    uint64_t end_ns = sg_clock_mono_ns() + patience_ns;
    atomic_store_explicit(&volume->let_go, true, memory_order_release);
    sg_mail_wake(volume->mail, volume->mail_id);
    while (!volume_is_gone(volume) && sg_clock_mono_ns() < end_ns)
        usleep(1000);
    return volume_is_gone(volume);
}

void sge_volume_counts(const struct sge_volume *volume, struct sge_volume_counts *out)
{
    *out = (struct sge_volume_counts){
        .bytes = (uint64_t)volume->disk.segments * volume->disk.segment_bytes,
        .objects = atomic_load_explicit(&volume->objects, memory_order_relaxed),
        .kept = atomic_load_explicit(&volume->kept, memory_order_relaxed),
        .dropped = atomic_load_explicit(&volume->dropped, memory_order_relaxed),
        .readmitted = atomic_load_explicit(&volume->readmitted, memory_order_relaxed),
        .reads = atomic_load_explicit(&volume->reads, memory_order_relaxed),
        .writes = atomic_load_explicit(&volume->writes, memory_order_relaxed),
        .errors = atomic_load_explicit(&volume->errors, memory_order_relaxed),
        .direct = volume->disk.direct,
    };
}
