/* wanted - what is followed of one chain: the contracts, or what there is of Solana, that the rules
 * and the chain's own entry in the configuration name. */
#ifndef SGC_CHAIN_WANTED_H
#define SGC_CHAIN_WANTED_H

#include "base/config.h"
#include "controlplane/chain/follow.h"
#include "controlplane/chain/solfollow.h"

struct sgc_wanted {
    struct sg_caip_chain chain;
    uint32_t count, solana_count;
    struct sgc_evm_contract contracts[SGC_FOLLOW_CONTRACTS_MAX];
    struct sgc_solwant solana[SGC_SOLWANTS_MAX];
};
/* `conf` is one of config->chains, which was checked. False: there are too many. */
SG_MUST_USE bool sgc_wanted_read(const struct sg_config *config, const struct sg_conf_chain *conf,
                                 struct sgc_wanted *out);
/* Of all that a follower of this chain is opened with, what its files say included: the same digest
 * is the same follower. Reads files. */
void sgc_wanted_digest(const struct sg_conf_chain *conf, const struct sgc_wanted *wanted,
                       uint8_t out[32]);

#endif
