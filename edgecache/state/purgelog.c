#include "edgecache/state/purgelog.h"

#include "base/assert.h"
#include "edgecache/state/bytes.h"

/* As stored; little-endian, which is all we run on (base/siphash.c). */
struct purge_row {
    uint64_t match, at_ns;
    uint32_t tenant;
    uint8_t scope, soft, zero[2];
};
_Static_assert(sizeof(struct purge_row) == 24, "the format on disk");

enum sg_err sge_purgelog_init(struct sg_mdb *mdb, struct sge_purgelog *log)
{
    enum sg_err err = sg_mdb_db(mdb, "purges", &log->log);
    if (err == SG_OK)
        err = sg_mdb_db(mdb, "purge_folds", &log->folds);
    if (err == SG_OK)
        err = sg_mdb_db(mdb, "purge_marks", &log->marks);
    return err;
}

static enum sg_err mark_get(struct sg_mdb_txn *txn, const struct sge_purgelog *log,
                            struct sg_str name, uint64_t *v)
{
    struct sg_str value;
    enum sg_err err = sg_mdb_get(txn, log->marks, name, &value);
    if (err == SG_OK && value.len != sizeof(*v))
        return SG_ECORRUPT;
    if (err == SG_OK)
        *v = sge_be64_get(value.ptr);
    return err == SG_ENOENT ? SG_OK : err; /* absent: as it was */
}

static enum sg_err mark_put(struct sg_mdb_txn *txn, const struct sge_purgelog *log,
                            struct sg_str name, uint64_t v)
{
    uint8_t bytes[8];
    sge_be64_put(bytes, v);
    return sg_mdb_put(txn, log->marks, name, sge_bytes(bytes, sizeof(bytes)));
}

static enum sg_err row_put(struct sg_mdb_txn *txn, const struct sge_purgelog *log, uint64_t seq,
                           const struct sge_purge *purge)
{
    uint8_t key[8];
    struct purge_row row = {.match = purge->match,
                            .at_ns = purge->at_ns,
                            .tenant = purge->tenant,
                            .scope = purge->scope,
                            .soft = purge->soft};
    sge_be64_put(key, seq);
    return sg_mdb_put(txn, log->log, sge_bytes(key, sizeof(key)), sge_bytes(&row, sizeof(row)));
}

static bool row_read(struct sg_str key, struct sg_str value, struct sge_purge *out)
{
    struct purge_row row;
    if (key.len != 8 || value.len != sizeof(row))
        return false;
    memcpy(&row, value.ptr, sizeof(row));
    *out = (struct sge_purge){.seq = sge_be64_get(key.ptr),
                              .tenant = row.tenant,
                              .scope = row.scope,
                              .soft = row.soft != 0,
                              .match = row.match,
                              .at_ns = row.at_ns};
    return true;
}

static enum sg_err row_get(struct sg_mdb_txn *txn, const struct sge_purgelog *log, uint64_t seq,
                           struct sge_purge *out)
{
    uint8_t bytes[8];
    struct sg_str value, key = sge_bytes(bytes, sizeof(bytes));
    sge_be64_put(bytes, seq);
    enum sg_err err = sg_mdb_get(txn, log->log, key, &value);
    if (err == SG_OK && !row_read(key, value, out))
        err = SG_ECORRUPT;
    return err;
}

/* The entry at `seq` becomes a purge of its tenant, soft only if all it stands for were. */
static enum sg_err fold_one(struct sg_mdb_txn *txn, const struct sge_purgelog *log, uint64_t seq)
{
    struct sge_purge purge, before;
    struct sg_str value;
    uint8_t tenant[4], at[8];
    enum sg_err err = row_get(txn, log, seq, &purge);
    if (err != SG_OK)
        return err;
    purge.scope = SGE_PURGE_TENANT;
    purge.match = 0;
    sge_be32_put(tenant, purge.tenant);
    err = sg_mdb_get(txn, log->folds, sge_bytes(tenant, sizeof(tenant)), &value);
    if (err == SG_OK && value.len == sizeof(at)) {
        memcpy(at, value.ptr, sizeof(at));
        err = row_get(txn, log, sge_be64_get(at), &before);
        if (err == SG_OK)
            err = sg_mdb_del(txn, log->log, sge_bytes(at, sizeof(at)));
        purge.soft = purge.soft && err == SG_OK && before.soft;
    }
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    sge_be64_put(at, seq);
    err = sg_mdb_put(txn, log->folds, sge_bytes(tenant, sizeof(tenant)), sge_bytes(at, sizeof(at)));
    return err != SG_OK ? err : row_put(txn, log, seq, &purge);
}

enum sg_err sge_purgelog_append(struct sg_mdb_txn *txn, const struct sge_purgelog *log,
                                const struct sge_purge *purge, uint32_t keep, uint64_t *seq)
{
    uint64_t newest = 0, unfolded = 1;
    SG_ASSERT(purge->scope <= SGE_PURGE_TENANT);
    SG_ASSERT(keep > 0);
    enum sg_err err = mark_get(txn, log, SG_STR("newest"), &newest);
    if (err == SG_OK)
        err = mark_get(txn, log, SG_STR("unfolded"), &unfolded);
    newest++;
    if (err == SG_OK)
        err = row_put(txn, log, newest, purge);
    if (err == SG_OK)
        err = mark_put(txn, log, SG_STR("newest"), newest);
    if (err == SG_OK && newest - unfolded >= keep) {
        err = fold_one(txn, log, unfolded);
        if (err == SG_OK)
            err = mark_put(txn, log, SG_STR("unfolded"), unfolded + 1);
    }
    if (err == SG_OK)
        *seq = newest;
    return err;
}

uint64_t sge_purgelog_newest(struct sg_mdb_txn *txn, const struct sge_purgelog *log)
{
    uint64_t newest = 0;
    enum sg_err err = mark_get(txn, log, SG_STR("newest"), &newest);
    return err == SG_OK ? newest : 0;
}

uint32_t sge_purgelog_after(struct sg_mdb_cursor *cursor, uint64_t seq, struct sge_purge *out,
                            uint32_t max)
{
    uint8_t from[8];
    struct sg_str key, value;
    uint32_t count = 0;
    if (seq == UINT64_MAX || max == 0)
        return 0;
    sge_be64_put(from, seq + 1);
    enum sg_err err = sg_mdb_cursor_seek(cursor, sge_bytes(from, sizeof(from)), &key, &value);
    while (err == SG_OK && count < max && row_read(key, value, &out[count])) {
        count++;
        if (count < max)
            err = sg_mdb_cursor_next(cursor, &key, &value);
    }
    return count;
}
