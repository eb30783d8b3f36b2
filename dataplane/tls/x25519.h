/* x25519 - the public half of an X25519 key (RFC 7748): one multiple of the curve's base point, by
 * a table of them. OpenSSL 3.0 has that too, at three times the price; the agreement with the
 * peer's half, which has no table, is left to it. No branch and no address depends on the secret.
 * docs/decisions/tls-handshake.md says why it is here. */
#ifndef SGD_X25519_H
#define SGD_X25519_H

#include <stdint.h>

#define SGD_X25519_BYTES 32u

/* An element of the field, 51 bits a limb. */
struct sgd_fe25519 {
    uint64_t v[5];
};

/* A point (x, y) of the curve in the form that is added fastest: y + x, y - x, 2dxy. */
union sgd_x25519_point {
    struct {
        struct sgd_fe25519 plus, minus, xy2d;
    };
    uint64_t limbs[15];
};

/* [i][j]: (j + 1) * 256^i times the base point. 30 KiB, read only once made. */
struct sgd_x25519_table {
    union sgd_x25519_point at[32][8];
};

/* Takes a millisecond. */
void sgd_x25519_table_init(struct sgd_x25519_table *table);
/* What goes to the peer for `secret`: any 32 bytes from a good generator. */
void sgd_x25519_share(const struct sgd_x25519_table *table, const uint8_t secret[SGD_X25519_BYTES],
                      uint8_t share[SGD_X25519_BYTES]);

#endif
