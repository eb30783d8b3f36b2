#include "tests/sgt.h"

#include "tests/unit/dataplane/delivery_rig.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define MAX_AGE "cache-control: max-age=60\r\netag: \"v1\"\r\n"

static int setup(void **fixture)
{
    (void)fixture;
    rig_open();
    return 0;
}

static int teardown(void **fixture)
{
    (void)fixture;
    rig_close();
    return 0;
}

static void assert_body(const struct rig_viewer *v, size_t from, size_t len)
{
    assert_int_equal(v->got, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(v->body[i], rig_byte(from + i));
}

/* One viewer brings `path` in. */
static void fetch_it(const char *path, const char *lines, size_t len)
{
    struct rig_viewer *v = rig_get(0, path, NULL);
    rig_answer(rig_fetch(), 200, lines, len);
    rig_read(v);
    assert_int_equal(v->status, 200);
    assert_body(v, 0, len);
    rig_leave(v);
}

static void a_second_viewer_on_either_worker_has_it_without_the_origin(void **fixture)
{
    (void)fixture;
    fetch_it("/a.ts", MAX_AGE, 3 * RIG_SLICE + 17);
    for (uint16_t worker = 0; worker < RIG_WORKERS; worker++) {
        struct rig_viewer *v = rig_get(worker, "/a.ts", NULL);
        rig_read(v);
        assert_int_equal(v->status, 200);
        assert_body(v, 0, 3 * RIG_SLICE + 17);
        assert_non_null(strstr(rig_field(v, "cache-status"), "hit"));
        rig_leave(v);
    }
    assert_int_equal(rig_fetches, 1);
}

static void many_waiters_share_one_fetch_and_get_what_came_so_far(void **fixture)
{
    struct rig_viewer *v[8];
    (void)fixture;
    for (int i = 0; i < 8; i++)
        v[i] = rig_get((uint16_t)(i % 2), "/b.ts", NULL);
    assert_int_equal(rig_fetches, 1);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 200, MAX_AGE, 2 * RIG_SLICE);
    rig_data(fetch, 1000);
    for (int i = 0; i < 8; i++) {
        rig_read(v[i]);
        assert_body(v[i], 0, 1000);
        assert_false(v[i]->ended);
    }
    rig_leave(v[0]); /* the first one's leaving ends nothing */
    assert_false(rig_aborted(fetch));
    rig_data(fetch, 2 * RIG_SLICE - 1000);
    rig_done(fetch, SGD_ORIGIN_none);
    for (int i = 1; i < 8; i++) {
        assert_true(v[i]->ready);
        rig_read(v[i]);
        assert_true(v[i]->ended);
        assert_body(v[i], 0, 2 * RIG_SLICE);
    }
}

static void what_may_not_be_shared_is_never_given_to_a_waiter(void **fixture)
{
    (void)fixture;
    struct rig_viewer *first = rig_get(0, "/me", NULL), *second = rig_get(1, "/me", NULL);
    assert_int_equal(rig_fetches, 1);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 200, "cache-control: private\r\n", 10);
    assert_int_equal(first->status, 200);
    assert_int_equal(second->status, 0);
    assert_int_equal(rig_fetches, 2);
    rig_data(fetch, 10);
    rig_done(fetch, SGD_ORIGIN_none);
    rig_answer(rig_fetch(), 200, "cache-control: private\r\n", 20);
    rig_read(first);
    rig_read(second);
    assert_body(first, 0, 10);
    assert_body(second, 0, 20);
}

static void a_fetch_for_one_viewer_ends_when_he_leaves(void **fixture)
{
    (void)fixture;
    for (uint16_t worker = 0; worker < RIG_WORKERS; worker++) {
        struct rig_viewer *v = rig_get(worker, "/mine", NULL);
        struct sgd_fetch *fetch = rig_fetch();
        rig_head(fetch, 200, "cache-control: no-store\r\n", 10 * RIG_SLICE);
        rig_data(fetch, 1000);
        rig_read(v);
        rig_leave(v);
        assert_true(rig_aborted(fetch));
        rig_done(fetch, SGD_ORIGIN_aborted);
    }
}

static void a_viewer_alone_holds_the_origin_back(void **fixture)
{
    (void)fixture;
    rig_site.cache.enabled = false;
    struct rig_viewer *v = rig_get(0, "/big", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 200, "", 40 * RIG_SLICE);
    size_t sent = rig_data(fetch, 40 * RIG_SLICE);
    assert_true(sent >= 2 * RIG_SLICE && sent <= 5 * RIG_SLICE);
    for (int i = 0; i < 100 && sent < 40 * RIG_SLICE; i++) {
        rig_read(v);
        sent += rig_data(fetch, 40 * RIG_SLICE - sent);
    }
    rig_done(fetch, SGD_ORIGIN_none);
    rig_read(v);
    assert_true(v->ended);
    assert_body(v, 0, 40 * RIG_SLICE);
}

static void half_an_answer_is_cut_and_never_found_again(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_get(0, "/c.ts", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 200, MAX_AGE, 2000);
    rig_data(fetch, 500);
    rig_done(fetch, SGD_ORIGIN_incomplete);
    rig_read(v);
    assert_true(v->failed);
    assert_body(v, 0, 500);
    struct rig_viewer *next = rig_get(1, "/c.ts", NULL);
    assert_int_equal(rig_fetches, 2);
    assert_int_equal(next->status, 0);
}

static void an_origin_error_is_told_exactly(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_get(0, "/d.ts", NULL);
    rig_done(rig_fetch(), SGD_ORIGIN_connection_refused);
    rig_read(v);
    assert_int_equal(v->status, 502);
    assert_non_null(strstr(rig_field(v, "proxy-status"), "error=connection_refused"));
    assert_string_equal(rig_field(v, "cache-control"), "no-store");
}

static void a_304_makes_it_fresh_again_over_the_same_body(void **fixture)
{
    (void)fixture;
    fetch_it("/e.ts", MAX_AGE, 5000);
    rig_sleep_s(61);
    struct rig_viewer *v = rig_get(1, "/e.ts", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    assert_string_equal(rig_fetch_field(fetch, "if-none-match"), "\"v1\"");
    rig_head(fetch, 304, "cache-control: max-age=60\r\nx-new: 1\r\n", 0);
    rig_done(fetch, SGD_ORIGIN_none);
    rig_read(v);
    assert_int_equal(v->status, 200);
    assert_body(v, 0, 5000);
    assert_string_equal(rig_field(v, "x-new"), "1");
    v = rig_get(0, "/e.ts", NULL);
    assert_int_equal(v->status, 200);
    assert_int_equal(rig_fetches, 2);
}

static void a_304_that_is_private_is_given_to_one_and_the_others_ask_again(void **fixture)
{
    (void)fixture;
    fetch_it("/p.ts", MAX_AGE, 5000);
    rig_sleep_s(61);
    struct rig_viewer *first = rig_get(0, "/p.ts", NULL), *second = rig_get(1, "/p.ts", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 304, "cache-control: private\r\nx-for: first\r\n", 0);
    rig_done(fetch, SGD_ORIGIN_none);
    assert_string_equal(rig_field(first, "x-for"), "first");
    assert_int_equal(second->status, 0);
    fetch = rig_fetch();
    assert_null(rig_fetch_field(fetch, "if-none-match"));
    rig_answer(fetch, 200, "cache-control: private\r\nx-for: second\r\n", 100);
    assert_string_equal(rig_field(second, "x-for"), "second");
    assert_int_equal(rig_fetches, 3);
}

static void a_failed_validation_serves_stale_only_where_allowed(void **fixture)
{
    (void)fixture;
    fetch_it("/f.ts", "cache-control: max-age=60, stale-if-error=100\r\netag: \"v1\"\r\n", 100);
    fetch_it("/g.ts", MAX_AGE, 100);
    rig_sleep_s(61);
    struct rig_viewer *f = rig_get(0, "/f.ts", NULL);
    rig_done(rig_fetch(), SGD_ORIGIN_connection_timeout);
    rig_read(f);
    assert_int_equal(f->status, 200);
    assert_body(f, 0, 100);
    struct rig_viewer *g = rig_get(0, "/g.ts", NULL);
    rig_done(rig_fetch(), SGD_ORIGIN_connection_timeout);
    assert_int_equal(g->status, 504);
}

static void stale_while_revalidate_answers_at_once_and_asks_once(void **fixture)
{
    (void)fixture;
    fetch_it("/h.ts", "cache-control: max-age=60, stale-while-revalidate=30\r\netag: \"v1\"\r\n",
             100);
    rig_sleep_s(61);
    for (uint16_t i = 0; i < 4; i++)
        assert_int_equal(rig_get(i % 2, "/h.ts", NULL)->status, 200);
    assert_int_equal(rig_fetches, 2);
    rig_answer(rig_fetch(), 200, MAX_AGE, 50);
    struct rig_viewer *v = rig_get(1, "/h.ts", NULL);
    rig_read(v);
    assert_body(v, 0, 50);
}

static void vary_keeps_variants_apart_and_waiters_too(void **fixture)
{
    (void)fixture;
    const char *lines = MAX_AGE "vary: x-lang\r\n";
    struct rig_viewer *de = rig_get(0, "/v", "x-lang", "de", NULL);
    struct rig_viewer *fr = rig_get(1, "/v", "x-lang", "fr", NULL);
    assert_int_equal(rig_fetches, 1);
    rig_answer(rig_fetch(), 200, lines, 10);
    assert_int_equal(de->status, 200);
    assert_int_equal(fr->status, 0); /* his is another one */
    rig_answer(rig_fetch(), 200, lines, 20);
    rig_read(fr);
    assert_body(fr, 0, 20);
    assert_int_equal(rig_fetches, 2);
    for (uint16_t w = 0; w < RIG_WORKERS; w++) {
        struct rig_viewer *v = rig_get(w, "/v", "x-lang", "de", NULL);
        rig_read(v);
        assert_body(v, 0, 10);
        v = rig_get(w, "/v", "x-lang", "fr", NULL);
        rig_read(v);
        assert_body(v, 0, 20);
    }
    assert_int_equal(rig_fetches, 2);
}

static void a_star_varies_for_everyone(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_get(0, "/s", NULL);
    rig_answer(rig_fetch(), 200, MAX_AGE "vary: *\r\n", 10);
    assert_int_equal(v->status, 200);
    rig_get(0, "/s", NULL);
    assert_int_equal(rig_fetches, 2);
}

static void a_hard_purge_is_a_miss_and_a_soft_one_a_validation(void **fixture)
{
    (void)fixture;
    fetch_it("/p.ts", MAX_AGE, 100);
    rig_purge_seq = 1;
    rig_purged = SGE_PURGED_SOFT;
    struct rig_viewer *v = rig_get(0, "/p.ts", NULL);
    assert_non_null(rig_fetch_field(rig_fetch(), "if-none-match"));
    rig_answer(rig_fetch(), 200, MAX_AGE, 50);
    rig_read(v);
    assert_body(v, 0, 50);
    rig_purge_seq = 2;
    rig_purged = SGE_PURGED_HARD;
    rig_get(1, "/p.ts", NULL);
    assert_non_null(rig_fetch());
    assert_null(rig_fetch_field(rig_fetch(), "if-none-match"));
}

static void a_fetch_that_began_before_a_purge_is_not_fresh_after_it(void **fixture)
{
    (void)fixture;
    rig_get(0, "/q.ts", NULL);
    rig_purge_seq = 1;
    rig_purged = SGE_PURGED_HARD;
    rig_answer(rig_fetch(), 200, MAX_AGE, 100);
    rig_get(1, "/q.ts", NULL);
    assert_int_equal(rig_fetches, 2);
}

static void ranges_and_conditions_are_answered_from_the_store(void **fixture)
{
    (void)fixture;
    fetch_it("/r.ts", MAX_AGE "content-type: video/mp4\r\n", 1000);
    struct rig_viewer *v = rig_get(0, "/r.ts", "range", "bytes=100-199", NULL);
    rig_read(v);
    assert_int_equal(v->status, 206);
    assert_string_equal(rig_field(v, "content-range"), "bytes 100-199/1000");
    assert_body(v, 100, 100);
    v = rig_get(0, "/r.ts", "range", "bytes=2000-", NULL);
    assert_int_equal(v->status, 416);
    assert_string_equal(rig_field(v, "content-range"), "bytes */1000");
    v = rig_get(0, "/r.ts", "if-none-match", "\"v1\"", NULL);
    assert_int_equal(v->status, 304);
    assert_null(rig_field(v, "content-type"));
    v = rig_get(0, "/r.ts", "range", "bytes=0-1,500-501", NULL);
    rig_read(v);
    assert_int_equal(v->status, 206);
    assert_true(v->got == v->length);
    assert_non_null(memmem(v->body, v->got, "Content-Range: bytes 500-501/1000", 33));
    assert_int_equal(rig_fetches, 1);
}

static void head_is_answered_from_a_get(void **fixture)
{
    (void)fixture;
    fetch_it("/i.ts", MAX_AGE, 777);
    struct rig_viewer *v = rig_ask(1, "HEAD", "/i.ts", NULL);
    assert_int_equal(v->status, 200);
    assert_int_equal(v->length, 777);
    assert_true(v->ended);
    assert_int_equal(rig_fetches, 1);
}

static void an_answer_without_a_length_is_whole_when_the_origin_ends(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_get(0, "/j", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 200, MAX_AGE, SGD_LENGTH_UNKNOWN);
    assert_true(v->length == SGD_LENGTH_UNKNOWN);
    rig_data(fetch, RIG_SLICE + 100);
    rig_done(fetch, SGD_ORIGIN_none);
    rig_read(v);
    assert_true(v->ended);
    assert_body(v, 0, RIG_SLICE + 100);
    v = rig_get(1, "/j", NULL);
    rig_read(v);
    assert_body(v, 0, RIG_SLICE + 100);
}

static void methods_that_the_site_does_not_allow_are_405(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_ask(0, "POST", "/k", NULL);
    assert_int_equal(v->status, 405);
    assert_string_equal(rig_field(v, "allow"), "GET, HEAD, OPTIONS");
    assert_int_equal(rig_fetches, 0);
}

static void a_put_that_went_well_invalidates_what_is_stored(void **fixture)
{
    static const char *methods[] = {"PUT"};
    (void)fixture;
    rig_site.methods = methods;
    rig_site.methods_count = 1;
    fetch_it("/l", MAX_AGE, 10);
    struct rig_viewer *v = rig_ask(1, "PUT", "/l", NULL);
    rig_answer(rig_fetch(), 500, "", 0);
    assert_int_equal(v->status, 500);
    assert_int_equal(rig_get(0, "/l", NULL)->status, 200); /* a failure changes nothing */
    rig_ask(1, "PUT", "/l", NULL);
    rig_answer(rig_fetch(), 204, "", 0);
    rig_get(0, "/l", NULL);
    assert_int_equal(rig_fetches, 4);
}

static void only_if_cached_never_goes_to_the_origin(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_get(0, "/m", "cache-control", "only-if-cached", NULL);
    assert_int_equal(v->status, 504);
    assert_int_equal(rig_fetches, 0);
}

static void whoever_waits_too_long_is_told(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_get(1, "/n", NULL);
    rig_sleep_s(121);
    assert_int_equal(v->status, 504);
}

/* Brings in a part of `path` only, so that the rest is missing as after an eviction. */
static void fetch_part(const char *path, const char *lines)
{
    rig_site.cache.range_fill = true;
    struct rig_viewer *v = rig_get(0, path, "range", "bytes=140000-140009", NULL);
    rig_answer(rig_fetch(), 206, lines, RIG_SLICE);
    rig_read(v);
    assert_int_equal(v->got, 10);
    rig_leave(v);
}

static void an_origin_without_ranges_gives_a_missing_part_all_the_same(void **fixture)
{
    (void)fixture;
    fetch_part("/o.ts", MAX_AGE "content-range: bytes 131072-196607/262144\r\n");
    struct rig_viewer *v = rig_get(1, "/o.ts", "range", "bytes=65536-131071", NULL);
    rig_read(v);
    struct sgd_fetch *fetch = rig_fetch();
    rig_head(fetch, 200, MAX_AGE, 4 * RIG_SLICE);
    assert_int_equal(rig_data(fetch, 4 * RIG_SLICE), 2 * RIG_SLICE);
    assert_true(rig_aborted(fetch)); /* what follows is not needed */
    rig_done(fetch, SGD_ORIGIN_aborted);
    rig_read(v);
    assert_true(v->ended);
    assert_body(v, RIG_SLICE, RIG_SLICE);
}

static void an_origin_that_never_brings_what_is_missing_is_not_asked_for_ever(void **fixture)
{
    (void)fixture;
    fetch_part("/op.ts", MAX_AGE "content-range: bytes 131072-196607/262144\r\n");
    struct rig_viewer *v = rig_get(1, "/op.ts", NULL);
    rig_read(v);
    while (rig_fetch() != NULL && rig_fetches < 20) {
        struct sgd_fetch *fetch = rig_fetch();
        rig_head(fetch, 200, MAX_AGE, SGD_LENGTH_UNKNOWN);
        rig_data(fetch, 100);
        rig_done(fetch, SGD_ORIGIN_none);
        rig_read(v);
    }
    assert_true(v->failed);
    assert_in_range(rig_fetches, 2, 6);
}

static void a_missing_part_of_something_else_cuts_the_answer(void **fixture)
{
    (void)fixture;
    fetch_part("/oo.ts", MAX_AGE "content-range: bytes 131072-196607/262144\r\n");
    struct rig_viewer *v = rig_get(1, "/oo.ts", NULL);
    rig_read(v);
    rig_head(rig_fetch(), 200, "etag: \"v2\"\r\n", 4 * RIG_SLICE);
    rig_read(v);
    assert_true(v->failed);
}

static void what_was_evicted_and_has_no_validator_is_fetched_whole(void **fixture)
{
    (void)fixture;
    const char *lines = "cache-control: max-age=60\r\n";
    fetch_it("/p1.ts", lines, 3 * RIG_SLICE);
    for (int i = 0; i < 40; i++) { /* more than the RAM tier holds */
        char path[32];
        snprintf(path, sizeof(path), "/fill/%d", i);
        struct rig_viewer *f = rig_get(0, path, NULL);
        rig_answer(rig_fetch(), 200, MAX_AGE, 4 << 20);
        rig_leave(f);
    }
    struct rig_viewer *v = rig_get(0, "/p1.ts", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    assert_non_null(fetch);
    assert_null(rig_fetch_field(fetch, "range"));
    rig_answer(fetch, 200, lines, 3 * RIG_SLICE);
    rig_read(v);
    assert_body(v, 0, 3 * RIG_SLICE);
}

static void a_range_brings_only_its_slices_and_the_rest_when_asked(void **fixture)
{
    (void)fixture;
    rig_site.cache.range_fill = true;
    struct rig_viewer *v = rig_get(0, "/t.mp4", "range", "bytes=70000-70009", NULL);
    struct sgd_fetch *fetch = rig_fetch();
    assert_string_equal(rig_fetch_field(fetch, "range"), "bytes=65536-131071");
    rig_head(fetch, 206, MAX_AGE "content-range: bytes 65536-131071/200000\r\n", RIG_SLICE);
    rig_data(fetch, RIG_SLICE);
    rig_done(fetch, SGD_ORIGIN_none);
    rig_read(v);
    assert_int_equal(v->status, 206);
    assert_string_equal(rig_field(v, "content-range"), "bytes 70000-70009/200000");
    assert_body(v, 70000 - 65536, 10);
    v = rig_get(1, "/t.mp4", NULL);
    rig_read(v);
    assert_int_equal(v->length, 200000);
    fetch = rig_fetch();
    assert_string_equal(rig_fetch_field(fetch, "range"), "bytes=0-65535");
    assert_string_equal(rig_fetch_field(fetch, "if-range"), "\"v1\"");
    rig_answer(fetch, 206, MAX_AGE "content-range: bytes 0-65535/200000\r\n", RIG_SLICE);
    rig_read(v);
    assert_int_equal(v->got, 2 * RIG_SLICE);
    fetch = rig_fetch();
    assert_string_equal(rig_fetch_field(fetch, "range"), "bytes=131072-262143");
    rig_answer(fetch, 206, MAX_AGE "content-range: bytes 131072-199999/200000\r\n", 68928);
    rig_read(v);
    assert_true(v->ended);
    assert_int_equal(rig_fetches, 3);
}

/* Its parts could be of different versions, and nobody could tell (RFC 9111 section 3.4). */
static void a_range_of_what_is_not_for_sharing_is_fetched_as_asked(void **fixture)
{
    (void)fixture;
    static const char lines[] = "cache-control: no-store\r\n"
                                "content-range: bytes 70000-70009/200000\r\n";
    rig_site.cache.range_fill = true;
    struct rig_viewer *v = rig_get(0, "/n.ts", "range", "bytes=70000-70009", NULL);
    struct sgd_fetch *first = rig_fetch();
    rig_head(first, 206, "cache-control: no-store\r\ncontent-range: bytes 65536-131071/200000\r\n",
             RIG_SLICE);
    assert_true(rig_aborted(first));
    rig_done(first, SGD_ORIGIN_aborted);
    for (uint32_t fetches = 2; fetches < 4; fetches++) { /* only the first had to find out */
        struct sgd_fetch *fetch = rig_fetch();
        assert_int_equal(rig_fetches, fetches);
        assert_string_equal(rig_fetch_field(fetch, "range"), "bytes=70000-70009");
        rig_answer(fetch, 206, lines, 10);
        rig_read(v);
        assert_int_equal(v->status, 206);
        assert_int_equal(v->got, 10);
        rig_leave(v);
        v = rig_get(1, "/n.ts", "range", "bytes=70000-70009", NULL);
    }
    rig_answer(rig_fetch(), 206, lines, 10);
    rig_leave(v);
}

static void a_range_of_what_has_no_strong_validator_brings_the_whole(void **fixture)
{
    static const char *const validators[] = {"", "etag: W/\"v1\"\r\n",
                                             "last-modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n"};
    (void)fixture;
    rig_site.cache.range_fill = true;
    for (size_t i = 0; i < SG_COUNT(validators); i++) {
        char path[32], lines[200], part[300];
        snprintf(path, sizeof(path), "/weak%zu.mp4", i);
        snprintf(lines, sizeof(lines), "cache-control: max-age=60\r\n%s", validators[i]);
        snprintf(part, sizeof(part), "%scontent-range: bytes 65536-131071/200000\r\n", lines);
        struct rig_viewer *v = rig_get(0, path, "range", "bytes=70000-70009", NULL);
        struct sgd_fetch *fetch = rig_fetch();
        assert_non_null(rig_fetch_field(fetch, "range"));
        rig_head(fetch, 206, part, RIG_SLICE);
        assert_true(rig_aborted(fetch));
        rig_done(fetch, SGD_ORIGIN_aborted);
        fetch = rig_fetch();
        assert_null(rig_fetch_field(fetch, "range"));
        rig_answer(fetch, 200, lines, 200000);
        rig_read(v);
        assert_int_equal(v->status, 206);
        assert_body(v, 70000, 10);
        rig_leave(v);
    }
}

static void a_part_of_another_version_is_never_mixed_in(void **fixture)
{
    (void)fixture;
    rig_site.cache.range_fill = true;
    struct rig_viewer *v = rig_get(0, "/u.mp4", "range", "bytes=0-9", NULL);
    rig_answer(rig_fetch(), 206, MAX_AGE "content-range: bytes 0-65535/200000\r\n", RIG_SLICE);
    rig_read(v);
    assert_int_equal(v->got, 10);
    v = rig_get(0, "/u.mp4", "range", "bytes=65530-65545", NULL);
    rig_read(v);
    rig_answer(rig_fetch(), 206, "etag: \"v2\"\r\ncontent-range: bytes 65536-131071/200000\r\n", 0);
    rig_read(v);
    assert_true(v->failed);
    assert_int_equal(v->got, 6);
    rig_get(1, "/u.mp4", "range", "bytes=0-9", NULL);
    assert_int_equal(rig_fetches, 3); /* the old version is gone */
}

static void what_was_not_for_sharing_may_become_so(void **fixture)
{
    (void)fixture;
    rig_get(0, "/w", NULL);
    rig_answer(rig_fetch(), 200, "cache-control: no-store\r\n", 10);
    struct rig_viewer *a = rig_get(0, "/w", NULL), *b = rig_get(1, "/w", NULL);
    assert_int_equal(rig_fetches, 3); /* nobody waits for the other */
    rig_answer(rig_fetch(), 200, MAX_AGE, 20);
    rig_answer(rig_fetch(), 200, MAX_AGE, 20);
    assert_int_equal(a->status, 200);
    assert_int_equal(b->status, 200);
    assert_int_equal(rig_get(1, "/w", NULL)->status, 200);
    assert_int_equal(rig_fetches, 3);
}

static void a_tenant_has_no_more_requests_at_once_than_its_part(void **fixture)
{
    (void)fixture;
    rig_config.limits.connections_per_tenant = 3; /* two a worker */
    struct rig_viewer *first = rig_get(0, "/x", NULL);
    assert_int_equal(rig_get(0, "/x", NULL)->status, 0);
    assert_int_equal(rig_get(0, "/x", NULL)->status, 503);
    assert_int_equal(rig_get(1, "/x", NULL)->status, 0);
    rig_leave(first);
    assert_int_equal(rig_get(0, "/x", NULL)->status, 0);
}

static void the_playlist_tells_what_is_fetched_ahead_once(void **fixture)
{
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nx.m4s\n"
                                   "#EXTINF:4,\ny.m4s\n#EXTINF:4,\nz.m4s\n#EXT-X-ENDLIST\n";
    (void)fixture;
    rig_site.cache.prefetch_segments = 2;
    rig_get(0, "/hls/v.m3u8", NULL);
    rig_text(rig_fetch(), MAX_AGE, playlist);
    rig_get(0, "/hls/x.m4s", "range", "bytes=0-99", NULL);
    rig_answer(rig_fetch(), 200, MAX_AGE, 1000);
    assert_int_equal(rig_fetches, 4); /* the playlist, x, and y and z ahead */
    assert_null(rig_fetch_field(rig_fetch(), "range"));
    rig_answer(rig_fetch(), 200, MAX_AGE, 1000);
    rig_answer(rig_fetch(), 200, MAX_AGE, 1000);
    assert_int_equal(rig_get(1, "/hls/y.m4s", NULL)->status, 200);
    assert_int_equal(rig_get(0, "/hls/z.m4s", NULL)->status, 200);
    rig_get(0, "/hls/x.m4s", NULL);
    assert_int_equal(rig_fetches, 4);
}

static void without_a_playlist_the_number_in_the_name_is_followed(void **fixture)
{
    (void)fixture;
    rig_site.cache.prefetch_segments = 1;
    rig_get(0, "/n/seg-0009.m4s", NULL);
    rig_answer(rig_fetch(), 200, MAX_AGE, 10);
    rig_answer(rig_fetch(), 200, MAX_AGE, 10);
    assert_int_equal(rig_get(0, "/n/seg-0010.m4s", NULL)->status, 200);
}

static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    T(a_second_viewer_on_either_worker_has_it_without_the_origin),
    T(many_waiters_share_one_fetch_and_get_what_came_so_far),
    T(what_may_not_be_shared_is_never_given_to_a_waiter),
    T(a_fetch_for_one_viewer_ends_when_he_leaves),
    T(a_viewer_alone_holds_the_origin_back),
    T(half_an_answer_is_cut_and_never_found_again),
    T(an_origin_error_is_told_exactly),
    T(a_304_makes_it_fresh_again_over_the_same_body),
    T(a_304_that_is_private_is_given_to_one_and_the_others_ask_again),
    T(a_failed_validation_serves_stale_only_where_allowed),
    T(stale_while_revalidate_answers_at_once_and_asks_once),
    T(vary_keeps_variants_apart_and_waiters_too),
    T(a_star_varies_for_everyone),
    T(a_hard_purge_is_a_miss_and_a_soft_one_a_validation),
    T(a_fetch_that_began_before_a_purge_is_not_fresh_after_it),
    T(ranges_and_conditions_are_answered_from_the_store),
    T(head_is_answered_from_a_get),
    T(an_answer_without_a_length_is_whole_when_the_origin_ends),
    T(methods_that_the_site_does_not_allow_are_405),
    T(a_put_that_went_well_invalidates_what_is_stored),
    T(only_if_cached_never_goes_to_the_origin),
    T(whoever_waits_too_long_is_told),
    T(an_origin_without_ranges_gives_a_missing_part_all_the_same),
    T(an_origin_that_never_brings_what_is_missing_is_not_asked_for_ever),
    T(a_missing_part_of_something_else_cuts_the_answer),
    T(what_was_evicted_and_has_no_validator_is_fetched_whole),
    T(a_range_brings_only_its_slices_and_the_rest_when_asked),
    T(a_range_of_what_is_not_for_sharing_is_fetched_as_asked),
    T(a_range_of_what_has_no_strong_validator_brings_the_whole),
    T(a_part_of_another_version_is_never_mixed_in),
    T(what_was_not_for_sharing_may_become_so),
    T(a_tenant_has_no_more_requests_at_once_than_its_part),
    T(the_playlist_tells_what_is_fetched_ahead_once),
    T(without_a_playlist_the_number_in_the_name_is_followed),
};
SGT_MAIN("delivery", tests)
