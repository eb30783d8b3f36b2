/* keys - from a region's secret to the key of one tenant's epoch:
 *   K_tenant = HKDF-SHA-256(secret, info "streamgate/tenant/" NAME)
 *   K_epoch  = HKDF-SHA-256(K_tenant, info "streamgate/epoch/" NUMBER in decimal)
 * with an empty salt and 32 bytes each. A tenant's back end gets its K_tenant and no more.
 * The epoch is a counter: whole days since 1970, or the tenant's lowest accepted epoch where that
 * is more, so it can be raised at any time. The current one and the one before are accepted. */
#ifndef SGD_GATE_KEYS_H
#define SGD_GATE_KEYS_H

#include "base/err.h"
#include "base/str.h"
#include "base/sys/crypto.h"

#include <stdint.h>

#define SGD_KEY_BYTES        32
#define SGD_EPOCH_S          86400u
#define SGD_SECRET_BYTES_MIN 32
#define SGD_SECRET_BYTES_MAX 1024
#define SGD_KEYRING_SLOTS    64

void sgd_key_tenant(const void *secret, size_t len, struct sg_str tenant,
                    uint8_t out[SGD_KEY_BYTES]);
void sgd_key_epoch(const uint8_t tenant_key[SGD_KEY_BYTES], uint32_t epoch,
                   uint8_t out[SGD_KEY_BYTES]);
/* K_tenant from the file that holds the secret, sealed or not (base/secret.h): its bytes without
 * one trailing newline, 32 to 1024. SG_ERANGE: another length. Blocks. */
SG_MUST_USE enum sg_err sgd_key_tenant_load(const char *secret_file, struct sg_str tenant,
                                            uint8_t out[SGD_KEY_BYTES]);

/* The epoch to mint under. */
uint32_t sgd_epoch_current(uint64_t now_s, uint32_t epoch_min);
/* `skew_s`: how far a minter's clock may be ahead. */
bool sgd_epoch_accepted(uint32_t epoch, uint64_t now_s, uint32_t skew_s, uint32_t epoch_min);

/* One worker's K_epochs, prepared: derived on first use, kept by (gate, tenant, epoch). */
struct sgd_keyring {
    struct sgd_keyring_slot {
        uint64_t gate; /* its serial; 0: empty */
        uint32_t tenant, epoch;
        struct sg_hmac_key key;
    } slots[SGD_KEYRING_SLOTS];
};
const struct sg_hmac_key *sgd_keyring_get(struct sgd_keyring *ring, uint64_t gate, uint32_t tenant,
                                          uint32_t epoch, const uint8_t tenant_key[SGD_KEY_BYTES]);

#endif
