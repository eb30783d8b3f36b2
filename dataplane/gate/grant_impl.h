/* grant_impl - what the files of the grant know of each other: grant.c (COSE, check),
 * grantclaims.c, granttext.c (sign-in texts), granttyped.c (EIP-712), grantsolana.c, grantverify.c.
 */
#ifndef SGD_GATE_GRANT_IMPL_H
#define SGD_GATE_GRANT_IMPL_H

#include "dataplane/gate/grant.h"

#define SGD_GRANT_HEADER_MAX   128          /* of a protected header */
#define SGD_GRANT_TEXT_BYTES   255          /* of a tenant, a host, a domain */
#define SGD_GRANT_PATH_BYTES   1024         /* of the path that is shown */
#define SGD_GRANT_TIME_S_MAX   253402300799 /* 9999-12-31T23:59:59Z: four digits a year */
#define SGD_SOLANA_MESSAGE_MAX 1232         /* of a transaction, or of what a Ledger signs */

enum sgd_grant_verdict sgd_grant_claims_read(struct sg_str payload, struct sgd_grant *grant);

/* What stands for the whole grant in what a wallet signs: SHA-256 of the Sig_structure (RFC 9052
 * section 4.4), which holds protected header and claims. False: they do not fit. */
bool sgd_grant_hash(const struct sgd_grant *grant, uint8_t out[32]);
/* The Sig_structure itself. */
bool sgd_grant_put_sig_structure(struct sg_out *out, const struct sgd_grant *grant);
/* The page's host[:port]. */
struct sg_str sgd_grant_domain(const struct sgd_grant *grant);
/* What may be watched, for people: "https://host/path*". */
void sgd_grant_put_target(struct sg_out *out, const struct sgd_grant *grant);
void sgd_grant_put_time(struct sg_out *out, uint64_t unix_s);

bool sgd_grant_put_text(struct sg_out *out, const struct sgd_grant *grant);
bool sgd_grant_typed_digest(const struct sgd_grant *grant, uint8_t out[32]);
bool sgd_grant_put_offchain(struct sg_out *out, const struct sgd_grant *grant);
bool sgd_grant_put_memo_transaction(struct sg_out *out, const struct sgd_grant *grant);
/* `message` is one that a wallet may have made of the above: the same memo, and nothing else but
 * what the transaction may cost. */
bool sgd_grant_is_memo_transaction(const struct sgd_grant *grant, struct sg_str message);

#endif
