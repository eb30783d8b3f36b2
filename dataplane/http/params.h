/* params - the parameters of a query, as forms write them: name=value, joined by "&". Pure. */
#ifndef SGD_HTTP_PARAMS_H
#define SGD_HTTP_PARAMS_H

#include "base/out.h"

enum sgd_param { SGD_PARAM_ABSENT, SGD_PARAM_FOUND, SGD_PARAM_BAD };
/* Writes the decoded value of the only parameter of that name to `out`; *value is what was written.
 * BAD: a malformed escape, a NUL, no room, or there are two of it: nobody could say which one
 * counts. Names are compared as they are. */
enum sgd_param sgd_param_get(struct sg_str query, struct sg_str name, struct sg_out *out,
                             struct sg_str *value);

#endif
