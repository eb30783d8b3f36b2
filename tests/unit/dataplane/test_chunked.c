#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/http/chunked.h"

#include <string.h>

struct decoded {
    enum sgd_chunked_result result;
    enum sgd_close why;
    size_t used; /* of the input, framing and data */
    size_t len;
    uint8_t body[8192];
};

/* Offers `step` bytes at a time and takes at most `bite` bytes of data at a time. */
static void decode(struct decoded *d, const char *text, size_t len, size_t step, size_t bite)
{
    struct sgd_chunked chunked;
    sgd_chunked_begin(&chunked);
    *d = (struct decoded){.result = SGD_CHUNKED_MORE};
    size_t offered = 0;
    while (d->used < len && d->result != SGD_CHUNKED_END && d->result != SGD_CHUNKED_BAD) {
        size_t framing, data;
        if (offered == d->used)
            offered = SG_MIN(len, offered + step);
        const uint8_t *at = (const uint8_t *)text + d->used;
        d->result = sgd_chunked_read(&chunked, at, offered - d->used, &framing, &data, &d->why);
        d->used += framing;
        if (d->result != SGD_CHUNKED_DATA)
            continue;
        size_t took = SG_MIN(data, bite);
        memcpy(d->body + d->len, at + framing, took);
        d->len += took;
        d->used += took;
        sgd_chunked_took(&chunked, took);
    }
}

struct row {
    const char *text;
    const char *body; /* NULL: refused */
    enum sgd_close why;
};
#define GOOD(text, body)                                                                           \
    {                                                                                              \
        text, body, SGD_CLOSE_none                                                                 \
    }
#define BAD(text, why)                                                                             \
    {                                                                                              \
        text, NULL, SGD_CLOSE_##why                                                                \
    }
static const struct row rows[] = {
    GOOD("0\r\n\r\n", ""),
    GOOD("5\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", "hello world"),
    GOOD("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
    GOOD("000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("5;a=b;c=\"d;\\\"e\"\r\nhello\r\n0;last\r\n\r\n", "hello"),
    GOOD("5\r\nhello\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", "hello"),
    BAD("\r\n", http_bad_chunk),
    BAD(";a\r\n", http_bad_chunk),
    BAD("g\r\n", http_bad_chunk),
    BAD("-5\r\n", http_bad_chunk),
    BAD("+5\r\n", http_bad_chunk),
    BAD("0x5\r\nhello\r\n", http_bad_chunk),
    BAD(" 5\r\nhello\r\n", http_bad_chunk),
    BAD("5 \r\nhello\r\n", http_bad_chunk),
    BAD("5\nhello\r\n", http_bad_chunk),
    BAD("5\r hello\r\n", http_bad_chunk),
    BAD("0000000000000005\r\nhello\r\n", http_bad_chunk),
    BAD("FFFFFFFFFFFFFFFFF\r\n", http_bad_chunk),
    BAD("5\r\nhelloX\r\n", http_bad_chunk),
    BAD("5\r\nhello\n0\r\n\r\n", http_bad_chunk),
    BAD("5\r\nhello\r0\r\n\r\n", http_bad_chunk),
    BAD("5\r\nhello0\r\n\r\n", http_bad_chunk),
    BAD("5;a\nhello\r\n", http_bad_chunk),
    BAD("5;a\x01\r\nhello\r\n", http_bad_chunk),
    BAD("5;a=\"\r\nhello\r\n", http_bad_chunk), /* a quote must not hide a line end */
    BAD("5;a\r;b\r\nhello\r\n", http_bad_chunk),
    BAD("0\r\n\n", http_bad_field_name),
    BAD("0\r\nX\r\n\r\n", http_bad_field_name),
    BAD("0\r\n X: y\r\n\r\n", http_bad_field_name),
    BAD("0\r\nX : y\r\n\r\n", http_bad_field_name),
    BAD("0\r\n: y\r\n\r\n", http_bad_field_name),
    BAD("0\r\nX: y\n\r\n", http_bare_lf),
    BAD("0\r\nX: y\x01\r\n\r\n", http_bad_field_value),
    BAD("0\r\nX: y\rZ: a\r\n\r\n", http_bad_chunk),
    BAD("0\r\n\rX", http_bad_chunk),
};

static void bodies_are_exact_however_they_arrive_and_are_taken(void **fixture)
{
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        size_t len = strlen(rows[i].text);
        for (size_t step = 1; step <= len; step++) {
            struct decoded d;
            decode(&d, rows[i].text, len, step, step % 3 + 1);
            if (rows[i].body == NULL) {
                if (d.result != SGD_CHUNKED_BAD || d.why != rows[i].why)
                    fail_msg("%s: %d %s", rows[i].text, d.result, sgd_close_name(d.why));
                continue;
            }
            assert_int_equal(d.result, SGD_CHUNKED_END);
            assert_int_equal(d.used, len);
            assert_int_equal(d.len, strlen(rows[i].body));
            assert_memory_equal(d.body, rows[i].body, d.len);
        }
    }
    (void)fixture;
}

static void what_follows_the_end_is_not_touched(void **fixture)
{
    struct decoded d;
    const char *text = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    decode(&d, text, strlen(text), 1000, 1000);
    assert_int_equal(d.result, SGD_CHUNKED_END);
    assert_int_equal(d.used, 11);
    (void)fixture;
}

static void extensions_and_trailers_are_bounded(void **fixture)
{
    static char text[65536];
    struct decoded d;
    strcpy(text, "5;");
    memset(text + 2, 'a', SGD_CHUNKED_EXT_BYTES_MAX);
    strcpy(text + 2 + SGD_CHUNKED_EXT_BYTES_MAX, "\r\nhello\r\n0\r\n\r\n");
    decode(&d, text, strlen(text), 100, 100);
    assert_int_equal(d.result, SGD_CHUNKED_END);
    strcpy(text + 2 + SGD_CHUNKED_EXT_BYTES_MAX, "a\r\nhello\r\n0\r\n\r\n");
    decode(&d, text, strlen(text), 100, 100);
    assert_int_equal(d.result, SGD_CHUNKED_BAD);
    assert_int_equal(d.why, SGD_CLOSE_http_chunk_ext_too_large);
    text[0] = 0; /* many small ones, on chunks of one byte */
    for (size_t i = 0; i < 200; i++)
        strcat(text, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n");
    decode(&d, text, strlen(text), 100, 100);
    assert_int_equal(d.why, SGD_CLOSE_http_chunk_ext_too_large);
    strcpy(text, "0\r\n");
    for (size_t i = 0; i < 500; i++)
        strcat(text, "abc: def\r\n");
    decode(&d, text, strlen(text), 100, 100);
    assert_int_equal(d.why, SGD_CLOSE_http_trailers_too_large);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bodies_are_exact_however_they_arrive_and_are_taken),
    cmocka_unit_test(what_follows_the_end_is_not_touched),
    cmocka_unit_test(extensions_and_trailers_are_bounded),
};
SGT_MAIN("chunked", tests)
