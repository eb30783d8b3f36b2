/* The ledger beside a model that is too simple to be wrong: random blocks, reorgs, safe blocks and
 * restarts, and an edge that applies what the outbox says. Then heads, safe values and, above all,
 * generations: what somebody lost has another one, and what nobody lost has the same. */
#include "tests/sgt.h"

#include "tests/unit/controlplane/ledger_rig.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define TOKENS     6
#define IDS        2
#define PEOPLE     5 /* 1 .. */
#define BLOCKS_MAX 4000
#define EVENTS_MAX 8

static uint64_t seed_state;

static uint32_t any(uint32_t below)
{
    seed_state ^= seed_state >> 12;
    seed_state ^= seed_state << 25;
    seed_state ^= seed_state >> 27;
    return (uint32_t)((seed_state * 2685821657736338717ull) >> 33) % below;
}

struct world {
    uint8_t owner[TOKENS];
    uint64_t balance[IDS][PEOPLE + 1];
};
/* What somebody may hold an edge token by. `lost`: it must never be good again. */
struct proof {
    bool made, lost;
    uint64_t generation;
};
struct model {
    struct rig *rig;
    uint64_t head, safe;
    uint8_t fork[BLOCKS_MAX];
    struct world worlds[BLOCKS_MAX]; /* at the end of block i */
    struct proof owners[TOKENS];     /* the last seen, of whoever had it */
    struct proof balances[IDS][PEOPLE + 1];
};

static uint64_t generation_of(struct rig_fact *fact)
{
    return fact != NULL ? fact->generation : 0;
}

static void lose(struct proof *proof)
{
    proof->lost = proof->made;
}

/* ---- random blocks ---- */

static struct sgc_event random_event(struct model *model, struct world *world)
{
    if (any(2) == 0) {
        uint32_t token = any(TOKENS);
        uint8_t to = (uint8_t)any(PEOPLE + 1);
        if (world->owner[token] != to)
            lose(&model->owners[token]);
        world->owner[token] = to;
        return rig_owner(1, token, to);
    }
    uint32_t id = any(IDS);
    uint8_t from = (uint8_t)any(PEOPLE + 1), to = (uint8_t)any(PEOPLE + 1);
    uint64_t amount = from == 0 ? any(20) : any((uint32_t)world->balance[id][from] + 1);
    if (from != to && amount != 0) {
        if (from != 0) {
            world->balance[id][from] -= amount;
            lose(&model->balances[id][from]);
        }
        if (to != 0)
            world->balance[id][to] += amount;
    }
    return rig_move(2, id, from, to, amount);
}

static void add_block(struct model *model)
{
    struct sgc_event events[EVENTS_MAX];
    uint32_t count = any(EVENTS_MAX);
    uint64_t number = model->head + 1;
    model->worlds[number] = model->worlds[model->head];
    for (uint32_t i = 0; i < count; i++) {
        events[i] = random_event(model, &model->worlds[number]);
        events[i].log = i;
    }
    model->fork[number] = (uint8_t)(model->fork[number] + 1);
    rig_add(model->rig, number, model->fork[number], model->fork[model->head], events, count);
    model->head = number;
}

/* Whoever lost something in what is taken back has lost it already; who gained it loses it now. */
static void undo_blocks(struct model *model, uint64_t number)
{
    for (uint64_t i = model->head; i > number; i--) {
        const struct world *after = &model->worlds[i], *before = &model->worlds[i - 1];
        for (uint32_t token = 0; token < TOKENS; token++)
            if (after->owner[token] != before->owner[token])
                lose(&model->owners[token]);
        for (uint32_t id = 0; id < IDS; id++)
            for (uint32_t who = 1; who <= PEOPLE; who++)
                if (after->balance[id][who] > before->balance[id][who])
                    lose(&model->balances[id][who]);
    }
    assert_int_equal(sgc_ledger_undo(model->rig->ledger, &rig_chain, number), SG_OK);
    model->head = number;
}

/* ---- is it so? ---- */

static void check_proof(struct proof *proof, uint64_t generation)
{
    if (proof->made && proof->lost)
        assert_true(generation > proof->generation);
    *proof = (struct proof){.made = true, .generation = generation};
}

static void check_token(struct model *model, uint32_t token)
{
    struct rig_fact *fact = rig_token_fact(model->rig, 1, token);
    uint8_t head[32], safe[32];
    static const uint8_t zero[32];
    rig_account(model->worlds[model->head].owner[token], head);
    rig_account(model->worlds[model->safe].owner[token], safe);
    assert_memory_equal(fact != NULL ? fact->change.head : zero, head, 32);
    assert_memory_equal(fact != NULL ? fact->change.safe : zero, safe, 32);
    if (fact != NULL)
        check_proof(&model->owners[token], generation_of(fact));
}

static void check_balance(struct model *model, uint32_t id, uint8_t who)
{
    struct rig_fact *fact = rig_balance_fact(model->rig, 2, id, who);
    struct sg_u256 head = sg_u256_of(model->worlds[model->head].balance[id][who]);
    struct sg_u256 safe = sg_u256_of(model->worlds[model->safe].balance[id][who]);
    static const uint8_t zero[32];
    assert_memory_equal(fact != NULL ? fact->change.head : zero, head.bytes, 32);
    assert_memory_equal(fact != NULL ? fact->change.safe : zero, safe.bytes, 32);
    if (fact != NULL)
        check_proof(&model->balances[id][who], generation_of(fact));
}

static void check(struct model *model)
{
    rig_drain(model->rig);
    for (uint32_t token = 0; token < TOKENS; token++)
        check_token(model, token);
    for (uint32_t id = 0; id < IDS; id++)
        for (uint8_t who = 1; who <= PEOPLE; who++)
            check_balance(model, id, who);
}

static struct model *model_new(uint64_t seed)
{
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    seed_state = seed;
    model->rig = rig_new();
    model->head = model->safe = 100;
    rig_base(model->rig);
    rig_join(model->rig, rig_asset(SG_CAIP_ERC721, 1));
    rig_join(model->rig, rig_asset(SG_CAIP_ERC1155, 2));
    return model;
}

static void after_any_history_the_ledger_is_the_model(void **fixture)
{
    const char *seed = getenv("SG_TEST_SEED"), *steps = getenv("SG_TEST_STEPS");
    struct model *model = model_new(seed != NULL ? strtoull(seed, NULL, 10) : 42);
    uint32_t count = steps != NULL ? (uint32_t)atoi(steps) : 800;
    for (uint32_t i = 0; i < count && model->head + 1 < BLOCKS_MAX; i++) {
        switch (any(8)) {
        case 0:
            if (model->head > model->safe)
                undo_blocks(model, model->head - 1 - any((uint32_t)(model->head - model->safe)));
            break;
        case 1:
            model->safe += any((uint32_t)(model->head - model->safe) / 2 + 1);
            assert_int_equal(sgc_ledger_safe(model->rig->ledger, &rig_chain, model->safe), SG_OK);
            break;
        case 2:
            if (any(20) == 0) {
                sgc_ledger_close(model->rig->ledger);
                rig_open(model->rig);
            }
            check(model);
            break;
        default:
            add_block(model);
        }
    }
    check(model);
    assert_true(model->head > 150);
    rig_free(model->rig);
    free(model);
    (void)fixture;
}

/* Nobody lost anything by what became safe, or by what happened to others. */
static void what_nobody_lost_keeps_its_generation(void **fixture)
{
    struct model *model = model_new(7);
    for (uint32_t i = 0; i < 20; i++)
        add_block(model);
    check(model);
    uint64_t before[TOKENS], after[TOKENS];
    for (uint32_t token = 0; token < TOKENS; token++)
        before[token] = generation_of(rig_token_fact(model->rig, 1, token));
    struct sgc_event rise = rig_move(2, 1, 0, 3, 5);
    rig_add(model->rig, 121, 1, model->fork[120], &rise, 1);
    assert_int_equal(sgc_ledger_safe(model->rig->ledger, &rig_chain, 121), SG_OK);
    rig_drain(model->rig);
    for (uint32_t token = 0; token < TOKENS; token++)
        after[token] = generation_of(rig_token_fact(model->rig, 1, token));
    assert_memory_equal(before, after, sizeof(before));
    rig_free(model->rig);
    free(model);
    (void)fixture;
}

/* ---- killed at any point ---- */

/* Block n gives token n % TOKENS to somebody; what a ledger with head n must have follows from n.
 */
static void add_numbered(struct sgc_ledger *ledger, uint64_t number)
{
    struct sgc_event event = rig_owner(1, number % TOKENS, (uint8_t)(1 + number % PEOPLE));
    struct sgc_block block = rig_block(number, 0, 0, &event, 1);
    if (sgc_ledger_add(ledger, &block) != SG_OK)
        _exit(1);
    if (number % 7 == 0 && sgc_ledger_safe(ledger, &rig_chain, number - 3) != SG_OK)
        _exit(1);
    if (number % 11 == 0) { /* one that is taken back at once */
        struct sgc_event other = rig_owner(1, (number + 1) % TOKENS, 4);
        struct sgc_block wrong = rig_block(number + 1, 9, 0, &other, 1);
        if (sgc_ledger_add(ledger, &wrong) != SG_OK ||
            sgc_ledger_undo(ledger, &rig_chain, number) != SG_OK)
            _exit(1);
    }
}

static void write_on(const char *dir)
{
    struct sgc_ledger *ledger = NULL;
    struct sgc_ledger_at at;
    if (sgc_ledger_open(dir, &ledger) != SG_OK || sgc_ledger_at(ledger, &rig_chain, &at) != SG_OK)
        _exit(1);
    for (uint64_t number = at.head + 1;; number++)
        add_numbered(ledger, number);
}

static void check_numbered(struct rig *rig, const struct sgc_ledger_at *at)
{
    uint8_t account[32];
    rig_drain(rig);
    for (uint64_t i = 0; i < TOKENS && at->head - i > 100; i++) {
        uint64_t number = at->head - i;
        rig_account((uint8_t)(1 + number % PEOPLE), account);
        assert_memory_equal(rig_token_fact(rig, 1, number % TOKENS)->change.head, account, 32);
    }
}

static void killed_at_any_point_it_is_whole(void **fixture)
{
    struct rig *rig = rig_new();
    struct sgc_ledger_at at;
    uint64_t last = 100;
    rig_base(rig);
    rig_join(rig, rig_asset(SG_CAIP_ERC721, 1));
    sgc_ledger_close(rig->ledger);
    seed_state = 99;
    for (uint32_t round = 0; round < 12; round++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            write_on(rig->dir);
        nanosleep(&(struct timespec){.tv_nsec = 5000000 + any(30000) * 1000}, NULL);
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        rig_open(rig);
        assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
        if (at.head_hash[31] == 9) /* in between: the one that is taken back */
            assert_int_equal(sgc_ledger_undo(rig->ledger, &rig_chain, at.head - 1), SG_OK);
        assert_int_equal(sgc_ledger_at(rig->ledger, &rig_chain, &at), SG_OK);
        assert_true(at.head >= last && at.safe <= at.head);
        last = at.head;
        check_numbered(rig, &at);
        sgc_ledger_close(rig->ledger);
    }
    assert_true(last > 100);
    rig_open(rig);
    rig_free(rig);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(after_any_history_the_ledger_is_the_model),
    cmocka_unit_test(what_nobody_lost_keeps_its_generation),
    cmocka_unit_test(killed_at_any_point_it_is_whole),
};
SGT_MAIN("ledger_model", tests)
