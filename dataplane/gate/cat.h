/* cat - the claims of the Common Access Token that edge tokens and grants have in common: where
 * (catu, 312) and how (catm, 313). Read in place and written. Pure. */
#ifndef SGD_GATE_CAT_H
#define SGD_GATE_CAT_H

#include "base/cbor.h"
#include "dataplane/gate/token.h"

/* catu { part: { kind: value } }. False: another form, or one that would have to be enforced and
 * can't be; *count is then of no use. One that asks for nothing would open everything: refused. */
bool sgd_catu_read(struct sg_cbor *cbor, struct sgd_match matches[SGD_TOKEN_MATCHES_MAX],
                   uint8_t *count);
void sgd_catu_put(struct sg_out *out, const struct sgd_match *matches, uint8_t count);
/* catm [name ...], to bits by enum sgd_method; names that we don't know are no bits. */
bool sgd_catm_read(struct sg_cbor *cbor, uint32_t *methods);
void sgd_catm_put(struct sg_out *out, uint32_t methods);

#endif
