/* error - why a fetch failed: the rows of error.def as an enum, in the words of RFC 9209. */
#ifndef SGD_ORIGIN_ERROR_H
#define SGD_ORIGIN_ERROR_H

#include <stdint.h>

/* ORIGIN_ERROR(name, RFC 9209 proxy error type, HTTP status for the viewer). */
enum sgd_origin_error {
#define ORIGIN_ERROR(name, type, status) SGD_ORIGIN_##name,
#include "dataplane/origin/error.def"
#undef ORIGIN_ERROR
    SGD_ORIGIN_ERROR_COUNT
};

/* "connection_refused"; empty for none. Static, any thread. */
const char *sgd_origin_error_type(enum sgd_origin_error error);
/* The status that a viewer gets when nothing better is to be had. */
uint16_t sgd_origin_error_status(enum sgd_origin_error error);

#endif
