#include "dataplane/tls/aead.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/ipsecmb.h"
#include "dataplane/sys/osslaead.h"

#define AEADS           3
#define MEASURE_BYTES   16384
#define MEASURE_RECORDS 8
#define MEASURE_ROUNDS  5

enum backend { OPENSSL, IPSEC_MB };

struct slot {
    const struct sgd_tls_direction *owner; /* NULL: free */
    struct sgd_oaead_key *ossl;            /* made at open where OpenSSL may be used */
};

struct sgd_aead {
    struct sgd_imb *imb; /* NULL: not here */
    struct sgd_oaead *oaead;
    uint8_t backend[AEADS]; /* enum backend, by enum sgd_tls_aead */
    uint32_t slots_count;
    uint32_t victim; /* the next slot to be taken from its owner */
    struct slot *slots;
    uint8_t *expanded; /* SGD_IMB_EXPANDED_BYTES a slot */
};

static void *slot_expanded(const struct sgd_aead *aead, uint32_t slot)
{
    return aead->expanded + (size_t)slot * SGD_IMB_EXPANDED_BYTES;
}

/* First in, first out: a hit costs one comparison, and a miss less than the shortest record. */
static uint32_t slot_of(struct sgd_aead *aead, const struct sgd_aead_use *use)
{
    uint32_t slot = *use->slot;
    SG_ASSERT(slot < aead->slots_count);
    if (__builtin_expect(aead->slots[slot].owner == use->dir, 1))
        return slot;
    slot = aead->victim;
    aead->victim = slot + 1 == aead->slots_count ? 0 : slot + 1;
    if (aead->backend[use->aead] == IPSEC_MB) {
        sgd_imb_expand(aead->imb, use->aead, use->dir->key, slot_expanded(aead, slot));
    } else {
        enum sg_err err = sgd_oaead_key_set(aead->oaead, use->aead, use->seals, use->dir->key,
                                            aead->slots[slot].ossl);
        SG_ASSERT(err == SG_OK); /* there is no answer to give without a key */
    }
    aead->slots[slot].owner = use->dir;
    *use->slot = slot;
    return slot;
}

void sgd_aead_seal(struct sgd_aead *aead, const struct sgd_aead_use *use,
                   const struct sgd_span *spans, size_t count, uint8_t *out)
{
    uint32_t slot = slot_of(aead, use);
    if (aead->backend[use->aead] == IPSEC_MB)
        sgd_imb_seal(aead->imb, use->aead, slot_expanded(aead, slot), use->nonce, use->aad, spans,
                     count, out);
    else
        sgd_oaead_seal(aead->slots[slot].ossl, use->nonce, use->aad, spans, count, out);
}

bool sgd_aead_unseal(struct sgd_aead *aead, const struct sgd_aead_use *use, uint8_t *bytes,
                     size_t len)
{
    uint32_t slot = slot_of(aead, use);
    if (aead->backend[use->aead] == IPSEC_MB)
        return sgd_imb_unseal(aead->imb, use->aead, slot_expanded(aead, slot), use->nonce, use->aad,
                              bytes, len);
    return sgd_oaead_unseal(aead->slots[slot].ossl, use->nonce, use->aad, bytes, len);
}

void sgd_aead_forget(struct sgd_aead *aead, const struct sgd_tls_direction *dir, uint32_t slot)
{
    if (slot >= aead->slots_count || aead->slots[slot].owner != dir)
        return;
    aead->slots[slot].owner = NULL;
    sg_wipe(slot_expanded(aead, slot), SGD_IMB_EXPANDED_BYTES);
}

/* The best of a few rounds, so that another process's turn on this core decides nothing. */
static uint64_t measure(struct sgd_aead *aead, enum sgd_tls_aead which, enum backend backend,
                        uint8_t *buffer)
{
    struct sgd_tls_direction dir = {.key = {1}};
    uint32_t slot = 0;
    struct sgd_aead_use use = {which, true, &dir, &slot, {0}, {buffer, 5}};
    struct sgd_span span = {buffer, MEASURE_BYTES};
    uint64_t best = UINT64_MAX;
    aead->backend[which] = (uint8_t)backend;
    for (int round = 0; round < MEASURE_ROUNDS; round++) {
        uint64_t began = sg_clock_mono_ns();
        for (int i = 0; i < MEASURE_RECORDS; i++)
            sgd_aead_seal(aead, &use, &span, 1, buffer);
        best = SG_MIN(best, sg_clock_mono_ns() - began);
    }
    sgd_aead_forget(aead, &dir, slot);
    return best;
}

static enum sg_err choose(struct sgd_aead *aead, enum sg_conf_record_crypto wanted)
{
    if (wanted == SG_CONF_CRYPTO_IPSEC_MB && aead->imb == NULL)
        return SG_ENOTSUP;
    uint8_t *buffer = sg_boot_alloc(MEASURE_BYTES + SGD_AEAD_TAG_LEN);
    if (buffer == NULL)
        return SG_ENOMEM;
    for (enum sgd_tls_aead which = 0; which < AEADS; which++) {
        bool imb = aead->imb != NULL && wanted != SG_CONF_CRYPTO_OPENSSL;
        if (imb && wanted == SG_CONF_CRYPTO_AUTO)
            imb = measure(aead, which, IPSEC_MB, buffer) < measure(aead, which, OPENSSL, buffer);
        aead->backend[which] = imb ? IPSEC_MB : OPENSSL;
    }
    sg_boot_free(buffer);
    return SG_OK;
}

static enum sg_err slots_open(struct sgd_aead *aead, uint32_t count)
{
    aead->slots = sg_boot_alloc_array(count, sizeof(*aead->slots));
    aead->expanded = sg_boot_alloc_array(count, SGD_IMB_EXPANDED_BYTES);
    if (aead->slots == NULL || aead->expanded == NULL)
        return SG_ENOMEM;
    aead->slots_count = count;
    enum sg_err err = SG_OK;
    for (uint32_t i = 0; i < count && err == SG_OK; i++)
        err = sgd_oaead_key_open(aead->oaead, &aead->slots[i].ossl);
    return err;
}

enum sg_err sgd_aead_open(enum sg_conf_record_crypto wanted, uint32_t keys_max,
                          struct sgd_aead **out)
{
    SG_ASSERT(out != NULL);
    SG_ASSERT(keys_max > 0);
    struct sgd_aead *aead = sg_boot_alloc(sizeof(*aead));
    if (aead == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgd_oaead_open(&aead->oaead);
    if (err != SG_OK)
        goto out;
    err = sgd_imb_open(&aead->imb);
    if (err != SG_OK && err != SG_ENOTSUP)
        goto out;
    err = slots_open(aead, keys_max);
    if (err != SG_OK)
        goto out;
    err = choose(aead, wanted);
    if (err != SG_OK)
        goto out;
    *out = SG_TAKE(aead);
out:
    sgd_aead_close(aead);
    return err;
}

void sgd_aead_close(struct sgd_aead *aead)
{
    if (aead == NULL)
        return;
    for (uint32_t i = 0; i < aead->slots_count; i++)
        sgd_oaead_key_close(aead->slots[i].ossl);
    if (aead->expanded != NULL)
        sg_wipe(aead->expanded, (size_t)aead->slots_count * SGD_IMB_EXPANDED_BYTES);
    sg_boot_free(aead->expanded);
    sg_boot_free(aead->slots);
    sgd_imb_close(aead->imb);
    sgd_oaead_close(aead->oaead);
    sg_boot_free(aead);
}

const char *sgd_aead_name(const struct sgd_aead *aead, enum sgd_tls_aead which)
{
    SG_ASSERT(which < AEADS);
    return aead->backend[which] == IPSEC_MB ? "ipsec-mb" : "openssl";
}
