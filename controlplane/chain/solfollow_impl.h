/* solfollow_impl - what solfollow.c (turns), solsee.c (observing) and solsafe.c (what is finalized)
 * share. */
#ifndef SGC_CHAIN_SOLFOLLOW_IMPL_H
#define SGC_CHAIN_SOLFOLLOW_IMPL_H

#include "controlplane/chain/solfollow.h"
#include "controlplane/chain/solwatch.h"

/* Something told to the ledger and not safe yet. */
struct sgc_solpending {
    uint64_t block;
    bool is_nft;
    bool is_void; /* told to be nobody's whoever holds it: there is more than one */
    uint32_t want;
    uint8_t key[SGC_SOL_KEY_BYTES];     /* the mint, or the holder */
    uint8_t owner[SGC_SOL_KEY_BYTES];   /* of a mint; zero: nobody */
    uint8_t account[SGC_SOL_KEY_BYTES]; /* of a mint: where that is to be seen */
    uint64_t amount;                    /* of a holder */
};
#define SGC_SOLPENDING_MAX 65536u

struct sgc_solfollow {
    struct sgc_solfollow_options options;
    struct sgc_solwant *wants;
    uint8_t (*keys)[SGC_SOL_KEY_BYTES]; /* of the wants */
    uint64_t *sources;                  /* of the wants: sge_group_contract() */
    bool *is_hidden; /* of the wants that are tokens: not all balances can be seen */
    struct sgc_solwatch watch;
    bool remembers;  /* the file was there: what the ledger has is known */
    bool based;      /* the ledger has a base, and every want joined */
    bool discovered; /* in this run, all of it once */
    uint64_t discover_at_ns;
    uint32_t lookup_at; /* the next mint to be looked up */
    uint32_t found;     /* of those looked up, in this turn */
    struct sgc_event *events;
    uint32_t events_count, events_cap;
    struct sgc_solpending *pending;
    uint32_t pending_count;
    struct sgc_solfollow_stats stats;
};

struct sg_caip_asset sgc_solfollow_asset(const struct sgc_solfollow *follow, uint32_t want,
                                         const uint8_t mint[SGC_SOL_KEY_BYTES]);

/* Finds the mints of collections and creators, and what their mints are. */
SG_MUST_USE enum sg_err sgc_solsee_discover(struct sgc_solfollow *follow, uint64_t slot_min);
/* Fills now_* of every mint and holder. */
SG_MUST_USE enum sg_err sgc_solsee_all(struct sgc_solfollow *follow,
                                       enum sgc_sol_commitment commitment, uint64_t slot_min);
/* The balances of one want: calls each(owner, amount) once a token account. */
typedef enum sg_err sgc_solsee_fn(void *ctx, const uint8_t account[SGC_SOL_KEY_BYTES],
                                  const struct sgc_sol_holding *holding);
SG_MUST_USE enum sg_err sgc_solsee_holdings(struct sgc_solfollow *follow,
                                            const uint8_t mint[SGC_SOL_KEY_BYTES],
                                            enum sgc_sol_commitment commitment, uint64_t slot_min,
                                            sgc_solsee_fn *each, void *ctx);

/* Says to the stream, behind what it is told, how much of each want that is. */
SG_MUST_USE enum sg_err sgc_solwhole_tell(struct sgc_solfollow *follow);
/* A collection and the mint that it is named by are one source: what of it is not wanted is not
 * followed. */
SG_MUST_USE enum sg_err sgc_solwhole_leave(struct sgc_solfollow *follow);
/* What of it is being seen for the first time. */
SG_MUST_USE enum sg_err sgc_solwhole_begin(struct sgc_solfollow *follow, uint32_t want);

/* Tells the ledger what of the pending became safe. */
SG_MUST_USE enum sg_err sgc_solsafe_turn(struct sgc_solfollow *follow);

#endif
