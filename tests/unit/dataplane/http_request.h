/* http_request - a request for tests of pure functions, from a method and "name: value\n" lines. */
#ifndef SGT_HTTP_REQUEST_H
#define SGT_HTTP_REQUEST_H

#include "base/assert.h"
#include "dataplane/http/lines.h"
#include "dataplane/http/message.h"

#include <stdio.h>
#include <string.h>

/* Good until the next call. */
static inline const struct sgd_request *sgt_request(const char *method, const char *lines)
{
    static struct sgd_field fields[SGD_FIELDS_MAX];
    static struct sgd_request req;
    struct sg_str rest = sg_str_from(lines);
    req = (struct sgd_request){.method = sgd_method_of(sg_str_from(method)),
                               .method_text = sg_str_from(method),
                               .path = SG_STR("/"),
                               .fields = fields,
                               .version = "1.1"};
    while (sgd_lines_next(&rest, &fields[req.fields_count]))
        req.fields_count++;
    return &req;
}

static inline bool sgt_str_is(struct sg_str s, const char *text)
{
    return sg_str_eq(s, sg_str_from(text));
}

#endif
