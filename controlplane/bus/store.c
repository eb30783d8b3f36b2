/* On disk, format 1 (numbers in keys big-endian, in values little-endian):
 *   about      "format" -> u32; "numbers" -> u32, streams and buckets made so far
 *   streams    name -> struct stream_row, subjects
 *   messages   stream u32, seq u64 -> struct message_row, subject, data
 *   ids        stream u32, the first 16 B of SHA-256(id) -> seq u64, at_ns u64
 *   id_ends    stream u32, at_ns u64, 16 B as above -> nothing: what is forgotten first
 *   positions  stream u32, durable -> seq u64
 *   buckets    name -> struct bucket_row
 *   values     bucket u32, key -> revision u64, deleted u8, value
 *   changes    bucket u32, revision u64 -> key: each key once, under its newest revision */
#include "controlplane/bus/storage.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "edgecache/state/bytes.h"

#define FORMAT      1u
#define MAP_BYTES   (1ull << 34)
#define READERS_MAX 512
#define FOUND_BYTES 4096

/* ---- opening ---- */

/* A row of exactly `len` bytes. SG_ENOENT leaves *row. */
enum sg_err sgc_store_row_get(struct sg_mdb_txn *txn, uint32_t db, struct sg_str key, void *row,
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

/* Commits where all went well so far; what is not committed never was. */
enum sg_err sgc_store_finish(struct sg_mdb_txn *txn, enum sg_err err)
{
    if (err == SG_OK)
        return sg_mdb_commit(txn);
    sg_mdb_abort(txn);
    return err;
}

static enum sg_err format_check(struct sgc_store *store)
{
    struct sg_mdb_txn *txn = NULL;
    uint32_t format = 0;
    enum sg_err err = sg_mdb_write_begin(store->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = sgc_store_row_get(txn, store->about, SG_STR("format"), &format, sizeof(format));
    if (err == SG_ENOENT) {
        format = FORMAT;
        err = sg_mdb_put(txn, store->about, SG_STR("format"), sge_bytes(&format, sizeof(format)));
    }
    if (err == SG_OK && format != FORMAT)
        err = SG_EVERSION;
    return sgc_store_finish(txn, err);
}

static enum sg_err dbs_open(struct sgc_store *store)
{
    const struct {
        const char *name;
        uint32_t *db;
    } dbs[] = {
        {"about", &store->about},       {"streams", &store->streams},
        {"messages", &store->messages}, {"ids", &store->ids},
        {"id_ends", &store->id_ends},   {"positions", &store->positions},
        {"buckets", &store->buckets},   {"values", &store->values},
        {"changes", &store->changes},
    };
    enum sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < SG_COUNT(dbs); i++)
        err = sg_mdb_db(store->mdb, dbs[i].name, dbs[i].db);
    return err;
}

enum sg_err sgc_store_open(const char *dir, struct sgc_store **out)
{
    SG_ASSERT(dir != NULL && out != NULL);
    const struct sg_mdb_conf conf = {.dir = dir,
                                     .map_bytes = MAP_BYTES,
                                     .readers_max = READERS_MAX,
                                     .dbs_max = 16,
                                     .writable = true,
                                     .sync = SG_MDB_DURABLE};
    struct sgc_store *store = sg_boot_alloc(sizeof(*store));
    if (store == NULL)
        return SG_ENOMEM;
    enum sg_err err = sg_mdb_open(&conf, &store->mdb);
    if (err == SG_OK)
        err = dbs_open(store);
    if (err == SG_OK)
        err = format_check(store);
    if (err == SG_OK)
        *out = SG_TAKE(store);
    sgc_store_close(store);
    return err;
}

void sgc_store_close(struct sgc_store *store)
{
    if (store == NULL)
        return;
    sg_mdb_close(store->mdb);
    sg_boot_free(store);
}

enum sg_err sgc_store_read_begin(struct sgc_store *store, struct sg_mdb_txn **txn)
{
    enum sg_err err = sg_mdb_reader_open(store->mdb, txn);
    if (err != SG_OK)
        return err;
    err = sg_mdb_renew(*txn);
    if (err != SG_OK)
        sg_mdb_reader_close(*txn);
    return err;
}

/* A number for a new stream or bucket. */
enum sg_err sgc_store_number_next(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t *out)
{
    uint32_t last = 0;
    enum sg_err err = sgc_store_row_get(txn, store->about, SG_STR("numbers"), &last, sizeof(last));
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    *out = ++last;
    return sg_mdb_put(txn, store->about, SG_STR("numbers"), sge_bytes(&last, sizeof(last)));
}

/* Grown to `bytes`, without what was in it. */
static enum sg_err found_room(struct sgc_found *found, size_t bytes)
{
    if (bytes <= found->cap)
        return SG_OK;
    size_t cap = SG_MAX(bytes, (size_t)FOUND_BYTES);
    char *memory = sg_boot_alloc(cap);
    if (memory == NULL)
        return SG_ENOMEM;
    sg_boot_free(found->memory);
    found->memory = memory;
    found->cap = cap;
    return SG_OK;
}

enum sg_err sgc_store_found_put(struct sgc_found *found, struct sg_str subject, struct sg_str data)
{
    enum sg_err err = found_room(found, subject.len + 1 + data.len);
    if (err != SG_OK)
        return err;
    memcpy(found->memory, subject.ptr, subject.len);
    found->memory[subject.len] = '\0'; /* for those who want it as a C string */
    if (data.len > 0)
        memcpy(found->memory + subject.len + 1, data.ptr, data.len);
    found->subject = (struct sg_str){found->memory, subject.len};
    found->data = (struct sg_str){found->memory + subject.len + 1, data.len};
    return SG_OK;
}

#define SGC_STORE_KEY_BYTES 12
struct sg_str sgc_store_key(uint8_t key[SGC_STORE_KEY_BYTES], uint32_t stream, uint64_t seq)
{
    sge_be32_put(key, stream);
    sge_be64_put(key + 4, seq);
    return sge_bytes(key, SGC_STORE_KEY_BYTES);
}
