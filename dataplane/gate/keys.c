#include "dataplane/gate/keys.h"

#include "base/assert.h"
#include "base/out.h"
#include "base/secret.h"

void sgd_key_tenant(const void *secret, size_t len, struct sg_str tenant,
                    uint8_t out[SGD_KEY_BYTES])
{
    static const char label[] = "streamgate/tenant/";
    char memory[512];
    struct sg_out info = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&info, "streamgate/tenant/");
    SG_ASSERT(tenant.len <= sizeof(memory) - sizeof(label)); /* configuration bounds names */
    sg_out_str(&info, tenant);
    sg_hkdf(NULL, 0, secret, len, info.ptr, info.len, out, SGD_KEY_BYTES);
}

void sgd_key_epoch(const uint8_t tenant_key[SGD_KEY_BYTES], uint32_t epoch,
                   uint8_t out[SGD_KEY_BYTES])
{
    char memory[64];
    struct sg_out info = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&info, "streamgate/epoch/");
    sg_out_u64(&info, epoch);
    sg_hkdf(NULL, 0, tenant_key, SGD_KEY_BYTES, info.ptr, info.len, out, SGD_KEY_BYTES);
}

enum sg_err sgd_key_tenant_load(const char *secret_file, struct sg_str tenant,
                                uint8_t out[SGD_KEY_BYTES])
{
    uint8_t secret[SGD_SECRET_BYTES_MAX + 2];
    size_t len = 0;
    SG_ASSERT(secret_file != NULL);
    enum sg_err err = sg_secret_read(secret_file, secret, sizeof(secret), &len);
    if (err == SG_EMSGSIZE)
        err = SG_ERANGE;
    if (err == SG_OK && len > 0 && secret[len - 1] == '\n')
        len--;
    if (err == SG_OK && (len < SGD_SECRET_BYTES_MIN || len > SGD_SECRET_BYTES_MAX))
        err = SG_ERANGE;
    if (err == SG_OK)
        sgd_key_tenant(secret, len, tenant, out);
    sg_wipe(secret, sizeof(secret));
    return err;
}

uint32_t sgd_epoch_current(uint64_t now_s, uint32_t epoch_min)
{
    uint64_t day = now_s / SGD_EPOCH_S;
    return day > UINT32_MAX || day < epoch_min ? epoch_min : (uint32_t)day;
}

bool sgd_epoch_accepted(uint32_t epoch, uint64_t now_s, uint32_t skew_s, uint32_t epoch_min)
{
    uint32_t current = sgd_epoch_current(now_s, epoch_min);
    return epoch >= epoch_min && (uint64_t)epoch + 1 >= current &&
           epoch <= sgd_epoch_current(now_s + skew_s, epoch_min);
}

const struct sg_hmac_key *sgd_keyring_get(struct sgd_keyring *ring, uint64_t gate, uint32_t tenant,
                                          uint32_t epoch, const uint8_t tenant_key[SGD_KEY_BYTES])
{
    SG_ASSERT(gate != 0);
    /* a tenant's two or three epochs lie side by side */
    struct sgd_keyring_slot *slot =
        &ring->slots[(tenant * 4 + epoch % 4 + gate * 16) % SGD_KEYRING_SLOTS];
    if (slot->gate == gate && slot->tenant == tenant && slot->epoch == epoch)
        return &slot->key;
    uint8_t key[SGD_KEY_BYTES];
    sgd_key_epoch(tenant_key, epoch, key);
    sg_hmac_key_init(&slot->key, key, sizeof(key));
    sg_wipe(key, sizeof(key));
    slot->gate = gate;
    slot->tenant = tenant;
    slot->epoch = epoch;
    return &slot->key;
}
