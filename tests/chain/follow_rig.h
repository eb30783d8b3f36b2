/* follow_rig - a follower of a real anvil with OpenZeppelin's contracts, an edge that applies what
 * its ledger brings (ledger_rig.h), and the question whether both say what the chain says. */
#ifndef SGT_CHAIN_FOLLOW_RIG_H
#define SGT_CHAIN_FOLLOW_RIG_H

#include "base/clock.h"
#include "controlplane/chain/follow.h"
#include "tests/chain/anvil.h"
#include "tests/unit/controlplane/ledger_rig.h"

#include <pthread.h>
#include <string.h>

#define FOLLOW_TOKENS  8 /* ids 1 .. of the ERC-721 */
#define FOLLOW_IDS     3 /* ids 1 .. of the ERC-1155 */
#define FOLLOW_PEOPLE  6 /* accounts 1 .. of anvil */
#define FOLLOW_WAIT_MS 20000

struct follow_rig {
    struct sgt_anvil *chain;
    struct rig *rig;
    uint8_t films[20], seats[20], registry[20];
    struct sgc_evm_contract contracts[8];
    uint32_t contracts_count;
    struct sgc_rpc_options servers[4];
    struct sgc_follow_options options;
    struct sgc_follow *follow;
    pthread_mutex_t lock;
    struct sge_chain heard;
};

static inline void follow_heard(void *ctx, const struct sge_chain *chain)
{
    struct follow_rig *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->heard = *chain;
    pthread_mutex_unlock(&f->lock);
}

static inline struct sge_chain follow_last(struct follow_rig *f)
{
    pthread_mutex_lock(&f->lock);
    struct sge_chain chain = f->heard;
    pthread_mutex_unlock(&f->lock);
    return chain;
}

static inline struct sg_caip_asset follow_asset(enum sg_caip_standard standard,
                                                const uint8_t contract[20])
{
    struct sg_caip_asset asset = {.chain = rig_chain, .standard = standard};
    asset.contract.len = 20;
    memcpy(asset.contract.bytes, contract, 20);
    return asset;
}

static inline void follow_contract(struct follow_rig *f, enum sg_caip_standard standard,
                                   const uint8_t contract[20])
{
    struct sgc_evm_contract *to = &f->contracts[f->contracts_count++];
    *to = (struct sgc_evm_contract){.asset = follow_asset(standard, contract)};
    to->source = sge_group_contract(&to->asset);
}

static inline void follow_open(struct follow_rig *f)
{
    f->options.chain = rig_chain;
    f->options.contracts = f->contracts;
    f->options.contracts_count = f->contracts_count;
    f->options.ledger = f->rig->ledger;
    f->options.heard = follow_heard;
    f->options.ctx = f;
    f->heard = (struct sge_chain){0};
    assert_int_equal(sgc_follow_open(&f->options, &f->follow), SG_OK);
}

static inline void follow_close(struct follow_rig *f)
{
    sgc_follow_close(f->follow);
    f->follow = NULL;
}

/* Deploys the contracts; opened by the caller. */
static inline void follow_init(struct follow_rig *f, struct sgt_anvil *chain)
{
    *f = (struct follow_rig){.chain = chain, .rig = rig_new()};
    pthread_mutex_init(&f->lock, NULL);
    sgt_anvil_deploy(chain, f->films, "Rental721", "");
    sgt_anvil_deploy(chain, f->seats, "Film1155", "");
    sgt_anvil_deploy(chain, f->registry, "Registry", "");
    sgt_anvil_mine(chain, 64); /* a reorg takes no contract back */
    follow_contract(f, SG_CAIP_ERC721, f->films);
    follow_contract(f, SG_CAIP_ERC1155, f->seats);
    follow_contract(f, SG_CAIP_ERC721, f->registry);
    f->contracts[2].registry = true;
    f->servers[0].url = chain->url;
    f->options.servers.servers = f->servers;
    f->options.servers.count = 1;
    f->options.servers.agree = 1;
    f->options.finality = SGC_FINALITY_DEPTH;
    f->options.depth = 70;
    f->options.poll_ms = 10;
    f->options.range_blocks_max = 100000;
}

static inline void follow_fini(struct follow_rig *f)
{
    follow_close(f);
    rig_free(f->rig);
    pthread_mutex_destroy(&f->lock);
}

static inline void follow_latest(struct follow_rig *f, uint64_t *number, uint8_t hash[32])
{
    json_t *block =
        sgt_anvil_rpc(f->chain, "eth_getBlockByNumber", json_pack("[s,b]", "latest", 0));
    *number = strtoull(json_string_value(json_object_get(block, "number")), NULL, 16);
    sgt_unhex0x(json_string_value(json_object_get(block, "hash")), hash, 32);
    json_decref(block);
}

static inline void follow_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Until the chain's head is what was heard, and every contract joined. */
static inline void follow_sync(struct follow_rig *f)
{
    uint64_t number, until_ns = sg_clock_mono_ns() + FOLLOW_WAIT_MS * SG_NS_PER_MS;
    uint8_t hash[32];
    struct sgc_follow_status status;
    follow_latest(f, &number, hash);
    for (;;) {
        sgc_follow_status(f->follow, &status);
        struct sge_chain heard = follow_last(f);
        if (memcmp(heard.head_hash, hash, 32) == 0 &&
            status.joined + status.refused == status.contracts && status.head == number)
            break;
        if (sg_clock_mono_ns() > until_ns)
            fail_msg("at %llu of %llu: %s %s", (unsigned long long)status.head,
                     (unsigned long long)number, sgc_follow_state_text(status.state), status.why);
        follow_nap();
    }
    rig_drain(f->rig);
}

static inline void follow_account(const uint8_t address[20], uint8_t out[32])
{
    struct sg_caip_account account = {.chain = rig_chain};
    static const uint8_t nobody[20];
    account.address.len = 20;
    memcpy(account.address.bytes, address, 20);
    memset(out, 0, 32);
    if (memcmp(address, nobody, 20) != 0)
        sg_caip_account_id(&account, out);
}

/* 0: nobody's. */
static inline void follow_owner(struct follow_rig *f, uint64_t id, uint8_t out[20])
{
    uint8_t word[32];
    uint32_t len =
        sgt_anvil_call(f->chain, word, sizeof(word), f->films, "ownerOrZero(uint256)", "u", id);
    assert_int_equal(len, sizeof(word)); /* the chain still has the contract */
    memcpy(out, word + 12, 20);
}

static inline void follow_balance(struct follow_rig *f, const uint8_t who[20], uint64_t id,
                                  uint8_t out[32])
{
    uint32_t len =
        sgt_anvil_call(f->chain, out, 32, f->seats, "balanceOf(address,uint256)", "au", who, id);
    assert_int_equal(len, 32);
}

static inline struct rig_fact *follow_token_fact(struct follow_rig *f, uint64_t id)
{
    struct sg_caip_asset asset = follow_asset(SG_CAIP_ERC721, f->films);
    struct sge_fact_id fact;
    asset.has_id = true;
    asset.id = sg_u256_of(id);
    sge_fact_owner(&asset, &fact);
    return rig_fact(f->rig, &fact);
}

static inline struct rig_fact *follow_balance_fact(struct follow_rig *f, const uint8_t who[20],
                                                   uint64_t id)
{
    struct sg_caip_asset asset = follow_asset(SG_CAIP_ERC1155, f->seats);
    struct sge_fact_id fact;
    uint8_t account[32];
    asset.has_id = true;
    asset.id = sg_u256_of(id);
    follow_account(who, account);
    sge_fact_balance(&asset, account, &fact);
    return rig_fact(f->rig, &fact);
}

/* Whom a token is lent to, and until when: not for longer. */
static inline void follow_compare_user(struct follow_rig *f, uint64_t id)
{
    struct sg_caip_asset asset = follow_asset(SG_CAIP_ERC721, f->films);
    struct sge_fact_id fact_id;
    uint8_t said[32], account[32];
    static const uint8_t zero[32];
    uint64_t until_s = 0;
    asset.has_id = true;
    asset.id = sg_u256_of(id);
    sge_fact_user(&asset, &fact_id);
    const struct rig_fact *fact = rig_fact(f->rig, &fact_id);
    assert_int_equal(
        sgt_anvil_call(f->chain, said, sizeof(said), f->films, "lent(uint256)", "u", id), 32);
    memcpy(&until_s, said + 24, sizeof(until_s));
    follow_account(said + 4, account);
    assert_memory_equal(fact != NULL ? fact->change.head : zero, account, 32);
    until_s = __builtin_bswap64(until_s); /* longer than it is at safe counts from safe on */
    assert_true(fact == NULL || fact->change.until_s <= until_s);
    if (fact != NULL && memcmp(fact->change.safe, account, 32) != 0)
        assert_int_equal(fact->change.until_s, until_s);
}

static inline bool follow_has_delegated(struct follow_rig *f, const uint8_t *from,
                                        const uint8_t *to, const struct sg_caip_asset *scope)
{
    struct sge_fact_id id;
    uint8_t vault[32], delegate[32];
    follow_account(from, vault);
    follow_account(to, delegate);
    sge_fact_delegation(vault, delegate, scope, &id);
    const struct rig_fact *fact = rig_fact(f->rig, &id);
    return fact != NULL && fact->change.head[31] == 1;
}

static inline void follow_compare_delegations(struct follow_rig *f, const uint8_t *from,
                                              const uint8_t *to, uint64_t id)
{
    struct sg_caip_asset scope = follow_asset(SG_CAIP_ERC721, f->films);
    uint8_t said[32], ours = follow_has_delegated(f, from, to, NULL);
    ours |= (uint8_t)(follow_has_delegated(f, from, to, &scope) << 1);
    scope.has_id = true;
    scope.id = sg_u256_of(id);
    ours |= (uint8_t)(follow_has_delegated(f, from, to, &scope) << 2);
    assert_int_equal(sgt_anvil_call(f->chain, said, sizeof(said), f->registry,
                                    "delegated(address,address,address,uint256)", "aaau", from, to,
                                    f->films, id),
                     32);
    assert_int_equal(ours, said[31]);
}

/* What the edge has is what ownerOf(), balanceOf() and so on say. */
static inline void follow_compare(struct follow_rig *f)
{
    for (uint64_t id = 1; id <= 2; id++)
        for (uint32_t i = 1; i <= 2; i++)
            follow_compare_delegations(f, f->chain->accounts[i], f->chain->accounts[i + 2], id);
    static const uint8_t zero[32];
    uint8_t said[32], owner[20], account[32];
    for (uint64_t id = 1; id <= FOLLOW_TOKENS; id++) {
        const struct rig_fact *fact = follow_token_fact(f, id);
        follow_owner(f, id, owner);
        follow_account(owner, account);
        assert_memory_equal(fact != NULL ? fact->change.head : zero, account, 32);
        follow_compare_user(f, id);
    }
    for (uint64_t id = 1; id <= FOLLOW_IDS; id++)
        for (uint32_t who = 1; who <= FOLLOW_PEOPLE; who++) {
            const struct rig_fact *fact = follow_balance_fact(f, f->chain->accounts[who], id);
            follow_balance(f, f->chain->accounts[who], id, said);
            assert_memory_equal(fact != NULL ? fact->change.head : zero, said, 32);
        }
}

#endif
