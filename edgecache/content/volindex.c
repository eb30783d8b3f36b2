#include "edgecache/content/volindex.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/sys/mdb.h"
#include "edgecache/content/card.h"

#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT  1u
#define TENANTS 64

/* What one tenant takes of the volume. */
struct index_use {
    uint32_t tenant;
    uint32_t objects; /* 0: a free row */
    uint64_t bytes;
};

struct sge_volindex {
    struct sg_mdb *mdb;
    struct sg_mdb_txn *reader;
    struct sg_mdb_txn *writer;   /* open while there are changes */
    uint32_t meta, cards, notes; /* databases */
    uint32_t changes;
    bool reading; /* the reader stands on a snapshot */
    uint8_t hash_key[16];
    struct sge_volhead head;
    struct index_use use[TENANTS];
};

/* The one row of `meta`. */
struct index_meta {
    uint32_t format, zero;
    uint64_t volume;
    uint8_t hash_key[16];
    struct sge_volhead head;
    struct index_use use[TENANTS];
};

static const struct sg_str meta_key = {"volume", 6};

static struct sg_str bytes_of(const void *ptr, size_t len)
{
    return (struct sg_str){ptr, len};
}

/* ---- transactions ---- */

static void index_read_end(struct sge_volindex *index)
{
    if (index->reading)
        sg_mdb_reset(index->reader);
    index->reading = false;
}

static enum sg_err index_write(struct sge_volindex *index)
{
    if (index->writer != NULL)
        return SG_OK;
    index_read_end(index);
    return sg_mdb_write_begin(index->mdb, &index->writer);
}

/* What to read by: the changes not yet committed are seen too. */
static enum sg_err index_read(struct sge_volindex *index, struct sg_mdb_txn **txn)
{
    *txn = index->writer;
    if (*txn != NULL)
        return SG_OK;
    if (!index->reading) {
        enum sg_err err = sg_mdb_renew(index->reader);
        if (err != SG_OK)
            return err;
        index->reading = true;
    }
    *txn = index->reader;
    return SG_OK;
}

static enum sg_err meta_put(struct sge_volindex *index, uint64_t volume)
{
    struct index_meta meta = {.format = FORMAT, .volume = volume, .head = index->head};
    memcpy(meta.hash_key, index->hash_key, sizeof(meta.hash_key));
    memcpy(meta.use, index->use, sizeof(meta.use));
    return sg_mdb_put(index->writer, index->meta, meta_key, bytes_of(&meta, sizeof(meta)));
}

static enum sg_err meta_get(struct sge_volindex *index, struct index_meta *out)
{
    struct sg_mdb_txn *txn;
    struct sg_str value;
    enum sg_err err = index_read(index, &txn);
    if (err == SG_OK)
        err = sg_mdb_get(txn, index->meta, meta_key, &value);
    if (err != SG_OK)
        return err;
    if (value.len != sizeof(*out))
        return SG_EVERSION;
    memcpy(out, value.ptr, sizeof(*out));
    return out->format == FORMAT ? SG_OK : SG_EVERSION;
}

uint32_t sge_volindex_changes(const struct sge_volindex *index)
{
    return index->changes;
}

/* What was counted since the last commit did not happen. */
static void index_undo(struct sge_volindex *index)
{
    struct index_meta meta;
    index->writer = NULL;
    index->changes = 0;
    if (meta_get(index, &meta) == SG_OK)
        memcpy(index->use, meta.use, sizeof(index->use));
}

void sge_volindex_abort(struct sge_volindex *index)
{
    if (index->writer == NULL)
        return;
    sg_mdb_abort(index->writer);
    index_undo(index);
}

enum sg_err sge_volindex_commit(struct sge_volindex *index, const struct sge_volhead *head)
{
    struct index_meta meta;
    struct sge_volhead before = index->head;
    index_read_end(index);
    if (index->writer == NULL)
        return SG_OK;
    enum sg_err err = meta_get(index, &meta);
    index->head = *head;
    if (err == SG_OK)
        err = meta_put(index, meta.volume);
    if (err != SG_OK) {
        index->head = before;
        sge_volindex_abort(index);
        return err;
    }
    err = sg_mdb_commit(index->writer); /* ends it either way */
    index->writer = NULL;
    index->changes = 0;
    if (err != SG_OK) {
        index->head = before;
        index_undo(index);
    }
    return err;
}

/* ---- cards and notes ---- */

struct note_key {
    uint8_t bytes[4 + 16];
};

static struct note_key note_key(uint32_t segment, const uint64_t hash[2])
{
    struct note_key key = {{(uint8_t)(segment >> 24), (uint8_t)(segment >> 16),
                            (uint8_t)(segment >> 8), (uint8_t)segment}};
    memcpy(key.bytes + 4, hash, 16);
    return key;
}

/* The tenant's row, or a free one for it; NULL: there are too many. */
static struct index_use *index_use(struct sge_volindex *index, uint32_t tenant)
{
    struct index_use *unused = NULL;
    for (int i = 0; i < TENANTS; i++) {
        struct index_use *use = &index->use[i];
        if (use->objects > 0 && use->tenant == tenant)
            return use;
        if (use->objects == 0 && unused == NULL)
            unused = use;
    }
    if (unused != NULL)
        *unused = (struct index_use){.tenant = tenant};
    return unused;
}

static void index_account(struct sge_volindex *index, struct sg_str bytes, bool added)
{
    struct sge_card card;
    if (sge_card_parse(bytes.ptr, bytes.len, &card) != SG_OK)
        return;
    struct index_use *use = index_use(index, card.meta.tenant);
    if (use == NULL || (!added && use->objects == 0))
        return; /* it came when there were too many */
    uint64_t taken = sge_card_disk_bytes(&card);
    use->objects += added ? 1 : UINT32_MAX; /* minus one */
    use->bytes = added ? use->bytes + taken : use->bytes - SG_MIN(taken, use->bytes);
}

uint64_t sge_volindex_tenant_bytes(const struct sge_volindex *index, uint32_t tenant)
{
    for (int i = 0; i < TENANTS; i++)
        if (index->use[i].objects > 0 && index->use[i].tenant == tenant)
            return index->use[i].bytes;
    return 0;
}

enum sg_err sge_volindex_get(struct sge_volindex *index, const uint64_t hash[2],
                             struct sg_str *card)
{
    struct sg_mdb_txn *txn;
    enum sg_err err = index_read(index, &txn);
    return err == SG_OK ? sg_mdb_get(txn, index->cards, bytes_of(hash, 16), card) : err;
}

enum sg_err sge_volindex_put(struct sge_volindex *index, const uint64_t hash[2], struct sg_str card)
{
    struct sg_str old;
    enum sg_err err = index_write(index);
    if (err == SG_OK && sge_volindex_get(index, hash, &old) == SG_OK)
        index_account(index, old, false);
    index->changes++;
    index_account(index, card, true);
    return err == SG_OK ? sg_mdb_put(index->writer, index->cards, bytes_of(hash, 16), card) : err;
}

enum sg_err sge_volindex_note(struct sge_volindex *index, uint32_t segment, const uint64_t hash[2])
{
    struct note_key key = note_key(segment, hash);
    enum sg_err err = index_write(index);
    return err == SG_OK ? sg_mdb_put(index->writer, index->notes,
                                     bytes_of(key.bytes, sizeof(key.bytes)), SG_STR(""))
                        : err;
}

enum sg_err sge_volindex_del(struct sge_volindex *index, const uint64_t hash[2])
{
    struct sg_str card;
    enum sg_err err = sge_volindex_get(index, hash, &card);
    if (err == SG_OK)
        err = index_write(index);
    if (err == SG_OK) {
        index->changes++;
        index_account(index, card, false);
        err = sg_mdb_del(index->writer, index->cards, bytes_of(hash, 16));
    }
    return err == SG_ENOENT ? SG_OK : err;
}

/* The first note of `segment` as `txn` sees it; `take`: deletes it. */
static enum sg_err note_first(struct sge_volindex *index, struct sg_mdb_txn *txn, uint32_t segment,
                              bool take, uint64_t hash[2])
{
    static const uint64_t lowest[2] = {0, 0};
    struct note_key from = note_key(segment, lowest);
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str found, value;
    enum sg_err err = sg_mdb_cursor_open(txn, index->notes, &cursor);
    if (err == SG_OK)
        err = sg_mdb_cursor_seek(cursor, bytes_of(from.bytes, sizeof(from.bytes)), &found, &value);
    if (err == SG_OK && (found.len != sizeof(from.bytes) || memcmp(found.ptr, from.bytes, 4) != 0))
        err = SG_ENOENT;
    if (err == SG_OK)
        memcpy(hash, found.ptr + 4, 16);
    if (err == SG_OK && take)
        err = sg_mdb_cursor_del(cursor);
    sg_mdb_cursor_close(cursor);
    return err;
}

enum sg_err sge_volindex_take_note(struct sge_volindex *index, uint32_t segment, uint64_t hash[2])
{
    struct sg_mdb_txn *txn;
    enum sg_err err = index_read(index, &txn);
    if (err == SG_OK && index->writer == NULL) /* no writing, and no writer's lock, for nothing */
        err = note_first(index, txn, segment, false, hash);
    if (err == SG_OK)
        err = index_write(index);
    if (err == SG_OK)
        err = note_first(index, index->writer, segment, true, hash);
    if (err == SG_OK)
        index->changes++;
    return err;
}

/* Within the open write transaction. */
static enum sg_err index_empty(struct sge_volindex *index)
{
    memset(index->use, 0, sizeof(index->use));
    enum sg_err err = sg_mdb_drop(index->writer, index->cards);
    return err == SG_OK ? sg_mdb_drop(index->writer, index->notes) : err;
}

enum sg_err sge_volindex_drop(struct sge_volindex *index)
{
    struct sge_volhead head = index->head;
    sge_volindex_abort(index);
    enum sg_err err = index_write(index);
    if (err == SG_OK)
        err = index_empty(index);
    if (err == SG_OK)
        return sge_volindex_commit(index, &head);
    sge_volindex_abort(index);
    return err;
}

uint64_t sge_volindex_objects(struct sge_volindex *index)
{
    struct sg_mdb_txn *txn;
    return index_read(index, &txn) == SG_OK ? sg_mdb_count(txn, index->cards) : 0;
}

uint64_t sge_volindex_commits(const struct sge_volindex *index)
{
    return sg_mdb_last_txnid(index->mdb);
}

/* ---- a view ---- */

struct sge_volindex_view {
    struct sg_mdb_txn *reader;
    uint32_t cards;
    bool reading;
};

enum sg_err sge_volindex_view_open(struct sge_volindex *index, struct sge_volindex_view **out)
{
    struct sge_volindex_view *view = sg_boot_alloc(sizeof(*view));
    if (view == NULL)
        return SG_ENOMEM;
    view->cards = index->cards;
    enum sg_err err = sg_mdb_reader_open(index->mdb, &view->reader);
    if (err == SG_OK)
        *out = SG_TAKE(view);
    sge_volindex_view_close(view);
    return err;
}

void sge_volindex_view_close(struct sge_volindex_view *view)
{
    if (view == NULL)
        return;
    sg_mdb_reader_close(view->reader);
    sg_boot_free(view);
}

enum sg_err sge_volindex_view_find(struct sge_volindex_view *view, const uint64_t hash[2],
                                   struct sg_str *card)
{
    SG_ASSERT(!view->reading);
    enum sg_err err = sg_mdb_renew(view->reader);
    view->reading = err == SG_OK;
    return err == SG_OK ? sg_mdb_get(view->reader, view->cards, bytes_of(hash, 16), card) : err;
}

uint64_t sge_volindex_view_commit(const struct sge_volindex_view *view)
{
    SG_ASSERT(view->reading);
    return sg_mdb_txnid(view->reader);
}

/* A view that stood still would keep old pages from being used again. */
void sge_volindex_view_end(struct sge_volindex_view *view)
{
    if (view->reading)
        sg_mdb_reset(view->reader);
    view->reading = false;
}

/* ---- what it is ---- */

const uint8_t *sge_volindex_hash_key(const struct sge_volindex *index)
{
    return index->hash_key;
}

struct sge_volhead sge_volindex_head(const struct sge_volindex *index)
{
    return index->head;
}

/* ---- open, close ---- */

static enum sg_err index_make_new(struct sge_volindex *index, uint64_t volume)
{
    if (getrandom(index->hash_key, sizeof(index->hash_key), 0) != sizeof(index->hash_key))
        return SG_EIO;
    index->head = (struct sge_volhead){.body_ids = 1};
    enum sg_err err = index_write(index);
    if (err == SG_OK)
        err = index_empty(index);
    if (err == SG_OK)
        err = meta_put(index, volume);
    return err == SG_OK ? sge_volindex_commit(index, &index->head) : err;
}

static enum sg_err index_take_up(struct sge_volindex *index, uint64_t volume)
{
    struct index_meta meta;
    enum sg_err err = meta_get(index, &meta);
    if (err == SG_OK && meta.volume == volume) {
        memcpy(index->hash_key, meta.hash_key, sizeof(index->hash_key));
        memcpy(index->use, meta.use, sizeof(index->use));
        index->head = meta.head;
        return SG_OK;
    }
    if (err == SG_OK)
        sg_warn("volume: the index belongs to another disk, and is emptied");
    if (err == SG_OK || err == SG_ENOENT || err == SG_EVERSION)
        return index_make_new(index, volume);
    return err;
}

static enum sg_err index_open_mdb(struct sge_volindex *index, const char *dir, uint64_t map_bytes)
{
    struct sg_mdb_conf conf = {.dir = dir,
                               .map_bytes = map_bytes,
                               .readers_max = 4,
                               .dbs_max = 4,
                               .writable = true,
                               .sync = SG_MDB_DURABLE};
    enum sg_err err = sg_mdb_open(&conf, &index->mdb);
    if (err == SG_OK)
        err = sg_mdb_db(index->mdb, "meta", &index->meta);
    if (err == SG_OK)
        err = sg_mdb_db(index->mdb, "cards", &index->cards);
    if (err == SG_OK)
        err = sg_mdb_db(index->mdb, "notes", &index->notes);
    return err == SG_OK ? sg_mdb_reader_open(index->mdb, &index->reader) : err;
}

static void index_close_mdb(struct sge_volindex *index)
{
    sge_volindex_abort(index);
    if (index->reader != NULL)
        sg_mdb_reader_close(index->reader);
    sg_mdb_close(index->mdb);
    index->reader = NULL;
    index->mdb = NULL;
    index->reading = false;
}

/* What can't be read is put aside: it can be made anew. */
static void index_discard(const char *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[PATH_MAX + 16];
    for (size_t i = 0; i < SG_COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
}

enum sg_err sge_volindex_open(const char *parent, uint64_t map_bytes, uint64_t volume,
                              struct sge_volindex **out)
{
    char dir[PATH_MAX];
    SG_ASSERT(parent != NULL);
    SG_ASSERT(out != NULL);
    if (mkdir(parent, 0750) != 0 && errno != EEXIST)
        return sg_err_from_errno(errno);
    if (snprintf(dir, sizeof(dir), "%s/content", parent) >= (int)sizeof(dir))
        return SG_EINVAL;
    struct sge_volindex *index = sg_boot_alloc(sizeof(*index));
    if (index == NULL)
        return SG_ENOMEM;
    enum sg_err err = index_open_mdb(index, dir, map_bytes);
    if (err == SG_OK)
        err = index_take_up(index, volume);
    if (err == SG_ECORRUPT || err == SG_EVERSION) {
        sg_error("volume: the index in %s can't be read (%s) and is made anew", dir,
                 sg_err_text(err));
        index_close_mdb(index);
        index_discard(dir);
        err = index_open_mdb(index, dir, map_bytes);
        if (err == SG_OK)
            err = index_take_up(index, volume);
    }
    if (err != SG_OK) {
        index_close_mdb(index);
        sg_boot_free(index);
        return err;
    }
    *out = index;
    return SG_OK;
}

void sge_volindex_close(struct sge_volindex *index)
{
    if (index == NULL)
        return;
    index_close_mdb(index);
    sg_boot_free(index);
}
