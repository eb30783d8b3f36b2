/* A text that is read is the only spelling of its bytes: writing them gives it back. */
#include "base/assert.h"
#include "base/b64url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t read[8192];
    static char written[8192];
    struct sg_str text = {(const char *)bytes, len};
    size_t count = 0;
    if (!sg_b64url_read(text, read, sizeof(read), &count))
        return 0;
    struct sg_out out = sg_out_init(written, sizeof(written));
    sg_b64url_put(&out, read, count);
    SG_ASSERT(out.full || sg_str_eq(sg_out_view(&out), text));
    return 0;
}
