/* osslcert - the door to OpenSSL's certificates: read from PEM files and looked into. Control
 * threads only; what is open is immutable. */
#ifndef SGD_SYS_OSSLCERT_H
#define SGD_SYS_OSSLCERT_H

#include "base/err.h"
#include "base/out.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum sgd_cert_kind { SGD_CERT_ECDSA, SGD_CERT_RSA, SGD_CERT_ED25519, SGD_CERT_KINDS };

struct sgd_cert; /* a leaf, what it is signed by, and its key */

/* SG_ECONFIG: a line "FILE: what is wrong" is in `report`. */
SG_MUST_USE enum sg_err sgd_cert_open(const char *cert_file, const char *key_file,
                                      struct sg_out *report, struct sgd_cert **out);
/* Accepts NULL. */
void sgd_cert_close(struct sgd_cert *cert);

enum sgd_cert_kind sgd_cert_kind(const struct sgd_cert *cert);
int64_t sgd_cert_not_after_s(const struct sgd_cert *cert);
/* Common name, else the first DNS name; as long as the certificate. */
const char *sgd_cert_subject(const struct sgd_cert *cert);
/* Lower-case DNS names ("*.example.org" too), or the common name where there are none. */
size_t sgd_cert_names_count(const struct sgd_cert *cert);
const char *sgd_cert_name(const struct sgd_cert *cert, size_t index);

/* Is `der` an OCSP response about this certificate that may be stapled now? SG_ECORRUPT: it is
 * none; SG_ENOENT: about another certificate; SG_ESTALE: its time is over. *until_s: for how long.
 */
SG_MUST_USE enum sg_err sgd_cert_check_ocsp(const struct sgd_cert *cert, const uint8_t *der,
                                            size_t len, int64_t now_s, int64_t *until_s);

#endif
