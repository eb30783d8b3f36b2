/* copyrow - what copies are made of. A piece is "SGC2", the place that it goes on from (table,
 * key), then rows: table u8, key length u8, value length u16 little-endian, key, value; rows are in
 * the order of tables and keys, and the last of a copy is one of table END. Values are as they lie
 * in the state (inside.h). Read strictly: a copy comes from the network. */
#ifndef SGE_STATE_COPYROW_H
#define SGE_STATE_COPYROW_H

#include "edgecache/state/facts.h"

enum sge_copy_table {
    SGE_COPY_BEGIN,
    SGE_COPY_FACTS,
    SGE_COPY_CTIS,
    SGE_COPY_INDEX,
    SGE_COPY_TENANTS,
    SGE_COPY_FLOOR, /* the one row "epoch_floor" */
    SGE_COPY_END,
};
struct sge_copy_row {
    uint8_t table;
    struct sg_str key, value; /* borrowed */
};

/* What a piece begins with. */
void sge_copy_head_put(struct sg_out *out, const struct sge_copy_at *from);
/* False: not ours, or it does not go on from *from. Takes it off *piece. */
bool sge_copy_head_take(struct sg_str *piece, const struct sge_copy_at *from);
void sge_copy_row_put(struct sg_out *out, const struct sge_copy_row *row);
/* The next row, taken off *piece. False: not a row; nothing of its value was judged. */
bool sge_copy_row_take(struct sg_str *piece, struct sge_copy_row *out);
/* Is it what such a table has, and after *at? *at moves on. `mark`: no fact is newer. */
bool sge_copy_row_good(const struct sge_copy_row *row, const struct sge_mark *mark,
                       struct sge_copy_at *at);

#endif
