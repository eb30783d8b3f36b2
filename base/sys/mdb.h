/* mdb - the only door to LMDB: an environment of named databases, many readers (any process) and
 * one writer at a time. Every committed write is on disk before commit returns, unless the
 * environment was opened lazy. Keys and values handed out are borrowed from the map: they live
 * until the transaction is reset or ended, or its next write. One open of a directory a process;
 * never used across fork(). */
#ifndef SG_BASE_SYS_MDB_H
#define SG_BASE_SYS_MDB_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sg_mdb;        /* an environment; any thread */
struct sg_mdb_txn;    /* a transaction; one thread at a time */
struct sg_mdb_cursor; /* a place in a database, within its transaction */

enum sg_mdb_sync {
    SG_MDB_DURABLE, /* commit returns when the disk has it */
    SG_MDB_LAZY     /* a crash of the machine may lose the newest commits or, where the disk
                        reorders writes, the environment: for what can be made anew */
};

struct sg_mdb_conf {
    const char *dir;      /* made when absent (writable), mode 0750 */
    uint64_t map_bytes;   /* address space, and how large it may grow; the same in each process */
    uint32_t readers_max; /* of all processes together */
    uint32_t dbs_max;
    bool writable;
    enum sg_mdb_sync sync;
};

/* Blocks. SG_ENOENT: not writable and nothing there. SG_ECORRUPT, SG_EVERSION: not ours to read. */
SG_MUST_USE enum sg_err sg_mdb_open(const struct sg_mdb_conf *conf, struct sg_mdb **out);
void sg_mdb_close(struct sg_mdb *mdb);
/* A named database; made when absent and writable. At start, before other transactions. */
SG_MUST_USE enum sg_err sg_mdb_db(struct sg_mdb *mdb, const char *name, uint32_t *db);
/* The last committed transaction's number, of any process: a load from the map. A reader that
 * begins at the same moment may still see the one before: compare with sg_mdb_txnid(). */
uint64_t sg_mdb_last_txnid(const struct sg_mdb *mdb);
/* Flushes what a lazy environment has not written yet. Blocks. */
SG_MUST_USE enum sg_err sg_mdb_sync(struct sg_mdb *mdb);
/* Frees the reader slots of processes that died. Returns how many; cheap. */
uint32_t sg_mdb_reap_readers(struct sg_mdb *mdb);
/* Reads the used part of the map in and locks the map as it is touched. Best effort: SG_ENOMEM or
 * SG_EPERM where the limits do not allow the lock (what is used is read in all the same). Blocks.
 */
SG_MUST_USE enum sg_err sg_mdb_lock_memory(struct sg_mdb *mdb);

/* ---- transactions ---- */

/* A reader's own slot, not yet begun; keep it for the thread's life. SG_EFULL: no slot left. */
SG_MUST_USE enum sg_err sg_mdb_reader_open(struct sg_mdb *mdb, struct sg_mdb_txn **out);
/* Begins (again) at the newest commit; no allocation, no lock. Pair with sg_mdb_reset(): a reader
 * that stays open keeps old pages from being used again. */
SG_MUST_USE enum sg_err sg_mdb_renew(struct sg_mdb_txn *reader);
void sg_mdb_reset(struct sg_mdb_txn *reader);
void sg_mdb_reader_close(struct sg_mdb_txn *reader);
/* Waits for the writer before, of any process. */
SG_MUST_USE enum sg_err sg_mdb_write_begin(struct sg_mdb *mdb, struct sg_mdb_txn **out);
/* Ends *txn either way. SG_ENOSPC, SG_EIO, SG_EFULL: nothing of it was written. */
SG_MUST_USE enum sg_err sg_mdb_commit(struct sg_mdb_txn *txn);
/* Accepts NULL. */
void sg_mdb_abort(struct sg_mdb_txn *txn);
/* Which commit a reader sees; for a writer, the one it will be. */
uint64_t sg_mdb_txnid(const struct sg_mdb_txn *txn);

/* SG_ENOENT: not there, an ordinary answer. */
SG_MUST_USE enum sg_err sg_mdb_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key,
                                   struct sg_str *value);
/* Replaces. Keys of 1 .. 511 bytes. */
SG_MUST_USE enum sg_err sg_mdb_put(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key,
                                   struct sg_str value);
SG_MUST_USE enum sg_err sg_mdb_del(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key);
/* Deletes all there is in `db`. */
SG_MUST_USE enum sg_err sg_mdb_drop(struct sg_mdb_txn *txn, uint32_t db);
uint64_t sg_mdb_count(struct sg_mdb_txn *txn, uint32_t db);

/* ---- cursors: keys in the order of their bytes ---- */

SG_MUST_USE enum sg_err sg_mdb_cursor_open(struct sg_mdb_txn *txn, uint32_t db,
                                           struct sg_mdb_cursor **out);
/* Accepts NULL. A writer's cursors end before its commit or abort. */
void sg_mdb_cursor_close(struct sg_mdb_cursor *cursor);
/* A reader's cursor, after the reader was renewed: no allocation. */
SG_MUST_USE enum sg_err sg_mdb_cursor_renew(struct sg_mdb_txn *txn, struct sg_mdb_cursor *cursor);
/* The first key not below `key`; an empty key means the first of all. SG_ENOENT: none. */
SG_MUST_USE enum sg_err sg_mdb_cursor_seek(struct sg_mdb_cursor *cursor, struct sg_str key,
                                           struct sg_str *found, struct sg_str *value);
SG_MUST_USE enum sg_err sg_mdb_cursor_next(struct sg_mdb_cursor *cursor, struct sg_str *found,
                                           struct sg_str *value);
/* Deletes what the cursor stands on; _next() then gives what followed it. */
SG_MUST_USE enum sg_err sg_mdb_cursor_del(struct sg_mdb_cursor *cursor);

#endif
