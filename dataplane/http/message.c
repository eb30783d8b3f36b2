#include "dataplane/http/message.h"

#include "base/assert.h"

struct sg_str sgd_request_field(const struct sgd_request *req, struct sg_str name, bool *repeated)
{
    SG_ASSERT(req != NULL);
    SG_ASSERT(name.len != 0);
    struct sg_str found = SG_STR_NONE;
    bool again = false;
    for (uint32_t i = 0; i < req->fields_count; i++) {
        const struct sgd_field *field = &req->fields[i];
        if (field->name.len != name.len || memcmp(field->name.ptr, name.ptr, name.len) != 0)
            continue;
        if (found.ptr == NULL)
            found = field->value;
        else
            again = true;
    }
    if (repeated != NULL)
        *repeated = again;
    return found;
}

enum sgd_method sgd_method_of(struct sg_str text)
{
    static const struct sg_str names[SGD_METHOD_OTHER] = {
        [SGD_METHOD_GET] = {"GET", 3},         [SGD_METHOD_HEAD] = {"HEAD", 4},
        [SGD_METHOD_OPTIONS] = {"OPTIONS", 7}, [SGD_METHOD_POST] = {"POST", 4},
        [SGD_METHOD_PUT] = {"PUT", 3},         [SGD_METHOD_DELETE] = {"DELETE", 6},
        [SGD_METHOD_PATCH] = {"PATCH", 5},
    };
    for (enum sgd_method method = 0; method < SGD_METHOD_OTHER; method++) {
        if (sg_str_eq(text, names[method]))
            return method;
    }
    return SGD_METHOD_OTHER;
}

static const char *reason_of(uint16_t status)
{
    switch (status) {
#define REASON(code, text)                                                                         \
    case code:                                                                                     \
        return text;
#include "dataplane/http/reason.def"
#undef REASON
    default:
        return "";
    }
}

struct sg_str sgd_status_reason(uint16_t status)
{
    return sg_str_from(reason_of(status));
}
