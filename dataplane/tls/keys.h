/* keys - what a finished handshake leaves: traffic secrets or keys, sequence numbers, suite; and
 * the part of the key schedules that comes after it (RFC 8446 section 7, RFC 5246 section 6.3). */
#ifndef SGD_TLS_KEYS_H
#define SGD_TLS_KEYS_H

#include "dataplane/tls/span.h"

#include <stdbool.h>
#include <stdint.h>

enum sgd_tls_aead { SGD_TLS_AES_128_GCM, SGD_TLS_AES_256_GCM, SGD_TLS_CHACHA20_POLY1305 };

struct sgd_tls_direction {
    uint8_t secret[48]; /* TLS 1.3: application_traffic_secret_N, for KeyUpdate; else unused */
    uint8_t key[32];
    uint8_t iv[12]; /* TLS 1.2 AES-GCM: 4 bytes implicit, then record 0's explicit 8 (tx only) */
    uint64_t seq;   /* of the next record */
};

struct sgd_tls_keys {
    uint16_t version; /* 0x0303 or 0x0304 */
    enum sgd_tls_aead aead;
    uint8_t secret_len; /* 32 or 48: the suite's hash */
    bool ktls;          /* the listener lets the kernel send, if it can */
    /* Bytes of data a record, where the client wants less than TLS allows (RFC 6066 section 4, RFC
     * 8449); 0: it does not. */
    uint16_t tx_plain_max, rx_plain_max;
    struct sgd_tls_direction tx, rx;
};

/* HKDF-Expand-Label of `out_len` bytes, at most `hash_len` (32 or 48, also the secret's length);
 * `out` may be the secret. */
void sgd_tls_expand_label(uint8_t hash_len, const uint8_t *secret, const char *label,
                          struct sgd_span context, uint8_t *out, uint8_t out_len);
/* TLS 1.3: key and iv from `dir->secret`; the sequence begins at 0. */
void sgd_tls_direction_derive(enum sgd_tls_aead aead, uint8_t secret_len,
                              struct sgd_tls_direction *dir);
/* TLS 1.3 KeyUpdate: the next secret, then the same. */
void sgd_tls_direction_next(enum sgd_tls_aead aead, uint8_t secret_len,
                            struct sgd_tls_direction *dir);
/* TLS 1.2: both directions' keys of a server, from the master secret; sequence numbers and explicit
 * nonces are the caller's. */
void sgd_tls12_derive(const uint8_t master[48], const uint8_t client_random[32],
                      const uint8_t server_random[32], struct sgd_tls_keys *keys);

#endif
