#include "tests/sgt.h"

#include "base/alloc.h"
#include "tests/unit/dataplane/http1_fakes.h"

#include <stdio.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define POST(path, framing, body)                                                                  \
    "POST " path " HTTP/1.1\r\nHost: a.example\r\n" framing "\r\n\r\n" body
#define OK(framing)                                                                                \
    "HTTP/1.1 200 OK\r\nx-a: b\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" framing "\r\n"
#define HELLO OK("content-length: 5\r\n") "hello"

static void one_answer(const char *request, const char *want)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, request);
    assert_string_equal(conn->out, want);
    sgt_conn_close(conn);
}

static void each_framing_is_written_as_the_version_and_method_allow(void **fixture)
{
    one_answer(GET("/hello"), HELLO);
    one_answer("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", OK("content-length: 5\r\n"));
    one_answer(GET("/304"), "HTTP/1.1 304 Not Modified\r\nx-a: b\r\ndate: Sun, 06 Nov 1994 "
                            "08:49:37 GMT\r\ncontent-length: 5\r\n\r\n");
    one_answer(GET("/204"), "HTTP/1.1 204 No Content\r\nx-a: b\r\ndate: Sun, 06 Nov 1994 "
                            "08:49:37 GMT\r\n\r\n");
    one_answer(GET("/chunks"),
               OK("transfer-encoding: chunked\r\n") "000003\r\none\r\n000003\r\ntwo\r\n000003\r\nth"
                                                    "r\r\n000002\r\nee\r\n0\r\n\r\n");
    one_answer("GET /chunks HTTP/1.0\r\n\r\n", OK("connection: close\r\n") "onetwothree");
    one_answer("GET /hello HTTP/1.0\r\n\r\n",
               OK("content-length: 5\r\nconnection: close\r\n") "hello");
    one_answer("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
               OK("content-length: 5\r\nconnection: keep-alive\r\n") "hello");
    one_answer(GET("/early"), "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n" HELLO);
    one_answer("GET /early HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
               OK("content-length: 5\r\nconnection: keep-alive\r\n") "hello");
    (void)fixture;
}

static void answers_are_whole_at_every_budget_and_any_number_of_slices(void **fixture)
{
    for (size_t budget = 24; budget < 300; budget++) {
        for (size_t max = 4; max <= 8; max++) {
            struct sgd_conn *conn = sgt_conn_open(false);
            conn->budget = budget;
            conn->max = max;
            sgt_conn_feed(conn, GET("/chunks"));
            const char *end = conn->out + conn->out_len - 7;
            assert_string_equal(end, "\r\n0\r\n\r\n");
            sgt_conn_feed(conn, GET("/hello"));
            assert_string_equal(conn->out + conn->out_len - strlen(HELLO), HELLO);
            sgt_conn_close(conn);
        }
    }
    (void)fixture;
}

static void a_pipeline_is_answered_in_order_however_it_arrives(void **fixture)
{
    const char *text = GET("/hello") POST("/echo", "Content-Length: 3", "abc")
        POST("/echo", "Transfer-Encoding: chunked", "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n")
            GET("/chunks") "\r\n" GET("/hello");
    for (size_t step = 1; step < strlen(text) + 1; step++) {
        struct sgd_conn *conn = sgt_conn_open(false);
        conn->step = step;
        sgt_conn_feed(conn, text);
        assert_string_equal(sgt_x_log, "/hello /echo /echo /chunks /hello ");
        assert_non_null(strstr(conn->out, "\r\n000003\r\nabc\r\n0\r\n\r\nHTTP/1.1"));
        assert_string_equal(conn->out + conn->out_len - strlen(HELLO), HELLO);
        assert_false(conn->closing);
        assert_int_equal(sgt_x.why, SGD_CLOSE_none);
        assert_int_equal(sgt_x.sent_bytes, 5);
        sgt_conn_close(conn);
    }
    (void)fixture;
}

static void the_next_head_waits_for_the_answer_before(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/later") GET("/hello"));
    assert_int_equal(sgt_x_count, 1);
    assert_int_equal(conn->in_len, strlen(GET("/hello")));
    assert_int_equal(conn->out_len, 0);
    sgt_x_answer();
    sgt_conn_run(conn);
    assert_string_equal(sgt_x_log, "/later /hello ");
    assert_string_equal(conn->out, HELLO HELLO);
    sgt_conn_close(conn);
    (void)fixture;
}

static void an_error_is_told_with_its_reason_and_ends_the_connection(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, "GET / HTTP/1.1\nHost: a\n\n");
    assert_true(conn->closing && conn->ended);
    assert_int_equal(conn->why, SGD_CLOSE_http_bare_lf);
    assert_string_equal(conn->out,
                        "HTTP/1.1 400 Bad Request\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                        "content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"
                        "x-request-id: 0000000000001234\r\n"
                        "content-length: 78\r\nconnection: close\r\n\r\n"
                        "400 Bad Request: a line ends without CR. Send the request as RFC 9112 has "
                        "it.\n");
    sgt_conn_close(conn);
    (void)fixture;
}

static void nothing_behind_an_error_is_read_as_a_request(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, POST("/echo", "Transfer-Encoding: chunked", "zz\r\n") GET("/hello"));
    assert_int_equal(sgt_x_count, 1);
    assert_int_equal(sgt_x.why, SGD_CLOSE_http_bad_chunk);
    assert_int_equal(conn->in_len, 0); /* heard out, so that the answer is not lost to a reset */
    assert_memory_equal(conn->out, "HTTP/1.1 400 ", 13);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_refusal_of_head_has_no_body(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, "HEAD / HTTP/1.1\r\nHost: a\r\nb : c\r\n\r\n");
    assert_memory_equal(conn->out, "HTTP/1.1 400 ", 13);
    assert_string_equal(conn->out + conn->out_len - 4, "\r\n\r\n");
    assert_non_null(strstr(conn->out, "\r\nx-request-id: 0000000000001234\r\n"));
    assert_int_equal(sgt_refused.why, SGD_CLOSE_http_bad_field_name);
    assert_int_equal(sgt_refused.status, 400);
    assert_int_equal(sgt_refused.method, SGD_METHOD_HEAD);
    assert_int_equal(sgt_refused.request_bytes, 35);
    sgt_conn_close(conn);
    (void)fixture;
}

struct refusal {
    const char *text;
    const char *status;
    enum sgd_close why;
};

static void each_limit_has_its_status(void **fixture)
{
    static const struct refusal rows[] = {
        {GET("/full"), "503 ", SGD_CLOSE_no_memory},
        {GET("/fail"), "503 ", SGD_CLOSE_no_memory},
        {POST("/echo", "Content-Length: 1001", ""), "413 ", SGD_CLOSE_http_body_too_large},
        {POST("/echo", "Transfer-Encoding: chunked", "3e9\r\n"), "413 ",
         SGD_CLOSE_http_body_too_large},
        {POST("/echo", "Expect: x", ""), "417 ", SGD_CLOSE_http_expectation},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 ", SGD_CLOSE_http_version_unsupported},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_conn *conn = sgt_conn_open(false);
        sgt_conn_feed(conn, rows[i].text);
        assert_memory_equal(conn->out + 9, rows[i].status, 4);
        assert_int_equal(conn->why, rows[i].why);
        sgt_conn_close(conn);
    }
    (void)fixture;
}

static void a_cut_answer_resets_the_connection(void **fixture)
{
    static const char *const paths[] = {GET("/short"), GET("/cut"), GET("/torn"),
                                        "GET /torn HTTP/1.0\r\n\r\n"};
    for (size_t i = 0; i < SG_COUNT(paths); i++) {
        struct sgd_conn *conn = sgt_conn_open(false);
        sgt_conn_feed(conn, paths[i]);
        assert_true(conn->aborted && !conn->ended);
        assert_int_equal(conn->why, SGD_CLOSE_answer_cut);
        assert_null(strstr(conn->out, "\r\n0\r\n\r\n"));
        sgt_conn_close(conn);
        assert_int_equal(sgt_x.why, SGD_CLOSE_answer_cut);
    }
    (void)fixture;
}

static void continue_is_said_once_and_only_if_the_answer_waits_for_the_body(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, POST("/echo", "Expect: 100-continue\r\nContent-Length: 3", ""));
    assert_string_equal(conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
    sgt_conn_feed(conn, "abc");
    assert_non_null(strstr(conn->out, "\r\n000003\r\nabc\r\n"));
    assert_false(conn->closing);
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    sgt_conn_feed(conn, POST("/refuse", "Expect: 100-continue\r\nContent-Length: 3", ""));
    assert_memory_equal(conn->out, "HTTP/1.1 403 ", 13);
    assert_non_null(strstr(conn->out, "connection: close\r\n"));
    assert_true(conn->closing && conn->ended);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_body_is_held_back_until_it_is_wanted(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, POST("/slow", "Content-Length: 5", "abcde"));
    assert_int_equal(sgt_x.body_len, 1);
    assert_int_equal(conn->in_len, 4);
    sgt_conn_pass_ms(conn, 60000); /* it is not the peer that is late */
    assert_false(conn->closing);
    for (int i = 0; i < 4; i++) {
        sgt_x.room = 1;
        sgt_x.reply->ops->body_wanted(sgt_x.reply);
        sgt_conn_run(conn);
    }
    assert_non_null(strstr(conn->out, "abc"));
    assert_non_null(strstr(conn->out, "\r\n0\r\n\r\n"));
    assert_false(conn->closing);
    sgt_conn_close(conn);
    (void)fixture;
}

static void an_answer_given_before_the_body_was_read_ends_the_connection(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, POST("/refuse", "Content-Length: 30", GET("/hello")));
    assert_int_equal(sgt_x_count, 1);
    assert_non_null(strstr(conn->out, "connection: close\r\n"));
    assert_true(conn->closing && conn->ended);
    assert_int_equal(conn->why, SGD_CLOSE_none);
    sgt_conn_close(conn);
    (void)fixture;
}

static void connections_end_when_either_side_says_so(void **fixture)
{
    one_answer(GET("/close"), OK("content-length: 5\r\nconnection: close\r\n") "hello");
    one_answer("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/hello"),
               OK("content-length: 5\r\nconnection: close\r\n") "hello");
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_limits()->requests_per_connection = 2;
    sgt_conn_feed(conn, GET("/hello") GET("/hello") GET("/hello"));
    assert_int_equal(sgt_x_count, 2);
    assert_int_equal(conn->why, SGD_CLOSE_http_requests_full);
    assert_non_null(strstr(conn->out, "connection: close\r\n"));
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_peer_may_stop_sending_and_still_listen(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/later"));
    sgt_conn_end(conn);
    assert_false(conn->closing);
    sgt_x_answer();
    sgt_conn_run(conn);
    assert_non_null(strstr(conn->out, "hello"));
    assert_true(conn->closing && conn->ended && conn->why == SGD_CLOSE_none);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_peer_that_stops_within_a_request_is_left(void **fixture)
{
    static const char *const rows[] = {"", "GET / HT", POST("/echo", "Content-Length: 3", "ab"),
                                       POST("/echo", "Transfer-Encoding: chunked", "0\r\n")};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_conn *conn = sgt_conn_open(false);
        sgt_conn_feed(conn, rows[i]);
        sgt_conn_end(conn);
        assert_true(conn->closing && conn->why == SGD_CLOSE_peer_closed);
        assert_int_equal(conn->out_len, 0);
        sgt_conn_close(conn);
    }
    (void)fixture;
}

static void each_wait_has_its_end(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_pass_ms(conn, 4999);
    assert_false(conn->closing);
    sgt_conn_pass_ms(conn, 1);
    assert_true(conn->closing && conn->why == SGD_CLOSE_idle && conn->out_len == 0);
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/hello"));
    sgt_conn_pass_ms(conn, 14999);
    assert_false(conn->closing);
    sgt_conn_feed(conn, "G"); /* a byte now and then does not buy time */
    sgt_conn_pass_ms(conn, 3000);
    sgt_conn_feed(conn, "ET / HTTP/1.1\r\n");
    sgt_conn_pass_ms(conn, 1999);
    assert_false(conn->closing);
    sgt_conn_pass_ms(conn, 1);
    assert_true(conn->closing && conn->why == SGD_CLOSE_header_timeout);
    assert_non_null(strstr(conn->out, "HTTP/1.1 408 "));
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    sgt_conn_feed(conn, POST("/echo", "Content-Length: 3", "a"));
    sgt_conn_pass_ms(conn, 9999);
    sgt_conn_feed(conn, "b");
    sgt_conn_pass_ms(conn, 9999);
    assert_false(conn->closing);
    sgt_conn_pass_ms(conn, 1);
    assert_true(conn->closing && conn->why == SGD_CLOSE_body_timeout);
    assert_memory_equal(conn->out, "HTTP/1.1 408 ", 13);
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/later"));
    sgt_conn_pass_ms(conn, 3600 * 1000); /* that is delivery's to bound */
    assert_false(conn->closing || conn->aborted);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_body_may_not_drip_for_ever(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    unsigned seconds = 0;
    sgt_limits()->send_rate_min = 10;
    sgt_conn_feed(conn, POST("/echo", "Content-Length: 900", ""));
    for (; !conn->closing && seconds < 100; seconds++) {
        sgt_conn_feed(conn, "a");
        sgt_conn_pass_ms(conn, 1000);
    }
    assert_in_range(seconds, 10, 12); /* the 10 s of send_timeout_ms, and a tenth of one a byte */
    assert_int_equal(conn->why, SGD_CLOSE_body_timeout);
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    sgt_limits()->send_rate_min = 10;
    sgt_conn_feed(conn, POST("/echo", "Content-Length: 600", ""));
    for (seconds = 0; seconds < 60; seconds++) {
        assert_false(conn->closing);
        sgt_conn_pass_ms(conn, 1000);
        sgt_conn_feed(conn, "aaaaaaaaaa");
    }
    assert_memory_equal(conn->out, "HTTP/1.1 200 ", 13);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_draining_worker_lets_answers_end_and_takes_no_more(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/later"));
    sgt_worker()->draining = true;
    conn->proto->drain(conn->self, sgt_worker()->now_ns);
    assert_false(conn->closing);
    sgt_x_answer();
    sgt_conn_run(conn);
    assert_non_null(strstr(conn->out, "connection: close\r\n"));
    assert_true(conn->closing && conn->ended);
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/hello"));
    sgt_conn_run(conn);
    sgt_worker()->draining = true;
    conn->proto->drain(conn->self, sgt_worker()->now_ns);
    assert_true(conn->closing && conn->why == SGD_CLOSE_drained);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_draining_worker_waits_a_second_for_a_connections_first_request(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_worker()->draining = true;
    conn->proto->drain(conn->self, sgt_worker()->now_ns);
    assert_false(conn->closing);
    sgt_conn_pass_ms(conn, 999);
    sgt_conn_feed(conn, GET("/later"));
    sgt_x_answer();
    sgt_conn_run(conn);
    assert_non_null(strstr(conn->out, "connection: close\r\n"));
    sgt_conn_close(conn);

    conn = sgt_conn_open(false);
    conn->proto->drain(conn->self, sgt_worker()->now_ns);
    sgt_conn_pass_ms(conn, 1000);
    assert_true(conn->closing);
    sgt_conn_close(conn);
    (void)fixture;
}

static void
told_to_end_after_its_head_a_connection_waits_a_second_for_one_more_request(void **fixture)
{
    for (int more = 0; more < 2; more++) {
        struct sgd_conn *conn = sgt_conn_open(false);
        sgt_conn_feed(conn, GET("/later"));
        sgt_x_answer();
        sgt_listener_goes();
        sgt_conn_run(conn);
        assert_null(strstr(conn->out, "connection: close\r\n"));
        sgt_conn_pass_ms(conn, 990);
        assert_false(conn->closing);
        if (more != 0)
            sgt_conn_feed(conn, GET("/hello"));
        else
            sgt_conn_pass_ms(conn, 10);
        sgt_conn_run(conn);
        assert_true(conn->closing);
        assert_int_equal(strstr(conn->out, "connection: close\r\n") != NULL, more);
        sgt_conn_close(conn);
    }
    (void)fixture;
}

static void a_connection_whose_listener_is_gone_ends_with_its_next_answer(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, GET("/hello"));
    sgt_conn_run(conn);
    assert_null(strstr(conn->out, "connection: close\r\n"));
    sgt_listener_goes();
    assert_false(conn->closing);
    sgt_conn_feed(conn, GET("/hello"));
    sgt_conn_run(conn);
    assert_non_null(strstr(conn->out, "connection: close\r\n"));
    assert_true(conn->closing && conn->ended);
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_request_of_1_0_without_host_is_for_the_address_it_came_to(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false);
    sgt_conn_feed(conn, "GET /later HTTP/1.0\r\n\r\n");
    assert_true(sg_str_eq(sgt_x.req->authority, SG_STR("192.0.2.1")));
    sgt_conn_close(conn);
    conn = sgt_conn_open(true);
    sgt_conn_feed(conn, "GET /later HTTP/1.0\r\n\r\n");
    assert_true(sgt_x.req->https && sg_str_eq(sgt_x.req->authority, SG_STR("192.0.2.1:80")));
    sgt_conn_close(conn);
    (void)fixture;
}

static void a_connection_that_breaks_ends_its_exchange(void **fixture)
{
    static const char *const rows[] = {GET("/later"), GET("/hello"), GET("/chunks"),
                                       POST("/slow", "Content-Length: 5", "abcde"), "GET / HT"};
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_conn *conn = sgt_conn_open(false);
        conn->budget = 40; /* within the head */
        conn->in = rows[i];
        conn->in_len = strlen(rows[i]);
        conn->proto->input(conn->self, (const uint8_t *)rows[i], conn->in_len, 0);
        conn->in_len = 0;
        struct sg_slice slices[8];
        enum sgd_pull_more more;
        size_t n = conn->proto->pull(conn->self, 40, slices, 8, &more, 0);
        while (n > 0)
            sg_slice_drop(&slices[--n]);
        conn->why = SGD_CLOSE_peer_reset;
        sgt_conn_close(conn);
    }
    (void)fixture;
}

static void with_no_memory_left_there_is_still_an_answer(void **fixture)
{
    struct sgd_conn *conn = sgt_conn_open(false), second = {.wake_at_ns = SG_NEVER},
                    third = {.wake_at_ns = SG_NEVER};
    assert_true(sgd_http1_start(sgt_worker(), &second));
    assert_false(sgd_http1_start(sgt_worker(), &third));
    second.proto->closed(second.self, SGD_CLOSE_none);
    sgt_conn_close(conn);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    static struct sgd_worker worker;
    struct sg_conf_limits limits = {.connections = 2, .header_bytes = 1024};
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_http1s *http1s = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_http1s_open(&worker, &limits, &http1s);
        assert_true(err == SG_OK ? http1s != NULL : http1s == NULL && err == SG_ENOMEM);
        sgd_http1s_close(http1s);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_framing_is_written_as_the_version_and_method_allow),
    cmocka_unit_test(answers_are_whole_at_every_budget_and_any_number_of_slices),
    cmocka_unit_test(a_pipeline_is_answered_in_order_however_it_arrives),
    cmocka_unit_test(the_next_head_waits_for_the_answer_before),
    cmocka_unit_test(an_error_is_told_with_its_reason_and_ends_the_connection),
    cmocka_unit_test(nothing_behind_an_error_is_read_as_a_request),
    cmocka_unit_test(a_refusal_of_head_has_no_body),
    cmocka_unit_test(each_limit_has_its_status),
    cmocka_unit_test(a_cut_answer_resets_the_connection),
    cmocka_unit_test(continue_is_said_once_and_only_if_the_answer_waits_for_the_body),
    cmocka_unit_test(a_body_is_held_back_until_it_is_wanted),
    cmocka_unit_test(an_answer_given_before_the_body_was_read_ends_the_connection),
    cmocka_unit_test(connections_end_when_either_side_says_so),
    cmocka_unit_test(a_peer_may_stop_sending_and_still_listen),
    cmocka_unit_test(a_peer_that_stops_within_a_request_is_left),
    cmocka_unit_test(each_wait_has_its_end),
    cmocka_unit_test(a_body_may_not_drip_for_ever),
    cmocka_unit_test(a_draining_worker_lets_answers_end_and_takes_no_more),
    cmocka_unit_test(a_draining_worker_waits_a_second_for_a_connections_first_request),
    cmocka_unit_test(told_to_end_after_its_head_a_connection_waits_a_second_for_one_more_request),
    cmocka_unit_test(a_connection_whose_listener_is_gone_ends_with_its_next_answer),
    cmocka_unit_test(a_request_of_1_0_without_host_is_for_the_address_it_came_to),
    cmocka_unit_test(a_connection_that_breaks_ends_its_exchange),
    cmocka_unit_test(with_no_memory_left_there_is_still_an_answer),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};
SGT_MAIN("http1", tests)
