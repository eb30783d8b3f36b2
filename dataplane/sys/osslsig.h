/* osslsig - signatures over P-256 and by Ed25519 verified, and public keys read from files, by
 * OpenSSL. Any thread. OpenSSL allocates in here, we do not; where it can't, nothing verifies. */
#ifndef SGD_SYS_OSSLSIG_H
#define SGD_SYS_OSSLSIG_H

#include "base/err.h"
#include "base/str.h"

/* ECDSA with SHA-256; `point` x and y, `rs` r and s, 32 bytes each. False too for what is no point
 * of the curve. */
bool sgd_osig_p256(const uint8_t point[64], struct sg_str message, const uint8_t rs[64]);
/* Stricter than RFC 8032 asks and than OpenSSL is: keys and R's of small order, with which a
 * signature says nothing of its message, are refused in every spelling, and so is a key whose y is
 * not reduced. */
bool sgd_osig_ed25519(const uint8_t key[32], struct sg_str message, const uint8_t signature[64]);

enum sgd_osig_kind { SGD_OSIG_P256, SGD_OSIG_SECP256K1, SGD_OSIG_ED25519 };
struct sgd_osig_public {
    enum sgd_osig_kind kind;
    uint8_t bytes[64]; /* x and y; of Ed25519 the first 32 are the key */
};
/* PEM, SubjectPublicKeyInfo. Blocks. SG_ECORRUPT: not that. SG_ENOTSUP: a key of another kind. */
SG_MUST_USE enum sg_err sgd_osig_load(const char *file, struct sgd_osig_public *out);

#endif
