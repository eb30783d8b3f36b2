/* grantbody - a grant as a client that knows no CBOR sends it: a JSON object of texts in base64url,
 * {"header": ..., "claims": ..., "signature": ...[, "tx": ...]}, wrapped into COSE. `tx` is what a
 * Solana memo grant has beside its signature, and follows it there. Beside the grant, and no part
 * of what was signed, "list_proofs": a list of Merkle proofs, each a list of "0x..." of 32 bytes,
 * of the account's place in allow lists. Pure. */
#ifndef SGD_GATE_GRANTBODY_H
#define SGD_GATE_GRANTBODY_H

#include "base/out.h"
#include "dataplane/gate/allowlist.h"

struct sgd_list_proofs {
    uint32_t count;
    struct sg_str proofs[SGD_LIST_PROOFS_MAX]; /* in `memory` */
    uint8_t memory[SGD_LIST_PROOFS_MAX][SGD_LIST_PROOF_BYTES];
};

/* Writes tags 61(18([header, {}, claims, signature])). False: not such an object, or it does not
 * fit. Other members are refused, so that nobody believes they were understood. */
SG_MUST_USE bool sgd_grantbody_wrap(struct sg_str json, struct sg_out *cose,
                                    struct sgd_list_proofs *proofs);

#endif
