#include "base/alloc.h"
#include "base/log.h"
#include "base/sys/rcu.h"
#include "edgecache/content/invalid.h"
#include "edgecache/content/volinside.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define COMMIT_NS       (200 * SG_NS_PER_MS)
#define REPLAY_NS       (600 * SG_NS_PER_SEC)
#define IDLE_NS         (10 * SG_NS_PER_SEC)
#define MAIL_A_TURN     32
#define ERRORS_MAX      8 /* in a row, and writing pauses */
#define PAUSE_NS        (10 * SG_NS_PER_SEC)
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

/* ---- trouble ---- */

bool sge_volume_is_paused(const struct sge_volume *volume)
{
    return sg_clock_mono_ns() <
           atomic_load_explicit(&volume->paused_until_ns, memory_order_relaxed);
}

void sge_volume_write_failed(struct sge_volume *volume, uint32_t page, enum sg_err err)
{
    sge_trouble(&volume->troubles, SGE_TROUBLE_WRITE, sge_voldisk_offset(page), err);
    if (++volume->errors_in_a_row < ERRORS_MAX)
        return;
    if (!sge_volume_is_paused(volume))
        sg_error("volume: writing failed %u times in a row (%s): nothing is written for %u s",
                 volume->errors_in_a_row, sg_err_text(err), (unsigned)(PAUSE_NS / SG_NS_PER_SEC));
    atomic_store_explicit(&volume->paused_until_ns, sg_clock_mono_ns() + PAUSE_NS,
                          memory_order_relaxed);
}

static bool volume_is_blind(const struct sge_volume *volume)
{
    return atomic_load_explicit(&volume->blind, memory_order_relaxed);
}

/* ---- what the index has for good ---- */

/* The cards of what was written are committed: it may leave RAM from now on. */
static void volume_written_for_good(struct sge_volume *volume)
{
    for (uint32_t i = 0; i < volume->written_count; i++) {
        struct sge_body *body = volume->written[i].body;
        if (body == NULL)
            continue;
        atomic_store_explicit(&body->part_on_disk, true, memory_order_release);
        atomic_store_explicit(&body->on_disk, volume->written[i].whole, memory_order_release);
        sg_hold_unref(sge_body_hold(body));
    }
    volume->written_count = 0;
    atomic_store_explicit(&volume->kept_for_good,
                          atomic_load_explicit(&volume->kept, memory_order_relaxed),
                          memory_order_relaxed);
}

/* The cards of what was written are lost. */
static void volume_unwritten(struct sge_volume *volume)
{
    for (uint32_t i = 0; i < volume->written_count; i++)
        if (volume->written[i].body != NULL)
            sg_hold_unref(sge_body_hold(volume->written[i].body));
    volume->written_count = 0;
}

void sge_volume_written(struct sge_volume *volume, struct sge_body *body, bool whole)
{
    SG_ASSERT(volume->written_count < SG_COUNT(volume->written));
    sge_volume_count(&volume->kept);
    if (body != NULL)
        sg_hold_ref(sge_body_hold(body));
    volume->written[volume->written_count++] = (struct sge_volume_written){body, whole};
}

static void volume_forgotten_for_good(struct sge_volume *volume)
{
    for (uint32_t i = 0; i < volume->content->workers; i++)
        atomic_store_explicit(&volume->forgotten_for_good[i], volume->forgotten[i],
                              memory_order_release);
}

uint64_t sge_volume_forgotten(const struct sge_volume *volume, uint16_t shard)
{
    return atomic_load_explicit(&volume->forgotten_for_good[shard], memory_order_acquire);
}

/* What was to be forgotten may still be there: look-ups find nothing until the index is empty. */
static void volume_start_over(struct sge_volume *volume, enum sg_err err, const char *why)
{
    sge_trouble(&volume->troubles, SGE_TROUBLE_INDEX, SGE_TROUBLE_NOWHERE, err);
    sg_error("volume: the index is emptied: %s", why);
    sge_volindex_abort(volume->index);
    volume_unwritten(volume);
    atomic_store_explicit(&volume->blind, true, memory_order_release);
    volume->commit_ns = sg_clock_mono_ns() + COMMIT_NS;
}

void sge_volume_changed(struct sge_volume *volume, enum sg_err err)
{
    if (err != SG_OK)
        volume_start_over(volume, err, sg_err_text(err));
    else if (volume->commit_ns == SG_NEVER && sge_volindex_changes(volume->index) > 0)
        volume->commit_ns = sg_clock_mono_ns() + COMMIT_NS;
}

static void volume_commit(struct sge_volume *volume)
{
    struct sge_volhead head = sge_vollog_head(volume->log);
    bool blind = volume_is_blind(volume);
    enum sg_err err =
        blind ? sge_volindex_drop(volume->index) : sge_volindex_commit(volume->index, &head);
    volume->commit_ns = SG_NEVER;
    if (err != SG_OK && blind) {
        volume->commit_ns = sg_clock_mono_ns() + PAUSE_NS; /* said already; again later */
    } else if (err != SG_OK) {
        volume_start_over(volume, err, sg_err_text(err));
    } else {
        volume_forgotten_for_good(volume);
        atomic_store_explicit(&volume->blind, false, memory_order_release);
    }
    if (err == SG_OK && !blind)
        volume_written_for_good(volume);
    else
        volume_unwritten(volume);
    atomic_store_explicit(&volume->objects, sge_volindex_objects(volume->index),
                          memory_order_relaxed);
}

void sge_volume_drop(struct sge_volume *volume, const uint64_t hash[2])
{
    if (!volume_is_gone(volume))
        sge_volume_changed(volume, sge_volindex_del(volume->index, hash));
}

enum sg_err sge_volume_card(struct sge_volume *volume, const uint64_t hash[2], struct sg_str *bytes,
                            struct sge_card *card)
{
    if (volume_is_blind(volume))
        return SG_ENOENT;
    enum sg_err err = sge_volindex_get(volume->index, hash, bytes);
    if (err == SG_ENOENT)
        return err;
    if (err == SG_OK)
        err = sge_card_parse(bytes->ptr, bytes->len, card);
    if (err == SG_OK)
        return SG_OK;
    sge_trouble(&volume->troubles, SGE_TROUBLE_INDEX, SGE_TROUBLE_NOWHERE, err);
    sge_volume_drop(volume, hash);
    return SG_ENOENT;
}

/* ---- where the next record goes ---- */

/* What lies in the next segment leaves the index, for good, and whoever reads it comes to his end:
 * only then is it written over. So a crash finds no card that names what is there no more. */
static enum sg_err volume_advance(struct sge_volume *volume)
{
    enum sg_err err = sge_vollog_clean(volume->log);
    if (err != SG_OK)
        return err;
    volume_commit(volume);
    if (volume_is_blind(volume))
        return SG_EBUSY; /* said already */
    sge_volread_pass(volume->read);
    sge_vollog_advance(volume->log);
    return SG_OK;
}

enum sg_err sge_volume_place(struct sge_volume *volume, uint32_t bytes, uint32_t *page)
{
    if (sge_vollog_place(volume->log, bytes, page))
        return SG_OK;
    enum sg_err err = volume_advance(volume);
    if (err != SG_OK)
        return err;
    bool placed = sge_vollog_place(volume->log, bytes, page);
    SG_ASSERT(placed); /* it is empty */
    return SG_OK;
}

/* ---- the loop ---- */

/* The reader found it bad. What it found may have been replaced meanwhile. */
static void volume_bad(struct sge_volume *volume, const uint64_t hash[2], uint64_t body_id)
{
    struct sge_card card;
    struct sg_str bytes;
    if (!volume_is_gone(volume) && sge_volume_card(volume, hash, &bytes, &card) == SG_OK &&
        card.body_id == body_id)
        sge_volume_drop(volume, hash);
}

static void volume_message(struct sge_volume *volume, const struct sg_msg *msg)
{
    uint64_t hash[2] = {(uint64_t)(uintptr_t)msg->ptr[0], (uint64_t)(uintptr_t)msg->ptr[1]};
    switch (msg->type) {
    case SGE_MSG_KEEP:
        sge_volkeep_add(volume, msg->ptr[0]);
        break;
    case SGE_MSG_FORGET:
        sge_volkeep_supersede(volume, hash);
        sge_volume_drop(volume, hash);
        volume->forgotten[msg->from]++;
        break;
    case SGE_MSG_LAST_SAID:
        volume->said++;
        break;
    case SGE_MSG_BAD:
        volume_bad(volume, hash, msg->arg64);
        break;
    default:
        SG_UNREACHABLE();
    }
}

static uint32_t volume_take_mail(struct sge_volume *volume)
{
    struct sg_msg msgs[MAIL_A_TURN];
    uint32_t n = sg_mail_take(volume->mail, volume->mail_id, msgs, MAIL_A_TURN);
    for (uint32_t i = 0; i < n; i++)
        volume_message(volume, &msgs[i]);
    return n;
}

static void volume_upkeep(struct sge_volume *volume)
{
    if (volume_is_gone(volume))
        return;
    if (atomic_load_explicit(&volume->forget_all, memory_order_acquire)) {
        volume_start_over(volume, SG_EFULL, "more was to be forgotten than could be told");
        /* Only now: who finds it cleared finds us blind. */
        atomic_store_explicit(&volume->forget_all, false, memory_order_release);
    }
    sge_volkeep_work(volume);
    atomic_store_explicit(&volume->dropped, sge_vollog_dropped(volume->log), memory_order_relaxed);
    atomic_store_explicit(&volume->readmitted, sge_vollog_readmitted(volume->log),
                          memory_order_relaxed);
    uint32_t changes = sge_volindex_changes(volume->index);
    if (volume->commit_ns != SG_NEVER &&
        (sg_clock_mono_ns() >= volume->commit_ns || changes >= SGE_VOLUME_CHANGES))
        volume_commit(volume);
    else if (changes == 0 && !volume_is_blind(volume))
        volume_forgotten_for_good(volume); /* there was nothing of it */
}

/* How long there is nothing to do unless something comes. */
static uint64_t volume_rest_ns(struct sge_volume *volume, bool busy)
{
    uint64_t now_ns = sg_clock_mono_ns();
    if (busy || (volume->keeps_count > 0 && volume->jobs.under_way == 0))
        return 0;
    if (volume_lets_go(volume) && !volume_is_gone(volume))
        return SG_NS_PER_MS;
    if (volume->commit_ns == SG_NEVER)
        return IDLE_NS;
    return volume->commit_ns > now_ns ? volume->commit_ns - now_ns : 0;
}

static void volume_wait(struct sge_volume *volume, uint64_t rest_ns)
{
    struct sge_aio_done done[SGE_VOLJOBS];
    bool asleep = rest_ns > 0;
    if (asleep && sg_mail_sleep_begin(volume->mail, volume->mail_id)) {
        asleep = false;
        rest_ns = 0;
    }
    sg_rcu_offline();
    uint32_t n = sge_aio_wait(volume->aio, rest_ns, done, SGE_VOLJOBS);
    sg_rcu_online();
    if (asleep)
        sg_mail_sleep_end(volume->mail, volume->mail_id);
    for (uint32_t i = 0; i < n; i++)
        sge_volkeep_written(volume, done[i].tag, done[i].result);
}

/* To every shard. True when each has said that nothing follows. */
static bool volume_call_last(struct sge_volume *volume)
{
    struct sg_msg msg = {.type = SGE_MSG_LAST_CALL};
    while (volume->called < volume->content->workers &&
           sg_mail_send(volume->mail, volume->mail_id, (uint16_t)volume->called, &msg))
        volume->called++;
    return volume->said == volume->content->workers;
}

/* For the process that takes over: what the shards have whole, and what is on its way, is finished;
 * then all is closed. */
static void volume_give_up(struct sge_volume *volume)
{
    if (!volume_lets_go(volume) || volume_is_gone(volume))
        return;
    if (!volume_call_last(volume) || volume->jobs.under_way > 0 || sge_volkeep_busy(volume) ||
        !sge_volread_let_go(volume->read))
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
    if (volume_is_blind(volume) || volume_is_gone(volume))
        return false;
    sge_volume_changed(volume, sge_vollog_work(volume->log, &more));
    return more && !volume_is_blind(volume);
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
        if (stop && !busy && volume->jobs.under_way == 0 && !sge_volkeep_busy(volume))
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
    volume->places =
        sg_boot_alloc_array((size_t)SGE_VOLUME_KEEPERS * SGE_CARD_SLICES_MAX, sizeof(uint32_t));
    volume->card = sg_boot_alloc(SGE_CARD_BYTES_MAX);
    if (volume->places == NULL || volume->card == NULL)
        return SG_ENOMEM;
    for (int i = 0; i < SGE_VOLUME_KEEPERS; i++)
        volume->keepers[i].places = volume->places + (size_t)i * SGE_CARD_SLICES_MAX;
    return sge_voljobs_init(&volume->jobs);
}

enum sg_err sge_volume_thread(pthread_t *thread, void *(*run)(void *), void *arg, const char *name)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return sg_err_from_errno(rc);
    pthread_setname_np(*thread, name);
    return SG_OK;
}

static enum sg_err volume_start(struct sge_volume *volume)
{
    enum sg_err err = sge_volread_open(volume, &volume->read);
    if (err == SG_OK)
        err = sge_volume_thread(&volume->thread, volume_run, volume, "sg-volume");
    volume->running = err == SG_OK;
    return err;
}

/* What was made invalid while no process had the disk, or by one that was killed before it could
 * commit that. What is older was committed long ago. */
static enum sg_err volume_replay(struct sge_volume *volume)
{
    struct sge_invalid_word word;
    struct sge_volhead head = sge_volindex_head(volume->index);
    uint64_t now_ns = sg_clock_wall_ns(), end = sge_invalid_end(volume->invalid);
    enum sg_err err = SG_OK;
    for (uint64_t i = end - SG_MIN(end, (uint64_t)SGE_INVALID_WORDS); err == SG_OK && i < end; i++)
        if (sge_invalid_get(volume->invalid, i, &word) == SGE_INVALID_WORD &&
            word.at_ns + REPLAY_NS >= now_ns)
            err = sge_volindex_del(volume->index, word.hash);
    volume->invalid_from = end;
    if (err == SG_OK)
        err = sge_volindex_commit(volume->index, &head);
    if (err == SG_OK)
        return SG_OK;
    sg_error("volume: the index is emptied: what was made invalid could not be taken out (%s)",
             sg_err_text(err));
    return sge_volindex_drop(volume->index);
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
    err = sge_invalid_open(conf->index_dir, &volume->invalid);
    if (err == SG_OK)
        err = volume_replay(volume);
    if (err != SG_OK)
        return err;
    const struct sge_vollog_on on = {volume->content, &volume->disk, volume->index, &volume->used,
                                     &volume->troubles};
    err = sge_vollog_open(&on, &volume->log);
    if (err != SG_OK)
        return err;
    return sge_aio_open(SGE_VOLJOBS, sg_mail_wake_fd(volume->mail, volume->mail_id), &volume->aio);
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
    sge_volread_close(volume->read);
    if (volume->running) {
        atomic_store_explicit(&volume->stop, true, memory_order_release);
        sg_mail_wake(volume->mail, volume->mail_id);
        pthread_join(volume->thread, NULL);
    }
    sge_aio_close(volume->aio);
    sge_vollog_close(volume->log);
    sge_volindex_close(volume->index);
    sge_voldisk_close(&volume->disk);
    sge_invalid_close(volume->invalid);
    sge_voljobs_fini(&volume->jobs);
    sg_boot_free(volume->places);
    sg_boot_free(volume->card);
    sg_boot_free(volume);
}

/* ---- the shards' side ---- */

bool sge_volume_ask(struct sge_volume *volume, struct sge_ask *ask)
{
    struct sg_msg msg = {.type = SGE_MSG_ASK, .ptr = {ask}};
    return sg_mail_send(volume->mail, ask->shard, (uint16_t)(volume->mail_id + 1), &msg);
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

bool sge_volume_last_said(struct sge_volume *volume, uint16_t shard)
{
    struct sg_msg msg = {.type = SGE_MSG_LAST_SAID};
    return sg_mail_send(volume->mail, shard, volume->mail_id, &msg);
}

bool sge_volume_forget(struct sge_volume *volume, uint16_t shard, const uint64_t hash[2])
{
    struct sg_msg msg = {.type = SGE_MSG_FORGET,
                         .ptr = {(void *)(uintptr_t)hash[0], (void *)(uintptr_t)hash[1]}};
    return sg_mail_send(volume->mail, shard, volume->mail_id, &msg);
}

struct sge_invalid *sge_volume_invalid(struct sge_volume *volume)
{
    return volume->invalid;
}

uint64_t sge_volume_invalid_from(const struct sge_volume *volume)
{
    return volume->invalid_from;
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
        .kept_for_good = atomic_load_explicit(&volume->kept_for_good, memory_order_relaxed),
        .dropped = atomic_load_explicit(&volume->dropped, memory_order_relaxed),
        .readmitted = atomic_load_explicit(&volume->readmitted, memory_order_relaxed),
        .reads = sge_volread_count(volume->read),
        .writes = atomic_load_explicit(&volume->writes, memory_order_relaxed),
        .read_errors = sge_trouble_count(&volume->troubles, SGE_TROUBLE_READ),
        .write_errors = sge_trouble_count(&volume->troubles, SGE_TROUBLE_WRITE),
        .record_errors = sge_trouble_count(&volume->troubles, SGE_TROUBLE_RECORD),
        .index_errors = sge_trouble_count(&volume->troubles, SGE_TROUBLE_INDEX),
        .direct = volume->disk.direct,
        .given_up = volume_is_gone(volume),
        .paused = sge_volume_is_paused(volume),
        .blind = volume_is_blind(volume),
    };
}
