/* A DPoP proof as text from anyone, judged for the key that it brings itself and for a fixed place:
 * nothing is read beyond it, and what is allowed has an `iat` in the window. */
#include "base/assert.h"
#include "dataplane/gate/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct sg_str text = {(const char *)bytes, len};
    struct sgd_proof_terms terms = {.method = SG_STR("POST"),
                                    .uri = SG_STR("https://server.example.com/token"),
                                    .now_s = 1562262616,
                                    .skew_s = 60};
    struct sgd_proof proof;
    bool has_key = sgd_proof_ckt(text, terms.ckt);
    enum sgd_grant_verdict verdict = sgd_proof_check(text, &terms, &proof);
    SG_ASSERT(verdict != SGD_GRANT_allowed || has_key);
    SG_ASSERT(!has_key || verdict != SGD_GRANT_proof_key);
    if (verdict == SGD_GRANT_allowed)
        SG_ASSERT(proof.issued_s >= terms.now_s - 120 && proof.issued_s <= terms.now_s + 120);
    return 0;
}
