#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/content/invalid.h"
#include "edgecache/content/voldisk.h"
#include "tests/unit/edgecache/sgt_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

static struct sgt_store store;

static int set_up(void **fixture)
{
    store = (struct sgt_store){0};
    sgt_dir_make(store.dir);
    sgt_store_configure(&store, store.dir, SGT_DISK_BYTES);
    *fixture = &store;
    return sgt_store_open(&store) != SG_OK;
}

static int tear_down(void **fixture)
{
    sgt_store_close(*fixture);
    sgt_dir_remove(store.dir);
    return 0;
}

#define PATIENCE_NS (5 * SG_NS_PER_SEC)

static void reopen(struct sgt_store *s)
{
    sgt_store_close(s);
    assert_int_equal(sgt_store_open(s), SG_OK);
}

static int get_and_verify(struct sgt_store *s, uint32_t number)
{
    struct sge_object *object = sgt_store_get(s, number);
    if (object == NULL)
        return 0;
    int got = sgt_store_verify(s, object, number);
    sg_hold_unref(&object->hold);
    return got;
}

static struct sge_volume_counts counts_of(struct sgt_store *s)
{
    struct sge_volume_counts counts;
    assert_true(sge_content_volume_counts(s->content, &counts));
    return counts;
}

static uint64_t errors_of(struct sgt_store *s)
{
    struct sge_volume_counts counts = counts_of(s);
    return counts.read_errors + counts.write_errors + counts.record_errors + counts.index_errors;
}

static void what_was_kept_is_there_after_a_restart(void **fixture)
{
    struct sgt_store *s = *fixture;
    for (uint32_t i = 0; i < 40; i++)
        assert_true(sgt_store_put(s, i, 1, true));
    assert_true(sgt_store_put(s, 100, 1, false));
    reopen(s);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(get_and_verify(s, i), 1);
    assert_null(sgt_store_get(s, 100));
    struct sge_object *object = sgt_store_get(s, 7);
    assert_true(sg_str_eq(object->head, SG_STR("version: 1\r\n")));
    assert_true(object->meta.status == 200 && object->meta.tenant == 5);
    assert_int_equal(atomic_load(&object->purge_checked_seq), 1);
    sg_hold_unref(&object->hold);
}

static void withdrawn_and_replaced_objects_do_not_come_back(void **fixture)
{
    struct sgt_store *s = *fixture;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(sgt_store_put(s, i, 1, true));
    sgt_store_settle(s, 4);
    struct sge_object *object = sgt_store_get(s, 0);
    sge_object_withdraw(s->shard, object);
    sg_hold_unref(&object->hold);
    assert_true(sgt_store_put(s, 1, 2, false)); /* newer, and not to be kept */
    assert_true(sgt_store_put(s, 2, 2, true));
    assert_null(sgt_store_get(s, 0));
    reopen(s);
    assert_null(sgt_store_get(s, 0));
    assert_null(sgt_store_get(s, 1));
    object = sgt_store_get(s, 2);
    assert_int_equal(object->meta.birth_purge_seq, 2);
    assert_int_equal(sgt_store_verify(s, object, 2), 1);
    sg_hold_unref(&object->hold);
    assert_int_equal(get_and_verify(s, 3), 1);
}

static void a_freshened_object_rewrites_what_is_known_of_it_and_not_its_body(void **fixture)
{
    struct sgt_store *s = *fixture;
    char text[16];
    assert_true(sgt_store_put(s, 3, 1, true));
    sgt_store_settle(s, 1);
    uint64_t writes = counts_of(s).writes;
    struct sge_object *old = sgt_store_get(s, 3);
    struct sge_key key = sgt_store_key(s, 3, text);
    struct sge_meta meta = old->meta;
    meta.response_ns = 12345;
    struct sge_object_new from = {&key, &meta, SG_STR("fresh"), old->body};
    sge_object_publish(s->shard, sge_object_make(s->shard, &from), true);
    sg_hold_unref(&old->hold);
    sgt_store_settle(s, 2);
    assert_int_equal(counts_of(s).writes, writes);
    reopen(s);
    struct sge_object *object = sgt_store_get(s, 3);
    assert_int_equal(object->meta.response_ns, 12345);
    assert_true(sg_str_eq(object->head, SG_STR("fresh")));
    assert_int_equal(sgt_store_verify(s, object, 3), 1);
    sg_hold_unref(&object->hold);
}

static void a_slice_that_left_memory_is_read_back(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_event event;
    assert_true(sgt_store_put(s, 3, 1, true));
    sgt_store_settle(s, 1);
    sgt_store_commit(s);
    struct sge_object *object = sgt_store_get(s, 3); /* held: the object stays, its slices may go */
    for (uint32_t i = 0; i < 200; i++) {
        while (!sgt_store_put(s, 1003 + 4 * i, 1, false))
            (void)sgt_store_turn(s, &event);
        (void)sgt_store_turn(s, &event);
    }
    struct sge_shard_counts counts;
    assert_int_equal(sgt_store_verify(s, object, 3), 1);
    sge_shard_counts(s->shard, &counts);
    assert_true(counts.loaded > 0);
    sg_hold_unref(&object->hold);
}

static void a_rotten_record_is_missed_and_forgotten(void **fixture)
{
    struct sgt_store *s = *fixture;
    static uint8_t bytes[SGT_DISK_BYTES];
    assert_true(sgt_store_put(s, 3, 1, true));
    assert_true(sgt_store_put(s, 7, 1, true));
    sgt_store_close(s);
    /* A bit flips in each record's payload, wherever object 3's lie. */
    int fd = open(s->disk, O_RDWR);
    assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
    for (uint64_t at = 0; at + 1 < sgt_store_length(3); at += SGT_SLICE) {
        uint8_t want[16];
        for (uint32_t i = 0; i < 16; i++)
            want[i] = sgt_store_byte(3, 1, at + i);
        uint8_t *found = memmem(bytes, sizeof(bytes), want, 16);
        assert_non_null(found);
        found[9] ^= 4;
        assert_int_equal(pwrite(fd, found, 16, found - bytes), 16);
    }
    close(fd);
    assert_int_equal(sgt_store_open(s), SG_OK);
    assert_int_equal(get_and_verify(s, 3), 0);
    assert_int_equal(get_and_verify(s, 7), 1);
    assert_true(counts_of(s).record_errors > 0);
    assert_int_equal(counts_of(s).read_errors, 0);
    reopen(s);
    assert_null(sgt_store_get(s, 3));
    assert_int_equal(get_and_verify(s, 7), 1);
}

static void the_log_goes_round_and_spares_what_is_used(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_event event;
    uint64_t kept = 0;
    assert_true(sgt_store_put(s, 3, 1, true));
    sgt_store_settle(s, ++kept);
    s->conf.ram_bytes = 8 << 20; /* a third of the disk */
    reopen(s);                   /* 3 is on disk only */
    kept = 0;
    for (uint32_t i = 0; i < 400; i++) { /* 80 MiB through 24 */
        while (!sgt_store_put(s, 1003 + 4 * i, 1, true))
            (void)sgt_store_turn(s, &event);
        sgt_store_settle(s, ++kept);
        if (i % 20 == 0)
            assert_int_equal(get_and_verify(s, 3), 1);
    }
    struct sge_volume_counts counts = counts_of(s);
    assert_true(counts.dropped > 100);
    assert_true(counts.readmitted > 0);
    reopen(s);
    assert_int_equal(get_and_verify(s, 3), 1);
    assert_null(sgt_store_get(s, 1003));
    assert_int_equal(get_and_verify(s, 1003 + 4 * 399), 1);
}

static void a_tenant_within_its_share_of_the_disk_stays(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_event event;
    uint64_t kept = 0;
    s->tenant = 6;
    for (uint32_t i = 0; i < 8; i++) { /* 1.6 of 24 MiB */
        assert_true(sgt_store_put(s, 3 + 4 * i, 1, true));
        sgt_store_settle(s, ++kept);
    }
    s->tenant = 5;
    s->conf.ram_bytes = 8 << 20;
    reopen(s);
    assert_true(sge_content_share(s->content, 6, 20));
    kept = 0;
    for (uint32_t i = 0; i < 400; i++) { /* 80 MiB of another's */
        while (!sgt_store_put(s, 1003 + 4 * i, 1, true))
            (void)sgt_store_turn(s, &event);
        sgt_store_settle(s, ++kept);
    }
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(get_and_verify(s, 3 + 4 * i), 1);
    assert_null(sgt_store_get(s, 1003));
}

static void another_disk_or_a_lost_index_is_a_cold_start(void **fixture)
{
    struct sgt_store *s = *fixture;
    char path[SGT_DIR_BYTES + 64];
    assert_true(sgt_store_put(s, 3, 1, true));
    sgt_store_close(s);
    int fd = open(s->disk, O_RDWR);
    assert_int_equal(pwrite(fd, "garbage", 7, 3), 7);
    close(fd);
    assert_int_equal(sgt_store_open(s), SG_OK);
    assert_null(sgt_store_get(s, 3));
    assert_true(sgt_store_put(s, 3, 2, true));
    sgt_store_close(s);
    snprintf(path, sizeof(path), "%s/content/data.mdb", s->index);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(sgt_store_open(s), SG_OK);
    assert_null(sgt_store_get(s, 3));
    assert_true(sgt_store_put(s, 3, 3, true));
    reopen(s);
    assert_int_equal(get_and_verify(s, 3), 1);
}

static void without_a_disk_the_store_goes_on_in_memory(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_volume_counts counts;
    sgt_store_close(s);
    s->conf.disk_path = "/nonexistent/volume";
    assert_int_equal(sgt_store_open(s), SG_OK);
    assert_false(sge_content_volume_counts(s->content, &counts));
    assert_true(sgt_store_put(s, 3, 1, true));
    assert_int_equal(get_and_verify(s, 3), 1);
    assert_null(sgt_store_get(s, 4));
}

static void give_up(struct sgt_store *s)
{
    struct sge_event event;
    uint64_t end_ns = sg_clock_mono_ns() + PATIENCE_NS;
    while (!sge_content_give_up_disk(s->content, SG_NS_PER_MS)) {
        assert_true(sg_clock_mono_ns() < end_ns);
        (void)sgt_store_turn(s, &event);
    }
}

static void the_disk_is_one_process_s_until_it_gives_it_up(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sgt_store next = {0};
    struct sge_event event;
    sgt_store_configure(&next, s->dir, SGT_DISK_BYTES);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(sgt_store_put(s, i, 1, true));
    sgt_store_settle(s, 20);
    give_up(s);
    assert_int_equal(sgt_store_open(&next), SG_OK);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(get_and_verify(&next, i), 1);
    assert_int_equal(get_and_verify(s, 7), 1); /* from memory */
    assert_null(sgt_store_get(s, 999));
    assert_true(sgt_store_put(s, 50, 1, true)); /* and no longer kept */
    struct sge_object *object = sgt_store_get(s, 3);
    sge_object_withdraw(s->shard, object);
    sg_hold_unref(&object->hold);
    for (int i = 0; i < 20; i++)
        (void)sgt_store_turn(s, &event);
    assert_int_equal(get_and_verify(&next, 3), 1);
    sgt_store_close(&next);
    sgt_store_close(s);
    assert_int_equal(sgt_store_open(s), SG_OK);
    assert_int_equal(get_and_verify(s, 7), 1);
    assert_null(sgt_store_get(s, 50));
}

static void invalidate(struct sgt_store *s, uint32_t number)
{
    char text[16];
    struct sge_key key = sgt_store_key(s, number, text);
    sge_content_invalidate(s->content, &key);
}

static bool is_stale(struct sgt_store *s, uint32_t number)
{
    sge_shard_heed(s->shard);
    struct sge_object *object = sgt_store_get(s, number);
    assert_non_null(object);
    bool stale = atomic_load(&object->stale_forced);
    sg_hold_unref(&object->hold);
    return stale;
}

static void
what_one_process_makes_invalid_is_gone_from_the_next_one_s_disk_and_memory(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sgt_store next = {0};
    sgt_store_configure(&next, s->dir, SGT_DISK_BYTES);
    for (uint32_t i = 0; i < 20; i++)
        assert_true(sgt_store_put(s, i, 1, true));
    sgt_store_settle(s, 20);
    give_up(s);
    invalidate(s, 5); /* nobody has the disk */
    assert_true(is_stale(s, 5));
    assert_int_equal(sgt_store_open(&next), SG_OK);
    assert_null(sgt_store_get(&next, 5));
    assert_int_equal(get_and_verify(&next, 7), 1);
    invalidate(s, 7); /* in its memory by now */
    invalidate(s, 8); /* on its disk only */
    sge_shard_heed(next.shard);
    assert_null(sgt_store_get(&next, 7));
    assert_null(sgt_store_get(&next, 8));
    assert_false(is_stale(s, 9));
    invalidate(&next, 9); /* and the other way round */
    sge_shard_heed(s->shard);
    assert_null(sgt_store_get(s, 9));
    assert_int_equal(get_and_verify(&next, 10), 1);
    sgt_store_close(&next);
    assert_int_equal(sgt_store_open(&next), SG_OK);
    assert_null(sgt_store_get(&next, 8));
    assert_int_equal(get_and_verify(&next, 10), 1);
    sgt_store_close(&next);
}

static void who_missed_too_many_words_takes_all_it_has_for_invalid(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sgt_store next = {0};
    sgt_store_configure(&next, s->dir, SGT_DISK_BYTES);
    assert_true(sgt_store_put(s, 3, 1, true));
    assert_true(sgt_store_put(s, 4, 1, true));
    sgt_store_settle(s, 2);
    give_up(s);
    assert_int_equal(sgt_store_open(&next), SG_OK);
    assert_int_equal(get_and_verify(&next, 3), 1);
    for (uint32_t i = 0; i <= SGE_INVALID_WORDS; i++)
        invalidate(s, 1000 + i);
    sge_shard_heed(next.shard);
    assert_null(sgt_store_get(&next, 3));
    assert_null(sgt_store_get(&next, 4));
    sgt_store_close(&next);
}

/* An object of which no slice is there yet, with a reference. */
static struct sge_object *put_empty(struct sgt_store *s, uint32_t number)
{
    char text[16];
    struct sge_key key = sgt_store_key(s, number, text);
    struct sge_meta meta = {.status = 200, .tenant = s->tenant, .birth_purge_seq = 1};
    struct sge_body *body = sge_body_make(s->shard, sgt_store_length(number), s->tenant, false);
    struct sge_object_new from = {&key, &meta, SG_STR("version: 1\r\n"), body};
    struct sge_object *object = sge_object_make(s->shard, &from);
    sg_hold_unref(sge_body_hold(body));
    sg_hold_ref(&object->hold);
    sge_object_publish(s->shard, object, true);
    return object;
}

/* A viewer has the last byte of an object before its fill is told to be over. */
static void what_becomes_whole_while_the_disk_is_given_up_is_kept(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_event event;
    uint8_t *memory;
    uint32_t room;
    assert_true(sgt_store_put(s, 1, 1, true));
    struct sge_object *object = put_empty(s, 2); /* of one slice */
    assert_true(sge_body_slice_claim(s->shard, object->body, SGE_SLICES_ALL));
    assert_true(sge_body_window(s->shard, object->body, 0, &memory, &room));
    for (uint32_t i = 0; i < room; i++)
        memory[i] = sgt_store_byte(2, 1, i);
    sge_body_filled(s->shard, object->body, 0, room);
    for (int i = 0; i < 300; i++) { /* as long as it takes */
        assert_false(sge_content_give_up_disk(s->content, SG_NS_PER_MS));
        (void)sgt_store_turn(s, &event);
    }
    sge_body_finish(s->shard, object->body, true);
    sg_hold_unref(&object->hold);
    give_up(s);
    assert_true(sgt_store_put(s, 3, 1, true));
    (void)sgt_store_turn(s, &event);
    reopen(s);
    assert_int_equal(get_and_verify(s, 1), 1);
    assert_int_equal(get_and_verify(s, 2), 1);
    assert_null(sgt_store_get(s, 3));
}

/* As ranges would bring them: the slices of `object` from `first` to before `end`. */
static void fill_parts(struct sgt_store *s, struct sge_object *object, uint32_t number,
                       uint32_t first, uint32_t end)
{
    struct sge_body *body = object->body;
    for (uint32_t slice = first; slice < end; slice++) {
        uint8_t *memory;
        uint32_t room;
        (void)!sge_body_slice_claim(s->shard, body, slice);
        assert_true(sge_body_window(s->shard, body, slice, &memory, &room));
        for (uint32_t i = 0; i < room; i++)
            memory[i] = sgt_store_byte(number, 1, (uint64_t)slice * SGT_SLICE + i);
        sge_body_filled(s->shard, body, slice, room);
    }
    sge_body_parts_filled(s->shard, body);
}

/* Whether slice `slice` comes from disk; the claim stands if not. */
static bool loads(struct sgt_store *s, struct sge_object *object, uint32_t slice)
{
    struct sge_event event;
    assert_true(sge_body_slice_claim(s->shard, object->body, slice));
    assert_true(sge_body_load(s->shard, object->body, slice, slice));
    assert_true(sgt_store_event(s, &event));
    assert_int_equal(event.kind, SGE_EVENT_LOADED);
    return event.ok;
}

static void what_came_by_ranges_is_kept_slice_by_slice(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_object *object = put_empty(s, 3);
    fill_parts(s, object, 3, 1, 2);
    sgt_store_settle(s, 1);
    fill_parts(s, object, 3, 3, 4);
    sg_hold_unref(&object->hold);
    reopen(s);
    object = sgt_store_get(s, 3);
    assert_non_null(object);
    assert_true(loads(s, object, 1));
    assert_true(loads(s, object, 3));
    assert_false(loads(s, object, 0));
    assert_int_equal(errors_of(s), 0);
    fill_parts(s, object, 3, 0, 1);
    assert_false(loads(s, object, 2));
    fill_parts(s, object, 3, 2, 3);
    assert_int_equal(sgt_store_verify(s, object, 3), 1);
    sg_hold_unref(&object->hold);
    reopen(s);
    assert_int_equal(get_and_verify(s, 3), 1);
    assert_int_equal(errors_of(s), 0);
}

static void a_disk_that_refuses_writes_is_counted_and_done_without(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct rlimit before, none;
    struct sge_event event;
    assert_true(sgt_store_put(s, 3, 1, true));
    sgt_store_settle(s, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (uint32_t i = 0; i < 40; i++) {
        assert_true(sgt_store_put(s, 100 + i, 1, true));
        (void)sgt_store_turn(s, &event);
        usleep(1000);
    }
    assert_true(counts_of(s).write_errors >= 8);
    assert_int_equal(get_and_verify(s, 100), 1); /* from memory */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void what_is_asked_for_once_is_not_written(void **fixture)
{
    struct sgt_store *s = *fixture;
    struct sge_event event;
    sgt_store_close(s);
    s->conf.disk_second_hit = true;
    assert_int_equal(sgt_store_open(s), SG_OK);
    assert_true(sgt_store_put(s, 3, 1, true));
    for (int i = 0; i < 100; i++)
        (void)sgt_store_turn(s, &event);
    assert_int_equal(counts_of(s).writes, 0);
    assert_int_equal(get_and_verify(s, 3), 1); /* the second time */
    sgt_store_settle(s, 1);
    reopen(s);
    assert_int_equal(get_and_verify(s, 3), 1);
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct sgt_store *s = *fixture;
    sgt_store_close(s);
    struct sg_mail *mail = NULL;
    assert_int_equal(sg_mail_open(1 + SGE_VOLUME_MAILS, 256, &mail), SG_OK);
    s->conf.mail = mail;
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_content *made = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sge_content_open(&s->conf, &made);
        assert_true(err == SG_OK ? made != NULL : made == NULL && err == SG_ENOMEM);
        sg_alloc_fail_nth(UINT32_MAX);
        sge_content_close(made);
    }
    sg_mail_close(mail);
    assert_int_equal(sgt_store_open(s), SG_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    TEST(what_was_kept_is_there_after_a_restart),
    TEST(withdrawn_and_replaced_objects_do_not_come_back),
    TEST(a_freshened_object_rewrites_what_is_known_of_it_and_not_its_body),
    TEST(a_slice_that_left_memory_is_read_back),
    TEST(a_rotten_record_is_missed_and_forgotten),
    TEST(the_log_goes_round_and_spares_what_is_used),
    TEST(a_tenant_within_its_share_of_the_disk_stays),
    TEST(another_disk_or_a_lost_index_is_a_cold_start),
    TEST(without_a_disk_the_store_goes_on_in_memory),
    TEST(the_disk_is_one_process_s_until_it_gives_it_up),
    TEST(what_one_process_makes_invalid_is_gone_from_the_next_one_s_disk_and_memory),
    TEST(who_missed_too_many_words_takes_all_it_has_for_invalid),
    TEST(what_becomes_whole_while_the_disk_is_given_up_is_kept),
    TEST(what_came_by_ranges_is_kept_slice_by_slice),
    TEST(a_disk_that_refuses_writes_is_counted_and_done_without),
    TEST(what_is_asked_for_once_is_not_written),
    TEST(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("volume", tests)
