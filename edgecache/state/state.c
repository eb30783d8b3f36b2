#include "edgecache/state/state.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/sys/crypto.h"
#include "edgecache/state/convert.h"
#include "edgecache/state/inside.h"
#include "edgecache/state/mapfile.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT         2u
#define MAP_BYTES      (1ull << 30)
#define READERS_MAX    256
#define FED_FILE_BYTES sizeof(uint64_t)

/* fed: 8 bytes, Unix ns: a mapped file, since a word every few seconds is worth no sync: what a
 * power cut loses of it makes the knowledge look older, never newer. */

/* ---- opening ---- */

static enum sg_err fed_open(struct sge_state *state, const char *folder, bool writable)
{
    void *map;
    int fd;
    enum sg_err err = sge_mapfile_open(folder, "fed", FED_FILE_BYTES, writable, &map, &fd);
    if (err != SG_OK)
        return err;
    state->fed = map;
    close(fd);
    return SG_OK;
}

static enum sg_err format_check(struct sge_state *state, struct sg_mdb_txn *txn, uint32_t *format)
{
    struct sg_str value;
    enum sg_err err = sg_mdb_get(txn, state->about, SG_STR("format"), &value);
    if (err != SG_OK)
        return err;
    if (value.len != sizeof(*format))
        return SG_ECORRUPT;
    memcpy(format, value.ptr, sizeof(*format));
    return *format == FORMAT ? SG_OK : SG_EVERSION;
}

/* Before the databases that an older format lacks are looked for. */
static enum sg_err format_read(struct sge_state *state)
{
    uint32_t format;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sg_mdb_reader_open(state->mdb, &txn);
    if (err == SG_OK)
        err = sg_mdb_renew(txn);
    if (err == SG_OK)
        err = format_check(state, txn, &format);
    sg_mdb_reader_close(txn);
    return err;
}

/* A new environment gets its format, one of format 1 is made one of ours. */
static enum sg_err format_write(struct sge_state *state)
{
    uint32_t format = 0;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sge_write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = format_check(state, txn, &format);
    if (err == SG_EVERSION && format == 1)
        err = sge_state_convert(state, txn);
    else if (err != SG_ENOENT) {
        sg_mdb_abort(txn);
        return err;
    }
    format = FORMAT;
    if (err == SG_OK || err == SG_ENOENT)
        err = sg_mdb_put(txn, state->about, SG_STR("format"), sge_bytes(&format, sizeof(format)));
    return sge_write_finish(txn, err);
}

static enum sg_err dbs_open(struct sge_state *state, bool writable)
{
    const struct {
        const char *name;
        uint32_t *db;
    } dbs[] = {
        {"facts", &state->facts},
        {"holdings", &state->holdings},
        {"ctis", &state->ctis},
        {"cti_ends", &state->cti_ends},
        {"index_bits", &state->index_bits},
        {"tenants", &state->tenants},
    };
    enum sg_err err = sg_mdb_db(state->mdb, "about", &state->about);
    if (err == SG_OK && !writable)
        err = format_read(state);
    if (err == SG_OK)
        err = sge_purgelog_init(state->mdb, &state->purges);
    for (size_t i = 0; err == SG_OK && i < SG_COUNT(dbs); i++)
        err = sg_mdb_db(state->mdb, dbs[i].name, dbs[i].db);
    return err == SG_OK && writable ? format_write(state) : err;
}

enum sg_err sge_state_open(const char *dir, bool writable, struct sge_state **out)
{
    SG_ASSERT(dir != NULL);
    SG_ASSERT(out != NULL);
    char folder[4000];
    if (snprintf(folder, sizeof(folder), "%s/state", dir) >= (int)sizeof(folder))
        return SG_EINVAL;
    const struct sg_mdb_conf conf = {.dir = folder,
                                     .map_bytes = MAP_BYTES,
                                     .readers_max = READERS_MAX,
                                     .dbs_max = 16,
                                     .writable = writable,
                                     .sync = SG_MDB_DURABLE};
    struct sge_state *state = sg_boot_alloc(sizeof(*state));
    if (state == NULL)
        return SG_ENOMEM;
    state->writable = writable;
    state->folder = sg_boot_alloc(strlen(folder) + 1);
    enum sg_err err = state->folder == NULL ? SG_ENOMEM : SG_OK;
    if (err == SG_OK)
        strcpy(state->folder, folder);
    if (err == SG_OK && writable &&
        ((mkdir(dir, 0750) != 0 && errno != EEXIST) ||
         (mkdir(folder, 0750) != 0 && errno != EEXIST)))
        err = sg_err_from_errno(errno);
    if (err == SG_OK)
        err = fed_open(state, folder, writable); /* first: who finds the rest finds these too */
    if (err == SG_OK)
        err = sge_chains_open(folder, writable, &state->chains);
    if (err == SG_OK)
        err = sg_mdb_open(&conf, &state->mdb);
    if (err == SG_OK)
        err = dbs_open(state, writable);
    if (err != SG_OK)
        goto out;
    state->locked = sg_mdb_lock_memory(state->mdb);
    *out = SG_TAKE(state);
out:
    sge_state_close(state);
    return err;
}

void sge_state_close(struct sge_state *state)
{
    if (state == NULL)
        return;
    sg_mdb_close(state->mdb);
    if (state->fed != NULL)
        munmap(state->fed, FED_FILE_BYTES);
    sge_chains_close(state->chains);
    sg_boot_free(state->folder);
    sg_boot_free(state);
}

enum sg_err sge_state_locked(const struct sge_state *state)
{
    SG_ASSERT(state != NULL);
    return state->locked;
}

uint64_t sge_state_version(const struct sge_state *state)
{
    SG_ASSERT(state != NULL);
    return sg_mdb_last_txnid(state->mdb);
}

uint64_t sge_state_fed_ns(const struct sge_state *state)
{
    SG_ASSERT(state != NULL);
    return atomic_load_explicit(state->fed, memory_order_acquire);
}

enum sg_err sge_state_heartbeat(struct sge_state *state, uint64_t now_ns)
{
    SG_ASSERT(state != NULL);
    if (!state->writable)
        return SG_EACCES;
    sg_mdb_reap_readers(state->mdb);
    atomic_store_explicit(state->fed, now_ns, memory_order_release);
    return SG_OK;
}

/* ---- readers ---- */

enum sg_err sge_state_reader_open(struct sge_state *state, struct sge_state_reader **out)
{
    SG_ASSERT(state != NULL);
    SG_ASSERT(out != NULL);
    struct sge_state_reader *reader = sg_boot_alloc(sizeof(*reader));
    if (reader == NULL)
        return SG_ENOMEM;
    reader->state = state;
    enum sg_err err = sg_mdb_reader_open(state->mdb, &reader->txn);
    if (err == SG_OK)
        err = sg_mdb_renew(reader->txn);
    if (err != SG_OK)
        goto out;
    err = sg_mdb_cursor_open(reader->txn, state->purges.log, &reader->purges);
    if (err == SG_OK)
        err = sg_mdb_cursor_open(reader->txn, state->holdings, &reader->holdings);
    sg_mdb_reset(reader->txn);
    if (err == SG_OK)
        *out = SG_TAKE(reader);
out:
    sge_state_reader_close(reader);
    return err;
}

void sge_state_reader_close(struct sge_state_reader *reader)
{
    if (reader == NULL)
        return;
    sg_mdb_cursor_close(reader->holdings);
    sg_mdb_cursor_close(reader->purges);
    sg_mdb_reader_close(reader->txn);
    sg_boot_free(reader);
}

enum sg_err sge_state_begin(struct sge_state_reader *reader)
{
    SG_ASSERT(reader != NULL);
    return sg_mdb_renew(reader->txn);
}

void sge_state_end(struct sge_state_reader *reader)
{
    SG_ASSERT(reader != NULL);
    sg_mdb_reset(reader->txn);
}

uint64_t sge_state_reader_version(const struct sge_state_reader *reader)
{
    SG_ASSERT(reader != NULL);
    return sg_mdb_txnid(reader->txn);
}

const struct sge_state *sge_state_of(const struct sge_state_reader *reader)
{
    SG_ASSERT(reader != NULL);
    return reader->state;
}

/* ---- writing: begin, what the caller does, then finish ---- */

enum sg_err sge_write_begin(struct sge_state *state, struct sg_mdb_txn **txn)
{
    SG_ASSERT(state != NULL);
    return sg_mdb_write_begin(state->mdb, txn);
}

enum sg_err sge_write_finish(struct sg_mdb_txn *txn, enum sg_err err)
{
    if (err == SG_OK)
        return sg_mdb_commit(txn);
    sg_mdb_abort(txn);
    return err;
}

enum sg_err sge_row_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key, void *row,
                        size_t len)
{
    struct sg_str value;
    enum sg_err err = sg_mdb_get(txn, db, key, &value);
    if (err != SG_OK)
        return err;
    if (value.len != len)
        return SG_ECORRUPT;
    memcpy(row, value.ptr, len);
    return SG_OK;
}

/* ---- purges ---- */

enum sg_err sge_state_purge(struct sge_state *state, const struct sge_purge *purge, uint64_t *seq)
{
    SG_ASSERT(purge != NULL);
    SG_ASSERT(seq != NULL);
    struct sg_mdb_txn *txn = NULL;
    uint64_t assigned = 0;
    enum sg_err err = sge_write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = sge_purgelog_append(txn, &state->purges, purge, SGE_PURGES_KEPT, &assigned);
    err = sge_write_finish(txn, err);
    if (err == SG_OK)
        *seq = assigned;
    return err;
}

uint64_t sge_state_purge_seq(struct sge_state_reader *reader)
{
    SG_ASSERT(reader != NULL);
    return sge_purgelog_newest(reader->txn, &reader->state->purges);
}

uint32_t sge_state_purges_after(struct sge_state_reader *reader, uint64_t seq,
                                struct sge_purge *out, uint32_t max)
{
    SG_ASSERT(reader != NULL);
    if (sg_mdb_cursor_renew(reader->txn, reader->purges) != SG_OK)
        return 0;
    return sge_purgelog_after(reader->purges, seq, out, max);
}

uint64_t sge_purge_hash(enum sge_purge_scope scope, uint32_t tenant, struct sg_str text)
{
    uint8_t head[5], digest[SG_SHA256_BYTES];
    struct sg_sha256 hash;
    head[0] = (uint8_t)scope;
    sge_be32_put(head + 1, tenant);
    sg_sha256_init(&hash);
    sg_sha256_add(&hash, head, sizeof(head));
    sg_sha256_add(&hash, text.ptr, text.len);
    sg_sha256_final(&hash, digest);
    return sge_be64_get(digest);
}

uint32_t sge_tenant_id(struct sg_str name)
{
    uint8_t digest[SG_SHA256_BYTES];
    sg_sha256(name.ptr, name.len, digest);
    return (uint32_t)(sge_be64_get(digest) >> 32);
}
