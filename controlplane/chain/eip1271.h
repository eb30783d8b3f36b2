/* eip1271 - whether a contract says that a signature is its own (EIP-1271), asked of a quorum of
 * its chain's servers at a block that they agree on; one that is not deployed yet too (ERC-6492),
 * by way of its factory. docs/decisions/smart-wallets.md says how. */
#ifndef SGC_CHAIN_EIP1271_H
#define SGC_CHAIN_EIP1271_H

#include "controlplane/chain/servers.h"

/* Does `account` say that `signature` is one of `digest`? SG_OK: it does. SG_EAUTH: it does not.
 * Else as sgc_servers_ask(). Blocks. */
SG_MUST_USE enum sg_err sgc_eip1271_ask(struct sgc_servers *servers, const uint8_t account[20],
                                        const uint8_t digest[32], struct sg_str signature);

#endif
