/* sgt - what every cmocka test includes first: cmocka with the headers that it forgets, and a
 * main() that speaks TAP. */
#ifndef SGT_H
#define SGT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What main() returns when something that the whole test needs is not here. Exit status 77 would
 * do, but meson 1.7 takes that for an error where a test speaks TAP. */
#define SGT_SKIP sgt_skip()
static inline int sgt_skip(void)
{
    puts("1..0 # SKIP what it needs is not here");
    return 0;
}

/* Ends one test that cannot be made here, in its own function. cmocka's skip() will not do: its TAP
 * says "not ok", which meson takes for a failure. */
#define SGT_LEAVE(why)                                                                             \
    do {                                                                                           \
        print_message("# not tested: %s\n", why);                                                  \
        return;                                                                                    \
    } while (0)

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
