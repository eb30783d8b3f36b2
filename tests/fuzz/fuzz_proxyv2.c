#include "base/assert.h"
#include "dataplane/engine/proxyv2.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Every cut of an input says EAGAIN until the whole does, and nothing reads behind the end. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sgd_proxyv2 header, again;
    size_t header_len = 0, again_len = 0;
    enum sg_err err = sgd_proxyv2_parse(bytes, len, &header, &header_len);
    SG_ASSERT(err == SG_OK || err == SG_EAGAIN || err == SG_EPROTO);
    if (err != SG_OK)
        return 0;
    SG_ASSERT(header_len >= SGD_PROXYV2_HEAD_BYTES && header_len <= len);
    SG_ASSERT(sgd_proxyv2_parse(bytes, header_len - 1, &again, &again_len) == SG_EAGAIN);
    SG_ASSERT(sgd_proxyv2_parse(bytes, header_len, &again, &again_len) == SG_OK);
    SG_ASSERT(memcmp(&header, &again, sizeof(header)) == 0);
    return 0;
}
