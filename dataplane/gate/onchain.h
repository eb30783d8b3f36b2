/* onchain - asking a chain whether a signature is good (EIP-1271, ERC-6492, Squads): the control
 * plane does it and countersigns; the dataplane knows only this question. Opened by whoever puts
 * the two planes together. */
#ifndef SGD_GATE_ONCHAIN_H
#define SGD_GATE_ONCHAIN_H

#include "dataplane/gate/grant.h"

struct sgd_onchain {
    void *ctx;
    /* On a verifying thread; may block, up to `timeout_ms`. Writes the countersignature (64 bytes,
     * Ed25519 over the COSE Countersign_structure of the grant, RFC 9338) to `out`. SG_EAUTH: the
     * chain said no. Anything else: it could not be asked. */
    enum sg_err (*ask)(void *ctx, const struct sgd_grant *grant, uint32_t timeout_ms,
                       uint8_t out[64]);
};

#endif
