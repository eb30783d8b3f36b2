/* evmsig - signatures of Ethereum's accounts: whose address they recover. Pure; no allocation; any
 * thread; some 40 microseconds. */
#ifndef SGD_GATE_EVMSIG_H
#define SGD_GATE_EVMSIG_H

#include "base/str.h"

#define SGD_EVM_ADDRESS_BYTES 20

/* EIP-191, version 0x45: what a wallet signs of a text. */
void sgd_evm_text_hash(struct sg_str text, uint8_t out[32]);
/* `signature`: r, s and v in 65 bytes, v being 0, 1, 27 or 28; or EIP-2098's 64 bytes, where the
 * highest bit of s says which. False: another form, s in the upper half, or nobody's. */
bool sgd_evm_signer(const uint8_t digest[32], struct sg_str signature,
                    uint8_t address[SGD_EVM_ADDRESS_BYTES]);

#endif
