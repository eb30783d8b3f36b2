/* The values of the store: the newest of each key, found by key and in the order of changes. */
#include "base/alloc.h"
#include "controlplane/bus/storage.h"
#include "edgecache/state/bytes.h"

struct bucket_row {
    uint64_t revision;
    uint32_t number, unused;
};
struct value_row {
    uint64_t revision;
    uint8_t deleted;
} __attribute__((packed));
_Static_assert(sizeof(struct bucket_row) == 16 && sizeof(struct value_row) == 9, "format on disk");

enum sg_err sgc_store_bucket(struct sgc_store *store, const char *bucket)
{
    struct bucket_row row = {0};
    struct sg_mdb_txn *txn = NULL;
    struct sg_str name = sg_str_from(bucket);
    enum sg_err err = sg_mdb_write_begin(store->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = sgc_store_row_get(txn, store->buckets, name, &row, sizeof(row));
    if (err == SG_ENOENT) {
        err = sgc_store_number_next(store, txn, &row.number);
        if (err == SG_OK)
            err = sg_mdb_put(txn, store->buckets, name, sge_bytes(&row, sizeof(row)));
    }
    return sgc_store_finish(txn, err);
}

#define VALUE_KEY_BYTES_MAX (4 + SGC_SUBJECT_BYTES_MAX)

static struct sg_str value_key(uint8_t bytes[VALUE_KEY_BYTES_MAX], uint32_t bucket,
                               struct sg_str key)
{
    SG_ASSERT(key.len <= SGC_SUBJECT_BYTES_MAX);
    sge_be32_put(bytes, bucket);
    memcpy(bytes + 4, key.ptr, key.len);
    return sge_bytes(bytes, 4 + key.len);
}

static enum sg_err value_find(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t bucket,
                              struct sg_str key, struct value_row *row, struct sg_str *value)
{
    uint8_t bytes[VALUE_KEY_BYTES_MAX];
    enum sg_err err = sg_mdb_get(txn, store->values, value_key(bytes, bucket, key), value);
    if (err != SG_OK)
        return err;
    if (value->len < sizeof(*row))
        return SG_ECORRUPT;
    memcpy(row, value->ptr, sizeof(*row));
    *value = (struct sg_str){value->ptr + sizeof(*row), value->len - sizeof(*row)};
    return SG_OK;
}

static enum sg_err value_read(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t bucket,
                              struct sg_str key, struct sgc_found *found)
{
    struct value_row row;
    struct sg_str value;
    enum sg_err err = value_find(store, txn, bucket, key, &row, &value);
    if (err == SG_OK)
        err = sgc_store_found_put(found, key, value);
    if (err != SG_OK)
        return err;
    found->seq = row.revision;
    found->at_ns = 0;
    if (row.deleted)
        found->data = SG_STR_NONE;
    return SG_OK;
}

enum sg_err sgc_store_get(struct sgc_store *store, const char *bucket, const char *key,
                          struct sgc_found *found)
{
    struct bucket_row row;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sgc_store_read_begin(store, &txn);
    if (err != SG_OK)
        return err;
    err = sgc_store_row_get(txn, store->buckets, sg_str_from(bucket), &row, sizeof(row));
    if (err == SG_OK)
        err = value_read(store, txn, row.number, sg_str_from(key), found);
    sg_mdb_reader_close(txn);
    return err == SG_OK && found->data.ptr == NULL ? SG_ENOENT : err;
}

static enum sg_err value_write(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t bucket,
                               struct sg_str key, uint64_t revision, struct sg_str value)
{
    const struct value_row row = {.revision = revision, .deleted = value.ptr == NULL};
    uint8_t key_bytes[VALUE_KEY_BYTES_MAX];
    size_t cap = sizeof(row) + value.len;
    char *bytes = sg_boot_alloc(cap);
    if (bytes == NULL)
        return SG_ENOMEM;
    struct sg_out out = sg_out_init(bytes, cap);
    sg_out_bytes(&out, &row, sizeof(row));
    sg_out_str(&out, value);
    enum sg_err err =
        sg_mdb_put(txn, store->values, value_key(key_bytes, bucket, key), sg_out_view(&out));
    sg_boot_free(bytes);
    return err;
}

/* Moves `key` in the order of changes from revision `was` (0: it is new) to `is`. */
static enum sg_err change_move(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t bucket,
                               struct sg_str key, uint64_t was, uint64_t is)
{
    uint8_t bytes[SGC_STORE_KEY_BYTES];
    enum sg_err err = SG_OK;
    if (was != 0)
        err = sg_mdb_del(txn, store->changes, sgc_store_key(bytes, bucket, was));
    return err != SG_OK ? err
                        : sg_mdb_put(txn, store->changes, sgc_store_key(bytes, bucket, is), key);
}

/* Whether what is there (`err` of its look-up) is what `expected` says. */
static enum sg_err swap_check(enum sg_err err, const struct value_row *row, uint64_t expected)
{
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    if (expected == SGC_ANY)
        return SG_OK;
    uint64_t there = err == SG_ENOENT || row->deleted ? 0 : row->revision;
    return there == expected ? SG_OK : SG_ESTALE;
}

static enum sg_err put(struct sgc_store *store, struct sg_mdb_txn *txn, struct bucket_row *bucket,
                       struct sg_str key, uint64_t expected, struct sg_str value)
{
    struct value_row was = {0};
    struct sg_str old;
    enum sg_err err = value_find(store, txn, bucket->number, key, &was, &old);
    err = swap_check(err, &was, expected);
    if (err != SG_OK)
        return err;
    bucket->revision++;
    err = value_write(store, txn, bucket->number, key, bucket->revision, value);
    return err != SG_OK
               ? err
               : change_move(store, txn, bucket->number, key, was.revision, bucket->revision);
}

enum sg_err sgc_store_put(struct sgc_store *store, const char *bucket, const char *key,
                          uint64_t expected, struct sg_str value, uint64_t *revision)
{
    struct bucket_row row;
    struct sg_str name = sg_str_from(bucket);
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sg_mdb_write_begin(store->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = sgc_store_row_get(txn, store->buckets, name, &row, sizeof(row));
    if (err == SG_OK)
        err = put(store, txn, &row, sg_str_from(key), expected, value);
    if (err == SG_OK)
        err = sg_mdb_put(txn, store->buckets, name, sge_bytes(&row, sizeof(row)));
    err = sgc_store_finish(txn, err);
    if (err == SG_OK)
        *revision = row.revision;
    return err;
}

static enum sg_err changed_in(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t bucket,
                              const char *filter, uint64_t after, struct sgc_found *found)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str at, key;
    uint8_t bytes[SGC_STORE_KEY_BYTES];
    enum sg_err err = sg_mdb_cursor_open(txn, store->changes, &cursor);
    if (err != SG_OK)
        return err;
    err = sg_mdb_cursor_seek(cursor, sgc_store_key(bytes, bucket, after + 1), &at, &key);
    while (err == SG_OK) {
        if (at.len != SGC_STORE_KEY_BYTES || memcmp(at.ptr, bytes, 4) != 0)
            err = SG_ENOENT;
        else if (sgc_subject_matches(sg_str_from(filter), key))
            break;
        else
            err = sg_mdb_cursor_next(cursor, &at, &key);
    }
    if (err == SG_OK)
        err = value_read(store, txn, bucket, key, found);
    sg_mdb_cursor_close(cursor);
    return err;
}

enum sg_err sgc_store_changed(struct sgc_store *store, const char *bucket, const char *filter,
                              uint64_t after, struct sgc_found *found)
{
    struct bucket_row row;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sgc_store_read_begin(store, &txn);
    if (err != SG_OK)
        return err;
    err = sgc_store_row_get(txn, store->buckets, sg_str_from(bucket), &row, sizeof(row));
    if (err == SG_OK)
        err = changed_in(store, txn, row.number, filter, after, found);
    sg_mdb_reader_close(txn);
    return err;
}
