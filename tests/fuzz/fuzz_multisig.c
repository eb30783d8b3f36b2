/* What members of a multisig signed, as a client sends it: what is taken is written in its one
 * form, so that it comes out as it went in. */
#include "base/assert.h"
#include "base/cbor.h"
#include "dataplane/gate/multisig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char memory[SG_CBOR_BYTES_MAX];
    struct sg_out again = sg_out_init(memory, sizeof(memory));
    struct sgd_multisig multisig;
    if (!sgd_multisig_read((struct sg_str){(const char *)data, size}, &multisig))
        return 0;
    SG_ASSERT(multisig.signers_count > 0 && multisig.signers_count <= SGD_MULTISIG_SIGNERS_MAX);
    sg_cbor_put_array(&again, 3);
    sg_cbor_put_bytes(&again, multisig.account, 32);
    sg_cbor_put_uint(&again, multisig.vault);
    sg_cbor_put_array(&again, multisig.signers_count);
    for (uint8_t i = 0; i < multisig.signers_count; i++) {
        sg_cbor_put_array(&again, 2);
        sg_cbor_put_bytes(&again, multisig.signers[i].key, 32);
        sg_cbor_put_bytes(&again, multisig.signers[i].signature, 64);
        SG_ASSERT(i == 0 || memcmp(multisig.signers[i - 1].key, multisig.signers[i].key, 32) < 0);
    }
    SG_ASSERT(!again.full && again.len == size && memcmp(again.ptr, data, size) == 0);
    return 0;
}
