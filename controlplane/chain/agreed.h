/* agreed - what a quorum of an EVM chain's servers says: its head, blocks, logs and calls. Beside
 * what each says, all return what sgc_servers_ask() does: SG_EAGAIN for no quorum, above all. */
#ifndef SGC_CHAIN_AGREED_H
#define SGC_CHAIN_AGREED_H

#include "controlplane/chain/eth.h"
#include "controlplane/chain/servers.h"

/* Behind the agreed head by more than this, and a server is left out. */
#define SGC_AGREED_LAG_BLOCKS 16

/* The highest block that a quorum has as SGC_ETH_LATEST, _SAFE or _FINALIZED. All servers in use
 * are asked. */
SG_MUST_USE enum sg_err sgc_agreed_head(struct sgc_servers *servers, enum sgc_eth_at_kind kind,
                                        struct sgc_eth_block *out);
/* By SGC_ETH_NUMBER or SGC_ETH_HASH. SG_ENOENT: there is none, or not yet. */
SG_MUST_USE enum sg_err sgc_agreed_block(struct sgc_servers *servers, const struct sgc_eth_at *at,
                                         struct sgc_eth_block *out);

/* Each log that a quorum names alike, in the chain's order: block, then place in the block. `log`
 * and its data live for the call. Nothing is told before all was agreed upon. False ends it with
 * SG_EINTR. To be sure which fork's logs they are, ask by hash, or below safe. */
typedef bool sgc_agreed_log_fn(void *ctx, const struct sgc_eth_log *log);
SG_MUST_USE enum sg_err sgc_agreed_logs(struct sgc_servers *servers,
                                        const struct sgc_eth_filter *filter,
                                        sgc_agreed_log_fn *each, void *ctx);
/* The data of one log: more makes it garbage. */
#define SGC_AGREED_LOG_BYTES (256u << 10)

/* eth_call, of code that anybody may have written. The answer is written to out[0 .. *len);
 * `reverted`: it is the revert's data, as far as there is any. SG_ERANGE: they agree on an answer
 * of more than `max` bytes. */
SG_MUST_USE enum sg_err sgc_agreed_call(struct sgc_servers *servers,
                                        const struct sgc_eth_call *call, uint8_t *out, size_t max,
                                        size_t *len, bool *reverted);
/* eth_chainId: that the configured servers are the chain's at all. */
SG_MUST_USE enum sg_err sgc_agreed_chain_id(struct sgc_servers *servers, uint64_t *out);

#endif
