/* Run by valgrind, which keeps track of what was computed from undefined bytes: it reports a branch
 * that depends on them, or an address, and fails the test. */
#include "tests/sgt.h"

#include "dataplane/tls/x25519.h"

#include <string.h>
#include <valgrind/memcheck.h>

static void nothing_branches_on_a_secret_or_looks_up_by_it(void **fixture)
{
    static struct sgd_x25519_table table;
    uint8_t secret[SGD_X25519_BYTES], share[SGD_X25519_BYTES];
    unsigned errors = VALGRIND_COUNT_ERRORS;
    assert_true(RUNNING_ON_VALGRIND);
    sgd_x25519_table_init(&table);
    for (int i = 0; i < 16; i++) {
        memset(secret, i * 17, sizeof(secret));
        (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof(secret));
        sgd_x25519_share(&table, secret, share);
    }
    assert_int_equal(VALGRIND_COUNT_ERRORS, errors);
    assert_int_not_equal(VALGRIND_CHECK_MEM_IS_DEFINED(share, sizeof(share)), 0); /* it did track */
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_branches_on_a_secret_or_looks_up_by_it),
};

SGT_MAIN("x25519_secret", tests)
