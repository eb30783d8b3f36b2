#include "controlplane/chain/trie.h"

#include "base/assert.h"
#include "base/keccak.h"
#include "controlplane/chain/rlp.h"

#include <string.h>

#define NIBBLES      64
#define BRANCH_ITEMS 17

static const uint8_t empty_root[32] = {
    0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
    0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,
}; /* keccak of an empty string's RLP */

void sgc_trie_begin(struct sgc_trie *trie, const uint8_t root[32], const void *key, size_t key_len)
{
    *trie = (struct sgc_trie){.state = SGC_TRIE_MORE};
    sg_keccak256(key, key_len, trie->key);
    memcpy(trie->want, root, sizeof(trie->want));
    if (memcmp(root, empty_root, sizeof(empty_root)) == 0)
        trie->state = SGC_TRIE_ABSENT;
}

static uint8_t nibble(const uint8_t *bytes, uint32_t i)
{
    return i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15;
}

static enum sgc_trie_state value_found(struct sgc_trie *trie, const struct sgc_rlp_item *item)
{
    if (item->is_list || item->len == 0 || item->len > sizeof(trie->value))
        return SGC_TRIE_WRONG;
    memcpy(trie->value, item->ptr, item->len);
    trie->value_len = item->len;
    return SGC_TRIE_FOUND;
}

/* A child: nothing, a node's hash, or a small node itself, which *inside becomes. */
static enum sgc_trie_state child_enter(struct sgc_trie *trie, const struct sgc_rlp_item *child,
                                       struct sgc_rlp_item *inside)
{
    if (child->is_list) {
        if (child->whole_len >= 32)
            return SGC_TRIE_WRONG; /* must be by hash */
        *inside = *child;
        return SGC_TRIE_MORE;
    }
    if (child->len == 0)
        return SGC_TRIE_ABSENT;
    if (child->len != 32)
        return SGC_TRIE_WRONG;
    memcpy(trie->want, child->ptr, 32);
    return SGC_TRIE_MORE;
}

static enum sgc_trie_state branch_step(struct sgc_trie *trie, const struct sgc_rlp_item *items,
                                       struct sgc_rlp_item *inside)
{
    if (trie->at == NIBBLES)
        return SGC_TRIE_WRONG; /* all keys have one length: none ends within */
    return child_enter(trie, &items[nibble(trie->key, trie->at++)], inside);
}

/* The path of an extension or a leaf: hex-prefix form (yellow paper, appendix C). */
struct path {
    const uint8_t *bytes;
    uint32_t from, count; /* nibbles */
    bool is_leaf;
};

static bool path_read(const struct sgc_rlp_item *item, struct path *out)
{
    if (item->is_list || item->len == 0 || item->len > 33)
        return false;
    uint8_t flags = item->ptr[0] >> 4;
    bool is_odd = (flags & 1) != 0;
    *out = (struct path){item->ptr, is_odd ? 1 : 2, 0, (flags & 2) != 0};
    out->count = (uint32_t)item->len * 2 - out->from;
    return flags < 4 && (is_odd || (item->ptr[0] & 15) == 0);
}

static bool path_matches(const struct sgc_trie *trie, const struct path *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        if (nibble(trie->key, trie->at + i) != nibble(path->bytes, path->from + i))
            return false;
    }
    return true;
}

static enum sgc_trie_state path_step(struct sgc_trie *trie, const struct sgc_rlp_item *items,
                                     struct sgc_rlp_item *inside)
{
    struct path path;
    if (!path_read(&items[0], &path) || path.count > NIBBLES - trie->at)
        return SGC_TRIE_WRONG;
    if (path.is_leaf ? path.count != NIBBLES - trie->at : path.count == 0)
        return SGC_TRIE_WRONG;
    if (!path_matches(trie, &path))
        return SGC_TRIE_ABSENT;
    trie->at += path.count;
    if (path.is_leaf)
        return value_found(trie, &items[1]);
    enum sgc_trie_state state = child_enter(trie, &items[1], inside);
    return state == SGC_TRIE_ABSENT ? SGC_TRIE_WRONG : state; /* it leads somewhere */
}

static enum sgc_trie_state node_step(struct sgc_trie *trie, const struct sgc_rlp_item *node,
                                     struct sgc_rlp_item *inside)
{
    struct sgc_rlp_item items[BRANCH_ITEMS];
    struct sgc_rlp walk = sgc_rlp_items(node);
    uint32_t count = 0;
    while (count < BRANCH_ITEMS && sgc_rlp_next(&walk, &items[count]))
        count++;
    if (walk.malformed || walk.at != walk.end)
        return SGC_TRIE_WRONG;
    if (count == BRANCH_ITEMS)
        return branch_step(trie, items, inside);
    return count == 2 ? path_step(trie, items, inside) : SGC_TRIE_WRONG;
}

enum sgc_trie_state sgc_trie_step(struct sgc_trie *trie, const uint8_t *node, size_t len)
{
    SG_ASSERT(trie->state == SGC_TRIE_MORE);
    uint8_t hash[32];
    struct sgc_rlp_item at, inside;
    trie->state = SGC_TRIE_WRONG;
    sg_keccak256(node, len, hash);
    if (memcmp(hash, trie->want, sizeof(hash)) != 0 || !sgc_rlp_read(node, len, &at))
        return trie->state;
    /* Nodes within nodes are smaller each time. */
    do {
        inside.whole = NULL;
        trie->state = node_step(trie, &at, &inside);
        at = inside;
    } while (trie->state == SGC_TRIE_MORE && inside.whole != NULL);
    return trie->state;
}
