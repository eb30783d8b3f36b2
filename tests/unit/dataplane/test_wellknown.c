#include "tests/sgt.h"

#include "dataplane/delivery/delivery.h"
#include "tests/unit/dataplane/delivery_rig.h"

#include <stdio.h>
#include <string.h>

#define ROOT   "/.well-known/streamgate/"
#define ORIGIN "https://tv.example"

static int setup(void **fixture)
{
    static const char *origins[] = {ORIGIN};
    static struct sg_conf_cors cors = {origins, 1, true, 600};
    (void)fixture;
    rig_open();
    rig_signin_full = false;
    rig_site.access = SG_CONF_ACCESS_TOKEN;
    rig_site.sign_in = SG_CONF_SIGN_IN_RULE;
    rig_site.cors = &cors;
    return 0;
}

static int teardown(void **fixture)
{
    (void)fixture;
    rig_close();
    return 0;
}

static void send_body(struct rig_viewer *v, const char *body)
{
    size_t len = strlen(body);
    assert_int_equal(sgd_exchange_body(v->x, (const uint8_t *)body, len, 0), len);
    sgd_exchange_body_end(v->x, 0);
}

static struct rig_viewer *post(const char *path, const char *body)
{
    struct rig_viewer *v =
        rig_ask(0, "POST", path, "content-type", "application/json; charset=utf-8", "dpop",
                "a.proof.x", "origin", ORIGIN, NULL);
    send_body(v, body);
    return v;
}

static struct rig_viewer *challenge(const char *path)
{
    struct rig_viewer *v = rig_ask(0, "GET", path, NULL);
    sgd_exchange_body_end(v->x, 0);
    return v;
}

static void assert_problem(struct rig_viewer *v, int status, const char *reason)
{
    char wanted[128];
    assert_int_equal(v->status, status);
    assert_string_equal(rig_field(v, "content-type"), "application/problem+json");
    assert_string_equal(rig_field(v, "cache-control"), "no-store");
    rig_read(v);
    v->body[v->got] = '\0';
    snprintf(wanted, sizeof(wanted), "\"status\":%d,\"reason\":\"%s\"", status, reason);
    assert_non_null(strstr((char *)v->body, wanted));
}

static void a_grant_goes_to_the_threads_whole_and_its_answer_to_the_viewer(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_ask(0, "POST", ROOT "grant?cookie=1", "content-type",
                                   "application/json", "dpop", "a.proof.x", NULL);
    assert_int_equal(sgd_exchange_body(v->x, (const uint8_t *)"{\"a\":", 5, 0), 5);
    assert_int_equal(rig_signins, 0);
    send_body(v, "1}");
    assert_int_equal(rig_signins, 1);
    assert_int_equal(v->status, 0); /* it waits, and the worker does not */
    const struct sgd_signin_ask *ask = &rig_signin->ask;
    assert_int_equal(ask->kind, SGD_SIGNIN_GRANT);
    assert_true(sg_str_eq(ask->body, SG_STR("{\"a\":1}")) && ask->body_is_json);
    assert_true(sg_str_eq(ask->proof, SG_STR("a.proof.x")));
    assert_true(sg_str_eq(ask->path, SG_STR(ROOT "grant")));
    assert_true(sg_str_eq(ask->authority, SG_STR("media.test")));
    assert_true(sg_str_eq(ask->query, SG_STR("cookie=1")));
    assert_null(ask->token.ptr);
    rig_signin_answer(rig_signin, SGD_GRANT_allowed, "{\"token\":\"t\"}");
    assert_int_equal(v->status, 200);
    assert_string_equal(rig_field(v, "cache-control"), "no-store");
    assert_string_equal(rig_field(v, "content-type"), "application/json");
    rig_read(v);
    assert_int_equal(v->got, 13);
    assert_memory_equal(v->body, "{\"token\":\"t\"}", 13);
    assert_int_equal(rig_fetches, 0); /* nothing of it is the origin's business */
}

static void a_refusal_says_why_and_counts(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = post(ROOT "renew", "{}");
    rig_signin_answer(rig_signin, SGD_GRANT_rule, "");
    assert_problem(v, 403, "not_held");
    assert_int_equal(rig_workers[0].stats->grant[SGD_GRANT_rule], 1);
    v = post(ROOT "renew", "{}");
    rig_signin_answer(rig_signin, SGD_GRANT_signature, "");
    assert_string_equal(rig_field(v, "www-authenticate"),
                        "StreamGate realm=\"token\", error=\"grant_signature\"");
    assert_problem(v, 401, "grant_signature");
}

static void a_page_elsewhere_may_read_the_answer_if_it_is_listed(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = post(ROOT "grant", "{}");
    rig_signin_answer(rig_signin, SGD_GRANT_allowed, "{}");
    assert_string_equal(rig_field(v, "access-control-allow-origin"), ORIGIN);
    assert_string_equal(rig_field(v, "access-control-allow-credentials"), "true");
    assert_non_null(strstr(rig_field(v, "access-control-expose-headers"), "Retry-After"));
    v = rig_ask(0, "OPTIONS", ROOT "grant", "origin", ORIGIN, "access-control-request-method",
                "POST", NULL);
    assert_int_equal(v->status, 204);
    assert_string_equal(rig_field(v, "access-control-allow-methods"), "POST, OPTIONS");
    assert_non_null(strstr(rig_field(v, "access-control-allow-headers"), "DPoP"));
    v = rig_ask(0, "OPTIONS", ROOT "grant", "origin", "https://evil.example",
                "access-control-request-method", "POST", NULL);
    assert_null(rig_field(v, "access-control-allow-origin"));
    assert_int_equal(rig_signins, 1);
}

static void methods_and_names_are_exact(void **fixture)
{
    (void)fixture;
    assert_problem(rig_ask(0, "POST", ROOT "challenge", NULL), 405, "method_not_allowed");
    struct rig_viewer *v = rig_ask(0, "GET", ROOT "grant", NULL);
    assert_string_equal(rig_field(v, "allow"), "POST, OPTIONS");
    assert_problem(v, 405, "method_not_allowed");
    assert_problem(rig_ask(0, "GET", ROOT "challenges", NULL), 404, "not_found");
    assert_problem(rig_ask(0, "GET", ROOT, NULL), 404, "not_found");
    assert_int_equal(rig_signins, 0);
}

static void only_sites_that_take_sign_ins_have_the_endpoint(void **fixture)
{
    (void)fixture;
    rig_site.sign_in = SG_CONF_SIGN_IN_OFF;
    assert_problem(challenge(ROOT "challenge"), 404, "no_sign_in");
    rig_site.sign_in = SG_CONF_SIGN_IN_ANY;
    rig_site.access = SG_CONF_ACCESS_PUBLIC;
    assert_problem(challenge(ROOT "challenge"), 404, "no_sign_in");
    assert_problem(challenge(ROOT "challenge?path=/"), 404, "no_sign_in");
    rig_site.access = SG_CONF_ACCESS_TOKEN;
    assert_problem(challenge(ROOT "challenge?path=films"), 404, "no_sign_in");
    assert_problem(challenge(ROOT "challenge?path=/a/../../b"), 404, "no_sign_in");
    assert_problem(challenge(ROOT "challenge?path=/a&path=/b"), 404, "no_sign_in");
    assert_int_equal(rig_signins, 0);
    challenge(ROOT "challenge?path=%2Fa");
    assert_int_equal(rig_signins, 1);
    rig_signin_answer(rig_signin, SGD_GRANT_allowed, "{}");
}

static void a_body_that_no_grant_could_have_is_refused_at_once(void **fixture)
{
    (void)fixture;
    static char large[SGD_SIGNIN_BODY_BYTES + 2];
    memset(large, 'x', sizeof(large) - 1);
    assert_problem(post(ROOT "grant", large), 413, "grant_too_large");
    large[SGD_SIGNIN_BODY_BYTES] = '\0';
    post(ROOT "grant", large);
    assert_int_equal(rig_signins, 1);
    rig_signin_answer(rig_signin, SGD_GRANT_malformed, "");
}

static void two_proofs_are_no_proof(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = rig_ask(0, "POST", ROOT "grant", "dpop", "a", "dpop", "b", NULL);
    send_body(v, "{}");
    assert_null(rig_signin->ask.proof.ptr);
    rig_signin_answer(rig_signin, SGD_GRANT_proof_missing, "");
    assert_problem(v, 401, "proof_missing");
}

static void a_worker_has_no_more_under_way_than_its_queue(void **fixture)
{
    (void)fixture;
    struct sgd_signin_job *jobs[2];
    for (int i = 0; i < 2; i++) {
        post(ROOT "grant", "{}");
        jobs[i] = rig_signin;
    }
    struct rig_viewer *third = post(ROOT "grant", "{}");
    assert_int_equal(atoi(rig_field(third, "retry-after")) > 0, 1);
    assert_problem(third, 429, "too_many_grants");
    rig_signin_answer(jobs[0], SGD_GRANT_rule, "");
    struct rig_viewer *fourth = post(ROOT "grant", "{}");
    assert_int_equal(fourth->status, 0);
    rig_signin_answer(jobs[1], SGD_GRANT_rule, "");
    rig_signin_answer(rig_signin, SGD_GRANT_rule, "");
    rig_signin_full = true;
    assert_problem(post(ROOT "grant", "{}"), 429, "too_many_grants");
}

static void an_address_has_a_budget_and_gets_it_back(void **fixture)
{
    (void)fixture;
    for (int i = 0; i < 5; i++) {
        post(ROOT "grant", "{}");
        rig_signin_answer(rig_signin, SGD_GRANT_rule, "");
    }
    assert_problem(post(ROOT "grant", "{}"), 429, "too_many_grants");
    assert_int_equal(rig_signins, 5);
    rig_sleep_s(60);
    assert_int_equal(post(ROOT "grant", "{}")->status, 0);
    rig_signin_answer(rig_signin, SGD_GRANT_rule, "");
}

static void those_of_one_block_have_a_part_of_the_tenants_budget_together(void **fixture)
{
    (void)fixture;
    rig_config.limits.grants_per_address_per_minute = UINT32_MAX;
    rig_config.limits.grants_per_tenant_per_minute = 10;
    for (int i = 0; i < 3; i++) {
        post(ROOT "grant", "{}");
        assert_int_equal(rig_signin->ask.tenant_most, 10); /* asked where there is a nonce */
        rig_signin_answer(rig_signin, SGD_GRANT_rule, "");
    }
    assert_problem(post(ROOT "grant", "{}"), 429, "too_many_grants");
    for (int i = 0; i < 10; i++) { /* of those who watch there may be a carrier's all */
        post(ROOT "renew", "{}");
        rig_signin_answer(rig_signin, SGD_GRANT_token, "");
    }
    assert_problem(post(ROOT "renew", "{}"), 429, "too_many_grants");
}

static void a_viewer_may_leave_while_it_is_checked(void **fixture)
{
    (void)fixture;
    struct rig_viewer *v = post(ROOT "grant", "{}");
    rig_leave(v);
    assert_int_equal(sgd_delivery_busy(rig_workers[0].delivery), 1); /* a drain waits for it */
    rig_signin_answer(rig_signin, SGD_GRANT_allowed, "{}");
    assert_int_equal(sgd_delivery_busy(rig_workers[0].delivery), 0);
}

static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    T(a_grant_goes_to_the_threads_whole_and_its_answer_to_the_viewer),
    T(a_refusal_says_why_and_counts),
    T(a_page_elsewhere_may_read_the_answer_if_it_is_listed),
    T(methods_and_names_are_exact),
    T(only_sites_that_take_sign_ins_have_the_endpoint),
    T(a_body_that_no_grant_could_have_is_refused_at_once),
    T(two_proofs_are_no_proof),
    T(a_worker_has_no_more_under_way_than_its_queue),
    T(an_address_has_a_budget_and_gets_it_back),
    T(those_of_one_block_have_a_part_of_the_tenants_budget_together),
    T(a_viewer_may_leave_while_it_is_checked),
};
SGT_MAIN("wellknown", tests)
