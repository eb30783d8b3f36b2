/* What becomes of an origin that lies, stalls, breaks or mumbles. The origin is a shim. */
#include "tests/sgt.h"

#include "base/clock.h"
#include "tests/unit/dataplane/origin/liar.h"
#include "tests/unit/dataplane/origin/rig.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\n"

/* One answer, then END; the tests below are rows of (answer, error). */
static struct sgt_liar_step one_answer[4];
static const struct sgt_liar_script one_script[] = {{NULL, one_answer}};

struct world {
    struct sgt_liar *liar;
    struct sgt_rig rig;
};

static void world_open(struct world *w, const struct sgt_liar_script *scripts)
{
    w->liar = sgt_liar_open(0, scripts);
    sgt_rig_open(&w->rig, 1, 256);
    sgt_rig_url(&w->rig, "http", sgt_liar_port(w->liar));
    sgt_rig_pools(&w->rig);
}

static void world_close(struct world *w)
{
    sgt_rig_close(&w->rig);
    sgt_liar_close(w->liar);
}

struct row {
    const char *answer;
    enum sgd_origin_error error;
    unsigned heads;
    uint64_t received;
};

static void run_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct world w;
        one_answer[0] = (struct sgt_liar_step){SGT_LIAR_SEND, rows[i].answer, 0};
        one_answer[1] = (struct sgt_liar_step){SGT_LIAR_END, NULL, 0};
        world_open(&w, one_script);
        struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
        /* Before an error, what had to wait for a window may be lost: it is of no use. */
        bool lost = rows[i].error != SGD_ORIGIN_none && get->got == 0;
        if (get->fetch.error != rows[i].error || get->heads != rows[i].heads ||
            get->fetch.received_bytes != get->got || (get->got != rows[i].received && !lost))
            fail_msg("row %zu: error %s, %u heads, %zu bytes\n%s", i,
                     sgd_origin_error_type(get->fetch.error), get->heads, get->got, rows[i].answer);
        sgt_get_free(get);
        world_close(&w);
    }
}

static void a_broken_head_is_an_error_and_never_handed_on(void **fixture)
{
    static const struct row rows[] = {
        {"", SGD_ORIGIN_connection_terminated, 0, 0},
        {"HTTP/1.1 200 OK\r\nContent-Le", SGD_ORIGIN_connection_terminated, 0, 0},
        {"<html>hello</html>", SGD_ORIGIN_protocol, 0, 0},
        {"garbage garbage\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {"HTTP/3.7 200 OK\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {"HTTP/1.1 2x0 OK\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {"HTTP/1.1 99 Low\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {"HTTP/1.1 999 High\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: 5, 6\r\n\r\nhello!", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: -5\r\n\r\nhello", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: +5\r\n\r\nhello", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: 0x5\r\n\r\nhello", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: 99999999999999999999\r\n\r\nhello", SGD_ORIGIN_protocol, 0, 0},
        {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         SGD_ORIGIN_protocol, 0, 0},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         SGD_ORIGIN_protocol, 0, 0},
        {OK "Transfer-Encoding: gzip\r\n\r\nx", SGD_ORIGIN_transfer_coding, 0, 0},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", SGD_ORIGIN_transfer_coding, 0, 0},
        {OK "X-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK "X-A: 1\n\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK "X-A : 1\r\nContent-Length: 0\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK ": 1\r\nContent-Length: 0\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK "X-A: a\001b\r\nContent-Length: 0\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK "X-A: a\rb\r\nContent-Length: 0\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
        {OK "no colon here\r\nContent-Length: 0\r\n\r\n", SGD_ORIGIN_protocol, 0, 0},
    };
    run_rows(rows, SG_COUNT(rows));
    (void)fixture;
}

/* libcurl 7.88 writes to freed memory if its handle had a transfer before. */
static void a_head_that_begins_with_a_folded_line_is_refused_each_time(void **fixture)
{
    struct world w;
    one_answer[0] = (struct sgt_liar_step){SGT_LIAR_SEND, OK " X-A: 1\r\n\r\n", 0};
    one_answer[1] = (struct sgt_liar_step){SGT_LIAR_END, NULL, 0};
    world_open(&w, one_script);
    for (int i = 0; i < 16; i++) {
        struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
        assert_int_equal(get->heads, 0);
        assert_int_equal(get->fetch.error, SGD_ORIGIN_protocol);
        sgt_get_free(get);
    }
    world_close(&w);
    (void)fixture;
}

static void a_body_that_ends_early_is_never_taken_for_whole(void **fixture)
{
    static const struct row rows[] = {
        {OK "Content-Length: 100\r\n\r\nhello", SGD_ORIGIN_incomplete, 1, 5},
        {OK "Content-Length: 100\r\n\r\n", SGD_ORIGIN_incomplete, 1, 0},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", SGD_ORIGIN_incomplete, 1, 5},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", SGD_ORIGIN_incomplete, 1, 3},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", SGD_ORIGIN_transfer_coding, 1,
         5},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", SGD_ORIGIN_transfer_coding,
         1, 5},
        {OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx", SGD_ORIGIN_transfer_coding,
         1, 0},
    };
    run_rows(rows, SG_COUNT(rows));
    (void)fixture;
}

static void what_is_only_odd_is_taken(void **fixture)
{
    static const struct row rows[] = {
        {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", SGD_ORIGIN_none, 1, 5},
        {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", SGD_ORIGIN_none, 1, 5},
        {"HTTP/1.0 200 OK\r\n\r\nhello", SGD_ORIGIN_none, 1, 5},
        {OK "\r\nhello", SGD_ORIGIN_none, 1, 5},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 5\r\n\r\nhello", SGD_ORIGIN_none, 1,
         5},
        {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK "Content-Length: 5\r\n\r\nhello",
         SGD_ORIGIN_none, 1, 5},
        {OK "Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
         SGD_ORIGIN_none, 1, 5},
        {"HTTP/1.1 204 No Content\r\n\r\n", SGD_ORIGIN_none, 1, 0},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 55\r\n\r\n", SGD_ORIGIN_none, 1, 0},
        {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nhi",
         SGD_ORIGIN_none, 1, 2},
        {OK "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", SGD_ORIGIN_none, 1, 5},
    };
    run_rows(rows, SG_COUNT(rows));
    (void)fixture;
}

static void fields_that_are_not_for_others_are_left_out(void **fixture)
{
    struct world w;
    one_answer[0] = (struct sgt_liar_step){
        SGT_LIAR_SEND,
        OK "X-Secret: 1\r\nConnection: close, X-Secret\r\nKeep-Alive: timeout=5\r\n"
           "Upgrade: h2c\r\nProxy-Authenticate: Basic\r\nTrailer: X\r\nETag: \"a\"\r\n"
           "Connection: x-other\r\nX-Other: 2\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nhi",
        0};
    one_answer[1] = (struct sgt_liar_step){SGT_LIAR_END, NULL, 0};
    world_open(&w, one_script);
    struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    static const char kept[] = "etag: \"a\"\r\nx-empty: \r\n";
    assert_int_equal(get->fetch.head_bytes, sizeof(kept) - 1);
    assert_memory_equal(get->fetch.head, kept, sizeof(kept) - 1);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static char *long_head(const char *name, size_t value_bytes, unsigned lines)
{
    char *head = malloc(64 + lines * (value_bytes + 64));
    assert_non_null(head);
    size_t at = (size_t)sprintf(head, OK);
    for (unsigned i = 0; i < lines; i++) {
        at += (size_t)sprintf(head + at, "%s%u: ", name, i);
        memset(head + at, 'v', value_bytes);
        at += value_bytes;
        at += (size_t)sprintf(head + at, "\r\n");
    }
    sprintf(head + at, "Content-Length: 0\r\n\r\n");
    return head;
}

static void a_head_of_any_size_beyond_the_bound_is_told_as_such(void **fixture)
{
    static const struct {
        size_t value_bytes;
        unsigned lines;
        enum sgd_origin_error error;
    } rows[] = {{300, 100, SGD_ORIGIN_none},
                {400, 100, SGD_ORIGIN_head_too_large},
                {10, 300, SGD_ORIGIN_head_too_large},
                {50000, 1, SGD_ORIGIN_head_too_large},
                {250000, 1, SGD_ORIGIN_head_too_large},
                {2000000, 1, SGD_ORIGIN_head_too_large}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char *head = long_head("X-", rows[i].value_bytes, rows[i].lines);
        struct row row = {head, rows[i].error, rows[i].error == SGD_ORIGIN_none, 0};
        run_rows(&row, 1);
        free(head);
    }
    (void)fixture;
}

static void reset_stall_and_silence_are_told_apart(void **fixture)
{
    static const struct {
        struct sgt_liar_step steps[3];
        enum sgd_origin_error error;
    } rows[] = {
        {{{SGT_LIAR_RESET, NULL, 0}}, SGD_ORIGIN_connection_terminated},
        {{{SGT_LIAR_SEND, OK "Content-Length: 100\r\n\r\nhello", 0},
          {SGT_LIAR_WAIT, NULL, 50},
          {SGT_LIAR_RESET, NULL, 0}},
         SGD_ORIGIN_connection_terminated},
        {{{SGT_LIAR_SEND, OK "Content-Length: 100\r\n\r\nhello", 0},
          {SGT_LIAR_WAIT, NULL, 2000},
          {SGT_LIAR_END, NULL, 0}},
         SGD_ORIGIN_read_timeout},
        {{{SGT_LIAR_WAIT, NULL, 2000}, {SGT_LIAR_END, NULL, 0}}, SGD_ORIGIN_first_byte_timeout},
        {{{SGT_LIAR_SEND, OK "X-A: 1\r\n", 0},
          {SGT_LIAR_WAIT, NULL, 2000},
          {SGT_LIAR_END, NULL, 0}},
         SGD_ORIGIN_first_byte_timeout},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct world w;
        memcpy(one_answer, rows[i].steps, sizeof(rows[i].steps));
        world_open(&w, one_script);
        uint64_t begin_ns = sg_clock_mono_ns();
        struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
        uint64_t took_ms = (sg_clock_mono_ns() - begin_ns) / SG_NS_PER_MS;
        if (get->fetch.error != rows[i].error)
            fail_msg("row %zu: %s", i, sgd_origin_error_type(get->fetch.error));
        assert_true(took_ms < 1200);
        sgt_get_free(get);
        world_close(&w);
    }
    (void)fixture;
}

/* Bytes beyond Content-Length, at once or later, are nobody's: the next answer is not made of
 * them. */
static void bytes_beyond_the_length_poison_no_other_answer(void **fixture)
{
    static const struct sgt_liar_step at_once[] = {
        {SGT_LIAR_SEND, OK "Content-Length: 5\r\n\r\nhello" OK "Content-Length: 6\r\n\r\npoison",
         0},
        {SGT_LIAR_AGAIN, NULL, 0}};
    static const struct sgt_liar_step later[] = {
        {SGT_LIAR_SEND, OK "Content-Length: 5\r\n\r\nhello", 0},
        {SGT_LIAR_WAIT, NULL, 50},
        {SGT_LIAR_SEND, OK "Content-Length: 6\r\n\r\npoison", 0},
        {SGT_LIAR_AGAIN, NULL, 0}};
    static const struct sgt_liar_step good[] = {
        {SGT_LIAR_SEND, OK "Content-Length: 4\r\n\r\ngood", 0}, {SGT_LIAR_AGAIN, NULL, 0}};
    static const struct sgt_liar_script scripts[] = {
        {"/at-once", at_once}, {"/later", later}, {NULL, good}};
    for (int i = 0; i < 2; i++) {
        struct world w;
        world_open(&w, scripts);
        sgt_get_free(sgt_get_run(&w.rig, "GET", scripts[i].path));
        sgt_rig_run(&w.rig, NULL, 150);
        struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/good");
        assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
        assert_int_equal(get->got, 4);
        assert_memory_equal(get->body, "good", 4);
        sgt_get_free(get);
        world_close(&w);
    }
    (void)fixture;
}

static void what_may_follow_an_answer_without_content_is_not_waited_for(void **fixture)
{
    static const struct sgt_liar_step said[] = {
        {SGT_LIAR_SEND, "HTTP/1.1 204 No\r\nContent-Length: 6\r\n\r\n", 0},
        {SGT_LIAR_AGAIN, NULL, 0}};
    static const struct sgt_liar_step silent[] = {{SGT_LIAR_SEND, "HTTP/1.1 204 No\r\n\r\n", 0},
                                                  {SGT_LIAR_AGAIN, NULL, 0}};
    static const struct sgt_liar_script scripts[] = {{"/said", said}, {NULL, silent}};
    static const struct {
        const char *path;
        unsigned connections;
    } rows[] = {{"/said", 2}, {"/silent", 1}};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct world w;
        world_open(&w, scripts);
        for (int n = 0; n < 2; n++) {
            struct sgt_get *get = sgt_get_run(&w.rig, "GET", rows[i].path);
            assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
            sgt_get_free(get);
        }
        assert_int_equal(sgt_liar_connections(w.liar), rows[i].connections);
        world_close(&w);
    }
    (void)fixture;
}

static void back_pressure_longer_than_the_idle_time_is_not_the_origins_fault(void **fixture)
{
    struct world w;
    one_answer[0] = (struct sgt_liar_step){SGT_LIAR_SEND, OK "Content-Length: 3000000\r\n\r\n", 0};
    one_answer[1] = (struct sgt_liar_step){SGT_LIAR_FILL, NULL, 3000000};
    one_answer[2] = (struct sgt_liar_step){SGT_LIAR_END, NULL, 0};
    world_open(&w, one_script);
    struct sgt_get *get = sgt_get_make(&w.rig, "GET", "/");
    get->window_bytes = 10000;
    sgt_get_start(get);
    while (get->got < 100000)
        sgt_rig_run(&w.rig, get, 1);
    get->hold = true;
    assert_false(sgt_rig_run(&w.rig, get, 1200));
    get->hold = false;
    get->window_bytes = 65536;
    assert_true(sgt_rig_run(&w.rig, get, 5000));
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(get->got, 3000000);
    for (size_t i = 0; i < get->got; i++)
        assert_int_equal(get->body[i], sgt_liar_pattern(i));
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void a_body_beyond_what_was_allowed_is_refused(void **fixture)
{
    static const char *const answers[] = {
        OK "Content-Length: 5\r\n\r\nhello",
        OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK "Connection: close\r\n\r\nhello",
    };
    for (size_t i = 0; i < SG_COUNT(answers); i++) {
        struct world w;
        one_answer[0] = (struct sgt_liar_step){SGT_LIAR_SEND, answers[i], 0};
        one_answer[1] = (struct sgt_liar_step){SGT_LIAR_END, NULL, 0};
        world_open(&w, one_script);
        struct sgt_get *get = sgt_get_make(&w.rig, "GET", "/");
        get->fetch.body_bytes_max = 4;
        sgt_get_start(get);
        assert_true(sgt_rig_run(&w.rig, get, 2000));
        assert_int_equal(get->fetch.error, SGD_ORIGIN_body_too_large);
        assert_true(get->got <= 4);
        sgt_get_free(get);
        world_close(&w);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_broken_head_is_an_error_and_never_handed_on),
    cmocka_unit_test(a_head_that_begins_with_a_folded_line_is_refused_each_time),
    cmocka_unit_test(a_body_that_ends_early_is_never_taken_for_whole),
    cmocka_unit_test(what_is_only_odd_is_taken),
    cmocka_unit_test(fields_that_are_not_for_others_are_left_out),
    cmocka_unit_test(a_head_of_any_size_beyond_the_bound_is_told_as_such),
    cmocka_unit_test(reset_stall_and_silence_are_told_apart),
    cmocka_unit_test(bytes_beyond_the_length_poison_no_other_answer),
    cmocka_unit_test(what_may_follow_an_answer_without_content_is_not_waited_for),
    cmocka_unit_test(back_pressure_longer_than_the_idle_time_is_not_the_origins_fault),
    cmocka_unit_test(a_body_beyond_what_was_allowed_is_refused),
};
SGT_MAIN("liar_shim", tests)
