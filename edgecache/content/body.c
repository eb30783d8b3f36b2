#include "edgecache/content/body.h"

#include "edgecache/content/tier.h"

#include <string.h>

_Static_assert(sizeof(struct sge_body) <= 512, "a small body is one smallest cell");

static void body_release(struct sg_hold *hold);
static const struct sg_hold_ops body_ops = {.release = body_release};

/* ---- the slot table ---- */

struct slot_place {
    uint32_t table, index;
};

static struct slot_place slot_place(uint32_t number)
{
    uint32_t table = 31 - (uint32_t)__builtin_clz(number / 2 + 1);
    return (struct slot_place){table, number - 2 * ((1u << table) - 1)};
}

/* NULL: its table was never made. */
static struct sge_slot *body_slot(struct sge_body *body, uint64_t number)
{
    if (number >= SGE_SLOTS_MAX)
        return NULL;
    struct slot_place at = slot_place((uint32_t)number);
    struct sge_slot *table = atomic_load_explicit(&body->tables[at.table], memory_order_acquire);
    return table != NULL ? &table[at.index] : NULL;
}

static void slots_init(struct sge_body *body, struct sge_slot *slots, uint32_t first,
                       uint32_t count)
{
    memset(slots, 0, count * sizeof(*slots));
    for (uint32_t i = 0; i < count; i++) {
        sge_entry_init(&slots[i].entry, SGE_ENTRY_SLICE);
        slots[i].body = body;
        slots[i].number = first + i;
    }
}

static struct sge_slot *body_slot_make(struct sge_body *body, uint32_t number)
{
    SG_ASSERT(number < SGE_SLOTS_MAX);
    struct sge_slot *slot = body_slot(body, number);
    if (slot != NULL)
        return slot;
    struct slot_place at = slot_place(number);
    uint32_t count = 2u << at.table;
    struct sge_cell *cell =
        sge_shard_take(body->shard, count * (uint32_t)sizeof(struct sge_slot), SGE_CELL_BODY, body);
    if (cell == NULL)
        return NULL;
    struct sge_slot *table = (struct sge_slot *)(void *)sge_cell_memory(cell);
    slots_init(body, table, number - at.index, count);
    atomic_store_explicit(&body->tables[at.table], table, memory_order_release);
    return &table[at.index];
}

/* How long slice `number` is when it is full; unknown lengths count as going on. */
static uint32_t slot_bytes(const struct sge_body *body, uint32_t number)
{
    uint64_t bytes = atomic_load_explicit(&body->bytes, memory_order_relaxed);
    uint64_t begin = (uint64_t)number * body->slice_bytes;
    if (bytes == SGE_LENGTH_UNKNOWN)
        return body->slice_bytes;
    SG_ASSERT(begin < bytes);
    return (uint32_t)SG_MIN(bytes - begin, (uint64_t)body->slice_bytes);
}

/* ---- readers: any thread ---- */

uint64_t sge_body_bytes(const struct sge_body *body)
{
    return atomic_load_explicit(&body->bytes, memory_order_acquire);
}

bool sge_body_lossy(const struct sge_body *body)
{
    return atomic_load_explicit(&body->lossy, memory_order_relaxed);
}

struct sg_hold *sge_body_hold(struct sge_body *body)
{
    return &body->hold;
}

uint32_t sge_body_slice_bytes(const struct sge_body *body)
{
    return body->slice_bytes;
}

/* The slot's bytes from `within`, with a reference. False: they are not there. */
static bool slot_read(struct sge_slot *slot, uint32_t within, uint64_t budget, struct sg_slice *out)
{
    struct sge_cell *cell = atomic_load_explicit(&slot->cell, memory_order_acquire);
    if (cell == NULL || !sg_hold_try_ref(&cell->hold))
        return false;
    uint32_t filled = atomic_load_explicit(&slot->filled, memory_order_acquire);
    if (atomic_load_explicit(&slot->cell, memory_order_acquire) != cell || within >= filled) {
        sg_hold_unref(&cell->hold);
        return false;
    }
    out->bytes = sge_cell_memory(cell) + within;
    out->len = (uint32_t)SG_MIN((uint64_t)(filled - within), budget);
    out->hold = &cell->hold;
    return true;
}

bool sge_body_slice_whole(struct sge_body *body, uint32_t number, struct sg_slice *out)
{
    struct sge_slot *slot = body_slot(body, number);
    if (slot == NULL || !slot_read(slot, 0, UINT64_MAX, out))
        return false;
    if (out->len == slot_bytes(body, number))
        return true;
    sg_slice_drop(out);
    return false;
}

/* Why there is nothing to read in `slot` (which may be NULL). */
static enum sge_read slot_lacks(const struct sge_body *body, const struct sge_slot *slot)
{
    if (atomic_load_explicit(&body->state, memory_order_acquire) == SGE_BODY_FAILED)
        return SGE_READ_FAILED;
    if (atomic_load_explicit(&body->filling_all, memory_order_acquire))
        return SGE_READ_WAIT;
    if (slot != NULL &&
        atomic_load_explicit(&slot->state, memory_order_acquire) == SGE_SLOT_CLAIMED)
        return SGE_READ_WAIT;
    return SGE_READ_MISSING;
}

static enum sge_read body_read_one(struct sge_body *body, uint64_t offset, uint64_t budget,
                                   struct sg_slice *out)
{
    if (offset >= sge_body_bytes(body)) /* never true while it is unknown */
        return SGE_READ_END;
    struct sge_slot *slot = body_slot(body, offset / body->slice_bytes);
    uint32_t within = (uint32_t)(offset % body->slice_bytes);
    if (slot != NULL && slot_read(slot, within, budget, out)) {
        if (within == 0) /* once a reader */
            sge_entry_use(&slot->entry);
        return SGE_READ_OK;
    }
    enum sge_read lack = slot_lacks(body, slot);
    /* The end of a body of unknown length may have become known meanwhile. */
    return offset >= sge_body_bytes(body) ? SGE_READ_END : lack;
}

enum sge_read sge_body_read(struct sge_body *body, uint64_t offset, uint64_t budget,
                            struct sg_slice *out, size_t max, size_t *count)
{
    SG_ASSERT(max > 0 && budget > 0);
    size_t n = 0;
    enum sge_read got = SGE_READ_OK;
    while (n < max && budget > 0) {
        got = body_read_one(body, offset, budget, &out[n]);
        if (got != SGE_READ_OK)
            break;
        offset += out[n].len;
        budget -= out[n].len;
        n++;
    }
    if (n == 0)
        return got;
    if (body->once && offset > atomic_load_explicit(&body->read_to, memory_order_relaxed))
        atomic_store_explicit(&body->read_to, offset, memory_order_release);
    *count = n;
    return SGE_READ_OK;
}

bool sge_body_watch(struct sge_body *body, uint16_t worker)
{
    SG_ASSERT(worker < SGE_WORKERS_MAX);
    /* A bit that was set already was so before the read that said WAIT: nothing moved since, or it
     * would have been taken. One set only now may have missed something: read again. */
    uint64_t bit = 1ull << worker;
    return (atomic_fetch_or_explicit(&body->watchers, bit, memory_order_acq_rel) & bit) == 0;
}

/* ---- telling ---- */

static uint64_t body_send(struct sge_body *body, uint64_t mask)
{
    struct sge_shard *shard = body->shard;
    struct sg_msg msg = {.type = SGE_MSG_BODY_MOVED, .ptr = {body}};
    uint64_t unsent = 0;
    for (uint64_t left = mask; left != 0; left &= left - 1) {
        uint16_t worker = (uint16_t)__builtin_ctzll(left);
        if (!sg_mail_send(shard->content->mail, shard->id, worker, &msg))
            unsent |= 1ull << worker;
    }
    return unsent;
}

/* After every change that a reader may wait for. The exchange pairs with sge_body_watch(): either
 * it takes the reader's bit, or the reader's next look sees the change. */
static void body_tell(struct sge_body *body)
{
    uint64_t mask = atomic_exchange_explicit(&body->watchers, 0, memory_order_acq_rel);
    if (mask != 0)
        body->untold_mask |= body_send(body, mask);
    if (body->untold_mask != 0 && sg_list_empty(&body->untold))
        sg_list_push_back(&body->shard->untold, &body->untold);
}

void sge_bodies_tell(struct sge_shard *shard)
{
    sg_list_for_each_safe(it, &shard->untold)
    {
        struct sge_body *body = sg_list_entry(it, struct sge_body, untold);
        body->untold_mask = body_send(body, body->untold_mask);
        if (body->untold_mask == 0)
            sg_list_remove(it);
    }
}

/* ---- life ---- */

/* A viewer has the last byte of a body a moment before its fill is told to be over: somebody who
 * waits for what is whole waits for that too. */
static void body_set_brims(struct sge_body *body, bool brims)
{
    if (body->brims == brims)
        return;
    body->brims = brims;
    body->shard->brimming += brims ? 1 : UINT32_MAX; /* minus one */
}

struct sge_body *sge_body_make(struct sge_shard *shard, uint64_t bytes, uint32_t tenant, bool once)
{
    SG_ASSERT(bytes > 0);
    uint32_t slice_bytes = shard->content->slice_bytes;
    if (bytes != SGE_LENGTH_UNKNOWN && (bytes - 1) / slice_bytes >= SGE_SLOTS_MAX)
        return NULL;
    struct sge_cell *cell = sge_shard_take(shard, sizeof(struct sge_body), SGE_CELL_BODY, NULL);
    if (cell == NULL)
        return NULL;
    struct sge_body *body = (struct sge_body *)(void *)sge_cell_memory(cell);
    memset(body, 0, sizeof(*body));
    cell->user = body;
    sg_hold_init(&body->hold, &body_ops);
    sg_list_init(&body->untold);
    body->shard = shard;
    body->once = once;
    body->group = sge_shares_group(&shard->content->shares, tenant);
    body->slice_bytes = slice_bytes;
    atomic_store_explicit(&body->bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&body->filling_all, bytes == SGE_LENGTH_UNKNOWN, memory_order_relaxed);
    slots_init(body, body->first, 0, SGE_SLOTS_INLINE);
    atomic_store_explicit(&body->tables[0], body->first, memory_order_relaxed);
    return body;
}

struct sge_body *sge_body_make_on_disk(struct sge_shard *shard, const struct sge_card *card)
{
    struct sge_body *body = sge_body_make(shard, card->meta.body_bytes, card->meta.tenant, false);
    if (body == NULL)
        return NULL;
    atomic_store_explicit(&body->disk_id, card->body_id, memory_order_relaxed);
    memcpy(body->key_hash, card->key.hash, sizeof(body->key_hash));
    atomic_store_explicit(&body->part_on_disk, true, memory_order_relaxed);
    if (!sge_card_complete(card)) { /* stays open, as one that is filled by ranges */
        atomic_store_explicit(&body->lossy, true, memory_order_relaxed);
        return body;
    }
    body->filled_bytes = card->meta.body_bytes;
    atomic_store_explicit(&body->on_disk, true, memory_order_relaxed);
    atomic_store_explicit(&body->state, SGE_BODY_WHOLE, memory_order_release);
    return body;
}

static void slot_drop(struct sge_slot *slot)
{
    struct sge_cell *cell = atomic_load_explicit(&slot->cell, memory_order_relaxed);
    sge_policy_remove(slot->body->shard->policy, &slot->entry);
    atomic_store_explicit(&slot->state, SGE_SLOT_ABSENT, memory_order_release);
    atomic_store_explicit(&slot->cell, NULL, memory_order_release);
    atomic_store_explicit(&slot->filled, 0, memory_order_release);
    if (cell != NULL)
        sge_cell_leave(cell);
}

/* A slice's name in the ghost list: its object's, and where it stands in it. */
static uint64_t slot_name(const struct sge_slot *slot)
{
    return slot->body->key_hash[0] == 0
               ? 0
               : slot->body->key_hash[0] + slot->number * 0x9e3779b97f4a7c15ull;
}

void sge_slot_evict(struct sge_slot *slot)
{
    sge_policy_ghost(slot->body->shard->policy, slot_name(slot));
    slot->body->shard->counts.evicted_slices++;
    if (!atomic_load_explicit(&slot->body->on_disk, memory_order_acquire))
        atomic_store_explicit(&slot->body->lossy, true, memory_order_relaxed);
    slot_drop(slot);
}

static void body_release(struct sg_hold *hold)
{
    struct sge_body *body = SG_CONTAINER_OF(hold, struct sge_body, hold);
    struct sge_shard *shard = body->shard;
    struct sge_body *head = atomic_load_explicit(&shard->gone, memory_order_relaxed);
    do {
        body->gone_next = head;
    } while (!atomic_compare_exchange_weak_explicit(&shard->gone, &head, body, memory_order_release,
                                                    memory_order_relaxed));
}

static void body_bury(struct sge_body *body)
{
    struct sge_arena *arena = body->shard->content->arena;
    SG_ASSERT(body->object == NULL);
    body_set_brims(body, false);
    sg_list_remove(&body->untold);
    for (uint32_t t = 0; t < SGE_TABLES_MAX; t++) {
        struct sge_slot *table = atomic_load_explicit(&body->tables[t], memory_order_relaxed);
        for (uint32_t i = 0; table != NULL && i < 2u << t; i++)
            slot_drop(&table[i]);
        if (table != NULL && t > 0)
            sge_cell_leave(sge_cell_of(arena, table));
    }
    sge_cell_leave(sge_cell_of(arena, body));
}

void sge_bodies_bury(struct sge_shard *shard)
{
    if (atomic_load_explicit(&shard->gone, memory_order_relaxed) == NULL)
        return;
    struct sge_body *body = atomic_exchange_explicit(&shard->gone, NULL, memory_order_acquire);
    while (body != NULL) {
        struct sge_body *next = body->gone_next;
        body_bury(body);
        body = next;
    }
}

/* ---- filling ---- */

static void body_see_brim(struct sge_body *body)
{
    if (atomic_load_explicit(&body->filling_all, memory_order_relaxed))
        body_set_brims(body, body->filled_bytes ==
                                 atomic_load_explicit(&body->bytes, memory_order_relaxed));
}

/* Once-bodies: what was read to its end is not kept. */
static void body_reap(struct sge_body *body)
{
    uint64_t read_to = atomic_load_explicit(&body->read_to, memory_order_acquire);
    for (uint64_t n = read_to / body->slice_bytes; n-- > 0;) {
        struct sge_slot *slot = body_slot(body, n);
        if (slot == NULL || atomic_load_explicit(&slot->cell, memory_order_relaxed) == NULL)
            return; /* and so those before it */
        slot_drop(slot);
    }
}

bool sge_body_slice_claim(struct sge_shard *shard, struct sge_body *body, uint32_t slice)
{
    SG_ASSERT(body->shard == shard);
    if (slice == SGE_SLICES_ALL)
        return !atomic_exchange_explicit(&body->filling_all, true, memory_order_acq_rel);
    struct sge_slot *slot = body_slot_make(body, slice);
    if (slot == NULL || atomic_load_explicit(&slot->state, memory_order_relaxed) != SGE_SLOT_ABSENT)
        return false;
    atomic_store_explicit(&slot->state, SGE_SLOT_CLAIMED, memory_order_release);
    return true;
}

bool sge_body_window(struct sge_shard *shard, struct sge_body *body, uint32_t slice,
                     uint8_t **memory, uint32_t *bytes)
{
    SG_ASSERT(body->shard == shard);
    SG_ASSERT(atomic_load_explicit(&body->state, memory_order_relaxed) == SGE_BODY_OPEN ||
              !body->once);
    if (body->once)
        body_reap(body);
    if (slice >= SGE_SLOTS_MAX)
        return false;
    struct sge_slot *slot = body_slot_make(body, slice);
    if (slot == NULL)
        return false;
    struct sge_cell *cell = atomic_load_explicit(&slot->cell, memory_order_relaxed);
    uint32_t whole = slot_bytes(body, slice);
    if (cell == NULL) {
        cell = sge_shard_take(shard, whole, SGE_CELL_SLICE, slot);
        if (cell == NULL)
            return false;
        atomic_store_explicit(&slot->state, SGE_SLOT_CLAIMED, memory_order_release);
        atomic_store_explicit(&slot->cell, cell, memory_order_release);
    }
    uint32_t filled = atomic_load_explicit(&slot->filled, memory_order_relaxed);
    *memory = sge_cell_memory(cell) + filled;
    *bytes = whole - filled;
    return true;
}

static void slot_full(struct sge_slot *slot)
{
    struct sge_body *body = slot->body;
    struct sge_cell *cell = atomic_load_explicit(&slot->cell, memory_order_relaxed);
    atomic_store_explicit(&slot->state, SGE_SLOT_FULL, memory_order_release);
    if (!body->once)
        sge_policy_insert(body->shard->policy, &slot->entry, sge_cell_bytes(cell), body->group,
                          slot_name(slot));
}

void sge_body_filled(struct sge_shard *shard, struct sge_body *body, uint32_t slice, uint32_t bytes)
{
    SG_ASSERT(body->shard == shard);
    struct sge_slot *slot = body_slot(body, slice);
    SG_ASSERT(slot != NULL);
    SG_ASSERT(atomic_load_explicit(&slot->cell, memory_order_relaxed) != NULL);
    uint32_t filled = atomic_load_explicit(&slot->filled, memory_order_relaxed) + bytes;
    SG_ASSERT(filled <= slot_bytes(body, slice));
    if (bytes == 0)
        return;
    body->filled_bytes += bytes;
    body_see_brim(body);
    atomic_store_explicit(&slot->filled, filled, memory_order_release);
    if (filled == slot_bytes(body, slice))
        slot_full(slot);
    body_tell(body);
}

struct sge_cell *sge_body_load_begin(struct sge_body *body, uint32_t slice)
{
    struct sge_slot *slot = body_slot(body, slice);
    SG_ASSERT(slot != NULL);
    SG_ASSERT(atomic_load_explicit(&slot->state, memory_order_relaxed) == SGE_SLOT_CLAIMED);
    if (atomic_load_explicit(&slot->cell, memory_order_relaxed) != NULL)
        return NULL; /* its fill has begun another way */
    return sge_shard_take(body->shard, slot_bytes(body, slice), SGE_CELL_SLICE, slot);
}

void sge_body_load_end(struct sge_body *body, uint32_t slice, struct sge_cell *cell, bool ok)
{
    struct sge_slot *slot = body_slot(body, slice);
    if (!ok || atomic_load_explicit(&slot->cell, memory_order_relaxed) != NULL) {
        sge_cell_leave(cell);
        return;
    }
    atomic_store_explicit(&slot->cell, cell, memory_order_release);
    atomic_store_explicit(&slot->filled, slot_bytes(body, slice), memory_order_release);
    slot_full(slot);
    body_tell(body);
}

/* A response of unknown length got whole slices: what its last one does not need is given back, by
 * moving the bytes. Who reads the old cell keeps it. */
static void slot_fit(struct sge_slot *slot)
{
    struct sge_cell *old = atomic_load_explicit(&slot->cell, memory_order_relaxed);
    uint32_t filled = atomic_load_explicit(&slot->filled, memory_order_relaxed);
    if (sge_cell_bytes_for(filled) >= sge_cell_bytes(old))
        return;
    struct sge_cell *cell = sge_arena_take(slot->body->shard->part, filled, SGE_CELL_SLICE, slot);
    if (cell == NULL)
        return;
    memcpy(sge_cell_memory(cell), sge_cell_memory(old), filled);
    atomic_store_explicit(&slot->cell, cell, memory_order_release);
    sge_cell_leave(old);
}

static void body_end_unknown(struct sge_body *body)
{
    uint64_t bytes = body->filled_bytes;
    struct sge_slot *last = bytes == 0 ? NULL : body_slot(body, (bytes - 1) / body->slice_bytes);
    if (last != NULL && !body->once &&
        atomic_load_explicit(&last->state, memory_order_relaxed) == SGE_SLOT_CLAIMED) {
        slot_fit(last);
        slot_full(last);
    }
    atomic_store_explicit(&body->bytes, bytes, memory_order_release);
}

void sge_body_finish(struct sge_shard *shard, struct sge_body *body, bool whole)
{
    SG_ASSERT(body->shard == shard);
    body_set_brims(body, false);
    if (atomic_load_explicit(&body->state, memory_order_relaxed) != SGE_BODY_OPEN)
        return;
    uint64_t bytes = atomic_load_explicit(&body->bytes, memory_order_relaxed);
    if (bytes == SGE_LENGTH_UNKNOWN && whole)
        body_end_unknown(body);
    else if (whole && body->filled_bytes < bytes)
        whole = false; /* nothing half is ever taken for whole */
    atomic_store_explicit(&body->state, whole ? SGE_BODY_WHOLE : SGE_BODY_FAILED,
                          memory_order_release);
    atomic_store_explicit(&body->filling_all, false, memory_order_release);
    body_tell(body);
    if (whole)
        sge_tier_whole(shard, body);
}

void sge_body_slice_abandon(struct sge_shard *shard, struct sge_body *body, uint32_t slice)
{
    SG_ASSERT(body->shard == shard);
    body_set_brims(body, false);
    if (slice == SGE_SLICES_ALL) {
        atomic_store_explicit(&body->filling_all, false, memory_order_release);
    } else {
        struct sge_slot *slot = body_slot(body, slice);
        if (slot == NULL ||
            atomic_load_explicit(&slot->state, memory_order_relaxed) != SGE_SLOT_CLAIMED)
            return;
        body->filled_bytes -= atomic_load_explicit(&slot->filled, memory_order_relaxed);
        slot_drop(slot);
    }
    body_tell(body);
}

void sge_body_parts_filled(struct sge_shard *shard, struct sge_body *body)
{
    SG_ASSERT(body->shard == shard);
    if (!body->once && !atomic_load_explicit(&body->filling_all, memory_order_relaxed) &&
        !atomic_load_explicit(&body->on_disk, memory_order_acquire))
        sge_tier_parts(shard, body);
}

uint64_t sge_body_unread(const struct sge_body *body)
{
    uint64_t read_to = atomic_load_explicit(&body->read_to, memory_order_acquire);
    return body->filled_bytes > read_to ? body->filled_bytes - read_to : 0;
}
