/* must - what a benchmark can't go on without. */
#ifndef BENCH_MUST_H
#define BENCH_MUST_H

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#define MUST_BE_OK(call)                                                                           \
    do {                                                                                           \
        enum sg_err err_ = (call);                                                                 \
        if (err_ != SG_OK) {                                                                       \
            fprintf(stderr, "%s: %s\n", #call, sg_err_text(err_));                                 \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)

#endif
