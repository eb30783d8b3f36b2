/* chainsin - what chains.c and chainsshow.c share. */
#ifndef SGC_CHAIN_CHAINSIN_H
#define SGC_CHAIN_CHAINSIN_H

#include "controlplane/chain/follow.h"

struct sgc_chains {
    struct sgc_ledger *ledger;
    uint32_t count;
    struct sgc_follow *follows[SGE_CHAINS_MAX];
};

#endif
