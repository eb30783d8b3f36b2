#include "controlplane/chain/outbox.h"

#include "base/alloc.h"
#include "base/assert.h"

#define CHANGE_BYTES_MAX (sizeof(struct sgc_outrow) + sizeof(struct sgc_factrow))

enum sg_err sgc_outbox_init(struct sgc_outbox *outbox, struct sg_mdb_txn *txn,
                            const struct sgc_ledgerdb *db)
{
    SG_ASSERT(txn != NULL && db != NULL);
    *outbox = (struct sgc_outbox){.txn = txn, .db = db};
    outbox->entry = sg_boot_alloc(SGC_OUTBOX_CHANGES_MAX * CHANGE_BYTES_MAX);
    return outbox->entry != NULL ? SG_OK : SG_ENOMEM;
}

void sgc_outbox_fini(struct sgc_outbox *outbox)
{
    sg_boot_free(outbox->entry);
    *outbox = (struct sgc_outbox){0};
}

/* The next entry's number: kept apart, since the outbox is empty at times and numbers never come
 * again. */
static enum sg_err take_number(struct sgc_outbox *outbox, uint64_t *number)
{
    struct sg_str value, key = SG_STR("outbox");
    uint8_t bytes[8];
    uint64_t next = 1;
    enum sg_err err = sg_mdb_get(outbox->txn, outbox->db->marks, key, &value);
    if (err == SG_OK && value.len != sizeof(bytes))
        return SG_ECORRUPT;
    if (err == SG_OK)
        next = sge_be64_get(value.ptr);
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    sge_be64_put(bytes, next + 1);
    err = sg_mdb_put(outbox->txn, outbox->db->marks, key, sge_bytes(bytes, sizeof(bytes)));
    if (err == SG_OK)
        *number = next;
    return err;
}

enum sg_err sgc_outbox_flush(struct sgc_outbox *outbox)
{
    uint8_t key[8];
    uint64_t number;
    if (outbox->changes == 0)
        return SG_OK;
    enum sg_err err = take_number(outbox, &number);
    if (err != SG_OK)
        return err;
    sge_be64_put(key, number);
    err = sg_mdb_put(outbox->txn, outbox->db->outbox, sge_bytes(key, sizeof(key)),
                     sge_bytes(outbox->entry, outbox->bytes));
    if (err != SG_OK)
        return err;
    outbox->bytes = 0;
    outbox->changes = 0;
    outbox->wrote = true;
    return SG_OK;
}

enum sg_err sgc_outbox_add(struct sgc_outbox *outbox, const struct sge_fact_id *id,
                           const struct sgc_factrow *row, bool bump)
{
    struct sgc_outrow head = {.key = id->key, .check = id->check, .bump = bump};
    SG_ASSERT(outbox->changes < SGC_OUTBOX_CHANGES_MAX);
    memcpy(outbox->entry + outbox->bytes, &head, sizeof(head));
    outbox->bytes += sizeof(head);
    memcpy(outbox->entry + outbox->bytes, row, sgc_factrow_bytes(row));
    outbox->bytes += sgc_factrow_bytes(row);
    outbox->changes++;
    return outbox->changes == SGC_OUTBOX_CHANGES_MAX ? sgc_outbox_flush(outbox) : SG_OK;
}

static enum sg_err hold(struct sgc_outbox *outbox, const struct sge_fact_id *id, uint64_t source,
                        bool bump)
{
    uint8_t key[SGC_HELD_KEY_BYTES], byte = bump;
    struct sg_str value;
    sgc_held_key(source, id, key);
    enum sg_err err =
        sg_mdb_get(outbox->txn, outbox->db->held, sge_bytes(key, sizeof(key)), &value);
    if (err == SG_OK && value.len == 1 && (value.ptr[0] != 0 || !bump))
        return SG_OK;
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    return sg_mdb_put(outbox->txn, outbox->db->held, sge_bytes(key, sizeof(key)),
                      sge_bytes(&byte, 1));
}

enum sg_err sgc_outbox_tell(struct sgc_outbox *outbox, const struct sge_fact_id *id,
                            const struct sgc_factrow *row, bool bump)
{
    struct sgc_sourcerow source;
    enum sg_err err = sgc_source_get(outbox->txn, outbox->db, row->source, &source);
    if (err == SG_OK && source.to == SGC_LEDGER_JOINED)
        return sgc_outbox_add(outbox, id, row, bump);
    if (err == SG_ENOENT || (err == SG_OK && !source.told))
        return SG_OK; /* all of it goes when it joins */
    return err == SG_OK ? hold(outbox, id, row->source, bump) : err;
}

/* ---- the sender's side ---- */

static enum sg_err change_read(struct sg_str *rest, struct sge_change *out)
{
    struct sgc_outrow head;
    struct sgc_factrow row;
    size_t used;
    if (rest->len < sizeof(head))
        return SG_ECORRUPT;
    memcpy(&head, rest->ptr, sizeof(head));
    enum sg_err err = sgc_factrow_read(sg_str_skip(*rest, sizeof(head)), &row, &used);
    if (err != SG_OK)
        return err;
    struct sge_fact_id id = {.key = head.key, .check = head.check};
    sgc_factrow_change(&row, &id, out);
    out->bump = head.bump != 0;
    *rest = sg_str_skip(*rest, sizeof(head) + used);
    return SG_OK;
}

enum sg_err sgc_outbox_oldest(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint64_t *id,
                              struct sge_change *out, uint32_t *count)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str key, value;
    uint32_t n = 0;
    enum sg_err err = sg_mdb_cursor_open(txn, db->outbox, &cursor);
    if (err != SG_OK)
        return err;
    err = sg_mdb_cursor_seek(cursor, SG_STR_NONE, &key, &value);
    if (err == SG_OK && key.len != 8)
        err = SG_ECORRUPT;
    while (err == SG_OK && value.len != 0)
        err = n < SGC_OUTBOX_CHANGES_MAX ? change_read(&value, &out[n++]) : SG_ECORRUPT;
    if (err == SG_OK) {
        *id = sge_be64_get(key.ptr);
        *count = n;
    }
    sg_mdb_cursor_close(cursor);
    return err;
}

static enum sg_err drop_upto(void *ctx, struct sg_str key, struct sg_str value, enum sgc_step *step)
{
    const uint64_t *upto = ctx;
    (void)value;
    if (key.len != 8)
        return SG_ECORRUPT;
    *step = sge_be64_get(key.ptr) <= *upto ? SGC_STEP_DROP : SGC_STEP_STOP;
    return SG_OK;
}

enum sg_err sgc_outbox_drop(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db, uint64_t upto)
{
    return sgc_ledgerdb_walk(txn, db->outbox, SG_STR_NONE, 0, drop_upto, &upto);
}
