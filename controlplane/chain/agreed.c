#include "controlplane/chain/agreed.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/keccak.h"
#include "controlplane/chain/proof.h"

/* ---- blocks ---- */

struct block_question {
    const struct sgc_eth_at *at;
    bool check_header;
    struct sgc_eth_block block; /* the last one read */
};

static enum sgc_rpc_end block_read(struct sg_jsonread result, const struct sgc_eth_at *at,
                                   bool check_header, struct sgc_eth_block *out)
{
    uint8_t hash[32];
    if (!sgc_eth_read_block(result, out) ||
        (at->kind == SGC_ETH_NUMBER && out->number != at->number) ||
        (at->kind == SGC_ETH_HASH && memcmp(out->hash, at->hash, sizeof(at->hash)) != 0))
        return SGC_RPC_garbage;
    if (check_header && (!sgc_proof_header_hash(result, hash) || memcmp(hash, out->hash, 32) != 0))
        return SGC_RPC_unproven;
    return SGC_RPC_ok;
}

static void block_digest_of(const struct sgc_eth_block *block, uint8_t out[32])
{
    sg_keccak256(block, sizeof(*block), out); /* no padding: see the assertion */
}
_Static_assert(sizeof(struct sgc_eth_block) == 2 * 8 + 4 * 32 + 256, "hashed as it lies");

static enum sgc_rpc_end block_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    struct block_question *question = ctx;
    enum sgc_rpc_end end =
        block_read(result, question->at, question->check_header, &question->block);
    if (end == SGC_RPC_ok)
        block_digest_of(&question->block, out);
    return end;
}

enum sg_err sgc_agreed_block(struct sgc_servers *servers, const struct sgc_eth_at *at,
                             struct sgc_eth_block *out)
{
    char memory[160];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct block_question asked = {at, sgc_servers_check_headers(servers), {0}};
    struct sgc_servers_answer answer;
    sgc_eth_put_block_params(&params, at);
    SG_ASSERT(!params.full);
    const struct sgc_servers_question question = {.method = sgc_eth_block_method(at),
                                                  .params = sg_out_view(&params),
                                                  .digest = block_digest,
                                                  .ctx = &asked};
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    if (err != SG_OK)
        return err;
    if (answer.reverted || block_read(answer.result, at, false, out) != SGC_RPC_ok)
        return SG_EAGAIN;
    return SG_OK;
}

/* ---- the head ---- */

struct heads {
    uint32_t count;
    uint32_t servers[SGC_SERVERS_MAX];
    struct sgc_eth_block blocks[SGC_SERVERS_MAX]; /* highest first */
};

static void heads_add(struct heads *heads, uint32_t server, const struct sgc_eth_block *block)
{
    uint32_t i = heads->count++;
    for (; i > 0 && heads->blocks[i - 1].number < block->number; i--) {
        heads->blocks[i] = heads->blocks[i - 1];
        heads->servers[i] = heads->servers[i - 1];
    }
    heads->blocks[i] = *block;
    heads->servers[i] = server;
}

static void heads_ask(struct sgc_servers *servers, const struct sgc_eth_at *at, struct heads *heads)
{
    char memory[64];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct sgc_servers_said said[SGC_SERVERS_MAX];
    bool check_header = sgc_servers_check_headers(servers);
    sgc_eth_put_block_params(&params, at);
    uint32_t count =
        sgc_servers_poll(servers, sgc_eth_block_method(at), sg_out_view(&params), said);
    heads->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sgc_eth_block block;
        if (sg_jsonread_is_null(said[i].result))
            continue; /* no safe block yet, say */
        enum sgc_rpc_end end = block_read(said[i].result, at, check_header, &block);
        if (end == SGC_RPC_ok) {
            sgc_servers_note_head(servers, said[i].server, block.number);
            heads_add(heads, said[i].server, &block);
        } else {
            sgc_servers_blame(servers, said[i].server, end);
        }
    }
}

static void heads_judge(struct sgc_servers *servers, const struct heads *heads,
                        const struct sgc_eth_block *agreed)
{
    for (uint32_t i = 0; i < heads->count; i++) {
        if (heads->blocks[i].number + SGC_AGREED_LAG_BLOCKS < agreed->number)
            sgc_servers_blame(servers, heads->servers[i], SGC_RPC_behind);
        else if (memcmp(heads->blocks[i].hash, agreed->hash, sizeof(agreed->hash)) == 0)
            sgc_servers_praise(servers, heads->servers[i]);
    }
}

static bool heads_agree(const struct heads *heads, uint32_t agree)
{
    for (uint32_t i = 1; i < agree; i++) {
        if (memcmp(&heads->blocks[i], &heads->blocks[0], sizeof(heads->blocks[0])) != 0)
            return false;
    }
    return true;
}

enum sg_err sgc_agreed_head(struct sgc_servers *servers, enum sgc_eth_at_kind kind,
                            struct sgc_eth_block *out)
{
    SG_ASSERT(kind != SGC_ETH_NUMBER && kind != SGC_ETH_HASH);
    struct sgc_eth_at at = {.kind = kind};
    struct heads heads;
    uint32_t agree = sgc_servers_agree(servers);
    enum sg_err err = SG_OK;
    heads_ask(servers, &at, &heads);
    if (heads.count < agree)
        return sgc_servers_no_quorum(servers);
    /* The highest that `agree` servers can have: a liar far ahead moves it nowhere. */
    struct sgc_eth_block block = heads.blocks[agree - 1];
    at = (struct sgc_eth_at){.kind = SGC_ETH_NUMBER, .number = block.number};
    if (!heads_agree(&heads, agree))
        err = sgc_agreed_block(servers, &at, &block);
    if (err != SG_OK)
        return err;
    heads_judge(servers, &heads, &block);
    if (kind == SGC_ETH_LATEST)
        sgc_servers_note_agreed_head(servers, block.number);
    *out = block;
    return SG_OK;
}

/* ---- logs ---- */

struct logs_question {
    const struct sgc_eth_filter *filter;
    uint8_t *scratch;
};

static bool logs_in_order(const struct sgc_eth_log *before, const struct sgc_eth_log *log)
{
    return log->block > before->block || (log->block == before->block && log->log > before->log);
}

static void log_hash(struct sg_keccak256 *hash, const struct sgc_eth_log *log)
{
    const uint64_t numbers[] = {log->block, log->tx, log->log, log->topics_count, log->data_len};
    sg_keccak256_add(hash, numbers, sizeof(numbers));
    sg_keccak256_add(hash, log->address, sizeof(log->address));
    sg_keccak256_add(hash, log->topics, 32 * (size_t)log->topics_count);
    sg_keccak256_add(hash, log->block_hash, sizeof(log->block_hash));
    sg_keccak256_add(hash, log->tx_hash, sizeof(log->tx_hash));
    sg_keccak256_add(hash, log->data, log->data_len);
}

static enum sgc_rpc_end logs_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    const struct logs_question *question = ctx;
    struct sgc_eth_logs logs;
    struct sgc_eth_log log, before = {.log = 0};
    struct sg_keccak256 hash;
    if (!sgc_eth_logs_begin(&logs, result, question->scratch, SGC_AGREED_LOG_BYTES))
        return SGC_RPC_garbage;
    sg_keccak256_init(&hash);
    for (bool first = true; sgc_eth_logs_next(&logs, &log); first = false) {
        if (log.removed || !sgc_eth_log_fits(&log, question->filter) ||
            (!first && !logs_in_order(&before, &log)))
            return SGC_RPC_garbage;
        log_hash(&hash, &log);
        before = log;
    }
    sg_keccak256_final(&hash, out);
    return logs.garbage ? SGC_RPC_garbage : SGC_RPC_ok;
}

static enum sg_err logs_tell(const struct logs_question *asked, struct sg_jsonread result,
                             sgc_agreed_log_fn *each, void *ctx)
{
    struct sgc_eth_logs logs;
    struct sgc_eth_log log;
    bool is_array = sgc_eth_logs_begin(&logs, result, asked->scratch, SGC_AGREED_LOG_BYTES);
    SG_ASSERT(is_array); /* it was, for the digest */
    while (sgc_eth_logs_next(&logs, &log)) {
        if (!each(ctx, &log))
            return SG_EINTR;
    }
    return SG_OK;
}

enum sg_err sgc_agreed_logs(struct sgc_servers *servers, const struct sgc_eth_filter *filter,
                            sgc_agreed_log_fn *each, void *ctx)
{
    size_t params_bytes = sgc_eth_logs_params_bytes(filter);
    uint8_t *memory = sg_boot_alloc(SGC_AGREED_LOG_BYTES + params_bytes);
    if (memory == NULL)
        return SG_ENOMEM;
    struct logs_question asked = {filter, memory};
    struct sg_out params = sg_out_init(memory + SGC_AGREED_LOG_BYTES, params_bytes);
    sgc_eth_put_logs_params(&params, filter);
    SG_ASSERT(!params.full);
    const struct sgc_servers_question question = {.method = "eth_getLogs",
                                                  .params = sg_out_view(&params),
                                                  .digest = logs_digest,
                                                  .ctx = &asked};
    struct sgc_servers_answer answer;
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    if (err == SG_OK)
        err = answer.reverted ? SG_EAGAIN : logs_tell(&asked, answer.result, each, ctx);
    sg_boot_free(memory);
    return err;
}

/* ---- calls ---- */

/* However long: what a contract returns is not the server's fault. */
static enum sgc_rpc_end call_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    (void)ctx;
    return sgc_eth_data_hash(result, out) ? SGC_RPC_ok : SGC_RPC_garbage;
}

enum sg_err sgc_agreed_call(struct sgc_servers *servers, const struct sgc_eth_call *call,
                            uint8_t *out, size_t max, size_t *len, bool *reverted)
{
    size_t params_bytes = sgc_eth_call_params_bytes(call);
    char *memory = sg_boot_alloc(params_bytes);
    if (memory == NULL)
        return SG_ENOMEM;
    struct sg_out params = sg_out_init(memory, params_bytes);
    struct sgc_servers_answer answer;
    sgc_eth_put_call_params(&params, call);
    SG_ASSERT(!params.full);
    const struct sgc_servers_question question = {.method = "eth_call",
                                                  .params = sg_out_view(&params),
                                                  .digest = call_digest,
                                                  .is_strangers = true};
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    sg_boot_free(memory);
    if (err != SG_OK)
        return err;
    size_t bytes = 0;
    bool fits = answer.result.ptr != NULL && sgc_eth_data(answer.result, out, max, &bytes);
    if (!fits && !answer.reverted)
        return SG_ERANGE;
    *len = bytes;
    *reverted = answer.reverted;
    return SG_OK;
}

static enum sgc_rpc_end number_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    (void)ctx;
    struct sg_u256 number;
    if (!sgc_eth_u256(result, &number))
        return SGC_RPC_garbage;
    memcpy(out, number.bytes, sizeof(number.bytes));
    return SGC_RPC_ok;
}

enum sg_err sgc_agreed_chain_id(struct sgc_servers *servers, uint64_t *out)
{
    const struct sgc_servers_question question = {
        .method = "eth_chainId", .params = SG_STR("[]"), .digest = number_digest, .ctx = NULL};
    struct sgc_servers_answer answer;
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    if (err != SG_OK)
        return err;
    return !answer.reverted && sgc_eth_u64(answer.result, out) ? SG_OK : SG_ERANGE;
}
