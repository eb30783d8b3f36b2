/* solhear - what a Solana follower is woken by: subscriptions to the token accounts of the mints
 * that its rules name, and to transactions that name a collection or a creator. One server's word,
 * so a reason to look and nothing more; the mints of a collection are too many to be subscribed to,
 * and are polled. */
#ifndef SGC_CHAIN_SOLHEAR_H
#define SGC_CHAIN_SOLHEAR_H

#include "controlplane/chain/soltrack.h"
#include "controlplane/chain/subs.h"

/* What does not fit into SGC_SUBS_MAX subscriptions is polled. Borrows `track`, which must outlive
 * *out. Errors as of sgc_subs_open(). */
SG_MUST_USE enum sg_err sgc_solhear_open(const struct sgc_rpc_options *servers,
                                         uint32_t servers_count, const struct sgc_solwant *wants,
                                         uint32_t wants_count, struct sgc_soltrack *track,
                                         struct sgc_subs **out);

#endif
