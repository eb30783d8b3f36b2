#include "base/alloc.h"
#include "base/log.h"
#include "base/sys/rcu.h"
#include "edgecache/content/volinside.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define COMMIT_CHANGES  1024
#define COMMIT_NS       (200 * SG_NS_PER_MS)
#define IDLE_NS         (10 * SG_NS_PER_SEC)
#define ERRORS_MAX      8 /* in a row, and writing pauses */
#define PAUSE_NS        (10 * SG_NS_PER_SEC)
#define LINGER_NS       (200 * SG_NS_PER_MS) /* of giving up: what ends just now is kept too */
#define INDEX_BYTES_MIN (256ull << 20)

void sge_volume_count(_Atomic uint64_t *counter)
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

bool sge_volume_lingered(const struct sge_volume *volume)
{
    return volume->linger_end_ns != 0 && sg_clock_mono_ns() >= volume->linger_end_ns;
}

/* ---- trouble ---- */

void sge_volume_disk_error(struct sge_volume *volume, const char *what, enum sg_err err)
{
    sge_volume_count(&volume->errors);
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
    sge_volume_count(&volume->errors);
    sg_error("volume: the index is emptied: %s", why);
    sge_volindex_abort(volume->index);
    volume->blind = true;
    volume->commit_ns = sg_clock_mono_ns() + COMMIT_NS;
}

void sge_volume_changed(struct sge_volume *volume, enum sg_err err)
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

void sge_volume_drop(struct sge_volume *volume, const uint64_t hash[2])
{
    if (!volume_is_gone(volume))
        sge_volume_changed(volume, sge_volindex_del(volume->index, hash));
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

struct sge_volume_job *sge_volume_job_take(struct sge_volume *volume)
{
    struct sge_volume_job *job = volume->free_jobs;
    SG_ASSERT(job != NULL);
    volume->free_jobs = job->next;
    volume->jobs_under_way++;
    return job;
}

void sge_volume_job_give(struct sge_volume *volume, struct sge_volume_job *job)
{
    job->next = volume->free_jobs;
    volume->free_jobs = job;
    volume->jobs_under_way--;
}

uint32_t sge_volume_job_parts(struct sge_volume_job *job, uint8_t *memory)
{
    uint32_t pages = sge_record_pages_bytes(job->record.length), n = 0;
    job->bytes = sge_record_bytes(job->record.length);
    if (pages > 0)
        job->iov[n++] = (struct iovec){memory, pages};
    job->iov[n++] = (struct iovec){job->rest, job->bytes - pages};
    return n;
}

/* ---- looking up ---- */

enum sg_err sge_volume_card(struct sge_volume *volume, const uint64_t hash[2], struct sg_str *bytes,
                            struct sge_card *card)
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
    sge_volume_count(&volume->errors);
    sge_volume_drop(volume, hash);
    return SG_ENOENT;
}

static void volume_look_up(struct sge_volume *volume, struct sge_ask *ask)
{
    struct sge_card card;
    struct sg_str bytes;
    ask->ok = false;
    if (sge_volume_card(volume, ask->hash, &bytes, &card) == SG_OK &&
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
    if (sge_volume_card(volume, ask->hash, &bytes, &card) != SG_OK ||
        card.body_id != ask->body->disk_id || ask->slice >= card.slices ||
        sge_card_slice_bytes(&card, ask->slice) > sge_cell_bytes(ask->cell)) {
        volume_answer(volume, ask);
        return;
    }
    uint32_t page = sge_card_place(&card, ask->slice);
    uint32_t bytes_there = sge_record_bytes(sge_card_slice_bytes(&card, ask->slice));
    if (page == SGE_PLACE_NONE || !sge_voldisk_within(&volume->disk, page, bytes_there)) {
        volume_answer(volume, ask);
        return;
    }
    struct sge_volume_job *job = sge_volume_job_take(volume);
    job->keeper = NULL;
    job->ask = ask;
    job->record = (struct sge_record){.volume = volume->disk.id,
                                      .key_hash = {ask->hash[0], ask->hash[1]},
                                      .body_id = card.body_id,
                                      .slice = ask->slice,
                                      .length = sge_card_slice_bytes(&card, ask->slice)};
    uint32_t parts = sge_volume_job_parts(job, sge_cell_memory(ask->cell));
    sge_vollog_used(volume->log, ask->hash);
    sge_aio_read(volume->aio, volume->disk.fd, job->iov, parts, sge_voldisk_offset(page), job);
}

static void load_done(struct sge_volume *volume, struct sge_volume_job *job, int32_t result)
{
    struct sge_ask *ask = job->ask;
    uint8_t *memory = sge_cell_memory(ask->cell);
    uint32_t pages = sge_record_pages_bytes(job->record.length);
    sge_volume_count(&volume->reads);
    if (result == (int32_t)job->bytes &&
        sge_record_check(&job->record, memory, job->rest, job->bytes - pages) == SG_OK) {
        memcpy(memory + pages, job->rest, job->record.length - pages);
        ask->ok = true;
    } else { /* overwritten, torn, rotten or unreadable: not to be trusted again */
        sge_volume_count(&volume->errors);
        atomic_store_explicit(&ask->body->on_disk, false, memory_order_relaxed);
        atomic_store_explicit(&ask->body->part_on_disk, false, memory_order_relaxed);
        sge_volume_drop(volume, ask->hash);
    }
    sge_volume_job_give(volume, job);
    volume_answer(volume, ask);
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
        sge_volkeep_add(volume, msg->ptr[0]);
        break;
    case SGE_MSG_FORGET: {
        uint64_t hash[2] = {(uint64_t)(uintptr_t)msg->ptr[0], (uint64_t)(uintptr_t)msg->ptr[1]};
        sge_volkeep_supersede(volume, hash);
        sge_volume_drop(volume, hash);
        break;
    }
    default:
        SG_UNREACHABLE();
    }
}

static uint32_t volume_take_mail(struct sge_volume *volume)
{
    struct sg_msg msgs[SGE_VOLUME_JOBS];
    uint32_t room = SGE_VOLUME_JOBS - volume->jobs_under_way; /* each message may become a job */
    if (room == 0)
        return 0;
    uint32_t n = sg_mail_take(volume->mail, volume->mail_id, msgs, room);
    for (uint32_t i = 0; i < n; i++)
        volume_message(volume, &msgs[i]);
    return n;
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
    sge_volkeep_work(volume);
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
    struct sge_aio_done done[SGE_VOLUME_JOBS];
    bool full = volume->jobs_under_way == SGE_VOLUME_JOBS; /* then mail waits, and does not wake */
    bool asleep = rest_ns > 0 && !full;
    if (asleep && sg_mail_sleep_begin(volume->mail, volume->mail_id)) {
        asleep = false;
        rest_ns = 0;
    }
    sg_rcu_offline();
    uint32_t n = sge_aio_wait(volume->aio, rest_ns, done, SGE_VOLUME_JOBS);
    sg_rcu_online();
    if (asleep)
        sg_mail_sleep_end(volume->mail, volume->mail_id);
    for (uint32_t i = 0; i < n; i++) {
        struct sge_volume_job *job = done[i].tag;
        if (job->keeper != NULL)
            sge_volkeep_written(volume, job, done[i].result);
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
    if (!sge_volume_lingered(volume) || volume->jobs_under_way > 0 || sge_volkeep_busy(volume))
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
    sge_volume_changed(volume, sge_vollog_work(volume->log, &more));
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
        if (stop && !busy && volume->jobs_under_way == 0 && !sge_volkeep_busy(volume))
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
    volume->rests = sg_boot_alloc((size_t)(SGE_VOLUME_JOBS + 1) * SGE_REST_BYTES_MAX);
    volume->places =
        sg_boot_alloc_array((size_t)SGE_VOLUME_KEEPERS * SGE_CARD_SLICES_MAX, sizeof(uint32_t));
    volume->card = sg_boot_alloc(SGE_CARD_BYTES_MAX);
    if (volume->rests == NULL || volume->places == NULL || volume->card == NULL)
        return SG_ENOMEM;
    uintptr_t rests = ((uintptr_t)volume->rests + SGE_PAGE_BYTES - 1) & ~(SGE_PAGE_BYTES - 1ul);
    for (int i = 0; i < SGE_VOLUME_JOBS; i++) {
        volume->jobs[i].rest = (uint8_t *)rests + (size_t)i * SGE_REST_BYTES_MAX;
        volume->jobs[i].next = volume->free_jobs;
        volume->free_jobs = &volume->jobs[i];
    }
    for (int i = 0; i < SGE_VOLUME_KEEPERS; i++)
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
    return sge_aio_open(SGE_VOLUME_JOBS, sg_mail_wake_fd(volume->mail, volume->mail_id),
                        &volume->aio);
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
