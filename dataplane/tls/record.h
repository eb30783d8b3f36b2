/* record - our reader and writer of TLS 1.3 and 1.2 records: what runs between an engine and a
 * protocol once the handshake left its keys (sgd_conn_tls_install). AES-128-GCM, AES-256-GCM and
 * ChaCha20-Poly1305; application data, KeyUpdate, alerts, close_notify; nothing else is accepted.
 * Does no I/O and reads no clock. Of one worker; nothing here may be shared between threads.
 *
 * How an engine uses it:
 * - input: give what came to sgd_tlsrec_open() again and again until it says NEED; it decrypts in
 *   place. DATA is lent until the next call on this `rec`: what the protocol does not consume the
 *   engine keeps (pointer and length), and calls no sgd_tlsrec_open() before it is consumed.
 * - after each call ask sgd_tlsrec_pending(): an alert or a KeyUpdate waits to be sent. Any
 *   sgd_tlsrec_seal() puts it in front of the data; one with no slices sends it alone.
 * - output: sgd_tlsrec_seal() encrypts slices from where they lie (the arena) straight into the
 *   caller's buffer: the only copy. The sealed bytes are final: a retransmission sends the same.
 * - orderly end: after the last data sgd_tlsrec_end(), then a seal with no slices.
 * - FAILED: seal with no slices (the alert), send it, close with `why`. */
#ifndef SGD_TLS_RECORD_H
#define SGD_TLS_RECORD_H

#include "base/config.h"
#include "base/err.h"
#include "base/slice.h"
#include "dataplane/close.h"
#include "dataplane/tls/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_TLSREC_PLAIN_MAX    16384u /* of one record, RFC 8446 5.1 */
#define SGD_TLSREC_OVERHEAD     32u    /* at most, a record: header, explicit nonce, type, tag */
#define SGD_TLSREC_CONTROL_ROOM 128u   /* for the control records a seal may put first */

/* One worker's: the crypto library's state, the cache of expanded keys (about 1 KiB a direction,
 * kept only for the connections used last), the buffers in which cut records are put together. */
struct sgd_tlscrypto;

/* Measures the libraries when `wanted` is auto (some milliseconds); SG_ENOTSUP when the one that is
 * wanted does not run here. `partials_max` bounds how many connections may have half a record
 * waiting at a time (17 KiB of address space each). The caller owns *out. */
SG_MUST_USE enum sg_err sgd_tlscrypto_open(enum sg_conf_record_crypto wanted, uint32_t partials_max,
                                           struct sgd_tlscrypto **out);
/* Accepts NULL. Every sgd_tlsrec must have been ended before. */
void sgd_tlscrypto_close(struct sgd_tlscrypto *crypto);
/* "ipsec-mb" or "openssl": static. */
const char *sgd_tlscrypto_name(const struct sgd_tlscrypto *crypto, enum sgd_tls_aead aead);
/* Tests: how many records a key may seal before it is replaced; the default is 2^24. */
void sgd_tlscrypto_set_limit(struct sgd_tlscrypto *crypto, uint64_t records);

/* One connection, in the engine's memory; its fields are record.c's own. */
struct sgd_tlsrec {
    struct sgd_tls_direction tx, rx;
    struct sgd_tlscrypto *crypto;
    uint8_t *partial;          /* from the crypto's pool, while a cut record or its data is there */
    uint32_t tx_slot, rx_slot; /* where the expanded keys were last */
    uint16_t partial_len;
    uint16_t version;
    uint16_t tx_plain_max, rx_plain_max;
    uint8_t aead; /* enum sgd_tls_aead */
    uint8_t secret_len;
    uint8_t state;       /* flags, record.c */
    uint8_t alert;       /* that waits to be sent */
    uint8_t odd_records; /* records in a row that carried no data */
    uint8_t message_len; /* of `message`: a KeyUpdate may come in pieces; not 0: one is awaited */
    uint8_t message[5];
    uint8_t why;  /* enum sgd_close, once failed */
    bool shaking; /* a handshake of our own is under way */
};
_Static_assert(sizeof(struct sgd_tlsrec) <= 288, "an idle connection is its keys");

/* Copies *keys. */
void sgd_tlsrec_init(struct sgd_tlsrec *rec, struct sgd_tlscrypto *crypto,
                     const struct sgd_tls_keys *keys);
/* Wipes the keys, gives back what was borrowed. Harmless when called twice or on zeroed memory. */
void sgd_tlsrec_fini(struct sgd_tlsrec *rec);

enum sgd_tlsrec_got {
    SGD_TLSREC_NEED,  /* all input was taken; more is needed */
    SGD_TLSREC_DATA,  /* *plain holds application data, at least a byte */
    SGD_TLSREC_END,   /* close_notify: nothing more will come; sending may go on */
    SGD_TLSREC_FAILED /* *why says how; later calls say the same */
};
/* Takes records off the front of *in (advances *in and *in_len) until one has something to tell.
 * The bytes at *in are overwritten. *plain and *plain_len are written only with DATA, *why only
 * with FAILED. */
SG_MUST_USE enum sgd_tlsrec_got sgd_tlsrec_open(struct sgd_tlsrec *rec, uint8_t **in,
                                                size_t *in_len, uint8_t **plain, size_t *plain_len,
                                                enum sgd_close *why);

/* A control record waits to be sent. */
bool sgd_tlsrec_pending(const struct sgd_tlsrec *rec);

/* Room that surely suffices to seal `plain_bytes` given in one call. */
static inline size_t sgd_tlsrec_room(const struct sgd_tlsrec *rec, size_t plain_bytes)
{
    return plain_bytes + (plain_bytes / rec->tx_plain_max + 1) * SGD_TLSREC_OVERHEAD +
           SGD_TLSREC_CONTROL_ROOM;
}
/* The other way round: what may be given in one call that has so much room. */
static inline size_t sgd_tlsrec_fits(const struct sgd_tlsrec *rec, size_t room)
{
    size_t whole = rec->tx_plain_max + SGD_TLSREC_OVERHEAD;
    size_t rest = (room - SGD_TLSREC_CONTROL_ROOM) % whole;
    return (room - SGD_TLSREC_CONTROL_ROOM) / whole * rec->tx_plain_max +
           (rest > SGD_TLSREC_OVERHEAD ? rest - SGD_TLSREC_OVERHEAD : 0);
}
/* Writes what is pending, then the slices' bytes from `skip` (into the first slice) on, as records
 * of 16 KiB (or the client's limit) and a rest, to `out` (SGD_TLSREC_CONTROL_ROOM at least); stops
 * early when another record no longer fits, or the key is spent. Holds no references: the slices
 * stay the caller's. Returns how many plaintext bytes were sealed; *out_len is what was written. */
size_t sgd_tlsrec_seal(struct sgd_tlsrec *rec, const struct sg_slice *slices, size_t count,
                       size_t skip, uint8_t *out, size_t out_cap, size_t *out_len);
/* The next seal ends with close_notify; nothing may be sealed after it. */
void sgd_tlsrec_end(struct sgd_tlsrec *rec);

/* Not SGD_CLOSE_none: the connection should end after the answer under way, and why: the key is
 * near its limit and can't be replaced (TLS 1.2, kTLS), or the peer wants a new one (kTLS). */
enum sgd_close sgd_tlsrec_end_soon(const struct sgd_tlsrec *rec);

/* A TLS 1.3 handshake of our own (server13.h), over the same records: *keys are those of the
 * handshake. Until the next sgd_tlsrec_init() DATA is what handshake records hold; the client's
 * change_cipher_spec is skipped, an alert in the clear is one; application data is refused. */
void sgd_tlsrec_init_shaking(struct sgd_tlsrec *rec, struct sgd_tlscrypto *crypto,
                             const struct sgd_tls_keys *keys);
/* Seals messages of the handshake: room as sgd_tlsrec_room() says. Returns what was written. */
size_t sgd_tlsrec_seal_messages(struct sgd_tlsrec *rec, const uint8_t *bytes, size_t len,
                                uint8_t *out);
/* What is sealed from here on is under *dir. */
void sgd_tlsrec_set_tx(struct sgd_tlsrec *rec, const struct sgd_tls_direction *dir);
/* The data so far is a part of a message: only its rest may come (RFC 8446 section 5.1). */
void sgd_tlsrec_await_rest(struct sgd_tlsrec *rec);
/* What a message said was wrong: `alert` waits to be sent, and the reader has failed. */
void sgd_tlsrec_refuse(struct sgd_tlsrec *rec, uint8_t alert);

/* What the kernel needs to seal from here on (dataplane/tls/ktls.h); to be wiped. */
void sgd_tlsrec_tx_keys(const struct sgd_tlsrec *rec, struct sgd_tls_keys *out);
/* The kernel has them: sgd_tlsrec_seal() may no longer be called. Control records are fetched in
 * the clear and sent with their type by the engine. Nothing may be pending. */
void sgd_tlsrec_ktls_on(struct sgd_tlsrec *rec);
/* Bytes given to the kernel, for the key's limit. */
void sgd_tlsrec_ktls_sent(struct sgd_tlsrec *rec, size_t bytes);
/* The next control record waiting: its length (0: none), its type to *type, its content to `out`.
 */
size_t sgd_tlsrec_ktls_control(struct sgd_tlsrec *rec, uint8_t *type, uint8_t out[2]);

#endif
