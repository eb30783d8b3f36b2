/* p11 - an AES key that stays in a PKCS#11 token: found by an RFC 7512 URI, used by CKM_AES_GCM.
 * p11-kit reads the URI and loads the modules.
 * From _open() to _close() a module, which is its maker's code, is loaded and initialised in this
 * process, perhaps with threads and sockets of its own, and a software token's key lies in memory.
 * So keep that short, and never fork within it. One thread at a time. */
#ifndef SG_BASE_SYS_P11_H
#define SG_BASE_SYS_P11_H

#include "base/err.h"
#include "base/out.h"
#include "base/sys/crypto.h"

#include <stdint.h>

#define SG_P11_PIN_BYTES_MAX 255

struct sg_p11;

/* Fetches the PIN that `source` (the URI's pin-source) names, without a newline at its end. Called
 * at most once in an open, when all else is right; says in `fault` what is wrong. */
typedef enum sg_err (*sg_p11_pin_fn)(const char *source, uint8_t pin[SG_P11_PIN_BYTES_MAX],
                                     size_t *len, struct sg_out *fault);

/* Loads, logs in and finds the key. A PIN is tried once, and not at all where the token says that
 * one more wrong one would lock it. On failure `fault` has one line without an end, in which there
 * is nothing secret. SG_EINVAL: the URI; SG_ENOENT: no such module, token or key, or more than one;
 * SG_EACCES: the PIN; SG_ENOTSUP: token or key can't do this; SG_EIO: the token failed. */
SG_MUST_USE enum sg_err sg_p11_open(const char *uri, sg_p11_pin_fn read_pin, struct sg_out *fault,
                                    struct sg_p11 **out);
/* Logs out and finalizes; what the module still knew is wiped if its maker saw to that. Accepts
 * NULL.
 */
void sg_p11_close(struct sg_p11 *p11);

/* `out` gets plain.len bytes and the tag. What a token draws itself stands in `nonce` then.
 * SG_ENOTSUP: the key may only open. SG_EIO. `fault` as above. */
SG_MUST_USE enum sg_err sg_p11_seal(struct sg_p11 *p11, uint8_t nonce[SG_GCM_NONCE_BYTES],
                                    struct sg_str aad, struct sg_str plain, uint8_t *out,
                                    struct sg_out *fault);
/* `sealed` ends with its tag; `out` must have room for all of it, and gets as much less as the tag
 * has. SG_EAUTH: not what was sealed under this key. SG_EIO: the token failed. */
SG_MUST_USE enum sg_err sg_p11_unseal(struct sg_p11 *p11, uint8_t nonce[SG_GCM_NONCE_BYTES],
                                      struct sg_str aad, struct sg_str sealed, uint8_t *out,
                                      struct sg_out *fault);

#endif
