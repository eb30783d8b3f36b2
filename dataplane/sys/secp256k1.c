#include "dataplane/sys/secp256k1.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <string.h>

/* Recovery and verification need nothing of a context but its tables, which are static. */
#define CONTEXT secp256k1_context_static

/* Half the group's order, rounded down: SEC 1's low s (EIP-2). */
static const uint8_t half_order[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

static bool s_is_low(const uint8_t rs[64])
{
    return memcmp(rs + 32, half_order, sizeof(half_order)) <= 0;
}

bool sgd_secp_recover(const uint8_t digest[32], const uint8_t rs[64], bool odd, uint8_t point[64])
{
    secp256k1_ecdsa_recoverable_signature signature;
    secp256k1_pubkey key;
    uint8_t whole[65];
    size_t len = sizeof(whole);
    if (!s_is_low(rs) ||
        secp256k1_ecdsa_recoverable_signature_parse_compact(CONTEXT, &signature, rs, odd) != 1 ||
        secp256k1_ecdsa_recover(CONTEXT, &key, &signature, digest) != 1 ||
        secp256k1_ec_pubkey_serialize(CONTEXT, whole, &len, &key, SECP256K1_EC_UNCOMPRESSED) != 1)
        return false;
    memcpy(point, whole + 1, sizeof(whole) - 1); /* without the byte that says: uncompressed */
    return true;
}

bool sgd_secp_verify(const uint8_t digest[32], const uint8_t rs[64], const uint8_t point[64])
{
    secp256k1_ecdsa_signature signature;
    secp256k1_pubkey key;
    uint8_t whole[65] = {0x04};
    memcpy(whole + 1, point, sizeof(whole) - 1);
    /* libsecp256k1 itself refuses a high s here. */
    return secp256k1_ecdsa_signature_parse_compact(CONTEXT, &signature, rs) == 1 &&
           secp256k1_ec_pubkey_parse(CONTEXT, &key, whole, sizeof(whole)) == 1 &&
           secp256k1_ecdsa_verify(CONTEXT, &signature, digest, &key) == 1;
}
