/* solpda - addresses that a Solana program derives: they are no point of the curve, so nobody has a
 * key of theirs, and the program alone acts for them. */
#ifndef SGC_CHAIN_SOLPDA_H
#define SGC_CHAIN_SOLPDA_H

#include "controlplane/chain/solana.h"

#define SGC_SOLPDA_SEEDS_MAX 15 /* the bump is one more */

/* find_program_address: of the seeds, each up to 32 bytes, under the highest bump that makes it
 * one. SG_ENOENT: none does. SG_ENOMEM. */
SG_MUST_USE enum sg_err sgc_solpda_find(enum sgc_sol_program program, const struct sg_str *seeds,
                                        uint32_t count, uint8_t out[SGC_SOL_KEY_BYTES]);

#endif
