#include "tests/sgt.h"

#include "base/alloc.h"
#include "tests/unit/controlplane/ledger_rig.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

static void assert_owner(const struct rig_fact *fact, uint8_t head, uint8_t safe)
{
    uint8_t account[32];
    assert_non_null(fact);
    rig_account(head, account);
    assert_memory_equal(fact->change.head, account, 32);
    assert_memory_equal(fact->change.holder, account, 32);
    rig_account(safe, account);
    assert_memory_equal(fact->change.safe, account, 32);
}

static void assert_balance(const struct rig_fact *fact, uint64_t head, uint64_t safe)
{
    struct sg_u256 v = sg_u256_of(head);
    assert_non_null(fact);
    assert_memory_equal(fact->change.head, v.bytes, 32);
    v = sg_u256_of(safe);
    assert_memory_equal(fact->change.safe, v.bytes, 32);
}

/* Contract 1 is an ERC-721, contract 2 an ERC-1155; both joined at block 100. */
static struct rig *followed(void)
{
    struct rig *rig = rig_new();
    rig_base(rig);
    rig_join(rig, rig_asset(SG_CAIP_ERC721, 1));
    rig_join(rig, rig_asset(SG_CAIP_ERC1155, 2));
    return rig;
}

static void a_block_changes_head_at_once_and_safe_later_without_a_bump(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event mint = rig_owner(1, 7, 5);
    mint.log = 3;
    rig_add(rig, 101, 0, 0, &mint, 1);
    assert_int_equal(rig_drain(rig), 1);
    struct rig_fact *fact = rig_token_fact(rig, 1, 7);
    assert_owner(fact, 5, 0);
    assert_int_equal(fact->change.block, 101);
    assert_int_equal(fact->change.log, 3);
    assert_int_equal(fact->change.groups_count, 1);
    uint64_t generation = fact->generation;
    assert_int_equal(sgc_ledger_safe(rig->ledger, &rig_chain, 101), SG_OK);
    assert_int_equal(rig_drain(rig), 1);
    assert_owner(fact, 5, 5);
    assert_int_equal(fact->generation, generation);
    rig_free(rig);
    (void)fixture;
}

static void safe_is_the_owner_of_that_block_whoever_has_it_since(void **fixture)
{
    struct rig *rig = followed();
    for (uint8_t i = 1; i <= 4; i++) {
        struct sgc_event event = rig_owner(1, 7, i);
        rig_add(rig, 100 + i, 0, 0, &event, 1);
    }
    assert_int_equal(sgc_ledger_safe(rig->ledger, &rig_chain, 102), SG_OK);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 4, 2);
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 102), SG_OK);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 2, 2);
    rig_free(rig);
    (void)fixture;
}

static void a_token_that_comes_back_within_its_block_is_another(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event mint = rig_owner(1, 7, 5);
    rig_add(rig, 101, 0, 0, &mint, 1);
    rig_drain(rig);
    uint64_t generation = rig_token_fact(rig, 1, 7)->generation;
    struct sgc_event both[] = {rig_owner(1, 7, 6), rig_owner(1, 7, 5)};
    rig_add(rig, 102, 0, 0, both, COUNT(both));
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 5, 0);
    assert_true(rig_token_fact(rig, 1, 7)->generation > generation);
    rig_free(rig);
    (void)fixture;
}

static void a_transfer_to_oneself_changes_nothing(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event begin[] = {rig_owner(1, 7, 5), rig_move(2, 1, 0, 5, 10)};
    rig_add(rig, 101, 0, 0, begin, COUNT(begin));
    rig_drain(rig);
    struct sgc_event none[] = {rig_owner(1, 7, 5), rig_move(2, 1, 5, 5, 4),
                               rig_move(2, 1, 5, 6, 0)};
    rig_add(rig, 102, 0, 0, none, COUNT(none));
    assert_int_equal(rig_drain(rig), 0);
    assert_null(rig_balance_fact(rig, 2, 1, 6));
    rig_free(rig);
    (void)fixture;
}

static void a_fall_bumps_the_holder_and_nobody_else(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event begin[] = {rig_move(2, 1, 0, 5, 10), rig_move(2, 1, 0, 6, 10),
                                rig_move(2, 1, 0, 7, 10)};
    rig_add(rig, 101, 0, 0, begin, COUNT(begin));
    rig_drain(rig);
    uint64_t five = rig_balance_fact(rig, 2, 1, 5)->generation;
    uint64_t six = rig_balance_fact(rig, 2, 1, 6)->generation;
    uint64_t seven = rig_balance_fact(rig, 2, 1, 7)->generation;
    struct sgc_event move = rig_move(2, 1, 5, 6, 3);
    rig_add(rig, 102, 0, 0, &move, 1);
    assert_int_equal(rig_drain(rig), 2);
    assert_balance(rig_balance_fact(rig, 2, 1, 5), 7, 0);
    assert_balance(rig_balance_fact(rig, 2, 1, 6), 13, 0);
    assert_true(rig_balance_fact(rig, 2, 1, 5)->generation > five);
    assert_int_equal(rig_balance_fact(rig, 2, 1, 6)->generation, six);
    assert_int_equal(rig_balance_fact(rig, 2, 1, 7)->generation, seven);
    rig_free(rig);
    (void)fixture;
}

static void a_fall_that_is_made_good_within_the_block_bumps(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event begin = rig_move(2, 1, 0, 5, 10);
    rig_add(rig, 101, 0, 0, &begin, 1);
    rig_drain(rig);
    uint64_t before = rig_balance_fact(rig, 2, 1, 5)->generation;
    struct sgc_event both[] = {rig_move(2, 1, 5, 6, 10), rig_move(2, 1, 6, 5, 10)};
    rig_add(rig, 102, 0, 0, both, COUNT(both));
    rig_drain(rig);
    assert_balance(rig_balance_fact(rig, 2, 1, 5), 10, 0);
    assert_true(rig_balance_fact(rig, 2, 1, 5)->generation > before);
    rig_free(rig);
    (void)fixture;
}

static void a_reorg_restores_the_owner_under_a_new_generation(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event mint = rig_owner(1, 7, 5), sale = rig_owner(1, 7, 6);
    rig_add(rig, 101, 0, 0, &mint, 1);
    rig_drain(rig);
    uint64_t first = rig_token_fact(rig, 1, 7)->generation;
    rig_add(rig, 102, 0, 0, &sale, 1);
    rig_drain(rig);
    uint64_t second = rig_token_fact(rig, 1, 7)->generation;
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 101), SG_OK);
    rig_drain(rig);
    struct rig_fact *fact = rig_token_fact(rig, 1, 7);
    assert_owner(fact, 5, 0);
    assert_int_equal(fact->change.block, 101);
    assert_true(first < second && second < fact->generation);
    uint64_t third = fact->generation;
    rig_add(rig, 102, 1, 0, &sale, 1); /* the same sale in the other fork */
    rig_drain(rig);
    assert_owner(fact, 6, 0);
    assert_true(fact->generation > third);
    rig_free(rig);
    (void)fixture;
}

static void an_undone_mint_leaves_nobody(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event events[] = {rig_owner(1, 7, 5), rig_move(2, 1, 0, 5, 10)};
    rig_add(rig, 101, 0, 0, events, COUNT(events));
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 100), SG_OK);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 0, 0);
    assert_balance(rig_balance_fact(rig, 2, 1, 5), 0, 0);
    struct sgc_ledger_at at;
    assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
    assert_int_equal(at.head, 100);
    assert_int_equal(at.undone, 1);
    rig_free(rig);
    (void)fixture;
}

static void a_block_of_another_fork_is_refused(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event mint = rig_owner(1, 7, 5);
    rig_add(rig, 101, 0, 0, &mint, 1);
    struct sgc_block same = rig_block(101, 0, 0, &mint, 1), other = rig_block(102, 0, 9, NULL, 0);
    assert_int_equal(sgc_ledger_add(rig->ledger, &same), SG_EALREADY);
    assert_int_equal(sgc_ledger_add(rig->ledger, &other), SG_ESTALE);
    uint8_t hash[32];
    assert_int_equal(sgc_ledger_hash(rig->ledger, &rig_chain, 101, hash), SG_OK);
    assert_memory_equal(hash, same.hash, 32);
    assert_int_equal(sgc_ledger_hash(rig->ledger, &rig_chain, 102, hash), SG_ENOENT);
    rig_free(rig);
    (void)fixture;
}

static void what_was_called_safe_is_not_undone(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event mint = rig_owner(1, 7, 5);
    rig_add(rig, 101, 0, 0, &mint, 1);
    rig_add(rig, 102, 0, 0, NULL, 0);
    assert_int_equal(sgc_ledger_safe(rig->ledger, &rig_chain, 101), SG_OK);
    rig_drain(rig);
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 100), SG_ERANGE);
    assert_int_equal(rig_drain(rig), 0);
    assert_owner(rig_token_fact(rig, 1, 7), 5, 5);
    struct sgc_ledger_at at;
    assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
    assert_int_equal(at.head, 102);
    assert_int_equal(at.safe, 101);
    assert_int_equal(at.first, 101);
    rig_free(rig);
    (void)fixture;
}

/* Half a history would say that 5 has it, who sold it long ago. */
static void history_is_told_only_when_it_is_whole(void **fixture)
{
    struct rig *rig = rig_new();
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    struct sgc_event mint = rig_owner(1, 7, 5), sale = rig_owner(1, 7, 6),
                     late = rig_owner(1, 7, 8);
    struct sgc_block blocks[] = {rig_block(10, 0, 0, &mint, 1), rig_block(20, 0, 0, &sale, 1)};
    struct sgc_span span = {
        .chain = &rig_chain, .contracts = &contract, .contracts_count = 1, .to = 15};
    span.blocks = &blocks[0];
    span.blocks_count = 1;
    assert_int_equal(sgc_ledger_add_safe(rig->ledger, &span), SG_OK);
    assert_int_equal(sgc_ledger_add_safe(rig->ledger, &span), SG_EALREADY);
    assert_int_equal(rig_drain(rig), 0);
    rig_base(rig); /* at block 100; the head goes on while history is read */
    rig_add(rig, 101, 0, 0, NULL, 0);
    assert_int_equal(sgc_ledger_join(rig->ledger, &contract), SG_ESTALE);
    span.blocks = &blocks[1];
    span.to = 100;
    assert_int_equal(sgc_ledger_add_safe(rig->ledger, &span), SG_OK);
    struct sgc_block next;
    assert_int_equal(sgc_ledger_next(rig->ledger, &rig_chain, 100, &next), SG_OK);
    assert_int_equal(next.number, 101);
    next.events = &late;
    next.events_count = 1;
    assert_int_equal(sgc_ledger_add_more(rig->ledger, &next, &contract, 1), SG_OK);
    assert_int_equal(sgc_ledger_add_more(rig->ledger, &next, &contract, 1), SG_EALREADY);
    assert_int_equal(rig_drain(rig), 0);
    assert_int_equal(sgc_ledger_join(rig->ledger, &contract), SG_OK);
    assert_int_equal(rig_drain(rig), 1);
    assert_owner(rig_token_fact(rig, 1, 7), 8, 6);
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 100), SG_OK);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 6, 6);
    rig_free(rig);
    (void)fixture;
}

static void a_reorg_while_a_contract_joins_takes_its_progress_back(void **fixture)
{
    struct rig *rig = rig_new();
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    struct sgc_event mint = rig_owner(1, 7, 5);
    struct sgc_block block = rig_block(101, 0, 0, &mint, 1), other = rig_block(101, 1, 0, NULL, 0);
    struct sgc_span span = {
        .chain = &rig_chain, .contracts = &contract, .contracts_count = 1, .to = 100};
    struct sgc_ledger_progress progress;
    rig_base(rig);
    rig_add(rig, 101, 0, 0, NULL, 0);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &progress), SG_ENOENT);
    assert_int_equal(sgc_ledger_add_safe(rig->ledger, &span), SG_OK);
    assert_int_equal(sgc_ledger_add_more(rig->ledger, &other, &contract, 1), SG_ESTALE);
    assert_int_equal(sgc_ledger_add_more(rig->ledger, &block, &contract, 1), SG_OK);
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 100), SG_OK);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &progress), SG_OK);
    assert_int_equal(progress.to, 100);
    assert_false(progress.told);
    assert_int_equal(sgc_ledger_join(rig->ledger, &contract), SG_OK);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &progress), SG_OK);
    assert_true(progress.to == SGC_LEDGER_JOINED);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 0, 0);
    rig_free(rig);
    (void)fixture;
}

static void who_leaves_is_known_up_to_the_head_and_held_back_from_there(void **fixture)
{
    struct rig *rig = followed();
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    struct sgc_event mint = rig_owner(1, 7, 5), sale = rig_owner(1, 7, 6);
    struct sgc_ledger_progress at;
    uint64_t sources[4];
    rig_add(rig, 101, 0, 0, &mint, 1);
    assert_int_equal(sgc_ledger_sources(rig->ledger, &rig_chain, sources, 4), 2);
    assert_int_equal(sgc_ledger_leave(rig->ledger, &rig_chain, sge_group_contract(&contract)),
                     SG_OK);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &at), SG_OK);
    assert_int_equal(at.to, 101);
    assert_true(at.told);
    assert_int_equal(sgc_ledger_safe(rig->ledger, &rig_chain, 101), SG_OK);
    struct sgc_block block = rig_block(150, 0, 0, &sale, 1);
    struct sgc_span span = {.chain = &rig_chain,
                            .contracts = &contract,
                            .contracts_count = 1,
                            .to = 200,
                            .blocks = &block,
                            .blocks_count = 1};
    assert_int_equal(sgc_ledger_add_safe(rig->ledger, &span), SG_OK);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 5, 0); /* as it was when it left */
    struct sgc_block base = rig_block(200, 0, 0, NULL, 0);
    assert_int_equal(sgc_ledger_base(rig->ledger, &base), SG_OK);
    assert_int_equal(sgc_ledger_base(rig->ledger, &base), SG_ESTALE);
    assert_int_equal(sgc_ledger_join(rig->ledger, &contract), SG_OK);
    rig_drain(rig);
    assert_owner(rig_token_fact(rig, 1, 7), 6, 6);
    rig_free(rig);
    (void)fixture;
}

static enum sge_followed told_followed(struct rig *rig, uint64_t group)
{
    struct sge_fact_id id;
    sge_fact_followed(group, &id);
    const struct rig_fact *fact = rig_fact(rig, &id);
    if (fact == NULL)
        return SGE_FOLLOWED_NOT;
    assert_int_equal(fact->change.kind, SGE_FACT_FOLLOWED);
    assert_memory_equal(fact->change.head, fact->change.safe, 32);
    return (enum sge_followed)fact->change.head[31];
}

/* Of the same source: what its contract and what another group of it is. */
static void how_much_is_followed_is_told_once_and_taken_back(void **fixture)
{
    struct rig *rig = followed();
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    uint64_t source = sge_group_contract(&contract);
    const struct sgc_following both[] = {{source, source, SGE_FOLLOWED_WHOLE},
                                         {source, 4711, SGE_FOLLOWED_PART}};
    struct sgc_event mint = rig_owner(1, 7, 5);
    struct sge_change none[SGC_OUTBOX_CHANGES_MAX];
    uint64_t id;
    rig_add(rig, 101, 0, 0, &mint, 1);
    for (int again = 0; again < 2; again++)
        for (size_t i = 0; i < COUNT(both); i++)
            assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &both[i]), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, source), SGE_FOLLOWED_WHOLE);
    assert_int_equal(told_followed(rig, 4711), SGE_FOLLOWED_PART);
    assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &both[0]), SG_OK);
    assert_int_equal(sgc_ledger_outbox(rig->ledger, &id, none, SGC_OUTBOX_CHANGES_MAX), 0);

    assert_int_equal(sgc_ledger_leave(rig->ledger, &rig_chain, source), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, source), SGE_FOLLOWED_NOT);
    assert_int_equal(told_followed(rig, 4711), SGE_FOLLOWED_NOT);
    assert_owner(rig_token_fact(rig, 1, 7), 5, 0); /* what is known stays, and is of then */

    assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &both[1]), SG_OK);
    assert_int_equal(sgc_ledger_forget(rig->ledger, &contract), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, 4711), SGE_FOLLOWED_NOT);
    rig_free(rig);
    (void)fixture;
}

/* After a long stop, say: what is known is as old as the head says, and followed all the same. */
static void what_is_read_on_as_history_is_followed_meanwhile(void **fixture)
{
    struct rig *rig = followed();
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    uint64_t source = sge_group_contract(&contract);
    const struct sgc_following whole = {source, source, SGE_FOLLOWED_WHOLE},
                               reading = {source, source, SGE_FOLLOWED_READING};
    struct sgc_ledger_progress progress;
    assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &whole), SG_OK);
    assert_int_equal(sgc_ledger_reread(rig->ledger, &contract), SG_OK);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &progress), SG_OK);
    assert_int_equal(progress.to, 100);
    assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &reading), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, source), SGE_FOLLOWED_WHOLE);
    assert_int_equal(sgc_ledger_leave(rig->ledger, &rig_chain, source), SG_OK);
    assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &reading), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, source), SGE_FOLLOWED_READING);
    rig_free(rig);
    (void)fixture;
}

static void what_joined_of_chains_that_nobody_names_any_more_leaves(void **fixture)
{
    struct rig *rig = followed();
    static const struct sg_caip_chain other = {.ns = SG_CAIP_EIP155, .evm_id = 5};
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    uint64_t source = sge_group_contract(&contract);
    const struct sgc_following whole = {source, source, SGE_FOLLOWED_WHOLE};
    struct sgc_ledger_progress progress;
    assert_int_equal(sgc_ledger_follow(rig->ledger, &rig_chain, &whole), SG_OK);
    assert_int_equal(sgc_ledger_leave_chains(rig->ledger, &rig_chain, 1), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, source), SGE_FOLLOWED_WHOLE);
    assert_int_equal(sgc_ledger_leave_chains(rig->ledger, &other, 1), SG_OK);
    rig_drain(rig);
    assert_int_equal(told_followed(rig, source), SGE_FOLLOWED_NOT);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &progress), SG_OK);
    assert_int_equal(progress.to, 100);
    rig_free(rig);
    (void)fixture;
}

static void what_is_forgotten_is_nobodys_everywhere(void **fixture)
{
    struct rig *rig = followed();
    struct sg_caip_asset contract = rig_asset(SG_CAIP_ERC721, 1);
    struct sgc_event events[] = {rig_owner(1, 7, 5), rig_move(2, 1, 0, 5, 10)};
    struct sge_fact_id id;
    struct sge_change change;
    struct sgc_ledger_progress progress;
    rig_add(rig, 101, 0, 0, events, COUNT(events));
    rig_drain(rig);
    uint64_t token = rig_token_fact(rig, 1, 7)->generation;
    uint64_t balance = rig_balance_fact(rig, 2, 1, 5)->generation;
    assert_int_equal(sgc_ledger_forget(rig->ledger, &contract), SG_OK);
    assert_int_equal(rig_drain(rig), 1);
    assert_owner(rig_token_fact(rig, 1, 7), 0, 0);
    assert_true(rig_token_fact(rig, 1, 7)->generation > token);
    assert_int_equal(rig_balance_fact(rig, 2, 1, 5)->generation, balance);
    assert_int_equal(sgc_ledger_followed(rig->ledger, &contract, &progress), SG_ENOENT);
    sge_fact_owner(&events[0].asset, &id);
    assert_int_equal(sgc_ledger_fact(rig->ledger, &id, &change), SG_ENOENT);
    assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, 100), SG_OK);
    assert_int_equal(rig_drain(rig), 1); /* the journal has the balance alone */
    assert_int_equal(sgc_ledger_forget_chain(rig->ledger, &rig_chain), SG_OK);
    assert_int_equal(rig_drain(rig), 1);
    struct sgc_ledger_at at;
    assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_ENOENT);
    rig_base(rig); /* and everything begins anew */
    rig_join(rig, contract);
    rig_free(rig);
    (void)fixture;
}

static void a_move_of_more_than_was_there_leaves_nothing_and_is_counted(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event all = rig_move(2, 1, 0, 6, 1);
    memset(all.amount.bytes, 0xff, 32);
    struct sgc_event events[] = {rig_move(2, 1, 0, 5, 10), rig_move(2, 1, 5, 6, 11), all};
    struct sgc_ledger_at at;
    rig_add(rig, 101, 0, 0, events, COUNT(events));
    rig_drain(rig);
    assert_balance(rig_balance_fact(rig, 2, 1, 5), 0, 0);
    assert_memory_equal(rig_balance_fact(rig, 2, 1, 6)->change.head, all.amount.bytes, 32);
    assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
    assert_int_equal(at.odd, 2);
    rig_free(rig);
    (void)fixture;
}

static void a_delegation_is_found_under_the_delegate_and_bumped_by_its_end(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event event = rig_owner(1, 0, 0);
    struct sge_fact_id id;
    uint8_t vault[32], delegate[32];
    event.kind = SGC_EVENT_DELEGATION;
    event.has_asset = false;
    event.from = rig_who(5);
    event.to = rig_who(6);
    event.amount = sg_u256_of(1);
    rig_add(rig, 101, 0, 0, &event, 1);
    rig_drain(rig);
    rig_account(5, vault);
    rig_account(6, delegate);
    sge_fact_delegation(vault, delegate, NULL, &id);
    struct rig_fact *fact = rig_fact(rig, &id);
    assert_balance(fact, 1, 0);
    assert_memory_equal(fact->change.holder, delegate, 32);
    assert_memory_equal(fact->change.token, vault, 32);
    assert_true(fact->change.groups[0] == sge_group_delegations(&rig_chain));
    uint64_t generation = fact->generation;
    event.amount = sg_u256_of(0);
    rig_add(rig, 102, 0, 0, &event, 1);
    rig_drain(rig);
    assert_balance(fact, 0, 0);
    assert_true(fact->generation > generation);
    rig_free(rig);
    (void)fixture;
}

static void a_longer_use_counts_from_safe_on_a_shorter_at_once(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event event = rig_owner(1, 7, 6);
    struct sge_fact_id id;
    event.kind = SGC_EVENT_USER;
    event.until_s = 5000;
    rig_add(rig, 101, 0, 0, &event, 1);
    assert_int_equal(sgc_ledger_safe(rig->ledger, &rig_chain, 101), SG_OK);
    rig_drain(rig);
    sge_fact_user(&event.asset, &id);
    struct rig_fact *fact = rig_fact(rig, &id);
    assert_owner(fact, 6, 6);
    assert_int_equal(fact->change.until_s, 5000);
    uint64_t generation = fact->generation;
    event.until_s = 9000;
    rig_add(rig, 102, 0, 0, &event, 1);
    rig_drain(rig);
    assert_int_equal(fact->change.until_s, 5000);
    assert_int_equal(sgc_ledger_safe(rig->ledger, &rig_chain, 102), SG_OK);
    rig_drain(rig);
    assert_int_equal(fact->change.until_s, 9000);
    assert_int_equal(fact->generation, generation);
    event.until_s = 100;
    rig_add(rig, 103, 0, 0, &event, 1);
    rig_drain(rig);
    assert_int_equal(fact->change.until_s, 100);
    assert_true(fact->generation > generation);
    rig_free(rig);
    (void)fixture;
}

static void leaving_a_collection_bumps_entering_does_not(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event event = rig_owner(1, 7, 5), groups = event;
    rig_add(rig, 101, 0, 0, &event, 1);
    rig_drain(rig);
    uint64_t generation = rig_token_fact(rig, 1, 7)->generation;
    groups.kind = SGC_EVENT_GROUPS;
    groups.groups_count = 1;
    groups.groups[0] = 77;
    rig_add(rig, 102, 0, 0, &groups, 1);
    rig_drain(rig);
    struct rig_fact *fact = rig_token_fact(rig, 1, 7);
    assert_int_equal(fact->change.groups_count, 2);
    assert_int_equal(fact->generation, generation);
    groups.groups_count = 0;
    rig_add(rig, 103, 0, 0, &groups, 1);
    rig_drain(rig);
    assert_int_equal(fact->change.groups_count, 1);
    assert_true(fact->generation > generation);
    rig_free(rig);
    (void)fixture;
}

static void numbers_of_the_outbox_never_come_again(void **fixture)
{
    struct rig *rig = followed();
    for (uint64_t number = 101; number < 104; number++) {
        struct sgc_event event = rig_owner(1, 7, (uint8_t)(number - 100));
        rig_add(rig, number, 0, 0, &event, 1);
        assert_true(rig_readable(rig));
        sgc_ledger_close(rig->ledger);
        rig_open(rig);
        assert_true(rig_readable(rig));
        assert_int_equal(rig_drain(rig), 1); /* asserts that they rise */
    }
    rig_free(rig);
    (void)fixture;
}

static void a_large_block_is_several_entries(void **fixture)
{
    enum { MANY = SGC_OUTBOX_CHANGES_MAX + 10 };
    static struct sgc_event events[MANY];
    struct rig *rig = followed();
    for (uint32_t i = 0; i < MANY; i++)
        events[i] = rig_owner(1, i, 5);
    rig_add(rig, 101, 0, 0, events, MANY);
    uint64_t seq = rig->seq;
    assert_int_equal(rig_drain(rig), MANY);
    assert_int_equal(rig->seq, seq + 2);
    rig_free(rig);
    (void)fixture;
}

static void opening_undoes_itself_at_every_failing_allocation(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    enum sg_err err = SG_ENOMEM;
    sgt_dir_make(dir);
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgc_ledger *ledger = NULL;
        assert_true(nth < 16);
        sg_alloc_fail_nth(nth);
        err = sgc_ledger_open(dir, &ledger);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK ? ledger != NULL : ledger == NULL && err == SG_ENOMEM);
        sgc_ledger_close(ledger);
    }
    sgt_dir_remove(dir);
    (void)fixture;
}

static void a_block_that_memory_fails_leaves_nothing(void **fixture)
{
    struct rig *rig = followed();
    struct sgc_event events[100];
    struct sgc_ledger_at at;
    enum sg_err err = SG_ENOMEM;
    for (uint32_t i = 0; i < COUNT(events); i++)
        events[i] = rig_owner(1, i, 5);
    struct sgc_block block = rig_block(101, 0, 0, events, COUNT(events));
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        assert_true(nth < 16);
        assert_int_equal(rig_drain(rig), 0);
        sg_alloc_fail_nth(nth);
        err = sgc_ledger_add(rig->ledger, &block);
        sg_alloc_fail_nth(UINT32_MAX);
        assert_true(err == SG_OK || err == SG_ENOMEM);
        assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
        assert_int_equal(at.head, err == SG_OK ? 101 : 100);
    }
    assert_int_equal(rig_drain(rig), COUNT(events));
    rig_free(rig);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_block_changes_head_at_once_and_safe_later_without_a_bump),
    cmocka_unit_test(safe_is_the_owner_of_that_block_whoever_has_it_since),
    cmocka_unit_test(a_token_that_comes_back_within_its_block_is_another),
    cmocka_unit_test(a_transfer_to_oneself_changes_nothing),
    cmocka_unit_test(a_fall_bumps_the_holder_and_nobody_else),
    cmocka_unit_test(a_fall_that_is_made_good_within_the_block_bumps),
    cmocka_unit_test(a_reorg_restores_the_owner_under_a_new_generation),
    cmocka_unit_test(an_undone_mint_leaves_nobody),
    cmocka_unit_test(a_block_of_another_fork_is_refused),
    cmocka_unit_test(what_was_called_safe_is_not_undone),
    cmocka_unit_test(history_is_told_only_when_it_is_whole),
    cmocka_unit_test(a_reorg_while_a_contract_joins_takes_its_progress_back),
    cmocka_unit_test(who_leaves_is_known_up_to_the_head_and_held_back_from_there),
    cmocka_unit_test(how_much_is_followed_is_told_once_and_taken_back),
    cmocka_unit_test(what_is_read_on_as_history_is_followed_meanwhile),
    cmocka_unit_test(what_joined_of_chains_that_nobody_names_any_more_leaves),
    cmocka_unit_test(what_is_forgotten_is_nobodys_everywhere),
    cmocka_unit_test(a_move_of_more_than_was_there_leaves_nothing_and_is_counted),
    cmocka_unit_test(a_delegation_is_found_under_the_delegate_and_bumped_by_its_end),
    cmocka_unit_test(a_longer_use_counts_from_safe_on_a_shorter_at_once),
    cmocka_unit_test(leaving_a_collection_bumps_entering_does_not),
    cmocka_unit_test(numbers_of_the_outbox_never_come_again),
    cmocka_unit_test(a_large_block_is_several_entries),
    cmocka_unit_test(opening_undoes_itself_at_every_failing_allocation),
    cmocka_unit_test(a_block_that_memory_fails_leaves_nothing),
};
SGT_MAIN("ledger", tests)
