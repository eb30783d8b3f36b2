#include "tests/sgt.h"

#include "base/assert.h"
#include "base/cbor.h"
#include "tests/sgt_hex.h"

static struct sg_str hex(const char *text)
{
    static uint8_t bytes[SG_CBOR_BYTES_MAX + 64];
    size_t len = sgt_hex(text, bytes, sizeof(bytes));
    return (struct sg_str){(const char *)bytes, len};
}

static void what_rfc_8949_appendix_a_lists_is_read_as_it_says(void **fixture)
{
    static const struct {
        const char *hex;
        enum sg_cbor_type type;
        uint64_t value;
    } rows[] = {
        {"00", SG_CBOR_UINT, 0},
        {"0a", SG_CBOR_UINT, 10},
        {"17", SG_CBOR_UINT, 23},
        {"1818", SG_CBOR_UINT, 24},
        {"1864", SG_CBOR_UINT, 100},
        {"1903e8", SG_CBOR_UINT, 1000},
        {"1a000f4240", SG_CBOR_UINT, 1000000},
        {"1b000000e8d4a51000", SG_CBOR_UINT, 1000000000000},
        {"1bffffffffffffffff", SG_CBOR_UINT, UINT64_MAX},
        {"3bffffffffffffffff", SG_CBOR_NINT, UINT64_MAX},
        {"20", SG_CBOR_NINT, 0},
        {"3863", SG_CBOR_NINT, 99},
        {"3903e7", SG_CBOR_NINT, 999},
        {"f4", SG_CBOR_FALSE, 0},
        {"f5", SG_CBOR_TRUE, 0},
        {"f6", SG_CBOR_NULL, 0},
        {"c11a514b67b0", SG_CBOR_TAG, 1},
        {"d818456449455446", SG_CBOR_TAG, 24},
        {"40", SG_CBOR_BYTES, 0},
        {"4401020304", SG_CBOR_BYTES, 4},
        {"60", SG_CBOR_TEXT, 0},
        {"6449455446", SG_CBOR_TEXT, 4},
        {"62c3bc", SG_CBOR_TEXT, 2},
        {"64f0908591", SG_CBOR_TEXT, 4},
        {"80", SG_CBOR_ARRAY, 0},
        {"8301820203820405", SG_CBOR_ARRAY, 3},
        {"98190102030405060708090a0b0c0d0e0f101112131415161718181819", SG_CBOR_ARRAY, 25},
        {"a0", SG_CBOR_MAP, 0},
        {"a201020304", SG_CBOR_MAP, 2},
        {"a26161016162820203", SG_CBOR_MAP, 2},
        {"826161a161626163", SG_CBOR_ARRAY, 2},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sg_str bytes = hex(rows[i].hex);
        struct sg_cbor cbor = sg_cbor_init(bytes), skip = cbor;
        struct sg_cbor_item item;
        assert_true(sg_cbor_check(bytes));
        assert_true(sg_cbor_next(&cbor, &item));
        assert_int_equal(item.type, rows[i].type);
        assert_true(item.value == rows[i].value);
        assert_true(sg_cbor_skip(&skip) && skip.at == skip.end);
    }
    (void)fixture;
}

static void what_could_be_read_two_ways_is_refused(void **fixture)
{
    static const char *const bad[] = {
        "",     /* nothing */
        "0000", /* two items */
        "1817",
        "190017",
        "1900ff", /* not the shortest form */
        "1a0000ffff",
        "1b00000000ffffffff",
        "3817",
        "5801aa",
        "780161",
        "980100",
        "b8010000",
        "d801f6",
        "1c",
        "1d",
        "1e",
        "fc", /* nobody's */
        "5f42010243030405ff",
        "7f657374726561", /* indefinite lengths */
        "9fff",
        "bfff",
        "1f",
        "ff",
        "9f018202039f0405ffff",
        "f90000",
        "fa47c35000",
        "fb3ff199999999999a", /* floats */
        "f7",
        "f0",
        "f8ff",
        "f818", /* undefined, other simple values */
        "a2010001f6",
        "a3616100616200616100",
        "a3020003000200", /* keys twice, in and out of order */
        "a201",
        "8201",
        "4201",
        "19",
        "1901",
        "c1",
        "62c3", /* cut short */
        "61ff",
        "62c080",
        "63eda080",
        "64f4908080",
        "62c328", /* not UTF-8 */
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "5bffffffffffffffff",
        "818181818181818100", /* nine deep */
        "8181818181818181",
        "c1c1c1c1c1c1c1c100",
    };
    for (size_t i = 0; i < SG_COUNT(bad); i++)
        assert_false(sg_cbor_check(hex(bad[i])));
    assert_true(sg_cbor_check(hex("8181818181818100"))); /* eight deep */
    (void)fixture;
}

static void maps_and_messages_have_a_bound(void **fixture)
{
    static char memory[SG_CBOR_BYTES_MAX + 16], zeros[SG_CBOR_BYTES_MAX];
    for (uint64_t pairs = SG_CBOR_PAIRS_MAX; pairs <= SG_CBOR_PAIRS_MAX + 1; pairs++) {
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sg_cbor_put_map(&out, pairs);
        for (uint64_t i = 0; i < pairs; i++) {
            sg_cbor_put_uint(&out, pairs - i); /* backwards: order is not asked for */
            sg_cbor_put_uint(&out, 0);
        }
        assert_int_equal(sg_cbor_check(sg_out_view(&out)), pairs == SG_CBOR_PAIRS_MAX);
    }
    for (size_t len = SG_CBOR_BYTES_MAX - 3; len <= SG_CBOR_BYTES_MAX - 2; len++) {
        struct sg_out out = sg_out_init(memory, sizeof(memory));
        sg_cbor_put_bytes(&out, zeros, len);
        assert_int_equal(sg_cbor_check(sg_out_view(&out)), out.len <= SG_CBOR_BYTES_MAX);
    }
    (void)fixture;
}

static void what_is_written_is_read_back(void **fixture)
{
    static const int64_t numbers[] = {0,         23,        24,         255,       256,   65535,
                                      65536,     -1,        -24,        -25,       -256,  -257,
                                      INT64_MAX, INT64_MIN, UINT32_MAX, 1ll << 32, -70002};
    char memory[512];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    struct sg_cbor_item item;
    sg_cbor_put_array(&out, SG_COUNT(numbers) + 3);
    for (size_t i = 0; i < SG_COUNT(numbers); i++)
        sg_cbor_put_int(&out, numbers[i]);
    sg_cbor_put_tag(&out, 61);
    sg_cbor_put_text(&out, SG_STR("text"));
    sg_cbor_put_bytes(&out, "bytes", 5);
    sg_cbor_put_map(&out, 0);
    assert_false(out.full);
    assert_true(sg_cbor_check(sg_out_view(&out)));
    struct sg_cbor cbor = sg_cbor_init(sg_out_view(&out));
    assert_true(sg_cbor_want(&cbor, SG_CBOR_ARRAY, &item));
    for (size_t i = 0; i < SG_COUNT(numbers); i++) {
        int64_t v = 0;
        assert_true(sg_cbor_next(&cbor, &item) && sg_cbor_int(&item, &v));
        assert_true(v == numbers[i]);
    }
    assert_true(sg_cbor_want(&cbor, SG_CBOR_TAG, &item) && item.value == 61);
    assert_true(sg_cbor_want(&cbor, SG_CBOR_TEXT, &item));
    assert_true(sg_str_eq(item.bytes, SG_STR("text")));
    assert_true(sg_cbor_want(&cbor, SG_CBOR_BYTES, &item));
    assert_false(sg_cbor_want(&cbor, SG_CBOR_ARRAY, &item));
    (void)fixture;
}

static void numbers_beyond_64_bits_signed_are_told(void **fixture)
{
    struct sg_cbor_item item = {.type = SG_CBOR_UINT, .value = (uint64_t)INT64_MAX + 1};
    int64_t v = 3;
    assert_false(sg_cbor_int(&item, &v));
    item.type = SG_CBOR_NINT;
    assert_false(sg_cbor_int(&item, &v));
    item.type = SG_CBOR_TEXT;
    item.value = 0;
    assert_false(sg_cbor_int(&item, &v));
    assert_int_equal(v, 3);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_rfc_8949_appendix_a_lists_is_read_as_it_says),
    cmocka_unit_test(what_could_be_read_two_ways_is_refused),
    cmocka_unit_test(maps_and_messages_have_a_bound),
    cmocka_unit_test(what_is_written_is_read_back),
    cmocka_unit_test(numbers_beyond_64_bits_signed_are_told),
};
SGT_MAIN("cbor", tests)
