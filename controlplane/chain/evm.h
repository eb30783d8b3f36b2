/* evm - what logs of an EVM chain say of ownership: ERC-721, ERC-1155, the users of ERC-4907, and
 * the delegations of delegate.xyz's registry (v2). Pure; any thread. What can't be ownership is
 * left out and counted; a log that is meant to say who owns what and can't be read is SG_ECORRUPT:
 * its contract can't be followed, and must not be believed. */
#ifndef SGC_CHAIN_EVM_H
#define SGC_CHAIN_EVM_H

#include "controlplane/chain/eth.h"
#include "controlplane/chain/ledger.h"

enum sgc_evm_kind {
    SGC_EVM_TRANSFER,        /* Transfer(address,address,uint256) */
    SGC_EVM_TRANSFER_SINGLE, /* TransferSingle(address,address,address,uint256,uint256) */
    SGC_EVM_TRANSFER_BATCH,  /* TransferBatch(address,address,address,uint256[],uint256[]) */
    SGC_EVM_UPDATE_USER,     /* UpdateUser(uint256,address,uint64) */
    SGC_EVM_DELEGATE_ALL,
    SGC_EVM_DELEGATE_CONTRACT,
    SGC_EVM_DELEGATE_ERC721,
    SGC_EVM_DELEGATE_ERC1155,
    SGC_EVM_KINDS
};
/* The first topics: what eth_getLogs asks for. */
struct sgc_evm {
    uint8_t topics[SGC_EVM_KINDS][32];
};
void sgc_evm_init(struct sgc_evm *evm);

struct sgc_evm_contract {
    struct sg_caip_asset asset; /* without an id; of a registry: erc721 */
    bool registry;              /* it tells delegations, and nothing else of it counts */
    uint64_t source;            /* sge_group_contract() */
    uint64_t first_block;       /* 0: to be found out */
    bool has_proof_slot;        /* owners or balances at the head are proven (prove.h) */
    bool has_balances_slot;     /* of an ERC-721: how many who has is proven, too */
    struct sg_u256 proof_slot, balances_slot;
};

/* Events as they gather. */
struct sgc_events {
    struct sgc_event *items;
    uint32_t count, cap;
    uint64_t skipped; /* logs that say nothing of ownership */
};
void sgc_events_fini(struct sgc_events *events);
/* Adds what `log`, of `contract`, says. SG_ECORRUPT as above; SG_ENOMEM. */
SG_MUST_USE enum sg_err sgc_evm_events(const struct sgc_evm *evm,
                                       const struct sgc_evm_contract *contract,
                                       const struct sgc_eth_log *log, struct sgc_events *out);

#endif
