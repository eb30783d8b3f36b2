/* Logs of any shape: first byte which event, second how many topics, third of what contract; then
 * topics and data. What is read names a token or a delegation, of both ends of which one is known.
 */
#include "base/assert.h"
#include "controlplane/chain/evm.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct sgc_events *events, uint32_t data_len)
{
    SG_ASSERT(events->count <= 2 + data_len / 64);
    for (uint32_t i = 0; i < events->count; i++) {
        const struct sgc_event *event = &events->items[i];
        SG_ASSERT(event->kind == SGC_EVENT_DELEGATION || (event->has_asset && event->asset.has_id));
        SG_ASSERT(event->from.len == 0 || event->from.len == 20);
        SG_ASSERT(event->to.len == 0 || event->to.len == 20);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct sgc_evm evm;
    struct sgc_evm_contract contract = {.asset = {.contract = {.len = 20}}};
    struct sgc_eth_log log = {0};
    struct sgc_events events = {0};
    if (len < 3)
        return 0;
    sgc_evm_init(&evm);
    contract.asset.standard = (bytes[2] & 1) != 0 ? SG_CAIP_ERC1155 : SG_CAIP_ERC721;
    contract.registry = (bytes[2] & 2) != 0;
    log.topics_count = bytes[1] % (SGC_ETH_TOPICS_MAX + 1);
    memcpy(log.topics[0], evm.topics[bytes[0] % SGC_EVM_KINDS], 32);
    bytes += 3;
    len -= 3;
    for (uint8_t i = 1; i < log.topics_count && len >= 32; i++, bytes += 32, len -= 32)
        memcpy(log.topics[i], bytes, 32);
    log.data = bytes;
    log.data_len = (uint32_t)len;
    enum sg_err err = sgc_evm_events(&evm, &contract, &log, &events);
    SG_ASSERT(err == SG_OK || err == SG_ECORRUPT);
    check(&events, log.data_len);
    sgc_events_fini(&events);
    return 0;
}
