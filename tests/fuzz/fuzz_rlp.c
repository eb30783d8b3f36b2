/* What is read is the only form of its content: written again it is the same. */
#include "base/assert.h"
#include "controlplane/chain/rlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define DEPTH_MAX 32

static bool again(const struct sgc_rlp_item *item, struct sg_out *out, uint32_t depth)
{
    uint64_t number;
    if (!item->is_list) {
        SG_ASSERT(!sgc_rlp_u64(item, &number) || item->len <= 8);
        sgc_rlp_put_bytes(out, item->ptr, item->len);
        return true;
    }
    struct sgc_rlp walk = sgc_rlp_items(item);
    struct sgc_rlp_item inner;
    sgc_rlp_put_list(out, item->len);
    while (depth < DEPTH_MAX && sgc_rlp_next(&walk, &inner)) {
        if (!again(&inner, out, depth + 1))
            return false;
    }
    return depth < DEPTH_MAX && !walk.malformed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t memory[1 << 16];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sgc_rlp_item whole;
    if (len > sizeof(memory) || !sgc_rlp_read(bytes, len, &whole) || !again(&whole, &out, 0))
        return 0;
    SG_ASSERT(!out.full && out.len == len);
    SG_ASSERT(memcmp(memory, bytes, len) == 0);
    return 0;
}
