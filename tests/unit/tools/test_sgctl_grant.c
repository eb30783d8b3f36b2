#include "tests/sgt.h"

#include "base/b64url.h"
#include "base/clock.h"
#include "tests/unit/dataplane/grant_world.h"
#include "tools/sgctl/access.h"
#include "tools/sgctl/grant.h"

struct fix {
    struct grant_world w;
    struct grant_made made;
    char dir[SGT_DIR_BYTES];
    struct sg_conf_tenant tenant;
    struct sg_config config;
    char text[2 * SGD_GRANT_BYTES_MAX]; /* the grant, in base64url */
    char *said;
    size_t said_len;
};

static int set_up(void **fixture)
{
    static struct fix f;
    memset(&f, 0, sizeof(f));
    grant_world_open(&f.w);
    sgt_dir_make(f.dir);
    f.tenant = (struct sg_conf_tenant){.name = GRANT_TENANT, .clock_skew_s = 60};
    f.config = (struct sg_config){
        .node = {.region = "local", .state_dir = f.dir}, .tenants = &f.tenant, .tenants_count = 1};
    *fixture = &f;
    return 0;
}

static int tear_down(void **fixture)
{
    struct fix *f = *fixture;
    grant_world_close(&f->w);
    sgt_dir_remove(f->dir);
    free(f->said);
    return 0;
}

/* A grant that is good now. */
static void make(struct fix *f, enum sgd_grant_alg alg)
{
    struct sgd_grant grant = grant_begin(&f->w, alg);
    struct sg_out text = sg_out_init(f->text, sizeof(f->text) - 1);
    grant.issued_s = sg_clock_wall_ns() / SG_NS_PER_SEC;
    grant.expires_s = grant.issued_s + 600;
    grant_make(&f->w, &grant, &f->made);
    sg_b64url_put(&text, f->made.whole.ptr, f->made.whole.len);
    assert_false(text.full);
    f->text[text.len] = 0;
}

static int run(struct fix *f, bool json, const char *verb, const char *authority)
{
    char *argv[] = {(char *)"grant", (char *)verb, f->text, (char *)authority, NULL};
    free(SG_TAKE(f->said));
    FILE *was = stdout, *error = stderr;
    stdout = open_memstream(&f->said, &f->said_len);
    stderr = fopen("/dev/null", "w");
    int status = sgt_grant_main(&f->config, json, authority != NULL ? 4 : 3, argv);
    fclose(stdout);
    fclose(stderr);
    stdout = was;
    stderr = error;
    return status;
}

static bool says(const struct fix *f, const char *text)
{
    return strstr(f->said, text) != NULL;
}

static void a_grant_tells_what_its_wallet_signed(void **fixture)
{
    struct fix *f = *fixture;
    make(f, SGD_GRANT_SIWE);
    assert_int_equal(run(f, true, "inspect", NULL), SGT_DONE);
    json_t *object = json_loads(f->said, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "verdict")), "allowed");
    assert_string_equal(json_string_value(json_object_get(object, "algorithm")), "siwe");
    assert_non_null(strstr(json_string_value(json_object_get(object, "signed")),
                           "video.example.org wants you to sign in with your Ethereum account:\n"));
    json_decref(object);
    make(f, SGD_GRANT_EIP712);
    assert_int_equal(run(f, false, "inspect", NULL), SGT_DONE);
    assert_true(says(f, "verdict: allowed\n") && says(f, "StreamGateGrant"));
    make(f, SGD_GRANT_SOLANA_MEMO);
    assert_int_equal(run(f, false, "inspect", NULL), SGT_DONE);
    assert_true(says(f, "algorithm: solana_memo\n"));
}

static void a_grant_is_judged_as_an_edge_would(void **fixture)
{
    struct fix *f = *fixture;
    make(f, SGD_GRANT_SIWE);
    assert_int_equal(run(f, false, "inspect", "video.example.org:8443"), SGT_DONE);
    assert_int_equal(run(f, false, "inspect", "other.example.org"), SGT_REFUSED);
    assert_true(says(f, "verdict: host\n"));
    f->tenant.name = "others";
    assert_int_equal(run(f, false, "inspect", NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: tenant\n"));
    f->tenant.name = GRANT_TENANT;
    char *letter = &f->text[strlen(f->text) - 20]; /* in its signature */
    *letter = *letter == 'A' ? 'B' : 'A';
    assert_int_equal(run(f, false, "inspect", NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: signature\n"));
    assert_int_equal(run(f, false, "revoke", NULL), SGT_REFUSED);
    make(f, SGD_GRANT_EDDSA);
    assert_int_equal(run(f, false, "inspect", NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: issuer\n")); /* no key is listed */
    strcpy(f->text, "not!base64");
    assert_int_equal(run(f, false, "inspect", NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: malformed\n"));
    assert_int_equal(run(f, false, "revoke", NULL), SGT_REFUSED);
    assert_int_equal(run(f, false, "something", NULL), SGT_USAGE);
}

static void a_revoked_grant_is_refused_however_it_is_signed(void **fixture)
{
    struct fix *f = *fixture;
    make(f, SGD_GRANT_SIWE);
    assert_int_equal(run(f, false, "inspect", NULL), SGT_DONE);
    assert_int_equal(run(f, false, "revoke", NULL), SGT_DONE);
    assert_int_equal(run(f, false, "inspect", NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: revoked\n"));
    char *bytes = f->made.bytes + f->made.whole.len;
    bytes[-1] = (char)(bytes[-1] - 27); /* v of 0 or 1 */
    struct sg_out text = sg_out_init(f->text, sizeof(f->text) - 1);
    sg_b64url_put(&text, f->made.whole.ptr, f->made.whole.len);
    assert_int_equal(run(f, false, "inspect", NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: revoked\n"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_grant_tells_what_its_wallet_signed, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_grant_is_judged_as_an_edge_would, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_revoked_grant_is_refused_however_it_is_signed, set_up,
                                    tear_down),
};
SGT_MAIN("sgctl_grant", tests)
