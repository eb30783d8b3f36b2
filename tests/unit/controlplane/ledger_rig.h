/* ledger_rig - what tests of the ledger share: a chain and contracts, events and blocks made from
 * few numbers, and an edge that applies what the outbox brings: each entry is the stream's next. */
#ifndef SGT_LEDGER_RIG_H
#define SGT_LEDGER_RIG_H

#include "tests/sgt.h"

#include "controlplane/chain/ledger.h"
#include "tests/sgt_dir.h"

#include <poll.h>

#define RIG_FACTS_MAX 4096

static const struct sg_caip_chain rig_chain = {.ns = SG_CAIP_EIP155, .evm_id = 31337};

struct rig_fact {
    struct sge_change change;
    uint64_t generation;
};
struct rig {
    char dir[SGT_DIR_BYTES];
    struct sgc_ledger *ledger;
    uint64_t seq, last_id; /* of the stream; of the outbox */
    uint32_t count;
    struct rig_fact facts[RIG_FACTS_MAX];
};

static inline struct sg_caip_asset rig_asset(enum sg_caip_standard standard, uint8_t contract)
{
    struct sg_caip_asset asset = {.chain = rig_chain, .standard = standard};
    asset.contract.len = 20;
    asset.contract.bytes[19] = contract;
    return asset;
}

static inline struct sg_caip_asset rig_token(enum sg_caip_standard standard, uint8_t contract,
                                             uint64_t id)
{
    struct sg_caip_asset asset = rig_asset(standard, contract);
    asset.has_id = true;
    asset.id = sg_u256_of(id);
    return asset;
}

/* 0: nobody. */
static inline struct sg_caip_address rig_who(uint8_t who)
{
    struct sg_caip_address address = {.len = who == 0 ? 0 : 20};
    address.bytes[0] = who;
    return address;
}

static inline void rig_account(uint8_t who, uint8_t out[32])
{
    struct sg_caip_account account = {.chain = rig_chain, .address = rig_who(who)};
    memset(out, 0, 32);
    if (who != 0)
        sg_caip_account_id(&account, out);
}

static inline struct sgc_event rig_owner(uint8_t contract, uint64_t id, uint8_t to)
{
    struct sg_caip_asset whole = rig_asset(SG_CAIP_ERC721, contract);
    return (struct sgc_event){.kind = SGC_EVENT_OWNER,
                              .has_asset = true,
                              .asset = rig_token(SG_CAIP_ERC721, contract, id),
                              .source = sge_group_contract(&whole),
                              .to = rig_who(to)};
}

static inline struct sgc_event rig_move(uint8_t contract, uint64_t id, uint8_t from, uint8_t to,
                                        uint64_t amount)
{
    struct sg_caip_asset whole = rig_asset(SG_CAIP_ERC1155, contract);
    return (struct sgc_event){.kind = SGC_EVENT_MOVE,
                              .has_asset = true,
                              .asset = rig_token(SG_CAIP_ERC1155, contract, id),
                              .source = sge_group_contract(&whole),
                              .from = rig_who(from),
                              .to = rig_who(to),
                              .amount = sg_u256_of(amount)};
}

/* Fork `fork` of block `number`, on top of `under`'s. */
static inline struct sgc_block rig_block(uint64_t number, uint8_t fork, uint8_t under,
                                         const struct sgc_event *events, uint32_t count)
{
    struct sgc_block block = {.chain = &rig_chain,
                              .number = number,
                              .time_s = 1000 + number,
                              .events = events,
                              .events_count = count};
    memcpy(block.hash, &number, sizeof(number));
    block.hash[31] = fork;
    number--;
    memcpy(block.parent, &number, sizeof(number));
    block.parent[31] = under;
    return block;
}

static inline void rig_open(struct rig *rig)
{
    assert_int_equal(sgc_ledger_open(rig->dir, &rig->ledger), SG_OK);
}

static inline struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    sgt_dir_make(rig->dir);
    rig_open(rig);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    sgc_ledger_close(rig->ledger);
    sgt_dir_remove(rig->dir);
    free(rig);
}

/* Base at block 100, with `contract` read up to it and joined. */
static inline void rig_base(struct rig *rig)
{
    struct sgc_block base = rig_block(100, 0, 0, NULL, 0);
    assert_int_equal(sgc_ledger_base(rig->ledger, &base), SG_OK);
}

static inline void rig_join(struct rig *rig, struct sg_caip_asset contract)
{
    struct sgc_ledger_at at;
    assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
    struct sgc_span span = {
        .chain = &rig_chain, .contracts = &contract, .contracts_count = 1, .to = at.head};
    assert_int_equal(sgc_ledger_add_safe(rig->ledger, &span), SG_OK);
    assert_int_equal(sgc_ledger_join(rig->ledger, &contract), SG_OK);
}

static inline struct rig_fact *rig_fact(struct rig *rig, const struct sge_fact_id *id)
{
    for (uint32_t i = 0; i < rig->count; i++)
        if (rig->facts[i].change.id.key == id->key && rig->facts[i].change.id.check == id->check)
            return &rig->facts[i];
    return NULL;
}

static inline struct rig_fact *rig_token_fact(struct rig *rig, uint8_t contract, uint64_t id)
{
    struct sg_caip_asset asset = rig_token(SG_CAIP_ERC721, contract, id);
    struct sge_fact_id fact;
    sge_fact_owner(&asset, &fact);
    return rig_fact(rig, &fact);
}

static inline struct rig_fact *rig_balance_fact(struct rig *rig, uint8_t contract, uint64_t id,
                                                uint8_t who)
{
    struct sg_caip_asset asset = rig_token(SG_CAIP_ERC1155, contract, id);
    struct sge_fact_id fact;
    uint8_t account[32];
    rig_account(who, account);
    sge_fact_balance(&asset, account, &fact);
    return rig_fact(rig, &fact);
}

static inline bool rig_readable(const struct rig *rig)
{
    struct pollfd fd = {.fd = sgc_ledger_fd(rig->ledger), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* What was not written is never asked for; *changes counts what came. */
static inline uint32_t rig_drain(struct rig *rig)
{
    static struct sge_change changes[SGC_OUTBOX_CHANGES_MAX];
    uint32_t count, all = 0;
    uint64_t id;
    while ((count = sgc_ledger_outbox(rig->ledger, &id, changes, SGC_OUTBOX_CHANGES_MAX)) != 0) {
        assert_true(rig_readable(rig));
        assert_true(id > rig->last_id);
        rig->last_id = id;
        rig->seq++;
        for (uint32_t i = 0; i < count; i++) {
            struct rig_fact *fact = rig_fact(rig, &changes[i].id);
            if (fact == NULL) {
                assert_true(rig->count < RIG_FACTS_MAX);
                fact = &rig->facts[rig->count++];
                fact->generation = rig->seq;
            }
            fact->change = changes[i];
            if (changes[i].bump)
                fact->generation = rig->seq;
        }
        all += count;
        assert_int_equal(sgc_ledger_sent(rig->ledger, id), SG_OK);
    }
    assert_false(rig_readable(rig));
    return all;
}

static inline void rig_add(struct rig *rig, uint64_t number, uint8_t fork, uint8_t under,
                           const struct sgc_event *events, uint32_t count)
{
    struct sgc_block block = rig_block(number, fork, under, events, count);
    assert_int_equal(sgc_ledger_add(rig->ledger, &block), SG_OK);
}

#endif
