#include "edgecache/state/convert.h"

#include "base/assert.h"
#include "edgecache/state/factrow.h"
#include "edgecache/state/inside.h"

struct fact_row_1 {
    uint64_t generation, block, changed_ns;
    uint8_t owner_head[32], owner_safe[32];
};
_Static_assert(sizeof(struct fact_row_1) == 88, "format on disk");

static enum sg_err row_convert(struct sge_state *state, struct sg_mdb_txn *txn, struct sg_str key,
                               struct sg_str value)
{
    struct fact_row_1 old;
    uint8_t bytes[SGE_FACTROW_MAX];
    if (value.len != sizeof(old))
        return SG_ECORRUPT;
    memcpy(&old, value.ptr, sizeof(old));
    struct sge_factrow row = {.change = {.kind = SGE_FACT_OWNER, .block = old.block},
                              .generation = old.generation,
                              .changed_ns = old.changed_ns};
    memcpy(row.change.head, old.owner_head, sizeof(old.owner_head));
    memcpy(row.change.safe, old.owner_safe, sizeof(old.owner_safe));
    return sg_mdb_put(txn, state->facts, key, sge_bytes(bytes, sge_factrow_put(&row, bytes)));
}

enum sg_err sge_state_convert(struct sge_state *state, struct sg_mdb_txn *txn)
{
    SG_ASSERT(state != NULL && txn != NULL);
    uint8_t key[8] = {0};
    struct sg_str found, value;
    struct sg_mdb_cursor *cursor = NULL;
    enum sg_err err = sg_mdb_cursor_open(txn, state->facts, &cursor);
    if (err != SG_OK)
        return err;
    for (;;) { /* sought anew each time: a row of another length moves its neighbours */
        err = sg_mdb_cursor_seek(cursor, sge_bytes(key, sizeof(key)), &found, &value);
        if (err != SG_OK || found.len != sizeof(key))
            break;
        memcpy(key, found.ptr, sizeof(key));
        err = row_convert(state, txn, sge_bytes(key, sizeof(key)), value);
        uint64_t next = sge_be64_get(key) + 1;
        if (err != SG_OK || next == 0)
            break;
        sge_be64_put(key, next);
    }
    sg_mdb_cursor_close(cursor);
    return err == SG_ENOENT ? SG_OK : err;
}
