#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/sys/rcu.h"
#include "edgecache/content/content.h"

#include <stdio.h>
#include <string.h>

#define SLICE (64u << 10)

static struct sg_mail *mail;
static struct sge_content *content;
static struct sge_shard *shard;

static void store_open(uint64_t ram_bytes, uint32_t objects_max)
{
    struct sge_content_conf conf = {
        .ram_bytes = ram_bytes, .slice_bytes = SLICE, .workers = 1, .objects_max = objects_max};
    assert_int_equal(sg_mail_open(1, 64, &mail), SG_OK);
    conf.mail = mail;
    assert_int_equal(sge_content_open(&conf, &content), SG_OK);
    shard = sge_content_shard(content, 0);
    sg_rcu_register();
}

static void store_close(void)
{
    sg_rcu_unregister();
    sge_content_close(content);
    sg_mail_close(mail);
}

/* Lets grace periods pass and memory come home. */
static void settle(void)
{
    sg_rcu_quiescent();
    sg_rcu_barrier();
    sge_shard_turn(shard);
}

static struct sge_key key_of(const char *text)
{
    struct sge_key key;
    sge_key_make(content, sg_str_from(text), strlen(text), &key);
    return key;
}

static uint8_t pattern(uint64_t offset)
{
    return (uint8_t)(offset * 2654435761u >> 13);
}

/* Fills as much of `body` as `bytes` says, from its front. */
static void fill(struct sge_body *body, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint8_t *memory = NULL;
        uint32_t room = 0, slice = (uint32_t)(from / SLICE);
        assert_true(sge_body_window(shard, body, slice, &memory, &room));
        uint32_t n = (uint32_t)SG_MIN((uint64_t)room, to - from);
        for (uint32_t i = 0; i < n; i++)
            memory[i] = pattern(from + i);
        sge_body_filled(shard, body, slice, n);
        from += n;
    }
}

static struct sge_object *publish(const char *text, struct sge_body *body)
{
    struct sge_key key = key_of(text);
    struct sge_meta meta = {.status = 200, .tenant = 1};
    struct sge_object_new from = {&key, &meta, SG_STR("etag: \"a\"\r\n"), body};
    struct sge_object *object = sge_object_make(shard, &from);
    if (object != NULL)
        sge_object_publish(shard, object, false);
    return object;
}

/* A whole object of `bytes`; the store alone holds it. */
static bool put(const char *text, uint64_t bytes)
{
    struct sge_body *body = sge_body_make(shard, bytes, 1, false);
    if (body == NULL)
        return false;
    fill(body, 0, bytes);
    sge_body_finish(shard, body, true);
    bool ok = publish(text, body) != NULL;
    sg_hold_unref(sge_body_hold(body));
    return ok;
}

/* Reads all that is there from `offset` and checks it; returns how the read ended. */
static enum sge_read read_on(struct sge_body *body, uint64_t *offset)
{
    for (;;) {
        struct sg_slice slices[4];
        size_t count = 0;
        enum sge_read got = sge_body_read(body, *offset, 100000, slices, 4, &count);
        if (got != SGE_READ_OK)
            return got;
        for (size_t i = 0; i < count; i++) {
            for (uint32_t b = 0; b < slices[i].len; b++)
                assert_int_equal(slices[i].bytes[b], pattern(*offset + b));
            *offset += slices[i].len;
            sg_slice_drop(&slices[i]);
        }
    }
}

static void what_was_put_is_found_and_reads_the_same(void **fixture)
{
    store_open(8 << 20, 0);
    assert_true(put("/a", 3 * SLICE + 17));
    struct sge_key key = key_of("/a"), other = key_of("/b");
    assert_null(sge_content_find(content, &other));
    struct sge_object *object = sge_content_find(content, &key);
    assert_non_null(object);
    assert_true(sg_str_eq(object->head, SG_STR("etag: \"a\"\r\n")));
    assert_true(sg_str_eq(object->key.bytes, SG_STR("/a")));
    uint64_t offset = 0;
    assert_int_equal(read_on(object->body, &offset), SGE_READ_END);
    assert_int_equal(offset, 3 * SLICE + 17);
    sg_hold_unref(&object->hold);
    store_close();
    (void)fixture;
}

static void withdrawn_objects_stay_whole_for_those_who_hold_them(void **fixture)
{
    store_open(8 << 20, 0);
    assert_true(put("/a", SLICE));
    struct sge_key key = key_of("/a");
    struct sge_object *object = sge_content_find(content, &key);
    sge_object_withdraw(shard, object);
    assert_null(sge_content_find(content, &key));
    settle();
    uint64_t offset = 0;
    assert_int_equal(read_on(object->body, &offset), SGE_READ_END);
    assert_int_equal(offset, SLICE);
    sg_hold_unref(&object->hold);
    settle();
    settle();
    struct sge_shard_counts counts;
    sge_shard_counts(shard, &counts);
    assert_int_equal(counts.used_bytes, 0);
    store_close();
    (void)fixture;
}

static void a_reader_waits_is_told_and_ends_with_a_body_of_unknown_length(void **fixture)
{
    struct sg_msg msg;
    store_open(8 << 20, 0);
    struct sge_body *body = sge_body_make(shard, SGE_LENGTH_UNKNOWN, 1, false);
    uint64_t offset = 0;
    assert_int_equal(read_on(body, &offset), SGE_READ_WAIT);
    assert_true(sge_body_watch(body, 0));
    assert_int_equal(read_on(body, &offset), SGE_READ_WAIT);
    assert_false(sge_body_watch(body, 0));
    fill(body, 0, 100);
    assert_int_equal(sg_mail_take(mail, 0, &msg, 1), 1);
    assert_true(msg.type == SGE_MSG_BODY_MOVED && msg.ptr[0] == body);
    assert_int_equal(read_on(body, &offset), SGE_READ_WAIT);
    assert_int_equal(offset, 100);
    assert_true(sge_body_watch(body, 0)); /* the first bit was taken: look again */
    fill(body, 100, 2 * SLICE + 5);
    sge_body_finish(shard, body, true);
    assert_int_equal(read_on(body, &offset), SGE_READ_END);
    assert_int_equal(offset, 2 * SLICE + 5);
    assert_int_equal(sge_body_bytes(body), 2 * SLICE + 5);
    sg_hold_unref(sge_body_hold(body));
    store_close();
    (void)fixture;
}

static void a_fill_that_ends_short_fails_its_readers_after_what_there_is(void **fixture)
{
    store_open(8 << 20, 0);
    struct sge_body *body = sge_body_make(shard, 1000, 1, false);
    uint64_t offset = 0;
    fill(body, 0, 999);
    sge_body_finish(shard, body, true); /* it lied */
    assert_int_equal(read_on(body, &offset), SGE_READ_FAILED);
    assert_int_equal(offset, 999);
    sg_hold_unref(sge_body_hold(body));
    store_close();
    (void)fixture;
}

static void slices_are_claimed_filled_and_abandoned_one_by_one(void **fixture)
{
    store_open(8 << 20, 0);
    struct sge_body *body = sge_body_make(shard, 100 * SLICE, 1, false);
    uint64_t offset = 50 * SLICE;
    assert_int_equal(read_on(body, &offset), SGE_READ_MISSING);
    assert_true(sge_body_slice_claim(shard, body, 50));
    assert_false(sge_body_slice_claim(shard, body, 50));
    assert_int_equal(read_on(body, &offset), SGE_READ_WAIT);
    fill(body, 50 * SLICE, 50 * SLICE + 10);
    sge_body_slice_abandon(shard, body, 50);
    offset = 50 * SLICE;
    assert_int_equal(read_on(body, &offset), SGE_READ_MISSING);
    assert_true(sge_body_slice_claim(shard, body, 50));
    fill(body, 50 * SLICE, 51 * SLICE);
    assert_int_equal(read_on(body, &offset), SGE_READ_MISSING);
    assert_int_equal(offset, 51 * SLICE);
    assert_true(sge_body_slice_claim(shard, body, SGE_SLICES_ALL));
    assert_int_equal(read_on(body, &offset), SGE_READ_WAIT);
    sge_body_slice_abandon(shard, body, SGE_SLICES_ALL);
    assert_int_equal(read_on(body, &offset), SGE_READ_MISSING);
    sg_hold_unref(sge_body_hold(body));
    store_close();
    (void)fixture;
}

static void once_bodies_forget_what_was_read(void **fixture)
{
    store_open(12 << 20, 0);
    struct sge_body *body = sge_body_make(shard, 1000 * SLICE, 1, true); /* 62 MiB through 12 */
    uint64_t offset = 0;
    for (uint64_t n = 0; n < 1000; n++) {
        fill(body, n * SLICE, (n + 1) * SLICE);
        assert_int_equal(sge_body_unread(body), SLICE);
        assert_int_equal(read_on(body, &offset), n == 999 ? SGE_READ_END : SGE_READ_MISSING);
        assert_int_equal(sge_body_unread(body), 0);
    }
    sg_hold_unref(sge_body_hold(body));
    store_close();
    (void)fixture;
}

static void a_full_store_evicts_what_nobody_uses(void **fixture)
{
    char text[32];
    store_open(4 << 20, 0);
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "/%d", i);
        for (int tries = 0; !put(text, 100000); tries++) {
            assert_true(tries < 3);
            settle();
        }
    }
    struct sge_key first = key_of("/0"), last = key_of("/499");
    assert_null(sge_content_find(content, &first));
    struct sge_object *object = sge_content_find(content, &last);
    assert_non_null(object);
    uint64_t offset = 0;
    assert_int_equal(read_on(object->body, &offset), SGE_READ_END);
    sg_hold_unref(&object->hold);
    store_close();
    (void)fixture;
}

static void small_objects_and_whole_blocks_take_turns_in_a_full_store(void **fixture)
{
    char text[32];
    store_open(8 << 20, 0);
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof(text), "/%d", i);
        uint64_t bytes = i % 100 < 50 ? 700 : SLICE + 1;
        for (int tries = 0; !put(text, bytes); tries++) {
            assert_true(tries < 8);
            settle();
        }
    }
    store_close();
    (void)fixture;
}

static void pinned_slices_are_not_evicted_and_a_pinned_store_says_no(void **fixture)
{
    store_open(2 << 20, 0);
    struct sge_body *body = sge_body_make(shard, 14 * SLICE, 1, false);
    struct sg_slice held[16];
    size_t count = 0;
    fill(body, 0, 14 * SLICE);
    assert_int_equal(sge_body_read(body, 0, UINT64_MAX, held, 16, &count), SGE_READ_OK);
    assert_int_equal(count, 14);
    struct sge_body *more = sge_body_make(shard, 14 * SLICE, 1, false);
    uint8_t *memory;
    uint32_t room;
    if (more != NULL) {
        bool got = true;
        for (uint32_t i = 0; i < 14 && got; i++)
            got = sge_body_window(shard, more, i, &memory, &room);
        assert_false(got);
    }
    for (size_t i = 0; i < count; i++) {
        for (uint32_t b = 0; b < held[i].len; b++)
            assert_int_equal(held[i].bytes[b], pattern(i * SLICE + b));
        sg_slice_drop(&held[i]);
    }
    settle();
    assert_true(more == NULL || sge_body_window(shard, more, 5, &memory, &room));
    if (more != NULL)
        sg_hold_unref(sge_body_hold(more));
    sg_hold_unref(sge_body_hold(body));
    store_close();
    (void)fixture;
}

static void without_a_disk_objects_go_whole_and_not_while_they_are_read(void **fixture)
{
    char text[32];
    store_open(6 << 20, 0);
    assert_true(put("/read", 8 * SLICE));
    struct sge_key key = key_of("/read");
    struct sge_object *object = sge_content_find(content, &key);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "/%d", i);
        for (int tries = 0; !put(text, 3 * SLICE); tries++) {
            assert_true(tries < 8);
            settle();
        }
        struct sge_key before = key_of(i % 2 == 0 ? "/0" : "/1");
        struct sge_object *old = sge_content_find(content, &before);
        uint64_t at = 0;
        if (old != NULL) { /* whole as long as it can be found */
            assert_int_equal(read_on(old->body, &at), SGE_READ_END);
            sg_hold_unref(&old->hold);
        }
    }
    uint64_t offset = 0;
    assert_int_equal(read_on(object->body, &offset), SGE_READ_END);
    sg_hold_unref(&object->hold);
    store_close();
    (void)fixture;
}

static void the_number_of_objects_is_bounded_too(void **fixture)
{
    char text[32];
    struct sge_shard_counts counts;
    store_open(8 << 20, 10);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "/%d", i);
        assert_true(put(text, 10));
    }
    sge_shard_counts(shard, &counts);
    assert_int_equal(counts.objects, 10);
    store_close();
    (void)fixture;
}

static void a_tenant_over_its_share_goes_first(void **fixture)
{
    char text[32];
    store_open(8 << 20, 0);
    assert_true(sge_content_share(content, 7, 50));
    struct sge_key key;
    struct sge_meta meta = {.status = 200, .tenant = 7};
    struct sge_body *body = sge_body_make(shard, 2 << 20, 7, false); /* a quarter of the store */
    fill(body, 0, 2 << 20);
    sge_body_finish(shard, body, true);
    key = key_of("/sevens");
    struct sge_object_new from = {&key, &meta, SG_STR_NONE, body};
    sge_object_publish(shard, sge_object_make(shard, &from), false);
    sg_hold_unref(sge_body_hold(body));
    for (int i = 0; i < 300; i++) { /* the others' 19 MiB pass through */
        snprintf(text, sizeof(text), "/%d", i);
        for (int tries = 0; !put(text, SLICE); tries++) {
            assert_true(tries < 8);
            settle();
        }
    }
    struct sge_object *object = sge_content_find(content, &key);
    assert_non_null(object);
    uint64_t offset = 0;
    assert_int_equal(read_on(object->body, &offset), SGE_READ_END);
    sg_hold_unref(&object->hold);
    store_close();
    (void)fixture;
}

static void a_freshened_object_takes_the_place_of_the_old_over_the_same_body(void **fixture)
{
    store_open(4 << 20, 0);
    assert_true(put("/a", 5000));
    struct sge_key key = key_of("/a");
    struct sge_object *old = sge_content_find(content, &key);
    assert_non_null(publish("/a", old->body));
    struct sge_object *now = sge_content_find(content, &key);
    assert_true(now != old && now->body == old->body);
    sg_hold_unref(&old->hold);
    settle();
    uint64_t offset = 0;
    assert_int_equal(read_on(now->body, &offset), SGE_READ_END);
    assert_int_equal(offset, 5000);
    sg_hold_unref(&now->hold);
    store_close();
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    struct sge_content_conf conf = {.ram_bytes = 4 << 20, .slice_bytes = SLICE, .workers = 2};
    assert_int_equal(sg_mail_open(2, 64, &mail), SG_OK);
    conf.mail = mail;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_content *made = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sge_content_open(&conf, &made);
        assert_true(err == SG_OK ? made != NULL : made == NULL && err == SG_ENOMEM);
        sge_content_close(made);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    sg_mail_close(mail);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_put_is_found_and_reads_the_same),
    cmocka_unit_test(withdrawn_objects_stay_whole_for_those_who_hold_them),
    cmocka_unit_test(a_reader_waits_is_told_and_ends_with_a_body_of_unknown_length),
    cmocka_unit_test(a_fill_that_ends_short_fails_its_readers_after_what_there_is),
    cmocka_unit_test(slices_are_claimed_filled_and_abandoned_one_by_one),
    cmocka_unit_test(once_bodies_forget_what_was_read),
    cmocka_unit_test(a_full_store_evicts_what_nobody_uses),
    cmocka_unit_test(small_objects_and_whole_blocks_take_turns_in_a_full_store),
    cmocka_unit_test(pinned_slices_are_not_evicted_and_a_pinned_store_says_no),
    cmocka_unit_test(without_a_disk_objects_go_whole_and_not_while_they_are_read),
    cmocka_unit_test(the_number_of_objects_is_bounded_too),
    cmocka_unit_test(a_tenant_over_its_share_goes_first),
    cmocka_unit_test(a_freshened_object_takes_the_place_of_the_old_over_the_same_body),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("content", tests)
