/* prove - whether what a block's logs say of ownership is what the chain's state says after it:
 * each ERC-721 whose contract has a proof slot, by proof (proof.h). So servers that agree upon a
 * lie about a transfer are caught, even where one server alone is believed. */
#ifndef SGC_CHAIN_PROVE_H
#define SGC_CHAIN_PROVE_H

#include "controlplane/chain/agreed.h"
#include "controlplane/chain/evm.h"

/* `events` are all of `block`, in order; those of contracts that `contract_of` does not know, or
 * that have no slot, are passed over. *proven counts. SG_EAUTH: the logs lie, or the slot is not
 * where the contract keeps its owners. Else as of sgc_proof_owner(). */
SG_MUST_USE enum sg_err sgc_prove_events(
    struct sgc_servers *servers, const struct sgc_eth_block *block, const struct sgc_event *events,
    uint32_t count,
    const struct sgc_evm_contract *(*contract_of)(void *ctx, const struct sg_caip_asset *asset),
    void *ctx, uint64_t *proven);

#endif
