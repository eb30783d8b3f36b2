#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/http/head1.h"

#include <stdio.h>

#define LIMIT 1024u

struct parsed {
    enum sgd_head1_result result;
    enum sgd_close why;
    struct sgd_head1 head;
    struct sgd_request req;
    char bytes[4096];
};

/* Feeds the bytes `step` at a time, as a connection would, from memory that ends where they do. */
static void parse_as(struct parsed *p, const char *text, size_t len, size_t step, bool https)
{
    struct sgd_head1_limits limits = {.head_bytes = LIMIT, .fields = 10, .https = https};
    assert_true(len <= sizeof(p->bytes));
    sgd_head1_begin(&p->head, &limits);
    p->result = SGD_HEAD1_MORE;
    p->why = SGD_CLOSE_none;
    memset(p->bytes, 0, sizeof(p->bytes));
    for (size_t at = 0; at < len && p->result == SGD_HEAD1_MORE;) {
        size_t n = SG_MIN(step, len - at);
        memcpy(p->bytes + at, text + at, n);
        at += n;
        p->result = sgd_head1_read(&p->head, p->bytes, at, &p->req, &p->why);
    }
}

static void parse(struct parsed *p, const char *text)
{
    parse_as(p, text, strlen(text), strlen(text), false);
}

#define FIRST "GET / HTTP/1.1\r\n"
#define HOST  "Host: a.example\r\n"
#define HEAD  FIRST HOST
#define END   "\r\n"

struct row {
    const char *text;
    enum sgd_close why; /* none: it is served */
};
#define ROW(text, why)                                                                             \
    {                                                                                              \
        text, SGD_CLOSE_##why                                                                      \
    }

static const struct row lines[] = {
    ROW("GET / HTTP/1.1\r\n" HOST END, none),
    ROW("\r\nGET / HTTP/1.1\r\n" HOST END, none),
    ROW("\r\n\r\nGET / HTTP/1.1\r\n" HOST END, http_bad_method),
    ROW("\nGET / HTTP/1.1\r\n" HOST END, http_bare_lf),
    ROW(" GET / HTTP/1.1\r\n" HOST END, http_bad_method),
    ROW("GET  / HTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("GET /  HTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("GET / HTTP/1.1 \r\n" HOST END, http_bad_request_line),
    ROW("GET / x HTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("GET\t/ HTTP/1.1\r\n" HOST END, http_bad_method),
    ROW("GET /\tHTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("GET /a\tb HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET / HTTP/1.1\n" HOST END, http_bare_lf),
    ROW("GET / HTTP/1.1\r" HOST END, http_bad_request_line),
    ROW("GET /\r\n" HOST END, http_bad_request_line),
    ROW("GET\r\n" HOST END, http_bad_request_line),
    ROW("GET \r\n" HOST END, http_bad_request_line),
    ROW("GET  HTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("G(T / HTTP/1.1\r\n" HOST END, http_bad_method),
    ROW("GET\x01 / HTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("\x16\x03\x01", http_bad_request_line),
    ROW("get / HTTP/1.1\r\n" HOST END, none), /* a method of its own: delivery's matter */
    ROW("M-SEARCH / HTTP/1.1\r\n" HOST END, none),
    ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST END, none),
    ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST END, http_method_too_long),
    ROW("CONNECT a.example:443 HTTP/1.1\r\n" HOST END, http_connect),
    ROW("CONNECT / HTTP/1.1\r\n" HOST END, http_connect),
    ROW("GET / HTTP/1.0\r\n\r\n", none),
    ROW("GET / HTTP/1.2\r\n" HOST END, none),
    ROW("GET / HTTP/1.10\r\n" HOST END, http_bad_version),
    ROW("GET / HTTP/11\r\n" HOST END, http_bad_version),
    ROW("GET / http/1.1\r\n" HOST END, http_bad_version),
    ROW("GET / HTTP/1,1\r\n" HOST END, http_bad_version),
    ROW("GET / HTTP/1.x\r\n" HOST END, http_bad_version),
    ROW("GET / HTTP/+1.1\r\n" HOST END, http_bad_version),
    ROW("GET / ICAP/1.1\r\n" HOST END, http_bad_version),
    ROW("GET / HTTP/0.9\r\n" HOST END, http_version_unsupported),
    ROW("GET / HTTP/2.0\r\n" HOST END, http_version_unsupported),
    ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http_version_unsupported),
};

static const struct row targets[] = {
    ROW("GET /a/b?c=d&e HTTP/1.1\r\n" HOST END, none),
    ROW("GET //a HTTP/1.1\r\n" HOST END, none),
    ROW("GET /a%20b HTTP/1.1\r\n" HOST END, none),
    ROW("GET /?a=[b]{c}|\\^` HTTP/1.1\r\n" HOST END, none),
    ROW("GET /a#b HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET /?a#b HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET /a\"b HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET /<a> HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET /a\\b HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET /\xc3\xa9 HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET /a\x7f HTTP/1.1\r\n" HOST END, http_bad_request_line),
    ROW("GET * HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("OPTIONS * HTTP/1.1\r\n" HOST END, none),
    ROW("OPTIONS ** HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET a/b HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET ?a HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET a.example:80 HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET http://a.example/ HTTP/1.1\r\n" HOST END, none),
    ROW("GET HTTP://A.example:80 HTTP/1.1\r\n" HOST END, none),
    ROW("GET http://a.example?q HTTP/1.1\r\n" HOST END, none),
    ROW("GET http://b.example/ HTTP/1.1\r\n" HOST END, http_bad_host),
    ROW("GET http://a.example:81/ HTTP/1.1\r\n" HOST END, http_bad_host),
    ROW("GET http://a.example/ HTTP/1.1\r\n\r\n", http_no_host),
    ROW("GET http://u@a.example/ HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET http:///a HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET http:a HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET http://a.example#b HTTP/1.1\r\n" HOST END, http_bad_target),
    ROW("GET https://a.example/ HTTP/1.1\r\n" HOST END, http_misdirected),
    ROW("GET ftp://a.example/ HTTP/1.1\r\n" HOST END, http_bad_target),
};

static const struct row hosts[] = {
    ROW(FIRST END, http_no_host),
    ROW(FIRST "Host:\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: \r\n\r\n", http_bad_host),
    ROW("GET / HTTP/1.0\r\nHost:\r\n\r\n", http_bad_host),
    ROW(HEAD HOST END, http_bad_host),
    ROW(HEAD "host: b.example\r\n\r\n", http_bad_host),
    ROW("GET / HTTP/1.0\r\n" HOST HOST END, http_bad_host),
    ROW(FIRST "Host: a.example, b.example\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a b\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a/b\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: u@a\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a?b\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a#b\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a%41\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: http://a\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: :80\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a:b\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a:80:80\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a:65536\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a:-1\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a:0080\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: a:\r\n\r\n", none),
    ROW(FIRST "Host: a:65535\r\n\r\n", none),
    ROW(FIRST "Host: 127.0.0.1\r\n\r\n", none),
    ROW(FIRST "Host: [::1]:8080\r\n\r\n", none),
    ROW(FIRST "Host: [::FFFF:1.2.3.4]\r\n\r\n", none),
    ROW(FIRST "Host: [::1\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: [::1]x\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: []\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: [v1.a]\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: [::1%25eth0]\r\n\r\n", http_bad_host),
    ROW(FIRST "Host: ::1\r\n\r\n", http_bad_host),
    ROW(FIRST "Host : a\r\n\r\n", http_bad_field_name),
    ROW(FIRST " Host: a\r\n\r\n", http_obs_fold),
};

static const struct row fields[] = {
    ROW(HEAD "a: b\r\n\r\n", none),
    ROW(HEAD "a:b\r\n\r\n", none),
    ROW(HEAD "a:\r\n\r\n", none),
    ROW(HEAD "a: \t b \t\r\n\r\n", none),
    ROW(HEAD "a: \xff\x80\r\n\r\n", none),
    ROW(HEAD "a : b\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a\t: b\r\n\r\n", http_bad_field_name),
    ROW(HEAD ": b\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a b: c\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a\x01: b\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a\xff: b\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a(: b\r\n\r\n", http_bad_field_name),
    ROW(HEAD "a: b\x01\r\n\r\n", http_bad_field_value),
    ROW(HEAD "a: b\x7f\r\n\r\n", http_bad_field_value),
    ROW(HEAD "a: b\x0b\r\n\r\n", http_bad_field_value),
    ROW(HEAD "a: b\rc: d\r\n\r\n", http_bad_field_value),
    ROW(HEAD "a: b\r\r\n\r\n", http_bad_field_value),
    ROW(HEAD "a: b\nc: d\r\n\r\n", http_bare_lf),
    ROW(HEAD "\n", http_bare_lf),
    ROW(HEAD "a: b\n\r\n", http_bare_lf),
    ROW(HEAD "a: b\r\n c\r\n\r\n", http_obs_fold),
    ROW(HEAD "a: b\r\n\tc\r\n\r\n", http_obs_fold),
    ROW(FIRST " x\r\n" HOST END, http_obs_fold),
    ROW(HEAD "\rX", http_bad_field_name),
    ROW(HEAD "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n\r\n", none),
    ROW(HEAD "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n\r\n",
        http_too_many_fields),
};

/* Each of these has been read in two ways by two servers, somewhere. */
static const struct row framing[] = {
    ROW(HEAD "Content-Length: 5\r\n\r\n", none),
    ROW(HEAD "Content-Length: 0\r\n\r\n", none),
    ROW(HEAD "Content-Length: 005\r\n\r\n", none),
    ROW(HEAD "Content-Length:\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: +5\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: -5\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 0x5\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5a\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5 5\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5.0\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5, 5\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5,\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: \"5\"\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5;a\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 18446744073709551615\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 18446744073709551616\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length: 99999999999999999999999\r\n\r\n", http_bad_length),
    ROW(HEAD "Content-Length : 5\r\n\r\n", http_bad_field_name),
    ROW(HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", http_length_and_chunked),
    ROW(HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", http_length_and_chunked),
    ROW(HEAD "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", http_length_and_chunked),
    ROW(HEAD "Transfer-Encoding: chunked\r\n\r\n", none),
    ROW(HEAD "Transfer-Encoding: CHUNKED\r\n\r\n", none),
    ROW(HEAD "Transfer-Encoding:\tchunked \r\n\r\n", none),
    ROW(HEAD "Transfer-Encoding:\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked, identity\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked,\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: ,chunked\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked;a=b\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunked chunked\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chun\r\n ked\r\n\r\n", http_obs_fold),
    ROW(HEAD "Transfer-Encoding: xchunked\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: chunkedx\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: identity\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: gzip\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", http_coding_unknown),
    ROW(HEAD "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", http_coding_unknown),
    ROW(HEAD "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n",
        http_bad_field_value),
    ROW(HEAD "Transfer-Encoding : chunked\r\n\r\n", http_bad_field_name),
    ROW(HEAD " Transfer-Encoding: chunked\r\n\r\n", http_obs_fold),
    ROW(HEAD "X: a\nTransfer-Encoding: chunked\r\n\r\n", http_bare_lf),
    ROW(HEAD "X: a\rTransfer-Encoding: chunked\r\n\r\n", http_bad_field_value),
    ROW(HEAD "Transfer_Encoding: chunked\r\n\r\n", none), /* another field, of no meaning */
    ROW("GET / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", http_bad_transfer_encoding),
    ROW(HEAD "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", none),
    ROW(HEAD "Expect: 100-Continue\r\n\r\n", none),
    ROW(HEAD "Expect: nothing\r\n\r\n", http_expectation),
    ROW(HEAD "Expect: 100-continue, x\r\n\r\n", http_expectation),
    ROW("GET / HTTP/1.0\r\n" HOST "Expect: x\r\n\r\n", none),
};

static void check_rows(const struct row *rows, size_t count)
{
    struct parsed p;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(rows[i].text);
        enum sgd_head1_result want = rows[i].why == SGD_CLOSE_none ? SGD_HEAD1_DONE : SGD_HEAD1_BAD;
        for (size_t step = 1; step <= len; step++) {
            parse_as(&p, rows[i].text, len, step, false);
            if (p.result != want || p.why != rows[i].why)
                fail_msg("in steps of %zu: result %d, %s for\n%s", step, p.result,
                         sgd_close_name(p.why), rows[i].text);
        }
    }
}

static void request_lines_are_exact_however_they_arrive(void **fixture)
{
    check_rows(lines, SG_COUNT(lines));
    (void)fixture;
}

static void targets_have_one_of_the_forms_of_their_method(void **fixture)
{
    check_rows(targets, SG_COUNT(targets));
    (void)fixture;
}

static void a_request_names_one_host(void **fixture)
{
    check_rows(hosts, SG_COUNT(hosts));
    (void)fixture;
}

static void field_lines_are_exact_however_they_arrive(void **fixture)
{
    check_rows(fields, SG_COUNT(fields));
    (void)fixture;
}

static void no_framing_can_be_read_in_two_ways(void **fixture)
{
    check_rows(framing, SG_COUNT(framing));
    (void)fixture;
}

static void a_nul_is_refused_wherever_it_stands(void **fixture)
{
    static const char good[] = "GET /a HTTP/1.1\r\nHost: a.example\r\nb: c\r\n\r\n";
    struct parsed p;
    char text[sizeof(good)];
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        memcpy(text, good, sizeof(good));
        text[at] = 0;
        parse_as(&p, text, sizeof(good) - 1, 7, false);
        assert_int_equal(p.result, SGD_HEAD1_BAD);
    }
    (void)fixture;
}

static void what_passes_is_told_in_parts(void **fixture)
{
    struct parsed p;
    parse(&p, "POST /a/b?c HTTP/1.1\r\nHost: A.Example:8080\r\nX-Thing:  some Value \r\n"
              "Content-Length: 12\r\nEXPECT: 100-continue\r\nEmpty:\r\n\r\nbody");
    assert_int_equal(p.result, SGD_HEAD1_DONE);
    assert_int_equal(p.head.at, strlen(p.bytes) - 4);
    assert_int_equal(p.req.method, SGD_METHOD_POST);
    assert_true(sg_str_eq(p.req.authority, SG_STR("a.example:8080")));
    assert_true(sg_str_eq(p.req.path, SG_STR("/a/b")));
    assert_true(sg_str_eq(p.req.query, SG_STR("c")));
    assert_true(p.req.has_body && p.req.body_bytes == 12 && p.req.expect_continue);
    assert_int_equal(p.req.fields_count, 2);
    assert_true(sg_str_eq(p.req.fields[0].name, SG_STR("x-thing")));
    assert_true(sg_str_eq(p.req.fields[0].value, SG_STR("some Value")));
    assert_true(p.req.fields[1].value.ptr != NULL && p.req.fields[1].value.len == 0);
    assert_string_equal(p.req.version, "1.1");
    assert_true(sgd_head1_persists(&p.head));
    (void)fixture;
}

static void absolute_targets_lose_what_origin_form_would_not_have(void **fixture)
{
    struct parsed p;
    parse(&p, "GET http://A.example:80?q HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n");
    assert_int_equal(p.result, SGD_HEAD1_DONE);
    assert_true(sg_str_eq(p.req.authority, SG_STR("a.example")));
    assert_true(sg_str_eq(p.req.path, SG_STR("/")) && sg_str_eq(p.req.query, SG_STR("q")));
    parse(&p, "OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_int_equal(p.result, SGD_HEAD1_DONE);
    assert_true(sg_str_eq(p.req.path, SG_STR("*")));
    const char *tls = "GET https://a.example:443/ HTTP/1.1\r\nHost: a.example\r\n\r\n";
    parse_as(&p, tls, strlen(tls), strlen(tls), true);
    assert_int_equal(p.result, SGD_HEAD1_DONE);
    assert_true(p.req.https && sg_str_eq(p.req.authority, SG_STR("a.example")));
    (void)fixture;
}

static void a_query_may_be_there_and_empty(void **fixture)
{
    struct parsed p;
    parse(&p, "GET /? HTTP/1.1\r\n" HOST END);
    assert_true(p.req.query.ptr != NULL && p.req.query.len == 0);
    parse(&p, HEAD END);
    assert_true(p.req.query.ptr == NULL);
    (void)fixture;
}

static void connection_fields_and_what_they_name_end_here(void **fixture)
{
    struct parsed p;
    parse(&p, HEAD "Connection: x-hop, Keep-Alive\r\nX-Hop: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                   "Keep-Alive: 5\r\nProxy-Connection: close\r\nX-Stays: 1\r\n\r\n");
    assert_int_equal(p.result, SGD_HEAD1_DONE);
    assert_int_equal(p.req.fields_count, 1);
    assert_true(sg_str_eq(p.req.fields[0].name, SG_STR("x-stays")));
    parse(&p, HEAD "Connection: content-length\r\nContent-Length: 5\r\n\r\n");
    assert_true(p.req.has_body && p.req.body_bytes == 5); /* framing can't be named away */
    (void)fixture;
}

static void connections_persist_as_each_version_says(void **fixture)
{
    static const struct {
        const char *text;
        bool persists;
    } rows[] = {
        {HEAD END, true},
        {HEAD "Connection: close\r\n\r\n", false},
        {HEAD "Connection: keep-alive, CLOSE\r\n\r\n", false},
        {HEAD "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
    };
    struct parsed p;
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        parse(&p, rows[i].text);
        assert_int_equal(p.result, SGD_HEAD1_DONE);
        assert_int_equal(sgd_head1_persists(&p.head), rows[i].persists);
    }
    (void)fixture;
}

/* A request line of `target` bytes of target and a field of `field` bytes of value. */
static size_t sized(char *text, size_t target, size_t field)
{
    size_t len = (size_t)sprintf(text, "GET /");
    memset(text + len, 'a', target);
    len += target;
    len += (size_t)sprintf(text + len, " HTTP/1.1\r\n" HOST "b: ");
    memset(text + len, 'c', field);
    len += field;
    return len + (size_t)sprintf(text + len, "\r\n\r\n");
}

static void a_head_may_fill_its_limit_and_no_more(void **fixture)
{
    char text[4096];
    struct parsed p;
    size_t base = sized(text, 0, 0);
    for (size_t step = 1; step < LIMIT * 2; step += step < 4 ? 1 : 97) {
        parse_as(&p, text, sized(text, 0, LIMIT - base), step, false);
        assert_int_equal(p.result, SGD_HEAD1_DONE);
        parse_as(&p, text, sized(text, 0, LIMIT - base + 1), step, false);
        assert_int_equal(p.result, SGD_HEAD1_BAD);
        assert_int_equal(p.why, SGD_CLOSE_http_head_too_large);
        parse_as(&p, text, sized(text, LIMIT * 2, 0), step, false);
        assert_int_equal(p.result, SGD_HEAD1_BAD);
        assert_int_equal(p.why, SGD_CLOSE_http_uri_too_long);
        assert_true(p.head.scanned <= LIMIT + step);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(request_lines_are_exact_however_they_arrive),
    cmocka_unit_test(targets_have_one_of_the_forms_of_their_method),
    cmocka_unit_test(a_request_names_one_host),
    cmocka_unit_test(field_lines_are_exact_however_they_arrive),
    cmocka_unit_test(no_framing_can_be_read_in_two_ways),
    cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
    cmocka_unit_test(what_passes_is_told_in_parts),
    cmocka_unit_test(absolute_targets_lose_what_origin_form_would_not_have),
    cmocka_unit_test(a_query_may_be_there_and_empty),
    cmocka_unit_test(connection_fields_and_what_they_name_end_here),
    cmocka_unit_test(connections_persist_as_each_version_says),
    cmocka_unit_test(a_head_may_fill_its_limit_and_no_more),
};
SGT_MAIN("head1", tests)
