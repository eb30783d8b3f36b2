/* chunked - the chunked transfer coding, decoded: RFC 9112 section 7.1, strictly. Incremental,
 * without I/O or allocation. Extensions and trailers are read, bounded and dropped. */
#ifndef SGD_HTTP_CHUNKED_H
#define SGD_HTTP_CHUNKED_H

#include "dataplane/close.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_CHUNKED_EXT_BYTES_MAX     256  /* of one chunk; and of all extensions 16 times that */
#define SGD_CHUNKED_TRAILER_BYTES_MAX 4096 /* all trailer lines together */

struct sgd_chunked {
    uint8_t state;
    uint8_t digits;       /* of the size under way */
    uint16_t line_bytes;  /* of the extensions under way */
    uint16_t trail_bytes; /* of the trailers so far */
    uint16_t ext_bytes;   /* of all extensions so far */
    uint64_t left;        /* of the chunk under way */
};

enum sgd_chunked_result {
    SGD_CHUNKED_MORE, /* all was framing: give more */
    SGD_CHUNKED_DATA, /* *data and *data_len are body bytes, in place */
    SGD_CHUNKED_END,  /* the body is whole; what is behind *used is the next request's */
    SGD_CHUNKED_BAD,  /* *why tells */
};

void sgd_chunked_begin(struct sgd_chunked *chunked);
/* Reads on in `bytes`. *used is how many were framing, data not counted: the caller takes as much
 * of the data as it can (from bytes + *used on) and tells by sgd_chunked_took(), then calls again
 * with what is left. */
enum sgd_chunked_result sgd_chunked_read(struct sgd_chunked *chunked, const uint8_t *bytes,
                                         size_t len, size_t *used, size_t *data_len,
                                         enum sgd_close *why);
/* What is still due of the chunk under way; 0 while its size is not known. */
uint64_t sgd_chunked_due(const struct sgd_chunked *chunked);
void sgd_chunked_took(struct sgd_chunked *chunked, size_t len);

#endif
