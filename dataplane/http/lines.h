/* lines - a response's head as it is stored and fetched: "name: value\r\n" lines. Pure. */
#ifndef SGD_HTTP_LINES_H
#define SGD_HTTP_LINES_H

#include "dataplane/http/message.h"

/* Takes the first line off *rest. Blanks around the value are trimmed; a line without a colon is
 * passed over. False at the end. */
bool sgd_lines_next(struct sg_str *rest, struct sgd_field *field);
/* First value of `name` (any case); ptr NULL when absent; *repeated as in sgd_request_field(). */
struct sg_str sgd_lines_field(struct sg_str lines, struct sg_str name, bool *repeated);

#endif
