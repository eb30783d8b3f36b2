#include "controlplane/chain/proof.h"

#include "base/assert.h"
#include "base/keccak.h"
#include "base/sys/crypto.h"
#include "controlplane/chain/rlp.h"
#include "controlplane/chain/trie.h"

#define HEADER_BYTES_MAX 4096
#define EXTRA_BYTES_MAX                                                                            \
    2048 /* 32 on Ethereum; chains of authorities keep their signatures there                      \
          */

/* ---- headers ---- */

enum field_kind { FIELD_BYTES, FIELD_NUMBER, FIELD_EXTRA };
struct field {
    const char *name;
    enum field_kind kind;
    uint16_t bytes;
    bool is_optional; /* and with it all that follow */
};

/* In the order in which a header is hashed. */
static const struct field fields[] = {
    {"parentHash", FIELD_BYTES, 32, false},
    {"sha3Uncles", FIELD_BYTES, 32, false},
    {"miner", FIELD_BYTES, 20, false},
    {"stateRoot", FIELD_BYTES, 32, false},
    {"transactionsRoot", FIELD_BYTES, 32, false},
    {"receiptsRoot", FIELD_BYTES, 32, false},
    {"logsBloom", FIELD_BYTES, 256, false},
    {"difficulty", FIELD_NUMBER, 0, false},
    {"number", FIELD_NUMBER, 0, false},
    {"gasLimit", FIELD_NUMBER, 0, false},
    {"gasUsed", FIELD_NUMBER, 0, false},
    {"timestamp", FIELD_NUMBER, 0, false},
    {"extraData", FIELD_EXTRA, 0, false},
    {"mixHash", FIELD_BYTES, 32, false},
    {"nonce", FIELD_BYTES, 8, false},
    {"baseFeePerGas", FIELD_NUMBER, 0, true},         /* London */
    {"withdrawalsRoot", FIELD_BYTES, 32, true},       /* Shanghai */
    {"blobGasUsed", FIELD_NUMBER, 0, true},           /* Cancun */
    {"excessBlobGas", FIELD_NUMBER, 0, true},         /* Cancun */
    {"parentBeaconBlockRoot", FIELD_BYTES, 32, true}, /* Cancun */
    {"requestsHash", FIELD_BYTES, 32, true},          /* Prague */
};

static bool field_put(struct sg_out *out, const struct field *field, struct sg_jsonread value)
{
    uint8_t bytes[EXTRA_BYTES_MAX];
    struct sg_u256 number;
    size_t len = field->bytes;
    switch (field->kind) {
    case FIELD_NUMBER:
        if (!sgc_eth_u256(value, &number))
            return false;
        sgc_rlp_put_number(out, number.bytes, sizeof(number.bytes));
        return true;
    case FIELD_BYTES:
        if (!sgc_eth_bytes(value, bytes, len))
            return false;
        break;
    case FIELD_EXTRA:
        if (!sgc_eth_data(value, bytes, sizeof(bytes), &len))
            return false;
        break;
    }
    sgc_rlp_put_bytes(out, bytes, len);
    return true;
}

bool sgc_proof_header_hash(struct sg_jsonread block, uint8_t out[32])
{
    uint8_t items_memory[HEADER_BYTES_MAX], prefix_memory[9];
    struct sg_out items = sg_out_init(items_memory, sizeof(items_memory));
    struct sg_out prefix = sg_out_init(prefix_memory, sizeof(prefix_memory));
    struct sg_keccak256 hash;
    for (size_t i = 0; i < SG_COUNT(fields); i++) {
        struct sg_jsonread value;
        if (!sg_jsonread_member(block, fields[i].name, &value) || sg_jsonread_is_null(value)) {
            if (!fields[i].is_optional)
                return false;
            break;
        }
        if (!field_put(&items, &fields[i], value))
            return false;
    }
    if (items.full)
        return false;
    sgc_rlp_put_list(&prefix, items.len);
    sg_keccak256_init(&hash);
    sg_keccak256_add(&hash, prefix.ptr, prefix.len);
    sg_keccak256_add(&hash, items.ptr, items.len);
    sg_keccak256_final(&hash, out);
    return true;
}

/* ---- state ---- */

/* Walks the nodes of a JSON array. Nodes after the end of the path are nobody's business. */
static enum sgc_trie_state nodes_walk(struct sgc_trie *trie, struct sg_jsonread nodes)
{
    struct sg_jsonread_walk walk = sg_jsonread_walk(nodes);
    struct sg_jsonread value;
    uint8_t node[SGC_TRIE_NODE_MAX];
    size_t len;
    for (uint32_t i = 0; trie->state == SGC_TRIE_MORE; i++) {
        if (i == SGC_TRIE_NODES_MAX || !sg_jsonread_next(&walk, NULL, &value) ||
            !sgc_eth_data(value, node, sizeof(node), &len))
            return SGC_TRIE_WRONG;
        sgc_trie_step(trie, node, len);
    }
    return trie->state;
}

/* [nonce, balance, storage root, code hash] */
static bool account_read(const struct sgc_trie *trie, struct sgc_proof_account *out)
{
    struct sgc_rlp_item whole, items[4];
    if (!sgc_rlp_read(trie->value, trie->value_len, &whole))
        return false;
    struct sgc_rlp walk = sgc_rlp_items(&whole);
    for (uint32_t i = 0; i < 4; i++) {
        if (!sgc_rlp_next(&walk, &items[i]) || items[i].is_list)
            return false;
    }
    if (walk.at != walk.end || items[2].len != 32 || items[3].len != 32)
        return false;
    out->exists = true;
    memcpy(out->storage_root, items[2].ptr, 32);
    memcpy(out->code_hash, items[3].ptr, 32);
    return true;
}

static bool account_walk(struct sg_jsonread answer, const uint8_t state_root[32],
                         const uint8_t address[20], struct sgc_proof_account *out)
{
    struct sg_jsonread nodes;
    struct sgc_trie trie;
    sgc_trie_begin(&trie, state_root, address, 20);
    if (!sg_jsonread_member(answer, "accountProof", &nodes))
        return false;
    switch (nodes_walk(&trie, nodes)) {
    case SGC_TRIE_FOUND:
        return account_read(&trie, out);
    case SGC_TRIE_ABSENT:
        *out = (struct sgc_proof_account){.exists = false};
        return true;
    case SGC_TRIE_MORE:
    case SGC_TRIE_WRONG:
        return false;
    }
    SG_UNREACHABLE();
}

static bool slot_walk(struct sg_jsonread proof, const uint8_t storage_root[32],
                      const uint8_t slot[32], struct sg_u256 *out)
{
    struct sg_jsonread nodes;
    struct sgc_trie trie;
    struct sgc_rlp_item item;
    sgc_trie_begin(&trie, storage_root, slot, 32);
    if (!sg_jsonread_member(proof, "proof", &nodes))
        return false;
    *out = sg_u256_of(0);
    enum sgc_trie_state state = nodes_walk(&trie, nodes);
    if (state != SGC_TRIE_FOUND)
        return state == SGC_TRIE_ABSENT;
    /* A slot set back to zero is taken out of the trie; anvil keeps it, with nothing in it. */
    if (!sgc_rlp_read(trie.value, trie.value_len, &item) || item.is_list || item.len > 32 ||
        (item.len > 0 && item.ptr[0] == 0))
        return false;
    memcpy(out->bytes + 32 - item.len, item.ptr, item.len);
    return true;
}

bool sgc_proof_read(struct sg_jsonread answer, const uint8_t state_root[32],
                    const uint8_t address[20], const uint8_t (*slots)[32], uint32_t slots_count,
                    struct sgc_proof_account *account, struct sg_u256 *values)
{
    struct sg_jsonread proofs, proof;
    if (!account_walk(answer, state_root, address, account))
        return false;
    if (!account->exists) { /* and nothing is stored */
        for (uint32_t i = 0; i < slots_count; i++)
            values[i] = sg_u256_of(0);
        return true;
    }
    if (!sg_jsonread_member(answer, "storageProof", &proofs))
        return false;
    struct sg_jsonread_walk walk = sg_jsonread_walk(proofs);
    for (uint32_t i = 0; i < slots_count; i++) {
        if (!sg_jsonread_next(&walk, NULL, &proof) ||
            !slot_walk(proof, account->storage_root, slots[i], &values[i]))
            return false;
    }
    return true;
}

void sgc_proof_mapping_slot(const struct sg_u256 *key, const uint8_t slot[32], uint8_t out[32])
{
    struct sg_keccak256 hash;
    sg_keccak256_init(&hash);
    sg_keccak256_add(&hash, key->bytes, sizeof(key->bytes));
    sg_keccak256_add(&hash, slot, 32);
    sg_keccak256_final(&hash, out);
}

/* ---- asking ---- */

struct slots_question {
    const uint8_t *state_root, *contract;
    const uint8_t (*slots)[32];
    uint32_t count;
    struct sg_u256 *values;
};

static enum sgc_rpc_end slots_digest(void *ctx, struct sg_jsonread result, uint8_t out[32])
{
    struct slots_question *question = ctx;
    struct sgc_proof_account account;
    if (!sgc_proof_read(result, question->state_root, question->contract, question->slots,
                        question->count, &account, question->values))
        return SGC_RPC_unproven;
    sg_sha256(question->values, question->count * sizeof(*question->values), out);
    return SGC_RPC_ok;
}

enum sg_err sgc_proof_slots(struct sgc_servers *servers, const struct sgc_eth_block *block,
                            const uint8_t contract[20], const uint8_t (*slots)[32], uint32_t count,
                            struct sg_u256 *values)
{
    char memory[512 + SGC_PROOF_SLOTS_MAX * 72];
    struct sg_out params = sg_out_init(memory, sizeof(memory));
    struct sgc_eth_at at = {.kind = SGC_ETH_HASH};
    struct sg_u256 read[SGC_PROOF_SLOTS_MAX];
    struct slots_question asked = {block->state_root, contract, slots, count, read};
    struct sgc_servers_answer answer;
    SG_ASSERT(count > 0 && count <= SGC_PROOF_SLOTS_MAX);
    memcpy(at.hash, block->hash, sizeof(at.hash));
    sgc_eth_put_proof_params(&params, contract, slots, count, &at);
    SG_ASSERT(!params.full);
    const struct sgc_servers_question question = {
        .method = "eth_getProof",
        .params = sg_out_view(&params),
        .digest = slots_digest,
        .ctx = &asked,
        .is_proven = true,
    };
    enum sg_err err = sgc_servers_ask(servers, &question, &answer);
    if (err == SG_OK && answer.reverted)
        err = SG_EAGAIN;
    if (err == SG_OK)
        memcpy(values, read, count * sizeof(*values));
    return err;
}

enum sg_err sgc_proof_owner(struct sgc_servers *servers, const struct sgc_eth_block *block,
                            const uint8_t contract[20], const uint8_t slot[32],
                            const struct sg_u256 *id, uint8_t owner[20])
{
    uint8_t where[1][32];
    struct sg_u256 value;
    sgc_proof_mapping_slot(id, slot, where[0]);
    enum sg_err err =
        sgc_proof_slots(servers, block, contract, (const uint8_t(*)[32])where, 1, &value);
    if (err == SG_OK)
        memcpy(owner, value.bytes + 12, 20); /* what else shares the slot is not the owner's */
    return err;
}

void sgc_proof_count_slot(const uint8_t account[20], const uint8_t slot[32], uint8_t out[32])
{
    struct sg_u256 key = sg_u256_of(0);
    memcpy(key.bytes + 12, account, 20);
    sgc_proof_mapping_slot(&key, slot, out);
}

void sgc_proof_balance_slot(const struct sg_u256 *id, const uint8_t account[20],
                            const uint8_t slot[32], uint8_t out[32])
{
    uint8_t of_id[32];
    sgc_proof_mapping_slot(id, slot, of_id);
    sgc_proof_count_slot(account, of_id, out);
}

enum sg_err sgc_proof_balance(struct sgc_servers *servers, const struct sgc_eth_block *block,
                              const uint8_t contract[20], const uint8_t slot[32],
                              const struct sg_u256 *id, const uint8_t account[20],
                              struct sg_u256 *balance)
{
    uint8_t where[1][32];
    sgc_proof_balance_slot(id, account, slot, where[0]);
    return sgc_proof_slots(servers, block, contract, (const uint8_t(*)[32])where, 1, balance);
}
