/* trie - the path from a Merkle Patricia trie's root to a key, node by node, as a proof gives it:
 * what the trie holds there, or that it holds nothing. Pure; no allocation. */
#ifndef SGC_CHAIN_TRIE_H
#define SGC_CHAIN_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGC_TRIE_VALUE_MAX 128 /* an account has 110 at most */
#define SGC_TRIE_NODE_MAX  1024
#define SGC_TRIE_NODES_MAX 66 /* a key of 32 bytes has 64 steps */

enum sgc_trie_state {
    SGC_TRIE_MORE,   /* the next node is wanted */
    SGC_TRIE_FOUND,  /* `value` */
    SGC_TRIE_ABSENT, /* proven: there is nothing */
    SGC_TRIE_WRONG,  /* no such proof */
};
struct sgc_trie {
    enum sgc_trie_state state;
    uint8_t key[32];  /* hashed, as the state's tries have them */
    uint32_t at;      /* nibbles walked */
    uint8_t want[32]; /* the next node's hash */
    size_t value_len;
    uint8_t value[SGC_TRIE_VALUE_MAX];
};
/* `key` is hashed here: an address, a slot's number. An empty trie is ABSENT at once. */
void sgc_trie_begin(struct sgc_trie *trie, const uint8_t root[32], const void *key, size_t key_len);
/* The proof's next node. After MORE only; returns the state. */
enum sgc_trie_state sgc_trie_step(struct sgc_trie *trie, const uint8_t *node, size_t len);

#endif
