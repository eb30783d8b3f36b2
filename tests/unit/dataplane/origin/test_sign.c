/* Against AWS's published examples: the S3 guide's "Signature Calculations for the Authorization
 * Header" and the signature version 4 test suite. */
#include "tests/sgt.h"

#include "dataplane/origin/sign.h"
#include "tests/unit/dataplane/origin/liar.h"

#include <stdio.h>
#include <time.h>

static const struct sgd_sign_key s3_key = {
    .access_key = (char *)"AKIAIOSFODNN7EXAMPLE",
    .secret_key = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .region = (char *)"us-east-1",
    .service = (char *)"s3",
};
static const struct sgd_sign_key suite_key = {
    .access_key = (char *)"AKIDEXAMPLE",
    .secret_key = (char *)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    .region = (char *)"us-east-1",
    .service = (char *)"service",
};
#define MAY_24_2013  1369353600u /* 20130524T000000Z */
#define AUG_30_2015  1440938160u /* 20150830T123600Z */
#define BUCKET_HOST  "examplebucket.s3.amazonaws.com"
#define PUT_BODY_SHA "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

struct row {
    const struct sgd_sign_key *key;
    const char *method, *target, *host, *fields, *payload;
    uint64_t wall_s;
    const char *signed_names, *signature;
};

static const struct row rows[] = {
    {&s3_key, "GET", "/test.txt", BUCKET_HOST, "range: bytes=0-9\r\n", NULL, MAY_24_2013,
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {&s3_key, "PUT", "/test$file.text", BUCKET_HOST,
     "date: Fri, 24 May 2013 00:00:00 GMT\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n",
     PUT_BODY_SHA, MAY_24_2013, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {&s3_key, "GET", "/?lifecycle", BUCKET_HOST, "", NULL, MAY_24_2013,
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {&s3_key, "GET", "/?max-keys=2&prefix=J", BUCKET_HOST, "", NULL, MAY_24_2013,
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {&s3_key, "GET", "/?prefix=J&max-keys=2", BUCKET_HOST, "", NULL, MAY_24_2013,
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {&suite_key, "GET", "/", "example.amazonaws.com", "", NULL, AUG_30_2015, "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {&suite_key, "GET", "/?Param2=value2&Param1=value1", "example.amazonaws.com", "", NULL,
     AUG_30_2015, "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {&suite_key, "POST", "/", "example.amazonaws.com", "", NULL, AUG_30_2015, "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
};

static void published_examples_give_their_published_signatures(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        char memory[1024], wanted[512];
        struct sg_out out = sg_out_init(memory, sizeof(memory) - 1);
        struct sgd_sign_request req = {
            .method = sg_str_from(rows[i].method),
            .target = sg_str_from(rows[i].target),
            .host = sg_str_from(rows[i].host),
            .fields = sg_str_from(rows[i].fields),
            .payload_hash =
                rows[i].payload != NULL ? sg_str_from(rows[i].payload) : SGD_SIGN_NO_BODY,
            .wall_s = rows[i].wall_s,
        };
        assert_true(sgd_sign(rows[i].key, &req, &out));
        memory[out.len] = 0;
        snprintf(wanted, sizeof(wanted), ", SignedHeaders=%s, Signature=%s\r\n",
                 rows[i].signed_names, rows[i].signature);
        if (strstr(memory, wanted) == NULL)
            fail_msg("row %zu: %s", i, memory);
        assert_int_equal(strstr(memory, "x-amz-content-sha256: ") != NULL,
                         strcmp(rows[i].key->service, "s3") == 0);
    }
    (void)fixture;
}

static bool sign_target(struct sg_str target, char signature[64])
{
    char memory[1024];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sgd_sign_request req = {.method = SG_STR("GET"),
                                   .target = target,
                                   .host = SG_STR("h"),
                                   .payload_hash = SGD_SIGN_NO_BODY,
                                   .wall_s = MAY_24_2013};
    if (!sgd_sign(&s3_key, &req, &out))
        return false;
    memcpy(signature, memory + out.len - 66, 64);
    return true;
}

static void spellings_of_one_resource_have_one_signature(void **fixture)
{
    static const char *const same[][2] = {
        {"/a%20b", "/a%20b"},       {"/a%7Eb", "/a~b"},         {"/%c3%a9", "/%C3%A9"},
        {"/a%2Fb", "/a/b"}, /* S3 decodes before it compares */
        {"/?a=1&b", "/?b=&a=1"},    {"/?q=a%2fb", "/?q=a%2Fb"}, {"/?q=a+b", "/?q=a%20b"},
        {"/?a=1&a=0", "/?a=0&a=1"}, {"/?q=%zz", "/?q=%25zz"},
    };
    for (size_t i = 0; i < SG_COUNT(same); i++) {
        char a[64], b[64];
        assert_true(sign_target(sg_str_from(same[i][0]), a));
        assert_true(sign_target(sg_str_from(same[i][1]), b));
        if (memcmp(a, b, 64) != 0)
            fail_msg("%s and %s differ", same[i][0], same[i][1]);
    }
    (void)fixture;
}

static void what_is_too_much_is_refused_rather_than_signed_in_part(void **fixture)
{
    static char target[20000];
    char signature[64];
    memset(target, 'a', sizeof(target));
    memcpy(target, "/?", 2);
    assert_true(sign_target((struct sg_str){target, 8000}, signature));
    assert_false(sign_target((struct sg_str){target, sizeof(target)}, signature));
    for (size_t i = 3; i < 300; i += 2)
        target[i] = '&';
    assert_false(sign_target((struct sg_str){target, 300}, signature));
    (void)fixture;
}

/* The value behind `name` in a request's head; empty: it is not there. */
static struct sg_str field_of(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);
    if (at == NULL)
        return SG_STR_NONE;
    at += strlen(name);
    return (struct sg_str){at, strcspn(at, "\r\n")};
}

/* curl as an oracle: what it sends is signed again here, for the second that it took. */
static void curl_signs_the_same(void **fixture)
{
    static const struct sgt_liar_step ok[] = {
        {SGT_LIAR_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0},
        {SGT_LIAR_END, NULL, 0}};
    static const struct sgt_liar_script script[] = {{NULL, ok}};
    static const char *const targets[] = {"/media/a.m4s", "/a%20b/c.m4s",
                                          "/l?list-type=2&prefix=x"};
    if (system("curl --version >/dev/null 2>&1") != 0)
        SGT_LEAVE("there is no curl");
    for (size_t i = 0; i < SG_COUNT(targets); i++) {
        char command[512], host[32], memory[1024];
        struct sgt_liar *liar = sgt_liar_open(0, script);
        struct tm tm = {0};
        snprintf(host, sizeof(host), "127.0.0.1:%u", sgt_liar_port(liar));
        snprintf(command, sizeof(command),
                 "curl -s --noproxy '*' --aws-sigv4 aws:amz:us-east-1:s3 --user %s:%s -H "
                 "'x-amz-content-sha256: UNSIGNED-PAYLOAD' 'http://%s%s'",
                 s3_key.access_key, s3_key.secret_key, host, targets[i]);
        assert_int_equal(system(command), 0);
        const char *head = sgt_liar_last_head(liar);
        struct sg_str theirs = field_of(head, "Signature=");
        assert_non_null(strptime(field_of(head, "x-amz-date: ").ptr, "%Y%m%dT%H%M%SZ", &tm));
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        struct sgd_sign_request req = {.method = SG_STR("GET"),
                                       .target = sg_str_from(targets[i]),
                                       .host = sg_str_from(host),
                                       .payload_hash = SGD_SIGN_UNSIGNED,
                                       .wall_s = (uint64_t)timegm(&tm)};
        assert_true(sgd_sign(&s3_key, &req, &out));
        assert_int_equal(theirs.len, 64);
        assert_memory_equal(memory + out.len - 66, theirs.ptr, 64);
        sgt_liar_close(liar);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(published_examples_give_their_published_signatures),
    cmocka_unit_test(spellings_of_one_resource_have_one_signature),
    cmocka_unit_test(curl_signs_the_same),
    cmocka_unit_test(what_is_too_much_is_refused_rather_than_signed_in_part),
};
SGT_MAIN("sign", tests)
