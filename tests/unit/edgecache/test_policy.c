#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/content/policy.h"

static struct sge_shares shares;
static struct sge_policy *policy;
static struct sge_entry entries[1000];
static const struct sge_entry *pinned;

static void open_empty(void)
{
    sge_shares_init(&shares);
    assert_int_equal(sge_policy_open(&shares, 1024, &policy), SG_OK);
    for (int i = 0; i < 1000; i++)
        sge_entry_init(&entries[i], SGE_ENTRY_SLICE);
    pinned = NULL;
}

static bool is_free(const struct sge_entry *entry)
{
    return entry != pinned;
}

static void insert(uint32_t i, uint8_t group)
{
    sge_policy_insert(policy, &entries[i], 100, group, (i + 1) * 0x9e3779b97f4a7c15ull);
}

static uint32_t evict(void)
{
    struct sge_entry *entry = sge_policy_victim(policy, is_free);
    assert_non_null(entry);
    uint32_t i = (uint32_t)(entry - entries);
    sge_policy_remove(policy, entry);
    sge_policy_ghost(policy, (i + 1) * 0x9e3779b97f4a7c15ull);
    return i;
}

static void what_was_never_used_goes_in_the_order_it_came(void **fixture)
{
    open_empty();
    for (uint32_t i = 0; i < 10; i++)
        insert(i, 0);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(evict(), i);
    assert_null(sge_policy_victim(policy, is_free));
    assert_int_equal(sge_policy_bytes(policy, 0), 0);
    sge_policy_close(policy);
    (void)fixture;
}

static void what_was_used_twice_outlives_a_scan(void **fixture)
{
    open_empty();
    for (uint32_t i = 0; i < 20; i++)
        insert(i, 0);
    for (int times = 0; times < 3; times++) {
        sge_entry_use(&entries[4]);
        sge_entry_use(&entries[7]);
    }
    sge_entry_use(&entries[5]); /* once is not enough */
    for (uint32_t i = 20; i < 900; i++) {
        insert(i, 0);
        uint32_t gone = evict();
        assert_true(gone != 4 && gone != 7);
    }
    assert_true(sge_entry_queued(&entries[4]) && sge_entry_queued(&entries[7]));
    assert_false(sge_entry_queued(&entries[5]));
    sge_policy_close(policy);
    (void)fixture;
}

static void what_comes_back_soon_is_spared_the_trial(void **fixture)
{
    open_empty();
    for (uint32_t i = 0; i < 10; i++)
        insert(i, 0);
    assert_int_equal(evict(), 0);
    insert(0, 0); /* remembered: into main */
    for (uint32_t i = 10; i < 100; i++) {
        insert(i, 0);
        assert_true(evict() != 0);
    }
    sge_policy_close(policy);
    (void)fixture;
}

static void what_is_in_use_is_passed_over(void **fixture)
{
    open_empty();
    for (uint32_t i = 0; i < 3; i++)
        insert(i, 0);
    pinned = &entries[0];
    assert_int_equal(evict(), 1);
    assert_int_equal(evict(), 2);
    assert_null(sge_policy_victim(policy, is_free));
    pinned = NULL;
    assert_int_equal(evict(), 0);
    sge_policy_close(policy);
    (void)fixture;
}

static void the_group_furthest_over_its_share_makes_room(void **fixture)
{
    open_empty();
    assert_true(sge_shares_set(&shares, 77, 60));
    uint8_t group = sge_shares_group(&shares, 77);
    assert_true(group != SGE_GROUP_COMMON);
    assert_int_equal(sge_shares_group(&shares, 78), SGE_GROUP_COMMON);
    assert_int_equal(sge_shares_percent(&shares, SGE_GROUP_COMMON), 40);
    for (uint32_t i = 0; i < 50; i++)
        insert(i, group);
    for (uint32_t i = 50; i < 100; i++)
        insert(i, SGE_GROUP_COMMON); /* half of all: over its 40 */
    for (int i = 0; i < 16; i++)
        assert_true(evict() >= 50);
    for (int i = 0; i < 84; i++)
        (void)evict();
    assert_true(sge_shares_set(&shares, 77, 0));
    assert_int_equal(sge_shares_group(&shares, 77), SGE_GROUP_COMMON);
    assert_int_equal(sge_shares_percent(&shares, SGE_GROUP_COMMON), 100);
    sge_policy_close(policy);
    (void)fixture;
}

static void shares_are_bounded(void **fixture)
{
    sge_shares_init(&shares);
    for (uint32_t t = 1; t < SGE_GROUPS_MAX; t++)
        assert_true(sge_shares_set(&shares, t, 1));
    assert_false(sge_shares_set(&shares, 9999, 1));
    assert_true(sge_shares_set(&shares, 9999, 0));
    assert_true(sge_shares_set(&shares, 5, 2));
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        policy = NULL;
        sg_alloc_fail_nth(nth);
        err = sge_policy_open(&shares, 16, &policy);
        assert_true(err == SG_OK ? policy != NULL : policy == NULL && err == SG_ENOMEM);
        sge_policy_close(policy);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_never_used_goes_in_the_order_it_came),
    cmocka_unit_test(what_was_used_twice_outlives_a_scan),
    cmocka_unit_test(what_comes_back_soon_is_spared_the_trial),
    cmocka_unit_test(what_is_in_use_is_passed_over),
    cmocka_unit_test(the_group_furthest_over_its_share_makes_room),
    cmocka_unit_test(shares_are_bounded),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("policy", tests)
