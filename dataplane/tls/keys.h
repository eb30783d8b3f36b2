/* keys - what a finished handshake leaves: traffic secrets or keys, sequence numbers, suite. */
#ifndef SGD_TLS_KEYS_H
#define SGD_TLS_KEYS_H

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
    struct sgd_tls_direction tx, rx;
};

#endif
