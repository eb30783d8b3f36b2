/* pkey - private keys from PEM files, sealed or not, as OpenSSL keeps them: but in memory that is
 * locked and in no core dump. OpenSSL has a heap of its own for that, which we don't use: each
 * signature would go through its one lock, and each worker with it. Ours is used while a key is
 * read, and by no other allocation. */
#ifndef SG_BASE_SYS_PKEY_H
#define SG_BASE_SYS_PKEY_H

#include "base/err.h"

#include <stdbool.h>

struct evp_pkey_st; /* OpenSSL's EVP_PKEY: for other sys/ files */

/* Once, before anything in the process has used OpenSSL. False: too late, or no memory; keys are
 * then read all the same, into the ordinary heap. */
SG_MUST_USE bool sg_pkey_guard(void);
/* For a thread in which another library reads keys by itself: from now on what its OpenSSL gives
 * back is wiped. */
void sg_pkey_wipe(void);
/* Around a call of another library that reads a key in this thread. What an RSA key's first
 * signature makes of its primes comes later, and is not covered. */
void sg_pkey_begin(void);
void sg_pkey_end(void);
/* SG_ECORRUPT: no key in the file, or one behind a password, and OpenSSL's queue of errors says
 * more; else as sg_secret_read(). First thread. */
SG_MUST_USE enum sg_err sg_pkey_read(const char *file, struct evp_pkey_st **out);
/* EVP_PKEY_free(). Accepts NULL. */
void sg_pkey_close(struct evp_pkey_st *key);

#endif
