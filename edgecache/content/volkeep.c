#include "edgecache/content/volinside.h"

/* In a keeper's places: it was on the disk when the keeper began. Where it is, or that it is there
 * no more, is the index's to say. */
#define PLACE_THERE (SGE_PLACE_NONE - 1)

/* ---- one object ---- */

static bool is_under_way(const struct sge_volume_keeper *keeper)
{
    return keeper->object != NULL && !keeper->failed;
}

static void keeper_fail(struct sge_volume_keeper *keeper)
{
    keeper->failed = true;
    keeper->begun = keeper->slices;
}

static enum sg_err keeper_put(struct sge_volume *volume, const struct sge_card *card,
                              const uint32_t *places)
{
    struct sg_str bytes = {(const char *)volume->card, sge_card_bytes(card)};
    SG_ASSERT(bytes.len <= SGE_CARD_BYTES_MAX);
    sge_card_write(card, places, volume->card);
    enum sg_err err = sge_volindex_put(volume->index, card->key.hash, bytes);
    uint32_t noted = UINT32_MAX;
    for (uint32_t i = 0; err == SG_OK && i < card->slices; i++) {
        if (places[i] == SGE_PLACE_NONE)
            continue;
        uint32_t segment = sge_voldisk_segment(&volume->disk, places[i]);
        if (segment != noted)
            err = sge_volindex_note(volume->index, segment, card->key.hash);
        noted = segment;
    }
    return err;
}

static uint32_t keeper_placed(const struct sge_volume_keeper *keeper)
{
    uint32_t placed = 0;
    for (uint32_t i = 0; i < keeper->slices; i++)
        placed += keeper->places[i] != SGE_PLACE_NONE;
    return placed;
}

/* The card that the index has of the keeper's body now. */
static bool keeper_finds(struct sge_volume *volume, const struct sge_volume_keeper *keeper,
                         struct sge_card *card)
{
    const struct sge_object *object = keeper->object;
    struct sg_str bytes;
    return object->body != NULL && sge_body_disk_id(object->body) != 0 &&
           sge_volume_card(volume, object->key.hash, &bytes, card) == SG_OK &&
           card->body_id == sge_body_disk_id(object->body) && card->slices == keeper->slices;
}

/* What was there may have moved or gone while the rest was written. */
static void keeper_look_again(struct sge_volume *volume, struct sge_volume_keeper *keeper)
{
    struct sge_card card;
    bool found = keeper_finds(volume, keeper, &card);
    for (uint32_t i = 0; i < keeper->slices; i++)
        if (keeper->places[i] == PLACE_THERE)
            keeper->places[i] = found ? sge_card_place(&card, i) : SGE_PLACE_NONE;
}

/* The log came round to the first that it wrote before the last was written. */
static bool keeper_is_late(const struct sge_volume *volume, const struct sge_volume_keeper *keeper)
{
    return sge_vollog_advances(volume->log) - keeper->advances + 1 >= volume->disk.segments;
}

/* All of it that was in RAM is written. */
static void keeper_card(struct sge_volume *volume, struct sge_volume_keeper *keeper)
{
    struct sge_body *body = keeper->object->body;
    struct sge_card card = sge_object_card(keeper->object);
    keeper_look_again(volume, keeper);
    uint32_t placed = keeper_placed(keeper);
    if (body != NULL && (placed == 0 || keeper_is_late(volume, keeper)))
        return; /* evicted before its turn came, or overwritten since */
    enum sg_err err = keeper_put(volume, &card, keeper->places);
    sge_volume_changed(volume, err);
    if (err != SG_OK)
        return;
    sge_volume_written(volume, body, placed == keeper->slices);
}

static void keeper_begin(struct sge_volume *volume, struct sge_volume_keeper *keeper,
                         struct sge_object *object)
{
    uint64_t bytes_max = (uint64_t)volume->disk.segments * volume->disk.segment_bytes / 4;
    struct sge_card card;
    *keeper = (struct sge_volume_keeper){.object = object,
                                         .places = keeper->places,
                                         .slices = sge_object_slices(object),
                                         .advances = sge_vollog_advances(volume->log)};
    if (keeper->slices > SGE_CARD_SLICES_MAX ||
        (object->body != NULL && sge_body_bytes(object->body) > bytes_max)) {
        keeper_fail(keeper);
        return;
    }
    bool found = keeper_finds(volume, keeper, &card);
    for (uint32_t i = 0; i < keeper->slices; i++)
        keeper->places[i] =
            found && sge_card_place(&card, i) != SGE_PLACE_NONE ? PLACE_THERE : SGE_PLACE_NONE;
    if (object->body != NULL && !found)
        atomic_store_explicit(&object->body->disk_id, sge_vollog_body_id(volume->log),
                              memory_order_relaxed);
}

static void keeper_end(struct sge_volume *volume, struct sge_volume_keeper *keeper)
{
    struct sge_object *object = keeper->object;
    bool again = keeper->again && !keeper->failed;
    if (!keeper->failed)
        keeper_card(volume, keeper);
    keeper->object = NULL;
    if (again)
        sge_volkeep_add(volume, object);
    else
        sg_hold_unref(&object->hold);
}

/* The next slice, if it is in RAM and not on disk. */
static void keeper_write(struct sge_volume *volume, struct sge_volume_keeper *keeper)
{
    struct sge_object *object = keeper->object;
    struct sg_slice slice;
    uint32_t page, number = keeper->begun++;
    if (keeper->places[number] != SGE_PLACE_NONE ||
        !sge_body_slice_whole(object->body, number, &slice))
        return;
    enum sg_err err = sge_volume_place(volume, sge_record_bytes(slice.len), &page);
    if (err != SG_OK) {
        sg_slice_drop(&slice);
        if (err != SG_EBUSY)
            sge_volume_changed(volume, err);
        keeper_fail(keeper);
        return;
    }
    struct sge_voljob *job = sge_voljobs_take(&volume->jobs);
    job->user = keeper;
    job->slice = slice;
    job->record = (struct sge_record){.volume = volume->disk.id,
                                      .key_hash = {object->key.hash[0], object->key.hash[1]},
                                      .body_id = sge_body_disk_id(object->body),
                                      .slice = number,
                                      .length = slice.len};
    sge_record_seal(&job->record, slice.bytes, job->rest);
    keeper->places[number] = page;
    keeper->under_way++;
    uint32_t parts = sge_voljob_aim(job, page, (uint8_t *)(uintptr_t)slice.bytes);
    sge_aio_write(volume->aio, volume->disk.fd, job->iov, parts, sge_voldisk_offset(page), job);
}

void sge_volkeep_written(struct sge_volume *volume, struct sge_voljob *job, int32_t result)
{
    struct sge_volume_keeper *keeper = job->user;
    sge_volume_count(&volume->writes);
    keeper->under_way--;
    if (result == (int32_t)job->bytes) {
        volume->errors_in_a_row = 0;
    } else {
        sge_volume_write_failed(volume, job->page,
                                result < 0 ? sg_err_from_errno(-result) : SG_ENOSPC);
        keeper_fail(keeper);
    }
    sg_slice_drop(&job->slice);
    sge_voljobs_give(&volume->jobs, job);
}

/* ---- all of them ---- */

static bool hash_eq(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

static struct sge_object **keeps_at(struct sge_volume *volume, uint32_t i)
{
    return &volume->keeps[(volume->keeps_first + i) % SGE_VOLUME_KEEPS_MAX];
}

void sge_volkeep_supersede(struct sge_volume *volume, const uint64_t hash[2])
{
    for (int i = 0; i < SGE_VOLUME_KEEPERS; i++)
        if (volume->keepers[i].object != NULL && hash_eq(volume->keepers[i].object->key.hash, hash))
            keeper_fail(&volume->keepers[i]);
    for (uint32_t i = 0; i < volume->keeps_count; i++) {
        struct sge_object **at = keeps_at(volume, i);
        if (*at != NULL && hash_eq((*at)->key.hash, hash)) {
            sg_hold_unref(&(*at)->hold);
            *at = NULL;
        }
    }
}

/* More of an object that is on its way. */
static bool volkeep_joins(struct sge_volume *volume, const struct sge_object *object)
{
    for (int i = 0; i < SGE_VOLUME_KEEPERS; i++) {
        struct sge_volume_keeper *keeper = &volume->keepers[i];
        if (keeper->object == object && is_under_way(keeper)) {
            keeper->again = true;
            return true;
        }
    }
    for (uint32_t i = 0; i < volume->keeps_count; i++)
        if (*keeps_at(volume, i) == object)
            return true;
    return false;
}

void sge_volkeep_add(struct sge_volume *volume, struct sge_object *object)
{
    if (volkeep_joins(volume, object)) {
        sg_hold_unref(&object->hold);
        return;
    }
    sge_volkeep_supersede(volume, object->key.hash);
    if (volume->keeps_count == SGE_VOLUME_KEEPS_MAX || sge_volume_is_paused(volume)) {
        sge_volume_drop(volume, object->key.hash); /* not an older one in its place */
        sg_hold_unref(&object->hold);
        return;
    }
    *keeps_at(volume, volume->keeps_count++) = object;
}

static struct sge_object *volkeep_next(struct sge_volume *volume)
{
    while (volume->keeps_count > 0) {
        struct sge_object *object = volume->keeps[volume->keeps_first];
        volume->keeps_first = (volume->keeps_first + 1) % SGE_VOLUME_KEEPS_MAX;
        volume->keeps_count--;
        if (object != NULL)
            return object;
    }
    return NULL;
}

static void keeper_work(struct sge_volume *volume, struct sge_volume_keeper *keeper)
{
    struct sge_object *object;
    if (keeper->object == NULL && (object = volkeep_next(volume)) != NULL)
        keeper_begin(volume, keeper, object);
    if (keeper->object == NULL)
        return;
    while (keeper->begun < keeper->slices && volume->jobs.under_way < SGE_VOLJOBS)
        keeper_write(volume, keeper);
    if (keeper->begun == keeper->slices && keeper->under_way == 0)
        keeper_end(volume, keeper);
}

/* Who began first comes first: none waits until the log came round to what it wrote. */
void sge_volkeep_work(struct sge_volume *volume)
{
    for (uint32_t i = 0; i < SGE_VOLUME_KEEPERS; i++)
        keeper_work(volume, &volume->keepers[(volume->keepers_first + i) % SGE_VOLUME_KEEPERS]);
    for (uint32_t i = 0; i < SGE_VOLUME_KEEPERS; i++) {
        if (volume->keepers[volume->keepers_first].object != NULL)
            break;
        volume->keepers_first = (volume->keepers_first + 1) % SGE_VOLUME_KEEPERS;
    }
}

bool sge_volkeep_busy(const struct sge_volume *volume)
{
    if (volume->keeps_count > 0)
        return true;
    for (int i = 0; i < SGE_VOLUME_KEEPERS; i++)
        if (volume->keepers[i].object != NULL)
            return true;
    return false;
}
