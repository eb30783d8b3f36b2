#include "dataplane/tls/record.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/pool.h"
#include "base/sys/crypto.h"
#include "dataplane/tls/aead.h"
#include "dataplane/tls/view.h"

#include <string.h>

#define HEADER_LEN        5u
#define EXPLICIT_LEN      8u   /* TLS 1.2 AES-GCM: the nonce's explicit part */
#define PADDED_MAX        256u /* what TLS 1.3 lets a record's ciphertext exceed its content by */
#define RECORD_MAX        (HEADER_LEN + SGD_TLSREC_PLAIN_MAX + PADDED_MAX)
#define KEYS_MAX          512u         /* expanded keys a worker keeps: half of a usual L2 cache */
#define SPANS_MAX         16u          /* pieces of one record; more pieces make more records */
#define ODD_RECORDS_MAX   32u          /* without data, in a row: more is an attack */
#define LIMIT_RECORDS     (1ull << 24) /* RFC 8446 5.5 says 2^24.5 for AES-GCM */
#define LIMIT_HARD_SHIFT  1            /* an answer under way may go on up to 2^25 full records */
#define VERSION_13        0x0304
#define VERSION_12        0x0303
#define WARNING           1
#define FATAL             2
#define MESSAGE_KEYUPDATE 24

enum type { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23 };

enum alert {
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_ILLEGAL_PARAMETER = 47,
    ALERT_DECODE_ERROR = 50,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_USER_CANCELED = 90,
    ALERT_NO_RENEGOTIATION = 100,
};

enum state {
    KTLS = 1,          /* the kernel seals */
    UPDATE_OWED = 2,   /* our KeyUpdate waits: the peer asked for it */
    ALERT_WAITS = 4,   /* rec->alert is to be sent, and is the last record */
    END_WANTED = 8,    /* close_notify after the data */
    TX_ENDED = 16,     /* nothing may be sealed any more */
    RX_ENDED = 32,     /* close_notify came */
    FAILED = 64,       /* rec->why */
    REKEY_UNMET = 128, /* kTLS: the peer wants new keys of us */
};

struct sgd_tlscrypto {
    struct sgd_aead *aead;
    struct sg_pool partials;
    uint64_t limit_records;
};

enum sg_err sgd_tlscrypto_open(enum sg_conf_record_crypto wanted, uint32_t partials_max,
                               struct sgd_tlscrypto **out)
{
    SG_ASSERT(out != NULL);
    SG_ASSERT(partials_max > 0);
    struct sgd_tlscrypto *crypto = sg_boot_alloc(sizeof(*crypto));
    if (crypto == NULL)
        return SG_ENOMEM;
    crypto->limit_records = LIMIT_RECORDS;
    enum sg_err err = sgd_aead_open(wanted, KEYS_MAX, &crypto->aead);
    if (err != SG_OK)
        goto out;
    err = sg_pool_init(&crypto->partials, partials_max, RECORD_MAX);
    if (err != SG_OK)
        goto out;
    *out = SG_TAKE(crypto);
out:
    sgd_tlscrypto_close(crypto);
    return err;
}

void sgd_tlscrypto_close(struct sgd_tlscrypto *crypto)
{
    if (crypto == NULL)
        return;
    sg_pool_fini(&crypto->partials);
    sgd_aead_close(crypto->aead);
    sg_boot_free(crypto);
}

const char *sgd_tlscrypto_name(const struct sgd_tlscrypto *crypto, enum sgd_tls_aead aead)
{
    SG_ASSERT(crypto != NULL);
    return sgd_aead_name(crypto->aead, aead);
}

void sgd_tlscrypto_set_limit(struct sgd_tlscrypto *crypto, uint64_t records)
{
    SG_ASSERT(records > 0 && records <= LIMIT_RECORDS);
    crypto->limit_records = records;
}

void sgd_tlsrec_init(struct sgd_tlsrec *rec, struct sgd_tlscrypto *crypto,
                     const struct sgd_tls_keys *keys)
{
    SG_ASSERT(rec != NULL && crypto != NULL);
    SG_ASSERT(keys->version == VERSION_13 || keys->version == VERSION_12);
    *rec = (struct sgd_tlsrec){
        .tx = keys->tx,
        .rx = keys->rx,
        .crypto = crypto,
        .version = keys->version,
        .tx_plain_max = keys->tx_plain_max != 0 ? keys->tx_plain_max : SGD_TLSREC_PLAIN_MAX,
        .rx_plain_max = keys->rx_plain_max != 0 ? keys->rx_plain_max : SGD_TLSREC_PLAIN_MAX,
        .aead = (uint8_t)keys->aead,
        .secret_len = keys->secret_len,
    };
}

void sgd_tlsrec_init_shaking(struct sgd_tlsrec *rec, struct sgd_tlscrypto *crypto,
                             const struct sgd_tls_keys *keys)
{
    SG_ASSERT(keys->version == VERSION_13);
    sgd_tlsrec_init(rec, crypto, keys);
    rec->shaking = true;
}

static void partial_give(struct sgd_tlsrec *rec)
{
    sg_pool_give(&rec->crypto->partials, SG_TAKE(rec->partial));
    rec->partial_len = 0;
}

void sgd_tlsrec_fini(struct sgd_tlsrec *rec)
{
    if (rec == NULL || rec->crypto == NULL)
        return;
    partial_give(rec);
    sgd_aead_forget(rec->crypto->aead, &rec->tx, rec->tx_slot);
    sgd_aead_forget(rec->crypto->aead, &rec->rx, rec->rx_slot);
    sg_wipe(rec, sizeof(*rec));
}

static bool explicit_nonce(const struct sgd_tlsrec *rec)
{
    return rec->version == VERSION_12 && rec->aead != SGD_TLS_CHACHA20_POLY1305;
}

/* Bytes of a record beyond its content. */
static size_t overhead(const struct sgd_tlsrec *rec)
{
    return HEADER_LEN + SGD_AEAD_TAG_LEN +
           (rec->version == VERSION_13 ? 1
            : explicit_nonce(rec)      ? EXPLICIT_LEN
                                       : 0);
}

static void put_u64(uint8_t *out, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(out, &v, sizeof(v));
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t v;
    memcpy(&v, in, sizeof(v));
    return __builtin_bswap64(v);
}

/* iv XOR the sequence number; with explicit nonces the salt and what the record says. */
static void put_nonce(uint8_t nonce[12], const struct sgd_tls_direction *dir,
                      const uint8_t *explicit_part)
{
    memcpy(nonce, dir->iv, 12);
    put_u64(nonce + 4,
            explicit_part != NULL ? get_u64(explicit_part) : get_u64(dir->iv + 4) ^ dir->seq);
}

/* TLS 1.2's associated data: the header with the content's length, after the sequence number. */
static void put_aad12(uint8_t aad[13], uint64_t seq, uint8_t type, size_t content_len)
{
    put_u64(aad, seq);
    aad[8] = type;
    aad[9] = VERSION_12 >> 8;
    aad[10] = VERSION_12 & 0xff;
    aad[11] = (uint8_t)(content_len >> 8);
    aad[12] = (uint8_t)content_len;
}

static void put_header(uint8_t *out, uint8_t type, size_t len)
{
    out[0] = type;
    out[1] = VERSION_12 >> 8;
    out[2] = VERSION_12 & 0xff;
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}

/* One record of `content_len` bytes in `count` spans; in TLS 1.3 there is room for one span more.
 * Returns its length on the wire. */
static size_t seal_record(struct sgd_tlsrec *rec, enum type type, struct sgd_span *spans,
                          size_t count, size_t content_len, uint8_t *out)
{
    uint8_t aad[13], inner_type = (uint8_t)type;
    size_t len = overhead(rec) + content_len;
    struct sgd_aead_use use = {
        .aead = rec->aead, .seals = true, .dir = &rec->tx, .slot = &rec->tx_slot};
    uint8_t *body = out + HEADER_LEN;
    if (rec->version == VERSION_13) {
        put_header(out, TYPE_DATA, len - HEADER_LEN);
        use.aad = (struct sgd_span){out, HEADER_LEN};
        spans[count++] = (struct sgd_span){&inner_type, 1};
    } else {
        put_header(out, (uint8_t)type, len - HEADER_LEN);
        put_aad12(aad, rec->tx.seq, (uint8_t)type, content_len);
        use.aad = (struct sgd_span){aad, sizeof(aad)};
    }
    if (explicit_nonce(rec)) {
        put_u64(body, get_u64(rec->tx.iv + 4) + rec->tx.seq);
        put_nonce(use.nonce, &rec->tx, body);
        body += EXPLICIT_LEN;
    } else {
        put_nonce(use.nonce, &rec->tx, NULL);
    }
    sgd_aead_seal(rec->crypto->aead, &use, spans, count, body);
    rec->tx.seq++;
    return len;
}

static size_t seal_control(struct sgd_tlsrec *rec, enum type type, const uint8_t *bytes, size_t len,
                           uint8_t *out)
{
    struct sgd_span spans[2] = {{bytes, len}};
    return seal_record(rec, type, spans, 1, len, out);
}

static size_t seal_key_update(struct sgd_tlsrec *rec, uint8_t *out)
{
    static const uint8_t not_requested[5] = {MESSAGE_KEYUPDATE, 0, 0, 1, 0};
    size_t len = seal_control(rec, TYPE_HANDSHAKE, not_requested, sizeof(not_requested), out);
    sgd_aead_forget(rec->crypto->aead, &rec->tx, rec->tx_slot);
    sgd_tls_direction_next(rec->aead, rec->secret_len, &rec->tx);
    rec->state &= (uint8_t)~UPDATE_OWED;
    return len;
}

/* The alert that is due, which ends the connection; but a warning has close_notify behind it. */
static void next_alert(struct sgd_tlsrec *rec, uint8_t out[2])
{
    enum alert alert = (rec->state & ALERT_WAITS) != 0 ? rec->alert : ALERT_CLOSE_NOTIFY;
    out[0] = alert == ALERT_CLOSE_NOTIFY || alert == ALERT_NO_RENEGOTIATION ? WARNING : FATAL;
    out[1] = (uint8_t)alert;
    rec->state &= (uint8_t) ~(ALERT_WAITS | END_WANTED);
    rec->state |= alert == ALERT_NO_RENEGOTIATION ? END_WANTED : TX_ENDED;
}

static size_t seal_alerts(struct sgd_tlsrec *rec, uint8_t *out)
{
    uint8_t bytes[2];
    size_t len = 0;
    while ((rec->state & TX_ENDED) == 0) {
        next_alert(rec, bytes);
        len += seal_control(rec, TYPE_ALERT, bytes, sizeof(bytes), out + len);
    }
    return len;
}

/* ChaCha20-Poly1305 has no limit that a connection could reach. */
static bool key_spent(const struct sgd_tlsrec *rec, unsigned shift)
{
    return rec->aead != SGD_TLS_CHACHA20_POLY1305 && rec->tx.seq >= rec->crypto->limit_records
                                                                        << shift;
}

/* Where the slices' unsealed bytes begin. */
struct cursor {
    const struct sg_slice *slices;
    size_t count;
    size_t offset; /* into slices[0] */
};

/* Takes up to `max` bytes as spans; returns how many. */
static size_t cursor_take(struct cursor *at, size_t max, struct sgd_span *spans, size_t *count)
{
    size_t taken = 0, n = 0;
    while (at->count > 0 && taken < max && n < SPANS_MAX) {
        size_t len = SG_MIN(at->slices[0].len - at->offset, max - taken);
        if (len > 0)
            spans[n++] = (struct sgd_span){at->slices[0].bytes + at->offset, len};
        taken += len;
        at->offset += len;
        if (at->offset == at->slices[0].len) {
            at->slices++;
            at->count--;
            at->offset = 0;
        }
    }
    *count = n;
    return taken;
}

/* Data records, and the KeyUpdates between them, as long as they fit. */
static size_t seal_data(struct sgd_tlsrec *rec, struct cursor *at, uint8_t *out, size_t cap,
                        size_t *out_len)
{
    struct sgd_span spans[SPANS_MAX + 1];
    size_t sealed = 0, count;
    /* what the records after the data may need is kept back */
    size_t room_end = cap - SGD_TLSREC_CONTROL_ROOM / 2;
    while (at->count > 0 && *out_len + overhead(rec) < room_end) {
        if (rec->version == VERSION_13 ? key_spent(rec, 0) : key_spent(rec, LIMIT_HARD_SHIFT)) {
            if (rec->version != VERSION_13)
                break;
            *out_len += seal_key_update(rec, out + *out_len);
            continue;
        }
        size_t room = room_end - *out_len - overhead(rec);
        size_t len = cursor_take(at, SG_MIN(room, (size_t)rec->tx_plain_max), spans, &count);
        if (len == 0)
            break; /* the slices that are left are empty */
        *out_len += seal_record(rec, TYPE_DATA, spans, count, len, out + *out_len);
        sealed += len;
    }
    return sealed;
}

size_t sgd_tlsrec_seal(struct sgd_tlsrec *rec, const struct sg_slice *slices, size_t count,
                       size_t skip, uint8_t *out, size_t out_cap, size_t *out_len)
{
    SG_ASSERT((rec->state & KTLS) == 0);
    SG_ASSERT(out_cap >= SGD_TLSREC_CONTROL_ROOM);
    SG_ASSERT(count == 0 || skip <= slices[0].len);
    struct cursor at = {slices, count, skip};
    size_t sealed = 0;
    *out_len = 0;
    if ((rec->state & TX_ENDED) != 0)
        return 0;
    if ((rec->state & UPDATE_OWED) != 0)
        *out_len += seal_key_update(rec, out);
    if ((rec->state & ALERT_WAITS) != 0) {
        *out_len += seal_alerts(rec, out + *out_len);
        return 0;
    }
    sealed = seal_data(rec, &at, out, out_cap, out_len);
    if ((rec->state & END_WANTED) != 0 && at.count == 0)
        *out_len += seal_alerts(rec, out + *out_len);
    SG_ASSERT(*out_len <= out_cap);
    return sealed;
}

size_t sgd_tlsrec_seal_messages(struct sgd_tlsrec *rec, const uint8_t *bytes, size_t len,
                                uint8_t *out)
{
    SG_ASSERT(rec->shaking && (rec->state & TX_ENDED) == 0);
    size_t out_len = 0;
    while (len > 0) {
        size_t part = SG_MIN(len, (size_t)rec->tx_plain_max);
        out_len += seal_control(rec, TYPE_HANDSHAKE, bytes, part, out + out_len);
        bytes += part;
        len -= part;
    }
    return out_len;
}

void sgd_tlsrec_set_tx(struct sgd_tlsrec *rec, const struct sgd_tls_direction *dir)
{
    SG_ASSERT(rec->shaking);
    sgd_aead_forget(rec->crypto->aead, &rec->tx, rec->tx_slot);
    rec->tx = *dir;
}

void sgd_tlsrec_end(struct sgd_tlsrec *rec)
{
    if ((rec->state & TX_ENDED) == 0)
        rec->state |= END_WANTED;
}

bool sgd_tlsrec_pending(const struct sgd_tlsrec *rec)
{
    return (rec->state & TX_ENDED) == 0 &&
           (rec->state & (UPDATE_OWED | ALERT_WAITS | END_WANTED)) != 0;
}

enum sgd_close sgd_tlsrec_end_soon(const struct sgd_tlsrec *rec)
{
    if ((rec->state & REKEY_UNMET) != 0)
        return SGD_CLOSE_tls_key_update;
    bool can_rekey = rec->version == VERSION_13 && (rec->state & KTLS) == 0;
    return !can_rekey && key_spent(rec, 0) ? SGD_CLOSE_tls_aead_limit : SGD_CLOSE_none;
}

void sgd_tlsrec_tx_keys(const struct sgd_tlsrec *rec, struct sgd_tls_keys *out)
{
    *out = (struct sgd_tls_keys){.version = rec->version, .aead = rec->aead, .tx = rec->tx};
}

void sgd_tlsrec_ktls_on(struct sgd_tlsrec *rec)
{
    SG_ASSERT((rec->state & (KTLS | UPDATE_OWED | TX_ENDED)) == 0);
    sgd_aead_forget(rec->crypto->aead, &rec->tx, rec->tx_slot);
    rec->state |= KTLS;
}

void sgd_tlsrec_ktls_sent(struct sgd_tlsrec *rec, size_t bytes)
{
    SG_ASSERT((rec->state & KTLS) != 0);
    /* at least so many records; the limit's margin is for the short ones */
    rec->tx.seq += bytes / SGD_TLSREC_PLAIN_MAX + 1;
}

size_t sgd_tlsrec_ktls_control(struct sgd_tlsrec *rec, uint8_t *type, uint8_t out[2])
{
    SG_ASSERT((rec->state & KTLS) != 0);
    if ((rec->state & TX_ENDED) != 0 || (rec->state & (ALERT_WAITS | END_WANTED)) == 0)
        return 0;
    *type = TYPE_ALERT;
    next_alert(rec, out);
    return 2;
}

/* The reader. `alert` is told to the peer, `why` to us. */
static enum sgd_tlsrec_got fail(struct sgd_tlsrec *rec, enum alert alert, enum sgd_close why)
{
    rec->state |= FAILED;
    rec->why = (uint8_t)why;
    if (why != SGD_CLOSE_tls_alert) { /* an alert is not answered */
        rec->state |= ALERT_WAITS;
        rec->alert = (uint8_t)alert;
    }
    return SGD_TLSREC_FAILED;
}

static enum sgd_tlsrec_got unexpected(struct sgd_tlsrec *rec)
{
    return fail(rec, ALERT_UNEXPECTED_MESSAGE, SGD_CLOSE_tls_unexpected);
}

void sgd_tlsrec_await_rest(struct sgd_tlsrec *rec)
{
    SG_ASSERT(rec->shaking);
    rec->message_len = 1;
}

void sgd_tlsrec_refuse(struct sgd_tlsrec *rec, uint8_t alert)
{
    (void)fail(rec, alert, SGD_CLOSE_tls_handshake);
}

/* Records that carry no data: a peer may send some, but not without end. */
static enum sgd_tlsrec_got odd(struct sgd_tlsrec *rec)
{
    return ++rec->odd_records > ODD_RECORDS_MAX ? unexpected(rec) : SGD_TLSREC_NEED;
}

static enum sgd_tlsrec_got got_key_update(struct sgd_tlsrec *rec)
{
    uint8_t requested = rec->message[4];
    rec->message_len = 0;
    if (requested > 1)
        return fail(rec, ALERT_ILLEGAL_PARAMETER, SGD_CLOSE_tls_unexpected);
    sgd_aead_forget(rec->crypto->aead, &rec->rx, rec->rx_slot);
    sgd_tls_direction_next(rec->aead, rec->secret_len, &rec->rx);
    if (requested == 1)
        rec->state |= (rec->state & KTLS) != 0 ? REKEY_UNMET : UPDATE_OWED;
    return odd(rec);
}

/* After the handshake a client's only message is KeyUpdate; it may come in pieces, but ends with
 * its record, since the next one is under the new key. */
static enum sgd_tlsrec_got got_handshake(struct sgd_tlsrec *rec, const uint8_t *bytes, size_t len)
{
    static const uint8_t head[4] = {MESSAGE_KEYUPDATE, 0, 0, 1};
    if (len == 0)
        return unexpected(rec);
    if (rec->version == VERSION_12)
        return bytes[0] == SGD_TLS_CLIENT_HELLO
                   ? fail(rec, ALERT_NO_RENEGOTIATION, SGD_CLOSE_tls_unexpected)
                   : unexpected(rec);
    for (size_t i = 0; i < len; i++) {
        size_t at = rec->message_len;
        if (at == 0 && bytes[i] != MESSAGE_KEYUPDATE)
            return unexpected(rec);
        if (at < sizeof(head) && bytes[i] != head[at])
            return fail(rec, ALERT_DECODE_ERROR, SGD_CLOSE_tls_unexpected);
        rec->message[rec->message_len++] = bytes[i];
        if (rec->message_len == sizeof(rec->message))
            return i + 1 == len ? got_key_update(rec) : unexpected(rec);
    }
    return odd(rec);
}

static enum sgd_tlsrec_got got_alert(struct sgd_tlsrec *rec, const uint8_t *bytes, size_t len)
{
    if (len != 2)
        return fail(rec, ALERT_DECODE_ERROR, SGD_CLOSE_tls_unexpected);
    if (bytes[1] == ALERT_CLOSE_NOTIFY) {
        rec->state |= RX_ENDED;
        return SGD_TLSREC_END;
    }
    if (bytes[1] == ALERT_USER_CANCELED || (rec->version == VERSION_12 && bytes[0] == WARNING))
        return odd(rec);
    rec->state |= TX_ENDED;
    return fail(rec, ALERT_CLOSE_NOTIFY, SGD_CLOSE_tls_alert);
}

/* In the clear, before the client's Finished: RFC 8446 section 5 lets one byte of 1 pass. */
static enum sgd_tlsrec_got got_plain(struct sgd_tlsrec *rec, const uint8_t *record, size_t len)
{
    if (rec->message_len != 0)
        return unexpected(rec);
    if (record[0] == TYPE_ALERT)
        return got_alert(rec, record + HEADER_LEN, len - HEADER_LEN);
    return len == HEADER_LEN + 1 && record[HEADER_LEN] == 1 ? odd(rec) : unexpected(rec);
}

static enum sgd_tlsrec_got got_while_shaking(struct sgd_tlsrec *rec, uint8_t type, uint8_t *content,
                                             size_t len, uint8_t **plain, size_t *plain_len)
{
    if (type == TYPE_ALERT)
        return got_alert(rec, content, len);
    if (type != TYPE_HANDSHAKE || len == 0)
        return unexpected(rec);
    *plain = content;
    *plain_len = len;
    return SGD_TLSREC_DATA;
}

/* TLS 1.3: the type is the last byte that is not zero. */
static bool strip_padding(const uint8_t *bytes, size_t *len, uint8_t *type)
{
    size_t n = *len;
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    if (n == 0)
        return false;
    *type = bytes[n - 1];
    *len = n - 1;
    return true;
}

static bool unseal_record(struct sgd_tlsrec *rec, uint8_t *record, size_t content_len,
                          uint8_t *content)
{
    uint8_t aad[13];
    struct sgd_aead_use use = {.aead = rec->aead, .dir = &rec->rx, .slot = &rec->rx_slot};
    if (rec->version == VERSION_13) {
        use.aad = (struct sgd_span){record, HEADER_LEN};
    } else {
        put_aad12(aad, rec->rx.seq, record[0], content_len);
        use.aad = (struct sgd_span){aad, sizeof(aad)};
    }
    put_nonce(use.nonce, &rec->rx, explicit_nonce(rec) ? record + HEADER_LEN : NULL);
    bool genuine = sgd_aead_unseal(rec->crypto->aead, &use, content, content_len);
    rec->rx.seq++;
    return genuine;
}

/* One whole record. NEED: it is dealt with, the next one may be looked at. */
static enum sgd_tlsrec_got got_record(struct sgd_tlsrec *rec, uint8_t *record, size_t record_len,
                                      uint8_t **plain, size_t *plain_len)
{
    size_t before = HEADER_LEN + (explicit_nonce(rec) ? EXPLICIT_LEN : 0);
    uint8_t type = record[0], *content = record + before;
    if (rec->shaking && type != TYPE_DATA)
        return got_plain(rec, record, record_len);
    if (record_len < before + SGD_AEAD_TAG_LEN)
        return fail(rec, ALERT_BAD_RECORD_MAC, SGD_CLOSE_tls_bad_record);
    size_t len = record_len - before - SGD_AEAD_TAG_LEN;
    if (!unseal_record(rec, record, len, content))
        return fail(rec, ALERT_BAD_RECORD_MAC, SGD_CLOSE_tls_bad_record);
    if (rec->version == VERSION_13 && len > rec->rx_plain_max + 1u)
        return fail(rec, ALERT_RECORD_OVERFLOW, SGD_CLOSE_tls_record_overflow);
    if (rec->version == VERSION_13 && !strip_padding(content, &len, &type))
        return unexpected(rec);
    if (rec->message_len != 0 && type != TYPE_HANDSHAKE)
        return unexpected(rec);
    if (rec->shaking)
        return got_while_shaking(rec, type, content, len, plain, plain_len);
    if (type == TYPE_HANDSHAKE)
        return got_handshake(rec, content, len);
    if (type == TYPE_ALERT)
        return got_alert(rec, content, len);
    if (type != TYPE_DATA)
        return unexpected(rec);
    if (len == 0)
        return odd(rec);
    rec->odd_records = 0;
    *plain = content;
    *plain_len = len;
    return SGD_TLSREC_DATA;
}

/* What the header alone can tell is told before more is taken. */
static enum sgd_tlsrec_got check_header(struct sgd_tlsrec *rec, const uint8_t *header,
                                        size_t *record_len)
{
    size_t len = (size_t)header[3] << 8 | header[4];
    size_t max =
        rec->rx_plain_max + (rec->version == VERSION_13 ? PADDED_MAX : overhead(rec) - HEADER_LEN);
    bool plain = rec->shaking && (header[0] == TYPE_ALERT || header[0] == TYPE_CHANGE_CIPHER_SPEC);
    if (rec->version == VERSION_13 ? header[0] != TYPE_DATA && !plain
                                   : header[0] < TYPE_ALERT || header[0] > TYPE_DATA)
        return unexpected(rec);
    if (rec->version == VERSION_12 && (header[1] << 8 | header[2]) != VERSION_12)
        return fail(rec, ALERT_PROTOCOL_VERSION, SGD_CLOSE_tls_unexpected);
    if (len > max)
        return fail(rec, ALERT_RECORD_OVERFLOW, SGD_CLOSE_tls_record_overflow);
    *record_len = HEADER_LEN + len;
    return SGD_TLSREC_NEED;
}

/* Moves input behind the partial record until that has `want` bytes. */
static bool partial_fill(struct sgd_tlsrec *rec, uint8_t **in, size_t *in_len, size_t want)
{
    if (rec->partial_len >= want)
        return true;
    size_t len = SG_MIN(want - rec->partial_len, *in_len);
    memcpy(rec->partial + rec->partial_len, *in, len);
    rec->partial_len = (uint16_t)(rec->partial_len + len);
    *in += len;
    *in_len -= len;
    return rec->partial_len == want;
}

/* The next whole record, where it lies: in the input or, if it came in pieces, in the partial
 * buffer. NEED with *record NULL: not there yet. */
static enum sgd_tlsrec_got next_record(struct sgd_tlsrec *rec, uint8_t **in, size_t *in_len,
                                       uint8_t **record, size_t *record_len)
{
    *record = NULL;
    if (rec->partial == NULL && *in_len >= HEADER_LEN) {
        if (check_header(rec, *in, record_len) == SGD_TLSREC_FAILED)
            return SGD_TLSREC_FAILED;
        if (*in_len >= *record_len) {
            *record = *in;
            *in += *record_len;
            *in_len -= *record_len;
            return SGD_TLSREC_NEED;
        }
    }
    if (*in_len == 0)
        return SGD_TLSREC_NEED;
    if (rec->partial == NULL) {
        rec->partial = sg_pool_take(&rec->crypto->partials);
        if (rec->partial == NULL)
            return fail(rec, ALERT_INTERNAL_ERROR, SGD_CLOSE_no_memory);
    }
    if (!partial_fill(rec, in, in_len, HEADER_LEN))
        return SGD_TLSREC_NEED;
    if (check_header(rec, rec->partial, record_len) == SGD_TLSREC_FAILED)
        return SGD_TLSREC_FAILED;
    if (partial_fill(rec, in, in_len, *record_len)) {
        *record = rec->partial;
        rec->partial_len = 0; /* from here on the buffer is only lent */
    }
    return SGD_TLSREC_NEED;
}

enum sgd_tlsrec_got sgd_tlsrec_open(struct sgd_tlsrec *rec, uint8_t **in, size_t *in_len,
                                    uint8_t **plain, size_t *plain_len, enum sgd_close *why)
{
    enum sgd_tlsrec_got got = (rec->state & FAILED) != 0 ? SGD_TLSREC_FAILED : SGD_TLSREC_NEED;
    uint8_t *record;
    size_t record_len = 0;
    do {
        if (rec->partial != NULL && rec->partial_len == 0)
            partial_give(rec); /* its data was consumed */
        if (got != SGD_TLSREC_NEED)
            break;
        if ((rec->state & RX_ENDED) != 0) {
            *in += *in_len; /* RFC 8446 6.1: what follows close_notify is ignored */
            *in_len = 0;
            return SGD_TLSREC_NEED;
        }
        got = next_record(rec, in, in_len, &record, &record_len);
        if (got != SGD_TLSREC_NEED || record == NULL)
            break;
        got = got_record(rec, record, record_len, plain, plain_len);
    } while (got == SGD_TLSREC_NEED);
    if (got == SGD_TLSREC_FAILED)
        *why = rec->why;
    return got;
}
