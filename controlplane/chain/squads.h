/* squads - whether the members of a Squads multisig (v4) that signed in its vault's name are enough
 * of them: its account is read of a quorum of servers, finalized. What that proves, and what not,
 * is in docs/decisions/smart-wallets.md. */
#ifndef SGC_CHAIN_SQUADS_H
#define SGC_CHAIN_SQUADS_H

#include "controlplane/chain/servers.h"
#include "controlplane/chain/solana.h"
#include "dataplane/gate/multisig.h"

#define SGC_SQUADS_MEMBER_BYTES 33 /* key, permissions */

/* The account as the program writes it (Borsh; state/multisig.rs). Borrows its bytes. */
struct sgc_squads {
    uint16_t threshold;
    uint64_t transaction_index, stale_transaction_index;
    uint32_t members_count; /* ascending, none twice */
    const uint8_t *members;
};
/* False: no multisig of the program's, or one that the program's own rules don't allow. What stands
 * behind the members is room for more of them, and may be of former ones. */
bool sgc_squads_read(const struct sgc_sol_account *account, struct sgc_squads *out);
/* Is it a member, and may it vote? */
bool sgc_squads_votes(const struct sgc_squads *squads, const uint8_t key[SGC_SOL_KEY_BYTES]);

/* The address that holds what the multisig owns. Errors as of sgc_solpda_find(). */
SG_MUST_USE enum sg_err sgc_squads_vault(const uint8_t multisig[SGC_SOL_KEY_BYTES], uint8_t index,
                                         uint8_t out[SGC_SOL_KEY_BYTES]);

/* May those who signed, whose signatures hold, speak for `vault`? SG_OK: they may. SG_EAUTH: they
 * may not. Else as sgc_servers_ask(). Blocks. */
SG_MUST_USE enum sg_err sgc_squads_ask(struct sgc_servers *servers,
                                       const uint8_t vault[SGC_SOL_KEY_BYTES],
                                       const struct sgd_multisig *signers);

#endif
