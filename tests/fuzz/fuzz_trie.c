/* Nodes of a proof, each after two bytes of its length. Their hashes are made to fit, or no fuzzer
 * would come past the first: what is left is whatever a node may contain. */
#include "base/assert.h"
#include "base/keccak.h"
#include "controlplane/chain/trie.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint8_t root[32] = {1};
    struct sgc_trie trie;
    uint32_t steps = 0;
    sgc_trie_begin(&trie, root, bytes, len > 0);
    while (trie.state == SGC_TRIE_MORE && len >= 2) {
        size_t node_len = ((size_t)bytes[0] << 8 | bytes[1]) % (SGC_TRIE_NODE_MAX + 1);
        bytes += 2;
        len -= 2;
        if (node_len > len)
            return 0;
        sg_keccak256(bytes, node_len, trie.want);
        uint32_t before = trie.at;
        sgc_trie_step(&trie, bytes, node_len);
        SG_ASSERT(trie.at <= 64 && trie.at >= before);
        SG_ASSERT(trie.state != SGC_TRIE_MORE || trie.at > before);
        SG_ASSERT(trie.state != SGC_TRIE_FOUND || (trie.at == 64 && trie.value_len > 0));
        SG_ASSERT(++steps <= 65);
        bytes += node_len;
        len -= node_len;
    }
    return 0;
}
