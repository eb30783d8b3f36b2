/* The streams of the store: messages, ids, durables' positions. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/sys/crypto.h"
#include "controlplane/bus/storage.h"
#include "edgecache/state/bytes.h"

#define DEDUP_S       120
#define FORGET_AT_ONE 16  /* ids that one append clears away */
#define TRIM_AT_ONE   256 /* messages */
#define ID_BYTES      16

struct stream_row {
    uint64_t first, last, bytes, made_ns;
    uint64_t messages_max, bytes_max;
    uint32_t age_s_max, dedup_s, number, unused;
};
struct message_row {
    uint64_t at_ns;
    uint32_t subject_len;
} __attribute__((packed));
struct id_row {
    uint64_t seq, at_ns;
};
_Static_assert(sizeof(struct stream_row) == 64 && sizeof(struct message_row) == 12 &&
                   sizeof(struct id_row) == 16,
               "format on disk");

static enum sg_err stream_get(struct sgc_store *store, struct sg_mdb_txn *txn, struct sg_str name,
                              struct stream_row *row, struct sg_str *subjects)
{
    struct sg_str value;
    enum sg_err err = sg_mdb_get(txn, store->streams, name, &value);
    if (err != SG_OK)
        return err;
    if (value.len < sizeof(*row))
        return SG_ECORRUPT;
    memcpy(row, value.ptr, sizeof(*row));
    *subjects = sg_str_skip(value, sizeof(*row));
    return SG_OK;
}

static enum sg_err stream_put(struct sgc_store *store, struct sg_mdb_txn *txn, struct sg_str name,
                              const struct stream_row *row, struct sg_str subjects)
{
    char bytes[sizeof(*row) + SGC_SUBJECTS_BYTES_MAX];
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    sg_out_bytes(&out, row, sizeof(*row));
    sg_out_str(&out, subjects);
    return out.full ? SG_ECORRUPT : sg_mdb_put(txn, store->streams, name, sg_out_view(&out));
}

enum sg_err sgc_store_stream(struct sgc_store *store, const struct sgc_stream_options *options)
{
    struct sg_str name = sg_str_from(options->name), wanted = sg_str_from(options->subjects), was;
    struct stream_row row = {.first = 1, .made_ns = sg_clock_wall_ns()};
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sg_mdb_write_begin(store->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = stream_get(store, txn, name, &row, &was);
    if (err == SG_OK && !sg_str_eq(was, wanted))
        err = SG_EEXIST;
    if (err == SG_ENOENT)
        err = sgc_store_number_next(store, txn, &row.number);
    row.messages_max = options->messages_max;
    row.bytes_max = options->bytes_max;
    row.age_s_max = options->age_s_max;
    row.dedup_s = options->dedup_s != 0 ? options->dedup_s : DEDUP_S;
    if (err == SG_OK)
        err = stream_put(store, txn, name, &row, wanted);
    return sgc_store_finish(txn, err);
}

/* Which stream takes `subject`; its name and filters are written to the caller's memory. */
struct stream_at {
    char name[SGC_NAME_BYTES_MAX + 1], subjects[SGC_SUBJECTS_BYTES_MAX];
    struct sg_str name_str, subjects_str;
    struct stream_row row;
};

static bool takes(struct sg_str filters, struct sg_str subject)
{
    struct sg_str filter;
    while (sgc_filters_next(&filters, &filter))
        if (sgc_subject_matches(filter, subject))
            return true;
    return false;
}

static enum sg_err stream_at_put(struct stream_at *at, struct sg_str name, struct sg_str value)
{
    size_t subjects_len = value.len - sizeof(at->row);
    if (name.len > sizeof(at->name) || subjects_len > sizeof(at->subjects))
        return SG_ECORRUPT;
    memcpy(&at->row, value.ptr, sizeof(at->row));
    memcpy(at->name, name.ptr, name.len);
    memcpy(at->subjects, value.ptr + sizeof(at->row), subjects_len);
    at->name_str = (struct sg_str){at->name, name.len};
    at->subjects_str = (struct sg_str){at->subjects, subjects_len};
    return SG_OK;
}

static enum sg_err stream_taking(struct sgc_store *store, struct sg_mdb_txn *txn,
                                 struct sg_str subject, struct stream_at *at)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str name, value;
    enum sg_err err = sg_mdb_cursor_open(txn, store->streams, &cursor);
    if (err != SG_OK)
        return err;
    for (err = sg_mdb_cursor_seek(cursor, SG_STR_NONE, &name, &value); err == SG_OK;
         err = sg_mdb_cursor_next(cursor, &name, &value)) {
        if (value.len < sizeof(at->row)) {
            err = SG_ECORRUPT;
            break;
        }
        if (takes(sg_str_skip(value, sizeof(at->row)), subject)) {
            err = stream_at_put(at, name, value);
            break;
        }
    }
    sg_mdb_cursor_close(cursor);
    return err;
}

/* Is the oldest message to go? */
static bool is_over(const struct stream_row *row, uint64_t oldest_ns, uint64_t now_ns)
{
    if (row->last + 1 == row->first)
        return false;
    if (row->messages_max != 0 && row->last + 1 - row->first > row->messages_max)
        return true;
    if (row->bytes_max != 0 && row->bytes > row->bytes_max)
        return true;
    return row->age_s_max != 0 && oldest_ns + row->age_s_max * SG_NS_PER_SEC < now_ns;
}

static enum sg_err trim(struct sgc_store *store, struct sg_mdb_txn *txn, struct stream_row *row,
                        uint64_t now_ns)
{
    uint8_t bytes[SGC_STORE_KEY_BYTES];
    struct message_row message;
    struct sg_str value;
    enum sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < TRIM_AT_ONE; i++) {
        struct sg_str key = sgc_store_key(bytes, row->number, row->first);
        err = sg_mdb_get(txn, store->messages, key, &value);
        if (err != SG_OK || value.len < sizeof(message))
            return err == SG_ENOENT ? SG_OK : SG_ECORRUPT;
        memcpy(&message, value.ptr, sizeof(message));
        if (!is_over(row, message.at_ns, now_ns))
            return SG_OK;
        row->bytes -= SG_MIN(row->bytes, (uint64_t)value.len);
        row->first++;
        err = sg_mdb_del(txn, store->messages, key);
    }
    return err;
}

#define ID_END_BYTES (4 + 8 + ID_BYTES)

static void id_key(uint8_t key[4 + ID_BYTES], uint32_t stream, const char *id)
{
    uint8_t digest[SG_SHA256_BYTES];
    sg_sha256(id, strlen(id), digest);
    sge_be32_put(key, stream);
    memcpy(key + 4, digest, ID_BYTES);
}

/* Forgets a few of the ids that are too old to matter. */
static enum sg_err ids_forget(struct sgc_store *store, struct sg_mdb_txn *txn,
                              const struct stream_row *row, uint64_t now_ns)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str end, nothing;
    uint8_t from[4], key[4 + ID_BYTES];
    sge_be32_put(from, row->number);
    enum sg_err err = sg_mdb_cursor_open(txn, store->id_ends, &cursor);
    for (int i = 0; err == SG_OK && i < FORGET_AT_ONE; i++) {
        err = sg_mdb_cursor_seek(cursor, sge_bytes(from, sizeof(from)), &end, &nothing);
        if (err != SG_OK || end.len != ID_END_BYTES || memcmp(end.ptr, from, 4) != 0 ||
            sge_be64_get(end.ptr + 4) + row->dedup_s * SG_NS_PER_SEC >= now_ns)
            break;
        memcpy(key, from, 4);
        memcpy(key + 4, end.ptr + 12, ID_BYTES);
        err = sg_mdb_del(txn, store->ids, sge_bytes(key, sizeof(key)));
        if (err == SG_OK || err == SG_ENOENT)
            err = sg_mdb_cursor_del(cursor);
    }
    sg_mdb_cursor_close(cursor);
    return err == SG_ENOENT ? SG_OK : err;
}

/* SG_EALREADY: known; *seq is the number it has. */
static enum sg_err id_remember(struct sgc_store *store, struct sg_mdb_txn *txn,
                               const struct stream_row *row, const char *id, uint64_t now_ns,
                               uint64_t *seq)
{
    uint8_t key[4 + ID_BYTES], end[ID_END_BYTES];
    struct id_row known = {.seq = row->last + 1, .at_ns = now_ns};
    struct id_row before;
    id_key(key, row->number, id);
    enum sg_err err =
        sgc_store_row_get(txn, store->ids, sge_bytes(key, sizeof(key)), &before, sizeof(before));
    if (err == SG_OK && before.at_ns + row->dedup_s * SG_NS_PER_SEC >= now_ns) {
        *seq = before.seq;
        return SG_EALREADY;
    }
    if (err != SG_OK && err != SG_ENOENT)
        return err;
    err = ids_forget(store, txn, row, now_ns);
    if (err == SG_OK)
        err = sg_mdb_put(txn, store->ids, sge_bytes(key, sizeof(key)),
                         sge_bytes(&known, sizeof(known)));
    memcpy(end, key, 4);
    sge_be64_put(end + 4, now_ns);
    memcpy(end + 12, key + 4, ID_BYTES);
    return err != SG_OK ? err
                        : sg_mdb_put(txn, store->id_ends, sge_bytes(end, sizeof(end)), SG_STR(""));
}

static enum sg_err message_put(struct sgc_store *store, struct sg_mdb_txn *txn,
                               struct stream_row *row, struct sg_str subject, struct sg_str data,
                               uint64_t now_ns)
{
    const struct message_row message = {.at_ns = now_ns, .subject_len = (uint32_t)subject.len};
    uint8_t key[SGC_STORE_KEY_BYTES];
    size_t cap = sizeof(message) + subject.len + data.len;
    char *bytes = sg_boot_alloc(cap);
    if (bytes == NULL)
        return SG_ENOMEM;
    struct sg_out out = sg_out_init(bytes, cap);
    sg_out_bytes(&out, &message, sizeof(message));
    sg_out_str(&out, subject);
    sg_out_str(&out, data);
    row->last++;
    row->bytes += cap;
    enum sg_err err = sg_mdb_put(txn, store->messages, sgc_store_key(key, row->number, row->last),
                                 sg_out_view(&out));
    sg_boot_free(bytes);
    return err;
}

static enum sg_err append(struct sgc_store *store, struct sg_mdb_txn *txn, struct stream_at *at,
                          struct sg_str subject, const char *id, uint64_t after, struct sg_str data,
                          uint64_t *seq)
{
    uint64_t now_ns = sg_clock_wall_ns();
    enum sg_err err = SG_OK;
    if (id != NULL)
        err = id_remember(store, txn, &at->row, id, now_ns, seq);
    if (err == SG_OK && after != SGC_ANY && after != at->row.last)
        err = SG_ESTALE;
    if (err == SG_OK)
        err = message_put(store, txn, &at->row, subject, data, now_ns);
    if (err == SG_OK)
        err = trim(store, txn, &at->row, now_ns);
    if (err == SG_OK)
        err = stream_put(store, txn, at->name_str, &at->row, at->subjects_str);
    return err;
}

enum sg_err sgc_store_append(struct sgc_store *store, const char *subject, const char *id,
                             uint64_t after, struct sg_str data, uint64_t *seq)
{
    struct stream_at at;
    struct sg_mdb_txn *txn = NULL;
    uint64_t first_seq = 0;
    enum sg_err err = sg_mdb_write_begin(store->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = stream_taking(store, txn, sg_str_from(subject), &at);
    if (err == SG_OK)
        err = append(store, txn, &at, sg_str_from(subject), id, after, data, &first_seq);
    err = sgc_store_finish(txn, err);
    if (err == SG_OK)
        *seq = at.row.last;
    else if (err == SG_EALREADY)
        *seq = first_seq;
    return err == SG_EALREADY ? SG_OK : err;
}

enum sg_err sgc_store_info(struct sgc_store *store, const char *stream, struct sgc_stream_info *out)
{
    struct stream_row row;
    struct sg_str subjects;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sgc_store_read_begin(store, &txn);
    if (err != SG_OK)
        return err;
    err = stream_get(store, txn, sg_str_from(stream), &row, &subjects);
    sg_mdb_reader_close(txn);
    if (err == SG_OK)
        *out = (struct sgc_stream_info){row.first, row.last, row.made_ns};
    return err;
}

/* Reads what a cursor found. SG_EAGAIN: the filter does not match. SG_ENOENT: another stream's. */
static enum sg_err message_read(struct sg_str key, struct sg_str value, uint32_t stream,
                                const char *filter, struct sgc_found *found)
{
    uint8_t prefix[4];
    struct message_row row;
    sge_be32_put(prefix, stream);
    if (key.len != SGC_STORE_KEY_BYTES || memcmp(key.ptr, prefix, sizeof(prefix)) != 0)
        return SG_ENOENT;
    found->seq = sge_be64_get(key.ptr + 4);
    if (value.len < sizeof(row))
        return SG_ECORRUPT;
    memcpy(&row, value.ptr, sizeof(row));
    value = sg_str_skip(value, sizeof(row));
    if (value.len < row.subject_len)
        return SG_ECORRUPT;
    found->at_ns = row.at_ns;
    struct sg_str subject = {value.ptr, row.subject_len};
    if (filter != NULL && !sgc_subject_matches(sg_str_from(filter), subject))
        return SG_EAGAIN;
    return sgc_store_found_put(found, subject, sg_str_skip(value, row.subject_len));
}

static enum sg_err next_in(struct sgc_store *store, struct sg_mdb_txn *txn, uint32_t stream,
                           const char *filter, uint64_t from, struct sgc_found *found,
                           uint64_t *upto)
{
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str key, value;
    uint8_t bytes[SGC_STORE_KEY_BYTES];
    enum sg_err err = sg_mdb_cursor_open(txn, store->messages, &cursor);
    if (err != SG_OK)
        return err;
    err = sg_mdb_cursor_seek(cursor, sgc_store_key(bytes, stream, from), &key, &value);
    while (err == SG_OK) {
        err = message_read(key, value, stream, filter, found);
        if (err != SG_EAGAIN)
            break;
        *upto = found->seq;
        err = sg_mdb_cursor_next(cursor, &key, &value);
    }
    sg_mdb_cursor_close(cursor);
    return err;
}

enum sg_err sgc_store_next(struct sgc_store *store, const char *stream, const char *filter,
                           uint64_t from, struct sgc_found *found, uint64_t *upto)
{
    struct stream_row row;
    struct sg_str subjects;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sgc_store_read_begin(store, &txn);
    if (err != SG_OK)
        return err;
    err = stream_get(store, txn, sg_str_from(stream), &row, &subjects);
    if (err == SG_OK)
        err = next_in(store, txn, row.number, filter, from, found, upto);
    sg_mdb_reader_close(txn);
    return err;
}

/* The key of a durable's position. */
struct position_key {
    uint8_t bytes[4 + SGC_NAME_BYTES_MAX];
    size_t len;
};

static enum sg_err position_key(struct sgc_store *store, struct sg_mdb_txn *txn, const char *stream,
                                const char *durable, struct position_key *key)
{
    struct stream_row row;
    struct sg_str subjects, name = sg_str_from(durable);
    enum sg_err err = stream_get(store, txn, sg_str_from(stream), &row, &subjects);
    if (err != SG_OK)
        return err;
    SG_ASSERT(name.len <= SGC_NAME_BYTES_MAX);
    sge_be32_put(key->bytes, row.number);
    memcpy(key->bytes + 4, name.ptr, name.len);
    key->len = 4 + name.len;
    return SG_OK;
}

enum sg_err sgc_store_position(struct sgc_store *store, const char *stream, const char *durable,
                               uint64_t *seq)
{
    struct position_key key;
    struct sg_mdb_txn *txn = NULL;
    uint64_t position = 0;
    enum sg_err err = sgc_store_read_begin(store, &txn);
    if (err != SG_OK)
        return err;
    err = position_key(store, txn, stream, durable, &key);
    if (err == SG_OK) {
        err = sgc_store_row_get(txn, store->positions, sge_bytes(key.bytes, key.len), &position,
                                sizeof(position));
        err = err == SG_ENOENT ? SG_OK : err;
    }
    sg_mdb_reader_close(txn);
    if (err == SG_OK)
        *seq = position;
    return err;
}

enum sg_err sgc_store_position_set(struct sgc_store *store, const char *stream, const char *durable,
                                   uint64_t seq)
{
    struct position_key key;
    struct sg_mdb_txn *txn = NULL;
    enum sg_err err = sg_mdb_write_begin(store->mdb, &txn);
    if (err != SG_OK)
        return err;
    err = position_key(store, txn, stream, durable, &key);
    if (err == SG_OK)
        err = sg_mdb_put(txn, store->positions, sge_bytes(key.bytes, key.len),
                         sge_bytes(&seq, sizeof(seq)));
    return sgc_store_finish(txn, err);
}
