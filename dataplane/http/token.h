/* token - RFC 9110 section 5.6.2: what names of methods, fields, codings and options are made of.
 */
#ifndef SGD_HTTP_TOKEN_H
#define SGD_HTTP_TOKEN_H

#include "base/str.h"

/* The character in lower case; 0: it may not stand in a token. */
extern const char sgd_token_lower[256];

static inline bool sgd_token_is(struct sg_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (sgd_token_lower[(uint8_t)s.ptr[i]] == 0)
            return false;
    }
    return s.len != 0;
}

#endif
