/* solask - what a quorum of a Solana chain's servers says: slots, and accounts as they stand. A
 * server answers from the slot it has reached; answers agree when the accounts do, whatever the
 * slots. All return what sgc_servers_ask() does: SG_EAGAIN for no quorum, above all. Calls block.
 * One thread. */
#ifndef SGC_CHAIN_SOLASK_H
#define SGC_CHAIN_SOLASK_H

#include "controlplane/chain/servers.h"
#include "controlplane/chain/solana.h"

/* Behind the agreed slot by more than this (a minute), and a server is left out. */
#define SGC_SOLASK_LAG_SLOTS 150

/* The highest slot that a quorum has reached. All servers in use are asked. */
SG_MUST_USE enum sg_err sgc_solask_slot(struct sgc_servers *servers,
                                        enum sgc_sol_commitment commitment, uint64_t *out);
/* The first 32 characters of the genesis hash: a chain's name in CAIP-2 (solana:...). */
SG_MUST_USE enum sg_err sgc_solask_genesis(struct sgc_servers *servers, char out[33]);

/* Each account in the answer; `account` and its data live for the call. Nothing is told before all
 * was agreed upon. */
typedef void sgc_solask_fn(void *ctx, const struct sgc_sol_account *account);
/* Up to SGC_SOL_ACCOUNTS_MAX, in their order, those that don't exist too. */
SG_MUST_USE enum sg_err sgc_solask_multiple(struct sgc_servers *servers,
                                            const uint8_t (*keys)[SGC_SOL_KEY_BYTES],
                                            uint32_t count, enum sgc_sol_commitment commitment,
                                            uint64_t slot_min, sgc_solask_fn *each, void *ctx);
/* All of a program's accounts with `key` at `offset`. SG_EMSGSIZE: there are too many. */
SG_MUST_USE enum sg_err sgc_solask_program(struct sgc_servers *servers,
                                           enum sgc_sol_program program, uint32_t offset,
                                           const uint8_t key[SGC_SOL_KEY_BYTES],
                                           enum sgc_sol_commitment commitment, uint64_t slot_min,
                                           sgc_solask_fn *each, void *ctx);

#endif
