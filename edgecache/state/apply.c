/* Who changes facts: the stream, batch by batch, or, where none feeds this state, somebody by hand.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "edgecache/state/inside.h"

static const struct sge_mark no_mark;

enum sg_err sge_mark_get(const struct sge_state *state, struct sg_mdb_txn *txn,
                         struct sge_mark *mark)
{
    *mark = no_mark;
    return sge_row_get(txn, state->about, SG_STR("mark"), mark, sizeof(*mark));
}

enum sg_err sge_mark_put(const struct sge_state *state, struct sg_mdb_txn *txn,
                         const struct sge_mark *mark)
{
    return sg_mdb_put(txn, state->about, SG_STR("mark"), sge_bytes(mark, sizeof(*mark)));
}

void sge_state_mark(struct sge_state_reader *reader, struct sge_mark *out)
{
    SG_ASSERT(reader != NULL && out != NULL);
    if (sge_mark_get(reader->state, reader->txn, out) != SG_OK)
        *out = no_mark;
}

bool sge_state_by_hand(struct sge_state_reader *reader)
{
    struct sge_mark mark;
    sge_state_mark(reader, &mark);
    return memcmp(mark.stream, no_mark.stream, sizeof(mark.stream)) == 0;
}

/* ---- the stream ---- */

/* What was set by hand had generations of another counter: it goes, and so do tokens of it. */
static enum sg_err hand_forget(struct sge_state *state, struct sg_mdb_txn *txn)
{
    if (sg_mdb_count(txn, state->facts) == 0)
        return SG_OK;
    enum sg_err err = sg_mdb_drop(txn, state->facts);
    if (err == SG_OK)
        err = sg_mdb_drop(txn, state->holdings);
    return err != SG_OK ? err : sge_epochs_close(state, txn, sg_clock_wall_ns() / SG_NS_PER_SEC);
}

/* Is this batch the next one? */
static enum sg_err place_check(struct sge_state *state, struct sg_mdb_txn *txn,
                               const struct sge_batch *batch)
{
    struct sge_mark mark;
    enum sg_err err = sge_mark_get(state, txn, &mark);
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    if (err == SG_OK && memcmp(mark.stream, batch->stream, sizeof(mark.stream)) != 0)
        return SG_EVERSION;
    if (batch->seq <= mark.seq)
        return SG_EALREADY;
    if (batch->seq != mark.seq + 1)
        return SG_ERANGE;
    return err == SG_ENOENT ? hand_forget(state, txn) : SG_OK;
}

static enum sg_err changes_put(struct sge_state *state, struct sg_mdb_txn *txn,
                               const struct sge_batch *batch, uint32_t *refused)
{
    uint64_t generation;
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; err == SG_OK && i < batch->changes_count; i++) {
        err = sge_fact_put(state, txn, &batch->changes[i], batch->seq, &generation);
        if (err != SG_EEXIST)
            continue;
        sg_error("state: entry %llu: two facts have the key %016llx: the later one is not believed",
                 (unsigned long long)batch->seq, (unsigned long long)batch->changes[i].id.key);
        (*refused)++;
        err = SG_OK;
    }
    return err;
}

static struct sge_change root_change(const struct sge_word *word)
{
    struct sge_change change = {.id = word->list, .kind = SGE_FACT_ROOT};
    memcpy(change.head, word->root, sizeof(change.head));
    memcpy(change.safe, word->root, sizeof(change.safe));
    return change;
}

/* Whether it is another tree than before is found out here: at the same mark all have the same. */
static enum sg_err root_put(struct sge_state *state, struct sg_mdb_txn *txn,
                            const struct sge_word *word, uint64_t seq)
{
    struct sge_change change = root_change(word);
    uint64_t generation;
    enum sg_err err = sge_fact_falls(state, txn, &change, &change.bump);
    if (err == SG_OK)
        err = sge_fact_put(state, txn, &change, seq, &generation);
    if (err != SG_EEXIST)
        return err;
    sg_error("state: entry %llu: the key of an allow list is another fact's: it is not believed",
             (unsigned long long)seq);
    return SG_OK;
}

static enum sg_err word_put(struct sge_state *state, struct sg_mdb_txn *txn,
                            const struct sge_word *word, uint64_t seq)
{
    switch (word->kind) {
    case SGE_WORD_CTI:
        return sge_cti_put(state, txn, word->tenant, word->cti, word->until_ns);
    case SGE_WORD_INDEX:
        return sge_index_put(state, txn, word->tenant, word->number);
    case SGE_WORD_EPOCH:
        return sge_tenant_merge(state, txn, word->tenant,
                                &(struct sge_tenant_row){.epoch_min = word->number});
    case SGE_WORD_RULE:
        return sge_tenant_merge(state, txn, word->tenant,
                                &(struct sge_tenant_row){.rule_version = word->number});
    case SGE_WORD_ROOT:
        return root_put(state, txn, word, seq);
    }
    return SG_EPROTO; /* a word that we do not know may be one that refuses */
}

static enum sg_err batch_put(struct sge_state *state, struct sg_mdb_txn *txn,
                             const struct sge_batch *batch, uint32_t *refused)
{
    struct sge_mark mark = {.seq = batch->seq};
    memcpy(mark.stream, batch->stream, sizeof(mark.stream));
    enum sg_err err = changes_put(state, txn, batch, refused);
    for (uint32_t i = 0; err == SG_OK && i < batch->words_count; i++)
        err = word_put(state, txn, &batch->words[i], batch->seq);
    return err != SG_OK ? err : sge_mark_put(state, txn, &mark);
}

enum sg_err sge_state_apply(struct sge_state *state, const struct sge_batch *batch)
{
    SG_ASSERT(state != NULL && batch != NULL);
    SG_ASSERT(memcmp(batch->stream, no_mark.stream, sizeof(batch->stream)) != 0);
    struct sg_mdb_txn *txn = NULL;
    uint32_t refused = 0;
    enum sg_err err = sge_write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = place_check(state, txn, batch);
    if (err == SG_OK)
        err = batch_put(state, txn, batch, &refused);
    err = sge_write_finish(txn, err);
    return err == SG_OK && refused > 0 ? SG_EEXIST : err;
}

/* ---- by hand ---- */

/* Never used again, whatever happens to the fact: a counter of the whole state. */
static enum sg_err generation_next(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t *out)
{
    const struct sg_str name = SG_STR("generation");
    uint64_t last = 0;
    enum sg_err err = sge_row_get(txn, state->about, name, &last, sizeof(last));
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    *out = last + 1;
    return sg_mdb_put(txn, state->about, name, sge_bytes(out, sizeof(*out)));
}

static enum sg_err hand_put(struct sge_state *state, struct sg_mdb_txn *txn,
                            const struct sge_change *change, uint64_t *generation)
{
    struct sge_mark mark;
    struct sge_change bumped = *change;
    uint64_t next = 0;
    enum sg_err err = sge_mark_get(state, txn, &mark);
    if (err != SG_ENOENT)
        return err == SG_OK ? SG_EPERM : err;
    err = sge_fact_falls(state, txn, change, &bumped.bump);
    if (err == SG_OK)
        err = generation_next(state, txn, &next);
    return err != SG_OK ? err : sge_fact_put(state, txn, &bumped, next, generation);
}

enum sg_err sge_state_change(struct sge_state *state, const struct sge_change *change,
                             uint64_t *generation)
{
    SG_ASSERT(change != NULL && generation != NULL);
    struct sg_mdb_txn *txn = NULL;
    uint64_t given = 0;
    enum sg_err err = sge_write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = sge_write_finish(txn, hand_put(state, txn, change, &given));
    if (err == SG_OK)
        *generation = given;
    return err;
}

enum sg_err sge_state_set_root(struct sge_state *state, const struct sge_word *word)
{
    SG_ASSERT(word != NULL && word->kind == SGE_WORD_ROOT);
    struct sge_change change = root_change(word);
    uint64_t generation;
    return sge_state_change(state, &change, &generation);
}

enum sg_err sge_state_fact_set(struct sge_state *state, uint64_t fact_key,
                               const uint8_t owner_head[32], const uint8_t owner_safe[32],
                               uint64_t block, uint64_t *generation)
{
    SG_ASSERT(owner_head != NULL && owner_safe != NULL);
    struct sge_change change = {.id.key = fact_key, .kind = SGE_FACT_OWNER, .block = block};
    memcpy(change.head, owner_head, sizeof(change.head));
    memcpy(change.safe, owner_safe, sizeof(change.safe));
    return sge_state_change(state, &change, generation);
}
