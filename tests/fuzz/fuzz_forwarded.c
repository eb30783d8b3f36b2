/* Forwarded lines: what is told is an address, and nobody passes for a proxy. */
#include "base/assert.h"
#include "dataplane/engine/network.h"
#include "dataplane/http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The input's lines are the field's. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const trusted[] = {"10.0.0.0/8"};
    struct sgd_field fields[4];
    struct sgd_request req = {.fields = fields};
    struct sg_str rest = {(const char *)bytes, len};
    struct sockaddr_in6 from;
    while (rest.len > 0 && req.fields_count < SG_COUNT(fields)) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t n = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
        fields[req.fields_count++] = (struct sgd_field){SG_STR("forwarded"), {rest.ptr, n}};
        rest = sg_str_skip(rest, SG_MIN(n + 1, rest.len));
    }
    bool told = sgd_forwarded_for(&req, trusted, 1, &from);
    SG_ASSERT(told == (req.fields_count > 0));
    if (told)
        SG_ASSERT(from.sin6_family == AF_INET6);
    return 0;
}
