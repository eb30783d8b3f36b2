/* A ClientHello's body behind its header: read or not, nothing behind its end is touched; and what
 * is read points into it. And what OpenSSL would be told to refuse is not answered by ourselves. */
#include "base/assert.h"
#include "dataplane/tls/hello13.h"
#include "dataplane/tls/hellofault.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void inside(const uint8_t *at, size_t part, const uint8_t *bytes, size_t len)
{
    SG_ASSERT(at >= bytes && part <= len && at + part <= bytes + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sgd_hello13 hello;
    struct sgd_hellofault fault;
    if (len > 0)
        sgd_hellofault_read(bytes, len, &fault);
    SG_ASSERT(len == 0 || memchr(fault.name, 0, sizeof(fault.name)) != NULL);
    if (len == 0 || !sgd_hello13_read(bytes, len, &hello))
        return 0;
    inside(hello.share, SGD_HELLO13_SHARE_BYTES, bytes, len);
    inside(hello.session_id.bytes, hello.session_id.len, bytes, len);
    SG_ASSERT(hello.session_id.len <= 32);
    SG_ASSERT(hello.ecdsa_p256 || hello.rsa_pss);
    SG_ASSERT(hello.aead != SGD_TLS_AES_256_GCM);
    SG_ASSERT(memchr(hello.name, 0, sizeof(hello.name)) != NULL);
    SG_ASSERT(fault.alert == 0 && fault.offers_13); /* what we answer has none */
    SG_ASSERT(strcmp(fault.name, hello.name) == 0);
    SG_ASSERT(!sgd_hello13_read(bytes, len - 1, &hello)); /* a part of it is none */
    return 0;
}
