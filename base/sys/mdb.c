#include "base/sys/mdb.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct sg_mdb {
    MDB_env *env;
    uint64_t map_bytes;
    bool writable;
};

/* struct sg_mdb_txn and _cursor are never defined: they are LMDB's own objects by another name, so
 * that a transaction costs no allocation of ours. */
static MDB_txn *txn_of(const struct sg_mdb_txn *txn)
{
    SG_ASSERT(txn != NULL);
    return (MDB_txn *)txn;
}

static MDB_cursor *cursor_of(struct sg_mdb_cursor *cursor)
{
    SG_ASSERT(cursor != NULL);
    return (MDB_cursor *)cursor;
}

static MDB_val val_of(struct sg_str s)
{
    return (MDB_val){.mv_size = s.len, .mv_data = (void *)(uintptr_t)s.ptr};
}

static struct sg_str str_of(MDB_val val)
{
    return (struct sg_str){val.mv_data, val.mv_size};
}

static enum sg_err err_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return SG_OK;
    case MDB_NOTFOUND:
        return SG_ENOENT;
    case MDB_KEYEXIST:
        return SG_EEXIST;
    case MDB_MAP_FULL:
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
    case MDB_DBS_FULL:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
        return SG_EFULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return SG_ECORRUPT;
    case MDB_VERSION_MISMATCH:
        return SG_EVERSION;
    case MDB_MAP_RESIZED:
        return SG_ESTALE;
    case MDB_BAD_VALSIZE:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
    case MDB_BAD_RSLOT:
    case MDB_INCOMPATIBLE:
        return SG_EINVAL;
    default:
        return rc > 0 ? sg_err_from_errno(rc) : SG_EIO;
    }
}

/* ---- environment ---- */

/* LMDB makes its files without syncing their names: a directory entry lost in a power cut would be
 * the whole environment lost. */
static enum sg_err dir_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sg_err_from_errno(errno);
    enum sg_err err = fsync(fd) == 0 ? SG_OK : sg_err_from_errno(errno);
    close(fd);
    return err;
}

static unsigned flags_of(const struct sg_mdb_conf *conf)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD; /* slots belong to readers, not to threads */
    if (!conf->writable)
        flags |= MDB_RDONLY;
    if (conf->sync == SG_MDB_LAZY)
        flags |= MDB_NOSYNC;
    return flags;
}

static enum sg_err env_open(struct sg_mdb *mdb, const struct sg_mdb_conf *conf)
{
    int rc = mdb_env_create(&mdb->env);
    if (rc != 0)
        return err_of(rc);
    rc = mdb_env_set_mapsize(mdb->env, conf->map_bytes);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(mdb->env, conf->readers_max);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(mdb->env, conf->dbs_max);
    if (rc == 0)
        rc = mdb_env_open(mdb->env, conf->dir, flags_of(conf), 0640);
    return err_of(rc);
}

static uint64_t used_bytes(const struct sg_mdb *mdb)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(mdb->env, &info);
    mdb_env_stat(mdb->env, &stat);
    return (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

/* A file cut short would end us by SIGBUS at the first page that is not there. */
static enum sg_err env_check_whole(struct sg_mdb *mdb)
{
    mdb_filehandle_t fd;
    struct stat st;
    int rc = mdb_env_get_fd(mdb->env, &fd);
    if (rc != 0)
        return err_of(rc);
    if (fstat(fd, &st) != 0)
        return sg_err_from_errno(errno);
    return (uint64_t)st.st_size < used_bytes(mdb) ? SG_ECORRUPT : SG_OK;
}

enum sg_err sg_mdb_open(const struct sg_mdb_conf *conf, struct sg_mdb **out)
{
    SG_ASSERT(conf != NULL && conf->dir != NULL);
    SG_ASSERT(out != NULL);
    struct sg_mdb *mdb = sg_boot_alloc(sizeof(*mdb));
    if (mdb == NULL)
        return SG_ENOMEM;
    mdb->map_bytes = conf->map_bytes;
    mdb->writable = conf->writable;
    enum sg_err err = SG_OK;
    if (conf->writable && mkdir(conf->dir, 0750) != 0 && errno != EEXIST)
        err = sg_err_from_errno(errno);
    if (err == SG_OK)
        err = env_open(mdb, conf);
    if (err == SG_OK)
        err = env_check_whole(mdb);
    if (err == SG_OK && conf->writable)
        err = dir_sync(conf->dir);
    if (err != SG_OK)
        goto out;
    sg_mdb_reap_readers(mdb);
    *out = SG_TAKE(mdb);
out:
    sg_mdb_close(mdb);
    return err;
}

void sg_mdb_close(struct sg_mdb *mdb)
{
    if (mdb == NULL)
        return;
    mdb_env_close(mdb->env); /* accepts NULL */
    sg_boot_free(mdb);
}

enum sg_err sg_mdb_db(struct sg_mdb *mdb, const char *name, uint32_t *db)
{
    SG_ASSERT(mdb != NULL && name != NULL);
    SG_ASSERT(db != NULL);
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    int rc = mdb_txn_begin(mdb->env, NULL, mdb->writable ? 0 : MDB_RDONLY, &txn);
    if (rc != 0)
        return err_of(rc);
    rc = mdb_dbi_open(txn, name, mdb->writable ? MDB_CREATE : 0, &dbi);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return err_of(rc);
    }
    rc = mdb_txn_commit(txn);
    if (rc == 0)
        *db = dbi;
    return err_of(rc);
}

uint64_t sg_mdb_last_txnid(const struct sg_mdb *mdb)
{
    MDB_envinfo info;
    SG_ASSERT(mdb != NULL);
    mdb_env_info(mdb->env, &info); /* fails only without an environment */
    return info.me_last_txnid;
}

enum sg_err sg_mdb_sync(struct sg_mdb *mdb)
{
    SG_ASSERT(mdb != NULL);
    return err_of(mdb_env_sync(mdb->env, 1));
}

uint32_t sg_mdb_reap_readers(struct sg_mdb *mdb)
{
    int dead = 0;
    SG_ASSERT(mdb != NULL);
    if (mdb_reader_check(mdb->env, &dead) != 0)
        return 0;
    return (uint32_t)dead;
}

/* LMDB tells the map's address to nobody; the kernel does. NULL: not found. */
static void *map_base(const struct sg_mdb *mdb)
{
    struct stat file;
    void *base = NULL;
    int fd = -1;
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return NULL;
    if (mdb_env_get_fd(mdb->env, &fd) == 0 && fstat(fd, &file) == 0) {
        while (base == NULL && fgets(line, sizeof(line), maps) != NULL) {
            unsigned long from, to, inode;
            if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3 &&
                inode == file.st_ino && to - from == mdb->map_bytes)
                base = (void *)from;
        }
    }
    fclose(maps);
    return base;
}

enum sg_err sg_mdb_lock_memory(struct sg_mdb *mdb)
{
    SG_ASSERT(mdb != NULL);
    void *base = map_base(mdb);
    if (base == NULL)
        return SG_ENOTSUP;
    uint64_t used = SG_MIN(used_bytes(mdb), mdb->map_bytes);
    enum sg_err err = SG_OK;
    if (mlock2(base, mdb->map_bytes, MLOCK_ONFAULT) != 0)
        err = sg_err_from_errno(errno);
    if (madvise(base, used, MADV_POPULATE_READ) != 0 && err == SG_OK)
        err = sg_err_from_errno(errno);
    return err;
}

/* ---- transactions ---- */

enum sg_err sg_mdb_reader_open(struct sg_mdb *mdb, struct sg_mdb_txn **out)
{
    MDB_txn *txn = NULL;
    SG_ASSERT(mdb != NULL);
    SG_ASSERT(out != NULL);
    int rc = mdb_txn_begin(mdb->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return err_of(rc);
    mdb_txn_reset(txn);
    *out = (struct sg_mdb_txn *)txn;
    return SG_OK;
}

enum sg_err sg_mdb_renew(struct sg_mdb_txn *reader)
{
    return err_of(mdb_txn_renew(txn_of(reader)));
}

void sg_mdb_reset(struct sg_mdb_txn *reader)
{
    mdb_txn_reset(txn_of(reader));
}

void sg_mdb_reader_close(struct sg_mdb_txn *reader)
{
    if (reader != NULL)
        mdb_txn_abort(txn_of(reader));
}

enum sg_err sg_mdb_write_begin(struct sg_mdb *mdb, struct sg_mdb_txn **out)
{
    MDB_txn *txn = NULL;
    SG_ASSERT(mdb != NULL);
    SG_ASSERT(out != NULL);
    int rc = mdb_txn_begin(mdb->env, NULL, 0, &txn);
    if (rc == 0)
        *out = (struct sg_mdb_txn *)txn;
    return err_of(rc);
}

enum sg_err sg_mdb_commit(struct sg_mdb_txn *txn)
{
    return err_of(mdb_txn_commit(txn_of(txn)));
}

void sg_mdb_abort(struct sg_mdb_txn *txn)
{
    if (txn != NULL)
        mdb_txn_abort(txn_of(txn));
}

uint64_t sg_mdb_txnid(const struct sg_mdb_txn *txn)
{
    return mdb_txn_id(txn_of(txn));
}

enum sg_err sg_mdb_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key, struct sg_str *value)
{
    MDB_val k = val_of(key), v;
    int rc = mdb_get(txn_of(txn), db, &k, &v);
    if (rc == 0)
        *value = str_of(v);
    return err_of(rc);
}

enum sg_err sg_mdb_put(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key, struct sg_str value)
{
    MDB_val k = val_of(key), v = val_of(value);
    return err_of(mdb_put(txn_of(txn), db, &k, &v, 0));
}

enum sg_err sg_mdb_del(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key)
{
    MDB_val k = val_of(key);
    return err_of(mdb_del(txn_of(txn), db, &k, NULL));
}

enum sg_err sg_mdb_drop(struct sg_mdb_txn *txn, uint32_t db)
{
    return err_of(mdb_drop(txn_of(txn), db, 0));
}

uint64_t sg_mdb_count(struct sg_mdb_txn *txn, uint32_t db)
{
    MDB_stat stat;
    return mdb_stat(txn_of(txn), db, &stat) == 0 ? stat.ms_entries : 0;
}

/* ---- cursors ---- */

enum sg_err sg_mdb_cursor_open(struct sg_mdb_txn *txn, uint32_t db, struct sg_mdb_cursor **out)
{
    MDB_cursor *cursor = NULL;
    SG_ASSERT(out != NULL);
    int rc = mdb_cursor_open(txn_of(txn), db, &cursor);
    if (rc == 0)
        *out = (struct sg_mdb_cursor *)cursor;
    return err_of(rc);
}

void sg_mdb_cursor_close(struct sg_mdb_cursor *cursor)
{
    if (cursor != NULL)
        mdb_cursor_close(cursor_of(cursor));
}

enum sg_err sg_mdb_cursor_renew(struct sg_mdb_txn *txn, struct sg_mdb_cursor *cursor)
{
    return err_of(mdb_cursor_renew(txn_of(txn), cursor_of(cursor)));
}

static enum sg_err cursor_get(struct sg_mdb_cursor *cursor, MDB_val k, MDB_cursor_op op,
                              struct sg_str *found, struct sg_str *value)
{
    MDB_val v;
    int rc = mdb_cursor_get(cursor_of(cursor), &k, &v, op);
    if (rc == 0) {
        *found = str_of(k);
        *value = str_of(v);
    }
    return err_of(rc);
}

enum sg_err sg_mdb_cursor_seek(struct sg_mdb_cursor *cursor, struct sg_str key,
                               struct sg_str *found, struct sg_str *value)
{
    return cursor_get(cursor, val_of(key), key.len == 0 ? MDB_FIRST : MDB_SET_RANGE, found, value);
}

enum sg_err sg_mdb_cursor_next(struct sg_mdb_cursor *cursor, struct sg_str *found,
                               struct sg_str *value)
{
    return cursor_get(cursor, (MDB_val){0}, MDB_NEXT, found, value);
}

enum sg_err sg_mdb_cursor_del(struct sg_mdb_cursor *cursor)
{
    return err_of(mdb_cursor_del(cursor_of(cursor), 0));
}
