#include "dataplane/gate/nonce.h"

#include "base/assert.h"

#include <string.h>

#define TIME_BYTES  4
#define SAID_BYTES  8 /* time and random bytes: what the MAC is over */
#define MAC_BYTES   8
#define NONCE_LABEL "streamgate/nonce"

_Static_assert(SAID_BYTES + MAC_BYTES == SGD_NONCE_BYTES, "the parts of a nonce fill it");

void sgd_nonce_key(const uint8_t tenant_key[32], struct sg_hmac_key *out)
{
    uint8_t key[32];
    SG_ASSERT(tenant_key != NULL && out != NULL);
    sg_hkdf(NULL, 0, tenant_key, 32, NONCE_LABEL, sizeof(NONCE_LABEL) - 1, key, sizeof(key));
    sg_hmac_key_init(out, key, sizeof(key));
    sg_wipe(key, sizeof(key));
}

void sgd_nonce_make(const struct sg_hmac_key *key, uint64_t now_s, uint8_t out[SGD_NONCE_BYTES])
{
    uint8_t mac[SG_SHA256_BYTES];
    SG_ASSERT(now_s <= UINT32_MAX); /* until 2106 */
    uint32_t when = __builtin_bswap32((uint32_t)now_s);
    memcpy(out, &when, TIME_BYTES);
    sg_random(out + TIME_BYTES, SAID_BYTES - TIME_BYTES);
    sg_hmac(key, out, SAID_BYTES, mac);
    memcpy(out + SAID_BYTES, mac, MAC_BYTES);
}

bool sgd_nonce_read(const struct sg_hmac_key *key, const uint8_t nonce[SGD_NONCE_BYTES],
                    uint64_t *issued_s)
{
    uint8_t mac[SG_SHA256_BYTES];
    uint32_t when;
    sg_hmac(key, nonce, SAID_BYTES, mac);
    if (!sg_equal_secret(mac, nonce + SAID_BYTES, MAC_BYTES))
        return false;
    memcpy(&when, nonce, TIME_BYTES);
    *issued_s = __builtin_bswap32(when);
    return true;
}
