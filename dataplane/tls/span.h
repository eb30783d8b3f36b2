/* span - borrowed bytes that are to be sealed or hashed: one piece of several. */
#ifndef SGD_TLS_SPAN_H
#define SGD_TLS_SPAN_H

#include <stddef.h>
#include <stdint.h>

struct sgd_span {
    const uint8_t *bytes;
    size_t len;
};

#endif
