/* storage - what the halves of the store (streams.c, values.c) share. Only for them. */
#ifndef SGC_BUS_STORAGE_H
#define SGC_BUS_STORAGE_H

#include "base/sys/mdb.h"
#include "controlplane/bus/store.h"
#include "controlplane/bus/subject.h"

struct sgc_store {
    struct sg_mdb *mdb;
    uint32_t about, streams, messages, ids, id_ends, positions, buckets, values, changes;
};

/* A row of exactly `len` bytes. SG_ENOENT leaves *row. */
SG_MUST_USE enum sg_err sgc_store_row_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key,
                                          void *row, size_t len);
/* A reader that has begun: end it with sg_mdb_reader_close(). */
SG_MUST_USE enum sg_err sgc_store_read_begin(struct sgc_store *store, struct sg_mdb_txn **txn);
/* Commits where all went well so far; what is not committed never was. */
SG_MUST_USE enum sg_err sgc_store_finish(struct sg_mdb_txn *txn, enum sg_err err);
/* A number for a new stream or bucket. */
SG_MUST_USE enum sg_err sgc_store_number_next(struct sgc_store *store, struct sg_mdb_txn *txn,
                                              uint32_t *out);
/* Copies both to what is found. */
SG_MUST_USE enum sg_err sgc_store_found_put(struct sgc_found *found, struct sg_str subject,
                                            struct sg_str data);
#define SGC_STORE_KEY_BYTES 12
/* The key of a stream's message or a bucket's change; made in `key`. */
struct sg_str sgc_store_key(uint8_t key[SGC_STORE_KEY_BYTES], uint32_t number, uint64_t seq);

#endif
