/* Answers of chain servers: whatever they are, each ask ends somehow; what claims to be a block or
 * logs is read, or is garbage. The first byte says how many asks there were. */
#include "base/assert.h"
#include "controlplane/chain/eth.h"
#include "controlplane/chain/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void result_read(struct sg_jsonread result)
{
    static uint8_t scratch[1024];
    struct sgc_eth_block block;
    struct sgc_eth_logs logs;
    struct sgc_eth_log log;
    struct sg_u256 number;
    uint64_t small;
    SG_ASSERT(!sgc_eth_u64(result, &small) || sgc_eth_u256(result, &number));
    if (sg_jsonread_kind(result) == SG_JSONREAD_OBJECT && sgc_eth_read_block(result, &block))
        SG_ASSERT(result.len > 512);
    if (!sgc_eth_logs_begin(&logs, result, scratch, sizeof(scratch)))
        return;
    while (sgc_eth_logs_next(&logs, &log))
        SG_ASSERT(log.topics_count <= SGC_ETH_TOPICS_MAX && log.data_len <= sizeof(scratch));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sgc_rpc_ask asks[4] = {{.method = "m"}};
    static const uint16_t statuses[] = {200, 200, 429, 500};
    if (len == 0)
        return 0;
    uint32_t count = 1 + bytes[0] % 4;
    sgc_rpc_read((struct sg_str){(const char *)bytes + 1, len - 1}, statuses[bytes[0] / 4 % 4], 1,
                 asks, count);
    for (uint32_t i = 0; i < count; i++) {
        SG_ASSERT(asks[i].end < SGC_RPC_ENDS);
        SG_ASSERT(asks[i].end != SGC_RPC_ok || asks[i].result.ptr != NULL);
        if (asks[i].end == SGC_RPC_ok)
            result_read(asks[i].result);
    }
    return 0;
}
