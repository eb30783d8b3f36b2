/* Copies of a state, for an edge that is new or was away too long: facts, and every revocation.
 * What is this node's alone (purges) is not in them. */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "edgecache/state/copyrow.h"
#include "edgecache/state/factrow.h"
#include "edgecache/state/inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- making one ---- */

static uint32_t db_of(const struct sge_state *state, uint8_t table)
{
    switch ((enum sge_copy_table)table) {
    case SGE_COPY_CTIS:
        return state->ctis;
    case SGE_COPY_INDEX:
        return state->index_bits;
    case SGE_COPY_TENANTS:
        return state->tenants;
    case SGE_COPY_FLOOR:
        return state->about;
    case SGE_COPY_FACTS:
    case SGE_COPY_BEGIN:
    case SGE_COPY_END:
        break;
    }
    return state->facts;
}

/* The first row of at->table after at's key. SG_ENOENT: none. */
static enum sg_err row_after(struct sg_mdb_cursor *cursor, const struct sge_copy_at *at,
                             struct sge_copy_row *row)
{
    const struct sg_str floor = SG_STR("epoch_floor"), here = sge_bytes(at->key, at->key_len);
    row->table = at->table;
    if (at->table == SGE_COPY_FLOOR && at->key_len != 0)
        return SG_ENOENT;
    enum sg_err err = sg_mdb_cursor_seek(cursor, at->table == SGE_COPY_FLOOR ? floor : here,
                                         &row->key, &row->value);
    if (err == SG_OK && at->table == SGE_COPY_FLOOR)
        return sg_str_eq(row->key, floor) ? SG_OK : SG_ENOENT;
    if (err == SG_OK && at->key_len != 0 && sg_str_eq(row->key, here))
        err = sg_mdb_cursor_next(cursor, &row->key, &row->value);
    return err;
}

/* And room is left for the copy's last row. */
static bool row_fits(const struct sg_out *out, const struct sge_copy_row *row)
{
    return 4 + row->key.len + row->value.len + 4 <= out->cap - out->len;
}

/* Rows of one table after `from`, until it ends (SG_ENOENT) or enough is written; *at: the last. */
static enum sg_err table_copy(struct sge_state_reader *reader, const struct sge_copy_at *from,
                              size_t enough, struct sge_copy_at *at, struct sg_out *out)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sge_copy_row row;
    enum sg_err err = sg_mdb_cursor_open(reader->txn, db_of(reader->state, from->table), &cursor);
    if (err == SG_OK)
        err = row_after(cursor, from, &row);
    while (err == SG_OK && out->len < enough) {
        if (row.key.len > sizeof(at->key))
            err = SG_ECORRUPT;
        else if (!row_fits(out, &row))
            err = SG_EMSGSIZE;
        if (err != SG_OK)
            break;
        sge_copy_row_put(out, &row);
        at->table = from->table;
        at->key_len = (uint8_t)row.key.len;
        memcpy(at->key, row.key.ptr, row.key.len);
        err = from->table == SGE_COPY_FLOOR ? SG_ENOENT
                                            : sg_mdb_cursor_next(cursor, &row.key, &row.value);
    }
    sg_mdb_cursor_close(cursor);
    return err;
}

enum sg_err sge_state_copy(struct sge_state_reader *reader, struct sge_copy_at *at, size_t want,
                           struct sg_out *out)
{
    SG_ASSERT(reader != NULL && at != NULL && out != NULL);
    const struct sge_copy_at before = *at;
    struct sge_copy_at look = *at; /* runs ahead of *at over tables with nothing left in them */
    size_t start = out->len;
    enum sg_err err = SG_ENOENT;
    if (at->table == SGE_COPY_END)
        return SG_ENOENT;
    sge_copy_head_put(out, at);
    size_t head = out->len, enough = head + SG_MAX(want, (size_t)1);
    if (look.table == SGE_COPY_BEGIN)
        look.table = SGE_COPY_FACTS;
    while (look.table != SGE_COPY_END && out->len < enough &&
           (err = table_copy(reader, &look, enough, at, out)) == SG_ENOENT)
        look = (struct sge_copy_at){.table = (uint8_t)(look.table + 1)};
    if (look.table == SGE_COPY_END) {
        sge_copy_row_put(out, &(struct sge_copy_row){.table = SGE_COPY_END});
        *at = look;
    }
    if (err == SG_ENOENT || (err == SG_EMSGSIZE && out->len > head))
        err = SG_OK; /* the next piece goes on from *at */
    if (err == SG_OK && !out->full)
        return SG_OK;
    *at = before;
    out->len = start;
    return err == SG_OK ? SG_EMSGSIZE : err;
}

/* ---- taking one ---- */

struct sge_load {
    struct sge_state *state;
    struct sge_mark mark;
    struct sge_copy_at at;
    FILE *spool; /* rows, judged and in their order; a file without a name */
    uint64_t bytes;
};

static FILE *spool_open(const struct sge_state *state)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/load.XXXXXX", state->folder) >= (int)sizeof(path))
        return NULL;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return NULL;
    unlink(path);
    return fdopen(fd, "w+");
}

enum sg_err sge_state_load_begin(struct sge_state *state, const struct sge_mark *mark,
                                 struct sge_load **out)
{
    SG_ASSERT(state != NULL && mark != NULL);
    SG_ASSERT(out != NULL);
    if (!state->writable)
        return SG_EACCES;
    struct sge_load *load = sg_boot_alloc(sizeof(*load));
    if (load == NULL)
        return SG_ENOMEM;
    load->state = state;
    load->mark = *mark;
    load->spool = spool_open(state);
    if (load->spool == NULL) {
        sg_boot_free(load);
        return sg_err_from_errno(errno);
    }
    *out = load;
    return SG_OK;
}

void sge_state_load_abandon(struct sge_load *load)
{
    if (load == NULL)
        return;
    fclose(load->spool);
    sg_boot_free(load);
}

enum sg_err sge_state_load_add(struct sge_load *load, struct sg_str piece)
{
    SG_ASSERT(load != NULL);
    struct sge_copy_row row;
    struct sge_copy_at at = load->at;
    if (!sge_copy_head_take(&piece, &at) || piece.len == 0)
        return SG_ECORRUPT;
    for (struct sg_str rest = piece; rest.len > 0;)
        if (!sge_copy_row_take(&rest, &row) || !sge_copy_row_good(&row, &load->mark, &at))
            return SG_ECORRUPT;
    if (fwrite(piece.ptr, piece.len, 1, load->spool) != 1)
        return sg_err_from_errno(errno);
    load->bytes += piece.len;
    load->at = at;
    return SG_OK;
}

/* Walks the facts that are there beside those of the copy; both are in the order of their keys. */
struct merge {
    struct sge_state *state;
    struct sg_mdb_txn *txn;
    struct sg_mdb_cursor *cursor;
    bool known; /* `key` and `value` are the next that is there */
    uint8_t key[8];
    struct sg_str value;
};

/* Sought anew each time: what is put in between moves rows. */
static enum sg_err merge_seek(struct merge *merge, uint64_t from)
{
    uint8_t key[8];
    struct sg_str found;
    sge_be64_put(key, from);
    enum sg_err err =
        sg_mdb_cursor_seek(merge->cursor, sge_bytes(key, sizeof(key)), &found, &merge->value);
    merge->known = err == SG_OK && found.len == sizeof(merge->key);
    if (merge->known)
        memcpy(merge->key, found.ptr, sizeof(merge->key));
    return err == SG_ENOENT ? SG_OK : err;
}

static enum sg_err merge_next(struct merge *merge)
{
    uint64_t next = sge_be64_get(merge->key) + 1;
    merge->known = next != 0;
    return merge->known ? merge_seek(merge, next) : SG_OK;
}

/* Everything that is there before `key` (NULL: everything left) is not in the copy. */
static enum sg_err merge_drop(struct merge *merge, const char *key)
{
    enum sg_err err = SG_OK;
    while (err == SG_OK && merge->known &&
           (key == NULL || memcmp(merge->key, key, sizeof(merge->key)) < 0)) {
        err = sge_fact_replace(merge->state, merge->txn, sge_bytes(merge->key, sizeof(merge->key)),
                               SG_STR_NONE);
        if (err == SG_OK)
            err = merge_next(merge);
    }
    return err;
}

/* But for when each node heard of it. */
static bool same_fact(struct sg_str a, struct sg_str b)
{
    const size_t after = SGE_FACTROW_CHANGED + sizeof(uint64_t);
    return a.len == b.len && a.len >= after && memcmp(a.ptr, b.ptr, SGE_FACTROW_CHANGED) == 0 &&
           memcmp(a.ptr + after, b.ptr + after, a.len - after) == 0;
}

static enum sg_err merge_fact(struct merge *merge, const struct sge_copy_row *row)
{
    enum sg_err err = merge_drop(merge, row->key.ptr);
    if (err != SG_OK)
        return err;
    bool here = merge->known && memcmp(merge->key, row->key.ptr, sizeof(merge->key)) == 0;
    if (!here || !same_fact(merge->value, row->value))
        err = sge_fact_replace(merge->state, merge->txn, row->key, row->value);
    return err == SG_OK && here ? merge_next(merge) : err;
}

/* Revocations add up: what was revoked here stays so. */
static enum sg_err merge_revocation(struct merge *merge, const struct sge_copy_row *row)
{
    uint64_t until_ns;
    uint32_t epoch;
    struct sge_tenant_row tenant;
    switch ((enum sge_copy_table)row->table) {
    case SGE_COPY_CTIS:
        memcpy(&until_ns, row->value.ptr, sizeof(until_ns));
        return sge_cti_put(merge->state, merge->txn, sge_be32_get(row->key.ptr),
                           (const uint8_t *)row->key.ptr + 4, until_ns);
    case SGE_COPY_INDEX:
        return sge_index_merge(merge->state, merge->txn, row->key, row->value);
    case SGE_COPY_TENANTS:
        memcpy(&tenant, row->value.ptr, sizeof(tenant));
        return sge_tenant_merge(merge->state, merge->txn, sge_be32_get(row->key.ptr), &tenant);
    case SGE_COPY_FLOOR:
        memcpy(&epoch, row->value.ptr, sizeof(epoch));
        return sge_floor_merge(merge->state, merge->txn, epoch);
    case SGE_COPY_BEGIN:
    case SGE_COPY_FACTS:
    case SGE_COPY_END:
        break;
    }
    return SG_OK;
}

static enum sg_err merge_rows(struct merge *merge, struct sg_str rows)
{
    struct sge_copy_row row;
    enum sg_err err = sg_mdb_cursor_open(merge->txn, merge->state->facts, &merge->cursor);
    if (err == SG_OK)
        err = merge_seek(merge, 0);
    while (err == SG_OK && rows.len > 0) {
        if (!sge_copy_row_take(&rows, &row))
            err = SG_ECORRUPT;
        else if (row.table == SGE_COPY_FACTS)
            err = merge_fact(merge, &row);
        else
            err = merge_revocation(merge, &row);
    }
    if (err == SG_OK)
        err = merge_drop(merge, NULL);
    sg_mdb_cursor_close(merge->cursor);
    return err;
}

/* May this copy take the place of what is there? Tokens of another stream's facts end with them. */
static enum sg_err load_place(struct sge_load *load, struct sg_mdb_txn *txn)
{
    struct sge_mark mark;
    enum sg_err err = sge_mark_get(load->state, txn, &mark);
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    bool same = err == SG_OK && memcmp(mark.stream, load->mark.stream, sizeof(mark.stream)) == 0;
    if (same)
        return mark.seq > load->mark.seq ? SG_ESTALE : SG_OK;
    return sg_mdb_count(txn, load->state->facts) == 0
               ? SG_OK
               : sge_epochs_close(load->state, txn, sg_clock_wall_ns() / SG_NS_PER_SEC);
}

static enum sg_err load_merge(struct sge_load *load, struct sg_str rows)
{
    struct merge merge = {.state = load->state};
    enum sg_err err = sge_write_begin(load->state, &merge.txn);
    if (err != SG_OK)
        return err;
    err = load_place(load, merge.txn);
    if (err == SG_OK)
        err = merge_rows(&merge, rows);
    if (err == SG_OK)
        err = sge_mark_put(load->state, merge.txn, &load->mark);
    return sge_write_finish(merge.txn, err);
}

enum sg_err sge_state_load_end(struct sge_load *load)
{
    SG_ASSERT(load != NULL);
    enum sg_err err = load->at.table == SGE_COPY_END ? SG_OK : SG_ECORRUPT;
    void *map = MAP_FAILED;
    if (err == SG_OK && fflush(load->spool) != 0)
        err = sg_err_from_errno(errno);
    if (err == SG_OK) {
        map = mmap(NULL, load->bytes, PROT_READ, MAP_PRIVATE, fileno(load->spool), 0);
        err = map == MAP_FAILED ? sg_err_from_errno(errno)
                                : load_merge(load, (struct sg_str){map, load->bytes});
    }
    if (map != MAP_FAILED)
        munmap(map, load->bytes);
    sge_state_load_abandon(load);
    return err;
}
