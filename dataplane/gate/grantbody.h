/* grantbody - a grant as a client that knows no CBOR sends it: a JSON object of texts in base64url,
 * {"header": ..., "claims": ..., "signature": ...[, "tx": ...]}, wrapped into COSE. `tx` is what a
 * Solana memo grant has beside its signature, and follows it there. Pure. */
#ifndef SGD_GATE_GRANTBODY_H
#define SGD_GATE_GRANTBODY_H

#include "base/err.h"
#include "base/out.h"

/* Writes tags 61(18([header, {}, claims, signature])). False: not such an object, or it does not
 * fit. Other members are refused, so that nobody believes they were understood. */
SG_MUST_USE bool sgd_grantbody_wrap(struct sg_str json, struct sg_out *cose);

#endif
