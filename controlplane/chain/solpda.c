#include "controlplane/chain/solpda.h"

#include "base/assert.h"
#include "base/base58.h"
#include "base/sys/crypto.h"
#include "controlplane/sys/ed25519.h"

#define SEED_BYTES_MAX 32
#define MARKER         "ProgramDerivedAddress"

static void hash_with(const struct sg_sha256 *seeds, uint8_t bump,
                      const uint8_t program[SGC_SOL_KEY_BYTES], uint8_t out[SGC_SOL_KEY_BYTES])
{
    struct sg_sha256 hash = *seeds;
    sg_sha256_add(&hash, &bump, 1);
    sg_sha256_add(&hash, program, SGC_SOL_KEY_BYTES);
    sg_sha256_add(&hash, MARKER, sizeof(MARKER) - 1);
    sg_sha256_final(&hash, out);
}

enum sg_err sgc_solpda_find(enum sgc_sol_program program, const struct sg_str *seeds,
                            uint32_t count, uint8_t out[SGC_SOL_KEY_BYTES])
{
    uint8_t key[SGC_SOL_KEY_BYTES], address[SGC_SOL_KEY_BYTES];
    struct sg_sha256 hash;
    bool is_point = true, read = sg_base58_read(sgc_sol_program_text(program), key, sizeof(key));
    SG_ASSERT(read && count <= SGC_SOLPDA_SEEDS_MAX);
    sg_sha256_init(&hash);
    for (uint32_t i = 0; i < count; i++) {
        SG_ASSERT(seeds[i].len <= SEED_BYTES_MAX);
        sg_sha256_add(&hash, seeds[i].ptr, seeds[i].len);
    }
    for (int bump = UINT8_MAX; bump >= 0 && is_point; bump--) {
        hash_with(&hash, (uint8_t)bump, key, address);
        enum sg_err err = sgc_ed25519_is_point(address, &is_point);
        if (err != SG_OK)
            return err;
    }
    if (is_point)
        return SG_ENOENT;
    memcpy(out, address, sizeof(address));
    return SG_OK;
}
