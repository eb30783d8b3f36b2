/* ed25519 - the control plane's own signing key, by OpenSSL: it is read from a file once and stays
 * within OpenSSL's object. Any thread signs. */
#ifndef SGC_SYS_ED25519_H
#define SGC_SYS_ED25519_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct sgc_ed25519;
/* Makes a pair of files in PEM: the private one for its owner alone. SG_EEXIST: one is there, and
 * nothing was written over. */
SG_MUST_USE enum sg_err sgc_ed25519_make(const char *private_file, const char *public_file);
/* PEM, PKCS #8, not encrypted (`openssl genpkey -algorithm ed25519`). SG_EPERM: others than its
 * owner may read the file. SG_ECORRUPT: no key. SG_ENOTSUP: a key of another kind. */
SG_MUST_USE enum sg_err sgc_ed25519_load(const char *file, struct sgc_ed25519 **out);
void sgc_ed25519_close(struct sgc_ed25519 *key);
/* SG_ENOMEM is all that can go wrong. */
SG_MUST_USE enum sg_err sgc_ed25519_sign(const struct sgc_ed25519 *key, struct sg_str message,
                                         uint8_t out[64]);

#endif
