/* allowlist - Merkle trees as OpenZeppelin's StandardMerkleTree makes them of one address a leaf:
 * what a leaf and a pair hash to, and whether a proof leads to a root. Pure. */
#ifndef SGD_GATE_ALLOWLIST_H
#define SGD_GATE_ALLOWLIST_H

#include "base/caip.h"
#include "base/err.h"

#define SGD_LIST_HASH_BYTES  32
#define SGD_LIST_HASHES_MAX  32 /* of a proof: a list of 4 billion accounts */
#define SGD_LIST_PROOFS_MAX  4  /* that a sign-in may bring */
#define SGD_LIST_PROOF_BYTES (SGD_LIST_HASHES_MAX * SGD_LIST_HASH_BYTES)

/* Hashed twice, an address as the ABI encodes it: 20 bytes after 12 of zeros; Solana's 32 bytes as
 * a bytes32. */
void sgd_list_leaf(const struct sg_caip_address *address, uint8_t out[SGD_LIST_HASH_BYTES]);
/* The smaller one stands first. `out` may be one of them. */
void sgd_list_pair(const uint8_t a[SGD_LIST_HASH_BYTES], const uint8_t b[SGD_LIST_HASH_BYTES],
                   uint8_t out[SGD_LIST_HASH_BYTES]);
/* `proof`: hashes, end to end, from the leaf's sibling on. */
bool sgd_list_proves(const struct sg_caip_address *address, struct sg_str proof,
                     const uint8_t root[SGD_LIST_HASH_BYTES]);

#endif
