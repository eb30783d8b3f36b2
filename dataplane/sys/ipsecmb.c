#include "dataplane/sys/ipsecmb.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/crypto.h"

#include <intel-ipsec-mb.h>
#include <string.h>

_Static_assert(sizeof(struct gcm_key_data) <= SGD_IMB_EXPANDED_BYTES, "room for an expanded key");

struct sgd_imb {
    IMB_MGR *mgr;
};

enum sg_err sgd_imb_open(struct sgd_imb **out)
{
    SG_ASSERT(out != NULL);
    struct sgd_imb *imb = sg_boot_alloc(sizeof(*imb));
    if (imb == NULL)
        return SG_ENOMEM;
    enum sg_err err = SG_ENOTSUP;
    IMB_ARCH arch = IMB_ARCH_NONE;
    imb->mgr = alloc_mb_mgr(0);
    if (imb->mgr == NULL) {
        err = SG_ENOMEM;
        goto out;
    }
    init_mb_mgr_auto(imb->mgr, &arch);
    if (arch == IMB_ARCH_NONE || imb_get_errno(imb->mgr) != 0)
        goto out;
    *out = SG_TAKE(imb);
    err = SG_OK;
out:
    sgd_imb_close(imb);
    return err;
}

void sgd_imb_close(struct sgd_imb *imb)
{
    if (imb == NULL)
        return;
    if (imb->mgr != NULL)
        free_mb_mgr(imb->mgr);
    sg_boot_free(imb);
}

void sgd_imb_expand(struct sgd_imb *imb, enum sgd_tls_aead aead, const uint8_t *key, void *expanded)
{
    switch (aead) {
    case SGD_TLS_AES_128_GCM:
        IMB_AES128_GCM_PRE(imb->mgr, key, expanded);
        return;
    case SGD_TLS_AES_256_GCM:
        IMB_AES256_GCM_PRE(imb->mgr, key, expanded);
        return;
    case SGD_TLS_CHACHA20_POLY1305:
        memcpy(expanded, key, 32);
        return;
    }
    SG_UNREACHABLE();
}

/* The library has a macro for each key size; this makes one function of each pair. */
#define GCM_SEAL(name, BITS)                                                                       \
    static void name(IMB_MGR *mgr, const struct gcm_key_data *key, const uint8_t *nonce,           \
                     struct sgd_span aad, const struct sgd_span *spans, size_t count,              \
                     uint8_t *out)                                                                 \
    {                                                                                              \
        struct gcm_context_data gcm;                                                               \
        if (count == 1) {                                                                          \
            IMB_AES##BITS##_GCM_ENC(mgr, key, &gcm, out, spans->bytes, spans->len, nonce,          \
                                    aad.bytes, aad.len, out + spans->len, 16);                     \
            return;                                                                                \
        }                                                                                          \
        IMB_AES##BITS##_GCM_INIT(mgr, key, &gcm, nonce, aad.bytes, aad.len);                       \
        for (size_t i = 0; i < count; i++) {                                                       \
            IMB_AES##BITS##_GCM_ENC_UPDATE(mgr, key, &gcm, out, spans[i].bytes, spans[i].len);     \
            out += spans[i].len;                                                                   \
        }                                                                                          \
        IMB_AES##BITS##_GCM_ENC_FINALIZE(mgr, key, &gcm, out, 16);                                 \
    }
GCM_SEAL(seal_gcm128, 128)
GCM_SEAL(seal_gcm256, 256)

static void seal_chacha(IMB_MGR *mgr, const void *key, const uint8_t *nonce, struct sgd_span aad,
                        const struct sgd_span *spans, size_t count, uint8_t *out)
{
    struct chacha20_poly1305_context_data state;
    IMB_CHACHA20_POLY1305_INIT(mgr, key, &state, nonce, aad.bytes, aad.len);
    for (size_t i = 0; i < count; i++) {
        IMB_CHACHA20_POLY1305_ENC_UPDATE(mgr, key, &state, out, spans[i].bytes, spans[i].len);
        out += spans[i].len;
    }
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(mgr, &state, out, 16);
}

void sgd_imb_seal(struct sgd_imb *imb, enum sgd_tls_aead aead, const void *expanded,
                  const uint8_t nonce[12], struct sgd_span aad, const struct sgd_span *spans,
                  size_t count, uint8_t *out)
{
    switch (aead) {
    case SGD_TLS_AES_128_GCM:
        seal_gcm128(imb->mgr, expanded, nonce, aad, spans, count, out);
        return;
    case SGD_TLS_AES_256_GCM:
        seal_gcm256(imb->mgr, expanded, nonce, aad, spans, count, out);
        return;
    case SGD_TLS_CHACHA20_POLY1305:
        seal_chacha(imb->mgr, expanded, nonce, aad, spans, count, out);
        return;
    }
    SG_UNREACHABLE();
}

static void decrypt_chacha(IMB_MGR *mgr, const void *key, const uint8_t *nonce, struct sgd_span aad,
                           uint8_t *bytes, size_t len, uint8_t *tag)
{
    struct chacha20_poly1305_context_data state;
    IMB_CHACHA20_POLY1305_INIT(mgr, key, &state, nonce, aad.bytes, aad.len);
    IMB_CHACHA20_POLY1305_DEC_UPDATE(mgr, key, &state, bytes, bytes, len);
    IMB_CHACHA20_POLY1305_DEC_FINALIZE(mgr, &state, tag, 16);
}

bool sgd_imb_unseal(struct sgd_imb *imb, enum sgd_tls_aead aead, const void *expanded,
                    const uint8_t nonce[12], struct sgd_span aad, uint8_t *bytes, size_t len)
{
    struct gcm_context_data gcm;
    uint8_t tag[16] = {0};
    switch (aead) {
    case SGD_TLS_AES_128_GCM:
        IMB_AES128_GCM_DEC(imb->mgr, expanded, &gcm, bytes, bytes, len, nonce, aad.bytes, aad.len,
                           tag, 16);
        break;
    case SGD_TLS_AES_256_GCM:
        IMB_AES256_GCM_DEC(imb->mgr, expanded, &gcm, bytes, bytes, len, nonce, aad.bytes, aad.len,
                           tag, 16);
        break;
    case SGD_TLS_CHACHA20_POLY1305:
        decrypt_chacha(imb->mgr, expanded, nonce, aad, bytes, len, tag);
        break;
    }
    return sg_equal_secret(tag, bytes + len, sizeof(tag));
}
