/* Several URLs, limits, uploads, aborts, names and connections that fail. The origins are shims. */
#include "tests/sgt.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/dataplane/origin/liar.h"
#include "tests/unit/dataplane/origin/rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\n"

static const struct sgt_liar_step step_good[] = {
    {SGT_LIAR_SEND, OK "Content-Length: 4\r\n\r\ngood", 0}, {SGT_LIAR_AGAIN, NULL, 0}};
static const struct sgt_liar_step step_503[] = {
    {SGT_LIAR_SEND, "HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\nbusy", 0},
    {SGT_LIAR_AGAIN, NULL, 0}};
static const struct sgt_liar_step step_reset[] = {{SGT_LIAR_RESET, NULL, 0}};
static const struct sgt_liar_step step_slow[] = {
    {SGT_LIAR_WAIT, NULL, 200},
    {SGT_LIAR_SEND, OK "Content-Length: 4\r\n\r\nslow", 0},
    {SGT_LIAR_AGAIN, NULL, 0}};
static const struct sgt_liar_step step_endless[] = {
    {SGT_LIAR_SEND, OK "Transfer-Encoding: chunked\r\n\r\n1000\r\n", 0},
    {SGT_LIAR_FILL, NULL, 1u << 30},
    {SGT_LIAR_END, NULL, 0}};
static const struct sgt_liar_step step_huge[] = {
    {SGT_LIAR_SEND, OK "Content-Length: 1073741824\r\n\r\n", 0},
    {SGT_LIAR_FILL, NULL, 1u << 30},
    {SGT_LIAR_END, NULL, 0}};
static const struct sgt_liar_step step_large[] = {
    {SGT_LIAR_SEND, OK "Content-Length: 300000\r\n\r\n", 0},
    {SGT_LIAR_FILL, NULL, 300000},
    {SGT_LIAR_AGAIN, NULL, 0}};
static const struct sgt_liar_step step_take_100k[] = {
    {SGT_LIAR_READ, NULL, 100000},
    {SGT_LIAR_SEND, OK "Content-Length: 5\r\n\r\ntaken", 0},
    {SGT_LIAR_AGAIN, NULL, 0}};
static const struct sgt_liar_step step_too_large[] = {
    {SGT_LIAR_READ, NULL, 9000}, /* what there is: from here on we wait for our own worker */
    {SGT_LIAR_WAIT, NULL, 30},
    {SGT_LIAR_SEND, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!",
     0},
    {SGT_LIAR_WAIT, NULL, 200},
    {SGT_LIAR_END, NULL, 0}};
static const struct sgt_liar_step step_deaf[] = {{SGT_LIAR_WAIT, NULL, 3000},
                                                 {SGT_LIAR_END, NULL, 0}};

static const struct sgt_liar_script good[] = {{NULL, step_good}};
static const struct sgt_liar_script busy[] = {{NULL, step_503}};
static const struct sgt_liar_script resets[] = {{NULL, step_reset}};
static const struct sgt_liar_script many[] = {
    {"/slow", step_slow},   {"/endless", step_endless}, {"/huge", step_huge},
    {"/large", step_large}, {"/take", step_take_100k},  {"/too-large", step_too_large},
    {"/deaf", step_deaf},   {"/reset", step_reset},     {NULL, step_good},
};

static uint16_t closed_port(void)
{
    struct sgt_liar *liar = sgt_liar_open(0, good);
    uint16_t port = sgt_liar_port(liar);
    sgt_liar_close(liar);
    return port;
}

struct world {
    struct sgt_liar *liar[2];
    struct sgt_rig rig;
};

/* With NULL scripts the first URL refuses connections. */
static void two_urls(struct world *w, const struct sgt_liar_script *first,
                     const struct sgt_liar_script *second)
{
    sg_log_set_level(SG_LOG_ERROR);
    w->liar[0] = first != NULL ? sgt_liar_open(0, first) : NULL;
    w->liar[1] = second != NULL ? sgt_liar_open(0, second) : NULL;
    sgt_rig_open(&w->rig, 1, 256);
    w->rig.origin.retries = 1;
    sgt_rig_url(&w->rig, "http", first != NULL ? sgt_liar_port(w->liar[0]) : closed_port());
    if (second != NULL)
        sgt_rig_url(&w->rig, "http", sgt_liar_port(w->liar[1]));
    sgt_rig_pools(&w->rig);
}

static void world_close(struct world *w)
{
    sgt_rig_close(&w->rig);
    sgt_liar_close(w->liar[0]);
    sgt_liar_close(w->liar[1]);
}

static void when_one_url_fails_the_other_answers(void **fixture)
{
    static const struct sgt_liar_script *const firsts[] = {NULL, resets, busy};
    for (size_t i = 0; i < SG_COUNT(firsts); i++) {
        struct world w;
        two_urls(&w, firsts[i], good);
        for (int n = 0; n < 6; n++) {
            struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
            assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
            assert_int_equal(get->fetch.status, 200);
            assert_memory_equal(get->body, "good", 4);
            sgt_get_free(get);
        }
        struct sgd_url_status status[2];
        assert_int_equal(sgd_pools_status(w.rig.pools, 0, status, 2), 2);
        assert_true(status[0].errors > 0 && status[0].last_error[0] != 0);
        assert_int_equal(status[1].errors, 0);
        world_close(&w);
    }
    (void)fixture;
}

static void a_post_that_left_is_not_sent_to_another_url(void **fixture)
{
    struct world w;
    two_urls(&w, resets, good);
    struct sgt_get *get = sgt_get_run(&w.rig, "POST", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_connection_terminated);
    assert_int_equal(sgt_liar_requests(w.liar[1]), 0);
    sgt_get_free(get);
    world_close(&w);
    two_urls(&w, NULL, good); /* but one that never left may go there */
    get = sgt_get_run(&w.rig, "POST", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(sgt_liar_requests(w.liar[1]), 1);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void the_last_urls_503_is_handed_on_and_then_respected(void **fixture)
{
    struct world w;
    two_urls(&w, busy, NULL);
    struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(get->fetch.status, 503);
    sgt_get_free(get);
    get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_unavailable);
    assert_int_equal(sgt_liar_requests(w.liar[0]), 1);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void a_lost_connection_is_tried_once_more_where_there_is_one_url(void **fixture)
{
    struct world w;
    two_urls(&w, resets, NULL);
    struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_connection_terminated);
    assert_int_equal(sgt_liar_requests(w.liar[0]), 2);
    sgt_get_free(get);
    get = sgt_get_run(&w.rig, "POST", "/");
    assert_int_equal(sgt_liar_requests(w.liar[0]), 3);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void health_outlives_a_reload(void **fixture)
{
    struct world w;
    two_urls(&w, busy, NULL);
    sgt_get_free(sgt_get_run(&w.rig, "GET", "/"));
    struct sgd_pools *old = w.rig.pools;
    sgt_rig_pools(&w.rig);
    sgd_pools_unref(old);
    struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_unavailable);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void more_fetches_than_connections_wait_and_the_limit_holds(void **fixture)
{
    struct world w;
    struct sgt_get *gets[40];
    sg_log_set_level(SG_LOG_ERROR);
    w.liar[0] = sgt_liar_open(0, many);
    w.liar[1] = NULL;
    sgt_rig_open(&w.rig, 2, 256);
    w.rig.origin.connections_max = 3;
    w.rig.origin.connect_timeout_ms = 5000;
    sgt_rig_url(&w.rig, "http", sgt_liar_port(w.liar[0]));
    sgt_rig_pools(&w.rig);
    for (size_t i = 0; i < SG_COUNT(gets); i++) {
        gets[i] = sgt_get_make(&w.rig, "GET", "/large");
        sgt_get_start(gets[i]);
    }
    for (size_t i = 0; i < SG_COUNT(gets); i++) {
        assert_true(gets[i]->dones > 0 || sgt_rig_run(&w.rig, gets[i], 5000));
        assert_int_equal(gets[i]->fetch.error, SGD_ORIGIN_none);
        assert_int_equal(gets[i]->got, 300000);
        sgt_get_free(gets[i]);
    }
    assert_true(sgt_liar_connections(w.liar[0]) <= 3);
    world_close(&w);
    (void)fixture;
}

static void waiting_for_a_connection_has_a_time_limit(void **fixture)
{
    struct world w;
    w.liar[0] = sgt_liar_open(0, many);
    w.liar[1] = NULL;
    sgt_rig_open(&w.rig, 1, 256);
    w.rig.origin.connections_max = 1;
    w.rig.origin.connect_timeout_ms = 100;
    sgt_rig_url(&w.rig, "http", sgt_liar_port(w.liar[0]));
    sgt_rig_pools(&w.rig);
    struct sgt_get *first = sgt_get_make(&w.rig, "GET", "/deaf");
    struct sgt_get *second = sgt_get_make(&w.rig, "GET", "/");
    sgt_get_start(first);
    sgt_get_start(second);
    assert_true(sgt_rig_run(&w.rig, second, 400));
    assert_int_equal(second->fetch.error, SGD_ORIGIN_limit);
    assert_true(sgt_rig_run(&w.rig, first, 1000));
    assert_int_equal(first->fetch.error, SGD_ORIGIN_first_byte_timeout);
    sgt_get_free(first);
    sgt_get_free(second);
    world_close(&w);
    (void)fixture;
}

static void many_fetches_at_once_all_come_whole_through_small_rings(void **fixture)
{
    struct world w;
    struct sgt_get *gets[100];
    w.liar[0] = sgt_liar_open(0, many);
    w.liar[1] = NULL;
    sgt_rig_open(&w.rig, 1, 8);
    sgt_rig_url(&w.rig, "http", sgt_liar_port(w.liar[0]));
    sgt_rig_pools(&w.rig);
    for (size_t i = 0; i < SG_COUNT(gets); i++) {
        gets[i] = sgt_get_make(&w.rig, "GET", "/large");
        gets[i]->window_bytes = 40000;
        sgt_get_start(gets[i]);
        sgt_rig_run(&w.rig, NULL, 1);
    }
    for (size_t i = 0; i < SG_COUNT(gets); i++) {
        assert_true(gets[i]->dones > 0 || sgt_rig_run(&w.rig, gets[i], 8000));
        assert_int_equal(gets[i]->fetch.error, SGD_ORIGIN_none);
        assert_int_equal(gets[i]->got, 300000);
        for (size_t k = 0; k < gets[i]->got; k += 997)
            assert_int_equal(gets[i]->body[k], sgt_liar_pattern(k));
        sgt_get_free(gets[i]);
    }
    world_close(&w);
    (void)fixture;
}

static void an_abort_at_any_stage_ends_with_one_done(void **fixture)
{
    static const struct {
        const char *path;
        int run_ms;
        bool hold;
    } rows[] = {{"/slow", 0, false},    {"/slow", 20, false}, {"/huge", 0, false},
                {"/huge", 30, false},   {"/huge", 30, true},  {"/endless", 5, false},
                {"/reset", 100, false}, {"/", 100, true},     {"/", 0, true}};
    struct world w;
    two_urls(&w, many, NULL);
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgt_get *get = sgt_get_make(&w.rig, "GET", rows[i].path);
        get->hold = rows[i].hold;
        get->body_cap = 64u << 20;
        sgt_get_start(get);
        if (rows[i].run_ms > 0)
            sgt_rig_run(&w.rig, get, rows[i].run_ms);
        assert_true(sgd_fetch_abort(w.rig.fetchers, &get->fetch)); /* also after DONE: ignored */
        if (get->dones == 0)
            assert_true(sgt_rig_run(&w.rig, get, 1000));
        sgt_rig_run(&w.rig, NULL, 20);
        assert_int_equal(get->dones, 1);
        sgt_get_free(get);
    }
    world_close(&w);
    (void)fixture;
}

static void closing_aborts_what_runs(void **fixture)
{
    struct world w;
    struct sg_msg got[8];
    two_urls(&w, many, NULL);
    struct sgt_get *get = sgt_get_make(&w.rig, "GET", "/slow");
    sgt_get_start(get);
    usleep(20000);
    sgd_pools_unref(w.rig.pools);
    sgd_fetchers_close(w.rig.fetchers);
    assert_int_equal(sg_mail_take(w.rig.mail, 0, got, 8), 1);
    assert_int_equal(got[0].type, SGD_FETCH_DONE);
    assert_int_equal(get->fetch.error, SGD_ORIGIN_aborted);
    sg_mail_close(w.rig.mail);
    sgt_liar_close(w.liar[0]);
    sgt_get_free(get);
    (void)fixture;
}

static void send_body(struct sgt_get *get, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t n = (uint32_t)SG_MIN(len - at, (size_t)9000);
        assert_true(sgd_fetch_body(get->rig->fetchers, &get->fetch, bytes + at, n, at + n == len));
        at += n;
        while (get->dones == 0 && get->taken_bytes + 3 * 9000 < at)
            sgt_rig_run(get->rig, get, 1);
    }
}

static void a_request_body_goes_in_pieces_with_or_without_a_length(void **fixture)
{
    static uint8_t bytes[100000];
    struct world w;
    two_urls(&w, many, NULL);
    struct sgt_get *get = sgt_get_make(&w.rig, "POST", "/take");
    get->fetch.body_bytes = sizeof(bytes);
    sgt_get_start(get);
    sgt_rig_run(&w.rig, get, 30);
    send_body(get, bytes, sizeof(bytes));
    assert_true(sgt_rig_run(&w.rig, get, 2000));
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(get->taken_bytes, sizeof(bytes));
    assert_memory_equal(get->body, "taken", 5);
    assert_non_null(strstr(sgt_liar_last_head(w.liar[0]), "Content-Length: 100000\r\n"));
    assert_null(strstr(sgt_liar_last_head(w.liar[0]), "Expect:"));
    sgt_get_free(get);
    get = sgt_get_make(&w.rig, "PUT", "/");
    get->fetch.body_bytes = SGD_LENGTH_UNKNOWN;
    sgt_get_start(get);
    send_body(get, bytes, 5000);
    assert_true(sgt_rig_run(&w.rig, get, 2000));
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_non_null(strstr(sgt_liar_last_head(w.liar[0]), "Transfer-Encoding: chunked\r\n"));
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void a_post_without_a_body_says_so(void **fixture)
{
    struct world w;
    two_urls(&w, good, NULL);
    struct sgt_get *get = sgt_get_run(&w.rig, "POST", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_non_null(strstr(sgt_liar_last_head(w.liar[0]), "POST / HTTP/1.1\r\n"));
    assert_non_null(strstr(sgt_liar_last_head(w.liar[0]), "Content-Length: 0\r\n"));
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void an_early_refusal_of_a_post_is_handed_on(void **fixture)
{
    static uint8_t bytes[50000];
    struct world w;
    two_urls(&w, many, NULL);
    struct sgt_get *get = sgt_get_make(&w.rig, "POST", "/too-large");
    get->fetch.body_bytes = 100000; /* half of it never comes */
    sgt_get_start(get);
    assert_true(sgd_fetch_body(w.rig.fetchers, &get->fetch, bytes, 9000, false));
    assert_true(sgt_rig_run(&w.rig, get, 2000));
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(get->fetch.status, 413);
    assert_memory_equal(get->body, "no!", 3);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void an_origin_that_does_not_take_the_body_is_given_up(void **fixture)
{
    static uint8_t bytes[8u << 20];
    struct world w;
    two_urls(&w, many, NULL);
    struct sgt_get *get = sgt_get_make(&w.rig, "PUT", "/deaf");
    get->fetch.body_bytes = sizeof(bytes);
    sgt_get_start(get);
    assert_true(sgd_fetch_body(w.rig.fetchers, &get->fetch, bytes, sizeof(bytes), true));
    assert_true(sgt_rig_run(&w.rig, get, 2000));
    assert_int_equal(get->fetch.error, SGD_ORIGIN_write_timeout);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void a_head_request_gets_a_length_and_no_body(void **fixture)
{
    static const struct sgt_liar_step step[] = {
        {SGT_LIAR_SEND, OK "Content-Length: 12345\r\n\r\n", 0}, {SGT_LIAR_AGAIN, NULL, 0}};
    static const struct sgt_liar_script script[] = {{NULL, step}};
    struct world w;
    two_urls(&w, script, NULL);
    for (int i = 0; i < 2; i++) {
        struct sgt_get *get = sgt_get_run(&w.rig, "HEAD", "/");
        assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
        assert_true(get->fetch.length_known && get->fetch.length == 12345);
        assert_int_equal(get->got, 0);
        sgt_get_free(get);
    }
    assert_int_equal(sgt_liar_connections(w.liar[0]), 1);
    world_close(&w);
    (void)fixture;
}

static void the_request_names_us_and_carries_only_what_it_may(void **fixture)
{
    struct world w;
    two_urls(&w, good, NULL);
    struct sgt_get *get = sgt_get_make(&w.rig, "GET", "/a%20b?c=d&e=%2f");
    get->fetch.fields = SG_STR("accept-encoding: gzip\r\nx-empty: \r\nconnection: x\r\n"
                               "transfer-encoding: chunked\r\ncontent-length: 7\r\n"
                               "host: evil.example\r\ncdn-loop: other-cdn; a=b\r\n");
    sgt_get_start(get);
    assert_true(sgt_rig_run(&w.rig, get, 1000));
    const char *head = sgt_liar_last_head(w.liar[0]);
    assert_non_null(strstr(head, "GET /a%20b?c=d&e=%2f HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "accept-encoding: gzip\r\n"));
    assert_non_null(strstr(head, "x-empty:\r\n"));
    assert_non_null(strstr(head, "cdn-loop: other-cdn; a=b\r\n"));
    assert_non_null(strstr(head, "CDN-Loop: streamgate-here\r\n"));
    assert_non_null(strstr(head, "Via: 1.1 streamgate-here\r\n"));
    static const char *const never[] = {"evil",      "ransfer", "ontent-",
                                        "onnection", "Accept:", "ser-Agent"};
    for (size_t i = 0; i < SG_COUNT(never); i++)
        assert_null(strstr(head, never[i]));
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void a_request_that_was_here_before_is_a_loop(void **fixture)
{
    struct world w;
    two_urls(&w, good, NULL);
    struct sgt_get *get = sgt_get_make(&w.rig, "GET", "/");
    get->fetch.fields = SG_STR("cdn-loop: a, StreamGate-Here ; x=1 , b\r\n");
    sgt_get_start(get);
    assert_true(sgt_rig_run(&w.rig, get, 1000));
    assert_int_equal(get->fetch.error, SGD_ORIGIN_loop);
    assert_int_equal(sgt_liar_requests(w.liar[0]), 0);
    sgt_get_free(get);
    world_close(&w);
    (void)fixture;
}

static void url_errors_are_told_apart(void **fixture)
{
    static const struct {
        const char *host;
        enum sgd_origin_error error;
    } rows[] = {
        {"no-such-name.invalid", SGD_ORIGIN_dns_error},
        {"127.0.0.1", SGD_ORIGIN_connection_refused},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct world w = {0};
        sgt_rig_open(&w.rig, 1, 64);
        sgt_rig_url(&w.rig, "http", 1);
        snprintf(w.rig.url_text[0], sizeof(w.rig.url_text[0]), "http://%s:%u", rows[i].host,
                 closed_port());
        sgt_rig_pools(&w.rig);
        struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
        if (get->fetch.error != rows[i].error)
            fail_msg("%s: %s", rows[i].host, sgd_origin_error_type(get->fetch.error));
        sgt_get_free(get);
        world_close(&w);
    }
    (void)fixture;
}

/* A listener whose queue is full drops what comes: connecting hangs. */
static void a_connection_that_does_not_come_about_times_out(void **fixture)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    for (size_t i = 0; i < SG_COUNT(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    struct world w = {0};
    sgt_rig_open(&w.rig, 1, 64);
    sgt_rig_url(&w.rig, "http", ntohs(addr.sin_port));
    w.rig.origin.connect_timeout_ms = 200;
    sgt_rig_pools(&w.rig);
    struct sgt_get *get = sgt_get_run(&w.rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_connection_timeout);
    sgt_get_free(get);
    world_close(&w);
    for (size_t i = 0; i < SG_COUNT(fillers); i++)
        close(fillers[i]);
    close(listener);
    (void)fixture;
}

static void active_checks_find_out_before_a_viewer_does(void **fixture)
{
    struct world w;
    sg_log_set_level(SG_LOG_ERROR);
    w.liar[0] = sgt_liar_open(0, busy);
    w.liar[1] = sgt_liar_open(0, good);
    sgt_rig_open(&w.rig, 1, 256);
    w.rig.origin.health = (struct sg_conf_health){.path = "/health",
                                                  .interval_ms = 20,
                                                  .timeout_ms = 200,
                                                  .rise = 2,
                                                  .fall = 2,
                                                  .status_min = 200,
                                                  .status_max = 299};
    sgt_rig_url(&w.rig, "http", sgt_liar_port(w.liar[0]));
    sgt_rig_url(&w.rig, "http", sgt_liar_port(w.liar[1]));
    sgt_rig_pools(&w.rig);
    struct sgd_url_status status[2] = {0};
    status[0].up = true;
    for (int i = 0; i < 100 && status[0].up; i++) {
        sgt_rig_run(&w.rig, NULL, 20);
        assert_int_equal(sgd_pools_status(w.rig.pools, 0, status, 2), 2);
    }
    assert_false(status[0].up);
    assert_true(status[1].up);
    assert_string_equal(status[0].last_error, "health check: status 503");
    unsigned connections = sgt_liar_connections(w.liar[1]);
    assert_true(connections <= 2 && sgt_liar_requests(w.liar[1]) >= 2); /* kept open */
    world_close(&w);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(when_one_url_fails_the_other_answers),
    cmocka_unit_test(a_post_that_left_is_not_sent_to_another_url),
    cmocka_unit_test(the_last_urls_503_is_handed_on_and_then_respected),
    cmocka_unit_test(a_lost_connection_is_tried_once_more_where_there_is_one_url),
    cmocka_unit_test(health_outlives_a_reload),
    cmocka_unit_test(more_fetches_than_connections_wait_and_the_limit_holds),
    cmocka_unit_test(waiting_for_a_connection_has_a_time_limit),
    cmocka_unit_test(many_fetches_at_once_all_come_whole_through_small_rings),
    cmocka_unit_test(an_abort_at_any_stage_ends_with_one_done),
    cmocka_unit_test(closing_aborts_what_runs),
    cmocka_unit_test(a_request_body_goes_in_pieces_with_or_without_a_length),
    cmocka_unit_test(a_post_without_a_body_says_so),
    cmocka_unit_test(an_early_refusal_of_a_post_is_handed_on),
    cmocka_unit_test(an_origin_that_does_not_take_the_body_is_given_up),
    cmocka_unit_test(a_head_request_gets_a_length_and_no_body),
    cmocka_unit_test(the_request_names_us_and_carries_only_what_it_may),
    cmocka_unit_test(a_request_that_was_here_before_is_a_loop),
    cmocka_unit_test(url_errors_are_told_apart),
    cmocka_unit_test(a_connection_that_does_not_come_about_times_out),
    cmocka_unit_test(active_checks_find_out_before_a_viewer_does),
};
SGT_MAIN("attempts_shim", tests)
