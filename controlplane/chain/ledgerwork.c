#include "controlplane/chain/ledgerwork.h"

#include "base/assert.h"

enum sg_err sgc_work_begin(struct sgc_work *work, const struct sgc_ledgerdb *db, uint32_t chain)
{
    SG_ASSERT(db != NULL);
    *work = (struct sgc_work){.db = db, .chain = chain};
    enum sg_err err = sg_mdb_write_begin(db->mdb, &work->txn);
    if (err != SG_OK)
        return err;
    sgc_factset_init(&work->set, work->txn, db);
    err = sgc_outbox_init(&work->outbox, work->txn, db);
    if (err == SG_OK)
        err = sgc_chain_get(work->txn, db, chain, &work->at);
    work->based = err == SG_OK;
    return err == SG_ENOENT ? SG_OK : err;
}

enum sg_err sgc_work_end(struct sgc_work *work, enum sg_err err, bool *told)
{
    if (err == SG_OK && work->based) {
        work->at.odd += work->set.odd;
        err = sgc_chain_put(work->txn, work->db, work->chain, &work->at);
    }
    if (err == SG_OK)
        err = sgc_outbox_flush(&work->outbox);
    *told = err == SG_OK && work->outbox.wrote;
    if (err == SG_OK)
        err = sg_mdb_commit(work->txn);
    else
        sg_mdb_abort(work->txn); /* NULL where it did not begin */
    sgc_factset_fini(&work->set);
    sgc_outbox_fini(&work->outbox);
    return err;
}

enum sg_err sgc_work_apply(struct sgc_work *work, const struct sgc_block *block)
{
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < block->events_count && err == SG_OK; i++)
        err = sgc_factset_apply(&work->set, block->number, &block->events[i]);
    return err;
}

/* A fact nobody had heard of was nobody's. */
static struct sgc_factrow nobodys(const struct sgc_factrow *row)
{
    struct sgc_factrow out = *row;
    out.block = 0;
    out.log = 0;
    out.until_s = 0;
    memset(out.head, 0, sizeof(out.head));
    if (out.kind == SGE_FACT_OWNER || out.kind == SGE_FACT_USER)
        memset(out.holder, 0, sizeof(out.holder));
    return out;
}

/* What the fact was before this block: the database has it still. */
static enum sg_err remember(struct sgc_work *work, uint64_t block,
                            const struct sgc_factset_entry *entry)
{
    struct sgc_undorow undo = {.after_until_s = entry->row.until_s};
    memcpy(undo.after, entry->row.head, sizeof(undo.after));
    enum sg_err err = sgc_fact_get(work->txn, work->db, &entry->id, &undo.before);
    if (err == SG_ENOENT) {
        undo.before = nobodys(&entry->row);
        err = SG_OK;
    }
    return err == SG_OK ? sgc_undo_put(work->txn, work->db, block, &entry->id, &undo) : err;
}

enum sg_err sgc_work_store(struct sgc_work *work, enum sgc_store how, uint64_t block)
{
    enum sg_err err = SG_OK;
    sgc_factset_sort(&work->set);
    for (uint32_t i = 0; i < work->set.count && err == SG_OK; i++) {
        struct sgc_factset_entry *entry = &work->set.entries[i];
        if (!entry->changed)
            continue;
        if (how == SGC_STORE_JOURNAL)
            err = remember(work, block, entry);
        if (how == SGC_STORE_SAFE) {
            memcpy(entry->row.safe, entry->row.head, sizeof(entry->row.safe));
            entry->row.safe_until_s = entry->row.until_s;
        }
        if (err == SG_OK)
            err = sgc_fact_put(work->txn, work->db, &entry->id, &entry->row);
        if (err == SG_OK)
            err = sgc_outbox_tell(&work->outbox, &entry->id, &entry->row, entry->bump);
    }
    return err;
}

enum sg_err sgc_work_read_to(struct sgc_work *work, const struct sg_caip_asset *contracts,
                             uint32_t count, uint64_t to)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t source = sge_group_contract(&contracts[i]);
        struct sgc_sourcerow row = {.chain = work->chain};
        enum sg_err err = sgc_source_get(work->txn, work->db, source, &row);
        if (err != SG_OK && err != SG_ENOENT)
            return err;
        row.to = to;
        row.told |= to == SGC_LEDGER_JOINED;
        err = sgc_source_put(work->txn, work->db, source, &row);
        if (err != SG_OK)
            return err;
    }
    return SG_OK;
}

enum sg_err sgc_work_new_head(struct sgc_work *work, const struct sgc_block *block)
{
    struct sgc_blockrow row = {.time_s = block->time_s};
    memcpy(row.hash, block->hash, sizeof(row.hash));
    memcpy(work->at.head_hash, block->hash, sizeof(work->at.head_hash));
    work->at.head = block->number;
    work->at.head_s = block->time_s;
    return sgc_block_put(work->txn, work->db, work->chain, block->number, &row);
}

/* ---- walks: a place in the journal, and what is asked of it ---- */

struct walk {
    struct sgc_work *work;
    uint64_t number, source;
};

/* From block `number` of the chain on. */
static enum sg_err walk_chain(struct walk *walk, uint32_t db, uint64_t number,
                              enum sg_err (*visit)(void *ctx, struct sg_str key,
                                                   struct sg_str value, enum sgc_step *step))
{
    uint8_t from[SGC_BLOCK_KEY_BYTES];
    sgc_block_key(walk->work->chain, number, from);
    return sgc_ledgerdb_walk(walk->work->txn, db, sge_bytes(from, sizeof(from)), sizeof(uint32_t),
                             visit, walk);
}

static enum sg_err drop_below(void *ctx, struct sg_str key, struct sg_str value,
                              enum sgc_step *step)
{
    const struct walk *walk = ctx;
    (void)value;
    *step = sgc_block_key_number(key) < walk->number ? SGC_STEP_DROP : SGC_STEP_STOP;
    return SG_OK;
}

enum sg_err sgc_work_drop_blocks_below(struct sgc_work *work, uint64_t number)
{
    struct walk walk = {.work = work, .number = number};
    return walk_chain(&walk, work->db->blocks, 0, drop_below);
}

/* The oldest of the blocks that go knows what was before all of them. */
static enum sg_err undo_fact(void *ctx, struct sg_str key, struct sg_str value, enum sgc_step *step)
{
    struct walk *walk = ctx;
    struct sgc_factset_entry *entry;
    struct sgc_undorow undo;
    struct sge_fact_id id;
    enum sg_err err = sgc_undo_read(key, value, &id, &undo);
    if (err == SG_OK)
        err = sgc_factset_find(&walk->work->set, &id, NULL, &entry);
    if (err != SG_OK)
        return err == SG_ENOENT ? SG_ECORRUPT : err;
    *step = SGC_STEP_DROP;
    if (entry->undone)
        return SG_OK;
    memcpy(undo.before.safe, entry->row.safe, sizeof(undo.before.safe)); /* may have moved since */
    undo.before.safe_until_s = entry->row.safe_until_s;
    entry->row = undo.before;
    entry->undone = entry->changed = entry->bump = true;
    return SG_OK;
}

/* The newest block that stays is the head. */
static enum sg_err undo_block(void *ctx, struct sg_str key, struct sg_str value,
                              enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_chainrow *at = &walk->work->at;
    struct sgc_blockrow row;
    if (value.len != sizeof(row))
        return SG_ECORRUPT;
    if (sgc_block_key_number(key) > walk->number) {
        at->undone++;
        *step = SGC_STEP_DROP;
        return SG_OK;
    }
    memcpy(&row, value.ptr, sizeof(row));
    at->head = sgc_block_key_number(key);
    at->head_s = row.time_s;
    memcpy(at->head_hash, row.hash, sizeof(row.hash));
    return SG_OK;
}

/* A contract on its way to join was read up to what stays. */
static enum sg_err undo_progress(void *ctx, struct sg_str key, struct sg_str value,
                                 enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_sourcerow row;
    (void)step;
    if (key.len != sizeof(uint64_t) || value.len != sizeof(row))
        return SG_ECORRUPT;
    memcpy(&row, value.ptr, sizeof(row));
    if (row.chain != walk->work->chain || row.to == SGC_LEDGER_JOINED ||
        row.to <= walk->work->at.head)
        return SG_OK;
    row.to = walk->work->at.head;
    return sgc_source_put(walk->work->txn, walk->work->db, sge_be64_get(key.ptr), &row);
}

enum sg_err sgc_work_undo(struct sgc_work *work, uint64_t number)
{
    struct walk walk = {.work = work, .number = number};
    enum sg_err err = walk_chain(&walk, work->db->undo, number + 1, undo_fact);
    if (err == SG_OK)
        err = walk_chain(&walk, work->db->blocks, 0, undo_block);
    if (err == SG_OK)
        err = sgc_ledgerdb_walk(work->txn, work->db->sources, SG_STR_NONE, 0, undo_progress, &walk);
    return err;
}

static enum sg_err safe_fact(void *ctx, struct sg_str key, struct sg_str value, enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_factset_entry *entry;
    struct sgc_undorow undo;
    struct sge_fact_id id;
    if (sgc_block_key_number(key) > walk->number) {
        *step = SGC_STEP_STOP;
        return SG_OK;
    }
    enum sg_err err = sgc_undo_read(key, value, &id, &undo);
    if (err == SG_OK)
        err = sgc_factset_find(&walk->work->set, &id, NULL, &entry);
    if (err != SG_OK)
        return err == SG_ENOENT ? SG_ECORRUPT : err;
    memcpy(entry->row.safe, undo.after, sizeof(entry->row.safe));
    entry->row.safe_until_s = undo.after_until_s;
    entry->changed = true;
    *step = SGC_STEP_DROP;
    return SG_OK;
}

/* The newest block up to `number`: the journal keeps it, and what is above. */
static enum sg_err newest_upto(void *ctx, struct sg_str key, struct sg_str value,
                               enum sgc_step *step)
{
    struct walk *walk = ctx;
    (void)value;
    if (sgc_block_key_number(key) > walk->number)
        *step = SGC_STEP_STOP;
    else
        walk->source = sgc_block_key_number(key);
    return SG_OK;
}

enum sg_err sgc_work_safe(struct sgc_work *work, uint64_t number)
{
    struct walk walk = {.work = work, .number = number};
    enum sg_err err = walk_chain(&walk, work->db->undo, 0, safe_fact);
    if (err == SG_OK)
        err = walk_chain(&walk, work->db->blocks, 0, newest_upto);
    if (err == SG_OK)
        err = sgc_work_drop_blocks_below(work, walk.source);
    if (err == SG_OK)
        work->at.safe = number;
    return err;
}

static bool is_of(const struct walk *walk, const struct sgc_factrow *row)
{
    return row->chain == walk->work->chain && (walk->source == 0 || row->source == walk->source);
}

static enum sg_err publish_one(void *ctx, struct sg_str key, struct sg_str value,
                               enum sgc_step *step)
{
    struct sgc_work *work = ctx;
    struct sgc_factrow row;
    struct sge_fact_id id;
    if (key.len != SGC_HELD_KEY_BYTES || value.len != 1)
        return SG_ECORRUPT;
    bool bump = value.ptr[0] != 0;
    sgc_fact_id(key.ptr + sizeof(uint64_t), &id);
    enum sg_err err = sgc_fact_get(work->txn, work->db, &id, &row);
    if (err == SG_OK)
        err = sgc_outbox_add(&work->outbox, &id, &row, bump);
    *step = SGC_STEP_DROP;
    return err;
}

static enum sg_err publish_fact(void *ctx, struct sg_str key, struct sg_str value,
                                enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_factrow row;
    struct sge_fact_id id;
    size_t used;
    (void)step;
    enum sg_err err = sgc_factrow_read(value, &row, &used);
    if (err != SG_OK || !is_of(walk, &row))
        return err;
    sgc_fact_id(key.ptr, &id);
    return sgc_outbox_add(&walk->work->outbox, &id, &row, true);
}

enum sg_err sgc_work_publish(struct sgc_work *work, uint64_t source, bool is_new)
{
    struct walk walk = {.work = work, .source = source};
    uint8_t from[8];
    if (is_new)
        return sgc_ledgerdb_walk(work->txn, work->db->facts, SG_STR_NONE, 0, publish_fact, &walk);
    sge_be64_put(from, source);
    return sgc_ledgerdb_walk(work->txn, work->db->held, sge_bytes(from, sizeof(from)), sizeof(from),
                             publish_one, work);
}

/* ---- how much is followed ---- */

static enum sg_err follow_put(struct sgc_work *work, const struct sge_fact_id *id, uint64_t source,
                              enum sge_followed how)
{
    struct sgc_factrow row = {.kind = SGE_FACT_FOLLOWED, .chain = work->chain, .source = source};
    row.head[31] = row.safe[31] = (uint8_t)how;
    enum sg_err err = sgc_fact_put(work->txn, work->db, id, &row);
    return err == SG_OK ? sgc_outbox_add(&work->outbox, id, &row, true) : err;
}

enum sg_err sgc_work_follow(struct sgc_work *work, const struct sgc_following *following)
{
    struct sge_fact_id id;
    uint8_t key[SGC_HELD_KEY_BYTES];
    sge_fact_followed(following->group, &id);
    sgc_held_key(following->source, &id, key);
    enum sg_err err =
        sg_mdb_put(work->txn, work->db->follows, sge_bytes(key, sizeof(key)), SG_STR(""));
    return err == SG_OK ? follow_put(work, &id, following->source, following->how) : err;
}

static enum sg_err unfollow_one(void *ctx, struct sg_str key, struct sg_str value,
                                enum sgc_step *step)
{
    struct sge_fact_id id;
    (void)value;
    if (key.len != SGC_HELD_KEY_BYTES)
        return SG_ECORRUPT;
    sgc_fact_id(key.ptr + sizeof(uint64_t), &id);
    *step = SGC_STEP_DROP;
    return follow_put(ctx, &id, sge_be64_get(key.ptr), SGE_FOLLOWED_NOT);
}

enum sg_err sgc_work_unfollow(struct sgc_work *work, uint64_t source)
{
    uint8_t from[8];
    sge_be64_put(from, source);
    return sgc_ledgerdb_walk(work->txn, work->db->follows, sge_bytes(from, sizeof(from)),
                             sizeof(from), unfollow_one, work);
}

/* ---- forgetting ---- */

/* The edges are told that it is nobody's, whether they knew it or not. */
static enum sg_err forget_fact(void *ctx, struct sg_str key, struct sg_str value,
                               enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_factrow row;
    struct sge_fact_id id;
    size_t used;
    enum sg_err err = sgc_factrow_read(value, &row, &used);
    if (err != SG_OK || !is_of(walk, &row))
        return err;
    sgc_fact_id(key.ptr, &id);
    row.until_s = row.safe_until_s = 0;
    memset(row.head, 0, sizeof(row.head));
    memset(row.safe, 0, sizeof(row.safe));
    memset(row.holder, 0, sizeof(row.holder));
    *step = SGC_STEP_DROP;
    return sgc_outbox_add(&walk->work->outbox, &id, &row, true);
}

static enum sg_err forget_undo(void *ctx, struct sg_str key, struct sg_str value,
                               enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_undorow undo;
    struct sge_fact_id id;
    enum sg_err err = sgc_undo_read(key, value, &id, &undo);
    if (err == SG_OK && is_of(walk, &undo.before))
        *step = SGC_STEP_DROP;
    return err;
}

static enum sg_err forget_row(void *ctx, struct sg_str key, struct sg_str value,
                              enum sgc_step *step)
{
    (void)ctx;
    (void)key;
    (void)value;
    *step = SGC_STEP_DROP;
    return SG_OK;
}

static enum sg_err forget_source(void *ctx, struct sg_str key, struct sg_str value,
                                 enum sgc_step *step)
{
    const struct walk *walk = ctx;
    struct sgc_sourcerow row;
    uint8_t source[8];
    if (key.len != sizeof(source) || value.len != sizeof(row))
        return SG_ECORRUPT;
    memcpy(source, key.ptr, sizeof(source));
    memcpy(&row, value.ptr, sizeof(row));
    if (row.chain != walk->work->chain ||
        (walk->source != 0 && walk->source != sge_be64_get(source)))
        return SG_OK;
    *step = SGC_STEP_DROP;
    return sgc_ledgerdb_walk(walk->work->txn, walk->work->db->held,
                             sge_bytes(source, sizeof(source)), sizeof(source), forget_row, NULL);
}

enum sg_err sgc_work_forget(struct sgc_work *work, uint64_t source)
{
    struct walk walk = {.work = work, .source = source};
    uint8_t chain[4];
    enum sg_err err =
        sgc_ledgerdb_walk(work->txn, work->db->facts, SG_STR_NONE, 0, forget_fact, &walk);
    if (err == SG_OK)
        err = walk_chain(&walk, work->db->undo, 0, forget_undo);
    if (err == SG_OK)
        err = sgc_ledgerdb_walk(work->txn, work->db->sources, SG_STR_NONE, 0, forget_source, &walk);
    if (err != SG_OK || source != 0)
        return err;
    sge_be32_put(chain, work->chain);
    work->based = false;
    err = walk_chain(&walk, work->db->blocks, 0, forget_row);
    return err == SG_OK
               ? sgc_ledgerdb_walk(work->txn, work->db->chains, sge_bytes(chain, sizeof(chain)),
                                   sizeof(chain), forget_row, NULL)
               : err;
}
