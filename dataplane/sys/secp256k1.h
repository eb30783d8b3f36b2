/* secp256k1 - ECDSA over secp256k1, by libsecp256k1: who signed (Ethereum's recovery), and whether
 * a known key did. Signatures are r and s, 32 bytes each, big-endian; one whose s is in the upper
 * half is refused, since with it every signature would have a twin. Points are x and y, 32 bytes
 * each. Any thread; no allocation. */
#ifndef SGD_SYS_SECP256K1_H
#define SGD_SYS_SECP256K1_H

#include <stdbool.h>
#include <stdint.h>

/* `odd`: the recovery id's bit, the parity of R's y. False: r or s out of range, or no such point.
 */
bool sgd_secp_recover(const uint8_t digest[32], const uint8_t rs[64], bool odd, uint8_t point[64]);
/* False too for what is no point of the curve. */
bool sgd_secp_verify(const uint8_t digest[32], const uint8_t rs[64], const uint8_t point[64]);

#endif
