/* What stands in for ipsecmb.c where the library is not there. */
#include "base/assert.h"
#include "dataplane/sys/ipsecmb.h"

enum sg_err sgd_imb_open(struct sgd_imb **out)
{
    SG_ASSERT(out != NULL);
    return SG_ENOTSUP;
}

void sgd_imb_close(struct sgd_imb *imb)
{
    SG_ASSERT(imb == NULL);
}

void sgd_imb_expand(struct sgd_imb *imb, enum sgd_tls_aead aead, const uint8_t *key, void *expanded)
{
    SG_UNREACHABLE();
}

void sgd_imb_seal(struct sgd_imb *imb, enum sgd_tls_aead aead, const void *expanded,
                  const uint8_t nonce[12], struct sgd_span aad, const struct sgd_span *spans,
                  size_t count, uint8_t *out)
{
    SG_UNREACHABLE();
}

bool sgd_imb_unseal(struct sgd_imb *imb, enum sgd_tls_aead aead, const void *expanded,
                    const uint8_t nonce[12], struct sgd_span aad, uint8_t *bytes, size_t len)
{
    SG_UNREACHABLE();
}
