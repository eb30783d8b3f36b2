/* The account of a Squads multisig, of whatever bytes: what is taken for one keeps the program's
 * own rules, and lies within them. */
#include "base/assert.h"
#include "controlplane/chain/squads.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sgc_sol_account account = {
        .exists = true, .program = SGC_SOL_SQUADS, .data = data, .data_len = size};
    struct sgc_squads squads;
    uint32_t voters = 0;
    if (!sgc_squads_read(&account, &squads))
        return 0;
    SG_ASSERT(squads.members_count > 0 && squads.members > data);
    SG_ASSERT(squads.members + squads.members_count * SGC_SQUADS_MEMBER_BYTES <= data + size);
    for (uint32_t i = 0; i < squads.members_count; i++) {
        const uint8_t *member = squads.members + i * SGC_SQUADS_MEMBER_BYTES;
        SG_ASSERT(i == 0 || memcmp(member - SGC_SQUADS_MEMBER_BYTES, member, 32) < 0);
        SG_ASSERT(sgc_squads_votes(&squads, member) == ((member[32] & 2) != 0));
        voters += sgc_squads_votes(&squads, member);
    }
    SG_ASSERT(squads.threshold > 0 && squads.threshold <= voters);
    return 0;
}
