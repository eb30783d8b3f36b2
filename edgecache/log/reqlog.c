#include "edgecache/log/reqlog.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "edgecache/log/shmfile.h"

#include <stdatomic.h>
#include <string.h>

#define REQLOG_MAGIC   0x474f4c5145524753ull
#define REQLOG_VERSION 2
#define REQLOG_WORDS   (sizeof(struct sge_record) / 8)
#define REQLOG_HEAD    offsetof(struct sge_record, text)
#define START_WORD     (offsetof(struct sge_record, start_ns) / 8)

_Static_assert(sizeof(struct sge_record) % 8 == 0, "records travel as words");
_Static_assert(REQLOG_HEAD % 8 == 0, "the text begins on a word");

/* A seqlock: `seq` is odd while the record is being written, and twice the record's number plus
 * two once it is whole; so a reader knows an overwritten or torn record for what it is. The words
 * are atomic and relaxed, the order comes from `seq` and the fences. */
struct reqlog_slot {
    _Atomic uint64_t seq;
    _Atomic uint64_t words[REQLOG_WORDS];
};

struct reqlog_ring {
    SG_ALIGNED _Atomic uint64_t written; /* records committed since the start */
};

struct reqlog_file {
    SG_ALIGNED uint64_t magic;
    uint32_t version, record_bytes;
    uint32_t workers, records; /* a worker; a power of two */
    SG_ALIGNED struct reqlog_ring rings[];
};

struct sge_reqlog {
    struct sge_shmfile file;
    struct reqlog_file *shared;
    struct reqlog_slot *slots;
    struct sge_record *drafts; /* a writer's own, one a worker: shared memory sees whole records */
};

static size_t reqlog_bytes(uint32_t workers, uint32_t records)
{
    return sizeof(struct reqlog_file) + workers * sizeof(struct reqlog_ring) +
           (size_t)workers * records * sizeof(struct reqlog_slot);
}

static struct reqlog_slot *reqlog_slot(const struct sge_reqlog *log, uint32_t worker, uint64_t n)
{
    return &log->slots[(size_t)worker * log->shared->records + (n & (log->shared->records - 1))];
}

static struct sge_reqlog *reqlog_of(const struct sge_shmfile *file, uint32_t workers)
{
    struct sge_reqlog *log = sg_boot_alloc(sizeof(*log));
    if (log == NULL)
        return NULL;
    log->file = *file;
    log->shared = file->memory;
    log->slots = (struct reqlog_slot *)(void *)&log->shared->rings[workers];
    return log;
}

enum sg_err sge_reqlog_create(const char *path, uint32_t workers, uint32_t records_per_worker,
                              struct sge_reqlog **out)
{
    SG_ASSERT(workers > 0 && workers <= SGE_REQLOG_WORKERS_MAX);
    SG_ASSERT(records_per_worker > 0 && (records_per_worker & (records_per_worker - 1)) == 0);
    struct sge_shmfile file;
    enum sg_err err = sge_shmfile_create(path, reqlog_bytes(workers, records_per_worker), &file);
    if (err != SG_OK)
        return err;
    struct sge_reqlog *log = reqlog_of(&file, workers);
    if (log == NULL) {
        sge_shmfile_close(&file);
        return SG_ENOMEM;
    }
    log->shared->version = REQLOG_VERSION;
    log->shared->record_bytes = sizeof(struct sge_record);
    log->shared->workers = workers;
    log->shared->records = records_per_worker;
    log->shared->magic = REQLOG_MAGIC;
    log->drafts = sg_boot_alloc_array(workers, sizeof(*log->drafts));
    err = log->drafts != NULL ? sge_shmfile_publish(path) : SG_ENOMEM;
    if (err == SG_OK)
        *out = SG_TAKE(log);
    sge_reqlog_close(log);
    return err;
}

static enum sg_err reqlog_check(const struct sge_shmfile *file)
{
    const struct reqlog_file *shared = file->memory;
    if (shared->magic != REQLOG_MAGIC)
        return SG_ECORRUPT;
    if (shared->version != REQLOG_VERSION || shared->record_bytes != sizeof(struct sge_record))
        return SG_EVERSION;
    if (shared->workers == 0 || shared->workers > SGE_REQLOG_WORKERS_MAX || shared->records == 0 ||
        (shared->records & (shared->records - 1)) != 0)
        return SG_ECORRUPT;
    return file->bytes >= reqlog_bytes(shared->workers, shared->records) ? SG_OK : SG_ECORRUPT;
}

enum sg_err sge_reqlog_open(const char *path, struct sge_reqlog **out)
{
    SG_ASSERT(out != NULL);
    struct sge_shmfile file;
    enum sg_err err = sge_shmfile_open(path, sizeof(struct reqlog_file), &file);
    if (err != SG_OK)
        return err;
    struct sge_reqlog *log = NULL;
    err = reqlog_check(&file);
    if (err == SG_OK) {
        log = reqlog_of(&file, ((struct reqlog_file *)file.memory)->workers);
        err = log != NULL ? SG_OK : SG_ENOMEM;
    }
    if (err == SG_OK)
        *out = log;
    else
        sge_shmfile_close(&file);
    return err;
}

void sge_reqlog_close(struct sge_reqlog *log)
{
    if (log == NULL)
        return;
    sge_shmfile_close(&log->file);
    sg_boot_free(log->drafts);
    sg_boot_free(log);
}

bool sge_reqlog_is_current(const struct sge_reqlog *log, const char *path)
{
    return sge_shmfile_is_current(&log->file, path);
}

struct sge_record *sge_reqlog_begin(struct sge_reqlog *log, uint16_t worker)
{
    SG_ASSERT(log->drafts != NULL); /* a reader does not write */
    SG_ASSERT(worker < log->shared->workers);
    struct sge_record *draft = &log->drafts[worker];
    memset(draft, 0, REQLOG_HEAD);
    return draft;
}

static size_t record_text_bytes(const struct sge_record *record)
{
    return (size_t)record->host_len + record->path_len + record->agent_len + record->referer_len +
           record->why_len;
}

void sge_reqlog_commit(struct sge_reqlog *log, uint16_t worker)
{
    SG_ASSERT(worker < log->shared->workers);
    const struct sge_record *draft = &log->drafts[worker];
    size_t text = record_text_bytes(draft);
    SG_ASSERT(text <= sizeof(draft->text));
    struct reqlog_ring *ring = &log->shared->rings[worker];
    uint64_t n = atomic_load_explicit(&ring->written, memory_order_relaxed);
    struct reqlog_slot *slot = reqlog_slot(log, worker, n);
    const char *from = (const char *)draft;
    atomic_store_explicit(&slot->seq, 2 * n + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* who sees a word below sees the odd seq too */
    for (size_t i = 0; i < (REQLOG_HEAD + text + 7) / 8; i++) {
        uint64_t word;
        memcpy(&word, from + i * 8, 8);
        atomic_store_explicit(&slot->words[i], word, memory_order_relaxed);
    }
    atomic_store_explicit(&slot->seq, 2 * n + 2, memory_order_release);
    atomic_store_explicit(&ring->written, n + 1, memory_order_release);
}

void sge_reqlog_seek(const struct sge_reqlog *log, struct sge_reqlog_cursor *cursor,
                     bool from_start)
{
    memset(cursor, 0, sizeof(*cursor));
    for (uint32_t w = 0; w < log->shared->workers; w++) {
        uint64_t written =
            atomic_load_explicit(&log->shared->rings[w].written, memory_order_acquire);
        if (!from_start)
            cursor->next[w] = written;
        else if (written > log->shared->records)
            cursor->next[w] = written - log->shared->records;
    }
}

static void slot_copy(const struct reqlog_slot *slot, size_t first, size_t end, char *to)
{
    for (size_t i = first; i < end; i++) {
        uint64_t word = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
        memcpy(to + i * 8, &word, 8);
    }
}

/* False: record `n` was overwritten before or while it was read. */
static bool slot_read(const struct reqlog_slot *slot, uint64_t n, struct sge_record *out)
{
    if (atomic_load_explicit(&slot->seq, memory_order_acquire) != 2 * n + 2)
        return false;
    slot_copy(slot, 0, REQLOG_HEAD / 8, (char *)out);
    size_t text = SG_MIN(record_text_bytes(out), sizeof(out->text)); /* may be torn: bounded */
    slot_copy(slot, REQLOG_HEAD / 8, (REQLOG_HEAD + text + 7) / 8, (char *)out);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->seq, memory_order_relaxed) == 2 * n + 2;
}

/* Whose next record is read: the one that began first, so that lines come in the order of time;
 * but a ring that is about to overtake the reader comes before. UINT32_MAX: none has any. */
static uint32_t reqlog_choose(const struct sge_reqlog *log, const struct sge_reqlog_cursor *cursor,
                              uint64_t *written)
{
    uint32_t chosen = UINT32_MAX;
    uint64_t earliest = UINT64_MAX;
    for (uint32_t w = 0; w < log->shared->workers; w++) {
        uint64_t n = atomic_load_explicit(&log->shared->rings[w].written, memory_order_acquire);
        uint64_t waiting = n - cursor->next[w];
        if (waiting == 0)
            continue;
        const struct reqlog_slot *slot = reqlog_slot(log, w, cursor->next[w]);
        uint64_t start_ns = atomic_load_explicit(&slot->words[START_WORD], memory_order_relaxed);
        if (waiting > log->shared->records / 2)
            start_ns = 0;
        if (start_ns < earliest) {
            earliest = start_ns;
            chosen = w;
            *written = n;
        }
    }
    return chosen;
}

bool sge_reqlog_next(const struct sge_reqlog *log, struct sge_reqlog_cursor *cursor,
                     struct sge_record *out, uint64_t *missed)
{
    const uint32_t records = log->shared->records;
    for (;;) {
        uint64_t written = 0;
        uint32_t w = reqlog_choose(log, cursor, &written);
        if (w == UINT32_MAX)
            return false;
        uint64_t *next = &cursor->next[w];
        if (written - *next > records) {
            *missed += written - records - *next;
            *next = written - records;
        }
        uint64_t n = (*next)++; /* read or lost: either way past it, so the loop ends */
        if (slot_read(reqlog_slot(log, w, n), n, out))
            return true;
        *missed += 1;
    }
}

bool sge_reqlog_find(const struct sge_reqlog *log, uint64_t id, struct sge_record *out)
{
    struct sge_reqlog_cursor cursor;
    uint64_t missed = 0;
    uint64_t left = (uint64_t)log->shared->workers * log->shared->records; /* writers go on */
    sge_reqlog_seek(log, &cursor, true);
    while (left-- > 0 && sge_reqlog_next(log, &cursor, out, &missed))
        if (out->id == id)
            return true;
    return false;
}
