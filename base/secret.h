/* secret - files that hold secrets, in the clear or sealed under the node's sealing key, and memory
 * for what was in them: locked, never in a core dump, wiped at its end.
 * A sealed file is one line: "streamgate-sealed-1:" and, in base64url, a nonce (12 B), the contents
 * under AES-256-GCM and the tag (16 B). The key comes from outside the machine's own files where it
 * should help against who copies its disk: a systemd credential, a file on a volume of its own, or
 * a PKCS#11 token, which the key never leaves.
 */
#ifndef SG_BASE_SECRET_H
#define SG_BASE_SECRET_H

#include "base/err.h"
#include "base/out.h"

#define SG_SECRET_FILE_MAX 65536 /* bytes of a file, sealed or not */

/* Zeroed. NULL: no memory. Where locking is not allowed it goes unlocked, out of core dumps still:
 * sg_secret_locked() tells. */
void *sg_secret_alloc(size_t bytes);
/* Wipes. Accepts NULL; `bytes` as allocated. */
void sg_secret_free(void *memory, size_t bytes);
/* Whether all that was allocated so far is locked in memory. Any thread. */
bool sg_secret_locked(void);

/* Takes the sealing key of this process from `source`: "file:PATH" or "credential:NAME" (in
 * $CREDENTIALS_DIRECTORY), of 32 to 1024 bytes without one trailing newline; or "pkcs11:...", a key
 * that stays in its token (base/sys/p11.h). NULL: there is none. The key before stays aside until
 * sg_secret_settle(). On failure nothing changes, and `report` gets a line that says why.
 * What seals and unseals is for one thread: the first. */
SG_MUST_USE enum sg_err sg_secret_unlock(const char *source, struct sg_out *report);
/* Ends the key before; or puts it back, and ends the one that was taken. */
void sg_secret_settle(bool keep);
/* Leaves the token until it is needed again, if the key is one's: so no module of another's is
 * loaded while a node serves, or forks, or dumps core. */
void sg_secret_rest(void);

/* The bytes of `file`, unsealed where they are sealed. SG_EAUTH: sealed under another key, or
 * changed; SG_ESEALED: there is no key; SG_ENOTCONN: the token failed. `out` up to
 * SG_SECRET_FILE_MAX; SG_EMSGSIZE. */
SG_MUST_USE enum sg_err sg_secret_read(const char *file, void *out, size_t cap, size_t *len);

/* The line that sg_secret_read() unseals, with a newline. Else as sg_secret_read(). */
SG_MUST_USE enum sg_err sg_secret_seal(struct sg_str contents, struct sg_out *out);
bool sg_secret_is_sealed(struct sg_str bytes);
/* Its first bytes say; false where it can't be read. */
bool sg_secret_file_is_sealed(const char *file);
/* In place of a file: `line` as above. */
SG_MUST_USE enum sg_err sg_secret_unseal(struct sg_str line, struct sg_out *out);
/* What to tell of a failure of the three above; right after it, for it has the token's words. */
const char *sg_secret_fault(enum sg_err err);

#endif
