#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/log/stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void what_a_worker_counts_another_process_reads(void **fixture)
{
    struct sge_statsfile *file = NULL, *reader = NULL;
    assert_int_equal(sge_statsfile_create(path, 2, &file), SG_OK);
    struct sge_stats *mine = sge_statsfile_worker(file, 1);
    sge_stat_add(mine, SGE_STAT_requests, 3);
    sge_stat_add(mine, SGE_STAT_requests, 4);
    sge_stat_set(mine, SGE_STAT_connections_open, 9);
    sge_stat_row_add(&mine->close[5]);
    assert_int_equal(sge_statsfile_open(path, &reader), SG_OK);
    assert_int_equal(sge_statsfile_workers(reader), 2);
    const struct sge_stats *theirs = sge_statsfile_worker(reader, 1);
    assert_int_equal(theirs->value[SGE_STAT_requests], 7);
    assert_int_equal(theirs->value[SGE_STAT_connections_open], 9);
    assert_int_equal(theirs->close[5], 1);
    assert_int_equal(sge_statsfile_worker(reader, 0)->value[SGE_STAT_requests], 0);
    sge_statsfile_close(reader);
    sge_statsfile_close(file);
    unlink(path);
    (void)fixture;
}

static void blocks_of_two_workers_share_no_cache_line(void **fixture)
{
    assert_int_equal(sizeof(struct sge_stats) % SG_CACHELINE, 0);
    (void)fixture;
}

static void rows_have_the_names_and_kinds_of_the_table(void **fixture)
{
    assert_string_equal(sge_stat_name(SGE_STAT_connections_open), "connections_open");
    assert_true(sge_stat_is_gauge(SGE_STAT_connections_open));
    assert_false(sge_stat_is_gauge(SGE_STAT_requests));
    for (int i = 0; i < SGE_STAT_COUNT; i++)
        assert_true(strlen(sge_stat_help((enum sge_stat)i)) > 0);
    (void)fixture;
}

static void a_file_of_another_version_or_a_short_one_is_refused(void **fixture)
{
    struct sge_statsfile *file = NULL;
    uint32_t other = SGE_STAT_COUNT + 1;
    assert_int_equal(sge_statsfile_create(path, 1, &file), SG_OK);
    sge_statsfile_close(file);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &other, 4, 8), 4);
    assert_int_equal(sge_statsfile_open(path, &file), SG_EVERSION);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    assert_int_equal(sge_statsfile_open(path, &file), SG_EVERSION);
    assert_int_equal(truncate(path, 10), 0);
    assert_int_equal(sge_statsfile_open(path, &file), SG_ECORRUPT);
    unlink(path);
    (void)fixture;
}

static void create_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_statsfile *file = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sge_statsfile_create(path, 2, &file);
        assert_true(err == SG_OK ? file != NULL : file == NULL && err == SG_ENOMEM);
        sge_statsfile_close(file);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    unlink(path);
    (void)fixture;
}

static int name_path(void **fixture)
{
    (void)fixture;
    snprintf(path, sizeof(path), "/tmp/sgt-stats.%d", getpid());
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(what_a_worker_counts_another_process_reads, name_path),
    cmocka_unit_test(blocks_of_two_workers_share_no_cache_line),
    cmocka_unit_test(rows_have_the_names_and_kinds_of_the_table),
    cmocka_unit_test(a_file_of_another_version_or_a_short_one_is_refused),
    cmocka_unit_test(create_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("stats", tests)
