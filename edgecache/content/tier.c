#include "edgecache/content/tier.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/pool.h"
#include "edgecache/content/body.h"
#include "edgecache/content/card.h"
#include "edgecache/content/invalid.h"
#include "edgecache/content/object.h"
#include "edgecache/content/volume.h"

#include <string.h>

#define ASKS         256  /* look-ups and loads under way */
#define FORGETS_MAX  8192 /* words to forget that are not in force for good yet */
#define HOLES_MAX    8    /* words of others that were not whole when they were looked at */
#define DOOR_BITS    (1u << 20)
#define DOOR_FULL    (1u << 17) /* names, after which it starts anew */
#define WAITING_LOOK 4          /* a turn */

struct sge_tier {
    struct sge_volume *volume;
    struct sg_pool asks;
    struct sg_list looking; /* look-ups under way */
    struct sg_list waiting; /* objects not used a second time yet */
    /* What is to be forgotten, a ring in the order it came: told to the volume up to `told`. Until
     * it is in force for good, what the volume finds under such a name may be just that. */
    uint64_t forgets[FORGETS_MAX][2];
    uint64_t first, told, end; /* counted from the start */
    uint64_t blind_to;         /* words that had to leave the ring before they were in force */
    bool last_call;            /* the disk is given up: what is whole is still handed over */
    bool closed;               /* that is done: nothing is asked or kept any more */
    uint64_t heeded;           /* words of other processes, up to this one */
    uint64_t holes[HOLES_MAX];
    uint32_t holes_count;
    uint64_t *door; /* names that were seen once: two bits each */
    uint32_t door_count;
};

enum sg_err sge_tier_open(struct sge_shard *shard)
{
    struct sge_tier *tier = sg_boot_alloc(sizeof(*tier));
    if (tier == NULL)
        return SG_ENOMEM;
    tier->volume = shard->content->volume;
    tier->heeded = sge_volume_invalid_from(tier->volume);
    sg_list_init(&tier->looking);
    sg_list_init(&tier->waiting);
    tier->door = sg_boot_alloc(DOOR_BITS / 8);
    enum sg_err err = tier->door == NULL ? SG_ENOMEM : SG_OK;
    if (err == SG_OK)
        err = sg_pool_init(&tier->asks, ASKS, sizeof(struct sge_ask) + SGE_KEY_BYTES_MAX);
    if (err != SG_OK) {
        sge_tier_close(tier);
        return err;
    }
    shard->tier = tier;
    return SG_OK;
}

void sge_tier_close(struct sge_tier *tier)
{
    if (tier == NULL)
        return;
    while (!sg_list_empty(&tier->looking)) { /* nobody took the answer any more */
        struct sg_list *it = sg_list_pop_front(&tier->looking);
        sg_boot_free(sg_list_entry(it, struct sge_ask, link)->card);
    }
    sg_pool_fini(&tier->asks);
    sg_boot_free(tier->door);
    sg_boot_free(tier);
}

/* ---- forgetting ---- */

/* Answers to look-ups that are under way would bring the old back. */
static void tier_void_looks(struct sge_tier *tier, const uint64_t *hash)
{
    sg_list_for_each_safe(it, &tier->looking)
    {
        struct sge_ask *ask = sg_list_entry(it, struct sge_ask, link);
        if (hash == NULL || (ask->hash[0] == hash[0] && ask->hash[1] == hash[1]))
            ask->outdated = true;
    }
}

static uint64_t *tier_word(struct sge_tier *tier, uint64_t number)
{
    return tier->forgets[number % FORGETS_MAX];
}

static void tier_tell_forgets(struct sge_shard *shard)
{
    struct sge_tier *tier = shard->tier;
    while (tier->told < tier->end &&
           sge_volume_forget(tier->volume, shard->id, tier_word(tier, tier->told)))
        tier->told++;
}

/* Lets go of those in force. Returns how many ever were. */
static uint64_t tier_settle_forgets(struct sge_shard *shard)
{
    uint64_t for_good = sge_volume_forgotten(shard->tier->volume, shard->id);
    shard->tier->first = SG_MAX(shard->tier->first, for_good);
    return for_good;
}

/* Something of that name is to be forgotten first. */
static bool tier_is_forgetting(struct sge_shard *shard, const uint64_t hash[2])
{
    struct sge_tier *tier = shard->tier;
    if (tier_settle_forgets(shard) < tier->blind_to)
        return true;
    for (uint64_t i = tier->first; i < tier->end; i++) {
        const uint64_t *word = tier_word(tier, i);
        if (word[0] == hash[0] && word[1] == hash[1])
            return true;
    }
    return false;
}

/* Room for one more. What was told is not lost by leaving; nothing is looked up until it is in
 * force. What can't be told is never lost either: rather everything is. */
static void tier_make_room(struct sge_shard *shard)
{
    struct sge_tier *tier = shard->tier;
    (void)tier_settle_forgets(shard);
    if (tier->end - tier->first < FORGETS_MAX)
        return;
    if (tier->first < tier->told) {
        tier->blind_to = ++tier->first;
        return;
    }
    sge_volume_forget_all(tier->volume);
    tier_void_looks(tier, NULL);
    tier->end = tier->told;
}

static void tier_forget(struct sge_shard *shard, const uint64_t hash[2])
{
    struct sge_tier *tier = shard->tier;
    tier_void_looks(tier, hash);
    tier_make_room(shard);
    memcpy(tier_word(tier, tier->end++), hash, sizeof(tier->forgets[0]));
    tier_tell_forgets(shard);
}

void sge_tier_forget(struct sge_shard *shard, const uint64_t hash[2])
{
    if (shard->tier != NULL)
        tier_forget(shard, hash);
}

/* A newer one may be there in its place: that stays. */
void sge_tier_withdrawn(struct sge_shard *shard, struct sge_object *object)
{
    if (shard->tier == NULL)
        return;
    if (sge_object_cell(object)->listed || !sge_object_listed(shard->content, &object->key))
        tier_forget(shard, object->key.hash);
}

/* It is stale by a word that the disk does not know. */
void sge_tier_evicted(struct sge_shard *shard, struct sge_object *object)
{
    if (shard->tier != NULL && sge_object_cell(object)->maybe_on_disk &&
        atomic_load_explicit(&object->stale_forced, memory_order_relaxed))
        tier_forget(shard, object->key.hash);
}

/* ---- what other processes made invalid ---- */

static void tier_heed_word(struct sge_shard *shard, const struct sge_invalid_word *word)
{
    struct sge_key key = {.hash = {word->hash[0], word->hash[1]}, .owner_hash = word->owner_hash};
    struct sge_object *object = sge_object_named(shard->content, key.hash);
    if (object != NULL)
        atomic_store_explicit(&object->stale_forced, true, memory_order_release);
    if (sge_key_owner(shard->content, &key) != shard->id)
        return;
    tier_forget(shard, key.hash);
    if (object != NULL)
        sge_object_withdraw(shard, object);
}

/* Too many came since we looked: all of it may be meant. */
static void tier_heed_all(struct sge_shard *shard)
{
    struct sge_tier *tier = shard->tier;
    sg_warn("cache: more was made invalid by another process than was heeded: it is emptied");
    tier->holes_count = 0;
    tier->heeded = sge_invalid_end(sge_volume_invalid(tier->volume));
    sge_volume_forget_all(tier->volume);
    tier_void_looks(tier, NULL);
    sge_shard_empty(shard);
}

/* False: it is not to be had any more. */
static bool tier_heed_one(struct sge_shard *shard, uint64_t number)
{
    struct sge_tier *tier = shard->tier;
    struct sge_invalid_word word;
    switch (sge_invalid_get(sge_volume_invalid(tier->volume), number, &word)) {
    case SGE_INVALID_WORD:
        tier_heed_word(shard, &word);
        return true;
    case SGE_INVALID_OWN:
        return true;
    case SGE_INVALID_NONE:
        if (tier->holes_count == HOLES_MAX)
            return false;
        tier->holes[tier->holes_count++] = number;
        return true;
    case SGE_INVALID_LOST:
        return false;
    }
    SG_UNREACHABLE();
}

static void tier_heed(struct sge_shard *shard, uint64_t end)
{
    struct sge_tier *tier = shard->tier;
    uint64_t holes[HOLES_MAX];
    uint32_t count = tier->holes_count;
    memcpy(holes, tier->holes, sizeof(holes));
    tier->holes_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (end - holes[i] < SGE_INVALID_WORDS) /* else its writer was killed over it */
            (void)tier_heed_one(shard, holes[i]);
    while (tier->heeded < end)
        if (!tier_heed_one(shard, tier->heeded++)) {
            tier_heed_all(shard);
            return;
        }
}

void sge_shard_heed(struct sge_shard *shard)
{
    struct sge_tier *tier = shard->tier;
    if (tier == NULL)
        return;
    uint64_t end = sge_invalid_end(sge_volume_invalid(tier->volume));
    if (end != tier->heeded || tier->holes_count > 0)
        tier_heed(shard, end);
}

/* ---- keeping ---- */

/* True from the second time on that a name comes, more or less. */
static bool tier_door(struct sge_tier *tier, const uint64_t hash[2])
{
    uint32_t a = (uint32_t)(hash[0] % DOOR_BITS), b = (uint32_t)(hash[1] % DOOR_BITS);
    uint64_t bit_a = 1ull << (a % 64), bit_b = 1ull << (b % 64);
    if ((tier->door[a / 64] & bit_a) != 0 && (tier->door[b / 64] & bit_b) != 0)
        return true;
    if (tier->door_count++ == DOOR_FULL) {
        memset(tier->door, 0, DOOR_BITS / 8);
        tier->door_count = 0;
    }
    tier->door[a / 64] |= bit_a;
    tier->door[b / 64] |= bit_b;
    return false;
}

static bool object_used(struct sge_object_cell *cell)
{
    return atomic_load_explicit(&cell->entry.uses, memory_order_relaxed) > 0;
}

static void tier_send(struct sge_shard *shard, struct sge_object_cell *cell)
{
    struct sge_tier *tier = shard->tier;
    if (tier->closed)
        return;
    cell->maybe_on_disk = true;
    tier_tell_forgets(shard); /* in order: what is told later would take it away again */
    if (tier->told == tier->end && sge_volume_keep(tier->volume, &cell->object))
        return;
    shard->counts.not_kept++;
    tier_forget(shard, cell->object.key.hash); /* not an older one in its place */
}

static void tier_offer(struct sge_shard *shard, struct sge_object_cell *cell, bool freshened)
{
    if (!shard->content->disk_second_hit || freshened || object_used(cell) ||
        tier_door(shard->tier, cell->object.key.hash))
        tier_send(shard, cell);
    else
        sg_list_push_back(&shard->tier->waiting, &cell->waiting);
}

static bool body_whole(const struct sge_body *body)
{
    return body == NULL ||
           atomic_load_explicit(&body->state, memory_order_relaxed) == SGE_BODY_WHOLE;
}

static bool body_partly_there(const struct sge_body *body)
{
    return atomic_load_explicit(&body->part_on_disk, memory_order_acquire);
}

void sge_tier_published(struct sge_shard *shard, struct sge_object *object, bool keep,
                        bool freshened)
{
    struct sge_object_cell *cell = sge_object_cell(object);
    if (shard->tier == NULL)
        return;
    cell->keep = keep;
    bool now = keep && (body_whole(object->body) || (freshened && body_partly_there(object->body)));
    if (now && freshened)
        tier_void_looks(shard->tier, object->key.hash);
    else
        tier_forget(shard, object->key.hash);
    if (now)
        tier_offer(shard, cell, freshened);
}

void sge_tier_whole(struct sge_shard *shard, struct sge_body *body)
{
    if (shard->tier == NULL || body->object == NULL || !sge_object_cell(body->object)->keep)
        return;
    tier_offer(shard, sge_object_cell(body->object), false);
}

void sge_tier_parts(struct sge_shard *shard, struct sge_body *body)
{
    if (shard->tier == NULL || body->object == NULL)
        return;
    struct sge_object_cell *cell = sge_object_cell(body->object);
    if (cell->keep && sg_list_empty(&cell->waiting))
        tier_offer(shard, cell, body_partly_there(body));
}

static void tier_look_at_waiting(struct sge_shard *shard)
{
    struct sge_tier *tier = shard->tier;
    for (int i = 0; i < WAITING_LOOK && !sg_list_empty(&tier->waiting); i++) {
        struct sge_object_cell *cell =
            sg_list_entry(sg_list_pop_front(&tier->waiting), struct sge_object_cell, waiting);
        if (object_used(cell))
            tier_send(shard, cell);
        else
            sg_list_push_back(&tier->waiting, &cell->waiting);
    }
}

/* A body whose bytes are all there becomes whole in a moment. */
static void tier_say_last(struct sge_shard *shard)
{
    struct sge_tier *tier = shard->tier;
    if (tier->last_call && !tier->closed && shard->brimming == 0 && tier->told == tier->end)
        tier->closed = sge_volume_last_said(tier->volume, shard->id);
}

void sge_tier_turn(struct sge_shard *shard)
{
    if (shard->tier == NULL)
        return;
    sge_shard_heed(shard);
    tier_tell_forgets(shard);
    tier_look_at_waiting(shard);
    tier_say_last(shard);
}

/* ---- asking ---- */

bool sge_shard_look_up(struct sge_shard *shard, const struct sge_key *key, uint64_t cookie)
{
    struct sge_tier *tier = shard->tier;
    if (tier == NULL || tier->closed || tier_is_forgetting(shard, key->hash))
        return false;
    struct sge_ask *ask = sg_pool_take(&tier->asks);
    if (ask == NULL)
        return false;
    *ask = (struct sge_ask){.kind = SGE_ASK_LOOK_UP,
                            .shard = shard->id,
                            .cookie = cookie,
                            .hash = {key->hash[0], key->hash[1]},
                            .key = {(const char *)(ask + 1), key->bytes.len}};
    memcpy(ask + 1, key->bytes.ptr, key->bytes.len);
    sg_list_init(&ask->link);
    if (!sge_volume_ask(tier->volume, ask)) {
        sg_pool_give(&tier->asks, ask);
        return false;
    }
    sg_list_push_back(&tier->looking, &ask->link);
    shard->counts.looks++;
    return true;
}

bool sge_body_load(struct sge_shard *shard, struct sge_body *body, uint32_t slice, uint64_t cookie)
{
    struct sge_tier *tier = shard->tier;
    SG_ASSERT(body->shard == shard);
    if (tier == NULL || tier->closed || !body_partly_there(body))
        return false;
    struct sge_ask *ask = sg_pool_take(&tier->asks);
    struct sge_cell *cell = ask == NULL ? NULL : sge_body_load_begin(body, slice);
    if (cell == NULL) {
        sg_pool_give(&tier->asks, ask);
        return false;
    }
    *ask = (struct sge_ask){.kind = SGE_ASK_LOAD,
                            .shard = shard->id,
                            .cookie = cookie,
                            .hash = {body->key_hash[0], body->key_hash[1]},
                            .body = body,
                            .cell = cell,
                            .slice = slice};
    sg_list_init(&ask->link);
    if (!sge_volume_ask(tier->volume, ask)) {
        sge_cell_leave(cell);
        sg_pool_give(&tier->asks, ask);
        return false;
    }
    sg_hold_ref(sge_body_hold(body));
    shard->counts.loads++;
    return true;
}

/* ---- answers ---- */

/* The object that the card describes, listed, with a reference for the caller. */
static struct sge_object *tier_object(struct sge_shard *shard, const struct sge_card *card)
{
    struct sge_object *object = sge_content_find(shard->content, &card->key);
    struct sge_body *body = NULL;
    if (object != NULL) /* it came another way meanwhile */
        return object;
    if (card->slices > 0) {
        body = sge_body_make_on_disk(shard, card);
        if (body == NULL)
            return NULL;
    }
    struct sge_object_new from = {&card->key, &card->meta, card->head, body};
    object = sge_object_make(shard, &from);
    if (body != NULL)
        sg_hold_unref(sge_body_hold(body));
    if (object == NULL)
        return NULL;
    sge_object_cell(object)->keep = true;
    sge_object_cell(object)->maybe_on_disk = true;
    sg_hold_ref(&object->hold);
    sge_object_list(shard, object);
    return object;
}

static void tier_looked_up(struct sge_shard *shard, struct sge_ask *ask, struct sge_event *event)
{
    struct sge_card card;
    *event = (struct sge_event){.kind = SGE_EVENT_LOOKED_UP, .cookie = ask->cookie};
    if (ask->ok && !ask->outdated && sge_card_parse(ask->card, ask->card_bytes, &card) == SG_OK)
        event->object = tier_object(shard, &card);
    event->ok = event->object != NULL;
    shard->counts.looked_up += event->ok;
    sg_list_remove(&ask->link);
    sg_boot_free(ask->card);
}

static void tier_loaded(struct sge_shard *shard, struct sge_ask *ask, struct sge_event *event)
{
    *event = (struct sge_event){.kind = SGE_EVENT_LOADED, .cookie = ask->cookie, .ok = ask->ok};
    sge_body_load_end(ask->body, ask->slice, ask->cell, ask->ok);
    shard->counts.loaded += ask->ok;
    sg_hold_unref(sge_body_hold(ask->body));
}

bool sge_shard_message(struct sge_shard *shard, const struct sg_msg *msg, struct sge_event *event)
{
    SG_ASSERT(msg->type >= SGE_MSG_FIRST && msg->type <= SGE_MSG_LAST);
    if (msg->type == SGE_MSG_LAST_CALL)
        shard->tier->last_call = true;
    if (msg->type != SGE_MSG_ANSWER)
        return false;
    struct sge_ask *ask = msg->ptr[0];
    if (ask->kind == SGE_ASK_LOOK_UP)
        tier_looked_up(shard, ask, event);
    else
        tier_loaded(shard, ask, event);
    sg_pool_give(&shard->tier->asks, ask);
    return true;
}
