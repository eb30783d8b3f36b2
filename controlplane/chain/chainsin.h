/* chainsin - what chains.c and chainsshow.c share. */
#ifndef SGC_CHAIN_CHAINSIN_H
#define SGC_CHAIN_CHAINSIN_H

#include "controlplane/chain/soltrack.h"
#include "controlplane/chain/subs.h"

/* One of the two. */
struct sgc_chain {
    struct sgc_follow *evm;
    struct sgc_soltrack *solana;
    struct sgc_subs *subs; /* they wake evm; NULL: no server has a ws_url */
    uint8_t wanted[32];    /* sgc_wanted_digest() */
    bool is_kept;          /* in a reload: it goes on as it is */
};
struct sgc_chains {
    uint32_t count;
    struct sgc_chain all[SGE_CHAINS_MAX];
};

static inline void sgc_chain_status(const struct sgc_chain *chain, struct sgc_follow_status *out)
{
    if (chain->evm != NULL)
        sgc_follow_status(chain->evm, out);
    else
        sgc_soltrack_status(chain->solana, out);
}

#endif
