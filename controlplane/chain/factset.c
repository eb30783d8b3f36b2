#include "controlplane/chain/factset.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>

#define CAP_MIN 64u /* a power of two */

void sgc_factset_init(struct sgc_factset *set, struct sg_mdb_txn *txn,
                      const struct sgc_ledgerdb *db)
{
    SG_ASSERT(txn != NULL && db != NULL);
    *set = (struct sgc_factset){.txn = txn, .db = db};
}

void sgc_factset_fini(struct sgc_factset *set)
{
    sg_boot_free(set->entries);
    sg_boot_free(set->slots);
    *set = (struct sgc_factset){0};
}

/* ---- the table: open addressing over keys that are hashes already ---- */

static uint32_t *slot_of(const struct sgc_factset *set, const struct sge_fact_id *id)
{
    uint32_t mask = 2 * set->cap - 1, i = (uint32_t)id->key & mask;
    while (set->slots[i] != 0) {
        const struct sge_fact_id *there = &set->entries[set->slots[i] - 1].id;
        if (there->key == id->key && there->check == id->check)
            break;
        i = (i + 1) & mask;
    }
    return &set->slots[i];
}

static enum sg_err grow(struct sgc_factset *set)
{
    uint32_t cap = set->cap == 0 ? CAP_MIN : 2 * set->cap;
    struct sgc_factset_entry *entries = sg_boot_alloc_array(cap, sizeof(*entries));
    uint32_t *slots = sg_boot_alloc_array(2 * (size_t)cap, sizeof(*slots));
    if (entries == NULL || slots == NULL) {
        sg_boot_free(entries);
        sg_boot_free(slots);
        return SG_ENOMEM;
    }
    if (set->count != 0)
        memcpy(entries, set->entries, set->count * sizeof(*entries));
    sg_boot_free(set->entries);
    sg_boot_free(set->slots);
    set->entries = entries;
    set->slots = slots;
    set->cap = cap;
    for (uint32_t i = 0; i < set->count; i++)
        *slot_of(set, &entries[i].id) = i + 1;
    return SG_OK;
}

enum sg_err sgc_factset_find(struct sgc_factset *set, const struct sge_fact_id *id,
                             const struct sgc_factrow *fresh, struct sgc_factset_entry **out)
{
    if (set->count == set->cap) {
        enum sg_err err = grow(set);
        if (err != SG_OK)
            return err;
    }
    uint32_t *slot = slot_of(set, id);
    if (*slot == 0) {
        struct sgc_factset_entry *entry = &set->entries[set->count];
        enum sg_err err = sgc_fact_get(set->txn, set->db, id, &entry->row);
        if (err == SG_ENOENT && fresh != NULL) {
            entry->row = *fresh;
            err = SG_OK;
        }
        if (err != SG_OK)
            return err;
        entry->id = *id;
        *slot = ++set->count;
    }
    *out = &set->entries[*slot - 1];
    return SG_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct sge_fact_id *x = &((const struct sgc_factset_entry *)a)->id;
    const struct sge_fact_id *y = &((const struct sgc_factset_entry *)b)->id;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->check < y->check ? -1 : x->check > y->check;
}

void sgc_factset_sort(struct sgc_factset *set)
{
    if (set->count > 1)
        qsort(set->entries, set->count, sizeof(set->entries[0]), by_key);
}

/* ---- events ---- */

static void account_of(const struct sg_caip_chain *chain, const struct sg_caip_address *address,
                       uint8_t out[32])
{
    struct sg_caip_account account = {.chain = *chain, .address = *address};
    memset(out, 0, 32);
    if (address->len != 0)
        sg_caip_account_id(&account, out);
}

static struct sgc_factrow row_of(const struct sgc_event *event, enum sge_fact_kind kind)
{
    struct sgc_factrow row = {.kind = (uint8_t)kind,
                              .chain = sge_chain_id(&event->asset.chain),
                              .source = event->source,
                              .groups_count = 1,
                              .groups = {event->source}};
    if (event->asset.has_id)
        memcpy(row.token, event->asset.id.bytes, sizeof(row.token));
    else
        memcpy(row.token, event->asset.contract.bytes, event->asset.contract.len);
    return row;
}

static void changed(struct sgc_factset_entry *entry, uint64_t block, const struct sgc_event *event,
                    bool bump)
{
    entry->changed = true;
    entry->bump |= bump;
    entry->row.block = block;
    entry->row.log = event->log;
}

static void set_head(struct sgc_factset_entry *entry, uint64_t block, const struct sgc_event *event,
                     const uint8_t head[32], bool bump)
{
    memcpy(entry->row.head, head, sizeof(entry->row.head));
    changed(entry, block, event, bump);
}

/* Of an amount: less is something taken away. */
static void set_amount(struct sgc_factset_entry *entry, uint64_t block,
                       const struct sgc_event *event)
{
    int order = memcmp(event->amount.bytes, entry->row.head, sizeof(entry->row.head));
    if (order != 0)
        set_head(entry, block, event, event->amount.bytes, order < 0);
}

/* Of the asset itself: who owns it, or who its user is; *to: who is to be that. */
static enum sg_err asset_find(struct sgc_factset *set, const struct sgc_event *event,
                              enum sge_fact_kind kind, uint8_t to[32],
                              struct sgc_factset_entry **out)
{
    struct sgc_factrow fresh = row_of(event, kind);
    struct sge_fact_id id;
    if (kind == SGE_FACT_USER)
        sge_fact_user(&event->asset, &id);
    else
        sge_fact_owner(&event->asset, &id);
    account_of(&event->asset.chain, &event->to, to);
    return sgc_factset_find(set, &id, &fresh, out);
}

static enum sg_err apply_owner(struct sgc_factset *set, uint64_t block,
                               const struct sgc_event *event)
{
    struct sgc_factset_entry *entry;
    uint8_t to[32];
    enum sg_err err = asset_find(set, event, SGE_FACT_OWNER, to, &entry);
    if (err != SG_OK || memcmp(entry->row.head, to, sizeof(to)) == 0)
        return err;
    memcpy(entry->row.holder, to, sizeof(to));
    set_head(entry, block, event, to, true);
    return SG_OK;
}

/* Another user, or the same for less long. */
static enum sg_err apply_user(struct sgc_factset *set, uint64_t block,
                              const struct sgc_event *event)
{
    struct sgc_factset_entry *entry;
    uint8_t to[32];
    enum sg_err err = asset_find(set, event, SGE_FACT_USER, to, &entry);
    if (err != SG_OK)
        return err;
    bool other = memcmp(entry->row.head, to, sizeof(to)) != 0;
    if (!other && entry->row.until_s == event->until_s)
        return SG_OK;
    bool bump = other || event->until_s < entry->row.until_s;
    memcpy(entry->row.holder, to, sizeof(to));
    entry->row.until_s = event->until_s;
    set_head(entry, block, event, to, bump);
    return SG_OK;
}

static enum sg_err balance_find(struct sgc_factset *set, const struct sgc_event *event,
                                const struct sg_caip_address *holder,
                                struct sgc_factset_entry **out)
{
    struct sgc_factrow fresh = row_of(event, SGE_FACT_BALANCE);
    struct sge_fact_id id;
    account_of(&event->asset.chain, holder, fresh.holder);
    sge_fact_balance(&event->asset, fresh.holder, &id);
    return sgc_factset_find(set, &id, &fresh, out);
}

/* More than was there leaves nothing: never a yes that should be a no. */
static enum sg_err apply_part(struct sgc_factset *set, uint64_t block,
                              const struct sgc_event *event, bool falls)
{
    struct sgc_factset_entry *entry;
    struct sg_u256 balance;
    enum sg_err err = balance_find(set, event, falls ? &event->from : &event->to, &entry);
    if (err != SG_OK)
        return err;
    memcpy(balance.bytes, entry->row.head, sizeof(balance.bytes));
    if (!(falls ? sg_u256_sub(&balance, &event->amount, &balance)
                : sg_u256_add(&balance, &event->amount, &balance))) {
        memset(balance.bytes, falls ? 0 : 0xff, sizeof(balance.bytes));
        set->odd++;
    }
    set_head(entry, block, event, balance.bytes, falls);
    return SG_OK;
}

static bool address_eq(const struct sg_caip_address *a, const struct sg_caip_address *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Of nothing, or to oneself, is no change; anybody may make such moves, so they make no rows. */
static enum sg_err apply_move(struct sgc_factset *set, uint64_t block,
                              const struct sgc_event *event)
{
    enum sg_err err = SG_OK;
    if (sg_u256_is_zero(&event->amount) || address_eq(&event->from, &event->to))
        return SG_OK;
    if (event->from.len != 0)
        err = apply_part(set, block, event, true);
    if (err == SG_OK && event->to.len != 0)
        err = apply_part(set, block, event, false);
    return err;
}

static enum sg_err apply_balance(struct sgc_factset *set, uint64_t block,
                                 const struct sgc_event *event)
{
    struct sgc_factset_entry *entry;
    enum sg_err err = balance_find(set, event, &event->to, &entry);
    if (err == SG_OK)
        set_amount(entry, block, event);
    return err;
}

static enum sg_err apply_delegation(struct sgc_factset *set, uint64_t block,
                                    const struct sgc_event *event)
{
    struct sgc_factrow fresh = row_of(event, SGE_FACT_DELEGATION);
    struct sgc_factset_entry *entry;
    struct sge_fact_id id;
    account_of(&event->asset.chain, &event->from, fresh.token);
    account_of(&event->asset.chain, &event->to, fresh.holder);
    fresh.groups[0] = sge_group_delegations(&event->asset.chain);
    sge_fact_delegation(fresh.token, fresh.holder, event->has_asset ? &event->asset : NULL, &id);
    enum sg_err err = sgc_factset_find(set, &id, &fresh, &entry);
    if (err == SG_OK)
        set_amount(entry, block, event);
    return err;
}

static bool names(const struct sgc_factrow *row, uint64_t group)
{
    bool found = false;
    for (uint8_t i = 0; i < row->groups_count && !found; i++)
        found = row->groups[i] == group;
    return found;
}

/* What an asset no longer belongs to may have been what let its owner in. */
static enum sg_err apply_groups(struct sgc_factset *set, uint64_t block,
                                const struct sgc_event *event)
{
    struct sgc_factrow next = row_of(event, SGE_FACT_OWNER);
    struct sgc_factset_entry *entry;
    struct sge_fact_id id;
    bool left = false, came = false;
    SG_ASSERT(event->groups_count < SGE_FACT_GROUPS_MAX);
    sge_fact_owner(&event->asset, &id);
    enum sg_err err = sgc_factset_find(set, &id, &next, &entry);
    if (err != SG_OK)
        return err;
    struct sgc_factrow *row = &entry->row;
    memcpy(next.groups + 1, event->groups, event->groups_count * sizeof(next.groups[0]));
    next.groups_count = (uint8_t)(event->groups_count + 1);
    for (uint8_t i = 0; i < row->groups_count; i++)
        left |= !names(&next, row->groups[i]);
    for (uint8_t i = 0; i < next.groups_count; i++)
        came |= !names(row, next.groups[i]);
    if (!left && !came)
        return SG_OK;
    row->source = next.source;
    row->groups_count = next.groups_count;
    memcpy(row->groups, next.groups, sizeof(row->groups));
    changed(entry, block, event, left);
    return SG_OK;
}

enum sg_err sgc_factset_apply(struct sgc_factset *set, uint64_t block,
                              const struct sgc_event *event)
{
    switch (event->kind) {
    case SGC_EVENT_OWNER:
        return apply_owner(set, block, event);
    case SGC_EVENT_MOVE:
        return apply_move(set, block, event);
    case SGC_EVENT_BALANCE:
        return apply_balance(set, block, event);
    case SGC_EVENT_DELEGATION:
        return apply_delegation(set, block, event);
    case SGC_EVENT_USER:
        return apply_user(set, block, event);
    case SGC_EVENT_GROUPS:
        return apply_groups(set, block, event);
    }
    SG_UNREACHABLE();
}
