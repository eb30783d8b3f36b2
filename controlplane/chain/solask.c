#include "controlplane/chain/solask.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/crypto.h"

#define PARAMS_BYTES  (SGC_SOL_ACCOUNTS_MAX * 50 + 512)
#define GENESIS_CHARS 32

/* ---- slots ---- */

static enum sgc_rpc_end genesis_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    struct sg_str text;
    if (!sg_jsonread_plain(result, &text) || text.len < GENESIS_CHARS)
        return SGC_RPC_garbage;
    memcpy(out, text.ptr, GENESIS_CHARS);
    (void)ctx;
    return SGC_RPC_ok;
}

enum sg_err sgc_solask_genesis(struct sgc_servers *servers, char out[33])
{
    const struct sgc_servers_question question = {
        .method = "getGenesisHash", .params = SG_STR("[]"), .digest = genesis_digest};
    struct sgc_servers_answer answer;
    struct sg_str text;
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    if (err != SG_OK)
        return err;
    if (answer.reverted || !sg_jsonread_plain(answer.result, &text))
        return SG_EAGAIN;
    memcpy(out, text.ptr, GENESIS_CHARS);
    out[GENESIS_CHARS] = 0;
    return SG_OK;
}

struct slots {
    uint32_t count;
    uint32_t servers[SGC_SERVERS_MAX];
    uint64_t slots[SGC_SERVERS_MAX]; /* highest first */
};

static void slots_add(struct slots *slots, uint32_t server, uint64_t slot)
{
    uint32_t i = slots->count++;
    for (; i > 0 && slots->slots[i - 1] < slot; i--) {
        slots->slots[i] = slots->slots[i - 1];
        slots->servers[i] = slots->servers[i - 1];
    }
    slots->slots[i] = slot;
    slots->servers[i] = server;
}

enum sg_err sgc_solask_slot(struct sgc_servers *servers, enum sgc_sol_commitment commitment,
                            uint64_t *out)
{
    char memory[64];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct sgc_servers_said said[SGC_SERVERS_MAX];
    struct slots slots = {.count = 0};
    uint64_t slot;
    sgc_sol_put_commitment_params(&params, commitment);
    SG_ASSERT(!params.full);
    uint32_t count = sgc_servers_poll(servers, "getSlot", sg_out_view(&params), said);
    for (uint32_t i = 0; i < count; i++) {
        if (sg_jsonread_u64(said[i].result, &slot)) {
            sgc_servers_note_head(servers, said[i].server, slot);
            slots_add(&slots, said[i].server, slot);
        } else {
            sgc_servers_blame(servers, said[i].server, SGC_RPC_garbage);
        }
    }
    uint32_t agree = sgc_servers_agree(servers);
    if (slots.count < agree)
        return sgc_servers_no_quorum(servers);
    slot = slots.slots[agree - 1]; /* a liar far ahead moves it nowhere */
    for (uint32_t i = agree; i < slots.count; i++)
        if (slots.slots[i] + SGC_SOLASK_LAG_SLOTS < slot)
            sgc_servers_blame(servers, slots.servers[i], SGC_RPC_behind);
    if (commitment == SGC_SOL_CONFIRMED)
        sgc_servers_note_agreed_head(servers, slot);
    *out = slot;
    return SG_OK;
}

/* ---- accounts ---- */

struct accounts_question {
    bool keyed;
    uint32_t count; /* unless keyed */
    uint64_t slot_min;
    uint8_t *scratch;
};

/* `index`: where its place in the answer says which it is; else its key does. */
static void account_hash(const struct sgc_sol_account *account, uint32_t index, uint8_t out[32])
{
    const uint64_t numbers[] = {index, account->exists, account->program, account->data_len};
    struct sg_sha256 hash;
    sg_sha256_init(&hash);
    sg_sha256_add(&hash, numbers, sizeof(numbers));
    sg_sha256_add(&hash, account->key, sizeof(account->key));
    sg_sha256_add(&hash, account->data, account->data_len);
    sg_sha256_final(&hash, out);
}

/* Of a set: servers list a program's accounts in an order of their own. */
static void digest_add(uint8_t sum[32], const uint8_t hash[32])
{
    uint32_t carry = 0;
    for (int i = 31; i >= 0; i--) {
        carry += (uint32_t)sum[i] + hash[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static enum sgc_rpc_end accounts_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    const struct accounts_question *question = ctx;
    struct sgc_sol_accounts accounts;
    struct sgc_sol_account account;
    uint8_t hash[32];
    if (!sgc_sol_accounts_begin(&accounts, result, question->keyed, question->scratch))
        return SGC_RPC_garbage;
    if (accounts.slot < question->slot_min)
        return SGC_RPC_behind;
    memset(out, 0, 32);
    while (sgc_sol_accounts_next(&accounts, &account)) {
        account_hash(&account, question->keyed ? 0 : account.index, hash);
        digest_add(out, hash);
    }
    if (accounts.garbage || (!question->keyed && accounts.index != question->count))
        return SGC_RPC_garbage;
    return SGC_RPC_ok;
}

static enum sg_err accounts_ask(struct sgc_servers *servers, const char *method,
                                struct sg_str params, struct accounts_question *asked,
                                sgc_solask_fn *each, void *ctx)
{
    const struct sgc_servers_question question = {
        .method = method, .params = params, .digest = accounts_digest, .ctx = asked};
    struct sgc_servers_answer answer;
    struct sgc_sol_accounts accounts;
    struct sgc_sol_account account;
    asked->scratch = sg_boot_alloc(SGC_SOL_ACCOUNT_BYTES);
    if (asked->scratch == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    if (err == SG_OK && answer.reverted)
        err = SG_EAGAIN;
    if (err == SG_OK) {
        bool good = sgc_sol_accounts_begin(&accounts, answer.result, asked->keyed, asked->scratch);
        SG_ASSERT(good); /* it had a digest */
        while (sgc_sol_accounts_next(&accounts, &account))
            each(ctx, &account);
    }
    sg_boot_free(asked->scratch);
    return err;
}

enum sg_err sgc_solask_multiple(struct sgc_servers *servers,
                                const uint8_t (*keys)[SGC_SOL_KEY_BYTES], uint32_t count,
                                enum sgc_sol_commitment commitment, uint64_t slot_min,
                                sgc_solask_fn *each, void *ctx)
{
    char memory[PARAMS_BYTES];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct accounts_question asked = {.count = count, .slot_min = slot_min};
    sgc_sol_put_multiple_params(&params, keys, count, commitment, slot_min);
    SG_ASSERT(!params.full);
    return accounts_ask(servers, "getMultipleAccounts", sg_out_view(&params), &asked, each, ctx);
}

enum sg_err sgc_solask_program(struct sgc_servers *servers, enum sgc_sol_program program,
                               uint32_t offset, const uint8_t key[SGC_SOL_KEY_BYTES],
                               enum sgc_sol_commitment commitment, uint64_t slot_min,
                               sgc_solask_fn *each, void *ctx)
{
    char memory[512];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct accounts_question asked = {.keyed = true, .slot_min = slot_min};
    sgc_sol_put_program_params(&params, program, offset, key, commitment, slot_min);
    SG_ASSERT(!params.full);
    return accounts_ask(servers, "getProgramAccounts", sg_out_view(&params), &asked, each, ctx);
}
