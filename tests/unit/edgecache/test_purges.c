#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/state/purges.h"
#include "tests/sgt_dir.h"

#include <stdio.h>

#define TENANT 7u

struct fix {
    char dir[SGT_DIR_BYTES];
    struct sge_state *state;
    struct sge_purges *purges;
};

static int set_up(void **fixture)
{
    static struct fix f;
    f = (struct fix){0};
    sgt_dir_make(f.dir);
    *fixture = &f;
    return sge_state_open(f.dir, true, &f.state) != SG_OK ||
           sge_purges_open(f.state, 2, &f.purges) != SG_OK;
}

static int tear_down(void **fixture)
{
    struct fix *f = *fixture;
    sge_purges_close(f->purges);
    sge_state_close(f->state);
    sgt_dir_remove(f->dir);
    return 0;
}

/* An object that was fetched after all purges so far; tag 11, prefix 22. */
static struct sge_object object_now(struct fix *f, uint32_t tenant)
{
    struct sge_object object = {.meta = {.tenant = tenant, .tags_count = 1, .prefixes_count = 1}};
    object.meta.tags[0] = 11;
    object.meta.prefixes[0] = 22;
    object.meta.birth_purge_seq = sge_purges_seq(f->purges, 0);
    atomic_store(&object.purge_checked_seq, object.meta.birth_purge_seq);
    return object;
}

static void purge(struct fix *f, uint32_t tenant, enum sge_purge_scope scope, uint64_t match,
                  bool soft)
{
    struct sge_purge p = {.tenant = tenant, .scope = (uint8_t)scope, .match = match, .soft = soft};
    uint64_t seq;
    assert_int_equal(sge_state_purge(f->state, &p, &seq), SG_OK);
}

static void a_purge_is_seen_by_the_next_request_of_every_worker(void **fixture)
{
    struct fix *f = *fixture;
    struct sge_object object = object_now(f, TENANT);
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_NOT);
    purge(f, TENANT, SGE_PURGE_TAG, 11, false);
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_HARD);
    assert_int_equal(sge_purges_check(f->purges, 1, &object), SGE_PURGED_HARD);
    assert_int_equal(sge_purges_check(f->purges, 1, &object), SGE_PURGED_HARD);
    object = object_now(f, TENANT); /* fetched after it */
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_NOT);
}

static void each_scope_touches_what_it_names_and_nothing_else(void **fixture)
{
    struct fix *f = *fixture;
    struct sge_object object = object_now(f, TENANT);
    purge(f, TENANT, SGE_PURGE_TAG, 12, false);
    purge(f, TENANT, SGE_PURGE_PREFIX, 23, false);
    purge(f, TENANT, SGE_PURGE_URL, 24, false);
    purge(f, TENANT + 1, SGE_PURGE_TENANT, 0, false);
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_NOT);
    struct sge_object same = object_now(f, TENANT);
    purge(f, TENANT, SGE_PURGE_PREFIX, 22, false);
    assert_int_equal(sge_purges_check(f->purges, 0, &same), SGE_PURGED_HARD);
    same = object_now(f, TENANT);
    purge(f, TENANT, SGE_PURGE_TENANT, 0, false);
    assert_int_equal(sge_purges_check(f->purges, 0, &same), SGE_PURGED_HARD);
}

static void soft_purges_make_stale_once_and_hard_ones_win(void **fixture)
{
    struct fix *f = *fixture;
    struct sge_object object = object_now(f, TENANT);
    purge(f, TENANT, SGE_PURGE_URL, 22, true);
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_SOFT);
    assert_true(atomic_load(&object.stale_forced));
    assert_int_equal(sge_purges_check(f->purges, 1, &object), SGE_PURGED_NOT);
    assert_true(atomic_load(&object.stale_forced));
    purge(f, TENANT, SGE_PURGE_TAG, 11, false);
    purge(f, TENANT, SGE_PURGE_TAG, 11, true);
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_HARD);
}

static void an_object_from_before_the_start_is_judged_by_the_log(void **fixture)
{
    struct fix *f = *fixture;
    struct sge_object object = object_now(f, TENANT);
    purge(f, TENANT, SGE_PURGE_TAG, 11, false);
    for (uint64_t i = 0; i < 300; i++)
        purge(f, TENANT, SGE_PURGE_TAG, 1000 + i, false);
    sge_purges_close(f->purges);
    f->purges = NULL;
    assert_int_equal(sge_purges_open(f->state, 1, &f->purges), SG_OK);
    assert_int_equal(sge_purges_check(f->purges, 0, &object), SGE_PURGED_HARD);
    assert_int_equal(sge_purges_seq(f->purges, 0), 301);
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct fix *f = *fixture;
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_purges *purges = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sge_purges_open(f->state, 2, &purges);
        assert_true(err == SG_OK ? purges != NULL : purges == NULL && err == SG_ENOMEM);
        sge_purges_close(purges);
    }
    sg_alloc_fail_nth(UINT32_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    TEST(a_purge_is_seen_by_the_next_request_of_every_worker),
    TEST(each_scope_touches_what_it_names_and_nothing_else),
    TEST(soft_purges_make_stale_once_and_hard_ones_win),
    TEST(an_object_from_before_the_start_is_judged_by_the_log),
    TEST(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("purges", tests)
