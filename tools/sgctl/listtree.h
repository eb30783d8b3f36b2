/* listtree - the Merkle tree of a file of accounts, as OpenZeppelin's StandardMerkleTree makes it
 * of one address a leaf. Allocates. */
#ifndef SGT_LISTTREE_H
#define SGT_LISTTREE_H

#include "dataplane/gate/allowlist.h"

#define SGT_LIST_ACCOUNTS_MAX 10000000u

struct sgt_list_tree {
    uint32_t count; /* of accounts, each once */
    struct sg_caip_address *accounts;
    uint32_t *places;                      /* of each account's leaf among the nodes */
    uint8_t (*nodes)[SGD_LIST_HASH_BYTES]; /* 2 * count - 1; the root first */
};
/* One account a line: 0x..., base58 of Solana's, or CAIP-10; blanks and what follows a # do not
 * count. False, and says which line is wrong. */
bool sgt_list_read(const char *file, struct sgt_list_tree *out);
void sgt_list_free(struct sgt_list_tree *tree);
/* As in a line of such a file. False, and says what is wrong. */
bool sgt_list_account(struct sg_str text, struct sg_caip_address *out);
/* UINT32_MAX: it is not in it. */
uint32_t sgt_list_find(const struct sgt_list_tree *tree, const struct sg_caip_address *account);
/* The hashes that prove account `at`, from its leaf's sibling on; returns how many. */
uint32_t sgt_list_proof(const struct sgt_list_tree *tree, uint32_t at,
                        const uint8_t *out[SGD_LIST_HASHES_MAX]);

#endif
