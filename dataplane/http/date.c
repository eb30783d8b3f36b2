#include "dataplane/http/date.h"

#include "base/assert.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days_short[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
static const char *const days_long[7] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                         "Monday",   "Tuesday", "Wednesday"};

/* Days from 1970-01-01 to a day of the Gregorian calendar; years are counted from March, so that
 * the leap day is the last one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

static int digits_of(const char *at, int count)
{
    int v = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        v = v * 10 + (at[i] - '0');
    }
    return v;
}

static int month_of(const char *at)
{
    for (int i = 0; i < 12; i++) {
        if (strncasecmp(at, months + 3 * i, 3) == 0)
            return i + 1;
    }
    return -1;
}

static bool is_day_short(const char *at)
{
    for (int i = 0; i < 7; i++) {
        if (strncasecmp(at, days_short + 3 * i, 3) == 0)
            return true;
    }
    return false;
}

/* "08:49:37" */
static bool clock_of(const char *at, int *seconds)
{
    int h = digits_of(at, 2), m = digits_of(at + 3, 2), s = digits_of(at + 6, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 || at[2] != ':' || at[5] != ':')
        return false;
    *seconds = h * 3600 + m * 60 + s;
    return true;
}

static bool assemble(int year, int month, int day, int seconds, int64_t *out)
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 0 || month < 1 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *out = days_of(year, month, day) * 86400 + seconds;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool imf_date(struct sg_str text, int64_t *out)
{
    const char *t = text.ptr;
    int seconds;
    if (text.len != 29 || !is_day_short(t) || t[3] != ',' || t[4] != ' ' || t[7] != ' ' ||
        t[11] != ' ' || t[16] != ' ' || strncasecmp(t + 25, " GMT", 4) != 0)
        return false;
    return clock_of(t + 17, &seconds) &&
           assemble(digits_of(t + 12, 4), month_of(t + 8), digits_of(t + 5, 2), seconds, out);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT". Without a clock here the century is a fixed choice: what is
 * written in this form today is written by software older than it. */
static bool rfc850_date(struct sg_str text, int64_t *out)
{
    int seconds;
    for (int i = 0; i < 7; i++) {
        size_t name = strlen(days_long[i]);
        if (text.len != name + 24 || strncasecmp(text.ptr, days_long[i], name) != 0)
            continue;
        const char *t = text.ptr + name;
        if (t[0] != ',' || t[1] != ' ' || t[4] != '-' || t[8] != '-' || t[11] != ' ' ||
            strncasecmp(t + 20, " GMT", 4) != 0)
            return false;
        int year = digits_of(t + 9, 2);
        if (year >= 0)
            year += year < 70 ? 2000 : 1900;
        return clock_of(t + 12, &seconds) &&
               assemble(year, month_of(t + 5), digits_of(t + 2, 2), seconds, out);
    }
    return false;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_date(struct sg_str text, int64_t *out)
{
    const char *t = text.ptr;
    int seconds;
    if (text.len != 24 || !is_day_short(t) || t[3] != ' ' || t[7] != ' ' || t[10] != ' ' ||
        t[19] != ' ')
        return false;
    int day = t[8] == ' ' ? digits_of(t + 9, 1) : digits_of(t + 8, 2);
    return clock_of(t + 11, &seconds) &&
           assemble(digits_of(t + 20, 4), month_of(t + 4), day, seconds, out);
}

bool sgd_http_date(struct sg_str text, int64_t *out)
{
    SG_ASSERT(out != NULL);
    return imf_date(text, out) || rfc850_date(text, out) || asctime_date(text, out);
}

static void put_digits(char *at, int64_t v, int count)
{
    for (int i = count - 1; i >= 0; i--, v /= 10)
        at[i] = (char)('0' + v % 10);
}

void sgd_http_date_write(int64_t unix_s, char out[29])
{
    SG_ASSERT(out != NULL);
    int64_t days = unix_s / 86400, seconds = unix_s % 86400, year, month, day;
    if (seconds < 0) {
        seconds += 86400;
        days--;
    }
    date_of(days, &year, &month, &day);
    memcpy(out, "Thu, 00 Jan 0000 00:00:00 GMT", 29);
    memcpy(out, days_short + 3 * ((days % 7 + 7) % 7), 3);
    put_digits(out + 5, day, 2);
    memcpy(out + 8, months + 3 * (month - 1), 3);
    put_digits(out + 12, year, 4);
    put_digits(out + 17, seconds / 3600, 2);
    put_digits(out + 20, seconds / 60 % 60, 2);
    put_digits(out + 23, seconds % 60, 2);
}

void sgd_rfc3339_write(int64_t unix_s, char out[20])
{
    SG_ASSERT(unix_s >= -62167219200 && unix_s < 253402300800);
    int64_t days = unix_s / 86400, seconds = unix_s % 86400, year, month, day;
    if (seconds < 0) {
        seconds += 86400;
        days--;
    }
    date_of(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00Z", 20);
    put_digits(out, year, 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day, 2);
    put_digits(out + 11, seconds / 3600, 2);
    put_digits(out + 14, seconds / 60 % 60, 2);
    put_digits(out + 17, seconds % 60, 2);
}
