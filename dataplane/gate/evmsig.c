#include "dataplane/gate/evmsig.h"

#include "base/keccak.h"
#include "base/out.h"
#include "dataplane/sys/secp256k1.h"

#define RS_BYTES 64

void sgd_evm_text_hash(struct sg_str text, uint8_t out[32])
{
    char memory[64];
    struct sg_out head = sg_out_init(memory, sizeof(memory));
    struct sg_keccak256 hash;
    sg_out_lit(&head, "\x19"
                      "Ethereum Signed Message:\n");
    sg_out_u64(&head, text.len);
    SG_ASSERT(!head.full);
    sg_keccak256_init(&hash);
    sg_keccak256_add(&hash, head.ptr, head.len);
    sg_keccak256_add(&hash, text.ptr, text.len);
    sg_keccak256_final(&hash, out);
}

/* `odd`: which of the two points with that x is R. */
static bool rs_read(struct sg_str signature, uint8_t rs[RS_BYTES], bool *odd)
{
    if (signature.len != RS_BYTES && signature.len != RS_BYTES + 1)
        return false;
    memcpy(rs, signature.ptr, RS_BYTES);
    if (signature.len == RS_BYTES) {
        *odd = rs[32] >> 7 != 0;
        rs[32] &= 0x7f;
        return true;
    }
    const uint8_t v = (uint8_t)signature.ptr[RS_BYTES];
    *odd = v == 1 || v == 28;
    return v <= 1 || v == 27 || v == 28;
}

bool sgd_evm_signer(const uint8_t digest[32], struct sg_str signature,
                    uint8_t address[SGD_EVM_ADDRESS_BYTES])
{
    uint8_t rs[RS_BYTES], point[64], hash[SG_KECCAK256_BYTES];
    bool odd;
    if (!rs_read(signature, rs, &odd) || !sgd_secp_recover(digest, rs, odd, point))
        return false;
    sg_keccak256(point, sizeof(point), hash);
    memcpy(address, hash + sizeof(hash) - SGD_EVM_ADDRESS_BYTES, SGD_EVM_ADDRESS_BYTES);
    return true;
}
