#include "tests/sgt.h"

#include "dataplane/http/cond.h"
#include "tests/unit/dataplane/http_request.h"

#define EARLY "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME  "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATE  "Sun, 06 Nov 1994 08:49:38 GMT"

struct cond_row {
    const char *method, *fields, *etag, *modified, *date;
    bool want;
};
static const struct cond_row conds[] = {
    {"GET", "", "\"a\"", SAME, LATE, false},
    {"GET", "if-none-match: \"a\"\n", "\"a\"", NULL, NULL, true},
    {"HEAD", "if-none-match: \"a\"\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: W/\"a\"\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: \"a\"\n", "W/\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: \"b\", \"a\"\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: \"b\"\nif-none-match: \"a\"\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: \"b,\\\", \"a\"\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: \"b\"\n", "\"a\"", NULL, NULL, false},
    {"GET", "if-none-match: a\n", "\"a\"", NULL, NULL, false},
    {"GET", "if-none-match: *\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-none-match: *\n", NULL, NULL, NULL, true},
    {"GET", "if-none-match: \"b\"\nif-modified-since: " LATE "\n", "\"a\"", SAME, LATE,
     false}, /* the etag alone decides */
    {"GET", "if-modified-since: " SAME "\n", NULL, SAME, LATE, true},
    {"GET", "if-modified-since: " LATE "\n", NULL, SAME, LATE, true},
    {"GET", "if-modified-since: " EARLY "\n", NULL, SAME, LATE, false},
    {"GET", "if-modified-since: nonsense\n", NULL, SAME, LATE, false},
    {"GET", "if-modified-since: " SAME "\nif-modified-since: " SAME "\n", NULL, SAME, LATE, false},
    {"GET", "if-modified-since: " LATE "\n", NULL, NULL, LATE, true},
    {"GET", "if-modified-since: " LATE "\n", NULL, NULL, NULL, false},
    {"GET", "if-match: \"a\"\n", "\"a\"", NULL, NULL, false},
    {"GET", "if-match: \"b\", \"a\"\n", "\"a\"", NULL, NULL, false},
    {"GET", "if-match: *\n", NULL, NULL, NULL, false},
    {"GET", "if-match: \"b\"\n", "\"a\"", NULL, NULL, false},
    {"GET", "if-match: W/\"a\"\n", "W/\"a\"", NULL, NULL, false},
    {"GET", "if-match: \"a\"\nif-unmodified-since: " EARLY "\n", "\"a\"", SAME, LATE, false},
    {"GET", "if-match: \"a\"\nif-none-match: \"a\"\n", "\"a\"", NULL, NULL, true},
    {"GET", "if-unmodified-since: " EARLY "\n", NULL, SAME, LATE, false},
    {"GET", "if-unmodified-since: " SAME "\n", NULL, SAME, LATE, false},
    {"GET", "if-unmodified-since: nonsense\n", NULL, SAME, LATE, false},
    {"GET", "if-unmodified-since: " EARLY "\n", NULL, NULL, LATE, false},
};

static void conditions_are_judged_in_the_order_of_the_rfc(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(conds); i++) {
        const struct cond_row *row = &conds[i];
        bool got =
            sgd_cond_not_modified(sgt_request(row->method, row->fields), sg_str_from(row->etag),
                                  sg_str_from(row->modified), sg_str_from(row->date));
        if (got != row->want)
            fail_msg("%s %s against %s: got %d", row->method, row->fields, row->etag, got);
    }
    (void)fixture;
}

struct range_row {
    const char *fields;
    uint64_t length;
    enum sgd_ranges want;
    uint32_t count;
    struct sgd_range ranges[SGD_RANGES_MAX];
};
static const struct range_row ranges[] = {
    {"", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\n", 100, SGD_RANGES_SOME, 1, {{0, 9}}},
    {"range: BYTES=0-9\n", 100, SGD_RANGES_SOME, 1, {{0, 9}}},
    {"range: bytes=90-\n", 100, SGD_RANGES_SOME, 1, {{90, 99}}},
    {"range: bytes=90-1000\n", 100, SGD_RANGES_SOME, 1, {{90, 99}}},
    {"range: bytes=-10\n", 100, SGD_RANGES_SOME, 1, {{90, 99}}},
    {"range: bytes=-1000\n", 100, SGD_RANGES_SOME, 1, {{0, 99}}},
    {"range: bytes=0-0,-1\n", 100, SGD_RANGES_SOME, 2, {{0, 0}, {99, 99}}},
    {"range: bytes=50-59 , 10-19,\t30-39\n",
     100,
     SGD_RANGES_SOME,
     3,
     {{50, 59}, {10, 19}, {30, 39}}},
    {"range: bytes=0-9,10-19\n", 100, SGD_RANGES_SOME, 1, {{0, 19}}},
    {"range: bytes=0-9,20-29,5-24\n", 100, SGD_RANGES_SOME, 1, {{0, 29}}},
    {"range: bytes=50-59,0-9,20-29,8-21\n", 100, SGD_RANGES_SOME, 2, {{50, 59}, {0, 29}}},
    {"range: bytes=40-49,0-9,60-69,45-65\n", 100, SGD_RANGES_SOME, 2, {{40, 69}, {0, 9}}},
    {"range: bytes=0-9,200-300\n", 100, SGD_RANGES_SOME, 1, {{0, 9}}},
    {"range: bytes=,0-9,,\n", 100, SGD_RANGES_SOME, 1, {{0, 9}}},
    {"range: bytes=100-\n", 100, SGD_RANGES_UNSATISFIABLE, 0, {{0}}},
    {"range: bytes=-0\n", 100, SGD_RANGES_UNSATISFIABLE, 0, {{0}}},
    {"range: bytes=0-\n", 0, SGD_RANGES_UNSATISFIABLE, 0, {{0}}},
    {"range: bytes=-5\n", 0, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=99999999999999999999999-\n", 100, SGD_RANGES_UNSATISFIABLE, 0, {{0}}},
    {"range: bytes=0-99999999999999999999999\n", 100, SGD_RANGES_SOME, 1, {{0, 99}}},
    {"range: bytes=-99999999999999999999999\n", 100, SGD_RANGES_SOME, 1, {{0, 99}}},
    {"range: bytes=9-0\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9,9-0\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=-\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=a-b\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=+1-2\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=1 - 2\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=1-2-3\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes 0-9\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes =0-9\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: items=0-9\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\nrange: bytes=0-9\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\n", SGD_LENGTH_UNKNOWN, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,"
     "30-30,32-32\n",
     100,
     SGD_RANGES_NONE,
     0,
     {{0}}}, /* 17 */
    {"range: bytes=0-9\nif-range: \"a\"\n", 100, SGD_RANGES_SOME, 1, {{0, 9}}},
    {"range: bytes=0-9\nif-range: \"b\"\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\nif-range: W/\"a\"\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\nif-range: " SAME "\n", 100, SGD_RANGES_SOME, 1, {{0, 9}}},
    {"range: bytes=0-9\nif-range: " LATE "\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\nif-range: a\n", 100, SGD_RANGES_NONE, 0, {{0}}},
    {"range: bytes=0-9\nif-range: \"a\"\nif-range: \"a\"\n", 100, SGD_RANGES_NONE, 0, {{0}}},
};

static void ranges_are_read_joined_and_kept_in_order(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(ranges); i++) {
        const struct range_row *row = &ranges[i];
        struct sgd_range got[SGD_RANGES_MAX];
        uint32_t count = 0;
        enum sgd_ranges kind =
            sgd_ranges_of(sgt_request("GET", row->fields), row->length, SG_STR("\"a\""),
                          SG_STR(SAME), SG_STR(LATE), got, &count);
        if (kind != row->want || (kind == SGD_RANGES_SOME && count != row->count))
            fail_msg("%s: got %d, %u ranges", row->fields, kind, count);
        for (uint32_t n = 0; n < count; n++)
            assert_true(got[n].first == row->ranges[n].first && got[n].last == row->ranges[n].last);
    }
    (void)fixture;
}

static void only_get_has_ranges(void **fixture)
{
    struct sgd_range got[SGD_RANGES_MAX];
    uint32_t count;
    assert_int_equal(sgd_ranges_of(sgt_request("HEAD", "range: bytes=0-9\n"), 100, SG_STR_NONE,
                                   SG_STR_NONE, SG_STR_NONE, got, &count),
                     SGD_RANGES_NONE);
    (void)fixture;
}

static void a_date_as_young_as_its_response_is_too_weak_for_a_range(void **fixture)
{
    struct sgd_range got[SGD_RANGES_MAX];
    uint32_t count;
    const char *fields = "range: bytes=0-9\nif-range: " SAME "\n";
    assert_int_equal(sgd_ranges_of(sgt_request("GET", fields), 100, SG_STR_NONE, SG_STR(SAME),
                                   SG_STR(SAME), got, &count),
                     SGD_RANGES_NONE);
    assert_int_equal(sgd_ranges_of(sgt_request("GET", fields), 100, SG_STR_NONE, SG_STR(SAME),
                                   SG_STR_NONE, got, &count),
                     SGD_RANGES_NONE);
    (void)fixture;
}

static void a_hint_is_one_range_with_a_first_byte(void **fixture)
{
    uint64_t first = 0, last = 0;
    assert_true(sgd_range_hint(sgt_request("GET", "range: bytes=5-9\n"), &first, &last));
    assert_true(first == 5 && last == 9);
    assert_true(sgd_range_hint(sgt_request("GET", "range: bytes=5-\n"), &first, &last));
    assert_true(first == 5 && last == UINT64_MAX);
    assert_false(sgd_range_hint(sgt_request("GET", "range: bytes=-5\n"), &first, &last));
    assert_false(sgd_range_hint(sgt_request("GET", "range: bytes=1-2,4-5\n"), &first, &last));
    assert_false(sgd_range_hint(sgt_request("GET", "range: bytes=9-5\n"), &first, &last));
    assert_false(sgd_range_hint(sgt_request("GET", ""), &first, &last));
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(conditions_are_judged_in_the_order_of_the_rfc),
    cmocka_unit_test(ranges_are_read_joined_and_kept_in_order),
    cmocka_unit_test(only_get_has_ranges),
    cmocka_unit_test(a_date_as_young_as_its_response_is_too_weak_for_a_range),
    cmocka_unit_test(a_hint_is_one_range_with_a_first_byte),
};
SGT_MAIN("cond", tests)
