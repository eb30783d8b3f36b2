/* multisig - what members of a Squads multisig (v4) signed in the name of its vault: the signature
 * of an ON_CHAIN grant of a Solana account. CBOR, in one form: [multisig's account, 32 bytes; vault
 * index, 0 to 255;
 *      [[member, 32 bytes; Ed25519 signature of the grant's text, 64 bytes], ...]]
 * with the members in ascending order, none twice. Whether they are members, and enough, the chain
 * says (controlplane/chain/squads.h). Pure; any thread. */
#ifndef SGD_GATE_MULTISIG_H
#define SGD_GATE_MULTISIG_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SGD_MULTISIG_SIGNERS_MAX 32

/* Borrowed from the bytes. */
struct sgd_multisig {
    const uint8_t *account;
    uint8_t vault;
    uint8_t signers_count; /* 1 or more */
    struct {
        const uint8_t *key, *signature;
    } signers[SGD_MULTISIG_SIGNERS_MAX];
};
/* False: not of that form. */
bool sgd_multisig_read(struct sg_str bytes, struct sgd_multisig *out);
/* All of them signed `text`. Some 60 us each. */
bool sgd_multisig_signed(const struct sgd_multisig *multisig, struct sg_str text);

#endif
