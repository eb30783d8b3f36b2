#include "tests/sgt.h"

#include "dataplane/http/params.h"

static enum sgd_param get(const char *query, const char *name, char value[64])
{
    char memory[32];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_str found = SG_STR_NONE;
    enum sgd_param result = sgd_param_get(sg_str_from(query), sg_str_from(name), &out, &found);
    memcpy(value, found.ptr != NULL ? found.ptr : "", found.len);
    value[found.len] = '\0';
    return result;
}

static void a_value_is_decoded_once(void **fixture)
{
    (void)fixture;
    char v[64];
    assert_int_equal(get("a=1&path=%2Ffilms%2f%2531+x&b", "path", v), SGD_PARAM_FOUND);
    assert_string_equal(v, "/films/%31 x");
    assert_int_equal(get("a=1&path", "path", v), SGD_PARAM_FOUND);
    assert_string_equal(v, "");
    assert_int_equal(get("path=%41", "path", v), SGD_PARAM_FOUND);
    assert_string_equal(v, "A");
    assert_int_equal(get("=x&&path==&", "path", v), SGD_PARAM_FOUND);
    assert_string_equal(v, "=");
}

static void a_name_is_compared_whole(void **fixture)
{
    (void)fixture;
    char v[64];
    const char *queries[] = {"", "pat=1", "paths=1", "Path=1", "a=path", NULL};
    for (size_t i = 0; i < SG_COUNT(queries); i++)
        assert_int_equal(get(queries[i], "path", v), SGD_PARAM_ABSENT);
}

static void what_could_be_read_in_two_ways_is_bad(void **fixture)
{
    (void)fixture;
    char v[64];
    const char *queries[] = {
        "path=/a&path=/b", "path=%",   "path=%4",
        "path=%zz",        "path=%00", "path=/0123456789012345678901234567890123456789",
    };
    for (size_t i = 0; i < SG_COUNT(queries); i++)
        assert_int_equal(get(queries[i], "path", v), SGD_PARAM_BAD);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_value_is_decoded_once),
    cmocka_unit_test(a_name_is_compared_whole),
    cmocka_unit_test(what_could_be_read_in_two_ways_is_bad),
};
SGT_MAIN("params", tests)
