#include "dataplane/gate/allowlist.h"

#include "base/assert.h"
#include "base/keccak.h"

_Static_assert(SGD_LIST_HASH_BYTES == SG_KECCAK256_BYTES, "hashes are keccak-256");

void sgd_list_leaf(const struct sg_caip_address *address, uint8_t out[SGD_LIST_HASH_BYTES])
{
    uint8_t encoded[32] = {0};
    SG_ASSERT(address->len <= sizeof(encoded));
    memcpy(encoded + sizeof(encoded) - address->len, address->bytes, address->len);
    sg_keccak256(encoded, sizeof(encoded), out);
    sg_keccak256(out, SGD_LIST_HASH_BYTES, out);
}

void sgd_list_pair(const uint8_t a[SGD_LIST_HASH_BYTES], const uint8_t b[SGD_LIST_HASH_BYTES],
                   uint8_t out[SGD_LIST_HASH_BYTES])
{
    uint8_t pair[2][SGD_LIST_HASH_BYTES];
    bool first = memcmp(a, b, SGD_LIST_HASH_BYTES) < 0;
    memcpy(pair[first ? 0 : 1], a, SGD_LIST_HASH_BYTES);
    memcpy(pair[first ? 1 : 0], b, SGD_LIST_HASH_BYTES);
    sg_keccak256(pair, sizeof(pair), out);
}

bool sgd_list_proves(const struct sg_caip_address *address, struct sg_str proof,
                     const uint8_t root[SGD_LIST_HASH_BYTES])
{
    uint8_t hash[SGD_LIST_HASH_BYTES];
    if (proof.len % sizeof(hash) != 0 || proof.len > SGD_LIST_PROOF_BYTES)
        return false;
    sgd_list_leaf(address, hash);
    for (size_t at = 0; at < proof.len; at += sizeof(hash))
        sgd_list_pair(hash, (const uint8_t *)proof.ptr + at, hash);
    return memcmp(hash, root, sizeof(hash)) == 0;
}
