/* A process that fills its store is killed, again and again, at moments of chance; each that
 * follows must find whole objects or none, and never what was withdrawn and committed. Rounds:
 * SGT_CRASH_ROUNDS (24). */
#include "tests/sgt.h"

#include "tests/unit/edgecache/sgt_store.h"

#include <signal.h>
#include <sys/wait.h>

#define KEYS         160u
#define WITHDRAWN    5000u
#define ANCHOR_EVERY 6

static struct sgt_store store;

/* What the child says when it got through. */
struct report {
    uint32_t found, missing;
};

/* Exit codes of a child that saw something wrong. */
enum { CHILD_OPEN = 2, CHILD_WRONG_BYTE, CHILD_CAME_BACK };

static struct report child_verify(struct sgt_store *s, uint32_t round)
{
    struct report report = {0, 0};
    for (uint32_t i = 0; i < KEYS; i++) {
        struct sge_object *object = sgt_store_get(s, i);
        int got = object == NULL ? 0 : sgt_store_verify(s, object, i);
        if (object != NULL)
            sg_hold_unref(&object->hold);
        if (got < 0)
            _exit(CHILD_WRONG_BYTE);
        report.found += got == 1;
        report.missing += got == 0;
    }
    for (uint32_t r = 0; r < round; r += ANCHOR_EVERY)
        if (sgt_store_get(s, WITHDRAWN + r) != NULL)
            _exit(CHILD_CAME_BACK);
    return report;
}

/* Kept, committed, withdrawn, committed: it must not come back. */
static void child_withdraw(struct sgt_store *s, uint32_t round)
{
    struct sge_event event;
    if (!sgt_store_put(s, WITHDRAWN + round, round, true))
        return;
    for (int i = 0; i < 2; i++) {
        uint64_t end_ns = sg_clock_mono_ns() + 300 * SG_NS_PER_MS;
        while (sg_clock_mono_ns() < end_ns) {
            (void)sgt_store_turn(s, &event);
            usleep(1000);
        }
        struct sge_object *object = i == 0 ? sgt_store_get(s, WITHDRAWN + round) : NULL;
        if (object != NULL) {
            sge_object_withdraw(s->shard, object);
            sg_hold_unref(&object->hold);
        }
    }
}

static void child(const char *dir, uint32_t round, int report_fd)
{
    struct sgt_store *s = &store;
    struct sge_event event;
    uint32_t random = round * 2654435761u + 1;
    sgt_store_configure(s, dir, 40 << 20);
    if (sgt_store_open(s) != SG_OK)
        _exit(CHILD_OPEN);
    struct report report = child_verify(s, round);
    if (round % ANCHOR_EVERY == 0)
        child_withdraw(s, round);
    if (write(report_fd, &report, sizeof(report)) != sizeof(report))
        _exit(1);
    for (uint32_t version = round << 16;; version++) { /* until killed */
        random = random * 1664525u + 1013904223u;
        uint32_t number = (random >> 8) % KEYS;
        struct sge_object *object = random >> 29 == 0 ? sgt_store_get(s, number) : NULL;
        if (object != NULL) {
            sge_object_withdraw(s->shard, object);
            sg_hold_unref(&object->hold);
        } else {
            (void)sgt_store_put(s, number, version, true);
        }
        (void)sgt_store_turn(s, &event);
        if (random >> 30 == 0)
            usleep(200);
    }
}

/* One life. */
static struct report run_and_kill(const char *dir, uint32_t round)
{
    struct report report = {0, 0};
    int pipe_fds[2], status = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(dir, round, pipe_fds[1]);
    close(pipe_fds[1]);
    ssize_t n = read(pipe_fds[0], &report, sizeof(report));
    close(pipe_fds[0]);
    usleep((round * 7919u % 13) * 25000 + 1000); /* on both sides of the volume's commits */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        print_message("# round %u: the child ended with %d\n", round, WEXITSTATUS(status));
    assert_int_equal(n, sizeof(report));
    assert_true(WIFSIGNALED(status));
    return report;
}

static void a_killed_store_comes_back_with_whole_objects_or_none(void **fixture)
{
    char dir[SGT_DIR_BYTES];
    const char *asked = getenv("SGT_CRASH_ROUNDS");
    uint32_t rounds = asked != NULL ? (uint32_t)atoi(asked) : 24;
    uint32_t found = 0;
    sgt_dir_make(dir);
    for (uint32_t round = 0; round < rounds; round++)
        found += run_and_kill(dir, round).found;
    print_message("# %u objects found whole after %u kills\n", found, rounds);
    assert_true(found > rounds);
    sgt_dir_remove(dir);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_killed_store_comes_back_with_whole_objects_or_none),
};
SGT_MAIN("volume_crash", tests)
