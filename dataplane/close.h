/* close - why a connection or request ended: the rows of close.def as an enum. */
#ifndef SGD_CLOSE_H
#define SGD_CLOSE_H

#include <stdint.h>

enum sgd_close {
#define CLOSE(name, status, text) SGD_CLOSE_##name,
#include "dataplane/close.def"
#undef CLOSE
    SGD_CLOSE_COUNT
};

/* "http_bare_lf"; static, any thread. */
const char *sgd_close_name(enum sgd_close why);
/* A sentence's worth, for a viewer or an operator. */
const char *sgd_close_text(enum sgd_close why);
/* 0: nothing can be told. */
uint16_t sgd_close_status(enum sgd_close why);

#endif
