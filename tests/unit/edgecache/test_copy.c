#include "tests/unit/edgecache/facts_world.h"

#include "base/alloc.h"

#define FACTS 500

static char piece[65536];

/* A few hundred facts of all kinds, and revocations. */
static void fill(struct facts_world *w)
{
    struct sge_change changes[FACTS];
    const struct sge_word words[] = {
        {.kind = SGE_WORD_CTI, .tenant = 7, .cti = "cti", .until_ns = UINT64_MAX},
        {.kind = SGE_WORD_INDEX, .tenant = 7, .number = 5000},
        {.kind = SGE_WORD_EPOCH, .tenant = 7, .number = 30000},
    };
    for (uint64_t i = 0; i < FACTS; i++)
        changes[i] = i % 2 == 0 ? owner_is(i, 'a', 'b') : balance_is(i, 'c', i, true);
    struct sge_batch batch = {.stream = "stream of tests",
                              .seq = ++w->seq,
                              .changes = changes,
                              .changes_count = FACTS,
                              .words = words,
                              .words_count = SG_COUNT(words)};
    assert_int_equal(sge_state_apply(w->state, &batch), SG_OK);
}

static struct sge_digest digest_of(struct facts_world *w)
{
    struct sge_digest digest;
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    assert_int_equal(sge_state_digest(w->reader, &digest), SG_OK);
    sge_state_end(w->reader);
    return digest;
}

/* Copies `from` to `to` in pieces of about `want` bytes, without the one numbered `skip`. */
static enum sg_err copy(struct facts_world *from, struct facts_world *to, size_t want, int skip)
{
    struct sge_copy_at at = {.table = 0};
    struct sge_load *load = NULL;
    struct sge_mark mark;
    enum sg_err err, added = SG_OK;
    assert_int_equal(sge_state_begin(from->reader), SG_OK);
    sge_state_mark(from->reader, &mark);
    assert_int_equal(sge_state_load_begin(to->state, &mark, &load), SG_OK);
    for (int i = 0; added == SG_OK; i++) {
        struct sg_out out = sg_out_init(piece, sizeof(piece));
        err = sge_state_copy(from->reader, &at, want, &out);
        if (err == SG_ENOENT)
            break;
        assert_int_equal(err, SG_OK);
        if (i != skip)
            added = sge_state_load_add(load, sg_out_view(&out));
    }
    sge_state_end(from->reader);
    if (added == SG_OK)
        return sge_state_load_end(load);
    sge_state_load_abandon(load);
    return added;
}

static void open_other(struct facts_world *other)
{
    *other = (struct facts_world){.seq = 0};
    sgt_dir_make(other->dir);
    assert_int_equal(sge_state_open(other->dir, true, &other->state), SG_OK);
    assert_int_equal(sge_state_reader_open(other->state, &other->reader), SG_OK);
}

static void close_other(struct facts_world *other)
{
    sge_state_reader_close(other->reader);
    sge_state_close(other->state);
    sgt_dir_remove(other->dir);
}

static void a_copy_has_the_digest_of_what_it_was_made_of(void **fixture)
{
    struct facts_world *w = *fixture, other;
    struct sge_digest before, after;
    struct sge_change fact = owner_is(2, 'a', 'b');
    uint8_t a[32];
    struct sge_holding holding[1];
    uint64_t key = 0;
    fill(w);
    before = digest_of(w);
    for (size_t want = 1; want < sizeof(piece); want *= 60) {
        open_other(&other);
        assert_int_equal(copy(w, &other, want, -1), SG_OK);
        after = digest_of(&other);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_int_equal(generation_of(&other, &fact.id), 1);
        assert_int_equal(sge_state_begin(other.reader), SG_OK);
        who('a', a);
        assert_int_equal(sge_state_holdings(other.reader, a, fact.groups[0], &key, holding, 1), 1);
        assert_true(sge_state_cti_revoked(other.reader, 7, (const uint8_t[16]){"cti"}));
        assert_true(sge_state_index_revoked(other.reader, 7, 5000));
        assert_int_equal(sge_state_epoch_min(other.reader, 7), 30000);
        assert_int_equal(sge_state_epoch_min(other.reader, 8), 0);
        sge_state_end(other.reader);
        other.seq = w->seq;
        assert_int_equal(stream_says(&other, &fact, 1), SG_OK); /* and the stream goes on */
        close_other(&other);
    }
}

static void a_copy_takes_the_place_of_what_was_there(void **fixture)
{
    struct facts_world *w = *fixture, other;
    struct sge_change moved = owner_is(4, 'z', 'z'), gone = owner_is(1000, 'a', 'a');
    uint8_t cti[16] = "local";
    uint64_t keys = 0;
    struct sge_holding holding[2];
    uint8_t z[32], a[32];
    fill(w);
    open_other(&other);
    fill(&other);
    assert_int_equal(stream_says(w, &moved, 1), SG_OK);
    assert_int_equal(stream_says(w, NULL, 0), SG_OK);
    assert_int_equal(sge_state_revoke_cti(other.state, 7, cti, UINT64_MAX), SG_OK);
    assert_int_equal(stream_says(&other, &gone, 1), SG_OK); /* not so in the copy: a fork */
    assert_int_equal(copy(w, &other, 4096, -1), SG_OK);
    struct sge_digest theirs = digest_of(w), ours = digest_of(&other);
    assert_memory_equal(&theirs, &ours, sizeof(ours));
    assert_int_equal(generation_of(&other, &gone.id), 0);
    assert_int_equal(generation_of(&other, &moved.id), 2);
    assert_int_equal(sge_state_begin(other.reader), SG_OK);
    who('z', z);
    who('a', a);
    assert_int_equal(sge_state_holdings(other.reader, z, 0, &keys, holding, 2), 1);
    keys = gone.id.key - 1;
    if (sge_state_holdings(other.reader, a, gone.groups[0], &keys, holding, 1) == 1)
        assert_true(holding[0].change.id.key != gone.id.key);
    assert_true(sge_state_cti_revoked(other.reader, 7, cti));  /* what was revoked stays so */
    assert_int_equal(sge_state_epoch_min(other.reader, 8), 0); /* the same stream */
    sge_state_end(other.reader);
    other.seq = 2;
    assert_int_equal(copy(&other, w, 4096, -1), SG_OK);
    other.seq = w->seq;
    assert_int_equal(stream_says(&other, &gone, 1), SG_OK);
    assert_int_equal(copy(w, &other, 4096, -1), SG_ESTALE); /* never back in time */
    close_other(&other);
}

static void a_copy_of_another_stream_closes_every_epoch(void **fixture)
{
    struct facts_world *w = *fixture, other;
    struct sge_change old = owner_is(3, 'q', 'q');
    struct sge_batch batch = {
        .stream = "the old stream.", .seq = 1, .changes = &old, .changes_count = 1};
    uint32_t today = (uint32_t)(sg_clock_wall_ns() / SG_NS_PER_SEC / 86400);
    fill(w);
    open_other(&other);
    assert_int_equal(sge_state_apply(other.state, &batch), SG_OK);
    assert_int_equal(copy(w, &other, 4096, -1), SG_OK);
    assert_int_equal(sge_state_begin(other.reader), SG_OK);
    assert_true(sge_state_epoch_min(other.reader, 8) > today);
    assert_int_equal(sge_state_epoch_min(other.reader, 7), 30000);
    sge_state_end(other.reader);
    assert_int_equal(generation_of(&other, &old.id), 0);
    struct sge_digest theirs = digest_of(w), ours = digest_of(&other);
    assert_memory_equal(&theirs, &ours, sizeof(ours));
    close_other(&other);
}

static void a_piece_that_is_missing_or_cut_is_seen(void **fixture)
{
    struct facts_world *w = *fixture, other;
    fill(w);
    open_other(&other);
    assert_int_equal(copy(w, &other, 8192, 0), SG_ECORRUPT);
    assert_int_equal(copy(w, &other, 8192, 3), SG_ECORRUPT);
    assert_int_equal(copy(w, &other, 40000, 1), SG_ECORRUPT); /* the last one */
    assert_int_equal(sge_state_begin(other.reader), SG_OK);
    assert_int_equal(sge_state_facts_count(other.reader), 0);
    sge_state_end(other.reader);
    close_other(&other);
}

static void no_changed_byte_of_a_piece_harms(void **fixture)
{
    struct facts_world *w = *fixture, other;
    struct sge_copy_at at = {.table = 0};
    struct sge_mark mark;
    struct sge_change one = owner_is(1, 'a', 'b');
    struct sg_out out = sg_out_init(piece, sizeof(piece));
    assert_int_equal(stream_says(w, &one, 1), SG_OK);
    assert_int_equal(sge_state_begin(w->reader), SG_OK);
    sge_state_mark(w->reader, &mark);
    assert_int_equal(sge_state_copy(w->reader, &at, sizeof(piece), &out), SG_OK);
    sge_state_end(w->reader);
    open_other(&other);
    for (size_t i = 0; i < out.len; i++) {
        struct sge_load *load = NULL;
        assert_int_equal(sge_state_load_begin(other.state, &mark, &load), SG_OK);
        piece[i] ^= 0x55;
        enum sg_err err = sge_state_load_add(load, sg_out_view(&out));
        assert_true(err == SG_OK || err == SG_ECORRUPT);
        assert_true(err == SG_ECORRUPT || i >= 10); /* what it is, and where it goes on */
        piece[i] ^= 0x55;
        sge_state_load_abandon(load);
    }
    close_other(&other);
}

static void the_digest_tells_which_range_differs(void **fixture)
{
    struct facts_world *w = *fixture, other;
    struct sge_change change = owner_is(8, 'x', 'x');
    fill(w);
    open_other(&other);
    assert_int_equal(copy(w, &other, 8192, -1), SG_OK);
    other.seq = w->seq;
    assert_int_equal(stream_says(&other, &change, 1), SG_OK);
    struct sge_digest a = digest_of(w), b = digest_of(&other);
    assert_memory_not_equal(a.root, b.root, 32);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(memcmp(a.ranges[i], b.ranges[i], 32) != 0, i == change.id.key >> 56);
    assert_true(a.mark.seq + 1 == b.mark.seq);
    close_other(&other);
}

static void loading_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct facts_world *w = *fixture;
    const struct sge_mark mark = {.stream = "stream of tests", .seq = 1};
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_load *load = NULL;
        assert_true(nth < 16);
        sg_alloc_fail_nth(nth);
        err = sge_state_load_begin(w->state, &mark, &load);
        assert_true(err == SG_OK ? load != NULL : load == NULL && err == SG_ENOMEM);
        sge_state_load_abandon(load);
    }
    sg_alloc_fail_nth(UINT32_MAX);
}

#define COPY_TEST(name) cmocka_unit_test_setup_teardown(name, facts_set_up, facts_tear_down)
static const struct CMUnitTest tests[] = {
    COPY_TEST(a_copy_has_the_digest_of_what_it_was_made_of),
    COPY_TEST(a_copy_takes_the_place_of_what_was_there),
    COPY_TEST(a_copy_of_another_stream_closes_every_epoch),
    COPY_TEST(a_piece_that_is_missing_or_cut_is_seen),
    COPY_TEST(no_changed_byte_of_a_piece_harms),
    COPY_TEST(the_digest_tells_which_range_differs),
    COPY_TEST(loading_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("copy", tests)
