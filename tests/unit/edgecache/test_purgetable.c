#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/state/purgetable.h"

static struct sge_purgetable *table;
static uint64_t seq;

static void table_new(void)
{
    sge_purgetable_close(table);
    assert_int_equal(sge_purgetable_open(&table), SG_OK);
    seq = 0;
}

static uint64_t add(uint32_t tenant, enum sge_purge_scope scope, uint64_t match, bool soft)
{
    struct sge_purge purge = {++seq, tenant, (uint8_t)scope, soft, match, 0};
    sge_purgetable_add(table, &purge);
    return seq;
}

static enum sge_purged check(uint32_t tenant, uint64_t tag, uint64_t since)
{
    struct sge_meta meta = {.tenant = tenant, .tags = {tag}, .tags_count = 1};
    return sge_purgetable_check(table, &meta, since);
}

static void what_is_older_than_all_that_is_held_counts_for_its_tenant(void **fixture)
{
    table_new();
    uint64_t first = add(1, SGE_PURGE_TAG, 77, false);
    assert_int_equal(check(1, 78, 0), SGE_PURGED_NOT);
    for (uint64_t i = 0; i < SGE_PURGES_HELD - 1; i++)
        add(2, SGE_PURGE_TAG, 1000 + i, true);
    assert_int_equal(check(1, 77, 0), SGE_PURGED_HARD);
    assert_int_equal(check(1, 78, 0), SGE_PURGED_NOT);
    assert_int_equal(check(2, 1, 0), SGE_PURGED_NOT);
    for (uint64_t i = 0; i < 3; i++)
        add(2, SGE_PURGE_TAG, 1000 + i, true);
    assert_int_equal(check(1, 78, 0), SGE_PURGED_HARD); /* more is fetched again */
    assert_int_equal(check(1, 78, first), SGE_PURGED_NOT);
    assert_int_equal(check(2, 1, 0), SGE_PURGED_SOFT);
    assert_int_equal(check(3, 77, 0), SGE_PURGED_NOT);
    for (uint64_t i = 3; i < SGE_PURGES_HELD; i++) /* once round */
        add(2, SGE_PURGE_TAG, 1000 + i, true);
    assert_int_equal(check(2, 1000, seq - SGE_PURGES_HELD), SGE_PURGED_SOFT);
    assert_int_equal(check(2, 999, seq - SGE_PURGES_HELD), SGE_PURGED_NOT);
    (void)fixture;
}

static void purges_of_one_tenant_too_many_count_for_all(void **fixture)
{
    table_new();
    for (uint32_t t = 0; t < SGE_PURGED_TENANTS_MAX; t++)
        add(t, SGE_PURGE_TAG, 5, true);
    assert_int_equal(check(900000, 6, 0), SGE_PURGED_NOT);
    uint64_t before = seq;
    add(900000, SGE_PURGE_TAG, 5, false);
    assert_int_equal(check(900000, 5, 0), SGE_PURGED_HARD);
    assert_int_equal(check(0, 6, before), SGE_PURGED_HARD);
    assert_int_equal(check(0, 6, seq), SGE_PURGED_NOT);
    (void)fixture;
}

static void a_purge_of_a_tenant_after_a_soft_one_is_hard(void **fixture)
{
    table_new();
    add(1, SGE_PURGE_TENANT, 0, true);
    assert_int_equal(check(1, 5, 0), SGE_PURGED_SOFT);
    add(1, SGE_PURGE_TENANT, 0, false);
    assert_int_equal(check(1, 5, 0), SGE_PURGED_HARD);
    assert_int_equal(check(1, 5, 1), SGE_PURGED_HARD);
    assert_int_equal(check(1, 5, 2), SGE_PURGED_NOT);
    sge_purgetable_close(table);
    table = NULL;
    (void)fixture;
}

static void open_says_when_there_is_no_memory(void **fixture)
{
    struct sge_purgetable *made = NULL;
    sg_alloc_fail_nth(0);
    assert_int_equal(sge_purgetable_open(&made), SG_ENOMEM);
    assert_null(made);
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_older_than_all_that_is_held_counts_for_its_tenant),
    cmocka_unit_test(purges_of_one_tenant_too_many_count_for_all),
    cmocka_unit_test(a_purge_of_a_tenant_after_a_soft_one_is_hard),
    cmocka_unit_test(open_says_when_there_is_no_memory),
};
SGT_MAIN("purgetable", tests)
