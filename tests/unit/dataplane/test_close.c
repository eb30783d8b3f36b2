#include "tests/sgt.h"

#include "base/assert.h"
#include "dataplane/close.h"
#include "edgecache/log/stats.h"

#include <string.h>

static void every_reason_has_a_name_a_text_and_a_counter(void **fixture)
{
    assert_true(SGD_CLOSE_COUNT <= SGE_CLOSE_REASONS_MAX);
    for (enum sgd_close why = 0; why < SGD_CLOSE_COUNT; why++) {
        assert_true(strlen(sgd_close_name(why)) > 0);
        assert_true(strlen(sgd_close_text(why)) > 0);
        uint16_t status = sgd_close_status(why);
        assert_true(status == 0 || (status >= 400 && status < 600));
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_reason_has_a_name_a_text_and_a_counter),
};
SGT_MAIN("close", tests)
