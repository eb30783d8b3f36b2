#include "controlplane/chain/prove.h"

#include "base/assert.h"
#include "controlplane/chain/proof.h"

static bool same_asset(const struct sgc_event *a, const struct sgc_event *b)
{
    return memcmp(a->asset.id.bytes, b->asset.id.bytes, sizeof(a->asset.id.bytes)) == 0 &&
           memcmp(a->asset.contract.bytes, b->asset.contract.bytes, 20) == 0;
}

/* A later one of the block is what counts. */
static bool is_last(const struct sgc_event *events, uint32_t count, uint32_t at)
{
    for (uint32_t i = at + 1; i < count; i++) {
        if (events[i].kind == SGC_EVENT_OWNER && same_asset(&events[i], &events[at]))
            return false;
    }
    return true;
}

static enum sg_err owner_prove(struct sgc_servers *servers, const struct sgc_eth_block *block,
                               const struct sgc_event *event, const uint8_t slot[32])
{
    static const uint8_t nobody[20];
    uint8_t owner[20];
    enum sg_err err =
        sgc_proof_owner(servers, block, event->asset.contract.bytes, slot, &event->asset.id, owner);
    if (err != SG_OK)
        return err;
    const uint8_t *said = event->to.len == 20 ? event->to.bytes : nobody;
    return memcmp(owner, said, sizeof(owner)) == 0 ? SG_OK : SG_EAUTH;
}

enum sg_err sgc_prove_events(
    struct sgc_servers *servers, const struct sgc_eth_block *block, const struct sgc_event *events,
    uint32_t count,
    const struct sgc_evm_contract *(*contract_of)(void *ctx, const struct sg_caip_asset *asset),
    void *ctx, uint64_t *proven)
{
    for (uint32_t i = 0; i < count; i++) {
        if (events[i].kind != SGC_EVENT_OWNER)
            continue;
        const struct sgc_evm_contract *contract = contract_of(ctx, &events[i].asset);
        if (contract == NULL || !contract->has_proof_slot || !is_last(events, count, i))
            continue;
        enum sg_err err = owner_prove(servers, block, &events[i], contract->proof_slot.bytes);
        if (err != SG_OK)
            return err;
        ++*proven;
    }
    return SG_OK;
}
