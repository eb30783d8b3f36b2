#include "tests/sgt.h"

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/origin/pool.h"

#define MS SG_NS_PER_MS

struct world {
    struct sgd_pool pool;
    struct sgd_url urls[3];
};

static void world_open(struct world *w, uint32_t count)
{
    static char names[3][2] = {"a", "b", "c"};
    memset(w, 0, sizeof(*w));
    w->pool.name = names[0];
    w->pool.urls = w->urls;
    w->pool.urls_count = count;
    w->pool.fall = 3;
    w->pool.rise = 2;
    w->pool.random = 12345;
    pthread_mutex_init(&w->pool.lock, NULL);
    for (uint32_t i = 0; i < count; i++) {
        w->urls[i].text = names[i];
        w->urls[i].weight = 1;
    }
    sg_log_set_level(SG_LOG_ERROR);
}

static void result(struct world *w, uint32_t url, enum sgd_outcome outcome, uint64_t now_ns)
{
    struct sgd_attempt attempt = {.outcome = outcome,
                                  .error = outcome == SGD_OUTCOME_GOOD ? NULL : "bad"};
    sgd_pool_result(&w->pool, url, &attempt, now_ns);
}

static void fail_times(struct world *w, uint32_t url, int times, uint64_t now_ns)
{
    for (int i = 0; i < times; i++)
        result(w, url, SGD_OUTCOME_FAILED, now_ns);
}

static void weights_are_kept_exactly_and_smoothly(void **fixture)
{
    struct world w;
    uint32_t counts[3] = {0}, last = 9, repeats = 0;
    world_open(&w, 3);
    w.urls[0].weight = 3;
    for (int i = 0; i < 500; i++) {
        uint32_t url = sgd_pool_pick(&w.pool, 0, 0);
        repeats += url == last;
        last = url;
        counts[url]++;
        result(&w, url, SGD_OUTCOME_GOOD, 0);
    }
    assert_int_equal(counts[0], 300);
    assert_int_equal(counts[1], 100);
    assert_int_equal(counts[2], 100);
    assert_true(repeats <= 100); /* a b a c a, a b a c a */
    (void)fixture;
}

static void what_was_tried_is_left_out(void **fixture)
{
    struct world w;
    world_open(&w, 3);
    assert_int_equal(sgd_pool_pick(&w.pool, 3, 0), 2);
    assert_int_equal(sgd_pool_pick(&w.pool, 7, 0), SGD_POOL_URL_NONE);
    (void)fixture;
}

static void backups_serve_only_while_no_other_is_up(void **fixture)
{
    struct world w;
    world_open(&w, 3);
    w.urls[2].backup = true;
    w.urls[2].weight = 1000;
    for (int i = 0; i < 20; i++)
        assert_int_not_equal(sgd_pool_pick(&w.pool, 0, 0), 2);
    fail_times(&w, 0, 3, 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), 1);
    fail_times(&w, 1, 3, 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), 2);
    (void)fixture;
}

static void failures_in_a_row_put_down_and_a_success_between_them_does_not(void **fixture)
{
    struct world w;
    world_open(&w, 1);
    for (int i = 0; i < 10; i++) {
        fail_times(&w, 0, 2, 0);
        result(&w, 0, SGD_OUTCOME_GOOD, 0);
    }
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), 0);
    fail_times(&w, 0, 3, 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), SGD_POOL_URL_NONE);
    (void)fixture;
}

static void back_off_doubles_within_its_jitter_and_has_an_end(void **fixture)
{
    struct world w;
    uint64_t now_ns = 1000 * MS, expected_ms = 500;
    world_open(&w, 1);
    fail_times(&w, 0, 3, now_ns);
    for (int i = 0; i < 10; i++) {
        uint64_t ms = (w.urls[0].down_until_ns - now_ns) / MS;
        assert_in_range(ms, expected_ms * 3 / 4, expected_ms * 5 / 4);
        expected_ms = SG_MIN(expected_ms * 2, 15000ull);
        assert_int_equal(sgd_pool_pick(&w.pool, 0, w.urls[0].down_until_ns - 1), SGD_POOL_URL_NONE);
        now_ns = w.urls[0].down_until_ns;
        assert_int_equal(sgd_pool_pick(&w.pool, 0, now_ns), 0);
        result(&w, 0, SGD_OUTCOME_FAILED, now_ns);
    }
    (void)fixture;
}

static void one_fetch_at_a_time_tries_a_url_that_was_down(void **fixture)
{
    struct world w;
    world_open(&w, 1);
    fail_times(&w, 0, 3, 0);
    uint64_t now_ns = w.urls[0].down_until_ns;
    assert_int_equal(sgd_pool_pick(&w.pool, 0, now_ns), 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, now_ns), SGD_POOL_URL_NONE);
    result(&w, 0, SGD_OUTCOME_UNUSED, now_ns); /* its viewer left: the next one tries */
    assert_int_equal(sgd_pool_pick(&w.pool, 0, now_ns), 0);
    sgd_pool_answered(&w.pool, 0, 5 * MS); /* a head came: the others need not wait for its body */
    assert_int_equal(sgd_pool_pick(&w.pool, 0, now_ns), 0);
    result(&w, 0, SGD_OUTCOME_GOOD, now_ns);
    assert_int_equal(w.urls[0].downs, 0);
    (void)fixture;
}

static void late_results_of_before_do_not_lift_or_lengthen_a_back_off(void **fixture)
{
    struct world w;
    world_open(&w, 1);
    fail_times(&w, 0, 3, 0);
    uint64_t until_ns = w.urls[0].down_until_ns;
    fail_times(&w, 0, 5, 0);
    assert_int_equal(w.urls[0].down_until_ns, until_ns);
    result(&w, 0, SGD_OUTCOME_GOOD, 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, until_ns - 1), SGD_POOL_URL_NONE);
    (void)fixture;
}

static void retry_after_is_honoured_up_to_a_minute(void **fixture)
{
    struct world w;
    struct sgd_attempt attempt = {.outcome = SGD_OUTCOME_BUSY, .retry_after_s = 7, .error = "503"};
    world_open(&w, 2);
    sgd_pool_result(&w.pool, 0, &attempt, 0);
    attempt.retry_after_s = 86400;
    sgd_pool_result(&w.pool, 1, &attempt, 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 6999 * MS), SGD_POOL_URL_NONE);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 7000 * MS), 0);
    assert_int_equal(sgd_pool_pick(&w.pool, 1, 59999 * MS), SGD_POOL_URL_NONE);
    assert_int_equal(sgd_pool_pick(&w.pool, 1, 60000 * MS), 1);
    (void)fixture;
}

static void a_500_never_takes_the_only_url_away_and_503s_only_after_many(void **fixture)
{
    struct world w;
    world_open(&w, 2);
    for (int i = 0; i < 20; i++)
        result(&w, 0, SGD_OUTCOME_BROKEN, 0); /* the other one can serve */
    assert_int_equal(w.urls[0].state, SGD_URL_DOWN);
    for (int i = 0; i < 20; i++)
        result(&w, 1, SGD_OUTCOME_BROKEN, 0);
    assert_int_equal(w.urls[1].state, SGD_URL_UP);
    for (int i = 0; i < 3 * SGD_POOL_ALONE_FACTOR - 1; i++)
        result(&w, 1, SGD_OUTCOME_BUSY, 0);
    assert_int_equal(w.urls[1].state, SGD_URL_UP);
    result(&w, 1, SGD_OUTCOME_BUSY, 0);
    assert_int_equal(w.urls[1].state, SGD_URL_DOWN);
    (void)fixture;
}

static void statuses_mean_what_they_say_of_the_server(void **fixture)
{
    static const uint16_t good[] = {200, 206, 301, 304, 400, 401, 403, 404, 416, 501, 505};
    static const uint16_t busy[] = {429, 502, 503, 504};
    for (size_t i = 0; i < SG_COUNT(good); i++)
        assert_int_equal(sgd_outcome_of_status(good[i]), SGD_OUTCOME_GOOD);
    for (size_t i = 0; i < SG_COUNT(busy); i++)
        assert_int_equal(sgd_outcome_of_status(busy[i]), SGD_OUTCOME_BUSY);
    assert_int_equal(sgd_outcome_of_status(500), SGD_OUTCOME_BROKEN);
    assert_int_equal(sgd_outcome_of_status(520), SGD_OUTCOME_BROKEN);
    (void)fixture;
}

static void active_checks_need_a_run_each_way(void **fixture)
{
    struct world w;
    world_open(&w, 1);
    sgd_pool_checked(&w.pool, 0, false, "status 500");
    sgd_pool_checked(&w.pool, 0, false, "status 500");
    sgd_pool_checked(&w.pool, 0, true, NULL);
    for (int i = 0; i < 2; i++)
        sgd_pool_checked(&w.pool, 0, false, "status 500");
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), 0);
    sgd_pool_checked(&w.pool, 0, false, "status 500");
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), SGD_POOL_URL_NONE);
    sgd_pool_checked(&w.pool, 0, true, NULL);
    sgd_pool_checked(&w.pool, 0, false, "no answer");
    sgd_pool_checked(&w.pool, 0, true, NULL);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), SGD_POOL_URL_NONE);
    sgd_pool_checked(&w.pool, 0, true, NULL);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 0), 0);
    (void)fixture;
}

static void a_good_check_ends_a_passive_back_off(void **fixture)
{
    struct world w;
    world_open(&w, 1);
    fail_times(&w, 0, 3, 0);
    sgd_pool_checked(&w.pool, 0, true, NULL);
    assert_int_equal(sgd_pool_pick(&w.pool, 0, 1), 0);
    (void)fixture;
}

static void health_is_carried_over_to_the_same_url_of_the_next_configuration(void **fixture)
{
    struct world old, new;
    struct sgd_url_status status[3];
    world_open(&old, 2);
    world_open(&new, 3);
    fail_times(&old, 1, 3, 0);
    sgd_pool_checked(&old.pool, 0, false, "x");
    sgd_pool_inherit(&new.pool, &old.pool);
    assert_int_equal(sgd_pool_status(&new.pool, status, 3), 3);
    assert_true(status[0].up);
    assert_false(status[1].up);
    assert_int_equal(status[1].backoff_until_ns, old.urls[1].down_until_ns);
    assert_int_equal(status[1].errors, 3);
    assert_string_equal(status[1].last_error, "bad");
    assert_true(status[2].up);
    assert_int_equal(new.urls[0].check_run, 1);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(weights_are_kept_exactly_and_smoothly),
    cmocka_unit_test(what_was_tried_is_left_out),
    cmocka_unit_test(backups_serve_only_while_no_other_is_up),
    cmocka_unit_test(failures_in_a_row_put_down_and_a_success_between_them_does_not),
    cmocka_unit_test(back_off_doubles_within_its_jitter_and_has_an_end),
    cmocka_unit_test(one_fetch_at_a_time_tries_a_url_that_was_down),
    cmocka_unit_test(late_results_of_before_do_not_lift_or_lengthen_a_back_off),
    cmocka_unit_test(retry_after_is_honoured_up_to_a_minute),
    cmocka_unit_test(a_500_never_takes_the_only_url_away_and_503s_only_after_many),
    cmocka_unit_test(statuses_mean_what_they_say_of_the_server),
    cmocka_unit_test(active_checks_need_a_run_each_way),
    cmocka_unit_test(a_good_check_ends_a_passive_back_off),
    cmocka_unit_test(health_is_carried_over_to_the_same_url_of_the_next_configuration),
};
SGT_MAIN("pool", tests)
