#include "edgecache/state/copyrow.h"

#include "base/assert.h"
#include "edgecache/state/factrow.h"
#include "edgecache/state/inside.h"

#define MAGIC     "SGC2"
#define ROW_FIXED 4

void sge_copy_head_put(struct sg_out *out, const struct sge_copy_at *from)
{
    sg_out_lit(out, MAGIC);
    sg_out_char(out, (char)from->table);
    sg_out_char(out, (char)from->key_len);
    sg_out_bytes(out, from->key, from->key_len);
}

bool sge_copy_head_take(struct sg_str *piece, const struct sge_copy_at *from)
{
    char memory[sizeof(MAGIC) + 2 + sizeof(from->key)];
    struct sg_out head = sg_out_init(memory, sizeof(memory));
    sge_copy_head_put(&head, from);
    SG_ASSERT(!head.full);
    if (!sg_str_starts(*piece, sg_out_view(&head)))
        return false;
    *piece = sg_str_skip(*piece, head.len);
    return true;
}

void sge_copy_row_put(struct sg_out *out, const struct sge_copy_row *row)
{
    SG_ASSERT(row->key.len <= UINT8_MAX && row->value.len <= UINT16_MAX);
    sg_out_char(out, (char)row->table);
    sg_out_char(out, (char)row->key.len);
    sg_out_char(out, (char)(row->value.len & 0xff));
    sg_out_char(out, (char)(row->value.len >> 8));
    sg_out_str(out, row->key);
    sg_out_str(out, row->value);
}

bool sge_copy_row_take(struct sg_str *piece, struct sge_copy_row *out)
{
    if (piece->len < ROW_FIXED)
        return false;
    const uint8_t *fixed = (const uint8_t *)piece->ptr;
    size_t key = fixed[1], value = fixed[2] | (size_t)fixed[3] << 8;
    if (piece->len - ROW_FIXED < key + value)
        return false;
    out->table = fixed[0];
    out->key = (struct sg_str){piece->ptr + ROW_FIXED, key};
    out->value = (struct sg_str){out->key.ptr + key, value};
    *piece = sg_str_skip(*piece, ROW_FIXED + key + value);
    return true;
}

/* In its one form, and of an entry that the copy has. */
static bool fact_good(const struct sge_copy_row *row, const struct sge_mark *mark)
{
    struct sge_factrow fact;
    uint8_t again[SGE_FACTROW_MAX];
    return row->key.len == 8 && sge_factrow_read(row->value, &fact) &&
           sg_str_eq(sge_bytes(again, sge_factrow_put(&fact, again)), row->value) &&
           fact.generation > 0 && fact.generation <= mark->seq;
}

static bool value_good(const struct sge_copy_row *row, const struct sge_mark *mark)
{
    switch ((enum sge_copy_table)row->table) {
    case SGE_COPY_FACTS:
        return fact_good(row, mark);
    case SGE_COPY_CTIS:
        return row->key.len == SGE_CTI_KEY_BYTES && row->value.len == 8;
    case SGE_COPY_INDEX:
        return row->key.len == 8 && row->value.len == SGE_INDEX_CHUNK_BYTES;
    case SGE_COPY_TENANTS:
        return row->key.len == 4 && row->value.len == sizeof(struct sge_tenant_row);
    case SGE_COPY_FLOOR:
        return sg_str_eq(row->key, SG_STR("epoch_floor")) && row->value.len == 4;
    case SGE_COPY_END:
        return row->key.len == 0 && row->value.len == 0;
    case SGE_COPY_BEGIN:
        break;
    }
    return false;
}

bool sge_copy_row_good(const struct sge_copy_row *row, const struct sge_mark *mark,
                       struct sge_copy_at *at)
{
    if (row->table < at->table || at->table == SGE_COPY_END || !value_good(row, mark))
        return false;
    SG_ASSERT(row->key.len <= sizeof(at->key));
    if (row->table == at->table && memcmp(row->key.ptr, at->key, row->key.len) <= 0)
        return false; /* keys of one table have one length */
    at->table = row->table;
    at->key_len = (uint8_t)row->key.len;
    memcpy(at->key, row->key.ptr, row->key.len);
    return true;
}
