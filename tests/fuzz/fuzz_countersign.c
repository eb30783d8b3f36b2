/* A question about a signature, as it comes over the bus: what is read is written again as it was,
 * and a grant in it lies within. */
#include "base/assert.h"
#include "controlplane/feed/countersign.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char memory[SGC_COUNTERSIGN_ASK_BYTES];
    struct sg_out again = sg_out_init(memory, sizeof(memory));
    struct sgc_countersign_ask ask;
    struct sgd_grant grant;
    if (sgc_countersign_ask_read((struct sg_str){(const char *)data, size}, &ask) != SG_OK)
        return 0;
    SG_ASSERT(ask.grant.ptr + ask.grant.len == (const char *)data + size);
    SG_ASSERT(sgc_countersign_ask_write(&ask, &again));
    SG_ASSERT(again.len == size && memcmp(again.ptr, data, size) == 0);
    (void)sgd_grant_read(ask.grant, &grant);
    return 0;
}
