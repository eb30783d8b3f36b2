/* ed25519 - the control plane's own signing key, by OpenSSL: it is read from a file once and stays
 * within OpenSSL's object, any thread signs; and whether bytes are a point of the curve. */
#ifndef SGC_SYS_ED25519_H
#define SGC_SYS_ED25519_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct sgc_ed25519;
/* Makes a pair of files in PEM: the private one for its owner alone. SG_EEXIST: one is there, and
 * nothing was written over. */
SG_MUST_USE enum sg_err sgc_ed25519_make(const char *private_file, const char *public_file);
/* PEM, PKCS #8, not encrypted (`openssl genpkey -algorithm ed25519`), sealed or not. SG_EPERM:
 * others than its owner may read the file. SG_ECORRUPT: no key. SG_ENOTSUP: a key of another kind.
 * Else as sg_secret_read(). */
SG_MUST_USE enum sg_err sgc_ed25519_load(const char *file, struct sgc_ed25519 **out);
void sgc_ed25519_close(struct sgc_ed25519 *key);
/* SG_ENOMEM is all that can go wrong. */
SG_MUST_USE enum sg_err sgc_ed25519_sign(const struct sgc_ed25519 *key, struct sg_str message,
                                         uint8_t out[64]);

/* Can these bytes be a public key? As Solana asks it (curve25519-dalek): the sign of x and a y that
 * is not reduced don't matter. SG_ENOMEM. */
SG_MUST_USE enum sg_err sgc_ed25519_is_point(const uint8_t bytes[32], bool *out);

#endif
