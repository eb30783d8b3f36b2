/* ledgerdb - how the ledger lies in its environment: the databases, their keys and rows. Every call
 * is within the caller's transaction. SG_ECORRUPT: a row that is none of ours. */
#ifndef SGC_CHAIN_LEDGERDB_H
#define SGC_CHAIN_LEDGERDB_H

#include "base/sys/mdb.h"
#include "edgecache/state/bytes.h"
#include "edgecache/state/facts.h"

struct sgc_ledgerdb {
    struct sg_mdb *mdb;
    uint32_t facts;   /* fact -> sgc_factrow */
    uint32_t undo;    /* chain, block, fact -> sgc_undorow */
    uint32_t blocks;  /* chain, block -> sgc_blockrow */
    uint32_t chains;  /* chain -> sgc_chainrow */
    uint32_t sources; /* contract -> sgc_sourcerow */
    uint32_t held;    /* contract, fact -> whether it bumps: what is held back of
                         contracts that the stream knows */
    uint32_t follows; /* contract, fact -> nothing: what says how much of it is followed */
    uint32_t outbox;  /* entry -> sgc_outrow and sgc_factrow, several times */
    uint32_t marks;   /* "format"; "name": 16 random bytes; "outbox": the next entry's number */
};

/* As stored; little-endian, which is all we run on. Only the groups that are used are written. */
struct sgc_factrow {
    uint64_t block, source;
    uint64_t until_s, safe_until_s; /* of SGE_FACT_USER */
    uint32_t chain, log;
    uint8_t kind, groups_count, zero[6];
    uint8_t head[32], safe[32], holder[32], token[32];
    uint64_t groups[SGE_FACT_GROUPS_MAX];
};
struct sgc_undorow {
    uint64_t after_until_s;
    uint8_t after[32]; /* the value at the block's end */
    struct sgc_factrow before;
};
struct sgc_blockrow {
    uint64_t time_s;
    uint8_t hash[32];
};
struct sgc_chainrow {
    uint64_t head, safe, head_s, undone, odd;
    uint8_t head_hash[32];
};
struct sgc_sourcerow {
    uint64_t to;
    uint32_t chain;
    uint32_t told; /* it joined once: the stream has facts of it */
};
struct sgc_outrow {
    uint64_t key, check;
    uint8_t bump, zero[7];
};

SG_MUST_USE enum sg_err sgc_ledgerdb_init(struct sg_mdb *mdb, struct sgc_ledgerdb *db);

/* Shows the rows from key `from` on that begin with its first `same` bytes, in their order, to
 * `visit`, which says what becomes of each. It may write to other databases, and replace a value of
 * this one after it has read what it was shown. */
enum sgc_step { SGC_STEP_ON, SGC_STEP_DROP, SGC_STEP_STOP };
SG_MUST_USE enum sg_err sgc_ledgerdb_walk(
    struct sg_mdb_txn *txn, uint32_t db, struct sg_str from, size_t same,
    enum sg_err (*visit)(void *ctx, struct sg_str key, struct sg_str value, enum sgc_step *step),
    void *ctx);

#define SGC_FACT_KEY_BYTES  16
#define SGC_BLOCK_KEY_BYTES 12
#define SGC_UNDO_KEY_BYTES  (SGC_BLOCK_KEY_BYTES + SGC_FACT_KEY_BYTES)
#define SGC_HELD_KEY_BYTES  (8 + SGC_FACT_KEY_BYTES)
void sgc_fact_key(const struct sge_fact_id *id, uint8_t key[SGC_FACT_KEY_BYTES]);
void sgc_fact_id(const void *key, struct sge_fact_id *out);
void sgc_block_key(uint32_t chain, uint64_t number, uint8_t key[SGC_BLOCK_KEY_BYTES]);
void sgc_undo_key(uint32_t chain, uint64_t number, const struct sge_fact_id *id,
                  uint8_t key[SGC_UNDO_KEY_BYTES]);
void sgc_held_key(uint64_t source, const struct sge_fact_id *id, uint8_t key[SGC_HELD_KEY_BYTES]);
/* Of a key that begins with a block's. */
uint64_t sgc_block_key_number(struct sg_str key);

size_t sgc_factrow_bytes(const struct sgc_factrow *row);
/* The whole of `value`, or its beginning (*used says how much). */
SG_MUST_USE enum sg_err sgc_factrow_read(struct sg_str value, struct sgc_factrow *out,
                                         size_t *used);
/* `bump` apart, what the stream is told. */
void sgc_factrow_change(const struct sgc_factrow *row, const struct sge_fact_id *id,
                        struct sge_change *out);

/* SG_ENOENT: none. */
SG_MUST_USE enum sg_err sgc_fact_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                     const struct sge_fact_id *id, struct sgc_factrow *out);
SG_MUST_USE enum sg_err sgc_fact_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                     const struct sge_fact_id *id, const struct sgc_factrow *row);
SG_MUST_USE enum sg_err sgc_undo_read(struct sg_str key, struct sg_str value,
                                      struct sge_fact_id *id, struct sgc_undorow *out);
SG_MUST_USE enum sg_err sgc_undo_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                     uint64_t block, const struct sge_fact_id *id,
                                     const struct sgc_undorow *row);
SG_MUST_USE enum sg_err sgc_block_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                      uint32_t chain, uint64_t number, struct sgc_blockrow *out);
SG_MUST_USE enum sg_err sgc_block_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                      uint32_t chain, uint64_t number,
                                      const struct sgc_blockrow *row);
SG_MUST_USE enum sg_err sgc_chain_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                      uint32_t chain, struct sgc_chainrow *out);
SG_MUST_USE enum sg_err sgc_chain_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                      uint32_t chain, const struct sgc_chainrow *row);
SG_MUST_USE enum sg_err sgc_source_get(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                       uint64_t source, struct sgc_sourcerow *out);
SG_MUST_USE enum sg_err sgc_source_put(struct sg_mdb_txn *txn, const struct sgc_ledgerdb *db,
                                       uint64_t source, const struct sgc_sourcerow *row);

#endif
