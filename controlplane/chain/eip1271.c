#include "controlplane/chain/eip1271.h"

#include "base/assert.h"
#include "controlplane/chain/abi.h"
#include "controlplane/chain/agreed.h"

#define SIGNATURE_MAX 4096 /* a grant is no larger */
#define CALL_MAX      (SIGNATURE_MAX + 1024)
#define ANSWER_BYTES  96
#define CALL_GAS      10000000 /* wallets take under a million, with their deployment three */

/* ---- what is called ---- */

static const uint8_t magic_1271[32] = {0x16, 0x26, 0xba, 0x7e}; /* bytes4, as it is returned */

/* isValidSignature(bytes32,bytes) */
static void put_question(struct sg_out *out, const uint8_t digest[32], struct sg_str signature)
{
    struct sgc_abi_writer writer;
    struct sgc_abi abi;
    bool is_type = sgc_abi_types(SG_STR("(bytes32,bytes)"), &abi);
    SG_ASSERT(is_type);
    sg_out_bytes(out, magic_1271, 4); /* the answer is the question's selector */
    sgc_abi_write(&writer, &abi, out);
    sgc_abi_put_word(&writer, digest);
    sgc_abi_put_bytes(&writer, signature.ptr, signature.len);
}

/* ERC-6492: (address factory, bytes call, bytes signature), and 32 bytes that no ECDSA signature
 * ends with. */
struct wrapped {
    const uint8_t *factory;
    struct sg_str call, signature;
};

static bool is_wrapped(struct sg_str signature)
{
    if (signature.len < 32)
        return false;
    for (size_t i = signature.len - 32; i < signature.len; i += 2) {
        if ((uint8_t)signature.ptr[i] != 0x64 || (uint8_t)signature.ptr[i + 1] != 0x92)
            return false;
    }
    return true;
}

static bool unwrap(const struct sgc_abi *abi, struct sg_str signature, struct wrapped *out)
{
    struct sgc_abi_value root;
    if (!sgc_abi_read(abi, (const uint8_t *)signature.ptr, signature.len - 32, &root))
        return false;
    const struct sgc_abi_value factory = sgc_abi_item(&root, 0), call = sgc_abi_item(&root, 1),
                               inner = sgc_abi_item(&root, 2);
    *out = (struct wrapped){sgc_abi_address(&factory), sgc_abi_bytes(&call), sgc_abi_bytes(&inner)};
    return true;
}

enum op {
    OP_CODECOPY = 0x39,
    OP_EXTCODESIZE = 0x3b,
    OP_RETURNDATASIZE = 0x3d,
    OP_POP = 0x50,
    OP_MSTORE = 0x52,
    OP_JUMPI = 0x57,
    OP_GAS = 0x5a,
    OP_JUMPDEST = 0x5b,
    OP_PUSH2 = 0x61,
    OP_PUSH20 = 0x73,
    OP_CALL = 0xf1,
    OP_RETURN = 0xf3,
    OP_STATICCALL = 0xfa,
};

static void op(struct sg_out *out, enum op code)
{
    sg_out_char(out, (char)code);
}

static void push(struct sg_out *out, size_t v)
{
    SG_ASSERT(v <= UINT16_MAX);
    op(out, OP_PUSH2);
    sg_out_char(out, (char)(v >> 8));
    sg_out_char(out, (char)v);
}

static void push_address(struct sg_out *out, const uint8_t address[20])
{
    op(out, OP_PUSH20);
    sg_out_bytes(out, address, 20);
}

/* Memory from 96 on = code[at .. at + len); below 96 the answer is built. */
static void put_copy(struct sg_out *out, size_t at, size_t len)
{
    push(out, len);
    push(out, at);
    push(out, ANSWER_BYTES);
    op(out, OP_CODECOPY);
}

/* If nothing stands at `account`, have the factory deploy it; whether it did shows below. */
static void put_deploy(struct sg_out *out, const uint8_t account[20], const struct wrapped *wrapped,
                       size_t call_at)
{
    push_address(out, account);
    op(out, OP_EXTCODESIZE);
    op(out, OP_PUSH2); /* where to jump when there is code: filled in at the end */
    size_t hole = out->len;
    sg_out_bytes(out, "\0\0", 2);
    op(out, OP_JUMPI);
    put_copy(out, call_at, wrapped->call.len);
    push(out, 0);
    push(out, 0);
    push(out, wrapped->call.len);
    push(out, ANSWER_BYTES);
    push(out, 0);
    push_address(out, wrapped->factory);
    op(out, OP_GAS);
    op(out, OP_CALL);
    op(out, OP_POP);
    if (!out->full) {
        out->ptr[hole] = (char)(out->len >> 8);
        out->ptr[hole + 1] = (char)out->len;
    }
    op(out, OP_JUMPDEST);
}

/* Returns 96 bytes: did the call succeed; how many bytes it returned; the first 32 of them. */
static void put_ask(struct sg_out *out, const uint8_t account[20], size_t question_at,
                    size_t question_len)
{
    put_copy(out, question_at, question_len);
    push(out, 32);
    push(out, 64);
    push(out, question_len);
    push(out, ANSWER_BYTES);
    push_address(out, account);
    op(out, OP_GAS);
    op(out, OP_STATICCALL);
    push(out, 0);
    op(out, OP_MSTORE);
    op(out, OP_RETURNDATASIZE);
    push(out, 32);
    op(out, OP_MSTORE);
    push(out, ANSWER_BYTES);
    push(out, 0);
    op(out, OP_RETURN);
}

/* Creation code that deploys nothing: what it returns is the answer. The factory's call and the
 * question stand behind the program, whose length does not depend on where. */
static void put_program(struct sg_out *out, const uint8_t account[20],
                        const struct wrapped *wrapped, struct sg_str question)
{
    char memory[512];
    struct sg_out trial = sg_out_init(memory, sizeof(memory));
    put_deploy(&trial, account, wrapped, 0);
    put_ask(&trial, account, 0, question.len);
    SG_ASSERT(!trial.full);
    size_t call_at = trial.len, question_at = call_at + wrapped->call.len;
    put_deploy(out, account, wrapped, call_at);
    put_ask(out, account, question_at, question.len);
    sg_out_str(out, wrapped->call);
    sg_out_str(out, question);
}

/* ---- asking ---- */

/* `call` at the head that a quorum agrees on. */
static enum sg_err ask_at_head(struct sgc_servers *servers, struct sgc_eth_call *call,
                               uint8_t answer[ANSWER_BYTES], size_t *len)
{
    struct sgc_eth_block head;
    bool reverted;
    enum sg_err err = sgc_agreed_head(servers, SGC_ETH_LATEST, &head);
    if (err != SG_OK)
        return err;
    call->gas = CALL_GAS;
    call->at.kind = SGC_ETH_HASH;
    memcpy(call->at.hash, head.hash, sizeof(head.hash));
    err = sgc_agreed_call(servers, call, answer, ANSWER_BYTES, len, &reverted);
    if (err == SG_ENOENT)
        return SG_EAGAIN; /* the block went in between */
    if (err == SG_ERANGE)
        return SG_EAUTH; /* a wallet says one word, not many */
    if (err == SG_OK && reverted)
        *len = 0;
    return err;
}

/* A wallet that is there. */
static enum sg_err ask_deployed(struct sgc_servers *servers, const uint8_t account[20],
                                struct sg_str question)
{
    uint8_t answer[ANSWER_BYTES];
    size_t len = 0;
    struct sgc_eth_call call = {
        .has_to = true, .data = (const uint8_t *)question.ptr, .data_len = question.len};
    memcpy(call.to, account, sizeof(call.to));
    enum sg_err err = ask_at_head(servers, &call, answer, &len);
    if (err != SG_OK)
        return err;
    return len >= 32 && memcmp(answer, magic_1271, 32) == 0 ? SG_OK : SG_EAUTH;
}

static enum sg_err ask_wrapped(struct sgc_servers *servers, const uint8_t account[20],
                               const uint8_t digest[32], struct sg_str signature)
{
    static const uint8_t one[32] = {[31] = 1}, nothing[30] = {0};
    uint8_t question_memory[CALL_MAX], program_memory[2 * CALL_MAX], answer[ANSWER_BYTES];
    struct sg_out question = sg_out_init(question_memory, sizeof(question_memory));
    struct sg_out program = sg_out_init(program_memory, sizeof(program_memory));
    struct wrapped wrapped;
    struct sgc_abi abi;
    size_t len = 0;
    bool is_type = sgc_abi_types(SG_STR("(address,bytes,bytes)"), &abi);
    SG_ASSERT(is_type);
    if (!unwrap(&abi, signature, &wrapped))
        return SG_EAUTH;
    put_question(&question, digest, wrapped.signature);
    put_program(&program, account, &wrapped, sg_out_view(&question));
    SG_ASSERT(!question.full && !program.full);
    struct sgc_eth_call call = {.data = program_memory, .data_len = program.len};
    enum sg_err err = ask_at_head(servers, &call, answer, &len);
    if (err != SG_OK)
        return err;
    bool holds = len == ANSWER_BYTES && memcmp(answer, one, 32) == 0 &&
                 (memcmp(answer + 32, nothing, 30) != 0 || answer[62] != 0 || answer[63] >= 32) &&
                 memcmp(answer + 64, magic_1271, 32) == 0;
    return holds ? SG_OK : SG_EAUTH;
}

enum sg_err sgc_eip1271_ask(struct sgc_servers *servers, const uint8_t account[20],
                            const uint8_t digest[32], struct sg_str signature)
{
    uint8_t memory[CALL_MAX];
    struct sg_out question = sg_out_init(memory, sizeof(memory));
    if (signature.len > SIGNATURE_MAX)
        return SG_EAUTH;
    if (is_wrapped(signature))
        return ask_wrapped(servers, account, digest, signature);
    put_question(&question, digest, signature);
    SG_ASSERT(!question.full);
    return ask_deployed(servers, account, sg_out_view(&question));
}
