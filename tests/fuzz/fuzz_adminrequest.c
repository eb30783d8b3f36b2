/* What comes over the admin socket: a request whose parts lie within what was given, or none. */
#include "base/assert.h"
#include "controlplane/admin/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sgc_request request;
    const char *text = (const char *)bytes;
    char value[64];
    if (sgc_request_parse((struct sg_str){text, len}, &request) != SGC_PARSE_OK)
        return 0;
    SG_ASSERT(request.path.len > 0 && request.path.ptr >= text);
    SG_ASSERT(request.path.ptr + request.path.len <= text + len);
    if (sgc_request_param(&request, "id", value, sizeof(value)))
        SG_ASSERT(strlen(value) < sizeof(value));
    return 0;
}
