#include "tests/sgt.h"

#include "tests/unit/edgecache/facts_world.h"

#include "base/sys/mdb.h"
#include "edgecache/state/inside.h"

#include <signal.h>
#include <sys/wait.h>

static void assert_same_change(const struct sge_change *a, const struct sge_change *b)
{
    assert_true(a->id.key == b->id.key && a->id.check == b->id.check && a->kind == b->kind);
    assert_true(a->chain == b->chain && a->log == b->log && a->block == b->block);
    assert_true(a->until_s == b->until_s && a->groups_count == b->groups_count);
    assert_memory_equal(a->head, b->head, 32);
    assert_memory_equal(a->safe, b->safe, 32);
    assert_memory_equal(a->holder, b->holder, 32);
    assert_memory_equal(a->token, b->token, 32);
    assert_memory_equal(a->groups, b->groups, sizeof(a->groups[0]) * a->groups_count);
}

static void a_fact_is_read_back_as_it_was_written(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change written[3] = {owner_is(1, 'a', 'b'), balance_is(2, 'a', 7, true),
                                    owner_is(3, 'c', 'c')};
    struct sge_change read;
    struct sge_mark mark;
    uint64_t generation;
    written[0].until_s = 99;
    memset(written[2].holder, 0, 32);
    written[2].groups_count = SGE_FACT_GROUPS_MAX;
    for (uint64_t i = 0; i < SGE_FACT_GROUPS_MAX; i++)
        written[2].groups[i] = i + 1;
    assert_int_equal(stream_says(w, written, 3), SG_OK);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    for (size_t i = 0; i < SG_COUNT(written); i++) {
        assert_int_equal(sge_state_fact_get(w->reader, &written[i].id, &read, &generation), SG_OK);
        assert_int_equal(generation, 1);
        assert_same_change(&read, &written[i]);
    }
    sge_state_mark(w->reader, &mark);
    assert_true(mark.seq == 1 && memcmp(mark.stream, "stream of tests", 16) == 0);
    assert_int_equal(sge_state_facts_count(w->reader), 3);
    sge_state_end(w->reader);
}

static void applying_twice_is_applying_once(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change first = owner_is(1, 'a', 'a'), second = owner_is(1, 'b', 'a');
    assert_int_equal(stream_says(w, &first, 1), SG_OK);
    assert_int_equal(stream_says(w, &second, 1), SG_OK);
    uint64_t version = sge_state_version(w->state);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        w->seq = seq - 1;
        assert_int_equal(stream_says(w, &first, 1), SG_EALREADY);
    }
    assert_int_equal(sge_state_version(w->state), version);
    assert_int_equal(generation_of(w, &first.id), 2);
}

/* A reader keeps what it found of a group, for as long as the state is the same. */
static void what_is_followed_is_as_the_commit_says_that_a_reader_is_at(void **fixture)
{
    static const enum sge_followed says[] = {SGE_FOLLOWED_WHOLE, SGE_FOLLOWED_READING,
                                             SGE_FOLLOWED_NOT, SGE_FOLLOWED_PART};
    struct facts_world *w = *fixture;
    struct sge_change now, next;
    sge_followed_make(7, 1, says[0], &now);
    assert_int_equal(stream_says(w, &now, 1), SG_OK);
    for (size_t i = 0; i < SG_COUNT(says); i++) {
        assert_int_equal(sge_state_begin(w->reader), SG_OK);
        assert_int_equal(sge_state_followed(w->reader, 7), says[i]);
        sge_followed_make(7, 1, says[(i + 1) % SG_COUNT(says)], &next);
        assert_int_equal(stream_says(w, &next, 1), SG_OK);
        assert_int_equal(sge_state_followed(w->reader, 7), says[i]); /* its commit's */
        sge_state_end(w->reader);
    }
}

static void what_is_followed_is_not_told_of_another_of_the_same_key(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change one, other;
    sge_followed_make(7, 1, SGE_FOLLOWED_WHOLE, &one);
    sge_followed_make(8, 1, SGE_FOLLOWED_WHOLE, &other);
    other.id.check = ~other.id.check;
    assert_int_equal(stream_says(w, &one, 1), SG_OK);
    assert_int_equal(stream_says(w, &other, 1), SG_OK);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    assert_int_equal(sge_state_followed(w->reader, 7), SGE_FOLLOWED_WHOLE);
    assert_int_equal(sge_state_followed(w->reader, 8), SGE_FOLLOWED_NOT);
    assert_int_equal(sge_state_followed(w->reader, 7 + 16), SGE_FOLLOWED_NOT); /* same place */
    assert_int_equal(sge_state_followed(w->reader, 7), SGE_FOLLOWED_WHOLE);
    sge_state_end(w->reader);
}

/* A mint of a collection and of a creator is heard of as long as one of them is followed. */
static void a_fact_is_watched_while_one_of_its_groups_is_followed(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change fact = owner_is(1, 'a', 'a'), how[2];
    static const struct {
        enum sge_followed first, second;
        bool watched;
    } rows[] = {
        {SGE_FOLLOWED_NOT, SGE_FOLLOWED_NOT, false},
        {SGE_FOLLOWED_READING, SGE_FOLLOWED_NOT, false},
        {SGE_FOLLOWED_NOT, SGE_FOLLOWED_PART, true},
        {SGE_FOLLOWED_WHOLE, SGE_FOLLOWED_NOT, true},
        {SGE_FOLLOWED_NOT, SGE_FOLLOWED_READING, false},
    };
    struct sge_fact brief;
    fact.groups_count = 2;
    fact.groups[0] = 7;
    fact.groups[1] = 7 + 16;
    assert_int_equal(stream_says(w, &fact, 1), SG_OK);
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        sge_followed_make(fact.groups[0], 1, rows[i].first, &how[0]);
        sge_followed_make(fact.groups[1], 1, rows[i].second, &how[1]);
        assert_int_equal(stream_says(w, how, 2), SG_OK);
        assert_int_equal(sge_state_begin(w->reader), SG_OK);
        assert_int_equal(sge_state_fact(w->reader, fact.id.key, &brief), SG_OK);
        assert_int_equal(brief.groups_count, 2);
        assert_int_equal(sge_state_fact_is_watched(w->reader, &brief), rows[i].watched);
        brief.groups_count = 0;
        assert_false(sge_state_fact_is_watched(w->reader, &brief)); /* of nothing that is named */
        brief.chain = 0;
        assert_true(sge_state_fact_is_watched(w->reader, &brief)); /* by hand */
        sge_state_end(w->reader);
    }
}

static void a_gap_and_another_stream_are_told_and_change_nothing(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change change = owner_is(1, 'a', 'a');
    w->seq = 1;
    assert_int_equal(stream_says(w, &change, 1), SG_ERANGE); /* a new state begins at 1 */
    w->seq = 0;
    assert_int_equal(stream_says(w, &change, 1), SG_OK);
    w->seq = 2;
    change = owner_is(1, 'b', 'b');
    assert_int_equal(stream_says(w, &change, 1), SG_ERANGE);
    struct sge_batch other = {
        .stream = "another stream!", .seq = 2, .changes = &change, .changes_count = 1};
    assert_int_equal(sge_state_apply(w->state, &other), SG_EVERSION);
    assert_int_equal(generation_of(w, &change.id), 1);
}

static void what_does_not_bump_keeps_its_generation(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change change = owner_is(1, 'a', 'b');
    assert_int_equal(stream_says(w, &change, 1), SG_OK);
    change = owner_is(1, 'a', 'a'); /* it becomes safe */
    change.bump = false;
    assert_int_equal(stream_says(w, &change, 1), SG_OK);
    assert_int_equal(generation_of(w, &change.id), 1);
}

static void an_owner_who_is_back_has_another_generation(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change a = owner_is(1, 'a', 'a'), b = owner_is(1, 'b', 'a');
    assert_int_equal(stream_says(w, &a, 1), SG_OK);
    assert_int_equal(stream_says(w, &b, 1), SG_OK);
    assert_int_equal(stream_says(w, &a, 1), SG_OK); /* a reorg undid it */
    assert_int_equal(generation_of(w, &a.id), 3);   /* a token that names 1 stays refused */
}

static void a_strangers_transfer_does_not_touch_anothers_balance(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change mine = balance_is(5, 'a', 3, true), theirs = balance_is(5, 'b', 10, true);
    assert_int_equal(stream_says(w, &mine, 1), SG_OK);
    assert_int_equal(stream_says(w, &theirs, 1), SG_OK);
    theirs = balance_is(5, 'b', 1, true);
    struct sge_change third = balance_is(5, 'c', 9, true);
    assert_int_equal(stream_says(w, (struct sge_change[]){theirs, third}, 2), SG_OK);
    assert_int_equal(generation_of(w, &mine.id), 1);
    assert_int_equal(generation_of(w, &theirs.id), 3);
}

static void a_forged_equal_key_is_never_a_yes(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change real = owner_is(1, 'a', 'a'), forged = owner_is(2, 'm', 'm');
    struct sge_change other = owner_is(3, 'a', 'a');
    assert_int_equal(stream_says(w, &real, 1), SG_OK);
    forged.id.key = real.id.key;
    assert_int_equal(stream_says(w, (struct sge_change[]){forged, other}, 2), SG_EEXIST);
    assert_int_equal(generation_of(w, &forged.id), 0); /* not known */
    assert_int_equal(generation_of(w, &real.id), 1);
    assert_int_equal(generation_of(w, &other.id), 2); /* the rest of the entry was applied */
    assert_int_equal(stream_says(w, &forged, 1), SG_EEXIST);
}

static uint32_t held(struct facts_world *w, char letter, uint64_t group, uint64_t *keys)
{
    uint8_t id[32];
    struct sge_holding out[3];
    uint32_t count = 0;
    uint64_t after = 0, before = 0;
    who(letter, id);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    for (uint32_t n; (n = sge_state_holdings(w->reader, id, group, &after, out, 3)) > 0;)
        for (uint32_t i = 0; i < n; i++) {
            assert_true(out[i].change.id.key > before);
            before = keys[count++] = out[i].change.id.key;
        }
    sge_state_end(w->reader);
    return count;
}

static void holdings_are_found_by_holder_and_group_in_their_order(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change changes[12];
    uint64_t keys[16], group = 0;
    for (uint64_t i = 0; i < 12; i++)
        changes[i] = owner_is(i, i < 10 ? 'a' : 'b', 'a');
    group = changes[0].groups[0];
    changes[0].groups_count = 2; /* also in another group */
    changes[0].groups[1] = 42;
    changes[1].groups_count = 0; /* in none */
    assert_int_equal(stream_says(w, changes, 12), SG_OK);
    assert_int_equal(held(w, 'a', group, keys), 9);
    assert_int_equal(held(w, 'a', 42, keys), 1);
    assert_int_equal(keys[0], changes[0].id.key);
    assert_int_equal(held(w, 'a', 0, keys), 10); /* each once */
    assert_int_equal(held(w, 'b', 0, keys), 2);
    assert_int_equal(held(w, 'c', 0, keys), 0);
    changes[0] = owner_is(0, 'b', 'a');
    assert_int_equal(stream_says(w, changes, 1), SG_OK);
    assert_int_equal(held(w, 'a', group, keys), 8);
    assert_int_equal(held(w, 'a', 42, keys), 0);
    assert_int_equal(held(w, 'b', group, keys), 3);
    memset(changes[0].holder, 0, 32); /* burnt */
    assert_int_equal(stream_says(w, changes, 1), SG_OK);
    assert_int_equal(held(w, 'b', group, keys), 2);
}

static void words_of_the_stream_revoke(void **fixture)
{
    struct facts_world *w = *fixture;
    const struct sge_word words[] = {
        {.kind = SGE_WORD_CTI, .tenant = 7, .cti = "cti", .until_ns = UINT64_MAX},
        {.kind = SGE_WORD_INDEX, .tenant = 7, .number = 5000},
        {.kind = SGE_WORD_EPOCH, .tenant = 7, .number = 30000},
        {.kind = SGE_WORD_EPOCH, .tenant = 7, .number = 20000}, /* below: nothing */
        {.kind = SGE_WORD_RULE, .tenant = 7, .number = 3},
    };
    struct sge_batch batch = {
        .stream = "stream of tests", .seq = 1, .words = words, .words_count = SG_COUNT(words)};
    assert_int_equal(sge_state_apply(w->state, &batch), SG_OK);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    assert_true(sge_state_cti_revoked(w->reader, 7, (const uint8_t[16]){"cti"}));
    assert_true(sge_state_index_revoked(w->reader, 7, 5000));
    assert_int_equal(sge_state_epoch_min(w->reader, 7), 30000);
    assert_int_equal(sge_state_rule_version(w->reader, 7), 3);
    assert_int_equal(sge_state_epoch_min(w->reader, 8), 0);
    sge_state_end(w->reader);
}

/* A reader remembers them for as long as nothing was committed, and not across tenants. */
static void a_raised_epoch_and_rule_are_seen_by_the_next_look(void **fixture)
{
    struct facts_world *w = *fixture;
    for (uint32_t i = 1; i <= 3; i++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(sge_state_begin(w->reader), SG_OK);
            assert_int_equal(sge_state_epoch_min(w->reader, 7), i - 1);
            assert_int_equal(sge_state_epoch_min(w->reader, 7 + 16), 0);
            assert_int_equal(sge_state_rule_version(w->reader, 7), i - 1);
            assert_int_equal(sge_state_rule_version(w->reader, 7 + 16), 0);
            sge_state_end(w->reader);
        }
        assert_int_equal(sge_state_raise_epoch(w->state, 7, i), SG_OK);
        assert_int_equal(sge_state_raise_rule(w->state, 7, i), SG_OK);
    }
}

static void nobody_writes_by_hand_what_a_stream_feeds(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_change change = owner_is(1, 'a', 'a'), fed = owner_is(2, 'a', 'a');
    uint64_t generation = 0;
    uint32_t today = (uint32_t)(sg_clock_wall_ns() / SG_NS_PER_SEC / 86400);
    assert_int_equal(sge_state_change(w->state, &change, &generation), SG_OK);
    assert_int_equal(generation, 1);
    change = owner_is(1, 'b', 'b');
    assert_int_equal(sge_state_change(w->state, &change, &generation), SG_OK);
    assert_int_equal(generation, 2);
    assert_int_equal(sge_state_raise_epoch(w->state, 9, today + 5), SG_OK);
    /* generations of the stream are another counter's: whoever has a token of the old one is out */
    assert_int_equal(stream_says(w, &fed, 1), SG_OK);
    assert_int_equal(generation_of(w, &change.id), 0);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    assert_true(sge_state_epoch_min(w->reader, 7) > today);
    assert_int_equal(sge_state_epoch_min(w->reader, 9), today + 6);
    sge_state_end(w->reader);
    assert_int_equal(sge_state_change(w->state, &change, &generation), SG_EPERM);
    assert_int_equal(sge_state_fact_set(w->state, 1, change.head, change.head, 1, &generation),
                     SG_EPERM);
    assert_int_equal(generation, 2);
}

/* ---- whole or not at all ---- */

#define BATCH 50

static void child_applies_until_killed(const char *dir, int fd)
{
    struct facts_world w = {.seq = 0};
    struct sge_change changes[BATCH];
    struct sge_mark mark;
    if (sge_state_open(dir, true, &w.state) != SG_OK ||
        sge_state_reader_open(w.state, &w.reader) != SG_OK || sge_state_begin(w.reader) != SG_OK)
        _exit(1);
    sge_state_mark(w.reader, &mark);
    sge_state_end(w.reader);
    w.seq = mark.seq;
    for (;;) {
        char owner = (char)('a' + (w.seq + 1) % 20);
        for (uint64_t i = 0; i < BATCH; i++)
            changes[i] = owner_is(i, owner, owner);
        if (stream_says(&w, changes, BATCH) != SG_OK ||
            write(fd, &w.seq, sizeof(w.seq)) != sizeof(w.seq))
            _exit(2);
    }
}

static void assert_whole_at(const char *dir, uint64_t acknowledged)
{
    struct facts_world w;
    struct sge_mark mark;
    uint64_t keys[BATCH + 1];
    assert_int_equal(sge_state_open(dir, true, &w.state), SG_OK);
    assert_int_equal(sge_state_reader_open(w.state, &w.reader), SG_OK);
    assert_int_equal(sge_state_begin(w.reader), SG_OK);
    sge_state_mark(w.reader, &mark);
    sge_state_end(w.reader);
    assert_true(mark.seq >= acknowledged);
    for (uint64_t i = 0; i < BATCH; i++) {
        struct sge_change change = owner_is(i, 'a', 'a');
        assert_int_equal(generation_of(&w, &change.id), mark.seq);
    }
    assert_int_equal(held(&w, (char)('a' + mark.seq % 20), 0, keys), BATCH);
    sge_state_reader_close(w.reader);
    sge_state_close(w.state);
}

static void a_killed_writer_leaves_whole_entries(void **unused)
{
    char dir[SGT_DIR_BYTES];
    uint64_t acknowledged = 0;
    sgt_dir_make(dir);
    for (unsigned round = 0; round < 8; round++) {
        int fds[2], status;
        uint64_t seq;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0)
            child_applies_until_killed(dir, fds[1]);
        close(fds[1]);
        for (unsigned i = 0; i <= round; i++)
            assert_int_equal(read(fds[0], &acknowledged, sizeof(seq)), sizeof(seq));
        usleep(137 * round);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
            acknowledged = seq;
        close(fds[0]);
        assert_whole_at(dir, acknowledged);
    }
    sgt_dir_remove(dir);
    (void)unused;
}

/* ---- chains ---- */

static void the_heads_of_chains_are_shared_without_a_commit(void **fixture)
{
    struct facts_world *w = *fixture;
    struct sge_chain chain = {.id = 5, .name = "eip155:1", .head = 9, .heard_ns = 1}, read;
    struct sge_chain all[4];
    uint64_t version = sge_state_version(w->state);
    assert_int_equal(sge_state_chain(w->state, 5, &read), SG_ENOENT);
    for (chain.head = 10; chain.head < 15; chain.head++)
        assert_int_equal(sge_state_chain_heard(w->state, &chain), SG_OK);
    assert_int_equal(sge_state_chain(w->state, 5, &read), SG_OK);
    assert_true(read.head == 14 && strcmp(read.name, "eip155:1") == 0);
    chain.id = 6;
    assert_int_equal(sge_state_chain_heard(w->state, &chain), SG_OK);
    assert_int_equal(sge_state_chains(w->state, all, 4), 2);
    assert_true(all[0].id == 5 && all[1].id == 6 && all[1].head == 15);
    assert_int_equal(sge_state_version(w->state), version);
    for (chain.id = 7; chain.id < 5 + SGE_CHAINS_MAX; chain.id++)
        assert_int_equal(sge_state_chain_heard(w->state, &chain), SG_OK);
    assert_int_equal(sge_state_chain_heard(w->state, &chain), SG_EFULL);
}

/* ---- format 1 ---- */

static void put_1(struct sg_mdb_txn *txn, uint32_t facts, uint64_t fact, uint64_t generation)
{
    struct {
        uint64_t generation, block, changed_ns;
        uint8_t head[32], safe[32];
    } row = {.generation = generation, .block = 8, .changed_ns = 9, .head = "a", .safe = "b"};
    uint8_t key[8];
    sge_be64_put(key, fact);
    assert_int_equal(sg_mdb_put(txn, facts, sge_bytes(key, 8), sge_bytes(&row, sizeof(row))),
                     SG_OK);
}

/* As the version before wrote it: 88-byte rows, no index, no file of chains. */
static void write_format_1(const char *dir)
{
    char folder[SGT_DIR_BYTES + 8];
    const uint32_t format = 1;
    const uint64_t generation = 300;
    struct sg_mdb *mdb = NULL;
    struct sg_mdb_txn *txn = NULL;
    uint32_t about, facts, other;
    static const char *const names[] = {"purges",   "purge_folds", "purge_marks", "ctis",
                                        "cti_ends", "index_bits",  "tenants"};
    snprintf(folder, sizeof(folder), "%s/state", dir);
    struct sg_mdb_conf conf = {
        .dir = folder, .map_bytes = 1ull << 30, .readers_max = 8, .dbs_max = 16, .writable = true};
    assert_int_equal(sg_mdb_open(&conf, &mdb), SG_OK);
    assert_int_equal(sg_mdb_db(mdb, "about", &about), SG_OK);
    assert_int_equal(sg_mdb_db(mdb, "facts", &facts), SG_OK);
    for (size_t i = 0; i < SG_COUNT(names); i++)
        assert_int_equal(sg_mdb_db(mdb, names[i], &other), SG_OK);
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    for (uint64_t i = 0; i < 300; i++)
        put_1(txn, facts, i == 299 ? UINT64_MAX : i * 1000, i + 1);
    assert_int_equal(sg_mdb_put(txn, about, SG_STR("format"), sge_bytes(&format, 4)), SG_OK);
    assert_int_equal(sg_mdb_put(txn, about, SG_STR("generation"), sge_bytes(&generation, 8)),
                     SG_OK);
    assert_int_equal(sg_mdb_commit(txn), SG_OK);
    sg_mdb_close(mdb);
}

static void a_state_of_format_1_keeps_its_generations(void **unused)
{
    char dir[SGT_DIR_BYTES];
    struct facts_world w;
    struct sge_fact fact;
    uint64_t generation;
    sgt_dir_make(dir);
    assert_int_equal(sge_state_open(dir, true, &w.state), SG_OK); /* makes the folder */
    sge_state_close(w.state);
    char env[SGT_DIR_BYTES + 32];
    snprintf(env, sizeof(env), "%s/state/data.mdb", dir);
    assert_int_equal(unlink(env), 0);
    write_format_1(dir);
    assert_int_equal(sge_state_open(dir, false, &w.state), SG_EVERSION);
    assert_int_equal(sge_state_open(dir, true, &w.state), SG_OK);
    assert_int_equal(sge_state_reader_open(w.state, &w.reader), SG_OK);
    assert_int_equal(sge_state_begin(w.reader), SG_OK);
    assert_int_equal(sge_state_facts_count(w.reader), 300);
    for (uint64_t i = 0; i < 300; i++) {
        assert_int_equal(sge_state_fact(w.reader, i == 299 ? UINT64_MAX : i * 1000, &fact), SG_OK);
        assert_true(fact.generation == i + 1 && fact.block == 8 && fact.changed_ns == 9);
        assert_true(fact.owner_head[0] == 'a' && fact.owner_safe[0] == 'b');
    }
    sge_state_end(w.reader);
    assert_int_equal(
        sge_state_fact_set(w.state, 1, fact.owner_head, fact.owner_safe, 1, &generation), SG_OK);
    assert_int_equal(generation, 301);
    sge_state_reader_close(w.reader);
    sge_state_close(w.state);
    assert_int_equal(sge_state_open(dir, false, &w.state), SG_OK);
    sge_state_close(w.state);
    sgt_dir_remove(dir);
    (void)unused;
}

#define FACTS_TEST(name) cmocka_unit_test_setup_teardown(name, facts_set_up, facts_tear_down)
static const struct CMUnitTest tests[] = {
    FACTS_TEST(a_fact_is_read_back_as_it_was_written),
    FACTS_TEST(applying_twice_is_applying_once),
    FACTS_TEST(what_is_followed_is_as_the_commit_says_that_a_reader_is_at),
    FACTS_TEST(what_is_followed_is_not_told_of_another_of_the_same_key),
    FACTS_TEST(a_fact_is_watched_while_one_of_its_groups_is_followed),
    FACTS_TEST(a_gap_and_another_stream_are_told_and_change_nothing),
    FACTS_TEST(what_does_not_bump_keeps_its_generation),
    FACTS_TEST(an_owner_who_is_back_has_another_generation),
    FACTS_TEST(a_strangers_transfer_does_not_touch_anothers_balance),
    FACTS_TEST(a_forged_equal_key_is_never_a_yes),
    FACTS_TEST(holdings_are_found_by_holder_and_group_in_their_order),
    FACTS_TEST(words_of_the_stream_revoke),
    FACTS_TEST(a_raised_epoch_and_rule_are_seen_by_the_next_look),
    FACTS_TEST(nobody_writes_by_hand_what_a_stream_feeds),
    cmocka_unit_test(a_killed_writer_leaves_whole_entries),
    FACTS_TEST(the_heads_of_chains_are_shared_without_a_commit),
    cmocka_unit_test(a_state_of_format_1_keeps_its_generations),
};
SGT_MAIN("facts", tests)
