#include "tests/sgt.h"

#include "base/sys/crypto.h"
#include "controlplane/feed/beat.h"
#include "controlplane/feed/copies.h"
#include "controlplane/feed/entry.h"

#include <stdio.h>

static struct sge_change changes[SGC_ENTRY_CHANGES_MAX + 1];
static struct sge_word words[SGC_ENTRY_WORDS_MAX + 1];
static struct sgc_entry_room room;
static char memory[SGC_ENTRY_BYTES_MAX];

/* `count` changes of all kinds and shapes, as many words. */
static struct sge_batch batch_of(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sge_change *change = &changes[i];
        *change = (struct sge_change){.kind = (uint8_t)(1 + i % SGE_FACT_FOLLOWED),
                                      .bump = i % 2,
                                      .groups_count = (uint8_t)(i % (SGE_FACT_GROUPS_MAX + 1))};
        sg_random(&change->id, sizeof(change->id));
        sg_random(change->head, 4 * 32);
        sg_random(&change->block, sizeof(change->block));
        change->chain = i * 7919, change->log = UINT32_MAX - i, change->until_s = i;
        sg_random(change->groups, change->groups_count * sizeof(change->groups[0]));
        words[i] =
            (struct sge_word){.kind = (enum sge_word_kind)(i % (SGE_WORD_ROOT + 1)), .tenant = i};
        if (words[i].kind == SGE_WORD_CTI) {
            sg_random(words[i].cti, sizeof(words[i].cti));
            words[i].until_ns = UINT64_MAX - i;
        } else if (words[i].kind == SGE_WORD_ROOT) {
            sg_random(&words[i].list, sizeof(words[i].list));
            sg_random(words[i].root, sizeof(words[i].root));
        } else {
            words[i].number = i;
        }
    }
    return (struct sge_batch){
        .changes = changes, .changes_count = count, .words = words, .words_count = count};
}

static struct sg_str written(const struct sge_batch *batch)
{
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    assert_true(sgc_entry_write(batch, &out));
    return sg_out_view(&out);
}

static void an_entry_is_read_as_it_was_written(void **fixture)
{
    static const uint32_t counts[] = {0, 1, 9, SGC_ENTRY_CHANGES_MAX};
    for (size_t n = 0; n < SG_COUNT(counts); n++) {
        struct sge_batch batch = batch_of(counts[n]), read = {0};
        assert_int_equal(sgc_entry_read(written(&batch), &room, &read), SG_OK);
        assert_int_equal(read.changes_count, counts[n]);
        assert_int_equal(read.words_count, counts[n]);
        assert_memory_equal(read.changes, changes, counts[n] * sizeof(changes[0]));
        assert_memory_equal(read.words, words, counts[n] * sizeof(words[0]));
    }
    (void)fixture;
}

static void an_entry_has_a_bound(void **fixture)
{
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sge_batch batch = batch_of(SGC_ENTRY_CHANGES_MAX);
    batch.changes_count++;
    assert_false(sgc_entry_write(&batch, &out));
    batch.changes_count--;
    batch.words_count++;
    assert_false(sgc_entry_write(&batch, &out));
    (void)fixture;
}

static void what_is_cut_or_longer_is_no_entry(void **fixture)
{
    struct sge_batch batch = batch_of(3), read;
    struct sg_str bytes = written(&batch);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(sgc_entry_read((struct sg_str){bytes.ptr, len}, &room, &read),
                         SG_ECORRUPT);
    memory[bytes.len] = 0;
    assert_int_equal(sgc_entry_read((struct sg_str){bytes.ptr, bytes.len + 1}, &room, &read),
                     SG_ECORRUPT);
    (void)fixture;
}

static void a_newer_version_is_told_apart_from_garbage(void **fixture)
{
    struct sge_batch batch = batch_of(1), read;
    struct sg_str bytes = written(&batch);
    memory[0] = 3;
    assert_int_equal(sgc_entry_read(bytes, &room, &read), SG_EVERSION);
    memory[0] = 0;
    assert_int_equal(sgc_entry_read(bytes, &room, &read), SG_ECORRUPT);
    (void)fixture;
}

/* Where they lie in an entry of one change and one word: kind, bump, groups, the word's kind. */
static void fields_out_of_range_are_refused(void **fixture)
{
    struct sge_batch batch = batch_of(1), read;
    size_t word_at = written(&batch).len - (1 + 4 + 16 + 8);
    const struct {
        size_t at;
        char value;
    } rows[] = {{5 + 16, 0}, {5 + 16, SGE_FACT_FOLLOWED + 1}, {5 + 17, 2},
                {5 + 18, 9}, {word_at, SGE_WORD_ROOT + 1},    {word_at, -1}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_str bytes = written(&batch);
        memory[rows[i].at] = rows[i].value;
        assert_int_equal(sgc_entry_read(bytes, &room, &read), SG_ECORRUPT);
    }
    (void)fixture;
}

static void an_older_entry_is_read_and_has_no_kind_that_came_later(void **fixture)
{
    struct sge_batch batch = batch_of(1), read;
    struct sg_str bytes = written(&batch);
    memory[0] = 1;
    assert_int_equal(sgc_entry_read(bytes, &room, &read), SG_OK);
    memory[5 + 16] = SGE_FACT_FOLLOWED;
    assert_int_equal(sgc_entry_read(bytes, &room, &read), SG_ECORRUPT);
    memory[0] = 2;
    assert_int_equal(sgc_entry_read(bytes, &room, &read), SG_OK);
    (void)fixture;
}

static void a_beat_of_another_version_is_none(void **fixture)
{
    static struct sgc_beat beat, heard;
    char bytes[SGC_BEAT_BYTES_MAX];
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    assert_true(sgc_beat_write(&beat, &out));
    for (char version = 0; version < 4; version++) {
        bytes[0] = version;
        assert_int_equal(sgc_beat_read(sg_out_view(&out), &heard), version == 0   ? SG_ECORRUPT
                                                                   : version == 2 ? SG_OK
                                                                                  : SG_EVERSION);
    }
    (void)fixture;
}

static void beats_and_reports_are_read_as_they_were_written(void **fixture)
{
    static struct sgc_beat beat, heard;
    char bytes[SGC_BEAT_BYTES_MAX];
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    sg_random(&beat.mark, sizeof(beat.mark));
    beat.at_ns = 1234567890123456789;
    beat.chains_count = SGE_CHAINS_MAX;
    for (uint32_t i = 0; i < SGE_CHAINS_MAX; i++) {
        beat.chains[i] = (struct sge_chain){.id = i, .head = i + 7, .safe = i, .late_s = 60};
        snprintf(beat.chains[i].name, sizeof(beat.chains[i].name), "eip155:%u", i);
        sg_random(beat.chains[i].head_hash, 32);
    }
    assert_true(sgc_beat_write(&beat, &out));
    assert_int_equal(sgc_beat_read(sg_out_view(&out), &heard), SG_OK);
    assert_memory_equal(&beat, &heard, sizeof(beat));
    for (size_t len = 0; len < out.len; len += 13)
        assert_int_equal(sgc_beat_read((struct sg_str){bytes, len}, &heard), SG_ECORRUPT);

    struct sgc_applied applied = {.edge = "edge-1", .appended_ns = 5, .applied_ns = 6}, read = {0};
    out = sg_out_init(bytes, SGC_APPLIED_BYTES_MAX);
    assert_true(sgc_applied_write(&applied, &out));
    assert_int_equal(sgc_applied_read(sg_out_view(&out), &read), SG_OK);
    assert_memory_equal(&applied, &read, sizeof(applied));
    bytes[2] = '"'; /* what would end a label of a metric */
    assert_int_equal(sgc_applied_read(sg_out_view(&out), &read), SG_ECORRUPT);
    (void)fixture;
}

static void a_copys_subject_is_a_subject(void **fixture)
{
    struct sgc_copy_begun begun = {.session = 77, .subject = "a.b.c"}, read = {0};
    char bytes[SGC_COPY_BEGUN_BYTES];
    struct sg_out out = sg_out_init(bytes, sizeof(bytes));
    assert_true(sgc_copy_begun_write(&begun, &out));
    assert_int_equal(sgc_copy_begun_read(sg_out_view(&out), &read), SG_OK);
    assert_memory_equal(&begun, &read, sizeof(begun));
    bytes[out.len - 1] = '>';
    assert_int_equal(sgc_copy_begun_read(sg_out_view(&out), &read), SG_ECORRUPT);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_entry_is_read_as_it_was_written),
    cmocka_unit_test(an_entry_has_a_bound),
    cmocka_unit_test(what_is_cut_or_longer_is_no_entry),
    cmocka_unit_test(a_newer_version_is_told_apart_from_garbage),
    cmocka_unit_test(fields_out_of_range_are_refused),
    cmocka_unit_test(an_older_entry_is_read_and_has_no_kind_that_came_later),
    cmocka_unit_test(a_beat_of_another_version_is_none),
    cmocka_unit_test(beats_and_reports_are_read_as_they_were_written),
    cmocka_unit_test(a_copys_subject_is_a_subject),
};
SGT_MAIN("entry", tests)
