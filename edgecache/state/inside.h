/* inside - what the files of the state share and nobody else sees: the environment, its databases,
 * and rows of a fixed length. Format 2 on disk (numbers in keys big-endian, in values
 * little-endian unless they say otherwise):
 *   about        "format" -> u32; "generation" -> u64, the last one assigned by hand; "mark" ->
 *                struct sge_mark; "epoch_floor" -> u32, for every tenant
 *   purges, purge_folds, purge_marks: purgelog.c
 *   facts        fact key u64 -> a row: factrow.h
 *   holdings     first 8 B of the holder, group u64, fact key u64 -> nothing
 *   ctis         tenant u32, cti 16 B -> until_ns u64
 *   cti_ends     until_ns u64, tenant u32, cti 16 B -> nothing: what may be forgotten first
 *   index_bits   tenant u32, index / 2048 u32 -> a bitmap of 256 B
 *   tenants      tenant u32 -> struct sge_tenant_row
 * and beside it two mapped files, fed (state.c) and chains (chains.c). */
#ifndef SGE_STATE_INSIDE_H
#define SGE_STATE_INSIDE_H

#include "base/sys/mdb.h"
#include "edgecache/state/bytes.h"
#include "edgecache/state/facts.h"
#include "edgecache/state/purgelog.h"

#include <stdatomic.h>

struct sge_chains;

struct sge_state {
    char *folder;
    struct sg_mdb *mdb;
    struct sge_purgelog purges;
    uint32_t about, facts, holdings, ctis, cti_ends, index_bits, tenants; /* databases */
    _Atomic uint64_t *fed;
    struct sge_chains *chains;
    bool writable;
    enum sg_err locked;
};

/* What was found last of a group, in that version of the state (never 0: an empty one is not
 * open); every condition of a rule asks it. */
struct sge_followed_known {
    uint64_t version, group;
    struct sge_fact_id id; /* sge_fact_followed(group): of any version */
    enum sge_followed how;
};
#define SGE_FOLLOWED_KNOWN 16u

struct sge_tenant_row {
    uint32_t epoch_min, rule_version;
};
/* The same of a tenant, its epoch raised to that of all: every token that is judged asks it. */
struct sge_tenant_known {
    uint64_t version;
    uint32_t tenant;
    struct sge_tenant_row row;
};
#define SGE_TENANTS_KNOWN 16u

struct sge_state_reader {
    const struct sge_state *state;
    struct sg_mdb_txn *txn;
    struct sg_mdb_cursor *purges, *holdings;
    struct sge_followed_known followed[SGE_FOLLOWED_KNOWN]; /* by the lowest bits of the group */
    struct sge_tenant_known tenants[SGE_TENANTS_KNOWN];     /* by those of the tenant */
};

/* ---- writing: begin, what the caller does, then finish ---- */
SG_MUST_USE enum sg_err sge_write_begin(struct sge_state *state, struct sg_mdb_txn **txn);
/* Commits where all went well so far; what is not committed never was. */
SG_MUST_USE enum sg_err sge_write_finish(struct sg_mdb_txn *txn, enum sg_err err);
/* Reads a row of exactly `len` bytes. SG_ENOENT leaves *row. */
SG_MUST_USE enum sg_err sge_row_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key,
                                    void *row, size_t len);

/* ---- apply.c ---- */
/* SG_ENOENT leaves *mark zeroed. */
SG_MUST_USE enum sg_err sge_mark_get(const struct sge_state *state, struct sg_mdb_txn *txn,
                                     struct sge_mark *mark);
SG_MUST_USE enum sg_err sge_mark_put(const struct sge_state *state, struct sg_mdb_txn *txn,
                                     const struct sge_mark *mark);

/* ---- facts.c ---- */
/* Puts a row and its places in the index, in the stead of what was there. SG_EEXIST: the key is
 * another fact's, and nothing was done. `number` is the generation where the row is new or bumped.
 */
SG_MUST_USE enum sg_err sge_fact_put(struct sge_state *state, struct sg_mdb_txn *txn,
                                     const struct sge_change *change, uint64_t number,
                                     uint64_t *generation);
/* Would it take something from somebody: another owner at head, a smaller balance? */
SG_MUST_USE enum sg_err sge_fact_falls(struct sge_state *state, struct sg_mdb_txn *txn,
                                       const struct sge_change *change, bool *falls);
/* The same of a row as it lies, or (row.ptr NULL) none: what was there under `key` goes. */
SG_MUST_USE enum sg_err sge_fact_replace(struct sge_state *state, struct sg_mdb_txn *txn,
                                         struct sg_str key, struct sg_str row);

/* ---- revocations.c: the same as the public ones, within the caller's transaction ---- */
SG_MUST_USE enum sg_err sge_cti_put(struct sge_state *state, struct sg_mdb_txn *txn,
                                    uint32_t tenant, const uint8_t cti[16], uint64_t until_ns);
SG_MUST_USE enum sg_err sge_index_put(struct sge_state *state, struct sg_mdb_txn *txn,
                                      uint32_t tenant, uint32_t index);
/* Bits of a whole chunk of the bitmap, as it lies, are added. */
SG_MUST_USE enum sg_err sge_index_merge(struct sge_state *state, struct sg_mdb_txn *txn,
                                        struct sg_str key, struct sg_str bits);
/* Raises; what is not above the present numbers changes nothing. */
SG_MUST_USE enum sg_err sge_tenant_merge(struct sge_state *state, struct sg_mdb_txn *txn,
                                         uint32_t tenant, const struct sge_tenant_row *row);
/* No token that anybody has by now is good any more: facts are of another stream than before. */
SG_MUST_USE enum sg_err sge_epochs_close(struct sge_state *state, struct sg_mdb_txn *txn,
                                         uint64_t now_s);
/* Raises the lowest epoch of every tenant. */
SG_MUST_USE enum sg_err sge_floor_merge(struct sge_state *state, struct sg_mdb_txn *txn,
                                        uint32_t epoch);
#define SGE_INDEX_CHUNK_BYTES 256u
#define SGE_CTI_KEY_BYTES     (4 + 16)

/* ---- chains.c ---- */
SG_MUST_USE enum sg_err sge_chains_open(const char *folder, bool writable, struct sge_chains **out);
void sge_chains_close(struct sge_chains *chains);

#endif
