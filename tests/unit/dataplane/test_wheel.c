#include "tests/sgt.h"

#include "dataplane/engine/wheel.h"

static struct sgd_wheel wheel;

static uint64_t drain(uint64_t now_ns, struct sgd_timer **last)
{
    struct sgd_timer *timer;
    uint64_t count = 0;
    while ((timer = sgd_wheel_expire(&wheel, now_ns)) != NULL) {
        assert_true(timer->due_ns == SG_NEVER);
        *last = timer;
        count++;
    }
    return count;
}

static void timers_fire_at_their_tick_and_never_before(void **fixture)
{
    static const uint64_t delays_ms[] = {0, 1, 7, 8, 9, 100, 32000, 33000, 60000, 3600000};
    uint64_t begin_ns = 12345678901ull;
    struct sgd_timer timer, *fired = NULL;
    for (size_t i = 0; i < SG_COUNT(delays_ms); i++) {
        uint64_t due_ns = begin_ns + delays_ms[i] * SG_NS_PER_MS, now_ns = begin_ns;
        sgd_wheel_init(&wheel, begin_ns);
        sgd_timer_init(&timer);
        sgd_wheel_set(&wheel, &timer, due_ns);
        /* As a loop does it: sleep until the wheel says so. */
        for (int turns = 0; fired == NULL && turns < 10000; turns++) {
            assert_true(sgd_wheel_next_ns(&wheel) != SG_NEVER);
            now_ns = SG_MAX(now_ns, sgd_wheel_next_ns(&wheel));
            drain(now_ns, &fired);
        }
        assert_ptr_equal(fired, &timer);
        assert_true(now_ns >= due_ns && now_ns <= due_ns + 2 * SGD_WHEEL_TICK_NS);
        assert_true(sgd_wheel_next_ns(&wheel) == SG_NEVER);
        fired = NULL;
    }
    (void)fixture;
}

static void a_timer_moved_later_or_unset_keeps_quiet(void **fixture)
{
    struct sgd_timer moved, unset, *fired = NULL;
    sgd_wheel_init(&wheel, 0);
    sgd_timer_init(&moved);
    sgd_timer_init(&unset);
    sgd_wheel_set(&wheel, &moved, 10 * SG_NS_PER_MS);
    sgd_wheel_set(&wheel, &unset, 10 * SG_NS_PER_MS);
    sgd_wheel_set(&wheel, &moved, 50 * SG_NS_PER_MS);
    sgd_wheel_set(&wheel, &unset, SG_NEVER);
    assert_int_equal(drain(49 * SG_NS_PER_MS, &fired), 0);
    assert_int_equal(drain(58 * SG_NS_PER_MS, &fired), 1);
    assert_ptr_equal(fired, &moved);
    /* ... and one moved earlier is in time. */
    sgd_wheel_set(&wheel, &moved, 5000 * SG_NS_PER_MS);
    sgd_wheel_set(&wheel, &moved, 100 * SG_NS_PER_MS);
    assert_int_equal(drain(110 * SG_NS_PER_MS, &fired), 1);
    (void)fixture;
}

static void thousands_over_a_minute_all_fire_in_time(void **fixture)
{
    static struct sgd_timer timers[5000];
    uint64_t fired = 0, now_ns = 0;
    struct sgd_timer *last;
    sgd_wheel_init(&wheel, 0);
    for (uint32_t i = 0; i < SG_COUNT(timers); i++) {
        sgd_timer_init(&timers[i]);
        sgd_wheel_set(&wheel, &timers[i], (i * 7919ull % 60000) * SG_NS_PER_MS);
    }
    for (now_ns = 0; now_ns <= 60100 * SG_NS_PER_MS; now_ns += 13 * SG_NS_PER_MS) {
        fired += drain(now_ns, &last);
        for (uint32_t i = 0; i < SG_COUNT(timers); i += 97)
            assert_true(timers[i].due_ns == SG_NEVER ||
                        timers[i].due_ns + 2 * SGD_WHEEL_TICK_NS > now_ns);
    }
    assert_int_equal(fired, SG_COUNT(timers));
    (void)fixture;
}

static void a_removed_timer_is_out(void **fixture)
{
    struct sgd_timer timer, *fired = NULL;
    sgd_wheel_init(&wheel, 0);
    sgd_timer_init(&timer);
    sgd_wheel_set(&wheel, &timer, SG_NS_PER_MS);
    sgd_wheel_remove(&timer);
    sgd_wheel_remove(&timer);
    assert_int_equal(drain(SG_NS_PER_SEC, &fired), 0);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(timers_fire_at_their_tick_and_never_before),
    cmocka_unit_test(a_timer_moved_later_or_unset_keeps_quiet),
    cmocka_unit_test(thousands_over_a_minute_all_fire_in_time),
    cmocka_unit_test(a_removed_timer_is_out),
};
SGT_MAIN("wheel", tests)
