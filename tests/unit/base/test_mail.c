#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/mail.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define MESSAGES 200000u

static void *producer(void *arg)
{
    struct sg_mail *mail = arg;
    for (uint64_t i = 0; i < MESSAGES;) {
        struct sg_msg msg = {.type = 1, .arg64 = i};
        if (sg_mail_send(mail, 1, 0, &msg))
            i++;
    }
    return NULL;
}

static void nothing_is_lost_or_reordered_between_two_threads_that_sleep(void **fixture)
{
    struct sg_mail *mail = NULL;
    pthread_t thread;
    struct sg_msg got[16];
    uint64_t next = 0;
    assert_int_equal(sg_mail_open(2, 64, &mail), SG_OK);
    assert_int_equal(pthread_create(&thread, NULL, producer, mail), 0);
    while (next < MESSAGES) {
        uint32_t n = sg_mail_take(mail, 0, got, 16);
        for (uint32_t i = 0; i < n; i++)
            assert_true(got[i].arg64 == next++ && got[i].from == 1);
        if (n == 0 && !sg_mail_sleep_begin(mail, 0)) {
            struct pollfd pfd = {sg_mail_wake_fd(mail, 0), POLLIN, 0};
            uint64_t count;
            assert_int_equal(poll(&pfd, 1, 10000), 1);
            assert_int_equal(read(pfd.fd, &count, sizeof(count)), sizeof(count));
            sg_mail_sleep_end(mail, 0);
        }
    }
    pthread_join(thread, NULL);
    sg_mail_close(mail);
    (void)fixture;
}

static void a_full_ring_refuses_and_keeps_what_it_has(void **fixture)
{
    struct sg_mail *mail = NULL;
    struct sg_msg msg = {.type = 9}, got[8];
    assert_int_equal(sg_mail_open(2, 4, &mail), SG_OK);
    for (int i = 0; i < 4; i++)
        assert_true(sg_mail_send(mail, 1, 0, &msg));
    assert_false(sg_mail_send(mail, 1, 0, &msg));
    assert_int_equal(sg_mail_take(mail, 0, got, 8), 4);
    assert_true(sg_mail_send(mail, 1, 0, &msg));
    sg_mail_close(mail);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sg_mail *mail = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sg_mail_open(3, 8, &mail);
        assert_true(err == SG_OK ? mail != NULL : mail == NULL && err == SG_ENOMEM);
        sg_mail_close(mail);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_is_lost_or_reordered_between_two_threads_that_sleep),
    cmocka_unit_test(a_full_ring_refuses_and_keeps_what_it_has),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("mail", tests)
