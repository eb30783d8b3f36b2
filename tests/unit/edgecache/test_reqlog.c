#include "tests/sgt.h"

#include "base/alloc.h"
#include "edgecache/log/reqlog.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WRITERS 3
#define RECORDS 64
#define WRITES  20000u

static char path[64];

static struct sge_reqlog *reqlog(uint32_t workers, uint32_t records)
{
    struct sge_reqlog *log = NULL;
    snprintf(path, sizeof(path), "/tmp/sgt-reqlog.%d", getpid());
    assert_int_equal(sge_reqlog_create(path, workers, records, &log), SG_OK);
    return log;
}

/* A record whose every part follows from its number: a torn one shows. */
static void write_numbered(struct sge_reqlog *log, uint16_t worker, uint64_t n)
{
    struct sge_record *r = sge_reqlog_begin(log, worker);
    assert_true(r->id == 0 && r->path_len == 0); /* zeroed, whatever the last one left */
    r->id = n + 1;
    r->worker = worker;
    r->sent_bytes = r->key_hash = r->fact_key = n * 7;
    r->path_len = (uint16_t)(n % 500);
    memset(r->text, 'a' + (char)(n % 26), r->path_len);
    sge_reqlog_commit(log, worker);
}

static bool numbered_is_whole(const struct sge_record *r)
{
    uint64_t n = r->id - 1;
    if (r->sent_bytes != n * 7 || r->key_hash != n * 7 || r->fact_key != n * 7 ||
        r->path_len != n % 500)
        return false;
    for (uint32_t i = 0; i < r->path_len; i++)
        if (r->text[i] != 'a' + (char)(n % 26))
            return false;
    return true;
}

static void a_reader_gets_what_was_written_and_then_nothing(void **fixture)
{
    struct sge_reqlog *log = reqlog(2, 8), *reader = NULL;
    struct sge_reqlog_cursor cursor, late;
    struct sge_record got;
    uint64_t missed = 0;
    write_numbered(log, 0, 30);
    write_numbered(log, 1, 31);
    assert_int_equal(sge_reqlog_open(path, &reader), SG_OK);
    sge_reqlog_seek(reader, &cursor, true);
    sge_reqlog_seek(reader, &late, false);
    for (int i = 0; i < 2; i++) {
        assert_true(sge_reqlog_next(reader, &cursor, &got, &missed));
        assert_true(numbered_is_whole(&got));
    }
    assert_false(sge_reqlog_next(reader, &cursor, &got, &missed));
    assert_false(sge_reqlog_next(reader, &late, &got, &missed));
    assert_int_equal(missed, 0);
    sge_reqlog_close(reader);
    sge_reqlog_close(log);
    unlink(path);
    (void)fixture;
}

static void a_slow_reader_is_told_how_many_it_missed(void **fixture)
{
    struct sge_reqlog *log = reqlog(1, 8);
    struct sge_reqlog_cursor cursor;
    struct sge_record got;
    uint64_t missed = 0;
    sge_reqlog_seek(log, &cursor, true);
    for (uint64_t n = 0; n < 20; n++)
        write_numbered(log, 0, n);
    for (uint64_t n = 12; n < 20; n++) {
        assert_true(sge_reqlog_next(log, &cursor, &got, &missed));
        assert_int_equal(got.id, n + 1);
    }
    assert_false(sge_reqlog_next(log, &cursor, &got, &missed));
    assert_int_equal(missed, 12);
    sge_reqlog_close(log);
    unlink(path);
    (void)fixture;
}

static void records_of_several_workers_come_in_the_order_of_time(void **fixture)
{
    struct sge_reqlog *log = reqlog(3, 8);
    struct sge_reqlog_cursor cursor;
    struct sge_record got;
    uint64_t missed = 0;
    sge_reqlog_seek(log, &cursor, true);
    for (uint64_t n = 0; n < 9; n++) {
        struct sge_record *r = sge_reqlog_begin(log, (uint16_t)(n % 3));
        r->start_ns = 1000 + n;
        sge_reqlog_commit(log, (uint16_t)(n % 3));
    }
    for (uint64_t n = 0; n < 9; n++) {
        assert_true(sge_reqlog_next(log, &cursor, &got, &missed));
        assert_int_equal(got.start_ns, 1000 + n);
    }
    sge_reqlog_close(log);
    unlink(path);
    (void)fixture;
}

static void a_request_is_found_by_its_id_while_it_is_in_the_ring(void **fixture)
{
    struct sge_reqlog *log = reqlog(2, 8);
    struct sge_record got;
    for (uint64_t n = 0; n < 20; n++)
        write_numbered(log, (uint16_t)(n % 2), n);
    assert_true(sge_reqlog_find(log, 20, &got));
    assert_true(got.id == 20 && got.worker == 1);
    assert_false(sge_reqlog_find(log, 1, &got)); /* overwritten */
    assert_false(sge_reqlog_find(log, 99, &got));
    sge_reqlog_close(log);
    unlink(path);
    (void)fixture;
}

struct writer {
    struct sge_reqlog *log;
    uint16_t worker;
};

static void *writer(void *arg)
{
    struct writer *w = arg;
    for (uint64_t n = 0; n < WRITES; n++)
        write_numbered(w->log, w->worker, n);
    return NULL;
}

static void under_concurrent_writers_no_record_is_torn_and_all_are_accounted_for(void **fixture)
{
    struct sge_reqlog *log = reqlog(WRITERS, RECORDS), *reader = NULL;
    struct sge_reqlog_cursor cursor;
    struct sge_record got;
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    uint64_t seen = 0, missed = 0, last[WRITERS] = {0};
    assert_int_equal(sge_reqlog_open(path, &reader), SG_OK);
    sge_reqlog_seek(reader, &cursor, true);
    for (uint16_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){log, i};
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &writers[i]), 0);
    }
    while (seen + missed < WRITERS * (uint64_t)WRITES) {
        if (!sge_reqlog_next(reader, &cursor, &got, &missed))
            continue;
        assert_true(numbered_is_whole(&got));
        assert_true(got.id > last[got.worker]); /* in order */
        last[got.worker] = got.id;
        seen++;
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(seen + missed, WRITERS * (uint64_t)WRITES);
    assert_true(seen > 0);
    sge_reqlog_close(reader);
    sge_reqlog_close(log);
    unlink(path);
    (void)fixture;
}

static void a_restart_replaces_the_ring_and_the_old_reader_can_see_it(void **fixture)
{
    struct sge_reqlog *log = reqlog(1, 8), *reader = NULL;
    struct sge_record got;
    write_numbered(log, 0, 5);
    assert_int_equal(sge_reqlog_open(path, &reader), SG_OK);
    assert_true(sge_reqlog_is_current(reader, path));
    sge_reqlog_close(log);
    log = reqlog(1, 8);
    assert_false(sge_reqlog_is_current(reader, path));
    assert_true(sge_reqlog_find(reader, 6, &got)); /* what it mapped is still whole */
    sge_reqlog_close(reader);
    sge_reqlog_close(log);
    unlink(path);
    (void)fixture;
}

static void a_file_that_is_no_ring_or_a_short_one_is_refused(void **fixture)
{
    struct sge_reqlog *log = reqlog(1, 8), *reader = NULL;
    sge_reqlog_close(log);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(sge_reqlog_open(path, &reader), SG_ECORRUPT);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    close(fd);
    assert_int_equal(sge_reqlog_open(path, &reader), SG_ECORRUPT);
    unlink(path);
    assert_int_equal(sge_reqlog_open(path, &reader), SG_ENOENT);
    assert_null(reader);
    (void)fixture;
}

static void create_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_reqlog *log = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sge_reqlog_create(path, 2, 8, &log);
        assert_true(err == SG_OK ? log != NULL : log == NULL && err == SG_ENOMEM);
        sge_reqlog_close(log);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    unlink(path);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_reader_gets_what_was_written_and_then_nothing),
    cmocka_unit_test(a_slow_reader_is_told_how_many_it_missed),
    cmocka_unit_test(records_of_several_workers_come_in_the_order_of_time),
    cmocka_unit_test(a_request_is_found_by_its_id_while_it_is_in_the_ring),
    cmocka_unit_test(under_concurrent_writers_no_record_is_torn_and_all_are_accounted_for),
    cmocka_unit_test(a_restart_replaces_the_ring_and_the_old_reader_can_see_it),
    cmocka_unit_test(a_file_that_is_no_ring_or_a_short_one_is_refused),
    cmocka_unit_test(create_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("reqlog", tests)
