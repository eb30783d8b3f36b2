/* prove - whether what a block's logs say of ownership is what the chain's state says after it, by
 * proof (proof.h): the owners of an ERC-721 and the balances of an ERC-1155 whose contract has a
 * proof slot; and how many of an ERC-721 whoever is named in the block has more or less than before
 * it, where the contract has a balances slot: that tells transfers of theirs that the logs leave
 * out. So servers that agree upon a lie about a transfer are caught, even where one server alone is
 * believed. */
#ifndef SGC_CHAIN_PROVE_H
#define SGC_CHAIN_PROVE_H

#include "controlplane/chain/agreed.h"
#include "controlplane/chain/evm.h"

/* Balances of one block that are proven, and as many counts of ERC-721s; of more, the first ones
 * are, and the rest is taken as the quorum has it: whoever sends dust to thousands must not hold
 * the chain up. */
#define SGC_PROVE_BALANCES_MAX 1024

struct sgc_prove {
    struct sgc_servers *servers;
    struct sgc_ledger *ledger; /* as it is before the block: it has all balances */
    /* Those that it does not know (NULL), or that have no slot, are passed over. */
    const struct sgc_evm_contract *(*contract_of)(void *ctx, const struct sg_caip_asset *asset);
    void *ctx;
    uint64_t *proven; /* counts */
    bool *cut;        /* becomes true where there were more than SGC_PROVE_BALANCES_MAX */
};
/* `events` are all of `block`, in order. SG_EAUTH: the logs lie, or the slot is not where the
 * contract keeps its owners or balances. Else as of sgc_proof_slots(). */
SG_MUST_USE enum sg_err sgc_prove_events(const struct sgc_prove *prove,
                                         const struct sgc_eth_block *block,
                                         const struct sgc_event *events, uint32_t count);

#endif
