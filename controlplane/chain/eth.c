#include "controlplane/chain/eth.h"

#include "base/assert.h"
#include "base/keccak.h"

#include <limits.h>

/* ---- hex ---- */

static const int8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
}; /* one more than the digit's value; 0: none */

static int digit(char c)
{
    return hex_values[(uint8_t)c] - 1;
}

/* The digits after 0x. */
static bool digits_of(struct sg_jsonread value, struct sg_str *out)
{
    if (value.len < 4 || value.ptr[0] != '"' || value.ptr[1] != '0' || value.ptr[2] != 'x')
        return false;
    *out = (struct sg_str){value.ptr + 3, value.len - 4};
    return true;
}

/* An even number of digits. */
static bool unhex(struct sg_str digits, uint8_t *out)
{
    int bad = 0;
    for (size_t i = 0; i < digits.len / 2; i++) {
        int high = digit(digits.ptr[2 * i]), low = digit(digits.ptr[2 * i + 1]);
        bad |= high | low;
        out[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    return bad >= 0;
}

bool sgc_eth_u256(struct sg_jsonread value, struct sg_u256 *out)
{
    struct sg_str digits;
    char full[64];
    if (!digits_of(value, &digits) || digits.len == 0 || digits.len > sizeof(full))
        return false;
    memset(full, '0', sizeof(full));
    memcpy(full + sizeof(full) - digits.len, digits.ptr, digits.len);
    struct sg_u256 v;
    if (!unhex((struct sg_str){full, sizeof(full)}, v.bytes))
        return false;
    *out = v;
    return true;
}

bool sgc_eth_u64(struct sg_jsonread value, uint64_t *out)
{
    struct sg_str digits;
    uint64_t v = 0;
    if (!digits_of(value, &digits) || digits.len == 0 || digits.len > 64)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        int d = digit(digits.ptr[i]);
        if (d < 0 || v >> 60 != 0)
            return false;
        v = v << 4 | (uint64_t)d;
    }
    *out = v;
    return true;
}

bool sgc_eth_bytes(struct sg_jsonread value, uint8_t *out, size_t len)
{
    struct sg_str digits;
    return digits_of(value, &digits) && digits.len == 2 * len && unhex(digits, out);
}

bool sgc_eth_data(struct sg_jsonread value, uint8_t *out, size_t max, size_t *len)
{
    struct sg_str digits;
    if (!digits_of(value, &digits) || digits.len % 2 != 0 || digits.len / 2 > max ||
        !unhex(digits, out))
        return false;
    *len = digits.len / 2;
    return true;
}

bool sgc_eth_data_hash(struct sg_jsonread value, uint8_t out[32])
{
    struct sg_str digits;
    struct sg_keccak256 hash;
    uint8_t piece[256];
    if (!digits_of(value, &digits) || digits.len % 2 != 0)
        return false;
    sg_keccak256_init(&hash);
    for (size_t at = 0; at < digits.len;) {
        size_t len = SG_MIN(digits.len - at, 2 * sizeof(piece));
        if (!unhex((struct sg_str){digits.ptr + at, len}, piece))
            return false;
        sg_keccak256_add(&hash, piece, len / 2);
        at += len;
    }
    sg_keccak256_final(&hash, out);
    return true;
}

void sgc_eth_put_u64(struct sg_out *out, uint64_t v)
{
    sg_out_fmt(out, "\"0x%llx\"", (unsigned long long)v);
}

void sgc_eth_put_bytes(struct sg_out *out, const void *b, size_t len)
{
    sg_out_lit(out, "\"0x");
    sg_out_hex(out, b, len);
    sg_out_char(out, '"');
}

/* A member that must be there and of a form. */
static bool member_u64(struct sg_jsonread object, const char *key, uint64_t *out)
{
    struct sg_jsonread value;
    return sg_jsonread_member(object, key, &value) && sgc_eth_u64(value, out);
}

static bool member_bytes(struct sg_jsonread object, const char *key, uint8_t *out, size_t len)
{
    struct sg_jsonread value;
    return sg_jsonread_member(object, key, &value) && sgc_eth_bytes(value, out, len);
}

/* ---- blocks ---- */

static void put_at(struct sg_out *out, const struct sgc_eth_at *at)
{
    switch (at->kind) {
    case SGC_ETH_LATEST:
        sg_out_lit(out, "\"latest\"");
        return;
    case SGC_ETH_SAFE:
        sg_out_lit(out, "\"safe\"");
        return;
    case SGC_ETH_FINALIZED:
        sg_out_lit(out, "\"finalized\"");
        return;
    case SGC_ETH_NUMBER:
        sgc_eth_put_u64(out, at->number);
        return;
    case SGC_ETH_HASH:
        sg_out_lit(out, "{\"blockHash\":");
        sgc_eth_put_bytes(out, at->hash, sizeof(at->hash));
        sg_out_char(out, '}');
        return;
    }
    SG_UNREACHABLE();
}

const char *sgc_eth_block_method(const struct sgc_eth_at *at)
{
    return at->kind == SGC_ETH_HASH ? "eth_getBlockByHash" : "eth_getBlockByNumber";
}

void sgc_eth_put_block_params(struct sg_out *out, const struct sgc_eth_at *at)
{
    sg_out_char(out, '[');
    if (at->kind == SGC_ETH_HASH)
        sgc_eth_put_bytes(out, at->hash, sizeof(at->hash));
    else
        put_at(out, at);
    sg_out_lit(out, ",false]");
}

bool sgc_eth_read_block(struct sg_jsonread value, struct sgc_eth_block *out)
{
    struct sgc_eth_block block;
    if (!member_u64(value, "number", &block.number) ||
        !member_u64(value, "timestamp", &block.time_s) ||
        !member_bytes(value, "hash", block.hash, 32) ||
        !member_bytes(value, "parentHash", block.parent, 32) ||
        !member_bytes(value, "stateRoot", block.state_root, 32) ||
        !member_bytes(value, "receiptsRoot", block.receipts_root, 32) ||
        !member_bytes(value, "logsBloom", block.bloom, sizeof(block.bloom)))
        return false;
    *out = block;
    return true;
}

bool sgc_eth_bloom_has(const struct sgc_eth_block *block, const void *bytes, size_t len)
{
    uint8_t hash[32];
    sg_keccak256(bytes, len, hash);
    for (uint32_t i = 0; i < 6; i += 2) {
        uint32_t bit = ((uint32_t)hash[i] << 8 | hash[i + 1]) & 2047;
        if ((block->bloom[255 - bit / 8] & SG_BIT(bit % 8)) == 0)
            return false;
    }
    return true;
}

/* ---- logs ---- */

size_t sgc_eth_logs_params_bytes(const struct sgc_eth_filter *filter)
{
    size_t bytes = 256 + 46 * (size_t)filter->addresses_count;
    for (uint32_t i = 0; i < SGC_ETH_TOPICS_MAX; i++)
        bytes += 16 + 72 * (size_t)filter->topics[i].count;
    return bytes;
}

static void put_addresses(struct sg_out *out, const struct sgc_eth_filter *filter)
{
    sg_out_lit(out, ",\"address\":[");
    for (uint32_t i = 0; i < filter->addresses_count; i++) {
        sg_out_str(out, i > 0 ? SG_STR(",") : SG_STR_NONE);
        sgc_eth_put_bytes(out, filter->addresses[i], 20);
    }
    sg_out_char(out, ']');
}

static void put_topics(struct sg_out *out, const struct sgc_eth_filter *filter)
{
    uint32_t count = SGC_ETH_TOPICS_MAX;
    while (count > 0 && filter->topics[count - 1].count == 0)
        count--;
    sg_out_lit(out, ",\"topics\":[");
    for (uint32_t i = 0; i < count; i++) {
        sg_out_str(out, i > 0 ? SG_STR(",") : SG_STR_NONE);
        if (filter->topics[i].count == 0) {
            sg_out_lit(out, "null");
            continue;
        }
        for (uint32_t j = 0; j < filter->topics[i].count; j++) {
            sg_out_char(out, j > 0 ? ',' : '[');
            sgc_eth_put_bytes(out, filter->topics[i].any[j], 32);
        }
        sg_out_char(out, ']');
    }
    sg_out_char(out, ']');
}

void sgc_eth_put_logs_params(struct sg_out *out, const struct sgc_eth_filter *filter)
{
    SG_ASSERT(filter->addresses_count <= SGC_ETH_ADDRESSES_MAX);
    sg_out_lit(out, "[{");
    if (filter->by_hash) {
        sg_out_lit(out, "\"blockHash\":");
        sgc_eth_put_bytes(out, filter->hash, 32);
    } else {
        sg_out_lit(out, "\"fromBlock\":");
        sgc_eth_put_u64(out, filter->from);
        sg_out_lit(out, ",\"toBlock\":");
        sgc_eth_put_u64(out, filter->to);
    }
    if (filter->addresses_count > 0)
        put_addresses(out, filter);
    put_topics(out, filter);
    sg_out_lit(out, "}]");
}

bool sgc_eth_logs_begin(struct sgc_eth_logs *logs, struct sg_jsonread value, uint8_t *scratch,
                        uint32_t scratch_bytes)
{
    if (sg_jsonread_kind(value) != SG_JSONREAD_ARRAY)
        return false;
    *logs = (struct sgc_eth_logs){sg_jsonread_walk(value), scratch, scratch_bytes, false};
    return true;
}

static bool read_topics(struct sg_jsonread value, struct sgc_eth_log *out)
{
    struct sg_jsonread_walk walk = sg_jsonread_walk(value);
    struct sg_jsonread topic;
    out->topics_count = 0;
    if (sg_jsonread_kind(value) != SG_JSONREAD_ARRAY)
        return false;
    while (sg_jsonread_next(&walk, NULL, &topic)) {
        if (out->topics_count == SGC_ETH_TOPICS_MAX ||
            !sgc_eth_bytes(topic, out->topics[out->topics_count++], 32))
            return false;
    }
    return true;
}

static bool read_place(struct sg_jsonread value, uint32_t *out)
{
    uint64_t v;
    if (!sgc_eth_u64(value, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* The members that a log must have, as bits. */
enum log_member {
    LOG_ADDRESS,
    LOG_TOPICS,
    LOG_DATA,
    LOG_BLOCK,
    LOG_BLOCK_HASH,
    LOG_TX_HASH,
    LOG_TX,
    LOG_LOG,
    LOG_REMOVED,
    LOG_MEMBERS
};
#define LOG_REQUIRED ((1u << LOG_REMOVED) - 1)

static const struct sg_str log_members[LOG_MEMBERS] = {
    [LOG_ADDRESS] = {"address", 7},
    [LOG_TOPICS] = {"topics", 6},
    [LOG_DATA] = {"data", 4},
    [LOG_BLOCK] = {"blockNumber", 11},
    [LOG_BLOCK_HASH] = {"blockHash", 9},
    [LOG_TX_HASH] = {"transactionHash", 15},
    [LOG_TX] = {"transactionIndex", 16},
    [LOG_LOG] = {"logIndex", 8},
    [LOG_REMOVED] = {"removed", 7},
};

static bool log_member_read(enum log_member member, struct sg_jsonread value, uint8_t *scratch,
                            uint32_t scratch_bytes, struct sgc_eth_log *out)
{
    size_t len = 0;
    switch (member) {
    case LOG_ADDRESS:
        return sgc_eth_bytes(value, out->address, 20);
    case LOG_TOPICS:
        return read_topics(value, out);
    case LOG_DATA:
        if (!sgc_eth_data(value, scratch, scratch_bytes, &len))
            return false;
        out->data_len = (uint32_t)len;
        out->data = scratch;
        return true;
    case LOG_BLOCK:
        return sgc_eth_u64(value, &out->block);
    case LOG_BLOCK_HASH:
        return sgc_eth_bytes(value, out->block_hash, 32);
    case LOG_TX_HASH:
        return sgc_eth_bytes(value, out->tx_hash, 32);
    case LOG_TX:
        return read_place(value, &out->tx);
    case LOG_LOG:
        return read_place(value, &out->log);
    case LOG_REMOVED:
        return sg_jsonread_bool(value, &out->removed);
    case LOG_MEMBERS:
        return true; /* one that we don't read */
    }
    SG_UNREACHABLE();
}

bool sgc_eth_read_log(struct sg_jsonread value, uint8_t *scratch, uint32_t scratch_bytes,
                      struct sgc_eth_log *out)
{
    struct sg_jsonread_walk walk = sg_jsonread_walk(value);
    struct sg_jsonread item;
    struct sg_str key;
    uint32_t seen = 0;
    out->removed = false;
    while (walk.is_object && sg_jsonread_next(&walk, &key, &item)) {
        uint32_t member = 0;
        while (member < LOG_MEMBERS && !sg_str_eq(key, log_members[member]))
            member++;
        if (member < LOG_MEMBERS && (seen & SG_BIT(member)) != 0)
            return false;
        seen |= SG_BIT(member);
        if (!log_member_read((enum log_member)member, item, scratch, scratch_bytes, out))
            return false;
    }
    return (seen & LOG_REQUIRED) == LOG_REQUIRED;
}

bool sgc_eth_logs_next(struct sgc_eth_logs *logs, struct sgc_eth_log *out)
{
    struct sg_jsonread value;
    if (logs->garbage || !sg_jsonread_next(&logs->walk, NULL, &value))
        return false;
    logs->garbage = !sgc_eth_read_log(value, logs->scratch, logs->scratch_bytes, out);
    return !logs->garbage;
}

static bool is_one_of(const uint8_t *value, const uint8_t *list, uint32_t count, size_t len)
{
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(value, list + i * len, len) == 0)
            return true;
    }
    return count == 0;
}

bool sgc_eth_log_fits(const struct sgc_eth_log *log, const struct sgc_eth_filter *filter)
{
    if (filter->by_hash ? memcmp(log->block_hash, filter->hash, 32) != 0
                        : log->block < filter->from || log->block > filter->to)
        return false;
    if (!is_one_of(log->address, (const uint8_t *)filter->addresses, filter->addresses_count, 20))
        return false;
    for (uint32_t i = 0; i < SGC_ETH_TOPICS_MAX; i++) {
        uint32_t count = filter->topics[i].count;
        if (count > 0 &&
            (i >= log->topics_count ||
             !is_one_of(log->topics[i], (const uint8_t *)filter->topics[i].any, count, 32)))
            return false;
    }
    return true;
}

/* ---- calls and proofs ---- */

size_t sgc_eth_call_params_bytes(const struct sgc_eth_call *call)
{
    return 256 + 2 * call->data_len;
}

void sgc_eth_put_call_params(struct sg_out *out, const struct sgc_eth_call *call)
{
    sg_out_lit(out, "[{");
    if (call->has_to) {
        sg_out_lit(out, "\"to\":");
        sgc_eth_put_bytes(out, call->to, 20);
        sg_out_char(out, ',');
    }
    if (call->gas != 0) {
        sg_out_lit(out, "\"gas\":");
        sgc_eth_put_u64(out, call->gas);
        sg_out_char(out, ',');
    }
    sg_out_lit(out, "\"data\":");
    sgc_eth_put_bytes(out, call->data, call->data_len);
    sg_out_lit(out, "},");
    put_at(out, &call->at);
    sg_out_char(out, ']');
}

void sgc_eth_put_proof_params(struct sg_out *out, const uint8_t address[20],
                              const uint8_t (*slots)[32], uint32_t slots_count,
                              const struct sgc_eth_at *at)
{
    sg_out_char(out, '[');
    sgc_eth_put_bytes(out, address, 20);
    sg_out_lit(out, ",[");
    for (uint32_t i = 0; i < slots_count; i++) {
        sg_out_str(out, i > 0 ? SG_STR(",") : SG_STR_NONE);
        sgc_eth_put_bytes(out, slots[i], 32);
    }
    sg_out_lit(out, "],");
    put_at(out, at);
    sg_out_char(out, ']');
}
