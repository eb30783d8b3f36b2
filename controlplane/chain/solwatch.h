/* solwatch - which Solana mints and holders a follower has seen, and what they hold as far as it
 * told the ledger. A file remembers their names, so that who let go while nobody looked is found
 * afterwards: names are written before the ledger hears of them, so the file has all that the
 * ledger has, or more. Grows; one thread. */
#ifndef SGC_CHAIN_SOLWATCH_H
#define SGC_CHAIN_SOLWATCH_H

#include "base/err.h"
#include "controlplane/chain/solana.h"
#include "edgecache/state/facts.h"

#include <stdbool.h>

/* One of one. */
struct sgc_solnft {
    uint8_t mint[SGC_SOL_KEY_BYTES];
    uint8_t account[SGC_SOL_KEY_BYTES]; /* the token account where it was seen last */
    uint8_t owner[SGC_SOL_KEY_BYTES];   /* as told; zero: nobody */
    uint32_t want;                      /* through which it came */
    uint32_t ear;                       /* of solhear */
    bool has_account;
    bool is_told; /* the ledger knows `owner`, in this run */
    bool is_nft;  /* its mint says so: one, undivided */
    bool is_none; /* its mint is gone, or there is nothing of it: nobody can hold it */
    bool is_seen; /* by the discovery under way */
    bool regroup; /* `groups` changed and the ledger does not know */
    bool looked;  /* this turn said who holds it: now_* */
    bool now_held;
    uint8_t now_account[SGC_SOL_KEY_BYTES], now_owner[SGC_SOL_KEY_BYTES];
    uint8_t groups_count;
    uint64_t groups[1 + SGC_SOL_CREATORS_MAX];
};
/* One who has some of a fungible mint. */
struct sgc_solholder {
    uint32_t want; /* whose key is the mint */
    uint8_t owner[SGC_SOL_KEY_BYTES];
    uint64_t amount; /* as told */
    uint64_t now_amount;
    bool is_told;
};

struct sgc_solwatch {
    struct sgc_solnft *nfts;
    struct sgc_solholder *holders;
    uint32_t nfts_count, nfts_cap, holders_count, holders_cap;
    uint32_t *slots; /* by name, open addressing: a row of nfts, or of holders; 0: free */
    uint32_t slots_count;
    uint8_t hash_key[16];
    int fd;
};
#define SGC_SOLWATCH_MAX (1u << 20) /* of either */

/* `file` is made when absent; what it names is there afterwards, if its want is one of `wants`
 * (keys). A file that was cut short is read as far as it goes. *known: it was there already. */
SG_MUST_USE enum sg_err sgc_solwatch_open(const char *file,
                                          const uint8_t (*wants)[SGC_SOL_KEY_BYTES],
                                          uint32_t wants_count, bool *known,
                                          struct sgc_solwatch *out);
void sgc_solwatch_close(struct sgc_solwatch *watch);
/* Finds it, or adds it and writes its name. Pointers move. SG_EFULL: too many. */
SG_MUST_USE enum sg_err sgc_solwatch_nft(struct sgc_solwatch *watch,
                                         const uint8_t mint[SGC_SOL_KEY_BYTES], uint32_t want,
                                         const uint8_t want_key[SGC_SOL_KEY_BYTES],
                                         struct sgc_solnft **out);
SG_MUST_USE enum sg_err sgc_solwatch_holder(struct sgc_solwatch *watch,
                                            const uint8_t owner[SGC_SOL_KEY_BYTES], uint32_t want,
                                            const uint8_t want_key[SGC_SOL_KEY_BYTES],
                                            struct sgc_solholder **out);
/* What was added is on disk. */
SG_MUST_USE enum sg_err sgc_solwatch_sync(struct sgc_solwatch *watch);

#endif
