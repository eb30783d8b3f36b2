#include "edgecache/content/vollog.h"

#include "base/alloc.h"
#include "edgecache/content/card.h"
#include "edgecache/content/object.h"

#include <string.h>
#include <unistd.h>

#define NOTES_A_TURN  64
#define READMIT_MAX   4096u
#define RECORD_BUFFER (SGE_BLOCK_BYTES + SGE_REST_BYTES_MAX)
#define CARD_BUFFER   (1u << 20)

struct sge_vollog {
    struct sge_vollog_on on;
    struct sge_volhead head;
    bool cleaning;          /* notes of the next segment are left */
    uint64_t (*readmit)[2]; /* of the next segment: worth another round */
    uint32_t readmit_count, readmit_at;
    uint32_t readmitted_bytes; /* into this segment: at most half of it */
    uint64_t dropped, readmitted, advances;
    uint8_t *record; /* a record on its way */
    uint8_t *card;   /* a card on its way */
};

enum sg_err sge_vollog_open(const struct sge_vollog_on *on, struct sge_vollog **out)
{
    struct sge_vollog *log = sg_boot_alloc(sizeof(*log));
    if (log == NULL)
        return SG_ENOMEM;
    log->on = *on;
    log->head = sge_volindex_head(on->index);
    if (log->head.segment >= on->disk->segments)
        log->head.segment = log->head.page = 0;
    /* Ids that a crash may have used are not used again. */
    log->head.body_ids += 1u << 20;
    log->cleaning = true;
    log->readmit = sg_boot_alloc_array(READMIT_MAX, sizeof(*log->readmit));
    log->record = sg_boot_alloc(RECORD_BUFFER + SGE_PAGE_BYTES);
    log->card = sg_boot_alloc(CARD_BUFFER);
    if (log->readmit == NULL || log->record == NULL || log->card == NULL) {
        sge_vollog_close(log);
        return SG_ENOMEM;
    }
    *out = log;
    return SG_OK;
}

void sge_vollog_close(struct sge_vollog *log)
{
    if (log == NULL)
        return;
    sg_boot_free(log->readmit);
    sg_boot_free(log->record);
    sg_boot_free(log->card);
    sg_boot_free(log);
}

struct sge_volhead sge_vollog_head(const struct sge_vollog *log)
{
    return log->head;
}

uint64_t sge_vollog_body_id(struct sge_vollog *log)
{
    return log->head.body_ids++;
}

uint64_t sge_vollog_advances(const struct sge_vollog *log)
{
    return log->advances;
}

uint64_t sge_vollog_dropped(const struct sge_vollog *log)
{
    return log->dropped;
}

uint64_t sge_vollog_readmitted(const struct sge_vollog *log)
{
    return log->readmitted;
}

/* ---- what was used ---- */

/* Within its tenant's own share of the disk: others don't push it out. */
static bool log_within_share(const struct sge_vollog *log, uint32_t tenant)
{
    uint8_t group = sge_shares_group(&log->on.content->shares, tenant);
    uint64_t disk_bytes = (uint64_t)log->on.disk->segments * log->on.disk->segment_bytes;
    return group != SGE_GROUP_COMMON &&
           sge_volindex_tenant_bytes(log->on.index, tenant) <=
               disk_bytes / 100 * sge_shares_percent(&log->on.content->shares, group);
}

/* Asked for from disk, kept in RAM, or its tenant's right: it would be missed. */
static bool log_worth(struct sge_vollog *log, const struct sge_card *card)
{
    _Atomic bool *slot = &log->on.used->slots[card->key.hash[0] % SGE_VOLUSED_SLOTS];
    bool used = atomic_exchange_explicit(slot, false, memory_order_relaxed);
    return used || log_within_share(log, card->meta.tenant) ||
           sge_object_listed(log->on.content, &card->key);
}

/* ---- cleaning ---- */

static uint32_t log_next_segment(const struct sge_vollog *log)
{
    return (log->head.segment + 1) % log->on.disk->segments;
}

static bool slice_lies_in(const struct sge_vollog *log, const struct sge_card *card, uint32_t slice,
                          uint32_t segment)
{
    uint32_t place = sge_card_place(card, slice);
    return place != SGE_PLACE_NONE && sge_voldisk_segment(log->on.disk, place) == segment;
}

static bool card_lies_in(const struct sge_vollog *log, const struct sge_card *card,
                         uint32_t segment)
{
    for (uint32_t i = 0; i < card->slices; i++)
        if (slice_lies_in(log, card, i, segment))
            return true;
    return false;
}

/* One object that the next segment's notes name. */
static enum sg_err log_clean_one(struct sge_vollog *log, const uint64_t hash[2])
{
    struct sg_str bytes;
    struct sge_card card;
    enum sg_err err = sge_volindex_get(log->on.index, hash, &bytes);
    if (err != SG_OK)
        return err == SG_ENOENT ? SG_OK : err;
    if (sge_card_parse(bytes.ptr, bytes.len, &card) != SG_OK)
        return sge_volindex_del(log->on.index, hash);
    if (!card_lies_in(log, &card, log_next_segment(log)))
        return SG_OK; /* it has moved on */
    if (log->readmit_count < READMIT_MAX && log_worth(log, &card)) {
        memcpy(log->readmit[log->readmit_count++], hash, sizeof(log->readmit[0]));
        return SG_OK;
    }
    log->dropped++;
    return sge_volindex_del(log->on.index, hash);
}

static enum sg_err log_clean_some(struct sge_vollog *log, uint32_t max)
{
    uint64_t hash[2];
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < max; i++) {
        err = sge_volindex_take_note(log->on.index, log_next_segment(log), hash);
        if (err == SG_OK)
            err = log_clean_one(log, hash);
    }
    if (err == SG_ENOENT) {
        log->cleaning = false;
        err = SG_OK;
    }
    return err;
}

/* ---- another round ---- */

static uint8_t *log_record_buffer(struct sge_vollog *log)
{
    return (uint8_t *)(((uintptr_t)log->record + SGE_PAGE_BYTES - 1) &
                       ~(uintptr_t)(SGE_PAGE_BYTES - 1));
}

static enum sg_err log_trouble(struct sge_vollog *log, enum sge_trouble kind, uint32_t page,
                               enum sg_err err)
{
    sge_trouble(log->on.troubles, kind, sge_voldisk_offset(page), err);
    return err;
}

static enum sg_err log_copy(struct sge_vollog *log, const struct sge_record *record, uint32_t from,
                            uint32_t to)
{
    uint8_t *buffer = log_record_buffer(log);
    uint32_t bytes = sge_record_bytes(record->length);
    uint32_t pages = sge_record_pages_bytes(record->length);
    errno = EIO; /* for a short one */
    if (pread(log->on.disk->fd, buffer, bytes, (off_t)sge_voldisk_offset(from)) != (ssize_t)bytes)
        return log_trouble(log, SGE_TROUBLE_READ, from, sg_err_from_errno(errno));
    enum sg_err err = sge_record_check(record, buffer, buffer + pages, bytes - pages);
    if (err != SG_OK)
        return log_trouble(log, SGE_TROUBLE_RECORD, from, err);
    errno = EIO;
    if (pwrite(log->on.disk->fd, buffer, bytes, (off_t)sge_voldisk_offset(to)) != (ssize_t)bytes)
        return log_trouble(log, SGE_TROUBLE_WRITE, to, sg_err_from_errno(errno));
    return SG_OK;
}

/* Copies the record of one slice to the head, as it is. */
static enum sg_err log_move_slice(struct sge_vollog *log, const struct sge_card *card,
                                  uint32_t slice, uint32_t *page)
{
    uint32_t length = sge_card_slice_bytes(card, slice), from = sge_card_place(card, slice);
    uint32_t bytes = sge_record_bytes(length);
    struct sge_record record = {.volume = log->on.disk->id,
                                .key_hash = {card->key.hash[0], card->key.hash[1]},
                                .body_id = card->body_id,
                                .slice = slice,
                                .length = length};
    if (log->head.page + bytes / SGE_PAGE_BYTES > log->on.disk->segment_bytes / SGE_PAGE_BYTES ||
        log->readmitted_bytes + bytes > log->on.disk->segment_bytes / 2)
        return SG_EFULL;
    uint32_t to =
        log->head.segment * (log->on.disk->segment_bytes / SGE_PAGE_BYTES) + log->head.page;
    enum sg_err err = log_copy(log, &record, from, to);
    if (err != SG_OK)
        return err;
    log->head.page += bytes / SGE_PAGE_BYTES;
    log->readmitted_bytes += bytes;
    *page = to;
    return SG_OK;
}

static enum sg_err log_readmit(struct sge_vollog *log, const struct sge_card *card)
{
    static uint32_t places[SGE_CARD_SLICES_MAX]; /* there is one volume thread */
    size_t bytes = sge_card_bytes(card);
    if (bytes > CARD_BUFFER)
        return SG_EFULL;
    for (uint32_t i = 0; i < card->slices; i++) {
        places[i] = sge_card_place(card, i);
        if (!slice_lies_in(log, card, i, log_next_segment(log)))
            continue;
        enum sg_err err = log_move_slice(log, card, i, &places[i]);
        if (err != SG_OK)
            return err;
    }
    sge_card_write(card, places, log->card);
    enum sg_err err = sge_volindex_note(log->on.index, log->head.segment, card->key.hash);
    struct sg_str whole = {(const char *)log->card, bytes};
    uint64_t hash[2] = {card->key.hash[0], card->key.hash[1]};
    return err == SG_OK ? sge_volindex_put(log->on.index, hash, whole) : err;
}

/* What can't get another place loses the one it has. */
static enum sg_err log_readmit_next(struct sge_vollog *log)
{
    const uint64_t *hash = log->readmit[log->readmit_at++];
    struct sg_str bytes;
    struct sge_card card;
    enum sg_err err = sge_volindex_get(log->on.index, hash, &bytes);
    if (err != SG_OK)
        return err == SG_ENOENT ? SG_OK : err;
    if (sge_card_parse(bytes.ptr, bytes.len, &card) == SG_OK) {
        if (!card_lies_in(log, &card, log_next_segment(log)))
            return SG_OK;
        if (log_readmit(log, &card) == SG_OK) {
            log->readmitted++;
            return SG_OK;
        }
    }
    log->dropped++;
    return sge_volindex_del(log->on.index, hash);
}

enum sg_err sge_vollog_work(struct sge_vollog *log, bool *more)
{
    enum sg_err err = SG_OK;
    if (log->cleaning)
        err = log_clean_some(log, NOTES_A_TURN);
    else if (log->readmit_at < log->readmit_count)
        err = log_readmit_next(log);
    *more = log->cleaning || log->readmit_at < log->readmit_count;
    return err;
}

/* ---- the head ---- */

enum sg_err sge_vollog_clean(struct sge_vollog *log)
{
    enum sg_err err = SG_OK;
    while (err == SG_OK && log->cleaning)
        err = log_clean_some(log, NOTES_A_TURN);
    while (err == SG_OK && log->readmit_at < log->readmit_count)
        err = log_readmit_next(log);
    return err;
}

void sge_vollog_advance(struct sge_vollog *log)
{
    SG_ASSERT(!log->cleaning && log->readmit_at == log->readmit_count);
    log->head.segment = log_next_segment(log);
    log->head.page = 0;
    log->advances++;
    log->readmit_count = log->readmit_at = log->readmitted_bytes = 0;
    log->cleaning = true;
}

bool sge_vollog_place(struct sge_vollog *log, uint32_t bytes, uint32_t *page)
{
    uint32_t pages = bytes / SGE_PAGE_BYTES;
    uint32_t per_segment = log->on.disk->segment_bytes / SGE_PAGE_BYTES;
    SG_ASSERT(bytes % SGE_PAGE_BYTES == 0 && pages <= per_segment);
    if (log->head.page + pages > per_segment)
        return false;
    *page = log->head.segment * per_segment + log->head.page;
    log->head.page += pages;
    return true;
}
