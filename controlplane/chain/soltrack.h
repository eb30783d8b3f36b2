/* soltrack - follows one Solana chain on a thread of its own: solfollow's turns, one every poll_ms,
 * with the status that followers of EVM chains have (follow.h): blocks are slots there, a contract
 * is what a rule names. */
#ifndef SGC_CHAIN_SOLTRACK_H
#define SGC_CHAIN_SOLTRACK_H

#include "controlplane/chain/follow.h"
#include "controlplane/chain/solfollow.h"
#include "controlplane/chain/solhear.h"

struct sgc_soltrack_options {
    struct sg_caip_chain chain; /* solana */
    struct sgc_servers_options servers;
    const struct sgc_rpc_options *ws_servers; /* copied; that tell of changes */
    uint32_t ws_servers_count;                /* 0: it polls */
    const struct sgc_solwant *wants;          /* copied */
    uint32_t wants_count;
    uint32_t poll_ms;
    uint32_t late_s;
    const char *dir;           /* copied: where names are remembered */
    const char *lock_file;     /* copied; held while we follow: another process is waited for */
    struct sgc_ledger *ledger; /* borrowed */
    void (*heard)(void *ctx, const struct sge_chain *chain); /* as in sgc_follow_options */
    void *ctx;
};

struct sgc_soltrack;
SG_MUST_USE enum sg_err sgc_soltrack_open(const struct sgc_soltrack_options *options,
                                          struct sgc_soltrack **out);
/* Ends what is under way first. Accepts NULL. */
void sgc_soltrack_close(struct sgc_soltrack *track);
/* Somebody says that something happened in `slot`, to whom a mint belongs or to what it is: look as
 * soon as a quorum is there, though not more often than every SGC_SOLTRACK_WAKE_MS. Any thread. */
#define SGC_SOLTRACK_WAKE_MS 400 /* a slot */
void sgc_soltrack_wake(struct sgc_soltrack *track, uint64_t slot, bool discover);
/* Forgets all that is known of the chain and looks anew. Any thread; it happens on the track's. */
void sgc_soltrack_rebuild(struct sgc_soltrack *track);
/* False: it polls. */
bool sgc_soltrack_hearing(struct sgc_soltrack *track, struct sgc_solhear_stats *out);
void sgc_soltrack_status(struct sgc_soltrack *track, struct sgc_follow_status *out);

#endif
