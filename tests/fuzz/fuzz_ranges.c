/* Range and If-Range: "LENGTH\nRANGE\nIF-RANGE\n". What comes out lies within the length, apart
 * from each other, and never is more than was asked. */
#include "base/assert.h"
#include "dataplane/http/cond.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct sg_str line_next(struct sg_str *rest)
{
    const char *end = rest->len != 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct sg_str line = *rest;
    if (end != NULL)
        line.len = (size_t)(end - rest->ptr);
    *rest = sg_str_skip(*rest, line.len + 1);
    return line.ptr != NULL ? line : SG_STR("");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str rest = {(const char *)bytes, len};
    uint64_t length = 0, first, last;
    if (!sg_str_to_u64(line_next(&rest), &length))
        return 0;
    struct sgd_field fields[2] = {{SG_STR("range"), line_next(&rest)},
                                  {SG_STR("if-range"), line_next(&rest)}};
    struct sgd_request req = {.method = SGD_METHOD_GET,
                              .fields = fields,
                              .fields_count = fields[1].value.len != 0 ? 2 : 1};
    struct sgd_range ranges[SGD_RANGES_MAX];
    uint32_t count = 0;
    enum sgd_ranges kind =
        sgd_ranges_of(&req, length, SG_STR("\"a\""), SG_STR_NONE, SG_STR_NONE, ranges, &count);
    SG_ASSERT((kind == SGD_RANGES_SOME) == (count != 0) && count <= SGD_RANGES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        SG_ASSERT(ranges[i].first <= ranges[i].last && ranges[i].last < length);
        for (uint32_t j = 0; j < i; j++)
            SG_ASSERT(ranges[i].first > ranges[j].last + 1 || ranges[j].first > ranges[i].last + 1);
    }
    if (sgd_range_hint(&req, &first, &last))
        SG_ASSERT(first <= last);
    return 0;
}
