/* What a Solana server answers, and each account in it by every reader. */
#include "base/assert.h"
#include "controlplane/chain/solana.h"

static void read_all(const struct sgc_sol_account *account)
{
    struct sgc_sol_holding holding;
    struct sgc_sol_mint mint;
    struct sgc_sol_metadata metadata;
    bool is_holding = sgc_sol_read_holding(account, &holding);
    bool is_mint = sgc_sol_read_mint(account, &mint);
    bool is_metadata = sgc_sol_read_metadata(account, &metadata);
    SG_ASSERT(is_holding + is_mint + is_metadata <= 1);
    SG_ASSERT(!is_metadata || metadata.creators_count <= SGC_SOL_CREATORS_MAX);
}

static void read_answer(struct sg_jsonread value, bool keyed)
{
    static uint8_t scratch[SGC_SOL_ACCOUNT_BYTES];
    struct sgc_sol_accounts accounts;
    struct sgc_sol_account account;
    if (!sgc_sol_accounts_begin(&accounts, value, keyed, scratch))
        return;
    while (sgc_sol_accounts_next(&accounts, &account))
        read_all(&account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sg_jsonread value;
    if (sg_jsonread_check((struct sg_str){(const char *)data, size}, 8, &value)) {
        read_answer(value, true);
        read_answer(value, false);
        struct sgc_sol_notice notice;
        (void)sgc_sol_read_notice(value, &notice);
    }
    for (enum sgc_sol_program p = SGC_SOL_OTHER; p < SGC_SOL_PROGRAMS; p++)
        read_all(&(struct sgc_sol_account){
            .exists = true, .program = p, .data = data, .data_len = size});
    return 0;
}
