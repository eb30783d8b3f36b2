/* onchain - whether a smart wallet's signature of a grant holds (EIP-1271, ERC-6492), asked of a
 * quorum of its chain's servers at a block that they agree on; what holds is countersigned
 * (RFC 9338), so that every edge believes it without asking. docs/decisions/smart-wallets.md says
 * how wallets that are not deployed yet are asked, and why Squads' multisigs are refused.
 * Any thread asks; those of one chain take turns. */
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
/* `key_file`: Ed25519, PEM; its public key is among the nodes' countersigners. */
SG_MUST_USE enum sg_err sgc_onchain_open(const struct sgc_onchain_chain *chains, uint32_t count,
                                         const char *key_file, struct sgc_onchain **out);
/* With the key and the chains of a configuration. *out is NULL where it has no key. A line a
 * mistake goes to `report`. */
SG_MUST_USE enum sg_err sgc_onchain_open_config(const struct sg_config *config,
                                                struct sg_out *report, struct sgc_onchain **out);
/* Nobody asks any more. */
void sgc_onchain_close(struct sgc_onchain *onchain);

/* For sgd_node_set_onchain(); lives as long as *onchain. ask() returns SG_EAUTH for a no of the
 * chain, SG_EAGAIN where no quorum is to be had, SG_ETIMEDOUT, SG_ENOTSUP for accounts that can't
 * be asked here: of chains without servers, of Solana. */
const struct sgd_onchain *sgc_onchain_seam(const struct sgc_onchain *onchain);

/* The question alone, without a grant: does `account` of an EVM chain say that `signature` is one
 * of `digest`? SG_OK: it does. SG_EAUTH: it does not. Else as sgc_servers_ask(). */
SG_MUST_USE enum sg_err sgc_onchain_signed(struct sgc_servers *servers, const uint8_t account[20],
                                           const uint8_t digest[32], struct sg_str signature);

/* Prometheus text: signatures by what became of the question. */
void sgc_onchain_metrics(const struct sgc_onchain *onchain, struct sg_out *out);

#endif
