/* facts_world - a state in a folder of its own, and the accounts, assets and changes that tests of
 * facts need. */
#ifndef FACTS_WORLD_H
#define FACTS_WORLD_H

#include "tests/sgt.h"

#include "base/assert.h"
#include "base/clock.h"
#include "edgecache/state/facts.h"
#include "tests/sgt_dir.h"

#define CHAIN    "eip155:1"
#define CONTRACT "0x06012c8cf97bead5deae237070f9587f8e7a266d"

struct facts_world {
    char dir[SGT_DIR_BYTES];
    struct sge_state *state;
    struct sge_state_reader *reader;
    uint64_t seq;
};

static int facts_set_up(void **fixture)
{
    static struct facts_world w;
    w = (struct facts_world){.seq = 0};
    sgt_dir_make_light(w.dir);
    *fixture = &w;
    return sge_state_open(w.dir, true, &w.state) != SG_OK ||
           sge_state_reader_open(w.state, &w.reader) != SG_OK;
}

static int facts_tear_down(void **fixture)
{
    struct facts_world *w = *fixture;
    sge_state_reader_close(w->reader);
    sge_state_close(w->state);
    sgt_dir_remove(w->dir);
    return 0;
}

static inline struct sg_caip_asset asset_of(const char *standard, uint64_t id)
{
    char text[160];
    struct sg_caip_asset asset;
    snprintf(text, sizeof(text), CHAIN "/%s:" CONTRACT "/%llu", standard, (unsigned long long)id);
    assert_true(sg_caip_asset_read(sg_str_from(text), &asset));
    return asset;
}

/* An account by one letter: its id. */
static inline void who(char letter, uint8_t id[32])
{
    struct sg_caip_account account;
    assert_true(sg_caip_chain_read(SG_STR(CHAIN), &account.chain));
    account.address = (struct sg_caip_address){.len = 20};
    memset(account.address.bytes, letter, 20);
    sg_caip_account_id(&account, id);
}

/* An ERC-721 token's owner, at head and at safe. */
static inline struct sge_change owner_is(uint64_t token, char head, char safe)
{
    struct sg_caip_asset asset = asset_of("erc721", token);
    struct sge_change change = {.kind = SGE_FACT_OWNER,
                                .bump = true,
                                .chain = sge_chain_id(&asset.chain),
                                .block = 100 + token,
                                .log = 3,
                                .groups_count = 1};
    sge_fact_owner(&asset, &change.id);
    who(head, change.head);
    who(safe, change.safe);
    who(head, change.holder);
    memcpy(change.token, asset.id.bytes, 32);
    change.groups[0] = sge_group_contract(&asset);
    return change;
}

static inline struct sge_change balance_is(uint64_t id, char holder, uint64_t head, bool bump)
{
    struct sg_caip_asset asset = asset_of("erc1155", id);
    struct sge_change change = {.kind = SGE_FACT_BALANCE,
                                .bump = bump,
                                .chain = sge_chain_id(&asset.chain),
                                .groups_count = 1};
    struct sg_u256 amount = sg_u256_of(head);
    who(holder, change.holder);
    sge_fact_balance(&asset, change.holder, &change.id);
    memcpy(change.head, amount.bytes, 32);
    memcpy(change.safe, amount.bytes, 32);
    memcpy(change.token, asset.id.bytes, 32);
    change.groups[0] = sge_group_contract(&asset);
    return change;
}

/* Applies changes as the next entry of the stream. */
static inline enum sg_err stream_says(struct facts_world *w, const struct sge_change *changes,
                                      uint32_t count)
{
    struct sge_batch batch = {
        .stream = "stream of tests", .seq = ++w->seq, .changes = changes, .changes_count = count};
    return sge_state_apply(w->state, &batch);
}

/* Its generation; 0: not known. */
static inline uint64_t generation_of(struct facts_world *w, const struct sge_fact_id *id)
{
    struct sge_change change;
    uint64_t generation = 0;
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    enum sg_err err = sge_state_fact_get(w->reader, id, &change, &generation);
    sge_state_end(w->reader);
    assert_true(err == SG_OK || err == SG_ENOENT);
    return generation;
}

#endif
