/* What two edges compare: equal rows, but for when each node heard of them, are equal digests. */
#include "base/assert.h"
#include "edgecache/state/factrow.h"
#include "edgecache/state/inside.h"

#define RANGES 256

static enum sg_err row_add(struct sg_sha256 *hash, struct sg_str key, struct sg_str value)
{
    uint8_t row[SGE_FACTROW_MAX];
    if (value.len < SGE_FACTROW_FIXED || value.len > sizeof(row))
        return SG_ECORRUPT;
    memcpy(row, value.ptr, value.len);
    memset(row + SGE_FACTROW_CHANGED, 0, sizeof(uint64_t));
    sg_sha256_add(hash, key.ptr, key.len);
    sg_sha256_add(hash, row, value.len);
    return SG_OK;
}

/* A range with nothing in it stays zero. */
static enum sg_err ranges_fill(struct sg_mdb_cursor *cursor, uint8_t ranges[RANGES][32])
{
    struct sg_sha256 hash;
    struct sg_str key, value;
    int range = -1;
    enum sg_err err = sg_mdb_cursor_seek(cursor, SG_STR_NONE, &key, &value);
    for (; err == SG_OK; err = sg_mdb_cursor_next(cursor, &key, &value)) {
        if (key.len != 8)
            return SG_ECORRUPT;
        if (range != (uint8_t)key.ptr[0]) {
            if (range >= 0)
                sg_sha256_final(&hash, ranges[range]);
            range = (uint8_t)key.ptr[0];
            sg_sha256_init(&hash);
        }
        err = row_add(&hash, key, value);
        if (err != SG_OK)
            return err;
    }
    if (range >= 0)
        sg_sha256_final(&hash, ranges[range]);
    return err == SG_ENOENT ? SG_OK : err;
}

/* A binary tree: each node is the hash of the two below it. */
static void root_of(const uint8_t ranges[RANGES][32], uint8_t root[32])
{
    uint8_t nodes[RANGES][32];
    memcpy(nodes, ranges, sizeof(nodes));
    for (size_t count = RANGES / 2; count > 0; count /= 2)
        for (size_t i = 0; i < count; i++)
            sg_sha256(nodes[2 * i], sizeof(nodes[0]) * 2, nodes[i]);
    memcpy(root, nodes[0], sizeof(nodes[0]));
}

enum sg_err sge_state_digest(struct sge_state_reader *reader, struct sge_digest *out)
{
    SG_ASSERT(reader != NULL);
    SG_ASSERT(out != NULL);
    struct sg_mdb_cursor *cursor = NULL;
    enum sg_err err = sg_mdb_cursor_open(reader->txn, reader->state->facts, &cursor);
    if (err != SG_OK)
        return err;
    *out = (struct sge_digest){.mark.seq = 0};
    sge_state_mark(reader, &out->mark);
    err = ranges_fill(cursor, out->ranges);
    sg_mdb_cursor_close(cursor);
    if (err == SG_OK)
        root_of((const uint8_t(*)[32])out->ranges, out->root);
    return err;
}
