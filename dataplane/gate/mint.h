/* mint - makes an edge token of claims: what sgctl does by hand and the grant endpoint for a
 * wallet. Pure; no allocation. */
#ifndef SGD_GATE_MINT_H
#define SGD_GATE_MINT_H

#include "base/out.h"
#include "dataplane/gate/keys.h"
#include "dataplane/gate/token.h"

/* Writes the base64url text of a token over *claims under the key named by *kid. Claims that are
 * absent (ptr NULL, 0, count 0) are left out; cti is always written. SG_EMSGSIZE: it does not fit
 * `text`, or is larger than a token may be. */
SG_MUST_USE enum sg_err sgd_mint(const struct sgd_claims *claims, const struct sgd_kid *kid,
                                 const struct sg_hmac_key *key, struct sg_out *text);

#endif
