#include "controlplane/chain/ledgerdb.h"

#include "base/assert.h"
#include "base/sys/crypto.h"

#include <stddef.h>

#define FORMAT 1

_Static_assert(offsetof(struct sgc_factrow, groups) == 176, "the format on disk");
_Static_assert(offsetof(struct sgc_undorow, before) == 40, "the format on disk");
_Static_assert(sizeof(struct sgc_chainrow) == 72, "the format on disk");
_Static_assert(sizeof(struct sgc_outrow) == 24, "the format on disk");

static enum sg_err format_check(const struct sgc_ledgerdb *db)
{
    struct sg_mdb_txn *txn = NULL;
    struct sg_str value, key = SG_STR("format");
    uint8_t format = FORMAT, name[16];
    enum sg_err err = sg_mdb_write_begin(db->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = sg_mdb_get(txn, db->marks, key, &value);
    if (err == SG_ENOENT) {
        sg_random(name, sizeof(name));
        err = sg_mdb_put(txn, db->marks, SG_STR("name"), sge_bytes(name, sizeof(name)));
        if (err == SG_OK)
            err = sg_mdb_put(txn, db->marks, key, sge_bytes(&format, 1));
    } else if (err == SG_OK && (value.len != 1 || (uint8_t)value.ptr[0] != FORMAT))
        err = SG_EVERSION;
    if (err == SG_OK)
        return sg_mdb_commit(txn);
    sg_mdb_abort(txn);
    return err;
}

enum sg_err sgc_ledgerdb_init(struct sg_mdb *mdb, struct sgc_ledgerdb *db)
{
    const struct {
        const char *name;
        uint32_t *db;
    } all[] = {
        {"facts", &db->facts},   {"undo", &db->undo},       {"blocks", &db->blocks},
        {"chains", &db->chains}, {"sources", &db->sources}, {"held", &db->held},
        {"outbox", &db->outbox}, {"marks", &db->marks},     {"follows", &db->follows},
    };
    enum sg_err err = SG_OK;
    SG_ASSERT(mdb != NULL);
    db->mdb = mdb;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && err == SG_OK; i++)
        err = sg_mdb_db(mdb, all[i].name, all[i].db);
    return err == SG_OK ? format_check(db) : err;
}

enum sg_err sgc_ledgerdb_walk(struct sg_mdb_txn *txn, uint32_t db, struct sg_str from, size_t same,
                              enum sg_err (*visit)(void *ctx, struct sg_str key,
                                                   struct sg_str value, enum sgc_step *step),
                              void *ctx)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str key, value, begin = {from.ptr, same};
    enum sgc_step step = SGC_STEP_ON;
    SG_ASSERT(same <= from.len);
    enum sg_err err = sg_mdb_cursor_open(txn, db, &cursor);
    if (err != SG_OK)
        return err;
    enum sg_err at = sg_mdb_cursor_seek(cursor, from, &key, &value);
    while (err == SG_OK && at == SG_OK && step != SGC_STEP_STOP && sg_str_starts(key, begin)) {
        step = SGC_STEP_ON;
        err = visit(ctx, key, value, &step);
        if (err == SG_OK && step == SGC_STEP_DROP)
            err = sg_mdb_cursor_del(cursor);
        if (err == SG_OK)
            at = sg_mdb_cursor_next(cursor, &key, &value);
    }
    sg_mdb_cursor_close(cursor);
    return err == SG_OK && at != SG_ENOENT ? at : err;
}

/* ---- keys ---- */

void sgc_fact_key(const struct sge_fact_id *id, uint8_t key[SGC_FACT_KEY_BYTES])
{
    sge_be64_put(key, id->key);
    sge_be64_put(key + 8, id->check);
}

void sgc_fact_id(const void *key, struct sge_fact_id *out)
{
    out->key = sge_be64_get(key);
    out->check = sge_be64_get((const uint8_t *)key + 8);
}

void sgc_block_key(uint32_t chain, uint64_t number, uint8_t key[SGC_BLOCK_KEY_BYTES])
{
    sge_be32_put(key, chain);
    sge_be64_put(key + 4, number);
}

void sgc_undo_key(uint32_t chain, uint64_t number, const struct sge_fact_id *id,
                  uint8_t key[SGC_UNDO_KEY_BYTES])
{
    sgc_block_key(chain, number, key);
    sgc_fact_key(id, key + SGC_BLOCK_KEY_BYTES);
}

void sgc_held_key(uint64_t source, const struct sge_fact_id *id, uint8_t key[SGC_HELD_KEY_BYTES])
{
    sge_be64_put(key, source);
    sgc_fact_key(id, key + 8);
}

uint64_t sgc_block_key_number(struct sg_str key)
{
    SG_ASSERT(key.len >= SGC_BLOCK_KEY_BYTES);
    return sge_be64_get(key.ptr + 4);
}

/* ---- rows ---- */

size_t sgc_factrow_bytes(const struct sgc_factrow *row)
{
    SG_ASSERT(row->groups_count <= SGE_FACT_GROUPS_MAX);
    return offsetof(struct sgc_factrow, groups) + row->groups_count * sizeof(row->groups[0]);
}

enum sg_err sgc_factrow_read(struct sg_str value, struct sgc_factrow *out, size_t *used)
{
    const size_t fixed = offsetof(struct sgc_factrow, groups);
    struct sgc_factrow row = {0};
    if (value.len < fixed)
        return SG_ECORRUPT;
    memcpy(&row, value.ptr, fixed);
    if (row.groups_count > SGE_FACT_GROUPS_MAX || value.len < sgc_factrow_bytes(&row))
        return SG_ECORRUPT;
    memcpy(row.groups, value.ptr + fixed, row.groups_count * sizeof(row.groups[0]));
    *used = sgc_factrow_bytes(&row);
    *out = row;
    return SG_OK;
}

/* A user whose time was made longer has it for certain only once that is safe. */
static uint64_t until_of(const struct sgc_factrow *row)
{
    bool same = memcmp(row->head, row->safe, sizeof(row->head)) == 0;
    return same && row->safe_until_s < row->until_s ? row->safe_until_s : row->until_s;
}

void sgc_factrow_change(const struct sgc_factrow *row, const struct sge_fact_id *id,
                        struct sge_change *out)
{
    *out = (struct sge_change){.id = *id,
                               .kind = row->kind,
                               .chain = row->chain,
                               .log = row->log,
                               .block = row->block,
                               .until_s = until_of(row),
                               .groups_count = row->groups_count};
    memcpy(out->head, row->head, sizeof(out->head));
    memcpy(out->safe, row->safe, sizeof(out->safe));
    memcpy(out->holder, row->holder, sizeof(out->holder));
    memcpy(out->token, row->token, sizeof(out->token));
    memcpy(out->groups, row->groups, sizeof(out->groups));
}

enum sg_err sgc_fact_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                         const struct sge_fact_id *id, struct sgc_factrow *out)
{
    uint8_t key[SGC_FACT_KEY_BYTES];
    struct sg_str value;
    size_t used;
    sgc_fact_key(id, key);
    enum sg_err err = sg_mdb_get(txn, db->facts, sge_bytes(key, sizeof(key)), &value);
    return err != SG_OK ? err : sgc_factrow_read(value, out, &used);
}

enum sg_err sgc_fact_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                         const struct sge_fact_id *id, const struct sgc_factrow *row)
{
    uint8_t key[SGC_FACT_KEY_BYTES];
    sgc_fact_key(id, key);
    return sg_mdb_put(txn, db->facts, sge_bytes(key, sizeof(key)),
                      sge_bytes(row, sgc_factrow_bytes(row)));
}

enum sg_err sgc_undo_read(struct sg_str key, struct sg_str value, struct sge_fact_id *id,
                          struct sgc_undorow *out)
{
    const size_t fixed = offsetof(struct sgc_undorow, before);
    struct sgc_undorow row = {0};
    size_t used;
    if (key.len != SGC_UNDO_KEY_BYTES || value.len < fixed)
        return SG_ECORRUPT;
    enum sg_err err = sgc_factrow_read(sg_str_skip(value, fixed), &row.before, &used);
    if (err != SG_OK)
        return err;
    memcpy(&row, value.ptr, fixed);
    sgc_fact_id(key.ptr + SGC_BLOCK_KEY_BYTES, id);
    *out = row;
    return SG_OK;
}

enum sg_err sgc_undo_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint64_t block,
                         const struct sge_fact_id *id, const struct sgc_undorow *row)
{
    uint8_t key[SGC_UNDO_KEY_BYTES];
    size_t bytes = offsetof(struct sgc_undorow, before) + sgc_factrow_bytes(&row->before);
    sgc_undo_key(row->before.chain, block, id, key);
    return sg_mdb_put(txn, db->undo, sge_bytes(key, sizeof(key)), sge_bytes(row, bytes));
}

static enum sg_err row_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key, void *out,
                           size_t bytes)
{
    struct sg_str value;
    enum sg_err err = sg_mdb_get(txn, db, key, &value);
    if (err == SG_OK && value.len != bytes)
        return SG_ECORRUPT;
    if (err == SG_OK)
        memcpy(out, value.ptr, bytes);
    return err;
}

enum sg_err sgc_block_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint32_t chain,
                          uint64_t number, struct sgc_blockrow *out)
{
    uint8_t key[SGC_BLOCK_KEY_BYTES];
    sgc_block_key(chain, number, key);
    return row_get(txn, db->blocks, sge_bytes(key, sizeof(key)), out, sizeof(*out));
}

enum sg_err sgc_block_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint32_t chain,
                          uint64_t number, const struct sgc_blockrow *row)
{
    uint8_t key[SGC_BLOCK_KEY_BYTES];
    sgc_block_key(chain, number, key);
    return sg_mdb_put(txn, db->blocks, sge_bytes(key, sizeof(key)), sge_bytes(row, sizeof(*row)));
}

enum sg_err sgc_chain_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint32_t chain,
                          struct sgc_chainrow *out)
{
    uint8_t key[4];
    sge_be32_put(key, chain);
    return row_get(txn, db->chains, sge_bytes(key, sizeof(key)), out, sizeof(*out));
}

enum sg_err sgc_chain_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint32_t chain,
                          const struct sgc_chainrow *row)
{
    uint8_t key[4];
    sge_be32_put(key, chain);
    return sg_mdb_put(txn, db->chains, sge_bytes(key, sizeof(key)), sge_bytes(row, sizeof(*row)));
}

enum sg_err sgc_source_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint64_t source,
                           struct sgc_sourcerow *out)
{
    uint8_t key[8];
    sge_be64_put(key, source);
    return row_get(txn, db->sources, sge_bytes(key, sizeof(key)), out, sizeof(*out));
}

enum sg_err sgc_source_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint64_t source,
                           const struct sgc_sourcerow *row)
{
    uint8_t key[8];
    sge_be64_put(key, source);
    return sg_mdb_put(txn, db->sources, sge_bytes(key, sizeof(key)), sge_bytes(row, sizeof(*row)));
}
