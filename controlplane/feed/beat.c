#include "controlplane/feed/beat.h"

#include "controlplane/feed/wire.h"

#define BEAT_VERSION    2 /* 1 came with and without a word on history */
#define APPLIED_VERSION 1

static void text_write(const char *text, struct sg_out *out)
{
    sgc_wire_put(out, strlen(text), 1);
    sg_out_bytes(out, text, strlen(text));
}

/* Printable, without blanks, and not empty: it goes into logs and metrics. */
static void text_read(struct sgc_wire *in, char *text, uint32_t cap)
{
    uint32_t len = sgc_wire_below(in, 1, cap - 1);
    sgc_wire_bytes(in, text, len);
    text[len] = '\0';
    in->bad |= len == 0;
    for (uint32_t i = 0; i < len; i++)
        in->bad |= text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\';
}

static void mark_write(const struct sge_mark *mark, struct sg_out *out)
{
    sg_out_bytes(out, mark->stream, sizeof(mark->stream));
    sgc_wire_put(out, mark->seq, 8);
}

static void mark_read(struct sgc_wire *in, struct sge_mark *mark)
{
    sgc_wire_bytes(in, mark->stream, sizeof(mark->stream));
    mark->seq = sgc_wire_number(in, 8);
}

static enum sg_err version_read(struct sgc_wire *in, uint64_t ours)
{
    uint64_t version = sgc_wire_number(in, 1);
    if (in->bad || version == 0)
        return SG_ECORRUPT;
    return version == ours ? SG_OK : SG_EVERSION;
}

/* ---- beats ---- */

static void chain_write(const struct sge_chain *chain, struct sg_out *out)
{
    sgc_wire_put(out, chain->id, 4);
    text_write(chain->name, out);
    sgc_wire_put(out, chain->head, 8);
    sgc_wire_put(out, chain->safe, 8);
    sgc_wire_put(out, chain->head_s, 8);
    sgc_wire_put(out, chain->heard_ns, 8);
    sgc_wire_put(out, chain->late_s, 8);
    sg_out_bytes(out, chain->head_hash, sizeof(chain->head_hash));
}

static void chain_read(struct sgc_wire *in, struct sge_chain *chain)
{
    *chain = (struct sge_chain){.id = (uint32_t)sgc_wire_number(in, 4)};
    text_read(in, chain->name, sizeof(chain->name));
    chain->head = sgc_wire_number(in, 8);
    chain->safe = sgc_wire_number(in, 8);
    chain->head_s = sgc_wire_number(in, 8);
    chain->heard_ns = sgc_wire_number(in, 8);
    chain->late_s = sgc_wire_number(in, 8);
    sgc_wire_bytes(in, chain->head_hash, sizeof(chain->head_hash));
}

bool sgc_beat_write(const struct sgc_beat *beat, struct sg_out *out)
{
    SG_ASSERT(beat->chains_count <= SGE_CHAINS_MAX);
    sgc_wire_put(out, BEAT_VERSION, 1);
    mark_write(&beat->mark, out);
    sgc_wire_put(out, beat->at_ns, 8);
    sgc_wire_put(out, beat->chains_count, 1);
    for (uint32_t i = 0; i < beat->chains_count; i++)
        chain_write(&beat->chains[i], out);
    return !out->full;
}

enum sg_err sgc_beat_read(struct sg_str bytes, struct sgc_beat *out)
{
    struct sgc_wire in = {.rest = bytes};
    enum sg_err err = version_read(&in, BEAT_VERSION);
    if (err != SG_OK)
        return err;
    mark_read(&in, &out->mark);
    out->at_ns = sgc_wire_number(&in, 8);
    out->chains_count = sgc_wire_below(&in, 1, SGE_CHAINS_MAX);
    for (uint32_t i = 0; i < out->chains_count && !in.bad; i++)
        chain_read(&in, &out->chains[i]);
    return in.bad || in.rest.len != 0 ? SG_ECORRUPT : SG_OK;
}

/* ---- what an edge answers ---- */

bool sgc_applied_write(const struct sgc_applied *applied, struct sg_out *out)
{
    sgc_wire_put(out, APPLIED_VERSION, 1);
    text_write(applied->edge, out);
    mark_write(&applied->mark, out);
    sgc_wire_put(out, applied->appended_ns, 8);
    sgc_wire_put(out, applied->applied_ns, 8);
    return !out->full;
}

enum sg_err sgc_applied_read(struct sg_str bytes, struct sgc_applied *out)
{
    struct sgc_wire in = {.rest = bytes};
    enum sg_err err = version_read(&in, APPLIED_VERSION);
    if (err != SG_OK)
        return err;
    text_read(&in, out->edge, sizeof(out->edge));
    mark_read(&in, &out->mark);
    out->appended_ns = sgc_wire_number(&in, 8);
    out->applied_ns = sgc_wire_number(&in, 8);
    return in.bad || in.rest.len != 0 ? SG_ECORRUPT : SG_OK;
}
