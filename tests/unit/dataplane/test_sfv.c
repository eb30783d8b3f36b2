#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/http/sfv.h"

#include <string.h>

/* The members read before the end; -1: malformed. */
static int members_of(const char *text, struct sg_str *key, struct sgd_sfv_item *item)
{
    struct sg_str rest = sg_str_from(text);
    for (int count = 0;; count++) {
        switch (sgd_sfv_dict_next(&rest, key, item)) {
        case SGD_SFV_MEMBER:
            break;
        case SGD_SFV_END:
            return count;
        case SGD_SFV_BAD:
            return -1;
        }
    }
}

static void members_and_their_types_are_told(void **fixture)
{
    static const struct {
        const char *text;
        int count;
        enum sgd_sfv_type type; /* of the last one */
        int64_t integer;
    } rows[] = {
        {"", 0, SGD_SFV_BOOLEAN, 0},
        {"a", 1, SGD_SFV_BOOLEAN, 1},
        {"a=?0", 1, SGD_SFV_BOOLEAN, 0},
        {"a=?1", 1, SGD_SFV_BOOLEAN, 1},
        {"a=5", 1, SGD_SFV_INTEGER, 5},
        {"a=-5", 1, SGD_SFV_INTEGER, -5},
        {"a=0005", 1, SGD_SFV_INTEGER, 5},
        {"a=999999999999999", 1, SGD_SFV_INTEGER, 999999999999999},
        {"a=1.5", 1, SGD_SFV_DECIMAL, 1},
        {"a=123456789012.123", 1, SGD_SFV_DECIMAL, 123456789012},
        {"a=\"x, y\"", 1, SGD_SFV_STRING, 0},
        {"a=\"x\\\"\\\\y\"", 1, SGD_SFV_STRING, 0},
        {"a=x/y:z", 1, SGD_SFV_TOKEN, 0},
        {"a=*x", 1, SGD_SFV_TOKEN, 0},
        {"a=:aGk=:", 1, SGD_SFV_BYTES, 0},
        {"a=(1 \"b\"  c;q=1);r", 1, SGD_SFV_LIST, 0},
        {"a=()", 1, SGD_SFV_LIST, 0},
        {"a;x=1;y;z=\"q\"", 1, SGD_SFV_BOOLEAN, 1},
        {"a=1;x, *b-c._2=2 \t,\t c", 3, SGD_SFV_BOOLEAN, 1},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_str key;
        struct sgd_sfv_item item;
        assert_int_equal(members_of(rows[i].text, &key, &item), rows[i].count);
        if (rows[i].count == 0)
            continue;
        assert_int_equal(item.type, rows[i].type);
        assert_int_equal(item.integer, rows[i].integer);
    }
    (void)fixture;
}

static void anything_malformed_spoils_the_field(void **fixture)
{
    static const char *const rows[] = {
        "A",
        "Max-Age=5",
        "1a",
        "-a",
        "a=",
        "a= 1",
        "a =1",
        "a=1 b",
        "a,",
        "a,,b",
        ",a",
        "a=1,",
        "a;",
        "a;=1",
        "a; B",
        "a=1234567890123456",
        "a=1.",
        "a=1.2345",
        "a=-",
        "a=--1",
        "a=+1",
        "a=.5",
        "a=1234567890123.1",
        "a=\"x",
        "a=\"x\\y\"",
        "a=\"\x01\"",
        "a=\"\xc3\"",
        "a=\"x\\",
        "a=?2",
        "a=?",
        "a=:x",
        "a=:x y:",
        "a=(1",
        "a=(1,2)",
        "a=(1\"b\")",
        "a=((1))",
        "a=@5",
        "a=%",
        "a=1;q=",
        "a\x01",
        "a=1\n",
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_str key;
        struct sgd_sfv_item item;
        if (members_of(rows[i], &key, &item) != -1)
            fail_msg("\"%s\" was read", rows[i]);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(members_and_their_types_are_told),
    cmocka_unit_test(anything_malformed_spoils_the_field),
};
SGT_MAIN("sfv", tests)
