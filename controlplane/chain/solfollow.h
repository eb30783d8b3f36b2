/* solfollow - follows one Solana chain by observation: every turn it asks a quorum of servers what
 * the token accounts behind the rules' mints hold now, as confirmed, and tells the ledger what
 * changed, as a block of its own making whose number is the slot. What it told becomes safe once
 * servers say the same as finalized. So it sees who holds what, not each transfer in between: a
 * mint that came and went between two turns was not missed by anybody that matters.
 *
 * Mints of a collection, or of a creator, are found by their Metaplex metadata, finalized and
 * verified, every discover_ms. One of one means a supply of one and no decimals: else it opens
 * nothing. Confidential balances of Token-2022 are not seen, so they count as nothing.
 * One thread; a turn blocks, up to the servers' time limits. */
#ifndef SGC_CHAIN_SOLFOLLOW_H
#define SGC_CHAIN_SOLFOLLOW_H

#include "controlplane/chain/ledger.h"
#include "controlplane/chain/servers.h"
#include "controlplane/chain/solana.h"
#include "controlplane/chain/solwatch.h"

enum sgc_solwant_kind {
    SGC_SOLWANT_NFT,        /* this mint, one of one */
    SGC_SOLWANT_TOKEN,      /* balances of this mint */
    SGC_SOLWANT_COLLECTION, /* all mints that the collection's authority verified */
    SGC_SOLWANT_CREATOR,    /* all mints that this account signed as a creator */
};
struct sgc_solwant {
    enum sgc_solwant_kind kind;
    uint8_t key[SGC_SOL_KEY_BYTES];
};
#define SGC_SOLWANTS_MAX 256

struct sgc_solfollow;
struct sgc_solfollow_options {
    struct sg_caip_chain chain;
    struct sgc_servers *servers; /* both outlive it */
    struct sgc_ledger *ledger;
    const char *dir; /* where it remembers names: the ledger's */
    const struct sgc_solwant *wants;
    uint32_t wants_count;
    uint32_t discover_ms; /* 0: 60 s */
};
/* Asks nobody yet. */
SG_MUST_USE enum sg_err sgc_solfollow_open(const struct sgc_solfollow_options *options,
                                           struct sgc_solfollow **out);
void sgc_solfollow_close(struct sgc_solfollow *follow);

/* One observation. SG_EAGAIN: no quorum, try again; SG_EINVAL: the servers are another chain's.
 * Whatever else stops it: nothing was told that is not so. */
SG_MUST_USE enum sg_err sgc_solfollow_turn(struct sgc_solfollow *follow, uint64_t now_ns);

/* What it has seen; until the next turn. */
struct sgc_solwatch *sgc_solfollow_watch(struct sgc_solfollow *follow);
/* The next turn looks for new mints. */
void sgc_solfollow_discover(struct sgc_solfollow *follow);

struct sgc_solfollow_stats {
    uint64_t head, safe; /* slots: the last observed; the last that was checked as finalized */
    uint64_t turns, changes, lookups;
    uint32_t mints, holders, pending; /* pending: told and not safe yet */
    bool is_behind;                   /* more has moved than a turn looks for */
    uint32_t not_one;                 /* mints that rules take for one of one and are not */
};
void sgc_solfollow_stats(const struct sgc_solfollow *follow, struct sgc_solfollow_stats *out);

#endif
