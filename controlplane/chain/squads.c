#include "controlplane/chain/squads.h"

#include "base/assert.h"
#include "controlplane/chain/borsh.h"
#include "controlplane/chain/solask.h"
#include "controlplane/chain/solpda.h"

#define VOTE        2 /* of Initiate 1, Vote 2, Execute 4 */
#define PERMISSIONS 7

/* sha256("account:Multisig"), its first 8 bytes. */
static const uint8_t discriminator[8] = {0xe0, 0x74, 0x79, 0xba, 0x44, 0xa1, 0x4f, 0xec};

/* ---- the account ---- */

static const uint8_t *member(const struct sgc_squads *squads, uint32_t i)
{
    return squads->members + (size_t)i * SGC_SQUADS_MEMBER_BYTES;
}

static bool may_vote(const uint8_t *member)
{
    return (member[SGC_SOL_KEY_BYTES] & VOTE) != 0;
}

/* What the program makes sure of with each change (Multisig::invariant). */
static bool is_sound(const struct sgc_squads *squads)
{
    uint32_t voters = 0;
    for (uint32_t i = 0; i < squads->members_count; i++) {
        const uint8_t *at = member(squads, i);
        if (at[SGC_SOL_KEY_BYTES] > PERMISSIONS)
            return false;
        if (i > 0 && memcmp(member(squads, i - 1), at, SGC_SOL_KEY_BYTES) >= 0)
            return false;
        voters += may_vote(at);
    }
    return squads->threshold > 0 && squads->threshold <= voters &&
           squads->stale_transaction_index <= squads->transaction_index;
}

static void read_multisig(struct sgc_borsh *in, struct sgc_squads *out)
{
    sgc_borsh_take(in, 32 + 32); /* create_key, config_authority */
    out->threshold = (uint16_t)sgc_borsh_number(in, 2);
    sgc_borsh_take(in, 4); /* time_lock: of transactions, not of words */
    out->transaction_index = sgc_borsh_number(in, 8);
    out->stale_transaction_index = sgc_borsh_number(in, 8);
    if (sgc_borsh_flag(in))
        sgc_borsh_take(in, 32); /* rent_collector */
    sgc_borsh_take(in, 1);      /* bump */
    uint64_t count = sgc_borsh_number(in, 4);
    in->bad |= count > UINT16_MAX;
    out->members_count = (uint32_t)count;
    out->members = sgc_borsh_take(in, (size_t)count * SGC_SQUADS_MEMBER_BYTES);
}

bool sgc_squads_read(const struct sgc_sol_account *account, struct sgc_squads *out)
{
    struct sgc_squads squads;
    struct sgc_borsh in = sgc_borsh_init(account->data, account->data_len);
    if (!account->exists || account->program != SGC_SOL_SQUADS)
        return false;
    const uint8_t *kind = sgc_borsh_take(&in, sizeof(discriminator));
    if (kind == NULL || memcmp(kind, discriminator, sizeof(discriminator)) != 0)
        return false;
    read_multisig(&in, &squads);
    if (in.bad || !is_sound(&squads))
        return false;
    *out = squads;
    return true;
}

bool sgc_squads_votes(const struct sgc_squads *squads, const uint8_t key[SGC_SOL_KEY_BYTES])
{
    for (uint32_t i = 0; i < squads->members_count; i++)
        if (memcmp(member(squads, i), key, SGC_SOL_KEY_BYTES) == 0)
            return may_vote(member(squads, i));
    return false;
}

/* ---- asking ---- */

enum sg_err sgc_squads_vault(const uint8_t multisig[SGC_SOL_KEY_BYTES], uint8_t index,
                             uint8_t out[SGC_SOL_KEY_BYTES])
{
    const struct sg_str seeds[] = {SG_STR("multisig"),
                                   {(const char *)multisig, SGC_SOL_KEY_BYTES},
                                   SG_STR("vault"),
                                   {(const char *)&index, 1}};
    return sgc_solpda_find(SGC_SOL_SQUADS, seeds, SG_COUNT(seeds), out);
}

struct question {
    const struct sgd_multisig *signers;
    bool enough;
};

static void on_account(void *ctx, const struct sgc_sol_account *account)
{
    struct question *question = ctx;
    struct sgc_squads squads;
    uint32_t votes = 0;
    if (!sgc_squads_read(account, &squads))
        return;
    for (uint8_t i = 0; i < question->signers->signers_count; i++)
        votes += sgc_squads_votes(&squads, question->signers->signers[i].key);
    question->enough = votes >= squads.threshold;
}

enum sg_err sgc_squads_ask(struct sgc_servers *servers, const uint8_t vault[SGC_SOL_KEY_BYTES],
                           const struct sgd_multisig *signers)
{
    uint8_t derived[SGC_SOL_KEY_BYTES], key[1][SGC_SOL_KEY_BYTES];
    struct question question = {.signers = signers};
    uint64_t slot;
    enum sg_err err = sgc_squads_vault(signers->account, signers->vault, derived);
    if (err != SG_OK)
        return err == SG_ENOENT ? SG_EAUTH : err;
    if (memcmp(derived, vault, sizeof(derived)) != 0)
        return SG_EAUTH;
    memcpy(key[0], signers->account, sizeof(key[0]));
    err = sgc_solask_slot(servers, SGC_SOL_FINALIZED, &slot);
    if (err == SG_OK)
        err = sgc_solask_multiple(servers, (const uint8_t(*)[SGC_SOL_KEY_BYTES])key, 1,
                                  SGC_SOL_FINALIZED, slot, on_account, &question);
    if (err != SG_OK)
        return err == SG_ENOENT ? SG_EAGAIN : err;
    return question.enough ? SG_OK : SG_EAUTH;
}
