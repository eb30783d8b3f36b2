#include "tests/sgt.h"

#include "base/siphash.h"

#include <string.h>

static void the_authors_vectors_hold(void **fixture)
{
    /* Key 00..0f, message 00 01 02 ...: vectors.h of the reference implementation. */
    static const uint8_t len0[8] = {0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72};
    static const uint8_t len15[8] = {0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1};
    static const uint8_t wide0[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                      0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    uint8_t key[16], msg[15];
    for (int i = 0; i < 16; i++)
        key[i] = (uint8_t)i;
    for (int i = 0; i < 15; i++)
        msg[i] = (uint8_t)i;
    uint64_t h = sg_siphash64(key, msg, 0), wide[2];
    assert_memory_equal(&h, len0, 8);
    h = sg_siphash64(key, msg, 15);
    assert_memory_equal(&h, len15, 8);
    sg_siphash128(key, msg, 0, wide);
    assert_memory_equal(wide, wide0, 16);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_authors_vectors_hold),
};
SGT_MAIN("siphash", tests)
