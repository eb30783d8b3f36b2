#include "controlplane/feed/entry.h"

#include "controlplane/feed/wire.h"

#define VERSION 2 /* 1 had no SGE_FACT_FOLLOWED, and no SGE_WORD_ROOT */

/* ---- writing ---- */

static void change_write(const struct sge_change *change, struct sg_out *out)
{
    sgc_wire_put(out, change->id.key, 8);
    sgc_wire_put(out, change->id.check, 8);
    sgc_wire_put(out, change->kind, 1);
    sgc_wire_put(out, change->bump, 1);
    sgc_wire_put(out, change->groups_count, 1);
    sgc_wire_put(out, change->chain, 4);
    sgc_wire_put(out, change->log, 4);
    sgc_wire_put(out, change->block, 8);
    sgc_wire_put(out, change->until_s, 8);
    sg_out_bytes(out, change->head, 32);
    sg_out_bytes(out, change->safe, 32);
    sg_out_bytes(out, change->holder, 32);
    sg_out_bytes(out, change->token, 32);
    for (uint32_t i = 0; i < change->groups_count; i++)
        sgc_wire_put(out, change->groups[i], 8);
}

static void word_write(const struct sge_word *word, struct sg_out *out)
{
    sgc_wire_put(out, word->kind, 1);
    sgc_wire_put(out, word->tenant, 4);
    if (word->kind == SGE_WORD_CTI) {
        sg_out_bytes(out, word->cti, sizeof(word->cti));
        sgc_wire_put(out, word->until_ns, 8);
    } else if (word->kind == SGE_WORD_ROOT) {
        sgc_wire_put(out, word->list.key, 8);
        sgc_wire_put(out, word->list.check, 8);
        sg_out_bytes(out, word->root, sizeof(word->root));
    } else {
        sgc_wire_put(out, word->number, 4);
    }
}

bool sgc_entry_write(const struct sge_batch *batch, struct sg_out *out)
{
    SG_ASSERT(batch != NULL && out != NULL);
    if (batch->changes_count > SGC_ENTRY_CHANGES_MAX || batch->words_count > SGC_ENTRY_WORDS_MAX)
        return false;
    sgc_wire_put(out, VERSION, 1);
    sgc_wire_put(out, batch->changes_count, 2);
    sgc_wire_put(out, batch->words_count, 2);
    for (uint32_t i = 0; i < batch->changes_count; i++)
        change_write(&batch->changes[i], out);
    for (uint32_t i = 0; i < batch->words_count; i++)
        word_write(&batch->words[i], out);
    return !out->full;
}

/* ---- reading ---- */

static void change_read(struct sgc_wire *in, uint64_t version, struct sge_change *change)
{
    *change = (struct sge_change){0};
    change->id.key = sgc_wire_number(in, 8);
    change->id.check = sgc_wire_number(in, 8);
    change->kind = (uint8_t)sgc_wire_below(in, 1, version == 1 ? SGE_FACT_ROOT : SGE_FACT_FOLLOWED);
    in->bad |= change->kind < SGE_FACT_OWNER;
    change->bump = sgc_wire_below(in, 1, 1) == 1;
    change->groups_count = (uint8_t)sgc_wire_below(in, 1, SGE_FACT_GROUPS_MAX);
    change->chain = (uint32_t)sgc_wire_number(in, 4);
    change->log = (uint32_t)sgc_wire_number(in, 4);
    change->block = sgc_wire_number(in, 8);
    change->until_s = sgc_wire_number(in, 8);
    sgc_wire_bytes(in, change->head, 32);
    sgc_wire_bytes(in, change->safe, 32);
    sgc_wire_bytes(in, change->holder, 32);
    sgc_wire_bytes(in, change->token, 32);
    for (uint32_t i = 0; i < change->groups_count; i++)
        change->groups[i] = sgc_wire_number(in, 8);
}

static void word_read(struct sgc_wire *in, uint64_t version, struct sge_word *word)
{
    *word = (struct sge_word){0};
    word->kind =
        (enum sge_word_kind)sgc_wire_below(in, 1, version == 1 ? SGE_WORD_RULE : SGE_WORD_ROOT);
    word->tenant = (uint32_t)sgc_wire_number(in, 4);
    if (word->kind == SGE_WORD_CTI) {
        sgc_wire_bytes(in, word->cti, sizeof(word->cti));
        word->until_ns = sgc_wire_number(in, 8);
    } else if (word->kind == SGE_WORD_ROOT) {
        word->list.key = sgc_wire_number(in, 8);
        word->list.check = sgc_wire_number(in, 8);
        sgc_wire_bytes(in, word->root, sizeof(word->root));
    } else {
        word->number = (uint32_t)sgc_wire_number(in, 4);
    }
}

enum sg_err sgc_entry_read(struct sg_str bytes, struct sgc_entry_room *room, struct sge_batch *out)
{
    SG_ASSERT(room != NULL && out != NULL);
    struct sgc_wire in = {.rest = bytes};
    uint64_t version = sgc_wire_number(&in, 1);
    if (version < 1 || version > VERSION)
        return !in.bad && version > VERSION ? SG_EVERSION : SG_ECORRUPT;
    uint32_t changes = sgc_wire_below(&in, 2, SGC_ENTRY_CHANGES_MAX);
    uint32_t words = sgc_wire_below(&in, 2, SGC_ENTRY_WORDS_MAX);
    for (uint32_t i = 0; i < changes && !in.bad; i++)
        change_read(&in, version, &room->changes[i]);
    for (uint32_t i = 0; i < words && !in.bad; i++)
        word_read(&in, version, &room->words[i]);
    if (in.bad || in.rest.len != 0)
        return SG_ECORRUPT;
    out->changes = room->changes;
    out->changes_count = changes;
    out->words = room->words;
    out->words_count = words;
    return SG_OK;
}
