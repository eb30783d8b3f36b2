/* onchain - whether a wallet that has no key signed a grant: a smart wallet is asked (eip1271.h), a
 * multisig's members are read (squads.h), of a quorum of its chain's servers; what holds is
 * countersigned (RFC 9338), so that every edge believes it without asking.
 * docs/decisions/smart-wallets.md says what is decided. Any thread asks; those of one chain take
 * turns. */
#ifndef SGC_CHAIN_ONCHAIN_H
#define SGC_CHAIN_ONCHAIN_H

#include "base/caip.h"
#include "base/config.h"
#include "controlplane/chain/servers.h"
#include "dataplane/gate/onchain.h"

#define SGC_ONCHAIN_CHAINS_MAX 32

struct sgc_onchain;
struct sgc_onchain_chain {
    struct sg_caip_chain chain;
    struct sgc_servers_options servers; /* connections of our own: a follower's are its own */
};
/* With neither key nor chains yet. */
SG_MUST_USE enum sg_err sgc_onchain_open(struct sgc_onchain **out);
/* Nobody asks any more. Accepts NULL. */
void sgc_onchain_close(struct sgc_onchain *onchain);

struct sgc_onchain_options {
    const char *key_file; /* Ed25519, PEM; its public key is among the nodes' countersigners. NULL:
                             no chain is asked here */
    const struct sgc_onchain_chain *chains;
    uint32_t count;
    uint32_t per_tenant_per_minute; /* questions; 0: no limit */
};
/* With these from now on; questions under way end with what they began with. On failure all stays
 * as it was. */
SG_MUST_USE enum sg_err sgc_onchain_set(struct sgc_onchain *onchain,
                                        const struct sgc_onchain_options *options);
/* The same of a configuration. A line a mistake goes to `report`. */
SG_MUST_USE enum sg_err sgc_onchain_configure(struct sgc_onchain *onchain,
                                              const struct sg_config *config,
                                              struct sg_out *report);
/* Who is asked about accounts of other chains than ours; NULL: nobody. When it returns, nobody is
 * with the one before; that takes as long as a question may. */
void sgc_onchain_set_relay(struct sgc_onchain *onchain, const struct sgd_onchain *relay);
/* Those that are asked here; returns how many. */
uint32_t sgc_onchain_chains(struct sgc_onchain *onchain,
                            struct sg_caip_chain out[SGC_ONCHAIN_CHAINS_MAX]);

/* For sgd_node_set_onchain(); lives as long as *onchain. ask() returns SG_EAUTH for a no of the
 * chain, SG_EAGAIN where no quorum is to be had, SG_ETIMEDOUT, SG_EBUSY when the tenant has asked
 * too often, SG_ENOTSUP for accounts of chains that nobody asks, and whatever the relay says. */
const struct sgd_onchain *sgc_onchain_seam(const struct sgc_onchain *onchain);
/* The same without the relay: for whom others relay to. */
const struct sgd_onchain *sgc_onchain_here(const struct sgc_onchain *onchain);

/* Prometheus text: signatures by what became of the question. */
void sgc_onchain_metrics(const struct sgc_onchain *onchain, struct sg_out *out);

#endif
