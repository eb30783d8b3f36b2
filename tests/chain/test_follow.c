/* The follower on a real chain: after anything that can happen there, who owns what is what the
 * chain says when it is asked. */
#include "tests/sgt.h"

#include "tests/chain/follow_rig.h"
#include "tests/chain/liar.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sgt_anvil chain;

static uint64_t seed_state = 1;

/* xorshift64*: the same run for the same seed. */
static uint32_t any(uint32_t below)
{
    seed_state ^= seed_state >> 12;
    seed_state ^= seed_state << 25;
    seed_state ^= seed_state >> 27;
    return (uint32_t)((seed_state * 2685821657736338717ull) >> 33) % below;
}

/* ---- one operation of any kind ---- */

static const uint8_t *anyone(void)
{
    return chain.accounts[1 + any(FOLLOW_PEOPLE)];
}

static void operate_film(struct follow_rig *f)
{
    static const uint8_t nobody[20];
    uint64_t id = 1 + any(FOLLOW_TOKENS);
    uint8_t owner[20];
    follow_owner(f, id, owner);
    if (memcmp(owner, nobody, 20) == 0)
        sgt_anvil_send(&chain, NULL, f->films, "mint(address,uint256)", "au", anyone(), id);
    else if (any(8) == 0)
        sgt_anvil_send(&chain, NULL, f->films, "burn(uint256)", "u", id);
    else if (any(3) == 0) /* out and, half of the time, back within one transaction */
        sgt_anvil_send(&chain, NULL, f->films, "moveTwice(address,address,uint256)", "aau",
                       anyone(), any(2) ? owner : anyone(), id);
    else
        sgt_anvil_send(&chain, NULL, f->films, "move(address,uint256)", "au", anyone(), id);
}

static uint64_t has(struct follow_rig *f, const uint8_t *who, uint64_t id)
{
    uint8_t balance[32];
    uint64_t v;
    follow_balance(f, who, id, balance);
    memcpy(&v, balance + 24, sizeof(v));
    return __builtin_bswap64(v);
}

static void operate_seats(struct follow_rig *f)
{
    const uint8_t *from = anyone(), *to = anyone();
    uint64_t first = 1 + any(FOLLOW_IDS - 1);
    uint64_t ids[] = {first, first + 1}, parts[2], there[2];
    for (int i = 0; i < 2; i++) {
        there[i] = has(f, from, ids[i]);
        parts[i] = there[i] == 0 ? 0 : any((uint32_t)there[i] + 1);
    }
    switch (any(6)) {
    case 0:
        sgt_anvil_send(&chain, NULL, f->seats, "mint(address,uint256,uint256)", "auu", to, ids[0],
                       (uint64_t)any(50));
        break;
    case 1:
        parts[0] = any(50), parts[1] = any(50);
        sgt_anvil_send(&chain, NULL, f->seats, "mintBatch(address,uint256[],uint256[])", "aUU", to,
                       2, ids, 2, parts);
        break;
    case 2:
        sgt_anvil_send(&chain, NULL, f->seats, "burn(address,uint256,uint256)", "auu", from, ids[0],
                       parts[0]);
        break;
    case 3:
        sgt_anvil_send(&chain, NULL, f->seats, "burnBatch(address,uint256[],uint256[])", "aUU",
                       from, 2, ids, 2, parts);
        break;
    case 4:
        sgt_anvil_send(&chain, NULL, f->seats, "move(address,address,uint256,uint256)", "aauu",
                       from, to, ids[1], parts[1]);
        break;
    default:
        sgt_anvil_send(&chain, NULL, f->seats, "moveBatch(address,address,uint256[],uint256[])",
                       "aaUU", from, to, 2, ids, 2, parts);
    }
}

static void operate_user(struct follow_rig *f)
{
    static const uint8_t nobody[20];
    bool ends = any(4) == 0;
    sgt_anvil_send(&chain, NULL, f->films, "setUser(uint256,address,uint64)", "uau",
                   (uint64_t)(1 + any(FOLLOW_TOKENS)), ends ? nobody : anyone(),
                   ends ? 0 : (uint64_t)(2000000000 + any(4)));
}

/* Of some rights alone is none that counts. */
static void operate_registry(struct follow_rig *f)
{
    static const uint8_t all_rights[32], some_rights[32] = {7};
    uint32_t who = 1 + any(2);
    const uint8_t *from = chain.accounts[who], *to = chain.accounts[who + 2],
                  *rights = any(4) == 0 ? some_rights : all_rights;
    uint64_t id = 1 + any(2), enable = any(2);
    switch (any(3)) {
    case 0:
        sgt_anvil_send(&chain, NULL, f->registry, "delegateAll(address,address,bytes32,bool)",
                       "aawu", from, to, rights, enable);
        break;
    case 1:
        sgt_anvil_send(&chain, NULL, f->registry,
                       "delegateContract(address,address,address,bytes32,bool)", "aaawu", from, to,
                       f->films, rights, enable);
        break;
    default:
        sgt_anvil_send(&chain, NULL, f->registry,
                       "delegateERC721(address,address,address,uint256,bytes32,bool)", "aaauwu",
                       from, to, f->films, id, rights, enable);
    }
}

/* Who may move a token owns nothing by it. */
static void operate_approval(struct follow_rig *f)
{
    sgt_anvil_send(&chain, NULL, any(2) ? f->films : f->seats, "setApprovalForAll(address,bool)",
                   "au", anyone(), (uint64_t)any(2));
}

static void operate(struct follow_rig *f)
{
    switch (any(8)) {
    case 0:
        operate_user(f);
        break;
    case 1:
        operate_registry(f);
        break;
    case 2:
        operate_approval(f);
        break;
    case 3:
    case 4:
        operate_seats(f);
        break;
    default:
        operate_film(f);
    }
}

/* ---- tests ---- */

static void history_that_was_before_us_is_read(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    for (uint32_t i = 0; i < 20; i++)
        operate(&f);
    sgt_anvil_mine(&chain, 100); /* so that it is below safe */
    for (uint32_t i = 0; i < 20; i++)
        operate(&f);
    follow_open(&f);
    follow_sync(&f);
    follow_compare(&f);
    struct sgc_follow_status status;
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.state, SGC_FOLLOW_FOLLOWING);
    assert_true(status.counts.history_logs >= 10);
    assert_int_equal(status.head, status.safe + 70);
    follow_fini(&f);
    (void)fixture;
}

static void what_happens_now_is_followed_to_safe(void **fixture)
{
    struct follow_rig f;
    uint8_t account[32];
    follow_init(&f, &chain);
    follow_open(&f);
    sgt_anvil_send(&chain, NULL, f.films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)1);
    follow_sync(&f);
    follow_compare(&f);
    static const uint8_t zero[32];
    const struct rig_fact *fact = follow_token_fact(&f, 1);
    assert_memory_equal(fact->change.safe, zero, 32);
    uint64_t generation = fact->generation;
    sgt_anvil_mine(&chain, 70);
    follow_sync(&f);
    follow_account(chain.accounts[1], account);
    assert_memory_equal(fact->change.safe, account, 32);
    assert_int_equal(fact->generation, generation);
    follow_fini(&f);
    (void)fixture;
}

static void a_reorg_of_any_depth_is_undone(void **fixture)
{
    struct follow_rig f;
    bool all = getenv("SG_TEST_ALL") != NULL;
    follow_init(&f, &chain);
    follow_open(&f);
    for (uint32_t depth = 1; depth <= 64; depth += all ? 1 : depth) {
        for (uint32_t i = 0; i < 4; i++)
            operate(&f);
        sgt_anvil_mine(&chain, depth > 4 ? depth - 4 : 1);
        for (uint32_t i = 0; i < 3; i++)
            operate(&f);
        follow_sync(&f);
        sgt_anvil_reorg(&chain, depth);
        if (any(2) == 0)
            operate(&f);
        follow_sync(&f);
        follow_compare(&f);
    }
    struct sgc_follow_status status;
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.counts.reorg_depth_max, 64);
    follow_fini(&f);
    (void)fixture;
}

/* A block in which a token goes from hand to hand in several transactions is taken back, and its
 * owner has another generation than before. */
static void a_reorg_of_a_block_with_many_moves_revives_no_token(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    follow_open(&f);
    sgt_anvil_send(&chain, NULL, f.films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)1);
    follow_sync(&f);
    const struct rig_fact *fact = follow_token_fact(&f, 1);
    uint64_t first = fact->generation;
    json_decref(sgt_anvil_rpc(&chain, "evm_setAutomine", json_pack("[b]", 0)));
    for (uint32_t i = 2; i <= 4; i++)
        sgt_anvil_send(&chain, NULL, f.films, "moveTwice(address,address,uint256)", "aau",
                       chain.accounts[i], chain.accounts[1], (uint64_t)1);
    sgt_anvil_mine(&chain, 1);
    json_decref(sgt_anvil_rpc(&chain, "evm_setAutomine", json_pack("[b]", 1)));
    follow_sync(&f);
    uint64_t second = fact->generation;
    assert_true(second > first);
    sgt_anvil_reorg(&chain, 1);
    follow_sync(&f);
    follow_compare(&f);
    assert_true(fact->generation > second);
    follow_fini(&f);
    (void)fixture;
}

/* Between its looks the follower sees any part of this. */
static void after_any_sequence_we_say_what_the_chain_says(void **fixture)
{
    struct follow_rig f;
    const char *asked = getenv("SG_TEST_OPERATIONS"), *seed = getenv("SG_TEST_SEED");
    uint32_t operations = asked != NULL ? (uint32_t)atoi(asked) : 120;
    seed_state = seed != NULL ? strtoull(seed, NULL, 10) : 20261123;
    follow_init(&f, &chain);
    follow_open(&f);
    for (uint32_t i = 0; i < operations; i++) {
        operate(&f);
        if (any(12) == 0)
            sgt_anvil_mine(&chain, 1 + any(20));
        if (any(15) == 0)
            sgt_anvil_reorg(&chain, 1 + any(any(2) ? 64 : 6));
        if (any(10) != 0)
            continue;
        follow_sync(&f);
        follow_compare(&f);
    }
    follow_sync(&f);
    follow_compare(&f);
    struct sgc_follow_status status;
    sgc_follow_status(f.follow, &status);
    assert_true(status.counts.reorgs > 0);
    follow_fini(&f);
    (void)fixture;
}

static const struct rig_fact *films_followed(struct follow_rig *f)
{
    struct sg_caip_asset films = follow_asset(SG_CAIP_ERC721, f->films);
    struct sge_fact_id id;
    sge_fact_followed(sge_group_contract(&films), &id);
    return rig_fact(f->rig, &id);
}

static void a_restart_goes_on_where_it_stopped(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    follow_init(&f, &chain);
    follow_open(&f);
    for (uint32_t i = 0; i < 10; i++)
        operate(&f);
    follow_sync(&f);
    follow_close(&f);
    sgt_anvil_reorg(&chain, 5); /* while nobody looks */
    for (uint32_t i = 0; i < 10; i++)
        operate(&f);
    follow_open(&f);
    follow_sync(&f);
    follow_compare(&f);
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.counts.history_logs, 0);
    follow_close(&f);
    const struct rig_fact *followed = films_followed(&f);
    uint64_t since = followed->generation;
    assert_int_equal(followed->change.head[31], SGE_FOLLOWED_WHOLE);
    for (uint32_t i = 0; i < 10; i++)
        operate(&f);
    sgt_anvil_mine(&chain, 400); /* too many to be taken one by one */
    for (uint32_t i = 0; i < 10; i++)
        operate(&f);
    follow_open(&f);
    follow_sync(&f);
    follow_compare(&f);
    sgc_follow_status(f.follow, &status);
    assert_true(status.counts.history_logs > 0);
    assert_true(status.counts.blocks < 200);
    assert_int_equal(followed->generation, since); /* old for a while, and not left */
    follow_fini(&f);
    (void)fixture;
}

static void a_contract_that_is_added_later_is_read_from_its_first_block(void **fixture)
{
    struct follow_rig f;
    follow_init(&f, &chain);
    f.contracts_count = 1; /* the films alone */
    follow_open(&f);
    for (uint32_t i = 0; i < 30; i++)
        operate(&f);
    follow_sync(&f);
    uint64_t before = follow_token_fact(&f, 1) != NULL ? follow_token_fact(&f, 1)->generation : 0;
    follow_close(&f);
    f.contracts_count = 3;
    follow_open(&f);
    follow_sync(&f);
    follow_compare(&f);
    if (before != 0)
        assert_int_equal(follow_token_fact(&f, 1)->generation, before);
    follow_fini(&f);
    (void)fixture;
}

static bool state_is(struct follow_rig *f, enum sgc_follow_state state)
{
    struct sgc_follow_status status;
    sgc_follow_status(f->follow, &status);
    return status.state == state;
}

static void await_state(struct follow_rig *f, enum sgc_follow_state state)
{
    for (uint32_t i = 0; !state_is(f, state); i++) {
        assert_true(i < 10000);
        follow_nap();
    }
}

static void a_reorg_below_safe_closes_until_it_is_read_anew(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    follow_init(&f, &chain);
    f.options.depth = 3;
    follow_open(&f);
    sgt_anvil_send(&chain, NULL, f.films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)1);
    sgt_anvil_mine(&chain, 5);
    follow_sync(&f);
    uint64_t generation = follow_token_fact(&f, 1)->generation;
    sgt_anvil_reorg(&chain, 6);
    sgt_anvil_mine(&chain, 1);
    await_state(&f, SGC_FOLLOW_CLOSED);
    sgc_follow_status(f.follow, &status);
    assert_non_null(strstr(status.why, "docs/chains.md"));
    uint64_t heard_ns = follow_last(&f).heard_ns;
    follow_nap();
    assert_int_equal(follow_last(&f).heard_ns, heard_ns);
    sgc_follow_rebuild(f.follow);
    follow_sync(&f);
    follow_compare(&f);
    assert_true(follow_token_fact(&f, 1)->generation > generation);
    follow_fini(&f);
    (void)fixture;
}

static void servers_of_another_chain_are_not_believed(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    follow_init(&f, &chain);
    follow_open(&f);
    follow_close(&f);
    f.options.chain.evm_id = 1;
    assert_int_equal(sgc_follow_open(&f.options, &f.follow), SG_OK);
    await_state(&f, SGC_FOLLOW_CLOSED);
    sgc_follow_status(f.follow, &status);
    assert_non_null(strstr(status.why, "eip155:31337"));
    follow_fini(&f);
    (void)fixture;
}

static void its_head_is_not_heard_of(struct follow_rig *f)
{
    uint64_t heard_ns = follow_last(f).heard_ns;
    for (uint32_t i = 0; i < 100; i++)
        follow_nap();
    assert_int_equal(follow_last(f).heard_ns, heard_ns);
}

/* Of its own, so that it can be killed. */
static void follow_at(struct follow_rig *f, struct sgt_anvil *anvil, uint32_t timeout_ms)
{
    follow_init(f, anvil);
    f->options.depth = 3;
    f->servers[0].timeout_ms = timeout_ms;
    follow_open(f);
    sgt_anvil_send(anvil, NULL, f->films, "mint(address,uint256)", "au", anvil->accounts[1],
                   (uint64_t)1);
    follow_sync(f);
}

static void a_server_that_stands_still_is_waited_for_and_followed_on(void **fixture)
{
    struct sgt_anvil anvil;
    struct follow_rig f;
    assert_true(sgt_anvil_start(&anvil, NULL));
    follow_at(&f, &anvil, 100);
    assert_int_equal(kill(anvil.pid, SIGSTOP), 0);
    await_state(&f, SGC_FOLLOW_WAITING);
    its_head_is_not_heard_of(&f);
    assert_int_equal(kill(anvil.pid, SIGCONT), 0);
    sgt_anvil_send(&anvil, NULL, f.films, "move(address,uint256)", "au", anvil.accounts[2],
                   (uint64_t)1);
    follow_sync(&f);
    follow_compare(&f);
    follow_fini(&f);
    sgt_anvil_stop(&anvil);
    (void)fixture;
}

/* It was killed, and what answers at its address is the chain of `options`. */
static void anvil_becomes(struct sgt_anvil *anvil, const char *const *options)
{
    char port[8];
    const char *all[8] = {"--port", port};
    snprintf(port, sizeof(port), "%u", anvil->port);
    for (uint32_t i = 0; options[i] != NULL; i++)
        all[2 + i] = options[i];
    sgt_anvil_stop(anvil);
    assert_true(sgt_anvil_start(anvil, all));
}

static void another_chain_in_the_place_of_the_first_closes(void **fixture)
{
    static const char *const other_id[] = {"--chain-id", "4711", NULL};
    static const char *const same_id[] = {NULL};
    const char *const *const becomes[] = {other_id, same_id};
    static const char *const says[] = {"the servers are of chain eip155:4711",
                                       "is not the chain's any more: see docs/chains.md"};
    for (size_t i = 0; i < SG_COUNT(becomes); i++)
        for (uint32_t blocks = 0; blocks < 200; blocks += 150) { /* behind us, and ahead */
            struct sgt_anvil anvil;
            struct follow_rig f;
            struct sgc_follow_status status;
            assert_true(sgt_anvil_start(&anvil, NULL));
            follow_at(&f, &anvil, 0);
            anvil_becomes(&anvil, becomes[i]);
            sgt_anvil_mine(&anvil, 1 + blocks);
            await_state(&f, SGC_FOLLOW_CLOSED);
            for (uint32_t n = 0; n < 10000;
                 n++) { /* that it is another's is asked with the next turn */
                sgc_follow_status(f.follow, &status);
                if (strstr(status.why, says[i]) != NULL)
                    break;
                follow_nap();
            }
            assert_non_null(strstr(status.why, says[i]));
            its_head_is_not_heard_of(&f);
            follow_fini(&f);
            sgt_anvil_stop(&anvil);
        }
    (void)fixture;
}

static void a_contract_that_cannot_be_read_is_refused_alone(void **fixture)
{
    struct follow_rig f;
    uint8_t odd[20];
    struct sgc_follow_status status;
    follow_init(&f, &chain);
    sgt_anvil_deploy(&chain, odd, "Odd", "");
    follow_contract(&f, SG_CAIP_ERC721, odd);
    follow_open(&f);
    follow_sync(&f);
    sgt_anvil_send(&chain, NULL, odd, "odd(address,uint256)", "au", chain.accounts[1], (uint64_t)1);
    for (uint32_t i = 0; i < 5; i++)
        operate(&f);
    follow_sync(&f);
    follow_compare(&f);
    sgc_follow_status(f.follow, &status);
    assert_int_equal(status.refused, 1);
    assert_int_equal(status.joined, 3);
    follow_fini(&f);
    (void)fixture;
}

static void await_joined(struct follow_rig *f, uint32_t joined)
{
    struct sgc_follow_status status;
    for (uint32_t i = 0;; i++) {
        sgc_follow_status(f->follow, &status);
        if (status.joined == joined)
            return;
        assert_true(i < 10000);
        follow_nap();
    }
}

static void a_refused_contract_is_followed_again_when_a_reorg_took_its_log_back(void **fixture)
{
    struct follow_rig f;
    uint8_t odd[20];
    follow_init(&f, &chain);
    f.options.retry_ms = 20;
    sgt_anvil_deploy(&chain, odd, "Odd", "");
    follow_contract(&f, SG_CAIP_ERC721, odd);
    follow_open(&f);
    follow_sync(&f);
    sgt_anvil_send(&chain, NULL, odd, "odd(address,uint256)", "au", chain.accounts[1], (uint64_t)1);
    await_joined(&f, 3);
    for (uint32_t i = 0; i < 100; i++) /* tried, and refused again */
        follow_nap();
    await_joined(&f, 3);
    sgt_anvil_reorg(&chain, 1);
    sgt_anvil_mine(&chain, 1);
    await_joined(&f, 4);
    operate(&f);
    follow_sync(&f);
    follow_compare(&f);
    follow_fini(&f);
    (void)fixture;
}

/* ---- two processes ---- */

/* Follows the films of `f` with a ledger in `dir`. */
static struct sgc_follow *follow_in(struct follow_rig *f, const char *dir)
{
    static char lock[SGT_DIR_BYTES + 16];
    struct sgc_follow *follow = NULL;
    struct sgc_ledger *ledger = NULL;
    snprintf(lock, sizeof(lock), "%s/lock", dir);
    assert_int_equal(sgc_ledger_open(dir, &ledger), SG_OK);
    f->options.lock_file = lock;
    f->options.chain = rig_chain;
    f->options.contracts = f->contracts;
    f->options.contracts_count = 1;
    f->options.ledger = ledger;
    f->options.heard = follow_heard;
    f->options.ctx = f;
    assert_int_equal(sgc_follow_open(&f->options, &follow), SG_OK);
    return follow;
}

static pid_t first_process(struct follow_rig *f, const char *dir)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        f->follow = follow_in(f, dir);
        await_joined(f, 1);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void a_second_process_touches_nothing_until_the_first_is_killed(void **fixture)
{
    struct follow_rig f;
    struct sgc_follow_status status;
    struct sgc_ledger_at before, after;
    char dir[SGT_DIR_BYTES];
    sgt_dir_make(dir);
    follow_init(&f, &chain);
    pid_t first = first_process(&f, dir);
    f.follow = follow_in(&f, dir);
    assert_int_equal(sgc_ledger_at(f.options.ledger, &rig_chain, &before), SG_OK);
    await_state(&f, SGC_FOLLOW_WAITING);
    sgc_follow_status(f.follow, &status);
    assert_string_equal(status.why, "another process follows it");
    assert_int_equal(kill(first, SIGSTOP), 0); /* it holds the lock all the same */
    sgt_anvil_mine(&chain, 3);
    for (uint32_t i = 0; i < 100; i++)
        follow_nap();
    assert_int_equal(sgc_ledger_at(f.options.ledger, &rig_chain, &after), SG_OK);
    assert_true(state_is(&f, SGC_FOLLOW_WAITING));
    assert_int_equal(follow_last(&f).heard_ns, 0);
    assert_true(after.head <= before.head + 1); /* what was under way when it was stopped */
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(waitpid(first, NULL, 0), first);
    await_state(&f, SGC_FOLLOW_FOLLOWING);
    sgc_follow_close(SG_TAKE(f.follow));
    sgc_ledger_close(f.options.ledger);
    sgt_dir_remove(dir);
    follow_fini(&f);
    (void)fixture;
}

static uint64_t faults_of(struct follow_rig *f, uint32_t server)
{
    struct sgc_follow_status status;
    uint64_t faults = 0;
    sgc_follow_status(f->follow, &status);
    for (int end = 0; end < SGC_RPC_ENDS; end++)
        if (sgc_rpc_end_is_fault((enum sgc_rpc_end)end))
            faults += status.servers.servers[server].ends[end];
    return faults;
}

/* Two of three must agree: what the third says, who is asked first, counts for nothing. */
static void a_shim_that_lies_beside_two_servers_changes_nothing(void **fixture)
{
    static const char *const modes[] = {"hash",    "omit",    "twice", "foreign", "owner", "lag",
                                        "garbage", "limited", "drop",  "form",    "error", "cut"};
    struct follow_rig f;
    struct sgt_liar liar = {0};
    char url[64];
    uint64_t faults = 0;
    assert_true(sgt_liar_start(&liar, chain.url, NULL, NULL));
    follow_init(&f, &chain);
    f.servers[0].url = url;
    f.servers[1].url = f.servers[2].url = chain.url;
    f.options.servers.count = 3;
    f.options.servers.agree = 2;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", liar.port, modes[i]);
        follow_open(&f);
        for (uint32_t n = 0; n < 6; n++)
            operate(&f);
        follow_sync(&f);
        sgt_anvil_reorg(&chain, 1 + any(4));
        operate(&f);
        follow_sync(&f);
        follow_compare(&f);
        faults += faults_of(&f, 0);
        follow_close(&f);
    }
    assert_true(faults >= sizeof(modes) / sizeof(modes[0]) / 2); /* it was asked, and seen */
    sgt_liar_stop(&liar);
    follow_fini(&f);
    (void)fixture;
}

/* One server alone that leaves out a log is believed, which is why one is not enough: two that
 * disagree tell nothing, and the chain's head is not heard of. */
static void two_of_which_one_lies_tell_nothing(void **fixture)
{
    struct follow_rig f;
    struct sgt_liar liar = {0};
    char url[64];
    assert_true(sgt_liar_start(&liar, chain.url, NULL, NULL));
    follow_init(&f, &chain);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hash", liar.port);
    f.servers[1].url = url;
    f.options.servers.count = f.options.servers.agree = 2;
    follow_open(&f);
    await_state(&f, SGC_FOLLOW_WAITING);
    assert_int_equal(follow_last(&f).heard_ns, 0);
    sgt_liar_stop(&liar);
    follow_fini(&f);
    (void)fixture;
}

/* Two that leave out the same log are a quorum of two, and none of three. */
static void two_of_three_that_leave_out_a_log_alike_are_no_quorum_of_three(void **fixture)
{
    struct follow_rig f;
    struct sgt_liar liar = {0};
    char url[64];
    assert_true(sgt_liar_start(&liar, chain.url, NULL, NULL));
    follow_init(&f, &chain);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/now", liar.port);
    sgt_liar_becomes(&liar, "honest");
    f.servers[0].url = f.servers[1].url = url;
    f.servers[2].url = chain.url;
    f.options.servers.count = f.options.servers.agree = 3;
    follow_open(&f);
    follow_sync(&f);
    sgt_liar_becomes(&liar, "omit");
    sgt_anvil_send(&chain, NULL, f.films, "mint(address,uint256)", "au", chain.accounts[1],
                   (uint64_t)1);
    await_state(&f, SGC_FOLLOW_WAITING);
    its_head_is_not_heard_of(&f);
    assert_null(follow_token_fact(&f, 1));
    sgt_liar_becomes(&liar, "honest");
    follow_sync(&f);
    follow_compare(&f);
    sgt_liar_stop(&liar);
    follow_fini(&f);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_that_was_before_us_is_read),
        cmocka_unit_test(what_happens_now_is_followed_to_safe),
        cmocka_unit_test(a_reorg_of_any_depth_is_undone),
        cmocka_unit_test(a_reorg_of_a_block_with_many_moves_revives_no_token),
        cmocka_unit_test(after_any_sequence_we_say_what_the_chain_says),
        cmocka_unit_test(a_restart_goes_on_where_it_stopped),
        cmocka_unit_test(a_contract_that_is_added_later_is_read_from_its_first_block),
        cmocka_unit_test(a_reorg_below_safe_closes_until_it_is_read_anew),
        cmocka_unit_test(servers_of_another_chain_are_not_believed),
        cmocka_unit_test(a_server_that_stands_still_is_waited_for_and_followed_on),
        cmocka_unit_test(another_chain_in_the_place_of_the_first_closes),
        cmocka_unit_test(a_contract_that_cannot_be_read_is_refused_alone),
        cmocka_unit_test(a_refused_contract_is_followed_again_when_a_reorg_took_its_log_back),
        cmocka_unit_test(a_second_process_touches_nothing_until_the_first_is_killed),
        cmocka_unit_test(a_shim_that_lies_beside_two_servers_changes_nothing),
        cmocka_unit_test(two_of_which_one_lies_tell_nothing),
        cmocka_unit_test(two_of_three_that_leave_out_a_log_alike_are_no_quorum_of_three),
    };
    /* All states in memory: of those on its disk (500 blocks back, with those of dropped forks)
     * anvil forgets contracts in a reorg. */
    if (!sgt_anvil_start(&chain, (const char *const[]){"--prune-history", "20000", NULL}))
        return SGT_SKIP;
    int failed = sgt_main("follow", tests, sizeof(tests) / sizeof(tests[0]));
    sgt_anvil_stop(&chain);
    return failed;
}
