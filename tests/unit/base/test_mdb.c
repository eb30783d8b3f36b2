#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/mdb.h"
#include "tests/sgt_dir.h"

#include <sys/wait.h>
#include <unistd.h>

static struct sg_mdb_conf conf_of(const char *dir)
{
    return (struct sg_mdb_conf){
        .dir = dir, .map_bytes = 1 << 22, .readers_max = 4, .dbs_max = 4, .writable = true};
}

static struct sg_mdb *opened(const char *dir, uint32_t *db)
{
    struct sg_mdb *mdb = NULL;
    struct sg_mdb_conf conf = conf_of(dir);
    assert_int_equal(sg_mdb_open(&conf, &mdb), SG_OK);
    assert_int_equal(sg_mdb_db(mdb, "things", db), SG_OK);
    return mdb;
}

static void put_one(struct sg_mdb *mdb, uint32_t db, struct sg_str key, struct sg_str value)
{
    struct sg_mdb_txn *txn = NULL;
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    assert_int_equal(sg_mdb_put(txn, db, key, value), SG_OK);
    assert_int_equal(sg_mdb_commit(txn), SG_OK);
}

static void a_reader_sees_what_was_committed_before_it_began_and_no_more(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    uint32_t db;
    struct sg_mdb *mdb = opened(sgt_dir_make(dir), &db);
    struct sg_mdb_txn *reader = NULL;
    struct sg_str value;
    assert_int_equal(sg_mdb_reader_open(mdb, &reader), SG_OK);
    assert_int_equal(sg_mdb_renew(reader), SG_OK);
    uint64_t before = sg_mdb_last_txnid(mdb);
    assert_int_equal(sg_mdb_txnid(reader), before);
    put_one(mdb, db, SG_STR("a"), SG_STR("1"));
    assert_int_equal(sg_mdb_last_txnid(mdb), before + 1);
    assert_int_equal(sg_mdb_get(reader, db, SG_STR("a"), &value), SG_ENOENT);
    sg_mdb_reset(reader);
    assert_int_equal(sg_mdb_renew(reader), SG_OK);
    assert_int_equal(sg_mdb_get(reader, db, SG_STR("a"), &value), SG_OK);
    assert_true(sg_str_eq(value, SG_STR("1")));
    sg_mdb_reset(reader);
    sg_mdb_reader_close(reader);
    sg_mdb_close(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void an_aborted_write_never_was(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    uint32_t db;
    struct sg_mdb *mdb = opened(sgt_dir_make(dir), &db);
    struct sg_mdb_txn *txn = NULL;
    struct sg_str value;
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    assert_int_equal(sg_mdb_put(txn, db, SG_STR("a"), SG_STR("1")), SG_OK);
    sg_mdb_abort(txn);
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    assert_int_equal(sg_mdb_get(txn, db, SG_STR("a"), &value), SG_ENOENT);
    assert_int_equal(sg_mdb_del(txn, db, SG_STR("a")), SG_ENOENT);
    sg_mdb_abort(txn);
    sg_mdb_close(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void a_cursor_walks_keys_in_order_and_may_delete_as_it_goes(void **fixture)
{
    static const char *const keys[] = {"d", "a", "c", "b"};
    char dir[SGT_DIR_BYTES], seen[8] = {0};
    uint32_t db, count = 0;
    struct sg_mdb *mdb = opened(sgt_dir_make(dir), &db);
    struct sg_mdb_txn *txn = NULL;
    struct sg_mdb_cursor *cursor = NULL;
    struct sg_str key, value;
    for (size_t i = 0; i < SG_COUNT(keys); i++)
        put_one(mdb, db, sg_str_from(keys[i]), SG_STR("v"));
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    assert_int_equal(sg_mdb_cursor_open(txn, db, &cursor), SG_OK);
    enum sg_err err = sg_mdb_cursor_seek(cursor, SG_STR_NONE, &key, &value);
    for (; err == SG_OK; err = sg_mdb_cursor_next(cursor, &key, &value)) {
        seen[count++] = key.ptr[0];
        if (key.ptr[0] == 'b')
            assert_int_equal(sg_mdb_cursor_del(cursor), SG_OK);
    }
    assert_int_equal(err, SG_ENOENT);
    assert_string_equal(seen, "abcd");
    assert_int_equal(sg_mdb_cursor_seek(cursor, SG_STR("b"), &key, &value), SG_OK);
    assert_true(sg_str_eq(key, SG_STR("c")));
    sg_mdb_cursor_close(cursor);
    assert_int_equal(sg_mdb_count(txn, db), 3);
    assert_int_equal(sg_mdb_commit(txn), SG_OK);
    sg_mdb_close(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void a_full_map_refuses_the_write_and_keeps_the_rest(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    static char big[1 << 20];
    uint32_t db;
    struct sg_mdb *mdb = opened(sgt_dir_make(dir), &db);
    struct sg_mdb_txn *txn = NULL;
    struct sg_str value;
    put_one(mdb, db, SG_STR("a"), SG_STR("1"));
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    enum sg_err err = SG_OK;
    for (char key = 'b'; err == SG_OK && key < 'z'; key++)
        err = sg_mdb_put(txn, db, (struct sg_str){&key, 1}, (struct sg_str){big, sizeof(big)});
    assert_int_equal(err, SG_EFULL);
    sg_mdb_abort(txn);
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    assert_int_equal(sg_mdb_get(txn, db, SG_STR("a"), &value), SG_OK);
    sg_mdb_abort(txn);
    sg_mdb_close(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void slots_of_dead_readers_come_back(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    uint32_t db;
    int status;
    sgt_dir_make(dir);
    pid_t child = fork();
    if (child == 0) {
        struct sg_mdb *mdb = opened(dir, &db);
        struct sg_mdb_txn *reader = NULL;
        for (int i = 0; i < 4; i++)
            if (sg_mdb_reader_open(mdb, &reader) != SG_OK)
                _exit(1);
        _exit(sg_mdb_reader_open(mdb, &reader) == SG_EFULL ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct sg_mdb *mdb = opened(dir, &db); /* reaps */
    struct sg_mdb_txn *reader = NULL;
    assert_int_equal(sg_mdb_reader_open(mdb, &reader), SG_OK);
    sg_mdb_reader_close(reader);
    sg_mdb_close(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void a_reader_of_nothing_and_of_garbage_is_told(void **fixture)
{
    char dir[SGT_DIR_BYTES], path[SGT_DIR_BYTES + 16];
    struct sg_mdb *mdb = NULL;
    struct sg_mdb_conf conf = conf_of(sgt_dir_make(dir));
    conf.writable = false;
    assert_int_equal(sg_mdb_open(&conf, &mdb), SG_ENOENT);
    snprintf(path, sizeof(path), "%s/data.mdb", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 8192; i++)
        fputc('x', f);
    fclose(f);
    conf.writable = true;
    assert_int_equal(sg_mdb_open(&conf, &mdb), SG_ECORRUPT);
    assert_null(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void locking_the_map_works_or_says_why_not(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    uint32_t db;
    struct sg_mdb *mdb = opened(sgt_dir_make(dir), &db);
    enum sg_err err = sg_mdb_lock_memory(mdb);
    assert_true(err == SG_OK || err == SG_ENOMEM || err == SG_EPERM);
    sg_mdb_close(mdb);
    sgt_dir_remove(dir);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    struct sg_mdb_conf conf = conf_of(sgt_dir_make(dir));
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sg_mdb *mdb = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sg_mdb_open(&conf, &mdb);
        assert_true(err == SG_OK ? mdb != NULL : mdb == NULL && err == SG_ENOMEM);
        sg_mdb_close(mdb);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    sgt_dir_remove(dir);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_reader_sees_what_was_committed_before_it_began_and_no_more),
    cmocka_unit_test(an_aborted_write_never_was),
    cmocka_unit_test(a_cursor_walks_keys_in_order_and_may_delete_as_it_goes),
    cmocka_unit_test(a_full_map_refuses_the_write_and_keeps_the_rest),
    cmocka_unit_test(slots_of_dead_readers_come_back),
    cmocka_unit_test(a_reader_of_nothing_and_of_garbage_is_told),
    cmocka_unit_test(locking_the_map_works_or_says_why_not),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("mdb", tests)
