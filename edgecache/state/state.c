/* The state on disk, format 1: an LMDB environment in DIR/state of these databases (numbers in keys
 * big-endian, in values little-endian unless they say otherwise), and beside it the file `fed`.
 *   about        "format" -> u32; "generation" -> u64, the last one assigned
 *   purges, purge_folds, purge_marks: purgelog.c
 *   facts        fact key u64 -> struct fact_row
 *   ctis         tenant u32, cti 16 B -> until_ns u64
 *   cti_ends     until_ns u64, tenant u32, cti 16 B -> nothing: what may be forgotten first
 *   index_bits   tenant u32, index / 2048 u32 -> a bitmap of 256 B
 *   tenants      tenant u32 -> struct tenant_row
 *   fed          8 bytes, Unix ns: a mapped file, since a word every few seconds is worth no sync:
 *                what a power cut loses of it makes the knowledge look older, never newer */
#include "edgecache/state/state.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/sys/crypto.h"
#include "edgecache/state/bytes.h"
#include "edgecache/state/purgelog.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT            1u
#define MAP_BYTES         (1ull << 30)
#define READERS_MAX       256
#define INDEX_CHUNK_BITS  2048u
#define CTI_FORGET_AT_ONE 8     /* how many ended revocations one new one clears away */
#define CTI_FORGET_AFTER  86400 /* seconds past their end: clocks differ */
#define FED_FILE_BYTES    sizeof(uint64_t)

struct fact_row {
    uint64_t generation, block, changed_ns;
    uint8_t owner_head[32], owner_safe[32];
};
struct tenant_row {
    uint32_t epoch_min, rule_version;
};
_Static_assert(sizeof(struct fact_row) == 88 && sizeof(struct tenant_row) == 8, "format on disk");

struct sge_state {
    struct sg_mdb *mdb;
    struct sge_purgelog purges;
    uint32_t about, facts, ctis, cti_ends, index_bits, tenants; /* databases */
    _Atomic uint64_t *fed;
    bool writable;
    enum sg_err locked;
};

struct sge_state_reader {
    const struct sge_state *state;
    struct sg_mdb_txn *txn;
    struct sg_mdb_cursor *purges;
};

/* ---- opening ---- */

static enum sg_err fed_open(struct sge_state *state, const char *folder, bool writable)
{
    char path[4096];
    struct stat st;
    enum sg_err err = SG_OK;
    if (snprintf(path, sizeof(path), "%s/fed", folder) >= (int)sizeof(path))
        return SG_EINVAL;
    int fd = open(path, (writable ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0640);
    if (fd < 0)
        return sg_err_from_errno(errno);
    if (writable && ftruncate(fd, FED_FILE_BYTES) != 0)
        err = sg_err_from_errno(errno);
    else if (fstat(fd, &st) != 0 || st.st_size < (off_t)FED_FILE_BYTES)
        err = SG_ECORRUPT; /* a load from beyond its end would be a signal */
    void *map = err != SG_OK ? MAP_FAILED
                             : mmap(NULL, FED_FILE_BYTES, PROT_READ | (writable ? PROT_WRITE : 0),
                                    MAP_SHARED | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED && err == SG_OK)
        err = sg_err_from_errno(errno);
    if (map != MAP_FAILED)
        state->fed = map;
    close(fd);
    return err;
}

static enum sg_err dbs_open(struct sge_state *state)
{
    const struct {
        const char *name;
        uint32_t *db;
    } dbs[] = {
        {"about", &state->about},
        {"facts", &state->facts},
        {"ctis", &state->ctis},
        {"cti_ends", &state->cti_ends},
        {"index_bits", &state->index_bits},
        {"tenants", &state->tenants},
    };
    enum sg_err err = sge_purgelog_init(state->mdb, &state->purges);
    for (size_t i = 0; err == SG_OK && i < SG_COUNT(dbs); i++)
        err = sg_mdb_db(state->mdb, dbs[i].name, dbs[i].db);
    return err;
}

static enum sg_err format_check(struct sge_state *state, struct sg_mdb_txn *txn)
{
    uint32_t format;
    struct sg_str value;
    enum sg_err err = sg_mdb_get(txn, state->about, SG_STR("format"), &value);
    if (err != SG_OK)
        return err;
    if (value.len != sizeof(format))
        return SG_ECORRUPT;
    memcpy(&format, value.ptr, sizeof(format));
    return format == FORMAT ? SG_OK : SG_EVERSION;
}

/* A new environment gets its format; an older one is read by it. */
static enum sg_err format_open(struct sge_state *state, bool writable)
{
    const uint32_t format = FORMAT;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = SG_OK;
    if (!writable) {
        err = sg_mdb_reader_open(state->mdb, &txn);
        if (err == SG_OK)
            err = sg_mdb_renew(txn);
        if (err == SG_OK)
            err = format_check(state, txn);
        sg_mdb_reader_close(txn);
        return err;
    }
    err = sg_mdb_write_begin(state->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = format_check(state, txn);
    if (err != SG_ENOENT) {
        sg_mdb_abort(txn);
        return err;
    }
    err = sg_mdb_put(txn, state->about, SG_STR("format"), sge_bytes(&format, sizeof(format)));
    if (err == SG_OK)
        return sg_mdb_commit(txn);
    sg_mdb_abort(txn);
    return err;
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
    enum sg_err err = SG_OK;
    if (writable && ((mkdir(dir, 0750) != 0 && errno != EEXIST) ||
                     (mkdir(folder, 0750) != 0 && errno != EEXIST)))
        err = sg_err_from_errno(errno);
    if (err == SG_OK)
        err = fed_open(state, folder, writable); /* first: who finds the rest finds it too */
    if (err == SG_OK)
        err = sg_mdb_open(&conf, &state->mdb);
    if (err == SG_OK)
        err = dbs_open(state);
    if (err == SG_OK)
        err = format_open(state, writable);
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

static enum sg_err write_begin(struct sge_state *state, struct sg_mdb_txn **txn)
{
    SG_ASSERT(state != NULL);
    return sg_mdb_write_begin(state->mdb, txn);
}

/* Commits where all went well so far; what is not committed never was. */
static enum sg_err write_finish(struct sg_mdb_txn *txn, enum sg_err err)
{
    if (err == SG_OK)
        return sg_mdb_commit(txn);
    sg_mdb_abort(txn);
    return err;
}

/* Reads a row of exactly `len` bytes. SG_ENOENT leaves *row. */
static enum sg_err row_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key, void *row,
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
    enum sg_err err = write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = sge_purgelog_append(txn, &state->purges, purge, SGE_PURGES_KEPT, &assigned);
    err = write_finish(txn, err);
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

/* ---- facts ---- */

enum sg_err sge_state_fact(struct sge_state_reader *reader, uint64_t fact_key, struct sge_fact *out)
{
    SG_ASSERT(reader != NULL);
    SG_ASSERT(out != NULL);
    struct fact_row row;
    uint8_t key[8];
    sge_be64_put(key, fact_key);
    enum sg_err err =
        row_get(reader->txn, reader->state->facts, sge_bytes(key, sizeof(key)), &row, sizeof(row));
    if (err != SG_OK)
        return err;
    out->generation = row.generation;
    out->block = row.block;
    out->changed_ns = row.changed_ns;
    memcpy(out->owner_head, row.owner_head, sizeof(row.owner_head));
    memcpy(out->owner_safe, row.owner_safe, sizeof(row.owner_safe));
    return SG_OK;
}

/* Never used again, whatever happens to the fact: a counter of the whole state. */
static enum sg_err generation_next(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t *out)
{
    const struct sg_str name = SG_STR("generation");
    uint64_t last = 0;
    enum sg_err err = row_get(txn, state->about, name, &last, sizeof(last));
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    last++;
    err = sg_mdb_put(txn, state->about, name, sge_bytes(&last, sizeof(last)));
    if (err == SG_OK)
        *out = last;
    return err;
}

enum sg_err sge_state_fact_set(struct sge_state *state, uint64_t fact_key,
                               const uint8_t owner_head[32], const uint8_t owner_safe[32],
                               uint64_t block, uint64_t *generation)
{
    SG_ASSERT(owner_head != NULL && owner_safe != NULL);
    SG_ASSERT(generation != NULL);
    struct sg_mdb_txn *txn = NULL;
    struct fact_row row = {0};
    uint8_t bytes[8];
    struct sg_str key = sge_bytes(bytes, sizeof(bytes));
    sge_be64_put(bytes, fact_key);
    enum sg_err err = write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = row_get(txn, state->facts, key, &row, sizeof(row));
    bool changed = err == SG_ENOENT || memcmp(row.owner_head, owner_head, 32) != 0;
    if (err == SG_ENOENT)
        err = SG_OK;
    if (err == SG_OK && changed) {
        row.changed_ns = sg_clock_wall_ns();
        err = generation_next(state, txn, &row.generation);
    }
    row.block = block;
    memcpy(row.owner_head, owner_head, 32);
    memcpy(row.owner_safe, owner_safe, 32);
    if (err == SG_OK)
        err = sg_mdb_put(txn, state->facts, key, sge_bytes(&row, sizeof(row)));
    err = write_finish(txn, err);
    if (err == SG_OK)
        *generation = row.generation;
    return err;
}

/* ---- tenants: lowest epoch, rule version ---- */

static enum sg_err tenant_get(struct sg_mdb_txn *txn, const struct sge_state *state,
                              uint32_t tenant, struct tenant_row *row)
{
    uint8_t key[4];
    sge_be32_put(key, tenant);
    *row = (struct tenant_row){0};
    enum sg_err err = row_get(txn, state->tenants, sge_bytes(key, sizeof(key)), row, sizeof(*row));
    return err == SG_ENOENT ? SG_OK : err;
}

uint32_t sge_state_epoch_min(struct sge_state_reader *reader, uint32_t tenant)
{
    struct tenant_row row;
    SG_ASSERT(reader != NULL);
    enum sg_err err = tenant_get(reader->txn, reader->state, tenant, &row);
    return err == SG_OK ? row.epoch_min : UINT32_MAX;
}

uint32_t sge_state_rule_version(struct sge_state_reader *reader, uint32_t tenant)
{
    struct tenant_row row;
    SG_ASSERT(reader != NULL);
    enum sg_err err = tenant_get(reader->txn, reader->state, tenant, &row);
    return err == SG_OK ? row.rule_version : UINT32_MAX;
}

/* Raises one number of a tenant's row, found at `offset` in it. */
static enum sg_err tenant_raise(struct sge_state *state, uint32_t tenant, size_t offset, uint32_t v)
{
    struct sg_mdb_txn *txn = NULL;
    struct tenant_row row;
    uint8_t key[4];
    sge_be32_put(key, tenant);
    enum sg_err err = write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = tenant_get(txn, state, tenant, &row);
    uint32_t *number = (uint32_t *)(void *)((uint8_t *)&row + offset);
    if (err == SG_OK && v <= *number)
        err = SG_ERANGE;
    *number = v;
    if (err == SG_OK)
        err = sg_mdb_put(txn, state->tenants, sge_bytes(key, sizeof(key)),
                         sge_bytes(&row, sizeof(row)));
    return write_finish(txn, err);
}

enum sg_err sge_state_raise_epoch(struct sge_state *state, uint32_t tenant, uint32_t epoch)
{
    return tenant_raise(state, tenant, offsetof(struct tenant_row, epoch_min), epoch);
}

enum sg_err sge_state_raise_rule(struct sge_state *state, uint32_t tenant, uint32_t version)
{
    return tenant_raise(state, tenant, offsetof(struct tenant_row, rule_version), version);
}

/* ---- revocations ---- */

#define CTI_KEY_BYTES (4 + 16)
#define CTI_END_BYTES (8 + CTI_KEY_BYTES)

static void cti_key(uint8_t key[CTI_KEY_BYTES], uint32_t tenant, const uint8_t cti[16])
{
    sge_be32_put(key, tenant);
    memcpy(key + 4, cti, 16);
}

bool sge_state_cti_revoked(struct sge_state_reader *reader, uint32_t tenant, const uint8_t cti[16])
{
    uint8_t key[CTI_KEY_BYTES];
    struct sg_str value;
    SG_ASSERT(reader != NULL);
    cti_key(key, tenant, cti);
    enum sg_err err =
        sg_mdb_get(reader->txn, reader->state->ctis, sge_bytes(key, sizeof(key)), &value);
    return err != SG_ENOENT;
}

static void cti_end(uint8_t end[CTI_END_BYTES], uint64_t until_ns, const uint8_t key[CTI_KEY_BYTES])
{
    sge_be64_put(end, until_ns);
    memcpy(end + 8, key, CTI_KEY_BYTES);
}

/* Forgets a few of those whose token has long expired anyway. */
static enum sg_err ctis_forget(struct sge_state *state, struct sg_mdb_txn *txn, uint64_t now_ns)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str end, nothing;
    enum sg_err err = sg_mdb_cursor_open(txn, state->cti_ends, &cursor);
    if (err != SG_OK)
        return err;
    for (int i = 0; i < CTI_FORGET_AT_ONE; i++) {
        err = sg_mdb_cursor_seek(cursor, SG_STR_NONE, &end, &nothing);
        if (err != SG_OK || end.len != CTI_END_BYTES ||
            sge_be64_get(end.ptr) >= now_ns - SG_MIN(now_ns, CTI_FORGET_AFTER * SG_NS_PER_SEC))
            break;
        err = sg_mdb_del(txn, state->ctis, sge_bytes(end.ptr + 8, CTI_KEY_BYTES));
        if (err == SG_OK || err == SG_ENOENT)
            err = sg_mdb_cursor_del(cursor);
        if (err != SG_OK)
            break;
    }
    sg_mdb_cursor_close(cursor);
    return err == SG_ENOENT ? SG_OK : err;
}

/* A cti revoked again keeps the later end. */
static enum sg_err cti_put(struct sge_state *state, struct sg_mdb_txn *txn,
                           const uint8_t key[CTI_KEY_BYTES], uint64_t until_ns)
{
    uint8_t end[CTI_END_BYTES];
    uint64_t before = 0;
    struct sg_str row = sge_bytes(key, CTI_KEY_BYTES);
    enum sg_err err = row_get(txn, state->ctis, row, &before, sizeof(before));
    if (err == SG_OK && before >= until_ns)
        return SG_OK;
    if (err == SG_OK) {
        cti_end(end, before, key);
        err = sg_mdb_del(txn, state->cti_ends, sge_bytes(end, sizeof(end)));
    }
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    cti_end(end, until_ns, key);
    err = sg_mdb_put(txn, state->cti_ends, sge_bytes(end, sizeof(end)), SG_STR(""));
    return err != SG_OK ? err
                        : sg_mdb_put(txn, state->ctis, row, sge_bytes(&until_ns, sizeof(until_ns)));
}

enum sg_err sge_state_revoke_cti(struct sge_state *state, uint32_t tenant, const uint8_t cti[16],
                                 uint64_t until_ns)
{
    SG_ASSERT(cti != NULL);
    struct sg_mdb_txn *txn = NULL;
    uint8_t key[CTI_KEY_BYTES];
    cti_key(key, tenant, cti);
    enum sg_err err = write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = ctis_forget(state, txn, sg_clock_wall_ns());
    if (err == SG_OK)
        err = cti_put(state, txn, key, until_ns);
    return write_finish(txn, err);
}

static void index_key(uint8_t key[8], uint32_t tenant, uint32_t index)
{
    sge_be32_put(key, tenant);
    sge_be32_put(key + 4, index / INDEX_CHUNK_BITS);
}

bool sge_state_index_revoked(struct sge_state_reader *reader, uint32_t tenant, uint32_t index)
{
    uint8_t key[8];
    struct sg_str bits;
    SG_ASSERT(reader != NULL);
    index_key(key, tenant, index);
    enum sg_err err =
        sg_mdb_get(reader->txn, reader->state->index_bits, sge_bytes(key, sizeof(key)), &bits);
    if (err != SG_OK || bits.len != INDEX_CHUNK_BITS / 8)
        return err != SG_ENOENT;
    uint32_t bit = index % INDEX_CHUNK_BITS;
    return ((uint8_t)bits.ptr[bit / 8] & SG_BIT(bit % 8)) != 0;
}

enum sg_err sge_state_revoke_index(struct sge_state *state, uint32_t tenant, uint32_t index)
{
    struct sg_mdb_txn *txn = NULL;
    uint8_t key[8], bits[INDEX_CHUNK_BITS / 8] = {0};
    uint32_t bit = index % INDEX_CHUNK_BITS;
    index_key(key, tenant, index);
    enum sg_err err = write_begin(state, &txn);
    if (err != SG_OK)
        return err;
    err = row_get(txn, state->index_bits, sge_bytes(key, sizeof(key)), bits, sizeof(bits));
    bits[bit / 8] |= (uint8_t)SG_BIT(bit % 8);
    if (err == SG_OK || err == SG_ENOENT)
        err = sg_mdb_put(txn, state->index_bits, sge_bytes(key, sizeof(key)),
                         sge_bytes(bits, sizeof(bits)));
    return write_finish(txn, err);
}
