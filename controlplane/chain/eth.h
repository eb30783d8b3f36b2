/* eth - what is asked of a server of an EVM chain, and how its answers are read: blocks, logs,
 * calls, proofs. Pure: text in, numbers out; no allocation, any thread. Readers take JSON that was
 * checked (base/jsonread.h) from a server that nobody vouches for: `false` is garbage. */
#ifndef SGC_CHAIN_ETH_H
#define SGC_CHAIN_ETH_H

#include "base/jsonread.h"
#include "base/u256.h"

#include <stdbool.h>
#include <stdint.h>

#define SGC_ETH_ADDRESSES_MAX 256
#define SGC_ETH_TOPICS_MAX    4

/* ---- numbers and bytes in hex: "0x1b4" and "0x01b4" ---- */

/* A quantity; also takes leading zeros, which some servers write. */
bool sgc_eth_u64(struct sg_jsonread value, uint64_t *out);
bool sgc_eth_u256(struct sg_jsonread value, struct sg_u256 *out);
/* Exactly `len` bytes. */
bool sgc_eth_bytes(struct sg_jsonread value, uint8_t *out, size_t len);
/* keccak of the bytes, however many. */
bool sgc_eth_data_hash(struct sg_jsonread value, uint8_t out[32]);
/* Up to `max`. */
bool sgc_eth_data(struct sg_jsonread value, uint8_t *out, size_t max, size_t *len);
void sgc_eth_put_u64(struct sg_out *out, uint64_t v);                  /* "0x1b4" with its quotes */
void sgc_eth_put_bytes(struct sg_out *out, const void *b, size_t len); /* "0x01b4" */

/* ---- which block ---- */

enum sgc_eth_at_kind {
    SGC_ETH_LATEST,
    SGC_ETH_SAFE,
    SGC_ETH_FINALIZED,
    SGC_ETH_NUMBER,
    SGC_ETH_HASH, /* EIP-1898: what decides about ownership is asked at a hash */
};
struct sgc_eth_at {
    enum sgc_eth_at_kind kind;
    uint64_t number;
    uint8_t hash[32];
};

struct sgc_eth_block {
    uint64_t number, time_s;
    uint8_t hash[32], parent[32], state_root[32], receipts_root[32];
    uint8_t bloom[256];
};
/* eth_getBlockByNumber or eth_getBlockByHash with their params, without transactions. */
const char *sgc_eth_block_method(const struct sgc_eth_at *at);
void sgc_eth_put_block_params(struct sg_out *out, const struct sgc_eth_at *at);
bool sgc_eth_read_block(struct sg_jsonread value, struct sgc_eth_block *out);
/* False: no log of that address is in the block (EIP-234's bloom); true: perhaps. */
bool sgc_eth_bloom_has(const struct sgc_eth_block *block, const void *bytes, size_t len);

/* ---- eth_getLogs ---- */

struct sgc_eth_filter {
    const uint8_t (*addresses)[20]; /* any of them; none: any at all */
    uint32_t addresses_count;       /* at most SGC_ETH_ADDRESSES_MAX */
    struct {
        const uint8_t (*any)[32]; /* any of them at this place; none: anything */
        uint32_t count;
    } topics[SGC_ETH_TOPICS_MAX];
    bool by_hash; /* of one block, by `hash`; else from `from` to `to`, both within */
    uint8_t hash[32];
    uint64_t from, to;
};
/* Bytes that suffice for sgc_eth_put_logs_params(). */
size_t sgc_eth_logs_params_bytes(const struct sgc_eth_filter *filter);
void sgc_eth_put_logs_params(struct sg_out *out, const struct sgc_eth_filter *filter);

struct sgc_eth_log {
    uint8_t address[20];
    uint8_t topics_count;
    uint8_t topics[SGC_ETH_TOPICS_MAX][32];
    uint64_t block;
    uint8_t block_hash[32], tx_hash[32];
    uint32_t tx, log; /* their place in the block */
    bool removed;     /* said of subscriptions only: the block was undone */
    uint32_t data_len;
    const uint8_t *data; /* in the reader's scratch, until the next log */
};
/* Reads the array log by log. `scratch` holds one log's data: a log with more is garbage. */
struct sgc_eth_logs {
    struct sg_jsonread_walk walk;
    uint8_t *scratch;
    uint32_t scratch_bytes;
    bool garbage; /* why next() said false */
};
/* False: no array. */
bool sgc_eth_logs_begin(struct sgc_eth_logs *logs, struct sg_jsonread value, uint8_t *scratch,
                        uint32_t scratch_bytes);
/* False: that was all, or `garbage`. */
bool sgc_eth_logs_next(struct sgc_eth_logs *logs, struct sgc_eth_log *out);
/* One log; of a subscription. */
bool sgc_eth_read_log(struct sg_jsonread value, uint8_t *scratch, uint32_t scratch_bytes,
                      struct sgc_eth_log *out);
/* The log is one that was asked for: a server may not slip in others'. */
bool sgc_eth_log_fits(const struct sgc_eth_log *log, const struct sgc_eth_filter *filter);

/* ---- eth_call, eth_getProof ---- */

struct sgc_eth_call {
    bool has_to; /* false: `data` is creation code (ERC-6492's universal validator) */
    uint8_t to[20];
    const uint8_t *data;
    size_t data_len;
    uint64_t gas; /* at most so much work; 0: what the server gives */
    struct sgc_eth_at at;
};
size_t sgc_eth_call_params_bytes(const struct sgc_eth_call *call);
void sgc_eth_put_call_params(struct sg_out *out, const struct sgc_eth_call *call);

/* One account, `slots` of its storage. */
void sgc_eth_put_proof_params(struct sg_out *out, const uint8_t address[20],
                              const uint8_t (*slots)[32], uint32_t slots_count,
                              const struct sgc_eth_at *at);

#endif
