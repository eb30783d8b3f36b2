/* trust - whose configurations this node takes: those that have a signature of one key beside them,
 * Ed25519 over the file's bytes, as 64 bytes in FILE.sig. What is judged is what is then read, not
 * the file once more. And none that is older than one it took before, by `revision`, which the
 * signature covers: the highest is kept in the state's folder, for each key, as trusted-KEY.
 * Control thread; blocks. */
#ifndef SGD_NODE_TRUST_H
#define SGD_NODE_TRUST_H

#include "base/config.h"

struct sgd_trust;
/* `key_file`: PEM, public; NULL: any configuration is taken, and *out is NULL. Why not is a line in
 * `report`. */
SG_MUST_USE enum sg_err sgd_trust_open(const char *key_file, struct sg_out *report,
                                       struct sgd_trust **out);
/* Accepts NULL. */
void sgd_trust_close(struct sgd_trust *trust);
/* sg_config_load() of a file that is trusted; SG_EAUTH: it is not. SG_ESTALE: it is older than one
 * that was kept, or another of the same revision. `trust` NULL: any is. */
SG_MUST_USE enum sg_err sgd_trust_load(struct sgd_trust *trust, const char *file,
                                       struct sg_out *report, struct sg_config **out);
/* That the one loaded last is in use; durable when it returns SG_OK. Nothing where it has no
 * revision. */
SG_MUST_USE enum sg_err sgd_trust_keep(struct sgd_trust *trust, const struct sg_config *config,
                                       struct sg_out *report);

#endif
