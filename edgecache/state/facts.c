#include "edgecache/state/facts.h"

#include "base/assert.h"
#include "base/clock.h"
#include "edgecache/state/factrow.h"
#include "edgecache/state/inside.h"

#define PREFIX_BYTES  8 /* of a holder in the index: the row has all of it */
#define HOLDING_BYTES (PREFIX_BYTES + 8 + 8)

static const uint8_t nobody[32];

/* ---- the index of holders ---- */

static void holding_key(uint8_t key[HOLDING_BYTES], const uint8_t holder[32], uint64_t group,
                        uint64_t fact)
{
    memcpy(key, holder, PREFIX_BYTES);
    sge_be64_put(key + PREFIX_BYTES, group);
    sge_be64_put(key + PREFIX_BYTES + 8, fact);
}

/* What belongs to no group is found all the same, among all that its holder has. */
static uint32_t groups_of(const struct sge_change *change)
{
    if (memcmp(change->holder, nobody, sizeof(nobody)) == 0)
        return 0;
    return change->groups_count == 0 ? 1 : change->groups_count;
}

static uint64_t group_at(const struct sge_change *change, uint32_t i)
{
    return change->groups_count == 0 ? 0 : change->groups[i];
}

static enum sg_err holdings_put(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t fact,
                                const struct sge_change *change)
{
    uint8_t key[HOLDING_BYTES];
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < groups_of(change); i++) {
        holding_key(key, change->holder, group_at(change, i), fact);
        err = sg_mdb_put(txn, state->holdings, sge_bytes(key, sizeof(key)), SG_STR(""));
    }
    return err;
}

static enum sg_err holdings_del(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t fact,
                                const struct sge_change *change)
{
    uint8_t key[HOLDING_BYTES];
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < groups_of(change); i++) {
        holding_key(key, change->holder, group_at(change, i), fact);
        err = sg_mdb_del(txn, state->holdings, sge_bytes(key, sizeof(key)));
        if (err == SG_ENOENT) /* a group named twice */
            err = SG_OK;
    }
    return err;
}

static bool same_places(const struct sge_change *a, const struct sge_change *b)
{
    return memcmp(a->holder, b->holder, sizeof(a->holder)) == 0 &&
           a->groups_count == b->groups_count &&
           memcmp(a->groups, b->groups, a->groups_count * sizeof(a->groups[0])) == 0;
}

/* ---- rows ---- */

/* SG_ENOENT leaves *out zeroed. */
static enum sg_err row_of(const struct sge_state *state, struct sg_mdb_txn *txn, struct sg_str key,
                          struct sge_factrow *out)
{
    struct sg_str bytes;
    enum sg_err err = sg_mdb_get(txn, state->facts, key, &bytes);
    if (err != SG_OK) {
        *out = (struct sge_factrow){.generation = 0};
        return err;
    }
    return sge_factrow_read(bytes, out) ? SG_OK : SG_ECORRUPT;
}

/* Puts `bytes`, which read as `row`, over what was there, if anything was. */
static enum sg_err row_put(struct sge_state *state, struct sg_mdb_txn *txn, struct sg_str key,
                           const struct sge_factrow *before, const struct sge_factrow *row,
                           struct sg_str bytes)
{
    uint64_t fact = sge_be64_get(key.ptr);
    enum sg_err err = SG_OK;
    if (!same_places(&before->change, &row->change)) {
        err = holdings_del(state, txn, fact, &before->change);
        if (err == SG_OK)
            err = holdings_put(state, txn, fact, &row->change);
    }
    return err != SG_OK ? err : sg_mdb_put(txn, state->facts, key, bytes);
}

enum sg_err sge_fact_falls(struct sge_state *state, struct sg_mdb_txn *txn,
                           const struct sge_change *change, bool *falls)
{
    struct sge_factrow row;
    uint8_t key[8];
    sge_be64_put(key, change->id.key);
    enum sg_err err = row_of(state, txn, sge_bytes(key, sizeof(key)), &row);
    int order = memcmp(change->head, row.change.head, sizeof(row.change.head));
    bool amount = change->kind == SGE_FACT_BALANCE || change->kind == SGE_FACT_DELEGATION;
    *falls = amount ? order < 0 : order != 0;
    return err == SG_ENOENT ? SG_OK : err;
}

enum sg_err sge_fact_put(struct sge_state *state, struct sg_mdb_txn *txn,
                         const struct sge_change *change, uint64_t number, uint64_t *generation)
{
    SG_ASSERT(change->groups_count <= SGE_FACT_GROUPS_MAX);
    struct sge_factrow before, row = {.change = *change};
    uint8_t bytes[8], row_bytes[SGE_FACTROW_MAX];
    struct sg_str key = sge_bytes(bytes, sizeof(bytes));
    sge_be64_put(bytes, change->id.key);
    enum sg_err err = row_of(state, txn, key, &before);
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    if (err == SG_OK && before.change.id.check != change->id.check)
        return SG_EEXIST;
    bool moved = err == SG_ENOENT || change->bump;
    row.generation = moved ? number : before.generation;
    row.changed_ns = moved ? sg_clock_wall_ns() : before.changed_ns;
    err = row_put(state, txn, key, &before, &row,
                  sge_bytes(row_bytes, sge_factrow_put(&row, row_bytes)));
    if (err == SG_OK)
        *generation = row.generation;
    return err;
}

enum sg_err sge_fact_replace(struct sge_state *state, struct sg_mdb_txn *txn, struct sg_str key,
                             struct sg_str bytes)
{
    struct sge_factrow before, row;
    enum sg_err err = row_of(state, txn, key, &before);
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    if (bytes.ptr != NULL)
        return sge_factrow_read(bytes, &row) ? row_put(state, txn, key, &before, &row, bytes)
                                             : SG_ECORRUPT;
    if (err == SG_ENOENT)
        return SG_OK;
    err = holdings_del(state, txn, sge_be64_get(key.ptr), &before.change);
    return err != SG_OK ? err : sg_mdb_del(txn, state->facts, key);
}

/* ---- reading ---- */

enum sg_err sge_state_fact(struct sge_state_reader *reader, uint64_t fact_key, struct sge_fact *out)
{
    SG_ASSERT(reader != NULL);
    SG_ASSERT(out != NULL);
    struct sg_str bytes;
    uint8_t key[8];
    sge_be64_put(key, fact_key);
    enum sg_err err =
        sg_mdb_get(reader->txn, reader->state->facts, sge_bytes(key, sizeof(key)), &bytes);
    if (err != SG_OK)
        return err;
    return sge_factrow_brief(bytes, out) ? SG_OK : SG_ECORRUPT;
}

enum sg_err sge_state_fact_get(struct sge_state_reader *reader, const struct sge_fact_id *id,
                               struct sge_change *out, uint64_t *generation)
{
    SG_ASSERT(reader != NULL && id != NULL);
    SG_ASSERT(out != NULL && generation != NULL);
    struct sge_factrow row;
    uint8_t key[8];
    sge_be64_put(key, id->key);
    enum sg_err err = row_of(reader->state, reader->txn, sge_bytes(key, sizeof(key)), &row);
    if (err != SG_OK)
        return err;
    if (row.change.id.check != id->check)
        return SG_ENOENT;
    *out = row.change;
    out->id.key = id->key;
    *generation = row.generation;
    return SG_OK;
}

void sge_followed_make(uint64_t group, uint32_t chain, enum sge_followed how,
                       struct sge_change *out)
{
    SG_ASSERT(out != NULL);
    *out = (struct sge_change){.kind = SGE_FACT_FOLLOWED, .bump = true, .chain = chain};
    sge_fact_followed(group, &out->id);
    out->head[31] = out->safe[31] = (uint8_t)how;
}

static enum sge_followed followed_read(struct sge_state_reader *reader,
                                       const struct sge_fact_id *id)
{
    struct sge_change fact;
    uint64_t generation;
    if (sge_state_fact_get(reader, id, &fact, &generation) != SG_OK ||
        fact.kind != SGE_FACT_FOLLOWED || fact.head[31] > SGE_FOLLOWED_WHOLE)
        return SGE_FOLLOWED_NOT;
    return (enum sge_followed)fact.head[31];
}

enum sge_followed sge_state_followed(struct sge_state_reader *reader, uint64_t group)
{
    SG_ASSERT(reader != NULL);
    struct sge_followed_known *known = &reader->followed[group % SGE_FOLLOWED_KNOWN];
    uint64_t version = sg_mdb_txnid(reader->txn);
    if (known->version == 0 || known->group != group) {
        sge_fact_followed(group, &known->id);
        known->group = group;
    } else if (known->version == version) {
        return known->how;
    }
    known->version = version;
    known->how = followed_read(reader, &known->id);
    return known->how;
}

bool sge_state_fact_is_watched(struct sge_state_reader *reader, const struct sge_fact *fact)
{
    SG_ASSERT(fact != NULL && fact->groups_count <= SGE_FACT_GROUPS_MAX);
    bool watched = fact->chain == 0;
    for (uint8_t i = 0; i < fact->groups_count && !watched; i++)
        watched = sge_state_followed(reader, fact->groups[i]) >= SGE_FOLLOWED_PART;
    return watched;
}

uint64_t sge_state_facts_count(struct sge_state_reader *reader)
{
    SG_ASSERT(reader != NULL);
    return sg_mdb_count(reader->txn, reader->state->facts);
}

/* One entry of the index under `prefix`, from `key` on. False: no more. */
static bool holding_next(struct sge_state_reader *reader, const uint8_t *key, bool seek,
                         size_t prefix, uint64_t *fact)
{
    struct sg_str found, nothing;
    enum sg_err err =
        seek ? sg_mdb_cursor_seek(reader->holdings, sge_bytes(key, HOLDING_BYTES), &found, &nothing)
             : sg_mdb_cursor_next(reader->holdings, &found, &nothing);
    if (err != SG_OK || found.len != HOLDING_BYTES || memcmp(found.ptr, key, prefix) != 0)
        return false;
    *fact = sge_be64_get(found.ptr + PREFIX_BYTES + 8);
    return true;
}

/* The fact, if it is the holder's: the index knows only a part of the holder's name. */
static bool holding_get(struct sge_state_reader *reader, const uint8_t holder[32], uint64_t fact,
                        struct sge_holding *out)
{
    struct sge_factrow row;
    uint8_t key[8];
    sge_be64_put(key, fact);
    if (row_of(reader->state, reader->txn, sge_bytes(key, sizeof(key)), &row) != SG_OK ||
        memcmp(row.change.holder, holder, sizeof(row.change.holder)) != 0)
        return false;
    out->change = row.change;
    out->change.id.key = fact;
    out->generation = row.generation;
    return true;
}

/* Keeps the smallest `max` of those seen, in their order, each once. Returns how many there are. */
static uint32_t smallest_add(uint64_t *keys, uint32_t count, uint32_t max, uint64_t key)
{
    uint32_t at = count;
    while (at > 0 && keys[at - 1] >= key)
        at--;
    if (at == max || (at < count && keys[at] == key))
        return count;
    count = SG_MIN(count + 1, max);
    memmove(keys + at + 1, keys + at, (count - at - 1) * sizeof(*keys));
    keys[at] = key;
    return count;
}

/* Of all groups: the index has no order of its own for that, so all entries are gone through. */
static uint32_t holdings_any(struct sge_state_reader *reader, const uint8_t holder[32],
                             uint64_t *after, struct sge_holding *out, uint32_t max)
{
    uint8_t key[HOLDING_BYTES];
    uint64_t facts[SGE_HOLDINGS_ANY_MAX], fact;
    uint32_t found = 0, count = 0;
    holding_key(key, holder, 0, 0);
    for (bool seek = true; holding_next(reader, key, seek, PREFIX_BYTES, &fact); seek = false)
        if (fact > *after)
            found = smallest_add(facts, found, max, fact);
    for (uint32_t i = 0; i < found; i++) {
        *after = facts[i];
        count += holding_get(reader, holder, facts[i], &out[count]);
    }
    return count;
}

uint32_t sge_state_holdings(struct sge_state_reader *reader, const uint8_t holder[32],
                            uint64_t group, uint64_t *after, struct sge_holding *out, uint32_t max)
{
    SG_ASSERT(reader != NULL && holder != NULL);
    SG_ASSERT(after != NULL && out != NULL);
    uint8_t key[HOLDING_BYTES];
    uint64_t fact;
    uint32_t count = 0;
    if (*after == UINT64_MAX || sg_mdb_cursor_renew(reader->txn, reader->holdings) != SG_OK)
        return 0;
    if (group == 0)
        return holdings_any(reader, holder, after, out, SG_MIN(max, SGE_HOLDINGS_ANY_MAX));
    holding_key(key, holder, group, *after + 1);
    for (bool seek = true; count < max; seek = false) {
        if (!holding_next(reader, key, seek, PREFIX_BYTES + 8, &fact))
            break;
        *after = fact;
        count += holding_get(reader, holder, fact, &out[count]);
    }
    return count;
}
