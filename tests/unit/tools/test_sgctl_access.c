#include "tests/sgt.h"

#include "base/assert.h"
#include "base/clock.h"
#include "tests/sgt_dir.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/own.h"
#include "tools/sgctl/token.h"

#define FACT  "eip155:1/erc721:0x0000000000000000000000000000000000000abc/42"
#define ALICE "eip155:1:0x00000000000000000000000000000000000a11ce"
#define BOB   "eip155:1:0x0000000000000000000000000000000000000b0b"

struct fix {
    char dir[SGT_DIR_BYTES];
    char *secret_file;
    struct sg_conf_tenant tenants[2];
    struct sg_config config;
    char *said; /* what the last command wrote to standard output */
    size_t said_len;
};

static int set_up(void **fixture)
{
    static struct fix f;
    f = (struct fix){.said = NULL};
    sgt_dir_make(f.dir);
    if (asprintf(&f.secret_file, "%s/secret", f.dir) < 0)
        return 1;
    FILE *file = fopen(f.secret_file, "w");
    if (file == NULL)
        return 1;
    fputs("0123456789abcdef0123456789abcdef\n", file);
    fclose(file);
    f.tenants[0] = (struct sg_conf_tenant){
        .name = "acme", .secret_file = f.secret_file, .token_lifetime_s = 600, .clock_skew_s = 60};
    f.tenants[1] = f.tenants[0];
    f.tenants[1].name = "rival";
    f.config = (struct sg_config){
        .node = {.region = "local", .state_dir = f.dir}, .tenants = f.tenants, .tenants_count = 1};
    *fixture = &f;
    return 0;
}

static int tear_down(void **fixture)
{
    struct fix *f = *fixture;
    sgt_dir_remove(f->dir);
    free(f->secret_file);
    free(f->said);
    return 0;
}

/* Runs "token mint --path /x" and alike; the answer is the exit status. */
static int run(struct fix *f, int json, ...)
{
    char *argv[32];
    int argc = 0, status;
    va_list args;
    va_start(args, json);
    for (char *arg; (arg = va_arg(args, char *)) != NULL && argc < 31;)
        argv[argc++] = arg;
    va_end(args);
    argv[argc] = NULL;
    free(SG_TAKE(f->said));
    FILE *was = stdout, *error = stderr;
    stdout = open_memstream(&f->said, &f->said_len);
    stderr = fopen("/dev/null", "w");
    status = strcmp(argv[0], "own") == 0 ? sgt_own_main(&f->config, json, argc, argv)
                                         : sgt_token_main(&f->config, json, argc, argv);
    fclose(stdout);
    fclose(stderr);
    stdout = was;
    stderr = error;
    return status;
}

/* The text of a token minted with these options; the caller frees. */
#define MINTED(f, ...)                                                                             \
    ({                                                                                             \
        assert_int_equal(run(f, false, "token", "mint", __VA_ARGS__, NULL), SGT_DONE);             \
        strndup((f)->said, strcspn((f)->said, "\n"));                                              \
    })

static bool says(const struct fix *f, const char *text)
{
    return strstr(f->said, text) != NULL;
}

static void a_minted_token_is_believed_and_read_back(void **fixture)
{
    struct fix *f = *fixture;
    char *token =
        MINTED(f, "--path", "/show/", "--host", "video.example", "--lifetime", "60", "--network",
               "192.0.2.0/24", "--network", "AS64496", "--network", "2001:db8::/32", "--country",
               "DE", "--index", "9", "--method", "GET", "--subject", "someone", "--viewers", "2",
               "--renewal", "https://video.example/renew");
    assert_int_equal(run(f, false, "token", "inspect", token, NULL), SGT_DONE);
    assert_true(says(f, "verdict: allowed\n") && says(f, "issuer: sg:acme\n"));
    assert_true(says(f, "\"value\":\"/show/\"") && says(f, "\"value\":\"video.example\""));
    assert_true(says(f, "methods: [\"GET\"]\n") && says(f, "countries: [\"DE\"]\n"));
    assert_true(says(f, "AS64496") && says(f, "2001:db8::/32") && says(f, "192.0.2.0/24\""));
    assert_true(says(f, "index: 9\n") && says(f, "viewers: 2\n") && says(f, "subject: someone\n"));
    assert_int_equal(run(f, true, "token", "inspect", token, NULL), SGT_DONE);
    json_t *object = json_loads(f->said, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "verdict")), "allowed");
    json_decref(object);
    token[strlen(token) / 2] ^= 1;
    assert_int_equal(run(f, false, "token", "inspect", token, NULL), SGT_REFUSED);
    free(token);
}

static void a_revoked_token_is_known_by_its_text_its_name_or_its_number(void **fixture)
{
    struct fix *f = *fixture;
    char *one = MINTED(f, "--path", "/a"), *two = MINTED(f, "--path", "/a", "--index", "3");
    assert_int_equal(run(f, false, "token", "revoke", one, NULL), SGT_DONE);
    assert_int_equal(run(f, false, "token", "inspect", one, NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: token_revoked\n"));
    assert_int_equal(run(f, false, "token", "inspect", two, NULL), SGT_DONE);
    assert_int_equal(run(f, false, "token", "revoke", "--index", "3", NULL), SGT_DONE);
    assert_int_equal(run(f, false, "token", "inspect", two, NULL), SGT_REFUSED);
    free(two);
    two = MINTED(f, "--path", "/a");
    assert_int_equal(run(f, true, "token", "inspect", two, NULL), SGT_DONE);
    json_t *object = json_loads(f->said, 0, NULL);
    char *cti = strdup(json_string_value(json_object_get(object, "cti")));
    json_decref(object);
    assert_int_equal(run(f, false, "token", "revoke", "--cti", cti, NULL), SGT_DONE);
    assert_int_equal(run(f, false, "token", "inspect", two, NULL), SGT_REFUSED);
    free(cti);
    free(two);
    free(one);
}

static void revoking_all_closes_the_epoch_and_minting_goes_on_in_the_next(void **fixture)
{
    struct fix *f = *fixture;
    char *before = MINTED(f, "--path", "/a");
    assert_int_equal(run(f, false, "token", "revoke", "--all", NULL), SGT_DONE);
    assert_int_equal(run(f, false, "token", "inspect", before, NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: token_epoch_closed\n"));
    char *after = MINTED(f, "--path", "/a");
    assert_int_equal(run(f, false, "token", "inspect", after, NULL), SGT_DONE);
    free(before);
    free(after);
}

static void a_fact_is_minted_only_for_its_owner_at_head_and_at_safe(void **fixture)
{
    struct fix *f = *fixture;
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "--fact", FACT, NULL),
                     SGT_REFUSED);
    assert_int_equal(run(f, false, "own", "set", FACT, ALICE, NULL), SGT_DONE);
    char *token = MINTED(f, "--path", "/a", "--fact", FACT, "--owner", ALICE);
    assert_int_equal(
        run(f, false, "token", "mint", "--path", "/a", "--fact", FACT, "--owner", BOB, NULL),
        SGT_REFUSED);
    assert_int_equal(run(f, false, "own", "transfer", FACT, BOB, ALICE, NULL), SGT_REFUSED);
    assert_int_equal(run(f, false, "token", "inspect", token, NULL), SGT_DONE);
    assert_int_equal(run(f, false, "own", "transfer", FACT, ALICE, BOB, "--head-only", NULL),
                     SGT_DONE);
    assert_true(says(f, "safe: false\n"));
    assert_int_equal(run(f, false, "token", "inspect", token, NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: ownership_changed\n"));
    assert_int_equal(
        run(f, false, "token", "mint", "--path", "/a", "--fact", FACT, "--owner", BOB, NULL),
        SGT_REFUSED); /* not safe yet */
    assert_int_equal(run(f, false, "own", "set", FACT, BOB, NULL), SGT_DONE);
    free(token);
    token = MINTED(f, "--path", "/a", "--fact", FACT, "--owner", BOB);
    assert_int_equal(run(f, false, "token", "revoke", "--rule", "1", NULL), SGT_DONE);
    assert_int_equal(run(f, false, "token", "inspect", token, NULL), SGT_REFUSED);
    assert_true(says(f, "verdict: token_rule_changed\n"));
    free(token);
}

static void facts_are_shown_by_name_or_key(void **fixture)
{
    struct fix *f = *fixture;
    char key[32];
    assert_int_equal(run(f, false, "own", "show", FACT, NULL), SGT_REFUSED);
    assert_int_equal(run(f, false, "own", "set", FACT, ALICE, "--block", "17", NULL), SGT_DONE);
    assert_true(says(f, "block: 17\n") && says(f, "generation: 1\n"));
    struct sgt_fact fact;
    assert_true(sgt_fact_read(FACT, &fact));
    snprintf(key, sizeof(key), "0x%016llx", (unsigned long long)fact.key);
    assert_int_equal(run(f, false, "own", "show", key, NULL), SGT_DONE);
    assert_int_equal(run(f, false, "own", "set", FACT, "nobody", NULL), SGT_DONE);
    assert_true(says(f, "block: 17\n") && says(f, "generation: 2\n"));
    assert_true(says(f, "owner_head: 00000000"));
    assert_int_equal(run(f, false, "own", "feed", NULL), SGT_DONE);
}

static void what_makes_no_sense_is_refused(void **fixture)
{
    struct fix *f = *fixture;
    assert_int_equal(run(f, false, "token", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "forge", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "relative", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "extra", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "--lifetime", "-1", NULL),
                     SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "--network", "10/8", NULL),
                     SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "--method", "BREW", NULL),
                     SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "--country", "de", NULL),
                     SGT_USAGE);
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", "--tenant", "x", NULL),
                     SGT_REFUSED);
    f->config.tenants_count = 2;
    assert_int_equal(run(f, false, "token", "mint", "--path", "/a", NULL), SGT_REFUSED);
    assert_int_equal(run(f, false, "token", "revoke", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "revoke", "--all", "--index", "1", NULL), SGT_USAGE);
    assert_int_equal(run(f, false, "token", "revoke", "garbage", NULL), SGT_REFUSED);
    assert_int_equal(run(f, false, "own", "set", FACT, NULL), SGT_USAGE);
    f->tenants[0].secret_file = "/nowhere";
    assert_int_equal(run(f, false, "token", "mint", "--tenant", "acme", "--path", "/a", NULL),
                     SGT_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    TEST(a_minted_token_is_believed_and_read_back),
    TEST(a_revoked_token_is_known_by_its_text_its_name_or_its_number),
    TEST(revoking_all_closes_the_epoch_and_minting_goes_on_in_the_next),
    TEST(a_fact_is_minted_only_for_its_owner_at_head_and_at_safe),
    TEST(facts_are_shown_by_name_or_key),
    TEST(what_makes_no_sense_is_refused),
};
SGT_MAIN("sgctl_access", tests)
