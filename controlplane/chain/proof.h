/* proof - what a single server says of a chain's state, checked against a block that a quorum
 * agreed on: a header against its hash, an account and its storage against the header's state root
 * (EIP-1186). A server that lies is caught without asking another. Pure but for the askers. */
#ifndef SGC_CHAIN_PROOF_H
#define SGC_CHAIN_PROOF_H

#include "controlplane/chain/agreed.h"

/* ---- headers ---- */

/* The hash that follows from a block's fields (JSON, as of eth_getBlockByHash), with those of every
 * fork up to Prague that are there. False: garbage. Chains with header fields of their own come out
 * wrong: for them this check can't be had. */
bool sgc_proof_header_hash(struct sg_jsonread block, uint8_t out[32]);

/* ---- state ---- */

struct sgc_proof_account {
    bool exists;
    uint8_t storage_root[32], code_hash[32];
};
/* eth_getProof's answer for `address` and `slots`, in their order. values[i]: zero where the
 * storage has nothing. False: not proven. */
bool sgc_proof_read(struct sg_jsonread answer, const uint8_t state_root[32],
                    const uint8_t address[20], const uint8_t (*slots)[32], uint32_t slots_count,
                    struct sgc_proof_account *account, struct sg_u256 *values);

/* Where Solidity keeps mapping[key] of a mapping at `slot`; a mapping within is the same again. */
void sgc_proof_mapping_slot(const struct sg_u256 *key, const uint8_t slot[32], uint8_t out[32]);

/* Asks one server after the other for a proof until one holds against `block`, which a quorum
 * agreed on. `slot` is the number of the contract's mapping: of ERC-721 from id to owner
 * (OpenZeppelin 5: 2), of ERC-1155 from id to account to balance (OpenZeppelin 5: 0). Errors as of
 * sgc_servers_ask(); SG_ENOTSUP: no server offers proofs. */
#define SGC_PROOF_SLOTS_MAX 64 /* in one question */
SG_MUST_USE enum sg_err sgc_proof_slots(struct sgc_servers *servers,
                                        const struct sgc_eth_block *block,
                                        const uint8_t contract[20], const uint8_t (*slots)[32],
                                        uint32_t count, struct sg_u256 *values);
/* Where an ERC-1155 keeps what `account` has of `id`. */
void sgc_proof_balance_slot(const struct sg_u256 *id, const uint8_t account[20],
                            const uint8_t slot[32], uint8_t out[32]);
/* Where an ERC-721 keeps how many `account` has. `slot`: of that mapping (OpenZeppelin 5: 3). */
void sgc_proof_count_slot(const uint8_t account[20], const uint8_t slot[32], uint8_t out[32]);
SG_MUST_USE enum sg_err sgc_proof_owner(struct sgc_servers *servers,
                                        const struct sgc_eth_block *block,
                                        const uint8_t contract[20], const uint8_t slot[32],
                                        const struct sg_u256 *id, uint8_t owner[20]);
SG_MUST_USE enum sg_err sgc_proof_balance(struct sgc_servers *servers,
                                          const struct sgc_eth_block *block,
                                          const uint8_t contract[20], const uint8_t slot[32],
                                          const struct sg_u256 *id, const uint8_t account[20],
                                          struct sg_u256 *balance);

#endif
