#include "base/assert.h"
#include "base/b64url.h"
#include "dataplane/gate/grant_impl.h"

#define KEY_BYTES 32

/* ---- off-chain message, header version 0 ---- */

#define OFFCHAIN_PREAMBLE (16 + 1 + 32 + 1 + 1 + KEY_BYTES + 2)
enum offchain_format { OFFCHAIN_UTF8_SHORT = 1, OFFCHAIN_UTF8_LONG = 2 };

bool sgd_grant_put_offchain(struct sg_out *out, const struct sgd_grant *grant)
{
    char memory[SGD_GRANT_SIGNED_MAX];
    uint8_t application[SG_SHA256_BYTES];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    if (!sgd_grant_put_text(&text, grant))
        return false;
    const bool brief = OFFCHAIN_PREAMBLE + text.len <= SGD_SOLANA_MESSAGE_MAX;
    sg_sha256(grant->tenant.ptr, grant->tenant.len, application);
    sg_out_lit(out, "\xff"
                    "solana offchain");
    sg_out_char(out, 0); /* header version */
    sg_out_bytes(out, application, sizeof(application));
    sg_out_char(out, brief ? OFFCHAIN_UTF8_SHORT : OFFCHAIN_UTF8_LONG);
    sg_out_char(out, 1); /* signers */
    sg_out_bytes(out, grant->account.address.bytes, KEY_BYTES);
    sg_out_char(out, (char)(text.len & 0xff));
    sg_out_char(out, (char)(text.len >> 8));
    sg_out_str(out, sg_out_view(&text));
    return !out->full;
}

/* ---- memo transaction ---- */

#define TRANSACTION_MESSAGE_MAX (SGD_SOLANA_MESSAGE_MAX - 1 - 64) /* beside one signature */
#define INSTRUCTIONS_MAX        5 /* the memo, and each of ComputeBudget's kinds */

static const uint8_t memo_program[KEY_BYTES] = {
    /* MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr */
    0x05, 0x4a, 0x53, 0x5a, 0x99, 0x29, 0x21, 0x06, 0x4d, 0x24, 0xe8, 0x71, 0x60, 0xda, 0x38, 0x7c,
    0x7c, 0x35, 0xb5, 0xdd, 0xbc, 0x92, 0xbb, 0x81, 0xe4, 0x1f, 0xa8, 0x40, 0x41, 0x05, 0x44, 0x8d,
};
static const uint8_t budget_program[KEY_BYTES] = {
    /* ComputeBudget111111111111111111111111111111 */
    0x03, 0x06, 0x46, 0x6f, 0xe5, 0x21, 0x17, 0x32, 0xff, 0xec, 0xad, 0xba, 0x72, 0xc3, 0x9b, 0xe7,
    0xbc, 0x8c, 0xe5, 0xbb, 0xc5, 0xf7, 0x12, 0x6b, 0x2c, 0x43, 0x9b, 0x3a, 0x40, 0x00, 0x00, 0x00,
};

/* A line, since hardware wallets show no more. */
static bool put_memo(struct sg_out *out, const struct sgd_grant *grant)
{
    uint8_t hash[SG_SHA256_BYTES];
    if (!sgd_grant_hash(grant, hash))
        return false;
    sg_out_str(out, sgd_grant_domain(grant));
    sg_out_lit(out, " wants you to sign in with your Solana account, to watch ");
    sgd_grant_put_target(out, grant);
    sg_out_lit(out, " until ");
    sgd_grant_put_time(out, grant->expires_s);
    sg_out_lit(out, ". This transaction pays nothing and can never land. Grant: ");
    sg_b64url_put(out, hash, sizeof(hash));
    return !out->full;
}

/* In the place of a recent block's hash, so that no validator takes the transaction: a hash of ours
 * is no block's. */
static void never_landing(struct sg_str memo, uint8_t out[SG_SHA256_BYTES])
{
    struct sg_sha256 hash;
    sg_sha256_init(&hash);
    sg_sha256_add(&hash, "streamgate/memo", 15);
    sg_sha256_add(&hash, memo.ptr, memo.len);
    sg_sha256_final(&hash, out);
}

/* Solana's compact-u16: seven bits a byte, lowest first. */
static void put_compact(struct sg_out *out, size_t v)
{
    SG_ASSERT(v < 1u << 14);
    if (v >= 0x80)
        sg_out_char(out, (char)((v & 0x7f) | 0x80));
    sg_out_char(out, (char)(v >= 0x80 ? v >> 7 : v));
}

bool sgd_grant_put_memo_transaction(struct sg_out *out, const struct sgd_grant *grant)
{
    char memory[TRANSACTION_MESSAGE_MAX];
    uint8_t hash[SG_SHA256_BYTES];
    struct sg_out memo = sg_out_init(memory, sizeof(memory));
    const size_t before = out->len;
    if (!put_memo(&memo, grant))
        return false;
    never_landing(sg_out_view(&memo), hash);
    sg_out_lit(out, "\1\0\1"); /* signers, of them read-only, others read-only: the program */
    put_compact(out, 2);
    sg_out_bytes(out, grant->account.address.bytes, KEY_BYTES);
    sg_out_bytes(out, memo_program, sizeof(memo_program));
    sg_out_bytes(out, hash, sizeof(hash));
    put_compact(out, 1);
    sg_out_char(out, 1); /* program: the second account */
    put_compact(out, 1);
    sg_out_char(out, 0); /* its account: the first, whose signature it asks for */
    put_compact(out, memo.len);
    sg_out_str(out, sg_out_view(&memo));
    return !out->full && out->len - before <= TRANSACTION_MESSAGE_MAX;
}

/* A message as the wallet has signed it, read strictly. */
struct reader {
    const uint8_t *at, *end;
};

static bool take(struct reader *in, size_t len, const uint8_t **out)
{
    if ((size_t)(in->end - in->at) < len)
        return false;
    *out = in->at;
    in->at += len;
    return true;
}

static bool take_u8(struct reader *in, uint8_t *out)
{
    const uint8_t *at;
    if (!take(in, 1, &at))
        return false;
    *out = *at;
    return true;
}

/* Two bytes at most, more than any message of ours needs; in the shortest form. */
static bool take_compact(struct reader *in, size_t *out)
{
    uint8_t low, high = 0;
    if (!take_u8(in, &low))
        return false;
    if (low >= 0x80 && (!take_u8(in, &high) || high == 0 || high >= 0x80))
        return false;
    *out = (size_t)(low & 0x7f) | (size_t)high << 7;
    return true;
}

static bool take_exactly(struct reader *in, const void *bytes, size_t len)
{
    const uint8_t *at;
    return take(in, len, &at) && memcmp(at, bytes, len) == 0;
}

struct programs {
    size_t memo, budget; /* as accounts; 0: not there, since that is the signer */
};

/* One signer, who is the account; the others are the two programs, each once. */
static bool read_accounts(struct reader *in, const struct sgd_grant *grant, struct programs *out)
{
    uint8_t signers, readonly_signers, readonly_others;
    size_t count;
    if (!take_u8(in, &signers))
        return false;
    if (signers == 0x80 && !take_u8(in, &signers)) /* a version, and that is 0 */
        return false;
    if (!take_u8(in, &readonly_signers) || !take_u8(in, &readonly_others) ||
        !take_compact(in, &count) || signers != 1 || readonly_signers != 0 || count > 3 ||
        count != 1 + (size_t)readonly_others ||
        !take_exactly(in, grant->account.address.bytes, KEY_BYTES))
        return false;
    *out = (struct programs){0, 0};
    for (size_t i = 1; i < count; i++) {
        const uint8_t *key;
        if (!take(in, KEY_BYTES, &key))
            return false;
        const bool memo = memcmp(key, memo_program, KEY_BYTES) == 0;
        size_t *place = memo ? &out->memo : &out->budget;
        if (*place != 0 || (!memo && memcmp(key, budget_program, KEY_BYTES) != 0))
            return false;
        *place = i;
    }
    return out->memo != 0;
}

/* RequestHeapFrame, SetComputeUnitLimit, SetComputeUnitPrice, SetLoadedAccountsDataSizeLimit. */
static bool is_budget_data(const uint8_t *data, size_t len)
{
    return len > 0 && data[0] >= 1 && data[0] <= 4 && len == (data[0] == 3 ? 9 : 5);
}

/* The memo, which may name the signer as its account; or what the transaction may cost. */
static bool read_instruction(struct reader *in, const struct programs *programs, struct sg_str memo,
                             unsigned *memos)
{
    static const uint8_t signer[1] = {0};
    uint8_t program;
    size_t accounts, len;
    const uint8_t *data;
    if (!take_u8(in, &program) || program == 0 || !take_compact(in, &accounts))
        return false;
    const bool is_memo = program == programs->memo;
    if ((!is_memo && program != programs->budget) || accounts > is_memo ||
        !take_exactly(in, signer, accounts) || !take_compact(in, &len) || !take(in, len, &data))
        return false;
    *memos += is_memo;
    return is_memo ? sg_str_eq((struct sg_str){(const char *)data, len}, memo)
                   : is_budget_data(data, len);
}

bool sgd_grant_is_memo_transaction(const struct sgd_grant *grant, struct sg_str message)
{
    char memory[TRANSACTION_MESSAGE_MAX];
    uint8_t hash[SG_SHA256_BYTES];
    struct sg_out memo = sg_out_init(memory, sizeof(memory));
    struct reader in = {(const uint8_t *)message.ptr, (const uint8_t *)message.ptr + message.len};
    const bool versioned = message.len > 0 && in.at[0] == 0x80;
    struct programs programs;
    size_t count;
    unsigned memos = 0;
    if (message.len > TRANSACTION_MESSAGE_MAX || !put_memo(&memo, grant))
        return false;
    never_landing(sg_out_view(&memo), hash);
    if (!read_accounts(&in, grant, &programs) || !take_exactly(&in, hash, sizeof(hash)) ||
        !take_compact(&in, &count) || count > INSTRUCTIONS_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_instruction(&in, &programs, sg_out_view(&memo), &memos))
            return false;
    static const uint8_t no_tables[1] = {0};
    return memos == 1 && (!versioned || take_exactly(&in, no_tables, 1)) && in.at == in.end;
}
