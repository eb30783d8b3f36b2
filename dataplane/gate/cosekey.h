/* cosekey - the thumbprints of public keys as COSE_Keys (RFC 9679, SHA-256): how a grant names its
 * session key, and a header an issuer's. Pure. */
#ifndef SGD_GATE_COSEKEY_H
#define SGD_GATE_COSEKEY_H

#include <stdint.h>

enum sgd_cose_curve { SGD_COSE_P256 = 1, SGD_COSE_ED25519 = 6, SGD_COSE_SECP256K1 = 8 };

/* `point`: x and y. */
void sgd_cosekey_ec2(enum sgd_cose_curve curve, const uint8_t point[64], uint8_t out[32]);
/* Of Ed25519. */
void sgd_cosekey_okp(const uint8_t key[32], uint8_t out[32]);

#endif
