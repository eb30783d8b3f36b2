/* proof - that whoever asks has the session key: a DPoP proof (RFC 9449), a JWT of type dpop+jwt
 * signed by the key whose JWK stands in its header (ES256 or EdDSA). Pure but for the signature;
 * no allocation of ours. */
#ifndef SGD_GATE_PROOF_H
#define SGD_GATE_PROOF_H

#include "dataplane/gate/grant.h"

#define SGD_PROOF_TEXT_MAX 2048
#define SGD_PROOF_S        60 /* iat may be that far from now, either way (plus the skew) */

struct sgd_proof_terms {
    struct sg_str method; /* htm */
    struct sg_str uri;    /* htu: scheme, authority, path; no query */
    struct sg_str token;  /* whose SHA-256 must be `ath`; ptr NULL: `ath` need not be there */
    uint8_t ckt[SGD_CKT_BYTES];
    uint64_t now_s;
    uint32_t skew_s;
};
/* What a replay cache keeps of a proof that was right. */
struct sgd_proof {
    uint8_t id[16]; /* of its jti and key */
    uint64_t issued_s;
};
enum sgd_grant_verdict sgd_proof_check(struct sg_str jwt, const struct sgd_proof_terms *terms,
                                       struct sgd_proof *out);
/* The COSE key thumbprint (RFC 9679, SHA-256) of the JWK in a proof's header, unverified: what a
 * client may ask the challenge for. */
SG_MUST_USE bool sgd_proof_ckt(struct sg_str jwt, uint8_t out[SGD_CKT_BYTES]);

#endif
