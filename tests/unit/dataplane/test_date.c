#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/http/date.h"

#include <stdio.h>
#include <time.h>

static void the_three_forms_are_read_in_any_case(void **fixture)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"sun, 06 nov 1994 08:49:37 gmt", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
        {"Thu Aug 18 02:01:18 2050", 2544400878},
        {"Thursday, 18-Aug-50 02:01:18 GMT", 2544400878},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        int64_t got = 12345;
        if (!sgd_http_date(sg_str_from(rows[i].text), &got) || got != rows[i].want)
            fail_msg("%s: got %lld", rows[i].text, (long long)got);
    }
    (void)fixture;
}

static void anything_else_is_no_date(void **fixture)
{
    static const char *const rows[] = {
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 06 11 1994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        int64_t got = 12345;
        if (sgd_http_date(sg_str_from(rows[i]), &got) || got != 12345)
            fail_msg("\"%s\" passed for a date", rows[i]);
    }
    assert_false(sgd_http_date(SG_STR_NONE, &(int64_t){0})); /* a field that is not there */
    (void)fixture;
}

static void what_is_written_is_read_back_and_agrees_with_libc(void **fixture)
{
    for (int64_t at = -86400LL * 365 * 60; at < 86400LL * 365 * 300; at += 86400 * 9 + 12347) {
        char ours[30] = {0}, libc[64];
        struct tm tm;
        time_t t = (time_t)at;
        int64_t back;
        sgd_http_date_write(at, ours);
        strftime(libc, sizeof(libc), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
        assert_string_equal(ours, libc);
        assert_true(sgd_http_date((struct sg_str){ours, 29}, &back));
        assert_int_equal(back, at);
    }
    (void)fixture;
}

static void rfc_3339_agrees_with_libc(void **fixture)
{
    for (int64_t at = -62167219200; at < 253402300800; at += 86400LL * 3650 + 12347) {
        char ours[21] = {0}, libc[64];
        struct tm tm;
        time_t t = (time_t)at;
        sgd_rfc3339_write(at, ours);
        gmtime_r(&t, &tm);
        snprintf(libc, sizeof(libc), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_string_equal(ours, libc);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_three_forms_are_read_in_any_case),
    cmocka_unit_test(anything_else_is_no_date),
    cmocka_unit_test(what_is_written_is_read_back_and_agrees_with_libc),
    cmocka_unit_test(rfc_3339_agrees_with_libc),
};
SGT_MAIN("date", tests)
