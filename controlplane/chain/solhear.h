/* solhear - what a Solana follower is woken by: subscriptions to the token accounts of the mints
 * that its rules name, to transactions that name a collection or a creator, and to the account that
 * holds each mint of a collection or a creator, as it moves. They are spread over connections, as
 * many to each as providers allow. What they say is one server's word, so a reason to look and
 * nothing more; what does not fit, or no server takes, is polled all the same. */
#ifndef SGC_CHAIN_SOLHEAR_H
#define SGC_CHAIN_SOLHEAR_H

#include "controlplane/chain/solfollow.h"
#include "controlplane/chain/solwatch.h"
#include "controlplane/chain/subs.h"

#define SGC_SOLHEAR_CONNECTIONS_MAX 16 /* so up to 1600 subscriptions */

struct sgc_solhear;
struct sgc_solhear_options {
    const struct sgc_rpc_options *servers; /* ws: or wss: URLs; for the call only */
    uint32_t servers_count;
    const struct sgc_solwant *wants; /* for the call only */
    uint32_t wants_count;
    /* On a thread of a connection: something happened in `slot`, to whom a mint belongs, or (only
     * once it is final) to what mints there are. */
    void (*wake)(void *ctx, uint64_t slot, bool discover);
    void *ctx;
};
/* Errors as of sgc_subs_open(). */
SG_MUST_USE enum sg_err sgc_solhear_open(const struct sgc_solhear_options *options,
                                         struct sgc_solhear **out);
/* Accepts NULL. */
void sgc_solhear_close(struct sgc_solhear *hear);
/* Subscribes to the accounts where what came by a collection or a creator is held now, in place of
 * where it was; `nft->ear` is ours. From one thread. `is_new`: it is another watch than before. */
void sgc_solhear_accounts(struct sgc_solhear *hear, struct sgc_solwatch *watch, bool is_new);

struct sgc_solhear_stats {
    struct sgc_subs_stats subs; /* of all connections; up where each of them is */
    uint32_t connections;
    uint32_t polled; /* accounts that nothing is subscribed for: there is no room */
};
void sgc_solhear_stats(struct sgc_solhear *hear, struct sgc_solhear_stats *out);

#endif
