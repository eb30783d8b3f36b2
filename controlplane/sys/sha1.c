#include "controlplane/sys/sha1.h"

#include "base/assert.h"

#include <openssl/evp.h>

void sgc_sha1(const void *bytes, size_t len, uint8_t out[20])
{
    size_t out_len = 0;
    int done = EVP_Q_digest(NULL, "SHA1", NULL, bytes, len, out, &out_len);
    SG_ASSERT(done == 1 && out_len == 20); /* what can fail is memory: some hundred bytes */
}
