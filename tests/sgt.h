/* sgt - what every cmocka test includes first: cmocka with the headers that it forgets, and a
 * main() that speaks TAP. */
#ifndef SGT_H
#define SGT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Exit status that meson counts as skipped. */
#define SGT_SKIP 77

static inline int sgt_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}
#define SGT_MAIN(name, tests)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        return sgt_main(name, tests, sizeof(tests) / sizeof((tests)[0]));                          \
    }

#endif
