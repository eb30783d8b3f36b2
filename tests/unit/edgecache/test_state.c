#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "edgecache/state/purgelog.h"
#include "edgecache/state/state.h"
#include "tests/sgt_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TENANT 7u

struct fix {
    char dir[SGT_DIR_BYTES];
    struct sge_state *state;
    struct sge_state_reader *reader;
};

static int set_up(void **fixture)
{
    static struct fix f;
    f = (struct fix){0};
    sgt_dir_make(f.dir);
    *fixture = &f;
    return sge_state_open(f.dir, true, &f.state) != SG_OK ||
           sge_state_reader_open(f.state, &f.reader) != SG_OK;
}

static int tear_down(void **fixture)
{
    struct fix *f = *fixture;
    sge_state_reader_close(f->reader);
    sge_state_close(f->state);
    sgt_dir_remove(f->dir);
    return 0;
}

static void purges_are_numbered_and_read_back_in_order(void **fixture)
{
    struct fix *f = *fixture;
    struct sge_purge out[4];
    uint64_t seq = 0;
    for (uint64_t i = 1; i <= 3; i++) {
        struct sge_purge purge = {.tenant = TENANT, .scope = SGE_PURGE_TAG, .match = i * 10};
        assert_int_equal(sge_state_purge(f->state, &purge, &seq), SG_OK);
        assert_int_equal(seq, i);
    }
    assert_int_equal(sge_state_begin(f->reader), SG_OK);
    assert_int_equal(sge_state_purge_seq(f->reader), 3);
    assert_int_equal(sge_state_purges_after(f->reader, 0, out, 2), 2);
    assert_int_equal(out[1].seq, 2);
    assert_int_equal(sge_state_purges_after(f->reader, 1, out, 4), 2);
    assert_true(out[0].seq == 2 && out[0].match == 20 && out[0].scope == SGE_PURGE_TAG);
    assert_int_equal(sge_state_purges_after(f->reader, 3, out, 4), 0);
    assert_int_equal(sge_state_purges_after(f->reader, UINT64_MAX, out, 4), 0);
    sge_state_end(f->reader);
}

static void an_overfull_purge_log_folds_the_oldest_into_purges_of_their_tenant(void **fixture)
{
    struct fix *f = *fixture;
    struct sg_mdb *mdb = NULL;
    struct sg_mdb_txn *txn = NULL;
    struct sg_mdb_cursor *cursor = NULL;
    struct sge_purgelog log;
    struct sge_purge out[16];
    uint64_t seq;
    char dir[SGT_DIR_BYTES + 8];
    snprintf(dir, sizeof(dir), "%s/log", f->dir);
    struct sg_mdb_conf conf = {
        .dir = dir, .map_bytes = 1 << 20, .readers_max = 2, .dbs_max = 4, .writable = true};
    assert_int_equal(sg_mdb_open(&conf, &mdb), SG_OK);
    assert_int_equal(sge_purgelog_init(mdb, &log), SG_OK);
    assert_int_equal(sg_mdb_write_begin(mdb, &txn), SG_OK);
    for (uint32_t i = 1; i <= 8; i++) { /* tenants 1 0 1 0 ...; the third is hard */
        struct sge_purge purge = {.tenant = i % 2, .match = i, .soft = i != 3};
        assert_int_equal(sge_purgelog_append(txn, &log, &purge, 4, &seq), SG_OK);
    }
    assert_int_equal(sg_mdb_cursor_open(txn, log.log, &cursor), SG_OK);
    assert_int_equal(sge_purgelog_after(cursor, 0, out, 16), 6);
    assert_true(out[0].seq == 3 && out[0].scope == SGE_PURGE_TENANT && out[0].tenant == 1);
    assert_false(out[0].soft);
    assert_true(out[1].seq == 4 && out[1].scope == SGE_PURGE_TENANT && out[1].tenant == 0);
    assert_true(out[1].soft);
    assert_true(out[2].seq == 5 && out[2].scope == SGE_PURGE_URL && out[2].match == 5);
    assert_int_equal(sge_purgelog_newest(txn, &log), 8);
    sg_mdb_cursor_close(cursor);
    sg_mdb_abort(txn);
    sg_mdb_close(mdb);
}

static void a_fact_gets_a_new_generation_only_when_its_owner_at_head_changes(void **fixture)
{
    struct fix *f = *fixture;
    struct sge_fact fact;
    uint8_t a[32] = "a", b[32] = "b";
    uint64_t g1, g2, g3, other;
    assert_int_equal(sge_state_fact_set(f->state, 1, a, a, 10, &g1), SG_OK);
    assert_int_equal(sge_state_fact_set(f->state, 2, a, a, 10, &other), SG_OK);
    assert_int_equal(sge_state_fact_set(f->state, 1, a, a, 11, &g2), SG_OK);
    assert_int_equal(g1, g2);
    assert_int_equal(sge_state_fact_set(f->state, 1, b, a, 12, &g2), SG_OK);
    assert_true(g2 > g1 && g2 != other);
    assert_int_equal(sge_state_fact_set(f->state, 1, b, b, 12, &g3), SG_OK);
    assert_int_equal(g3, g2); /* reaching safe bumps nothing */
    assert_int_equal(sge_state_fact_set(f->state, 1, a, a, 12, &g3), SG_OK);
    assert_true(g3 > g2); /* an owner restored comes under a new generation */
    assert_int_equal(sge_state_begin(f->reader), SG_OK);
    assert_int_equal(sge_state_fact(f->reader, 1, &fact), SG_OK);
    assert_true(fact.generation == g3 && fact.block == 12 && fact.changed_ns != 0);
    assert_memory_equal(fact.owner_head, a, 32);
    assert_int_equal(sge_state_fact(f->reader, 3, &fact), SG_ENOENT);
    sge_state_end(f->reader);
}

static void a_revoked_cti_is_revoked_for_its_tenant_alone(void **fixture)
{
    struct fix *f = *fixture;
    uint64_t far = sg_clock_wall_ns() + 3600 * SG_NS_PER_SEC;
    uint8_t cti[16] = "one", other[16] = "two";
    assert_int_equal(sge_state_revoke_cti(f->state, TENANT, cti, far), SG_OK);
    assert_int_equal(sge_state_revoke_cti(f->state, TENANT, cti, far - 1), SG_OK);
    assert_int_equal(sge_state_begin(f->reader), SG_OK);
    assert_true(sge_state_cti_revoked(f->reader, TENANT, cti));
    assert_false(sge_state_cti_revoked(f->reader, TENANT + 1, cti));
    assert_false(sge_state_cti_revoked(f->reader, TENANT, other));
    sge_state_end(f->reader);
}

static void revocations_are_forgotten_only_long_after_their_token_ended(void **fixture)
{
    struct fix *f = *fixture;
    uint64_t now = sg_clock_wall_ns();
    uint8_t old[16] = "old", late[16] = "late", new[16] = "new";
    assert_int_equal(sge_state_revoke_cti(f->state, TENANT, old, 1), SG_OK);
    assert_int_equal(sge_state_revoke_cti(f->state, TENANT, late, now - SG_NS_PER_SEC), SG_OK);
    assert_int_equal(sge_state_revoke_cti(f->state, TENANT, new, now), SG_OK);
    assert_int_equal(sge_state_begin(f->reader), SG_OK);
    assert_false(sge_state_cti_revoked(f->reader, TENANT, old));
    assert_true(sge_state_cti_revoked(f->reader, TENANT, late));
    assert_true(sge_state_cti_revoked(f->reader, TENANT, new));
    sge_state_end(f->reader);
}

static void a_revoked_index_is_one_bit_of_its_tenant(void **fixture)
{
    static const uint32_t revoked[] = {0, 7, 2047, 2048, UINT32_MAX};
    struct fix *f = *fixture;
    for (size_t i = 0; i < SG_COUNT(revoked); i++)
        assert_int_equal(sge_state_revoke_index(f->state, TENANT, revoked[i]), SG_OK);
    assert_int_equal(sge_state_begin(f->reader), SG_OK);
    for (size_t i = 0; i < SG_COUNT(revoked); i++) {
        assert_true(sge_state_index_revoked(f->reader, TENANT, revoked[i]));
        assert_false(sge_state_index_revoked(f->reader, TENANT + 1, revoked[i]));
    }
    assert_false(sge_state_index_revoked(f->reader, TENANT, 1));
    assert_false(sge_state_index_revoked(f->reader, TENANT, 2049));
    assert_false(sge_state_index_revoked(f->reader, TENANT, UINT32_MAX - 1));
    sge_state_end(f->reader);
}

static void epochs_and_rule_versions_only_rise(void **fixture)
{
    struct fix *f = *fixture;
    assert_int_equal(sge_state_raise_epoch(f->state, TENANT, 5), SG_OK);
    assert_int_equal(sge_state_raise_epoch(f->state, TENANT, 5), SG_ERANGE);
    assert_int_equal(sge_state_raise_epoch(f->state, TENANT, 4), SG_ERANGE);
    assert_int_equal(sge_state_raise_rule(f->state, TENANT, 2), SG_OK);
    assert_int_equal(sge_state_raise_rule(f->state, TENANT, 1), SG_ERANGE);
    assert_int_equal(sge_state_begin(f->reader), SG_OK);
    assert_int_equal(sge_state_epoch_min(f->reader, TENANT), 5);
    assert_int_equal(sge_state_rule_version(f->reader, TENANT), 2);
    assert_int_equal(sge_state_epoch_min(f->reader, TENANT + 1), 0);
    assert_int_equal(sge_state_rule_version(f->reader, TENANT + 1), 0);
    sge_state_end(f->reader);
}

/* Runs `child` in a process of its own, which opens the state itself. */
static pid_t in_child(void (*child)(struct sge_state *state, int pipe_fd), const char *dir,
                      int *read_fd)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sge_state *state = NULL;
        close(fds[0]);
        if (sge_state_open(dir, true, &state) != SG_OK)
            _exit(1);
        child(state, fds[1]);
        sge_state_close(state);
        _exit(0);
    }
    close(fds[1]);
    *read_fd = fds[0];
    return pid;
}

static void child_writes_one_of_each(struct sge_state *state, int pipe_fd)
{
    uint8_t a[32] = "a", cti[16] = "cti";
    struct sge_purge purge = {.tenant = TENANT};
    uint64_t n;
    if (sge_state_purge(state, &purge, &n) != SG_OK ||
        sge_state_fact_set(state, 1, a, a, 1, &n) != SG_OK ||
        sge_state_revoke_cti(state, TENANT, cti, UINT64_MAX) != SG_OK ||
        sge_state_heartbeat(state, 12345) != SG_OK)
        _exit(2);
    (void)pipe_fd;
}

/* A reader in a process of its own: LMDB must not be open across a fork. */
static void reader_waits_for_all(const char *dir, int ready_fd)
{
    struct sge_state *state = NULL;
    struct sge_state_reader *reader = NULL;
    struct sge_fact fact;
    uint8_t cti[16] = "cti";
    if (sge_state_open(dir, false, &state) != SG_OK ||
        sge_state_reader_open(state, &reader) != SG_OK)
        _exit(1);
    uint64_t before = sge_state_version(state);
    if (sge_state_fed_ns(state) != 0 || write(ready_fd, "r", 1) != 1)
        _exit(2);
    for (int i = 0; i < 5000 && sge_state_fed_ns(state) != 12345; i++)
        usleep(1000);
    if (sge_state_version(state) == before || sge_state_begin(reader) != SG_OK)
        _exit(3);
    bool all = sge_state_purge_seq(reader) == 1 && sge_state_fact(reader, 1, &fact) == SG_OK &&
               sge_state_cti_revoked(reader, TENANT, cti);
    _exit(all ? 0 : 4);
}

static void what_another_process_writes_is_seen_without_opening_again(void **unused)
{
    char dir[SGT_DIR_BYTES], byte;
    struct sge_state *made = NULL;
    int fd, status, ready[2];
    sgt_dir_make(dir);
    assert_int_equal(sge_state_open(dir, true, &made), SG_OK);
    sge_state_close(made);
    assert_int_equal(pipe(ready), 0);
    pid_t reader = fork();
    if (reader == 0)
        reader_waits_for_all(dir, ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    pid_t writer = in_child(child_writes_one_of_each, dir, &fd);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    close(fd);
    close(ready[0]);
    close(ready[1]);
    sgt_dir_remove(dir);
    (void)unused;
}

/* Purges and tells each acknowledged number, until it is killed; all rounds together stay below
 * what the test reads back, however fast the disk is. */
static void child_purges_until_killed(struct sge_state *state, int pipe_fd)
{
    for (int i = 0; i < 300; i++) {
        struct sge_purge purge = {.tenant = TENANT, .scope = SGE_PURGE_URL};
        uint64_t seq;
        if (sge_state_purge(state, &purge, &seq) != SG_OK ||
            write(pipe_fd, &seq, sizeof(seq)) != sizeof(seq))
            _exit(3);
    }
    pause();
}

static void a_killed_writer_never_loses_what_it_acknowledged(void **unused)
{
    char dir[SGT_DIR_BYTES];
    uint64_t acknowledged = 0;
    sgt_dir_make(dir);
    for (unsigned round = 0; round < 12; round++) {
        int fd, status;
        uint64_t seq;
        pid_t pid = in_child(child_purges_until_killed, dir, &fd);
        for (unsigned i = 0; i <= round * 3; i++) {
            assert_int_equal(read(fd, &seq, sizeof(seq)), sizeof(seq));
            assert_true(seq > acknowledged);
            acknowledged = seq;
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        while (read(fd, &seq, sizeof(seq)) == sizeof(seq)) /* said before it died */
            acknowledged = seq;
        close(fd);
    }
    struct sge_state *state = NULL;
    struct sge_state_reader *reader = NULL;
    static struct sge_purge out[4096];
    assert_int_equal(sge_state_open(dir, true, &state), SG_OK);
    assert_int_equal(sge_state_reader_open(state, &reader), SG_OK);
    assert_int_equal(sge_state_begin(reader), SG_OK);
    assert_true(sge_state_purge_seq(reader) >= acknowledged);
    uint32_t count = sge_state_purges_after(reader, 0, out, SG_COUNT(out));
    assert_true(count >= acknowledged);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(out[i].seq, i + 1);
    sge_state_end(reader);
    sge_state_reader_close(reader);
    sge_state_close(state);
    sgt_dir_remove(dir);
    (void)unused;
}

static void a_state_opened_for_reading_cannot_be_written(void **unused)
{
    char dir[SGT_DIR_BYTES], path[SGT_DIR_BYTES + 16];
    struct sge_state *state = NULL;
    uint64_t seq = 7;
    struct sge_purge purge = {.tenant = TENANT};
    sgt_dir_make(dir);
    assert_int_equal(sge_state_open(dir, false, &state), SG_ENOENT);
    assert_int_equal(sge_state_open(dir, true, &state), SG_OK);
    sge_state_close(SG_TAKE(state));
    assert_int_equal(sge_state_open(dir, false, &state), SG_OK);
    assert_int_equal(sge_state_heartbeat(state, 1), SG_EACCES);
    assert_int_equal(sge_state_purge(state, &purge, &seq), SG_EACCES);
    assert_true(seq == 7 && sge_state_fed_ns(state) == 0);
    sge_state_close(SG_TAKE(state));
    snprintf(path, sizeof(path), "%.500s/state/fed", dir);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(sge_state_open(dir, false, &state), SG_ECORRUPT);
    sgt_dir_remove(dir);
    (void)unused;
}

static void hashes_and_ids_are_the_same_on_every_node(void **fixture)
{
    /* Values of another SHA-256: printf '\x02\0\0\0\x07news' | sha256sum; printf acme | sha256sum
     */
    assert_true(sge_purge_hash(SGE_PURGE_TAG, TENANT, SG_STR("news")) == 0x6b43c5441e087d5d);
    assert_int_equal(sge_tenant_id(SG_STR("acme")), 0x822b33ad);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **unused)
{
    char dir[SGT_DIR_BYTES];
    enum sg_err err = SG_ENOMEM;
    sgt_dir_make(dir);
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sge_state *state = NULL;
        struct sge_state_reader *reader = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sge_state_open(dir, true, &state);
        assert_true(err == SG_OK ? state != NULL : state == NULL && err == SG_ENOMEM);
        if (err == SG_OK)
            err = sge_state_reader_open(state, &reader);
        assert_true(err == SG_OK ? reader != NULL : reader == NULL && err == SG_ENOMEM);
        sge_state_reader_close(reader);
        sge_state_close(state);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    sgt_dir_remove(dir);
    (void)unused;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(purges_are_numbered_and_read_back_in_order, set_up, tear_down),
    cmocka_unit_test_setup_teardown(
        an_overfull_purge_log_folds_the_oldest_into_purges_of_their_tenant, set_up, tear_down),
    cmocka_unit_test_setup_teardown(
        a_fact_gets_a_new_generation_only_when_its_owner_at_head_changes, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_revoked_cti_is_revoked_for_its_tenant_alone, set_up,
                                    tear_down),
    cmocka_unit_test_setup_teardown(revocations_are_forgotten_only_long_after_their_token_ended,
                                    set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_revoked_index_is_one_bit_of_its_tenant, set_up, tear_down),
    cmocka_unit_test_setup_teardown(epochs_and_rule_versions_only_rise, set_up, tear_down),
    cmocka_unit_test(what_another_process_writes_is_seen_without_opening_again),
    cmocka_unit_test(a_killed_writer_never_loses_what_it_acknowledged),
    cmocka_unit_test(a_state_opened_for_reading_cannot_be_written),
    cmocka_unit_test(hashes_and_ids_are_the_same_on_every_node),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("state", tests)
